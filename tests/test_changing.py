"""Weight decay and dropout that change from step to step, and the moving average of the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from math import cos, log2, pi
from typing import cast

import pytest
import torch
from torch import nn, optim

import ffspec
from ffspec import api, document
from ffspec.builder.fractions import FRACTIONS
from ffspec.runner.averaging import Average
from ffspec.seeds import derive

SPEC = """\
seed: 3
dataset: {blobs: {n_samples: {train: 50, validation: 20, test: 10}, n_features: 4, centers: 3, cluster_std: 3.0}}
layers: [{linear: 8}, batch_norm, tanh, {dropout: 0.4}, {linear: 8}, relu, linear]
loss: cross_entropy
optimizer: {adamw: {lr: 0.05, weight_decay: 0.5}}
"""
STEPS = 4 * 3

CURVES: dict[str, Callable[[float], float]] = {
    "linear": lambda t: 1 - t,
    "cosine": lambda t: (1 + cos(pi * t)) / 2,
    "flat_cos": lambda t: (1 + cos(pi * max(2 * t - 1, 0))) / 2,
    "coslog4": lambda t: (1 - cos(2 * pi * log2(1 + 15 * t))) / 2,
}


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_is_what_its_name_says(name: str) -> None:
    assert set(FRACTIONS) == set(CURVES)
    places = [index / 64 for index in range(65)]
    assert [FRACTIONS[name](t) for t in places] == pytest.approx([CURVES[name](t) for t in places], abs=1e-12)


def plain(decay: str, dropout: str, ema: float | None) -> tuple[nn.Sequential, list[float]]:
    """Train as a tutorial would; return the network that is kept, and the validation loss after every epoch."""
    data = ffspec.run(SPEC, overrides=["training.epochs=0"]).data.splits
    x, y = torch.from_numpy(data["train"].x).float(), torch.from_numpy(data["train"].y)
    held, truth = torch.from_numpy(data["validation"].x).float(), torch.from_numpy(data["validation"].y)
    network = ffspec.build(SPEC)
    kept = copy.deepcopy(network)
    optimizer = optim.AdamW(network.parameters(), lr=0.05, weight_decay=0.5, fused=True)
    order = torch.Generator().manual_seed(derive(3, "shuffle"))
    torch.manual_seed(derive(3, "dropout"))
    curves: dict[str, Callable[[float], float]] = {**FRACTIONS, "constant": lambda _: 1.0}
    dropped = cast("nn.Dropout", network[3])
    losses, step = [], 0
    for _ in range(3):
        for batch in torch.split(torch.randperm(50, generator=order), 13):
            optimizer.param_groups[0]["weight_decay"] = 0.5 * curves[decay](step / STEPS)
            dropped.p = 0.4 * curves[dropout](step / STEPS)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            share = 0.0 if ema is None else min(ema, (1 + step) / (10 + step))
            with torch.no_grad():
                for mean, weight in zip(kept.parameters(), network.parameters(), strict=True):
                    mean.copy_(torch.lerp(mean, weight, 1 - share))
                for copied, buffer in zip(kept.buffers(), network.buffers(), strict=True):
                    copied.copy_(buffer)
            step += 1
        with torch.no_grad():
            losses.append(float(nn.functional.cross_entropy(kept.eval()(held), truth)))
    return kept, losses


@pytest.mark.parametrize(
    ("decay", "dropout", "ema"),
    [
        ("flat_cos", "constant", None),
        ("constant", "linear", None),
        ("coslog4", "cosine", None),
        ("constant", "constant", 0.3),
        ("linear", "flat_cos", 0.9),
    ],
)
def test_a_training_with_changing_settings_is_that_of_a_plain_loop(decay: str, dropout: str, ema: float | None) -> None:
    settings = f"schedules: {{weight_decay: {decay}, dropout: {dropout}}}" + (f", ema: {ema}" if ema else "")
    result = ffspec.run(f"{SPEC}training: {{epochs: 3, batch_size: 13, {settings}}}\n")
    network, losses = plain(decay, dropout, ema)
    for ours, theirs in zip(result.model.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert [row["validation.loss"] for row in result.history] == losses
    assert result.after["validation"]["loss"] == losses[-1]
    assert [module.p for module in result.model if isinstance(module, nn.Dropout)] == [0.4]


def test_constant_schedules_change_no_bit() -> None:
    bare = ffspec.run(f"{SPEC}training: {{epochs: 2}}\n")
    constant = ffspec.run(f"{SPEC}training: {{epochs: 2, schedules: {{weight_decay: constant, dropout: constant}}}}\n")
    assert bare.history == constant.history


def test_early_stopping_looks_at_the_average_and_goes_back_to_it() -> None:
    settings = "epochs: 30, batch_size: 13, ema: 0.8, early_stopping: {patience: 1}"
    result = ffspec.run(f"{SPEC}training: {{{settings}}}\n")
    losses = [row["validation.loss"] for row in result.history]
    assert result.after["validation"]["loss"] == min(losses)
    assert len(losses) < 30


def test_an_average_of_many_steps_decays_as_asked() -> None:
    linear = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        linear.weight.fill_(0.0)
        average = Average(0.75, nn.Sequential(linear))
        linear.weight.fill_(1.0)
    mean = cast("nn.Linear", average.network[0]).weight
    gaps = []
    for _ in range(40):
        average.after_step()
        gaps.append(1 - float(mean))
    assert gaps[0] == pytest.approx(0.1)
    assert gaps[1] == pytest.approx(0.1 * 2 / 11)
    late = [after / before for before, after in pairwise(gaps[28:35]) if before > 1e-6]
    assert all(factor == pytest.approx(0.75, rel=0.05) for factor in late)
    assert (linear.weight.requires_grad, mean.requires_grad) == (True, False)


def test_a_schedule_of_what_is_not_there_is_told() -> None:
    text = (
        "dataset: iris\nlayers: [{linear: 8}, relu, linear]\nloss: cross_entropy\noptimizer: adam\n"
        "training: {schedules: {weight_decay: flat_cos, dropout: linear}}\n"
    )
    opened = document.parse(text, "spec.yaml")
    assert opened.render(api.diagnose(opened)) == (
        "spec.yaml:5:38: warning[FF126]: there is no weight decay to change: that of adam is 0\n"
        "    5 | training: {schedules: {weight_decay: flat_cos, dropout: linear}}\n"
        "      |                                      ^^^^^^^^ leave it out, or write a weight_decay\n"
        "spec.yaml:5:57: warning[FF126]: there is no dropout to change in the layers\n"
        "    5 | training: {schedules: {weight_decay: flat_cos, dropout: linear}}\n"
        f"      |{' ' * 57}^^^^^^ leave it out, or put dropout between the layers\n"
        "2 warnings"
    )
