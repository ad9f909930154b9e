"""A training that goes wrong says where, and leaves no number behind that is not finite."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import ffspec
from ffspec import rundir
from ffspec.cli import _exit_code
from ffspec.diagnostics import DivergedError

ARRAYS = (
    "dataset: {arrays: {}, split: {test: 0.2}}\nlayers: [{linear: 8}, relu, {linear: 8}, relu, linear]\nloss: mse\n"
)
DIGITS = """\
dataset: {digits: {}, prepare: standardize}
layers: [{linear: 32}, relu, {residual: [{linear: 32}, relu]}, linear]
loss: cross_entropy
"""


def finite(folder: Path) -> bool:
    """Return whether all that a run has kept is finite."""
    kept = [safetensors.torch.load_file(path) for path in folder.rglob("*.safetensors")]
    return all(bool(tensor.isfinite().all()) for one in kept for tensor in one.values() if tensor.is_floating_point())


def test_a_learning_rate_that_blows_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(DIGITS + "optimizer: {sgd: 1e10}\ntraining: {checkpoint: {steps: 1}}\n", encoding="utf-8")
    assert _exit_code(["run", str(path), "--out", str(tmp_path), "--quiet"]) == 3
    told = capsys.readouterr().err
    assert told.startswith(f"{path}: error[FF306]: ")
    assert "; first, in epoch 1, step " in told
    assert "layers[" in told
    directory = tmp_path / "net" / "001"
    assert json.loads((directory / rundir.STATUS).read_text())["status"] == "diverged"
    assert not (directory / rundir.MODEL).exists()
    assert finite(directory)


def test_an_input_that_overflows_is_named(tmp_path: Path) -> None:
    x = np.ones((60, 3))
    x[::2, 1] = 3e38
    text = ARRAYS.replace("{linear: 8}", "{linear: {out_features: 8, init: {uniform: {a: 2.0, b: 3.0}}}}", 1)
    text += "optimizer: {sgd: 0.1}\ntraining: {epochs: 3}\n"
    with pytest.raises(DivergedError) as caught:
        ffspec.run(text, data=(x, x[:, 0]), out=tmp_path)
    assert str(caught.value) == (
        "the network's output on the train split is not finite; first, in epoch 1, step 1, the output of layers[0] was "
        "not finite; of its inputs, 'x1' has the largest numbers"
    )
    assert finite(tmp_path)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_loss_that_overflows(precision: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)) * 1e25
    text = ARRAYS + f"optimizer: {{sgd: 0.1}}\ntraining: {{epochs: 3, precision: {precision}}}\n"
    with pytest.raises(
        DivergedError, match=r"the loss on the train split is inf; first, in epoch 1, step 1, the step left "
    ):
        ffspec.run(text, data=(x, x[:, 0]), out=tmp_path)
    assert finite(tmp_path)


def test_the_search_begins_at_the_last_checkpoint(tmp_path: Path) -> None:
    """The learning rate grows until nothing fits any more: step 131 of a hundred thousand is looked for, not all."""
    text = DIGITS + "optimizer: {sgd: 0.01}\nscheduler: {exponential: {gamma: 1000000.0, interval: step}}\n"
    with pytest.raises(DivergedError) as caught:
        ffspec.run(text + "training: {epochs: 100, checkpoint: {steps: 1}}\n", out=tmp_path)
    assert "; first, in epoch 1, step " in str(caught.value)
    assert finite(tmp_path)


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with pytest.raises(DivergedError):
        ffspec.run(DIGITS + "optimizer: {sgd: 1e10}\n")
    assert torch.equal(torch.get_rng_state(), state)
