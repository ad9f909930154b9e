"""Arrays handed over in Python, and rows written in the spec."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from tests.dataloading import loaded, refused

WHOLE = {"arrays": {}, "split": "none"}
X = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
HINT = "hand over data=(X, y), or data={'train': (X, y), 'test': (X, y)}"
RESHAPE = "for one feature, write x.reshape(-1, 1)"

FORMS: list[tuple[str, Any, Any]] = [
    ("lists", X, [1, 0, 1]),
    ("tuples", tuple(map(tuple, X)), (1, 0, 1)),
    ("arrays", np.array(X), np.array([1, 0, 1])),
    ("integers", np.array(X, dtype=np.int32), np.array([[1], [0], [1]], dtype=np.uint8)),
    ("column-major float32", np.asfortranarray(np.array(X, dtype=np.float32)), np.array([1.0, 0.0, 1.0])),
    ("tensors", torch.tensor(X), torch.tensor([1, 0, 1])),
    ("a mapping", {"x0": [0, 2, 4], "x1": np.array([1, 3, 5])}, [1, 0, 1]),
    ("polars", pl.DataFrame({"x0": [0, 2, 4], "x1": [1.0, 3.0, 5.0]}), pl.Series([1, 0, 1])),
]


@pytest.mark.parametrize(("x", "y"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
def test_arrays_come_in_any_form(x: Any, y: Any) -> None:
    data = loaded(WHOLE, arrays=(x, y))
    train = data.splits["train"]
    assert (train.x.tolist(), train.y.tolist()) == (X, [1, 0, 1])
    assert train.x.flags.c_contiguous
    assert (str(train.x.dtype), str(train.y.dtype)) == ("float64", "int64")
    assert (data.features, data.classes) == (("x0", "x1"), (0, 1))


TARGETS: list[tuple[str, Any, Any, Any]] = [
    ("texts", ["b", "a", "b"], ("a", "b"), [1, 0, 1]),
    ("an array of texts", np.array(["b", "a", "b"]), ("a", "b"), [1, 0, 1]),
    ("booleans", [True, False, True], (False, True), [1, 0, 1]),
    ("an array of objects", np.array([True, False, True], dtype=object), (False, True), [1, 0, 1]),
    ("labels that do not begin at 0", [3, 1, 3], (1, 3), [1, 0, 1]),
    ("labels below 0", [-1, 1, -1], (-1, 1), [0, 1, 0]),
    ("fractions", [0.5, 1.0, 2.0], None, [[0.5], [1.0], [2.0]]),
    ("several columns", [[1, 2], [3, 4], [5, 6]], None, [[1, 2], [3, 4], [5, 6]]),
    ("several columns of booleans", np.eye(3, dtype=bool), None, np.eye(3).tolist()),
]


@pytest.mark.parametrize(("y", "classes", "found"), [row[1:] for row in TARGETS], ids=[row[0] for row in TARGETS])
def test_labels_become_codes_and_numbers_stay(y: Any, classes: Any, found: Any) -> None:
    data = loaded(WHOLE, arrays=(X, y))
    assert data.classes == classes
    assert [type(label) for label in data.classes or ()] == [type(label) for label in classes or ()]
    assert data.splits["train"].y.tolist() == found


def test_texts_and_missing_cells_among_the_features() -> None:
    x = [[1, "red"], [None, "blue"], [3, "red"]]
    data = loaded({**WHOLE, "prepare": {"missing": "mean"}}, arrays=(x, [0, 1, 0]))
    assert data.features == ("x0", "x1=blue", "x1=red", "x1=(unknown)")
    assert data.splits["train"].x.tolist() == [[1, 0, 1, 0], [2, 1, 0, 0], [3, 0, 1, 0]]


def test_splits_can_be_handed_over() -> None:
    arrays = {"test": ([[9.0, 9.0]], ["c"]), "train": (X, ["a", "b", "a"])}
    data = loaded("arrays", arrays=arrays)
    assert list(data.splits) == ["train", "test"]
    assert data.splits["train"].x.tolist() == X
    assert data.splits["test"].y.tolist() == [2]
    assert data.classes == ("a", "b", "c")


def test_arrays_take_the_place_of_the_rows_of_a_spec_and_are_split_as_it_says() -> None:
    data = loaded({"iris": {}, "split": {"test": 1, "shuffle": False}}, arrays=(X, [0, 1, 0]))
    assert data.facts.rows == {"train": 2, "test": 1}
    assert data.splits["test"].x.tolist() == [X[2]]


def test_arrays_are_not_changed_and_not_shared() -> None:
    x, y = np.array(X), np.array([0.5, 1.5, 2.5])
    for array in (x, y):
        array.flags.writeable = False
    train = loaded({**WHOLE, "prepare": "standardize"}, arrays=(x, y)).splits["train"]
    plain = loaded(WHOLE, arrays=(x, y)).splits["train"]
    assert x.tolist() == X
    for split in (train, plain):
        assert not np.shares_memory(split.x, x)
        assert not np.shares_memory(split.y, y)
        assert split.x.flags.writeable, "torch warns of arrays that cannot be written"


UNFIT: list[tuple[Any, tuple[str, str, str | None]]] = [
    (None, ("FF036", "arrays must be handed over, found none", HINT)),
    (3, ("FF036", "data must be a pair (X, y), found int", HINT)),
    ((X,), ("FF036", "data must be a pair (X, y), found tuple", HINT)),
    ({"test": (X, [0, 1, 0])}, ("FF036", "data must name the splits train, validation and test, found 'test'", HINT)),
    ({"train": X}, ("FF036", "train must be a pair (X, y), found list", HINT)),
    (([1, 2, 3], [0, 1, 0]), ("FF036", "x must have the shape (rows, features), found (3,)", RESHAPE)),
    ((X, [0, 1]), ("FF036", "X and y must have as many rows, found 3 rows and 2", None)),
    ((X, np.zeros((3, 2, 1))), ("FF036", "y must have the shape (rows,) or (rows, targets), found (3, 2, 1)", None)),
    ((X, torch.ones(3, requires_grad=True)), ("FF036", "y cannot be read as an array: ", None)),
    ((X, [0, None, 1]), ("FF032", "every row must have a target, but 'y' is missing in row 2", None)),
    ((X, [0.0, np.nan, np.nan]), ("FF032", "every row must have a target, but 'y' is missing in rows 2 and 3", None)),
    ((X, [0.0, np.inf, 1.0]), ("FF033", "column 'y' must hold finite numbers, found inf in row 2", None)),
    ((X, np.array([1j, 2, 3])), ("FF033", "column 'y' must hold numbers, booleans or texts, found complex128", None)),
    ((X, [["a", "b"]] * 3), ("FF033", "several targets must be numbers, but y0 holds texts: 'a', 'a' and 'a'", None)),
    (
        {"train": (X, [0, 1, 0]), "test": ([[1.0]], [0])},
        ("FF036", "all splits must have 2 features, found 1", None),
    ),
    (
        {"train": (X, [0, 1, 0]), "test": (X, [[0, 1]] * 3)},
        ("FF036", "y must have the same shape in all splits, up to the rows", None),
    ),
    (
        {"train": (X, [0, 1, 0]), "test": ([["a", 1.0]], [0])},
        ("FF033", "column 'x0' must hold numbers, booleans or texts alone, in all splits", None),
    ),
    (
        {"train": ({"a": [1, 2]}, [0, 1]), "test": ({"b": [1]}, [0])},
        ("FF031", "there is no column 'a'", "did you mean 'b'?"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "found"), UNFIT, ids=[f"{row[1][1]} {index}" for index, row in enumerate(UNFIT)])
def test_arrays_that_do_not_fit_are_refused(arrays: Any, found: tuple[str, str, str | None]) -> None:
    [(code, place, message, hint)] = refused(WHOLE, arrays=arrays)
    assert (code, place, hint) == (found[0], "dataset", found[2])
    assert message == found[1] or (found[1].endswith(": ") and message.startswith(found[1]))


def test_rows_in_the_spec() -> None:
    value = {"inline": {"x": [[0, 1], [2, 3]], "y": ["no", "yes"]}, "split": "none"}
    data = loaded(value)
    assert data.splits["train"].x.tolist() == [[0, 1], [2, 3]]
    assert data.splits["train"].y.tolist() == [0, 1]
    assert data.classes == ("no", "yes")
    several = loaded({"inline": {"x": [0.5, 1], "y": [[1, 2], [3, 4]]}, "split": "none"})
    assert several.splits["train"].x.tolist() == [[0.5], [1]]
    assert several.splits["train"].y.tolist() == [[1, 2], [3, 4]]
