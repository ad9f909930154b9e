"""Laws of the data: what is known unread is what is loaded, splits are parts, and tests teach nothing."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffspec.data import Preparation
from ffspec.data.dates import PARTS
from ffspec.data.fitted import Category, DatePart, Number, Order
from ffspec.diagnostics import SpecError
from ffspec.spec import packaged
from ffspec.spec.base import to_plain
from ffspec.spec.dataset import SOURCES, Dataset, misfit, sizes_of
from ffspec.spec.facts import TargetKind
from ffspec.spec.generators import Generator
from tests.dataloading import loaded

GENERATED = [source.name for source in SOURCES if issubclass(source, Generator)]
FIXED = [source.name for source in SOURCES if source.__module__ == packaged.__name__]
KINDS: tuple[TargetKind | None, ...] = (None, "classes", "values")

numbers = st.floats(-1e6, 1e6)
shares = st.one_of(st.integers(1, 60), st.floats(0.01, 0.6).map(lambda share: round(share, 3)))
splits = st.one_of(
    st.none(),
    st.just("none"),
    st.fixed_dictionaries(
        {},
        optional={"train": shares, "validation": shares, "test": shares, "shuffle": st.booleans()},
    ),
)
prepares = st.fixed_dictionaries(
    {},
    optional={
        "scale": st.sampled_from(["none", "standardize", "minmax", "robust", "quantile"]),
        "missing": st.sampled_from(["median", "mean", "most_frequent"]),
        "smooth_clip": st.floats(0.1, 10),
        "categories": st.sampled_from(["one_hot", "codes"]),
        "min_rows": st.integers(1, 4),
    },
)
sizes = st.one_of(
    st.integers(20, 150),
    st.fixed_dictionaries(
        {"train": st.integers(10, 60)}, optional={"validation": st.integers(3, 20), "test": st.integers(3, 20)}
    ),
)


def written(source: dict[str, Any], split: Any, prepare: Any) -> dict[str, Any] | None:
    """Return a data set in the notation, or None if these do not go together."""
    value = {**source, **({} if split is None else {"split": split}), **({"prepare": prepare} if prepare else {})}
    try:
        Dataset.model_validate(value)
    except ValueError:
        return None
    return value


@given(st.sampled_from(GENERATED + FIXED), sizes, splits, prepares)
def test_reading_what_is_written_gives_the_same(name: str, rows: Any, split: Any, prepare: Any) -> None:
    value = written({name: {"n_samples": rows} if name in GENERATED else {}}, split, prepare)
    if value is not None:
        dataset = Dataset.model_validate(value)
        for full in (False, True):
            assert Dataset.model_validate(to_plain(dataset, full=full)) == dataset


@pytest.mark.parametrize("name", GENERATED)
@given(data=st.data())
def test_what_is_known_of_a_generator_is_what_it_gives(name: str, data: st.DataObject) -> None:
    value = written({name: {"n_samples": data.draw(sizes)}}, data.draw(splits), {"scale": "standardize"})
    wants = data.draw(st.sampled_from(KINDS))
    if value is None:
        return
    dataset = Dataset.model_validate(value)
    if dataset.source.known().target == "values":
        wants = "values"
    result = loaded(value, seed=data.draw(st.integers(0, 100)), wants=wants)
    assert result.facts == dataset.facts(wants)
    assert list(result.facts.rows) == list(dataset.facts().rows)
    for name_, split in result.splits.items():
        assert len(split) == result.facts.rows[name_]
        assert split.x.shape == (len(split), result.facts.features)
        assert np.isfinite(split.x).all()
        if result.classes is None:
            assert split.y.shape == (len(split), result.facts.outputs)
            assert split.y.dtype == np.float64
        else:
            assert split.y.shape == (len(split),)
            assert split.y.dtype == np.int64
            assert 0 <= split.y.min() <= split.y.max() < len(result.classes)


@pytest.mark.parametrize("name", FIXED)
def test_what_is_known_of_a_packaged_set_is_what_it_holds(name: str) -> None:
    for value in (name, {name: {}, "split": {"validation": 0.15, "test": 0.21}, "prepare": "minmax"}):
        dataset = Dataset.model_validate(value)
        natural = dataset.source.known().target
        assert loaded(value, wants=natural).facts == dataset.facts(natural) == dataset.facts()
    if name == "digits":
        for count in range(2, 11):
            assert loaded({"digits": count}).facts == Dataset.model_validate({"digits": count}).facts()


@given(
    st.lists(st.one_of(st.integers(-3, 30), st.sampled_from([0.5, 1.5])), min_size=2, max_size=40),
    st.sampled_from(KINDS),
)
def test_what_is_known_of_rows_in_the_spec_is_what_they_give(y: list[float], wants: TargetKind | None) -> None:
    value = {"inline": {"x": list(range(len(y))), "y": y}, "split": "none"}
    dataset = Dataset.model_validate(value)
    if any(number % 1 for number in y):
        wants = "values" if wants else None
    assert loaded(value, wants=wants).facts == dataset.facts(wants)


@given(splits, st.integers(2, 80), st.integers(1, 5), st.integers(0, 1000))
def test_splits_are_parts_of_the_rows(split: Any, rows: int, classes: int, seed: int) -> None:
    value = written({"arrays": {}}, split, None)
    if value is None or misfit(Dataset.model_validate(value).split, rows) is not None:
        return
    arrays = (np.arange(rows, dtype=np.float64)[:, None], np.arange(rows) % classes)
    found = loaded(value, seed=seed, arrays=arrays).splits
    assert {name: len(part) for name, part in found.items()} == sizes_of(Dataset.model_validate(value).split, rows)
    taken = np.concatenate([part.x[:, 0] for part in found.values()]).tolist()
    assert len(set(taken)) == len(taken) <= rows
    for part in found.values():
        assert np.array_equal(part.y, part.x[:, 0] % classes), "x and y stay together"


cells = st.one_of(st.none(), numbers)
levels = st.one_of(st.none(), st.sampled_from(["red", "green", "blue", ""]))
table = st.lists(st.tuples(cells, levels, st.booleans()), min_size=1, max_size=12)


@given(table, table, table, prepares)
def test_test_rows_influence_no_fitted_value(train: Any, test: Any, other: Any, prepare: Any) -> None:
    train = [(1.0, "red", True), *train]

    def fitted(rows: Any) -> tuple[Preparation, bytes]:
        names = ("n", "t", "b")
        columns = {
            part: dict(zip(names, map(list, zip(*held, strict=True)), strict=True))
            for part, held in {"train": train, "validation": rows, "test": rows}.items()
        }
        arrays = {part: (held, [0] * len(held["n"])) for part, held in columns.items()}
        value = {"arrays": {}, "prepare": {"missing": "mean", "missing_indicator": True, **prepare}}
        result = loaded(value, arrays=arrays)
        return result.preparation, result.splits["train"].x.tobytes()

    assert fitted(test) == fitted(other)


columns = st.one_of(
    st.builds(
        Number,
        st.text(),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.floats(allow_nan=False, allow_infinity=False),
        st.floats(allow_nan=False, allow_infinity=False),
        st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3).map(tuple),
        st.none() | st.floats(0, exclude_min=True, allow_infinity=False),
        st.booleans(),
        st.none()
        | st.builds(Order, st.lists(st.text(), min_size=1, max_size=3).map(tuple))
        | st.builds(DatePart, st.text(), st.sampled_from(PARTS)),
    ),
    st.builds(Category, st.text(), st.lists(st.text(), max_size=4).map(tuple), st.booleans(), st.booleans()),
)


@given(st.lists(columns, max_size=6).map(tuple))
def test_a_preparation_survives_json(fitted: tuple[Number | Category, ...]) -> None:
    preparation = Preparation(fitted)
    assert repr(Preparation.from_json(preparation.to_json())) == repr(preparation), "repr tells -0.0 from 0.0"


@given(st.lists(st.tuples(numbers, st.sampled_from(["a", "b", "c"])), min_size=2, max_size=20), prepares)
def test_rows_alone_are_prepared_as_among_others(rows: list[tuple[float, str]], prepare: Any) -> None:
    value = {"arrays": {}, "split": "none", "prepare": prepare}
    result = loaded(value, arrays=({"n": [row[0] for row in rows], "t": [row[1] for row in rows]}, [0] * len(rows)))
    for index, (number, text) in enumerate(rows):
        alone = result.preparation.apply([{"t": text, "n": number}])
        assert alone.tobytes() == result.splits["train"].x[[index]].tobytes()


csv_texts = st.lists(
    st.sampled_from(
        [
            "x",
            "y",
            "1",
            "2.5",
            "-3e2",
            "",
            "NA",
            "nan",
            "inf",
            "true",
            "a b",
            '"',
            '""',
            ",",
            ";",
            "\n",
            "\r\n",
            "é",
            "\0",
        ]
    ),
    max_size=40,
).map("".join)


@given(
    st.one_of(csv_texts.map(lambda text: f"x,y\n{text}".encode()), csv_texts.map(str.encode), st.binary(max_size=60)),
    prepares,
)
def test_no_file_makes_a_traceback(data: bytes, prepare: Any) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "a").write_bytes(data)
        for kind in ("csv", "parquet"):
            value = {kind: {"path": "a", "target": "y"}, "split": "none", "prepare": prepare}
            try:
                result = loaded(value, Path(folder))
            except SpecError as error:
                assert all(re.fullmatch(r"FF03[0-7]", item.code) for item in error.diagnostics)  # noqa: PT017
            else:
                assert all(np.isfinite(part.x).all() for part in result.splits.values())
