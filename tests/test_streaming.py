"""Training on rows that are streamed from a Parquet file: against the same rows in memory."""

from __future__ import annotations

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
from ffspec import api, limits
from ffspec.builder.loss import build_weighted
from ffspec.data.loaded import Split
from ffspec.diagnostics import SpecError
from ffspec.export import eject
from ffspec.planner import plan as make_plan
from ffspec.rules import examine
from ffspec.rules.memory import needs
from ffspec.runner.evaluation import Batch
from ffspec.runner.flow import Flow
from ffspec.runner.metrics import measure
from ffspec.runner.setup import judge_of
from ffspec.runner.tally import LABELS, MEANS, Tally
from ffspec.spec.facts import Facts
from ffspec.spec.metrics import METRICS
from ffspec.spec.training import Training
from tests.dataloading import loaded
from tests.interrupting import Crash, crash_at

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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ", streaming: true",
            ("rows that are streamed cannot be divided into folds: which split a row is in is decided by groups\n"
            "    1 | dataset: {parquet: {path: a.parquet, target: y, streaming: true}}\n"
            "      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
            "      = leave streaming out, if they fit; or train from several seeds: --seeds 10"),
        ),
        (
            ", split_column: w",
            ("the rows must be divided into folds, but split must not stand beside 'split_column', which says where "
            "each row belongs\n"
            "    1 | dataset: {parquet: {path: a.parquet, target: y, split_column: w}}\n"
            "      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"),
        ),
    ],
)  # fmt: skip
def test_folds_need_rows_that_may_be_divided(text: str, message: str, tmp_path: Path) -> None:
    written = (
        f"dataset: {{parquet: {{path: a.parquet, target: y{text}}}}}\nlayers: [linear]\nloss: mse\noptimizer: sgd\n"
    )
    with pytest.raises(SpecError) as caught:
        ffspec.cross_validate(written, folds=3, out=tmp_path)
    assert str(caught.value) == f"<text>:1:10: error[FF035]: {message}\n1 error"
    assert not [*tmp_path.iterdir()]


def test_what_a_streamed_training_takes_does_not_grow_with_the_rows() -> None:
    text = SPEC.replace("PATH", "a.parquet").replace("STREAMED", ", streaming: true").replace("SPLIT", "none")
    made = api.load(
        text.replace("PREPARE", "none").replace("SHUFFLE", "true").replace("patience: 5", "monitor: train.loss")
    )
    taken = []
    for rows in (1_000_000, 100_000_000):
        facts = Facts(features=30, target="classes", outputs=2, rows={"train": rows}, levels=(0,) * 30)
        taken.append(needs(make_plan(made, facts), dict(made)))
    assert taken[0] == taken[1]
    assert taken[0]["rows"] == 4 * 30 * (4 * 262_144 + 100_000)


@pytest.mark.parametrize(
    ("source", "place", "hint"),
    [
        ("parquet: {path: a, target: y}", "parquet",
         "write streaming: true beside its path, or take fewer rows or columns"),
        ("parquet: {path: a, target: y, streaming: {buffer_size: 90000000}}", "streaming",
         "write a smaller buffer_size"),
        ("csv: {path: a, target: y}", "csv",
         "take fewer rows or columns, or write the rows as Parquet and stream them"),
        ("parquet: {path: a, target: y, streaming: true}", None, None),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_to_be_streamed(
    source: str, place: str | None, hint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: 10**9)
    made = api.load(f"dataset: {{{source}}}\nlayers: [linear]\nloss: mse\noptimizer: sgd\n")
    facts = Facts(features=30, target="values", outputs=1, rows={"train": 10**8}, levels=(0,) * 30)
    found = [(item.path[-1], item.hint) for item in examine(dict(made), facts) if item.code == "FF029"]
    assert found == ([] if place is None else [(place, hint)])


def test_a_recipe_that_refits_is_kept_without_that(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = "recipe: tabular\ndataset: {parquet: {path: a.parquet, target: y, task: regression, streaming: true}}\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        api.load(path)
    assert str(caught.value) == (
        f"{path}:1:9: error[FF129]: refit needs the training and validation rows in memory, but they are streamed\n"
        "    1 | recipe: tabular\n"
        "      |         ^^^^^^^ write, under training, refit: false\n"
        "1 error"
    )
    path.write_text(f"{text}training: {{refit: false}}\n", encoding="utf-8")
    assert not api.load(path).training.refit
