"""A run: the same bits every time, nothing of the caller's touched, every file in its place."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import ffspec
from ffspec import api, rundir
from ffspec.cli import _exit_code

ROOT = Path(__file__).parents[1]
FEEDFORWARD = ROOT / "specs" / "feedforward.yaml"
NOISY = """\
name: noisy
dataset: {digits: {}, split: {validation: 0.1, test: 0.2}, prepare: standardize}
layers: [{linear: 16}, batch_norm, relu, {dropout: 0.5}, linear]
loss: cross_entropy
optimizer: {adam: 0.01}
scheduler: {warmup: {total_iters: 2, then: cosine_annealing}}
training: {epochs: 4, batch_size: 100, early_stopping: {patience: 1}}
"""


def run_in_child(spec: Path, out: Path) -> bytes:
    """Run a spec in a process of its own and return the weights."""
    subprocess.run(
        [sys.executable, "-m", "ffspec", "run", str(spec), "--quiet", "--out", str(out)], check=True, cwd=out.parent
    )
    (weights,) = out.glob("*/001/model.safetensors")
    return weights.read_bytes()


@pytest.mark.parametrize("name", ["feedforward", "noisy"])
def test_two_processes_give_the_same_bits(name: str, tmp_path: Path) -> None:
    spec = FEEDFORWARD
    if name == "noisy":
        spec = tmp_path / "noisy.yaml"
        spec.write_text(NOISY)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda name: run_in_child(spec, tmp_path / name), ("one", "two"))
    assert one == two


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (ffspec.run(FEEDFORWARD, seed=seed).model[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)  # type: ignore[arg-type]
    assert not torch.equal(first, other)  # type: ignore[arg-type]


def test_what_ran_before_in_the_process_does_not_matter() -> None:
    first = ffspec.run(NOISY).model[0].weight
    torch.randn(7)
    torch.set_num_threads(2)
    try:
        second = ffspec.run(NOISY).model[0].weight
    finally:
        torch.set_num_threads(1)
    assert torch.equal(first, second)  # type: ignore[arg-type]


def test_the_callers_state_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    torch.set_num_threads(2)
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())  # type: ignore[index, union-attr, unused-ignore]  # noqa: NPY002
    try:
        ffspec.build(NOISY)
        ffspec.run(NOISY)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # type: ignore[index, unused-ignore]  # noqa: NPY002
    assert before[2] == random.getstate()
    assert torch.is_grad_enabled()


def test_build_gives_the_weights_a_run_starts_from() -> None:
    still = ffspec.run(FEEDFORWARD, overrides=["training.epochs=0"])
    for built, started in zip(ffspec.build(FEEDFORWARD).parameters(), still.model.parameters(), strict=True):
        assert torch.equal(built, started)
    assert still.before == still.after


def test_the_run_directory(tmp_path: Path) -> None:
    result = ffspec.run(FEEDFORWARD, out=tmp_path)
    assert result.directory == tmp_path / "feedforward" / "001"
    names = {entry.name for entry in result.directory.iterdir()}
    assert names == {
        rundir.SPEC, rundir.RESOLVED, rundir.ENVIRONMENT, rundir.HISTORY, rundir.CHECKS, rundir.PREPARE, rundir.MODEL,
        rundir.STATUS, rundir.MANIFEST, rundir.CHECKPOINTS, rundir.LOCK,
    }  # fmt: skip
    assert (result.directory / rundir.SPEC).read_text() == FEEDFORWARD.read_text()
    history = [json.loads(line) for line in (result.directory / rundir.HISTORY).read_text().splitlines()]
    assert history == list(result.history)
    checks = json.loads((result.directory / rundir.CHECKS).read_text())
    assert (checks["before"], checks["after"]) == (result.before, result.after)
    assert ffspec.run(FEEDFORWARD, out=tmp_path).directory == tmp_path / "feedforward" / "002"


@pytest.mark.parametrize("source", [str(FEEDFORWARD), NOISY], ids=["feedforward", "noisy"])
def test_the_resolved_spec_runs_to_the_same_bits(source: str, tmp_path: Path) -> None:
    first = ffspec.run(source, out=tmp_path)
    assert first.directory is not None
    second = ffspec.run(first.directory / rundir.RESOLVED)
    assert first.history == second.history
    for one, other in zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_run_that_diverges_leaves_no_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(FEEDFORWARD), "--set", "optimizer.sgd.lr=1e10", "--set", "loss=mse", "--out", str(tmp_path)]
    arguments += ["--set", "layers.3=identity"]
    assert _exit_code([*arguments, "-q"]) == 3
    assert "is not finite" in (said := capsys.readouterr().err) or "training loss is" in said
    directory = tmp_path / "feedforward" / "001"
    assert json.loads((directory / rundir.STATUS).read_text())["status"] == "diverged"
    assert not (directory / rundir.MODEL).exists()


def test_an_unmet_check_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "strict.yaml"
    spec.write_text(FEEDFORWARD.read_text() + "  test.loss: {max: 0.0001}\n")
    assert _exit_code(["run", str(spec), "--out", str(tmp_path)]) == 1
    assert "FAIL  test.loss <= 0.0001: 0.3463" in capsys.readouterr().out


def test_arrays_from_python() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(80, 3))
    y = np.where(x @ np.array([1.0, -2.0, 0.5]) > 0, "yes", "no")
    text = "dataset: arrays\nlayers: [linear]\nloss: bce_with_logits\noptimizer: {adam: 0.1}\n"
    result = ffspec.run(text, data=(x, y))
    assert result.data.classes == ("no", "yes")
    assert result.data.facts.rows == {"train": 64, "test": 16}
    assert result.after["test"]["accuracy"] >= 0.9
    apart = ffspec.run(text, data={"train": (x[:60], y[:60]), "test": (x[60:], y[60:])})
    assert apart.data.facts.rows == {"train": 60, "test": 20}


def test_a_fault_of_the_data_is_shown_in_its_line(tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    (tmp_path / "d.csv").write_text("a,b\n1,2\n3,4\n")
    spec.write_text("dataset: {csv: {path: d.csv, target: c}}\nlayers: [linear]\nloss: mse\noptimizer: sgd\n")
    with pytest.raises(ffspec.SpecError) as caught:
        ffspec.run(spec)
    assert str(caught.value).startswith(f"{spec}:1:38: error[FF031]: ")
    with pytest.raises(ffspec.SpecError, match="FF031"):
        ffspec.build(ffspec.load(spec))


def test_the_loss_falls_on_every_split_of_feedforward() -> None:
    result = ffspec.run(FEEDFORWARD)
    assert result.after["test"]["loss"] < result.before["test"]["loss"]
    losses = [row["loss"] for row in result.history]
    assert losses == sorted(losses, reverse=True)
    assert result.ok


def test_names_of_runs() -> None:
    assert api._stem("specs/my net.yaml") == "my-net"
    assert api._stem("-") == "run"
