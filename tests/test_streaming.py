"""Rows that are streamed from a Parquet file: against the same rows in memory."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ffspec
from ffspec import api
from ffspec.builder.loss import build_weighted
from ffspec.data.loaded import Split
from ffspec.data.streamed import loading
from ffspec.data.streamed.division import drawn, in_order
from ffspec.data.streamed.summaries import Moments
from ffspec.diagnostics import SpecError
from ffspec.export import eject
from ffspec.planner import plan as make_plan
from ffspec.runner.evaluation import Batch
from ffspec.runner.flow import Flow
from ffspec.runner.metrics import measure
from ffspec.runner.setup import judge_of
from ffspec.runner.tally import LABELS, MEANS, Tally
from ffspec.spec.dataset import Split as Options
from ffspec.spec.dataset import sizes_of
from ffspec.spec.metrics import METRICS
from ffspec.spec.training import Training
from tests.dataloading import loaded, refused
from tests.interrupting import Crash, crash_at

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
        assert max(map(len, rows)) <= 64
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


SPEC = """
name: net
dataset: {parquet: {path: PATH, target: y, drop: [w]STREAMED}, split: SPLIT, prepare: PREPARE}
layers: [{linear: 8}, relu, {dropout: 0.1}, linear]
loss: cross_entropy
optimizer: {adam: 0.01}
training: {epochs: 3, batch_size: 48, shuffle: SHUFFLE, early_stopping: {patience: 5}, checkpoint: none}
metrics: [accuracy, f1, log_loss, roc_auc]
"""


def spec(folder: Path, *, buffer: int | None = 200, shuffle: bool = True, rows: int = 400, **changed: str) -> str:
    """Write a table of numbers and classes, and return a spec of it."""
    draw = np.random.default_rng(1)
    x = draw.normal(size=(rows, 4))
    columns = {f"x{index}": x[:, index] for index in range(4)}
    table = pl.DataFrame({**columns, "y": (x[:, 0] + draw.normal(size=rows) > 0).astype(int), "w": draw.random(rows)})
    table.write_parquet(folder / "a.parquet", row_group_size=70)
    split = "{test: 0.2, validation: 0.2}" if shuffle else "{test: 0.2, validation: 0.2, shuffle: false}"
    streamed = "" if buffer is None else f", streaming: {{buffer_size: {buffer}}}"
    values = {"PATH": str(folder / "a.parquet"), "STREAMED": streamed, "SPLIT": split, "PREPARE": "none"}
    text = SPEC.replace("SHUFFLE", str(shuffle).lower())
    for name, value in {**values, **changed}.items():
        text = text.replace(name, value)
    return text


def weights(result: ffspec.Result) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in result.model.state_dict().values()]


@pytest.mark.parametrize("buffer", [30, 200, 100_000])
def test_in_order_a_training_is_that_of_rows_in_memory(buffer: int, tmp_path: Path) -> None:
    whole = ffspec.run(spec(tmp_path, buffer=None, shuffle=False), allow_outside=True)
    streamed = ffspec.run(spec(tmp_path, buffer=buffer, shuffle=False), allow_outside=True)
    assert weights(streamed) == weights(whole)
    assert streamed.plan == whole.plan
    for split, measures in whole.after.items():
        assert list(streamed.after[split]) == list(measures)
        assert streamed.after[split] == pytest.approx(measures, rel=1e-6)
    assert len(streamed.history) == len(whole.history)


def test_shuffled_rows_give_the_same_bits_for_the_same_seed_and_learn_as_much(tmp_path: Path) -> None:
    first, second = (ffspec.run(spec(tmp_path), allow_outside=True) for _ in range(2))
    other = ffspec.run(spec(tmp_path), allow_outside=True, seed=1)
    assert weights(first) == weights(second) != weights(other)
    assert first.history == second.history
    assert first.after["test"]["accuracy"] > 0.6


def stop(text: str, step: int, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a spec, and crash after a step."""
    with monkeypatch.context() as patch:
        crash_at(step, patch)
        with pytest.raises(Crash):
            ffspec.run(text, out=out, allow_outside=True)


