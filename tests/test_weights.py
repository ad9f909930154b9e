"""Weights of rows: a row that weighs twice as much counts as two, in losses, metrics and baselines."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

import ffspec
from ffspec import rundir
from ffspec.builder.loss import build_loss, build_weighted
from ffspec.diagnostics import SpecError
from ffspec.export import eject
from ffspec.spec.losses import LOSSES as ALL
from ffspec.spec.metrics import METRICS
from ffspec.spec.step import Call
from tests.interrupting import Crash, crash_at

NAMES = {kind: ", ".join(metric.name for metric in METRICS if metric.target == kind) for kind in ("classes", "values")}
REST = "layers: [linear]\nloss: cross_entropy\noptimizer: sgd\n"
SPECS = {
    "classes": "loss: {cross_entropy: {weight: [1, 2, 0.5], label_smoothing: 0.1}}\n",
    "values": "loss: mse\n",
}


def written(folder: Path, kind: str) -> tuple[str, str]:
    """Write rows with weights of 0, 1 and 2, and the same rows none, one time or twice; return a spec for each."""
    chance = random.Random(0)  # noqa: S311 - rows, not secrets
    weighted, repeated = ["a,b,y,w,part"], ["a,b,y,w,part"]
    for index in range(90):
        part = ("train", "train", "test")[index % 3]
        a, b = chance.gauss(0, 1), chance.gauss(0, 1)
        y = str(a * 2 - b + chance.gauss(0, 0.1)) if kind == "values" else "xyz"[min(2, int(abs(a + 0.3 * b)))]
        weight = chance.choice((0, 1, 1, 2))
        weighted.append(f"{a},{b},{y},{weight},{part}")
        repeated += [f"{a},{b},{y},1,{part}"] * weight
    for name, rows in (("weighted", weighted), ("repeated", repeated)):
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    rest = f"""\
layers: [{{linear: 8}}, tanh, linear]
{SPECS[kind]}optimizer: {{sgd: 0.1}}
training: {{epochs: 5, batch_size: all, precision: float64}}
metrics: [{NAMES[kind]}]
"""
    head = "dataset: {csv: {path: NAME.csv, target: y, split_column: part, "
    for name, column in (("weighted", "weight: w"), ("repeated", "drop: [w]")):
        (folder / f"{name}.yaml").write_text(head.replace("NAME", name) + column + "}}\n" + rest)
    return str(folder / "weighted.yaml"), str(folder / "repeated.yaml")


@pytest.mark.parametrize("kind", SPECS)
def test_a_weight_of_two_is_as_good_as_the_row_twice(kind: str, tmp_path: Path) -> None:
    weighted, repeated = (ffspec.run(path) for path in written(tmp_path, kind))
    losses = [[row["loss"] for row in result.history] for result in (weighted, repeated)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    for ours, theirs in ((weighted.before, repeated.before), (weighted.after, repeated.after)):
        for split in ("train", "test"):
            # Quantiles of weighted rows lie between two rows otherwise.
            names = {name for name in theirs[split] if not name.endswith("absolute_error")}
            assert {name: ours[split][name] for name in names} == pytest.approx(
                {name: theirs[split][name] for name in names}, rel=1e-7
            )
    for one, other in zip(weighted.model.parameters(), repeated.model.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-12)
    assert weighted.data.features == ("a", "b")
    beaten = [{one.name: one.measures for one in result.baselines} for result in (weighted, repeated)]
    assert beaten[0].keys() == beaten[1].keys()
    name = "majority class" if kind == "classes" else "mean"
    first = next(iter(beaten[1][name]))
    assert beaten[0][name][first] == pytest.approx(beaten[1][name][first])


PAIRS: tuple[tuple[str, Call, str], ...] = (
    ("scores", Call("nn.CrossEntropyLoss", {"weight": (1.0, 2.0, 3.0), "label_smoothing": 0.2}), "class"),
    ("scores", Call("nn.CrossEntropyLoss", {}), "class"),
    ("logs", Call("nn.NLLLoss", {"weight": "balanced"}), "class"),
    ("scores", Call("nn.MultiMarginLoss", {"weight": (1.0, 2.0, 3.0)}), "class"),
    ("scores", Call("nn.BCEWithLogitsLoss", {"pos_weight": 2.0}), "zero or one"),
    ("chances", Call("nn.BCELoss"), "zero or one"),
    ("scores", Call("nn.MultiLabelSoftMarginLoss"), "zero or one"),
    ("scores", Call("nn.SoftMarginLoss"), "sign"),
    ("scores", Call("nn.HingeEmbeddingLoss", {"margin": 0.5}), "sign"),
    ("scores", Call("ffspec.PerceptronLoss"), "sign"),
    ("scores", Call("nn.MSELoss"), "number"),
    ("scores", Call("nn.L1Loss"), "number"),
    ("scores", Call("nn.SmoothL1Loss", {"beta": 0.5}), "number"),
    ("scores", Call("nn.HuberLoss", {"delta": 0.5}), "number"),
    ("scores", Call("nn.PoissonNLLLoss", {"full": True}), "zero or one"),
)


@pytest.mark.parametrize(("form", "call", "kind"), PAIRS, ids=[str(call) for _, call, _ in PAIRS])
def test_weights_count_rows_whatever_the_loss(form: str, call: Call, kind: str) -> None:
    torch.manual_seed(0)
    output = torch.randn(12, 3, dtype=torch.float64)
    output = {"scores": output, "logs": output.log_softmax(1), "chances": output.sigmoid()}[form]
    classes, bits = torch.randint(0, 3, (12,)), torch.randint(0, 2, (12, 3)).double()
    target = {"class": classes, "zero or one": bits, "sign": bits * 2 - 1, "number": torch.randn(12, 3).double()}[kind]
    plain, weighted = (build(call, counts=[3, 4, 5], dtype=torch.float64) for build in (build_loss, build_weighted))
    assert float(weighted(output, target, torch.ones(12).double())) == pytest.approx(float(plain(output, target)))
    times = torch.tensor([0, 1, 2, 3] * 3)
    repeated = plain(output.repeat_interleave(times, 0), target.repeat_interleave(times, 0))
    assert float(weighted(output, target, times.double() / 7)) == pytest.approx(float(repeated))
    assert float(weighted(output, target, torch.zeros(12).double())) == 0


def test_every_loss_is_tried() -> None:
    assert {call.target for _, call, _ in PAIRS} == {one.torch for one in ALL}


def test_a_run_with_weights_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = written(tmp_path, "classes")
    settings = ["training.batch_size=7", "training.checkpoint={steps: 3}", "training.epochs=3"]
    whole = ffspec.run(path, overrides=settings, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        crash_at(12, patch)
        with pytest.raises(Crash):
            ffspec.run(path, overrides=settings, out=tmp_path / "stopped")
    (directory,) = (tmp_path / "stopped").glob("*/001")
    ffspec.resume(directory, allow_outside=True)
    assert whole.directory is not None
    assert (directory / rundir.MODEL).read_bytes() == (whole.directory / rundir.MODEL).read_bytes()
    assert (directory / rundir.HISTORY).read_text() == (whole.directory / rundir.HISTORY).read_text()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-1", "column 'w' must hold weights, numbers of at least 0, found -1 in row 2"),
        ("", "column 'w' must hold weights, numbers of at least 0, found none in row 2"),
        ("inf", "column 'w' must hold weights, numbers of at least 0, found inf in row 2"),
        ("much", None),
    ],
)
def test_a_wrong_weight_is_told(cell: str, message: str | None, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"a,y,w\n1,0,1\n2,1,{cell}\n3,0,1\n4,1,1\n")
    spec = f"dataset: {{csv: {{path: rows.csv, target: y, weight: w}}, split: none}}\n{REST}"
    (tmp_path / "spec.yaml").write_text(spec)
    with pytest.raises(SpecError) as caught:
        ffspec.run(tmp_path / "spec.yaml")
    (found,) = caught.value.diagnostics
    assert found.path[:3] == ("dataset", "csv", "weight")
    assert found.code == "FF033"
    assert message is None or found.message == message


def test_a_split_in_which_no_row_counts_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,y,w,part\n1,0,1,train\n2,1,1,train\n3,0,0,test\n4,1,0,test\n")
    spec = f"dataset: {{csv: {{path: rows.csv, target: y, weight: w, split_column: part}}}}\n{REST}"
    (tmp_path / "spec.yaml").write_text(spec)
    with pytest.raises(SpecError) as caught:
        ffspec.run(tmp_path / "spec.yaml")
    (found,) = caught.value.diagnostics
    assert found.message == "a row of test must have a weight above 0, found none"


def test_a_script_has_no_weights(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "values")
    with pytest.raises(SpecError) as caught:
        eject(ffspec.load(path))
    (found,) = caught.value.diagnostics
    assert (found.code, found.path) == ("FF018", ("dataset", "csv", "weight"))
    assert found.message == "a script has no weights of rows"
