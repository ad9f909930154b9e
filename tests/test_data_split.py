"""Dividing rows among the splits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.dataloading import loaded, refused


def parts(split: Any, y: Any, *, seed: int = 0) -> dict[str, list[int]]:
    """Return the numbers of the rows of each split of as many rows as y has."""
    arrays = (np.arange(len(y), dtype=np.float64)[:, None], y)
    splits = loaded({"arrays": {}, **({} if split is None else {"split": split})}, seed=seed, arrays=arrays).splits
    return {name: [int(row) for row in part.x[:, 0]] for name, part in splits.items()}


def test_rows_in_order() -> None:
    split = {"shuffle": False, "train": 3, "validation": 2, "test": 1}
    assert parts(split, np.arange(8) / 2) == {"train": [0, 1, 2], "validation": [3, 4], "test": [5]}


def test_no_split_keeps_every_row_in_order() -> None:
    assert parts("none", [0, 1, 0, 1]) == {"train": [0, 1, 2, 3]}


def test_a_split_is_the_same_on_every_machine() -> None:
    assert parts(None, np.arange(10) / 2, seed=1) == {"train": [2, 6, 9, 3, 4, 0, 7, 5], "test": [8, 1]}


def test_another_seed_gives_another_split() -> None:
    drawn = {tuple(parts(None, np.arange(30) / 2, seed=seed)["test"]) for seed in range(20)}
    assert len(drawn) == 20


def test_a_split_may_have_a_seed_of_its_own() -> None:
    y = np.arange(30) / 2
    assert parts({"test": 0.2, "seed": 3}, y, seed=0) == parts({"test": 0.2}, y, seed=3)


def test_every_row_is_as_likely_to_be_tested_on() -> None:
    counts = np.zeros(10)
    for seed in range(1000):
        counts[parts({"test": 2}, np.arange(10) / 2, seed=seed)["test"]] += 1
    assert np.abs(counts - 200).max() < 5 * np.sqrt(1000 * 0.2 * 0.8)


@pytest.mark.parametrize("stratify", [None, True])
def test_each_split_has_its_share_of_every_class(stratify: bool | None) -> None:
    y = np.array([0] * 60 + [1] * 30 + [2] * 10)
    split = {"validation": 0.1, "test": 0.2, **({} if stratify is None else {"stratify": stratify})}
    found = {name: np.bincount(y[rows]).tolist() for name, rows in parts(split, y).items()}
    assert found == {"train": [42, 21, 7], "validation": [6, 3, 1], "test": [12, 6, 2]}


def test_a_stratified_split_is_still_random() -> None:
    y = np.array([0] * 50 + [1] * 50)
    drawn = {tuple(sorted(parts({"test": 0.2, "stratify": True}, y, seed=seed)["test"])) for seed in range(20)}
    assert len(drawn) == 20
    train = parts({"test": 0.2, "stratify": True}, y)["train"]
    assert 0 < sum(np.diff(y[train]) != 0) > 20, "the classes are mixed, not one after the other"


def test_what_cannot_be_stratified_is_split_at_random_unless_asked_for() -> None:
    rare = np.array([0] * 19 + [1])
    assert {name: len(rows) for name, rows in parts({"test": 0.2}, rare).items()} == {"train": 16, "test": 4}
    x = np.zeros((20, 1))
    message = "every class must have a row for each of the 2 splits, but class 1 has 1 row"
    place = "dataset.split.stratify"
    value = {"arrays": {}, "split": {"test": 0.2, "stratify": True}}
    assert refused(value, arrays=(x, rare)) == [("FF035", place, message, None)]
    message = "every split must have a row for each of the 5 classes, but test has 4 rows"
    assert refused(value, arrays=(x, np.arange(20) % 5)) == [("FF035", place, message, None)]
    message = "only classes can be stratified, but the target is numbers"
    assert refused(value, arrays=(x, np.arange(20) / 2)) == [("FF035", place, message, None)]


def test_rows_that_do_not_suffice() -> None:
    arrays = (np.zeros((3, 1)), [0, 1, 0])
    value = {"arrays": {}, "split": {"train": 3, "test": 1}}
    message = "the split must fit into the 3 rows there are, found train 3 and test 1"
    assert refused(value, arrays=arrays) == [("FF035", "dataset.split", message, None)]


@pytest.mark.parametrize("y", [np.arange(23) / 2, np.arange(23) % 3], ids=["numbers", "classes"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_folds_are_tested_on_one_after_another(y: Any, *, shuffle: bool) -> None:
    split = {"folds": 4, "validation": 0.25, **({} if shuffle else {"shuffle": False})}
    found = [parts({**split, "fold": fold}, y) for fold in (1, 2, 3, 4)]
    assert sorted(row for one in found for row in one["test"]) == list(range(23))
    assert [{name: len(rows) for name, rows in one.items()} for one in found] == [
        {"train": 12, "validation": 5, "test": 6},
        {"train": 12, "validation": 5, "test": 6},
        {"train": 12, "validation": 5, "test": 6},
        {"train": 13, "validation": 5, "test": 5},
    ]
    assert all(sorted(row for rows in one.values() for row in rows) == list(range(23)) for one in found)
    assert parts(split, y) == found[0], "the first, if it is left out"


def test_every_fold_has_its_share_of_every_class() -> None:
    y = np.array([0] * 61 + [1] * 31 + [2] * 9)
    for fold in (1, 2, 3, 4, 5):
        found = parts({"folds": 5, "fold": fold, "validation": 0.2}, y)
        counts = {name: np.bincount(y[rows], minlength=3) for name, rows in found.items()}
        assert np.abs(counts["test"] - np.array([12.2, 6.2, 1.8])).max() < 1
        assert counts["validation"].min() >= 1


def test_folds_of_too_few_rows_or_beside_fixed_ones() -> None:
    value = {"arrays": {}, "split": {"folds": 5}}
    message = "the split must give every one of the 5 parts a row, found 3 in all"
    assert refused(value, arrays=(np.zeros((3, 1)), [0, 1, 0])) == [("FF035", "dataset.split", message, None)]
    both = {"train": (np.zeros((9, 1)), [0, 1, 0] * 3), "test": (np.zeros((3, 1)), [0, 1, 0])}
    message = "the split must not be into folds, because the data itself says which rows are tested on"
    assert refused(value, arrays=both) == [("FF035", "dataset.split.folds", message, None)]
