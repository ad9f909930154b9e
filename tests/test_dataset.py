"""The `dataset` of a spec: its notation, what is known of it unread, and what is wrong with one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from ffspec.spec import generators, packaged, tables
from ffspec.spec.base import to_plain
from ffspec.spec.dataset import SOURCES, Dataset, Prepare, Split
from ffspec.spec.facts import Facts, TargetKind
from ffspec.spec.sources import Source

CSV: dict[str, Any] = {"path": "a.csv", "target": "y"}


def faults(value: Any) -> list[tuple[str, str, str]]:
    """Return kind, place and message of everything pydantic finds."""
    with pytest.raises(ValidationError) as caught:
        Dataset.model_validate(value)
    return [(item["type"], ".".join(map(str, item["loc"])), item["msg"]) for item in caught.value.errors()]


def facts(features: int | None, target: TargetKind | None, outputs: int | None, **rows: int | None) -> Facts:
    levels = None if features is None else (0,) * features
    return Facts(features=features, target=target, outputs=outputs, rows=rows, levels=levels)


GOOD: list[tuple[Any, Facts]] = [
    ("iris", facts(4, "classes", 3, train=120, test=30)),
    ("arrays", facts(None, None, None)),
    ({"digits": 3}, facts(64, "classes", 3, train=429, test=108)),
    ({"iris": {}, "split": "none"}, facts(4, "classes", 3, train=150)),
    ({"iris": {}, "prepare": "standardize"}, facts(4, "classes", 3, train=120, test=30)),
    ({"iris": {}, "prepare": {"scale": "robust", "missing": "mean"}}, facts(4, "classes", 3, train=120, test=30)),
    (
        {"diabetes": {}, "split": {"validation": 0.1, "test": 42}},
        facts(10, "values", 1, train=355, validation=45, test=42),
    ),
    (
        {"blobs": {"n_samples": {"train": 40, "test": 10}, "labels": (0, 1, 1)}},
        facts(2, "classes", 2, train=40, test=10),
    ),
    ({"blobs": {"centers": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))}}, facts(3, "classes", 2, train=80, test=20)),
    ({"regression": {"n_features": 7, "n_targets": 2}}, facts(7, "values", 2, train=80, test=20)),
    ({"xor": 4, "split": "none"}, facts(2, "classes", 2, train=4)),
    ({"inline": {"x": ((0.0,), (1.0,)), "y": (0, 1)}, "split": "none"}, facts(1, "classes", 2, train=2)),
    ({"inline": {"x": (0.0, 1.0), "y": (0.5, 1)}, "split": "none"}, facts(1, "values", 1, train=2)),
    ({"inline": {"x": (0.0, 1.0), "y": ("a", "b")}, "split": "none"}, facts(1, "classes", 2, train=2)),
    ({"csv": CSV}, facts(None, None, None, train=None, test=None)),
    ({"csv": {**CSV, "task": "regression"}}, facts(None, "values", 1, train=None, test=None)),
    ({"csv": {**CSV, "target": ("y", "z")}}, facts(None, "values", 2, train=None, test=None)),
    ({"csv": {**CSV, "split_column": "part"}}, facts(None, None, None)),
    (
        {"csv": {**CSV, "test": "b.csv"}, "split": {"validation": 10}},
        facts(None, None, None, train=None, validation=10, test=None),
    ),
    ({"parquet": {"path": "a.parquet", "target": "y"}, "split": "none"}, facts(None, None, None, train=None)),
]


@pytest.mark.parametrize(("value", "known"), GOOD, ids=[str(value)[:110] for value, _ in GOOD])
def test_a_data_set_is_written_as_it_is_read(value: Any, known: Facts) -> None:
    dataset = Dataset.model_validate(value)
    assert to_plain(dataset) == value
    assert Dataset.model_validate(to_plain(dataset, full=True)) == dataset
    assert dataset.facts() == known


SMALL = "greater than or equal to 1"
BAD: list[tuple[Any, list[tuple[str, str, str]]]] = [
    ("irs", [("unknown_component", "", "unknown dataset 'irs'")]),
    ({"irs": {}}, [("unknown_component", "irs", "unknown dataset 'irs'")]),
    (
        {"irs": {}, "spilt": {}},
        [("unknown_key", "spilt", "unknown key 'spilt'"), ("unknown_component", "irs", "unknown dataset 'irs'")],
    ),
    ({"iris": {}, "spilt": {}}, [("unknown_key", "spilt", "unknown key 'spilt'")]),
    ({"source": "iris"}, [("unknown_component", "source", "unknown dataset 'source'")]),
    ({}, [("dataset_source", "", "must name one source of data, found none")]),
    ({"split": "none"}, [("dataset_source", "", "must name one source of data, found none")]),
    ({"iris": {}, "wine": {}}, [("dataset_source", "", "must name one source of data, found iris and wine")]),
    (
        {"csv": {"path": 3, "target": "y"}, "split": {"test": 1.0}, "prepare": "standardise"},
        [
            ("string_type", "csv.path", "Input should be a valid string"),
            ("less_than", "split.test", "Input should be less than 1"),
            (
                "literal_error",
                "prepare.scale",
                "Input should be 'none', 'standardize', 'minmax', 'robust' or 'quantile'",
            ),
        ],
    ),
    ({"csv": {"path": "a.csv"}}, [("missing", "csv.target", "Field required")]),
    ({"blobs": {"n_samples": 0}}, [("greater_than_equal", "blobs.n_samples", f"Input should be {SMALL}")]),
    (
        {"blobs": {"n_samples": {"train": 0}}},
        [("greater_than_equal", "blobs.n_samples.train", f"Input should be {SMALL}")],
    ),
    (
        {"blobs": {"n_samples": "many"}},
        [
            (
                "either",
                "blobs.n_samples",
                "must be a number of rows, or a mapping with the rows of train, validation and test, found 'many'",
            )
        ],
    ),
]
CONTRADICTIONS: list[tuple[Any, str, str]] = [
    (
        {"csv": {**CSV, "columns": ["a"], "drop": ["b"]}},
        "csv.drop",
        "must not stand beside 'columns': write one of them",
    ),
    ({"csv": {**CSV, "drop": ["a", "b", "a"]}}, "csv.drop.2", "must be named once, found 'a' twice"),
    ({"csv": {**CSV, "columns": ["a", "y"]}}, "csv.columns.1", "must not name the target, found 'y'"),
    ({"csv": {**CSV, "split_column": "y"}}, "csv.split_column", "must not be the target, found 'y'"),
    ({"csv": {**CSV, "drop": ["s"], "split_column": "s"}}, "csv.drop.0", "must not name the split column, found 's'"),
    (
        {"csv": {**CSV, "drop": ["s"], "categorical": ["s"]}},
        "csv.categorical.0",
        "must name columns that are used, found 's'",
    ),
    (
        {"csv": {**CSV, "drop": ["s"], "ordered": {"s": ["a", "b"]}}},
        "csv.ordered.s",
        "must name columns that are used, found 's'",
    ),
    ({"csv": {**CSV, "ordered": {"y": ["a", "b"]}}}, "csv.ordered.y", "must not name the target, found 'y'"),
    ({"csv": {**CSV, "ordered": {"s": ["a", "b", "a"]}}}, "csv.ordered.s.2", "must be named once, found 'a' twice"),
    ({"csv": {**CSV, "dates": ["s", "s"]}}, "csv.dates.1", "must be named once, found 's' twice"),
    (
        {"csv": {**CSV, "dates": ["s"], "categorical": ["s"]}},
        "csv.dates.0",
        "must be read in one way, but 's' is named in another list too",
    ),
    (
        {"csv": {**CSV, "split_column": "s", "test": "b.csv"}},
        "csv.test",
        "must not stand beside 'split_column', which already says where each row belongs",
    ),
    (
        {"csv": {**CSV, "target": ["y", "z"], "task": "classification"}},
        "csv.target",
        "must name one column of classes, not several",
    ),
    (
        {"csv": {**CSV, "separator": '"'}},
        "csv.separator",
        "must be one ASCII character that is neither a quote nor the end of a line",
    ),
    (
        {"csv": {**CSV, "split_column": "s"}, "split": {"test": 0.1}},
        "split",
        "must not stand beside 'split_column', which says where each row belongs",
    ),
    (
        {"csv": {**CSV, "test": "b.csv"}, "split": {"test": 0.1}},
        "split.test",
        "must not stand beside 'csv.test', which names the file of that split",
    ),
    (
        {"blobs": {"n_samples": {"train": 4}}, "split": {"test": 1}},
        "split",
        "must not say sizes, because n_samples already gives the rows of each split",
    ),
    ({"xor": 1}, "split", "must leave rows to train on, found test 1 of 1"),
    (
        {"iris": {}, "split": {"train": 100, "test": 51}},
        "split",
        "must fit into the 150 rows there are, found train 100 and test 51",
    ),
    (
        {"iris": {}, "split": {"validation": 0.5, "test": 0.5}},
        "split",
        "must leave rows to train on: validation and test together must be less than 1",
    ),
    ({"iris": {}, "split": {"train": 0.9, "test": 0.2}}, "split", "fractions must not sum to more than 1, found 1.1"),
    (
        {"iris": {}, "split": {"shuffle": False, "stratify": True}},
        "split.stratify",
        "must not stand beside 'shuffle: false': rows taken in order cannot be stratified",
    ),
    (
        {"iris": {}, "split": {"shuffle": False, "seed": 1}},
        "split.seed",
        "must not stand beside 'shuffle: false': rows taken in order are not drawn",
    ),
    (
        {"iris": {}, "split": {"by": "species"}},
        "split.by",
        "must name a column, but iris has no columns with names: take a csv, parquet or arrays",
    ),
    ({"csv": CSV, "split": {"by": "y"}}, "split.by", "must not be the target, found 'y'"),
    (
        {"csv": CSV, "split": {"by": "s", "stratify": True}},
        "split.stratify",
        "must not stand beside 'by': what stays together cannot be shared out class by class",
    ),
    (
        {"iris": {}, "prepare": {"missing_indicator": True}},
        "prepare.missing_indicator",
        "needs numbers to be filled: write missing: median (or mean, most_frequent) beside it",
    ),
    ({"blobs": {"labels": [0, 1]}}, "blobs.labels", "must name the class of each of the 3 centres, found 2"),
    (
        {"blobs": {"cluster_std": [1, 2]}},
        "blobs.cluster_std",
        "must have one number for each of the 3 centres, found 2",
    ),
    ({"blobs": {"centers": [[0, 0], [1]]}}, "blobs.centers.1", "every centre must have 2 coordinates, found 1"),
    ({"blobs": {"center_box": [1, 0]}}, "blobs.center_box", "must be an interval, found 1.0 and 0.0"),
    (
        {"classification": {"n_features": 3}},
        "classification.n_features",
        "must be at least n_informative + n_redundant + n_repeated = 4, found 3",
    ),
    (
        {"classification": {"n_classes": 5}},
        "classification.n_informative",
        "must be large enough for n_classes * n_clusters_per_class = 10 corners: at least 4, found 2",
    ),
    (
        {"classification": {"weights": [0.5, 0.4, 0.1]}},
        "classification.weights",
        "must have one share for each of the 2 classes, found 3",
    ),
    (
        {"gaussian_quantiles": {"mean": [0]}},
        "gaussian_quantiles.mean",
        "must have one number for each of the 2 features, found 1",
    ),
    (
        {"inline": {"x": [[0, 1], [1]], "y": [0, 1]}},
        "inline.x.1",
        "must have as many numbers as the first row: 2, found 1",
    ),
    ({"inline": {"x": [0, 1], "y": [0]}}, "inline.y", "must have one target for each of the 2 rows of x, found 1"),
    ({"inline": {"x": [0, 1], "y": [0, "a"]}}, "inline.y.1", "must be of the same kind as the first target"),
    (
        {"regression": {"n_samples": 10_000_000, "n_features": 1000}},
        "regression",
        "must hold at most 250,000,000 numbers in all, found 10,010,000,000",
    ),
]
BAD += [(value, [("inconsistent", path, message)]) for value, path, message in CONTRADICTIONS]


@pytest.mark.parametrize(("value", "found"), BAD, ids=[str(value)[:110] for value, _ in BAD])
def test_what_is_wrong_is_said_at_its_place(value: Any, found: list[tuple[str, str, str]]) -> None:
    assert faults(value) == found


@pytest.mark.parametrize("value", [3, None, [], 1.5, True])
def test_other_kinds_of_value_are_refused(value: Any) -> None:
    assert [kind for kind, _, _ in faults(value)] == ["model_type"]


def test_a_data_set_can_be_built_in_python() -> None:
    built = Dataset(source=generators.Moons(n_samples=5), split="none", prepare=Prepare(scale="minmax"))
    assert built == Dataset.model_validate({"moons": 5, "split": "none", "prepare": "minmax"})
    assert Dataset.model_validate(generators.Moons(n_samples=5)) == Dataset.model_validate({"moons": 5})
    assert Dataset.model_validate(built) is built


SPLITS: list[tuple[dict[str, Any], int, dict[str, int]]] = [
    ({}, 150, {"train": 120, "test": 30}),
    ({}, 344, {"train": 275, "test": 69}),  # as scikit-learn: the test rows are rounded up
    ({"stratify": False}, 10, {"train": 8, "test": 2}),
    ({"test": 0.07}, 100, {"train": 93, "test": 7}),  # although 100 * 0.07 > 7 in binary
    ({"test": 0.2, "validation": 0.1}, 344, {"train": 240, "validation": 35, "test": 69}),
    ({"validation": 0.1}, 100, {"train": 90, "validation": 10}),
    ({"train": 0.7}, 10, {"train": 7, "test": 3}),
    ({"train": 40}, 50, {"train": 40, "test": 10}),
    ({"train": 0.8, "validation": 0.2}, 10, {"train": 8, "validation": 2}),
    ({"train": 10, "test": 10}, 50, {"train": 10, "test": 10}),
]


@pytest.mark.parametrize(("split", "total", "rows"), SPLITS, ids=[f"{split} of {total}" for split, total, _ in SPLITS])
def test_the_rows_of_a_split(split: dict[str, Any], total: int, rows: dict[str, int]) -> None:
    assert Split.model_validate(split).rows(total) == rows
    assert list(rows) == [name for name in ("train", "validation", "test") if name in rows]


def test_the_loss_decides_what_whole_numbers_are() -> None:
    moons, iris = Dataset.model_validate("moons"), Dataset.model_validate("iris")
    assert moons.facts("values") == facts(2, "values", 1, train=80, test=20)
    assert moons.facts("classes") == moons.facts() == facts(2, "classes", 2, train=80, test=20)
    assert iris.facts("values") == iris.facts(), "names are classes whatever the loss needs"
    table = Dataset.model_validate({"csv": CSV})
    assert table.facts("values") == facts(None, "values", 1, train=None, test=None)
    assert table.facts("classes") == facts(None, "classes", None, train=None, test=None)


def test_no_source_is_forgotten() -> None:
    defined = {
        item
        for module in (generators, packaged, tables)
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Source) and "name" in vars(item)
    }
    assert set(SOURCES) == defined
    assert len({source.name for source in SOURCES}) == len(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_argument_is_described_and_every_number_of_things_bounded(source: type[Source]) -> None:
    for name, field in source.model_fields.items():
        assert field.description, name
        if "int" in str(field.annotation):
            with pytest.raises(ValidationError) as caught:
                source.model_validate({name: 10**13})
            assert (name,) in [error["loc"][:1] for error in caught.value.errors() if error["type"] != "missing"]


def test_reading_a_data_set_imports_no_numerical_library() -> None:
    code = "from ffspec.spec.dataset import Dataset; Dataset.model_validate('iris').facts()"
    code = f"import sys; {code}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "polars", "sklearn", "torch"} & set(found)