@pytest.mark.parametrize("step", [2, 7])
def test_a_stopped_training_goes_on_to_the_same_bits(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = spec(tmp_path).replace("checkpoint: none", "checkpoint: {steps: 1}")
    whole = ffspec.run(text, out=tmp_path / "whole", allow_outside=True)
    stop(text, step, tmp_path / "runs", monkeypatch)
    resumed = api.resume(tmp_path / "runs" / "net" / "001", allow_outside=True)
    assert weights(resumed) == weights(whole)
    assert resumed.history == whole.history


def test_a_file_that_was_changed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = spec(tmp_path).replace("checkpoint: none", "checkpoint: {steps: 1}")
    stop(text, 3, tmp_path / "runs", monkeypatch)
    table = pl.read_parquet(tmp_path / "a.parquet")
    table.with_columns(pl.col("w") + 1).write_parquet(tmp_path / "a.parquet", row_group_size=70)
    with pytest.raises(ffspec.FfspecError, match=r"data\.files"):
        api.resume(tmp_path / "runs" / "net" / "001", allow_outside=True)


@dataclass
class Pieces:
    """Stands for a stream: row n has the feature and the target n."""

    rows: tuple[int, ...]
    buffer: int

    def counts(self, split: str) -> tuple[int, ...]:
        del split
        return self.rows

    def read(self, piece: int, splits: Any) -> dict[str, Split]:
        start = sum(self.rows[:piece])
        rows = np.arange(start, start + self.rows[piece], dtype=np.float64)
        return {name: Split(rows.reshape(-1, 1), rows.reshape(-1, 1)) for name in splits}


class Short(Flow):
    """A flow that knows its rows from the pieces alone."""

    @property
    def rows(self) -> int:
        return sum(cast("Pieces", self.stream).rows)


def convert(split: Split) -> Batch:
    y = torch.from_numpy(split.y)
    return Batch(x=torch.from_numpy(split.x), y=y, target=y)


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any),
    st.integers(1, 40), st.integers(1, 25), st.booleans(), st.booleans(), st.integers(0, 2**32),
)  # fmt: skip
def test_every_row_comes_once_and_steps_that_were_taken_are_left_out(  # noqa: PLR0913, PLR0917 - all that decides
    rows: list[int], buffer: int, size: int, shuffle: bool, drop: bool, seed: int
) -> None:
    flow = Short(stream=cast("Any", Pieces(tuple(rows), buffer)), split="train", convert=convert)
    settings = Training(batch_size=size, shuffle=shuffle, drop_last=drop)

    def epoch(taken: int = 0) -> list[list[float]]:
        batches = flow.batches(settings, torch.Generator().manual_seed(seed)).epoch(taken)
        return [x.flatten().tolist() for x, y, _ in batches if torch.equal(x, y)]

    whole, total = epoch(), sum(rows)
    size = min(size, total)
    assert [len(batch) for batch in whole] == [size] * (total // size) + [total % size] * (
        total % size > 0 and not drop
    )
    seen = [row for batch in whole for row in batch]
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(range(total))
    assert shuffle or seen == [*range(len(seen))]
    for taken in range(len(whole) + 1):
        assert epoch(taken) == whole[taken:]


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "classes", "outputs"),
    [("{cross_entropy: {weight: [1, 2, 3]}}", 3, 3), ("bce_with_logits", 2, 1), ("mse", None, 2)],
)
def test_measures_of_parts_are_those_of_the_whole(
    loss: str, classes: int | None, outputs: int, *, weighted: bool
) -> None:
    draw = np.random.default_rng(2)
    rows = 200
    x = draw.normal(size=(rows, 4))
    y = draw.integers(classes, size=rows) if classes else draw.normal(3.0, 1.0, size=(rows, outputs))
    kind = "classes" if classes else "values"
    names = [metric.name for metric in METRICS if metric.target == kind and not metric.binary_only]
    text = f"dataset: arrays\nlayers: [linear]\nloss: {loss}\noptimizer: sgd\nmetrics: [{', '.join(names)}]\n"
    made = api.load(text)
    data = loaded({"arrays": {}, "split": "none"}, arrays=(x, y), wants="classes" if classes else "values")
    plan = make_plan(made, data.facts)
    judge = judge_of(made, plan, data, torch.device("cpu"))
    weight = torch.from_numpy(draw.random(rows)) if weighted else None
    if weighted:
        judge = replace(judge, weighted=build_weighted(plan.loss, counts=[1] * (classes or 0)).double())
    targets = torch.from_numpy(y)
    target = targets if loss.startswith("{cross") else targets.double().reshape(rows, -1)
    output = torch.from_numpy(draw.normal(size=(rows, outputs)))
    judge.loss.double()
    tally = Tally(judge)
    for start, end in pairwise([0, 1, 60, 90, 91, rows]):
        part = slice(start, end)
        own = None if weight is None else weight[part]
        tally.add(output[part], Batch(x=output[part], y=targets[part], target=target[part], weight=own))
    whole = Batch(x=output, y=targets, target=target, weight=weight)
    found = tally.measures()
    assert found.pop("loss") == pytest.approx(float(judge.loss_of(output, whole)), rel=1e-9)
    expected = measure(output, targets, judge.spec, classes, judge.metrics, weight=weight)
    apart = {"roc_auc", "ece", "median_absolute_error", "p90_absolute_error", "p95_absolute_error"}
    assert set(found) == set(expected) - apart
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-9)
    assert not classes or set(found) == LABELS | (MEANS & set(expected))


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


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("batch_size: 48", "batch_size: all", "FF129",
         "a step must be of so many rows where rows are streamed, found batch_size: all"),
        ("batch_size: 48", "refit: true", "FF129",
         "refit needs the training and validation rows in memory, but they are streamed"),
        ("test: 0.2,", "test: 0.2, stratify: true,", "FF015",
         "stratify must be left out where rows are streamed: which split a row is in is decided group by group"),
        ("target: y,", "target: y, missing_target: drop,", "FF015",
         "missing_target must be error where rows are streamed: drop the rows when the file is written"),
    ],
)  # fmt: skip
def test_what_needs_all_rows_at_once_is_refused(old: str, new: str, code: str, message: str, tmp_path: Path) -> None:
    text = spec(tmp_path).replace(old, new)
    assert [(item.code, item.message) for item in ffspec.check(text)] == [(code, message)]


def test_a_script_streams_nothing(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a script has all rows in memory"):
        eject(api.load(spec(tmp_path)))
