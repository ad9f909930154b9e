"""Rows that are streamed from a Parquet file, prepared and divided: against the same rows in memory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffspec.data.streamed import loading
from ffspec.data.streamed.division import drawn, in_order
from ffspec.data.streamed.summaries import Moments
from ffspec.spec.dataset import Split as Options
from ffspec.spec.dataset import sizes_of
from tests.dataloading import loaded, refused

ROWS = 1000


def frame(rows: int = ROWS) -> pl.DataFrame:
    draw = np.random.default_rng(0)
    hour = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
    return pl.DataFrame({
        "a": draw.normal(1e6, 2.0, rows),
        "b": [None if cell < 0.1 else cell for cell in draw.random(rows)],
        "c": draw.choice(np.array(["x", "y", "z", None]), rows),
        "^i.*$": draw.integers(0, 100, rows),
        "truth": [True, False] * (rows // 2),
        "when": [hour + dt.timedelta(hours=row) for row in range(rows)],
        "size": draw.choice(["small", "large"], rows),
        "kind": draw.integers(0, 3, rows),
        "y": draw.choice(["p", "q"], rows),
        "w": draw.random(rows),
    })  # fmt: skip


SOURCE = {
    "path": "a.parquet", "target": "y", "dates": ["when"], "categorical": ["kind"], "weight": "w",
    "ordered": {"size": ["small", "large"]},
}  # fmt: skip
PREPARED = [
    {"missing": "mean", "scale": "standardize", "missing_indicator": True},
    {"missing": "median", "scale": "minmax", "min_rows": 300},
    {"missing": "most_frequent", "scale": "robust", "smooth_clip": 3, "categories": "codes"},
    {"missing": "mean", "scale": "quantile"},
]


@pytest.mark.parametrize("split", ["none", {"shuffle": False, "test": 0.3, "validation": 100}])
@pytest.mark.parametrize("prepare", PREPARED)
def test_all_rows_are_prepared_as_in_memory(prepare: Any, split: Any, tmp_path: Path) -> None:
    frame().write_parquet(tmp_path / "a.parquet", row_group_size=170)
    value = {"parquet": SOURCE, "split": split, "prepare": prepare}
    whole = loaded(value, tmp_path)
    data = loaded({**value, "parquet": {**SOURCE, "streaming": {"buffer_size": 64}}}, tmp_path)
    assert (data.facts, data.features, data.targets, data.classes) == (
        whole.facts, whole.features, whole.targets, whole.classes,
    )  # fmt: skip
    assert data.stream is not None
    assert data.stream.classes == tuple(np.bincount(whole.splits["train"].y))
    for name, split_ in whole.splits.items():
        parts = [data.stream.read(piece, [name]) for piece in range(len(data.stream.division.rows))]
        rows = [part[name] for part in parts if part]
        assert max(map(len, rows)) <= 170
        assert np.allclose(np.concatenate([part.x for part in rows]), split_.x, rtol=1e-9, atol=1e-9)
        assert np.array_equal(np.concatenate([part.y for part in rows]), split_.y)
        assert np.array_equal(np.concatenate([part.weight for part in rows]), cast("Any", split_.weight))


def test_what_looks_at_rows_as_a_whole_looks_at_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "CELLS", 0)
    monkeypatch.setattr(loading, "SAMPLE", 0)
    pl.DataFrame({"x": range(5000), "y": [0.5, 1.5] * 2500}).write_parquet(tmp_path / "a.parquet", row_group_size=999)
    source = {"path": "a.parquet", "target": "y", "streaming": True}
    data = loaded({"parquet": source, "split": {"shuffle": False, "test": 2000}, "prepare": "robust"}, tmp_path)
    assert data.facts.rows == {"train": 3000, "test": 2000}
    (column,) = data.preparation.columns
    rows = {name: (split.x[:, 0] * column.scale + column.center).round() for name, split in data.splits.items()}  # type: ignore[union-attr]
    assert rows["train"].tolist() == [*range(0, 3000, 3)]
    assert rows["test"].tolist() == [*range(3000, 5000, 2)]


def test_files_of_their_own_and_a_column_divide_the_rows(tmp_path: Path) -> None:
    numbers = pl.DataFrame({"x": np.arange(90.0), "y": np.arange(90) % 2, "part": ["train", "test", "validation"] * 30})
    for name, start in (("a", 0), ("b", 30), ("c", 60)):
        numbers[start : start + 30].write_parquet(tmp_path / f"{name}.parquet", row_group_size=7)
    numbers.write_parquet(tmp_path / "all.parquet", row_group_size=7)
    files = {"path": "a.parquet", "validation": "b.parquet", "test": "c.parquet", "target": "y", "columns": ["x"]}
    column = {"path": "all.parquet", "target": "y", "split_column": "part"}
    for source in (files, column):
        whole = loaded({"parquet": source}, tmp_path)
        data = loaded({"parquet": {**source, "streaming": True}}, tmp_path)
        for name, split in whole.splits.items():
            assert np.array_equal(data.splits[name].x, split.x)
            assert np.array_equal(data.splits[name].y, split.y)


FLOATS = "column 'k' must hold whole numbers or texts to be categories, found Float64"
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
    "categories of fractions": (
        {"k": [0.5, 1.0] * 20}, {"categorical": ["k"]},
        ("FF033", "dataset.parquet", FLOATS, "rows that are streamed are not read to see if all are whole"),
    ),
    "infinite": (
        {"x": [1.0] * 38 + [float("inf"), 2.0]}, {},
        ("FF033", "dataset.parquet", "column 'x' must hold finite numbers, found inf in row 39", None),
    ),
    "gaps": (
        {"x": [None, 1.0] * 20, "t": ["a", None] * 20}, {},
        ("FF032", "dataset.parquet", "no cell may be missing, found 40 missing cells: x (20) and t (20)",
         "write 'prepare: {missing: median}' (or mean, most_frequent), or leave the column out with 'drop'"),
    ),
    "names": (
        {"t": [f"n{row}" for row in range(40)]}, {},
        ("FF033", "dataset.parquet", "column 't' must hold categories, found 40 different texts in 40 rows",
         "leave it out with 'drop: [t]'"),
    ),
    "no split": (
        {"x": [1.0] * 40, "s": ["train"] * 39 + ["trian"]}, {"split_column": "s"},
        ("FF035", "dataset.parquet.split_column", "'s' must say train, validation or test, found 'trian' in row 40",
         None),
    ),
    "no target": (
        {"x": [1.0] * 40, "y": [1.0] * 39 + [None]}, {},
        ("FF032", "dataset.parquet.target", "every row must have a target, but 'y' is missing in row 40",
         "write 'parquet: {missing_target: drop}' to leave such rows out"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_streamed_is_refused(name: str, tmp_path: Path) -> None:
    columns, options, expected = REFUSED[name]
    pl.DataFrame({"y": [0.5, 1.5] * 20, **columns}).write_parquet(tmp_path / "a.parquet", row_group_size=16)
    source = {"path": "a.parquet", "target": "y", "streaming": True, **options}
    split = {} if "split_column" in options else {"split": "none"}
    assert refused({"parquet": source, **split}, tmp_path) == [expected]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 30), st.integers(0, 20), st.integers(0, 99))
def test_pieces_are_divided_into_splits_of_the_sizes_in_memory(
    rows: list[int], test: int, validation: int, seed: int
) -> None:
    total = sum(rows)
    options = Options.model_construct(test=test or None, validation=validation or None)
    sizes = sizes_of(options, total)
    if sizes["train"] < 1:
        return
    blank = pl.DataFrame()
    for division in (drawn(rows, sizes, seed), in_order(rows, sizes)):
        assert division.totals == sizes
        for piece, count in enumerate(rows):
            parts = division.rows_of(piece, blank)
            assert {name: len(part) for name, part in parts.items()} == {
                name: counts[piece] for name, counts in division.counts.items()
            }
            inside = np.concatenate([*parts.values()])
            assert np.array_equal(np.sort(inside), np.arange(count))
            for name, part in parts.items():
                assert (np.diff(part) > 0).all()
                if division.seed is not None:
                    assert abs(len(part) - count * sizes[name] / total) < 2


@given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=9), max_size=5), st.sampled_from([0.0, 1e9]))
def test_moments_that_are_merged_are_those_of_all_numbers(parts: list[list[float]], shift: float) -> None:
    moments = Moments()
    for part in parts:
        moments.add(np.array(part).reshape(-1, 1) + shift)
    whole = np.array([number for part in parts for number in part]) + shift
    assert moments.count == len(whole)
    if len(whole):
        assert (moments.low[0], moments.high[0]) == (whole.min(), whole.max())
        assert moments.mean[0] == pytest.approx(whole.mean(), rel=1e-14, abs=1e-13)
        assert moments.deviation[0] == pytest.approx(whole.std(), rel=1e-6, abs=1e-6 * (1 + abs(shift) * 1e-9))


def test_the_buffer_does_not_decide_which_rows_are_in_which_split(tmp_path: Path) -> None:
    frame().write_parquet(tmp_path / "a.parquet", row_group_size=170)
    value = {"parquet": {**SOURCE, "streaming": {"buffer_size": 10}}, "split": {"test": 0.3}, "prepare": PREPARED[0]}
    small = loaded(value, tmp_path)
    large = loaded({**value, "parquet": {**SOURCE, "streaming": True}}, tmp_path)
    for name, split in large.splits.items():
        assert np.array_equal(small.splits[name].x, split.x)
