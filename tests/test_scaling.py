"""Layers that scale: what they compute, and what the rules make of them."""

from __future__ import annotations

from math import log, sqrt

import pytest
import torch
from torch import nn

import ffspec
from ffspec import api, document
from ffspec.builder.scaling import NTKLinear, Scale
from ffspec.diagnostics import Severity
from ffspec.export import eject
from ffspec.planner import draft

BLOBS = "dataset: {blobs: {n_samples: {train: 60, validation: 20, test: 20}, centers: 3, n_features: 4}}\n"
REST = "loss: cross_entropy\noptimizer: {adam: 0.04}\ntraining: {epochs: 3, batch_size: 20}\n"
NTK = "parametrization: ntk"
ZERO_START = f"""
layers:
  - scale
  - linear: {{out_features: 32, {NTK}}}
  - selu
  - linear: {{out_features: 32, {NTK}}}
  - selu
  - linear: {{{NTK}, init: zeros, bias_init: zeros}}
"""
"""As RealMLP begins: every class is as likely as the others, to the last bit."""


def said(text: str, *, probe: bool = False) -> list[tuple[str, Severity]]:
    return [(item.code, item.severity) for item in api.diagnose(document.parse(text), (), probe=probe)]


@pytest.mark.parametrize("leading", [(), (5,), (3, 5)])
def test_both_work_on_the_last_axis(leading: tuple[int, ...]) -> None:
    x = torch.randn(*leading, 4, generator=torch.Generator().manual_seed(0))
    linear, scale = NTKLinear(4, 3), Scale(4)
    assert torch.equal(scale(x), x)
    with torch.no_grad():
        scale.weight.copy_(torch.tensor([1.0, 2, 0, -1]))
    assert torch.equal(scale(x), x * torch.tensor([1.0, 2, 0, -1]))
    expected = x @ linear.weight.T / sqrt(4) + linear.bias
    torch.testing.assert_close(linear(x), expected)
    assert repr(scale) == "Scale(4)"


def test_ntk_starts_from_normal_numbers_and_keeps_the_scale_at_any_width() -> None:
    text = f"{BLOBS}layers: [{{linear: {{out_features: 500, {NTK}}}}}, tanh, {{linear: {{{NTK}}}}}]\n{REST}"
    network = ffspec.build(text)
    first, last = network[0], network[2]
    assert isinstance(first, NTKLinear)
    assert isinstance(last, NTKLinear)
    weights = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert abs(float(weights.mean())) < 0.05
    assert abs(float(weights.std()) - 1) < 0.05
    wide = nn.Sequential(first, nn.Tanh(), last)
    assert float(wide(torch.randn(200, 4, generator=torch.Generator().manual_seed(0))).detach().std()) < 2


def test_a_written_initialiser_comes_before_that_of_ntk() -> None:
    layers = f"layers: [{{linear: {{out_features: 3, {NTK}, init: ones, bias_init: zeros}}}}, tanh, linear]\n"
    first = ffspec.build(BLOBS + layers + REST)[0]
    assert isinstance(first, NTKLinear)
    assert bool((first.weight == 1).all())
    assert not bool(first.bias.any())


def test_a_last_layer_of_zeros_is_exactly_chance_and_nothing_is_said_of_it() -> None:
    assert said(BLOBS + ZERO_START + REST, probe=True) == []
    result = ffspec.run(BLOBS + ZERO_START + REST)
    assert result.before["train"]["loss"] == pytest.approx(log(3), rel=1e-6)
    assert result.after["train"]["loss"] < 0.5


def test_a_network_of_ntk_bears_a_larger_rate() -> None:
    layers = "layers: [{linear: {out_features: 8, PARAMETRIZATION}}, relu, {linear: {PARAMETRIZATION}}]\n"
    rate = "loss: cross_entropy\noptimizer: {adam: 0.2}\n"
    tangent, standard = layers.replace("PARAMETRIZATION", NTK), layers.replace("PARAMETRIZATION", "bias: true")
    assert said(BLOBS + tangent + rate) == []
    assert said(BLOBS + tangent + rate.replace("0.2", "2.0")) == [("FF123", Severity.WARNING)]
    assert said(BLOBS + standard + rate) == [("FF123", Severity.WARNING)]


def test_a_scale_makes_no_network_of_a_linear_model() -> None:
    hidden = f"layers: [scale, {{linear: {{out_features: 8, {NTK}}}}}, scale, linear]\n"
    found = draft(dict(document.parse(BLOBS + hidden + REST).parts))
    assert [step.call.target for step in found.steps] == [
        "ffspec.Scale",
        "ffspec.NTKLinear",
        "ffspec.Scale",
        "nn.Linear",
    ]
    assert said(BLOBS + hidden + REST) == [("FF110", Severity.WARNING)]


def test_ntk_is_ejected_by_its_own_source() -> None:
    script = eject(ffspec.load(BLOBS + ZERO_START + REST))
    assert "class NTKLinear(nn.Linear):" in script
    assert "class Scale(nn.Module):" in script
    assert "    NTKLinear(4, 32),\n" in script
