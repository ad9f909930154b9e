"""Splits by a column: what belongs together stays together, at random or in the column's order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffspec.data.grouping import deal, take
from tests.dataloading import loaded, refused
from tests.test_rows import of_arrays


def parts(split: Any, values: Sequence[Any], *, seed: int = 0) -> dict[str, list[int]]:
    """Return the numbers of the rows of each split, divided by these values."""
    rows = np.arange(len(values), dtype=np.float64)
    value = {"arrays": {}, "split": {"by": "g", **split}}
    data = loaded(value, seed=seed, arrays=({"row": rows, "g": values}, rows / 2))
    assert data.features == ("row",), "the column is no feature"
    return {name: [int(row) for row in part.x[:, 0]] for name, part in data.splits.items()}


TEN = ["d", "a", "b", "a", "c", "a", "b", "d", "a", "e"]


def test_in_the_order_of_the_column() -> None:
    split = {"shuffle": False, "validation": 0.2, "test": 0.2}
    assert parts(split, TEN) == {"train": [1, 3, 5, 8, 2, 6], "validation": [4], "test": [0, 7, 9]}
    assert parts({**split, "validation": None}, [10, 9, 100, 9.5]) == {"train": [1, 3, 0], "test": [2]}
    days = ["2026-01-02", "2025-12-31T23:00", "2025-12-31 22:00", "2026-01-02 01:00"]
    assert parts({"shuffle": False, "test": 1}, days) == {"train": [2, 1, 0], "test": [3]}
    assert parts({"shuffle": False, "train": 2, "test": 1}, [4, 3, 2, 1, 0]) == {"train": [4, 3], "test": [2]}


def test_a_split_by_a_column_is_the_same_on_every_machine() -> None:
    assert parts({"validation": 0.2, "test": 0.2}, TEN) == {
        "train": [1, 2, 3, 5, 6, 8],
        "validation": [4, 9],
        "test": [0, 7],
    }


def test_another_seed_gives_another_split_and_every_group_its_turn() -> None:
    tested = [tuple(parts({"test": 2}, list("aabbccddee"), seed=seed)["test"]) for seed in range(100)]
    assert {tested.count(pair) > 5 for pair in set(tested)} == {True}
    assert len(set(tested)) == 5


values = st.lists(st.integers(0, 12), min_size=2, max_size=60)
shares = st.one_of(st.integers(1, 20), st.floats(0.05, 0.45).map(lambda share: round(share, 2)))
splits = st.fixed_dictionaries({"shuffle": st.booleans()}, optional={"validation": shares, "test": shares})


@given(values, splits, st.integers(0, 99))
def test_equal_values_stay_together_and_sizes_are_near(groups: list[int], split: Any, seed: int) -> None:
    wanted = {"validation", "test"} & set(split) or {"test"}
    sizes = {name: split.get(name, 0.2) for name in wanted}
    counts = np.bincount(groups)
    rows = {name: size if isinstance(size, int) else int(np.ceil(size * len(groups))) for name, size in sizes.items()}
    if len(set(groups)) <= len(wanted) or sum(rows.values()) >= len(groups):
        return
    found = parts(split, groups, seed=seed)
    assert set(found) == {"train", *wanted}
    assert sorted(chain.from_iterable(found.values())) == list(range(len(groups)))
    held = {name: {groups[row] for row in part} for name, part in found.items()}
    assert all(not first & second for first, second in combinations(held.values(), 2))
    if not split["shuffle"]:
        order = [name for name in ("train", "validation", "test") if name in found]
        assert all(max(held[a]) < min(held[b]) for a, b in pairwise(order))
    if max(counts) == 1:
        assert {name: len(found[name]) for name in wanted} == rows


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(1, 30), st.data())
def test_take_comes_nearer_than_any_group_more_or_less(counts: list[int], size: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(counts))))
    most = data.draw(st.integers(1, len(counts)))
    taken, left = take(list(order), np.array(counts), size, most)
    assert sorted(taken + left) == list(range(len(counts)))
    assert 1 <= len(taken) <= most
    rows = sum(counts[group] for group in taken)
    if len(taken) > 1:
        assert all(abs(rows - counts[group] - size) > abs(rows - size) for group in taken[-1:])
    if len(taken) < most:
        assert all(abs(rows + counts[group] - size) >= abs(rows - size) for group in left)


@given(st.lists(st.integers(1, 50), min_size=3, max_size=40), st.integers(2, 3))
def test_dealt_parts_differ_by_one_group_at_most(counts: list[int], folds: int) -> None:
    part = deal(list(range(len(counts))), np.array(counts), folds)
    sizes = np.bincount(part, weights=counts, minlength=folds)
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= max(counts)


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_fold_tests_on_other_groups(shuffle: bool) -> None:
    groups = [index * index % 13 for index in range(60)]
    tested = []
    for fold in (1, 2, 3):
        found = parts({"folds": 3, "fold": fold, "shuffle": shuffle, "validation": 0.2}, groups)
        held = [{groups[row] for row in part} for part in found.values()]
        assert all(not first & second for first, second in combinations(held, 2))
        assert len(found) == 3
        tested += found["test"]
    assert sorted(tested) == list(range(60))


def test_what_cannot_be_kept_together_is_refused() -> None:
    x = {"n": [1.0, 2, 3], "g": ["a", "a", "a"]}
    value = {"arrays": {}, "split": {"by": "g"}}
    message = "each of the 2 splits must have a value of 'g' to itself, found 1 value"
    assert refused(value, arrays=(x, [1, 2, 3])) == [("FF035", "dataset.split.by", message, None)]
    message = "every row must have a value of 'g' to be divided by, but it is missing in row 2"
    assert refused(value, arrays=({**x, "g": ["a", None, "b"]}, [1, 2, 3])) == [
        ("FF032", "dataset.split.by", message, None)
    ]
    message = "there must be a column 'g', but the columns of X have no names"
    hint = "hand over a mapping from names to columns, or a frame"
    assert refused(value, arrays=(np.zeros((3, 2)), [1, 2, 3])) == [("FF036", "dataset.split.by", message, hint)]
    assert refused(value, arrays=({"n": [1.0, 2]}, [1, 2])) == [
        ("FF031", "dataset.split.by", "there is no column 'g'", "did you mean 'n'?")
    ]
    message = "x must have a column beside 'g' to predict from, found none"
    assert refused(value, arrays=({"g": [1, 2]}, [1, 2])) == [("FF036", "dataset.split.by", message, None)]


TABLE = "id,day,n,y\n007,2026-01-02,1,0\n8,2026-01-01,2,1\n7,2026-01-03,3,0\n9,2026-01-04,4,1\n"


def table(folder: Path, split: Any, text: str = TABLE, **arguments: Any) -> dict[str, Any]:
    (folder / "a.csv").write_text(text, encoding="utf-8")
    return {"csv": {"path": "a.csv", "target": "y", "task": "regression", **arguments}, "split": split}


def test_the_column_of_a_table_is_a_feature_only_if_it_is_named(tmp_path: Path) -> None:
    split = {"by": "day", "shuffle": False, "test": 1}
    data = loaded(table(tmp_path, split, drop=["id"]), tmp_path)
    assert data.features == ("n",)
    assert {name: part.x.tolist() for name, part in data.splits.items()} == {"train": [[2], [1], [3]], "test": [[4]]}
    assert loaded(table(tmp_path, split, columns=["n", "day"], dates=["day"]), tmp_path).features == (
        "n",
        "day.day",
        "day.weekday",
    )
    assert loaded(table(tmp_path, split, drop=["id"], dates=["day"]), tmp_path).features[0] == "day.day"
    by_id = loaded(table(tmp_path, {"by": "id", "test": 1}, drop=["day"]), tmp_path)
    assert {name: len(part) for name, part in by_id.splits.items()} == {"train": 3, "test": 1}
    assert by_id.splits["test"].x[0, 0] in {2, 4}, "007 and 7 are one number"


def test_what_is_wrong_with_the_column_of_a_table_is_said(tmp_path: Path) -> None:
    assert refused(table(tmp_path, {"by": "ID"}), tmp_path) == [
        ("FF031", "dataset.split.by", "there is no column 'ID'", "did you mean 'id'?")
    ]
    text = TABLE.replace("8,", ",")
    message = "every row must have a value of 'id' to be divided by, but it is missing in row 2"
    assert refused(table(tmp_path, {"by": "id"}, text), tmp_path) == [("FF032", "dataset.split.by", message, None)]


def test_beside_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(TABLE, encoding="utf-8")
    value = table(tmp_path, {"by": "day", "validation": 1, "shuffle": False}, columns=["n"], test="b.csv")
    found = {name: part.x[:, 0].tolist() for name, part in loaded(value, tmp_path).splits.items()}
    assert found == {"train": [2, 1, 3], "validation": [4], "test": [1, 2, 3, 4]}


def test_nothing_is_said_of_other_customers_in_the_test_split() -> None:
    random = np.random.default_rng(0)
    places = random.normal(size=(20, 3)) * 5
    groups = np.repeat(np.arange(20), 30)
    x = places[groups] + random.normal(size=(600, 3))
    data = {"g": groups, **{name: x[:, index] for index, name in enumerate("abc")}}, x.sum(axis=1)
    for split in ("{by: g}", "{by: g, shuffle: false}"):
        part = f"dataset: {{arrays: {{}}, split: {split}}}\nlayers: [linear]\nloss: mse\n"
        assert of_arrays(part, *data) == []
