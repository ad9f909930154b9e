"""A training whose gradients are written out, and whose optimizers are stepped by their kernels, against plain ones."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ffspec
from ffspec import planner
from ffspec.builder.optimizer import state_of
from ffspec.builder.streams import untouched
from ffspec.cli import _exit_code
from ffspec.data import load_spec
from ffspec.runner.checkpoints import decode, encode, put_back, state_of_trainer
from ffspec.runner.loop import Trainer
from ffspec.runner.setup import set_up, trainer_of
from ffspec.spec.root import Spec
from tests import test_components as tables

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.yaml"))


def trainers(spec: Spec) -> tuple[Trainer, Trainer]:
    """Return what trains a spec, and what trains it by autograd."""
    loaded = load_spec(spec)
    plan = planner.plan(spec, loaded.facts)
    spec = planner.settle(spec, loaded.facts)
    ours, theirs = (trainer_of(set_up(spec, plan, loaded), called=called) for called in (False, True))
    assert ours.written
    assert not theirs.written
    return ours, theirs


def assert_same_training(spec: Spec) -> None:
    histories = []
    both = trainers(spec)
    for trainer in both:
        with untouched(5):
            histories.append(trainer.run(lambda row: None))  # noqa: ARG005
    assert histories[0] == histories[1]
    states = [(dict(one.network.state_dict()), [*map(state_of, one.optimizers)]) for one in both]
    assert_equal(*states)


def assert_equal(mine: Any, other: Any) -> None:
    """Compare values that may hold tensors."""
    if isinstance(mine, Tensor):
        assert torch.equal(mine, other)
    elif isinstance(mine, dict):
        assert mine.keys() == other.keys()
        for key, value in mine.items():
            assert_equal(value, other[key])
    elif isinstance(mine, list | tuple):
        assert len(mine) == len(other)
        for one, another in zip(mine, other, strict=True):
            assert_equal(one, another)
    else:
        assert mine == other


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_trains_as_by_autograd(path: Path) -> None:
    if path.stem == "diamonds" and not path.with_suffix(".parquet").exists():
        pytest.skip("diamonds.parquet is not there; the spec says how to fetch it")
    assert_same_training(ffspec.load(path, overrides=["training.epochs=2"]))


SPEC = """\
seed: 3
dataset: {blobs: {n_samples: {train: 50, validation: 20, test: 10}, n_features: 4, centers: 3, cluster_std: 3.0}}
layers: [{linear: 9}, tanh, {dropout: 0.2}, {linear: 17}, relu, linear]
loss: cross_entropy
"""
SETTINGS = {
    "clipped": ("adam: 0.01", "epochs: 3, clip_grad_norm: 0.1, clip_grad_value: 0.05", ""),
    "averaged": ("adam: 0.01", "epochs: 3, ema: 0.9", ""),
    "float64": ("adam: 0.01", "epochs: 3, precision: float64", ""),
    "fading": ("adamw: 0.01", "epochs: 3, schedules: {weight_decay: cosine, dropout: linear}", ""),
    "late momentum": (
        "sgd: 0.1",
        "epochs: 3",
        "scheduler: {warmup: {total_iters: 3, interval: step, then: {one_cycle: {max_lr: 0.2}}}}\n",
    ),
    "stopping": ("sgd: {lr: 0.1, momentum: 0.9}", "epochs: 5, early_stopping: {patience: 1}", ""),
    "whole": ("adagrad: 0.1", "epochs: 4, batch_size: all", ""),
    "groups": (
        "adam: {lr: 0.01, groups: [{layers: [linear], parameters: bias, lr: 0.1, weight_decay: 0}]}",
        "epochs: 3",
        "",
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_a_training_change_no_bit(name: str) -> None:
    optimizer, training, more = SETTINGS[name]
    size = "" if "batch_size" in training else ", batch_size: 16"
    assert_same_training(ffspec.load(f"{SPEC}optimizer: {{{optimizer}}}\ntraining: {{{training}{size}}}\n{more}"))


@pytest.mark.parametrize("optimizer", tables.UNGROUPED)
def test_an_optimizer_changes_no_bit(optimizer: str) -> None:
    assert_same_training(ffspec.load(f"{SPEC}optimizer: {{{optimizer}}}\ntraining: {{epochs: 3, batch_size: 16}}\n"))


class Interrupting:
    """Keeps the state after so many steps, and ends the training."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.kept = b""

    def after_step(self, trainer: Trainer) -> None:
        self.left -= 1
        if not self.left:
            self.kept = encode(state_of_trainer(trainer, 5), {"spec": []})
            raise KeyboardInterrupt

    def after_epoch(self, trainer: Trainer) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    "optimizer", ["{sgd: {lr: 0.1, momentum: 0.9}}", "{adamw: {lr: 0.01, amsgrad: true}}", "adagrad"]
)
def test_a_training_goes_on_within_an_epoch_to_the_bits_of_autograd(optimizer: str) -> None:
    spec = ffspec.load(f"{SPEC}optimizer: {optimizer}\ntraining: {{epochs: 4, batch_size: 16}}\n")
    first, plain = trainers(spec)
    again, _ = trainers(spec)
    keeper = Interrupting(steps=6)
    with untouched(5), pytest.raises(KeyboardInterrupt):
        replace(first, keeper=keeper).run(lambda row: None)  # noqa: ARG005
    with untouched(6):
        put_back(again, decode(keeper.kept)[0])
        history = again.run(lambda row: None)  # noqa: ARG005
    with untouched(5):
        assert plain.run(lambda row: None) == history  # noqa: ARG005
    assert_equal(dict(again.network.state_dict()), dict(plain.network.state_dict()))
    assert_equal([*map(state_of, again.optimizers)], [*map(state_of, plain.optimizers)])


def test_a_trained_network_owns_its_parameters() -> None:
    model = ffspec.run(f"{SPEC}optimizer: adam\ntraining: {{epochs: 1}}\n").model
    assert type(model) is nn.Sequential
    places = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    assert len(places) == len([*model.parameters()])
    for parameter in model.parameters():
        assert parameter.is_leaf
        assert parameter.requires_grad
        assert parameter.untyped_storage().nbytes() == parameter.numel() * 4
    assert_equal(copy.deepcopy(model).state_dict(), model.state_dict())


SHOWN = {
    "without autograd, to the same bits": ("[{linear: 4}, relu, linear]", "cross_entropy", "{}"),
    "without autograd, to the same bits, but for PLR, Heaviside, the loss CrossEntropyLoss": (
        "[periodic, {linear: 4}, {residual: [{linear: 4}, {heaviside: straight_through}]}, linear]",
        "{cross_entropy: {label_smoothing: 0.1, weight: balanced}}",
        "{}",
    ),
    "by autograd: bf16 casts while it computes": ("[linear]", "cross_entropy", "{precision: bf16}"),
    "by autograd: cuda computes while Python runs ahead": ("[linear]", "cross_entropy", "{device: cuda}"),
}


@pytest.mark.parametrize("line", SHOWN)
def test_show_says_how_the_gradients_are_computed(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers, loss, training = SHOWN[line]
    path = tmp_path / "net.yaml"
    data = "{blobs: {n_samples: 50, n_features: 4, centers: 3}}"
    path.write_text(f"dataset: {data}\nlayers: {layers}\nloss: {loss}\noptimizer: sgd\ntraining: {training}\n")
    assert _exit_code(["show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == f"  gradients  {line}"
