"""Preparing features: equal to scikit-learn, fitted on the training split, written and read without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from ffspec.data import Preparation
from ffspec.data.fitted import Category, Number
from ffspec.data.loaded import Floats, Loaded
from ffspec.diagnostics import SpecError
from tests.dataloading import loaded, refused, said

SCALERS: list[tuple[str, Any]] = [("standardize", StandardScaler), ("minmax", MinMaxScaler), ("robust", RobustScaler)]
FILLS: list[tuple[str, str]] = [("median", "median"), ("mean", "mean"), ("most_frequent", "most_frequent")]


def holed() -> Floats:
    """Return columns of different size and spread, one constant, one nearly so, with a tenth of the cells missing."""
    random = np.random.default_rng(0)
    x = np.round(random.normal(size=(200, 6)) * [1, 1e-6, 1e6, 0, 3, 2], 2 + 6)
    x += [0, 5, -1e6, 0.1, 0, 1e9]
    x[:, 4] = random.integers(0, 4, size=200)
    x[random.random(x.shape) < 0.1] = np.nan
    x[0] = np.arange(6)
    return x


@pytest.mark.parametrize(("missing", "strategy"), FILLS, ids=[name for name, _ in FILLS])
@pytest.mark.parametrize(("scale", "scaler"), SCALERS, ids=[name for name, _ in SCALERS])
def test_scaling_and_filling_equal_scikit_learn(missing: str, strategy: str, scale: str, scaler: Any) -> None:
    columns = [0, 1, 2, 4, 5] if scale == "robust" else list(range(6))  # where half are equal, robust has its own way
    x, later = holed()[:150, columns], holed()[150:, columns]
    arrays = {"train": (x, np.zeros(150)), "test": (later, np.zeros(50))}
    splits = loaded({"arrays": {}, "prepare": {"scale": scale, "missing": missing}}, arrays=arrays).splits
    imputer, reference = SimpleImputer(strategy=strategy), scaler()
    assert np.allclose(splits["train"].x, reference.fit_transform(imputer.fit_transform(x)), rtol=1e-9, atol=1e-9)
    assert np.allclose(splits["test"].x, reference.transform(imputer.transform(later)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", ["standardize", "minmax", "robust", "quantile"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -1e-300, 1e300])
def test_a_constant_column_becomes_zero(scale: str, value: float) -> None:
    x = np.full((7, 1), value)
    train = loaded({"arrays": {}, "split": "none", "prepare": scale}, arrays=(x, range(7))).splits["train"]
    assert np.allclose(train.x, 0, atol=1e-15)


def prepared(x: Any, **prepare: Any) -> list[list[float]]:
    """Return the rows as they are prepared when all of them are trained on."""
    value = {"arrays": {}, "split": "none", "prepare": prepare}
    rows: list[list[float]] = loaded(value, arrays=(x, np.zeros(len(x)))).splits["train"].x.tolist()
    return rows


def test_robust_takes_half_the_range_where_half_of_the_numbers_are_equal() -> None:
    x = np.array([[0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [8.0], [-2.0]])
    assert prepared(x, scale="robust") == [[0], [0], [0], [0], [0], [0], [1.6], [-0.4]]
    assert prepared(x * 1e-17, scale="robust")[6] == [8e-17], "a range that is none is no scale either"


@pytest.mark.parametrize("rows", [2, 7, 200, 900, 40_000])
def test_quantile_equals_scikit_learn_to_the_bit(rows: int) -> None:
    random = np.random.default_rng(rows)
    x = np.column_stack([random.normal(size=rows), random.exponential(size=rows).round(1), random.integers(0, 2, rows)])
    x[:2, 2] = 0, 1  # no constant column: scikit-learn makes -5.2 of one
    later = np.concatenate([x[:5], random.normal(size=(50, 3)) * 3, [[1e9] * 3, [-1e9] * 3]])
    arrays = {"train": (x, np.zeros(rows)), "test": (later, np.zeros(len(later)))}
    data = loaded({"arrays": {}, "prepare": "quantile"}, arrays=arrays)
    count = min(max(min(rows // 30, 1000), 10), rows)
    reference = QuantileTransformer(n_quantiles=count, output_distribution="normal", subsample=None).fit(x)
    assert data.splits["train"].x.tobytes() == reference.transform(x).tobytes()
    assert data.splits["test"].x.tobytes() == reference.transform(later).tobytes()


def test_a_smooth_clip_keeps_small_numbers_and_bounds_large_ones() -> None:
    x = np.array([[0.0], [1e-9], [3.0], [-4.0], [1e300]])
    found = [row[0] for row in prepared(x, smooth_clip=3)]
    assert found == pytest.approx([0, 1e-9, 3 / np.sqrt(2), -2.4, 3])
    table = {"n": [4.0, 4.0], "t": ["a", "b"]}
    value = {"arrays": {}, "split": "none", "prepare": {"smooth_clip": 0.1}}
    data = loaded(value, arrays=(table, [0, 1]))
    assert data.splits["train"].x[:, 1:].tolist() == [[1, 0, 0], [0, 1, 0]], "a category is no number"


def test_an_indicator_says_where_a_number_was_missing() -> None:
    table = {"a": [1.0, None, 3.0, 5.0], "b": [1.0, 2.0, 3.0, None], "t": ["u", None, "v", "u"]}
    value = {
        "arrays": {},
        "split": {"test": 1, "shuffle": False},
        "prepare": {"missing": "median", "missing_indicator": True},
    }
    data = loaded(value, arrays=(table, [0, 1, 0, 1]))
    assert data.features == ("a", "a (missing)", "b", "t=u", "t=v", "t=(unknown)")
    assert data.facts.levels == (0, 1, 0, 1, 1, 1)
    assert data.splits["train"].x.tolist() == [[1, 0, 1, 1, 0, 0], [2, 1, 2, 0, 0, 1], [3, 0, 3, 0, 1, 0]]
    assert data.splits["test"].x.tolist() == [[5, 0, 2, 1, 0, 0]], "what was never missing in training has none"


def test_codes_are_the_index_of_the_level() -> None:
    table = {"t": ["v", "u", "w", "x", None], "n": [1.0, 2.0, 3.0, 4.0, 5.0]}
    value = {
        "arrays": {},
        "split": {"test": 2, "shuffle": False},
        "prepare": {"categories": "codes", "missing": "mean", "scale": "minmax", "smooth_clip": 1e9},
    }
    data = loaded(value, arrays=(table, [0, 1, 0, 1, 0]))
    assert data.features == ("t", "n")
    assert data.facts.levels == (4, 0)
    assert data.splits["train"].x[:, 0].tolist() == [1, 0, 2]
    assert data.splits["test"].x[:, 0].tolist() == [3, 3], "a level never seen, and a missing one"


def test_rare_levels_are_trained_as_unknown() -> None:
    table = {"t": ["u"] * 3 + ["v"] * 2 + ["w", "never"]}

    def made(count: int, categories: str) -> Loaded:
        prepare = {"min_rows": count, "categories": categories}
        value = {"arrays": {}, "split": {"test": 1, "shuffle": False}, "prepare": prepare}
        return loaded(value, arrays=(table, np.zeros(7)))

    for categories, levels, unknown in (("one_hot", (1, 1, 1), [0, 0, 1]), ("codes", (3,), [2])):
        data = made(2, categories)
        assert data.facts.levels == levels
        assert data.splits["train"].x[-1].tolist() == data.splits["test"].x[0].tolist() == unknown
    assert made(9, "codes").facts.levels == (2,), "a code is one among two at least"


def test_numbers_too_large_to_scale_are_refused() -> None:
    x = np.array([[1e308], [-1e308], [1e308]])
    value = {"arrays": {}, "split": "none", "prepare": "standardize"}
    assert refused(value, arrays=(x, [0, 1, 0])) == [
        ("FF033", "dataset", "the numbers of column 'x0' are too large to prepare", None)
    ]
    arrays = {"train": ([[0.0], [1e-9]], [0, 1]), "test": ([[1e308]], [0])}
    assert refused({"arrays": {}, "prepare": "minmax"}, arrays=arrays) == [
        ("FF033", "dataset", "scaled numbers must be finite, but overflow in column 'x0'", None)
    ]


def test_nothing_is_scaled_unless_asked() -> None:
    data = loaded("iris")
    assert data.preparation == Preparation(tuple(Number(name) for name in data.features))


MIXED = Preparation(
    (
        Number("size", fill=1 / 3, center=0.1, scale=1e-17),
        Number("age"),
        Category("colour", ("blü\n", 'r"ed'), missing=True),
        Number("rank", quantiles=(-0.1, 1 / 3), clip=3.5, indicator=True),
        Category("code", ("x",), coded=True),
    )
)


def test_a_preparation_is_written_and_read_exactly() -> None:
    assert Preparation.from_json(MIXED.to_json()) == MIXED
    assert json.loads(MIXED.to_json())["columns"][0] == {"name": "size", "fill": 1 / 3, "center": 0.1, "scale": 1e-17}
    assert MIXED.names == ("size", "age", "colour", "rank", "code")
    assert MIXED.features[:5] == ("size", "age", "colour=blü\n", 'colour=r"ed', "colour=(unknown)")
    assert MIXED.features[5:] == ("rank", "rank (missing)", "code")
    assert MIXED.levels == (0, 0, 1, 1, 1, 0, 1, 2)


ONE = '{"version": 1, "columns": [{"name": "a", "fill": null, "center": %s, "scale": 1.0}]}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"version": 1}', '{"version": 2, "columns": []}', '{"version": 1, "columns": [3]}'),
        *(ONE % value for value in ("NaN", "-Infinity", "1e999", "1" + "0" * 400, '"nan"', '"1"', "true", "[]")),
        *("[" * 100_000, '{"version": 1, "columns": ' + "[" * 100_000),
    ],
    ids=lambda text: f"{len(text)} {text[-60:]}",
)
def test_other_texts_are_no_preparation(text: str) -> None:
    with pytest.raises(ValueError, match=r"preparation|Expecting value"):
        Preparation.from_json(text)


SMALL = Preparation((Number("a", fill=0.5, center=1.0, scale=2.0), Category("c", ("x", "y"), missing=True)))
ROWS: list[tuple[str, Any]] = [
    ("a mapping", {"a": [3, None, 5], "c": ["y", "z", None]}),
    (
        "a mapping in another order",
        {"c": np.array(["y", "z", None], dtype=object), "more": [1, 2, 3], "a": [3, np.nan, 5]},
    ),
    ("a list of mappings", [{"a": 3, "c": "y"}, {"c": "z"}, {"a": 5.0, "c": None}]),
    ("a list of rows", [[3, "y"], [None, "z"], [5, None]]),
    ("an array of objects", np.array([[3, "y"], [None, "z"], [5, None]], dtype=object)),
    ("a polars frame", pl.DataFrame({"a": [3, None, 5], "c": ["y", "z", None]})),
]


@pytest.mark.parametrize("rows", [rows for _, rows in ROWS], ids=[name for name, _ in ROWS])
def test_new_rows_come_in_any_form(rows: Any) -> None:
    assert SMALL.apply(rows).tolist() == [[1, 0, 1, 0], [-0.25, 0, 0, 1], [2, 0, 0, 1]]


ONE_KIND = "numbers, booleans or texts alone"
UNFIT: list[tuple[Any, tuple[str, str, str | None]]] = [
    ({"a": [1], "d": ["x"]}, ("FF031", "there is no column 'c'", "did you mean 'a'?")),
    ({"a": ["one"], "c": ["x"]}, ("FF033", "column 'a' must hold numbers, as in training, found 'one' in row 1", None)),
    ({"a": [1], "c": [2.5]}, ("FF033", "column 'c' must hold texts, as in training, found 2.5", None)),
    ({"a": [np.inf], "c": ["x"]}, ("FF033", "column 'a' must hold finite numbers, found inf in row 1", None)),
    (
        {"a": [1, "b"], "c": ["x", "x"]},
        (
            "FF033",
            f"column 'a' must hold {ONE_KIND}, found a number (1 in row 1) and a text ('b' in row 2)",
            None,
        ),
    ),
    ({"a": [1, 2], "c": ["x"]}, ("FF036", "the columns of x must be lists of the same length", None)),
    ({"a": 1, "c": "x"}, ("FF036", "the columns of x must be lists of the same length", None)),
    ([], ("FF036", "x must have the shape (rows, features), found (0,)", "for one feature, write x.reshape(-1, 1)")),
    ([[1, "x", 2]], ("FF036", "x must have 2 columns, found 3", None)),
    ([[1, "x"], [1]], ("FF036", "the rows of x must be equally long, found 1 and 2 cells", None)),
    (np.zeros((0, 2)), ("FF036", "x must have at least one row and one column, found none", None)),
]


@pytest.mark.parametrize(("rows", "found"), UNFIT, ids=[f"{row[1][1]} {index}" for index, row in enumerate(UNFIT)])
def test_rows_that_do_not_fit_are_refused(rows: Any, found: tuple[str, str, str | None]) -> None:
    with pytest.raises(SpecError) as caught:
        SMALL.apply(rows)
    [(code, place, message, hint)] = said(caught.value)
    assert (code, place, hint) == (found[0], "", found[2])
    assert message == found[1] or (found[1].endswith(": ") and message.startswith(found[1]))


def test_a_missing_cell_is_refused_where_nothing_stands_in_for_it() -> None:
    strict = Preparation((Number("a"), Category("c", ("x",))))
    with pytest.raises(SpecError) as caught:
        strict.apply({"a": [1, None], "c": [None, "x"]})
    [(code, _, message, _)] = said(caught.value)
    assert (code, message) == ("FF032", "no cell may be missing, found 2 missing cells: a (1) and c (1)")


def test_later_rows_are_prepared_as_the_test_split_was() -> None:
    value = {
        "csv": {"path": "penguins.csv", "target": "species", "drop": ["year"]},
        "split": {"shuffle": False, "test": 44},
        "prepare": {"scale": "robust", "missing": "most_frequent"},
    }
    specs = Path(__file__).parent.parent / "specs"
    data = loaded(value, specs)
    frame = pl.read_csv(specs / "penguins.csv").tail(44)
    again = Preparation.from_json(data.preparation.to_json()).apply(frame)
    assert again.tobytes() == data.splits["test"].x.tobytes()


def test_levels_tell_numbers_from_parts_of_categories() -> None:
    table = {"height": [1.0, 2.0], "colour": ["red", "blue"]}
    made = loaded({"arrays": {}, "split": "none"}, arrays=(table, [0, 1]))
    assert made.features == ("height", "colour=blue", "colour=red", "colour=(unknown)")
    assert made.facts.levels == (0, 1, 1, 1)
