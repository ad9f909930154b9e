"""The trial before training: each thing it looks for is found where it is, and nothing on healthy networks."""

from __future__ import annotations

import math

import pytest
import torch

import ffspec
from ffspec import api, document
from ffspec.diagnostics import Diagnostic, Severity, SpecError
from ffspec.rules.probes import PROBES, RowsAreIndependent, Trial, chance_of
from ffspec.spec.losses import BCE, MSE, NLL, BCEWithLogits, CrossEntropy

DIGITS = "dataset: {digits: {}, prepare: standardize}\nloss: cross_entropy\noptimizer: adam\ntraining: {epochs: 1}\n"


def probed(text: str, *allow: str) -> list[Diagnostic]:
    found = api.diagnose(document.parse(text), allow, probe=True)
    return [item for item in found if item.severity is not Severity.INFO]


def codes(text: str, *allow: str) -> set[str]:
    return {item.code for item in probed(text, *allow)}


HEALTHY = [
    "layers: [{linear: 64}, relu, linear]\n",
    "layers: [{linear: 64}, tanh, {linear: 64}, tanh, {linear: {init: zeros, bias_init: zeros}}]\n",
    "layers: [{repeat: {times: 3, layers: [{linear: 32}, batch_norm, relu, {dropout: 0.3}]}}, linear]\n",
    "layers: [{linear: 8}, relu, {residual: [{linear: 8}, relu, {linear: {out_features: 8, init: zeros}}]}, linear]\n",
    "layers: [{repeat: {times: 4, layers: [{linear: 32}, sigmoid]}}, linear]\n",
    "layers: [{linear: 32}, {heaviside: straight_through}, linear]\n",
    "layers: [linear]\n",
]


@pytest.mark.parametrize("layers", HEALTHY)
def test_nothing_is_said_of_a_healthy_network(layers: str) -> None:
    assert probed(DIGITS + layers) == []


def test_unscaled_inputs_show_in_the_first_loss() -> None:
    text = (DIGITS + HEALTHY[0]).replace("digits: {}, prepare: standardize", "wine: {}")
    assert codes(text) == {"FF201"}  # the cause is told, not the consequence too
    wild = "layers: [{linear: {out_features: 64, init: {normal: {std: 3.0}}}}, relu, linear]\n"
    (found,) = probed(DIGITS + wild)
    assert found.message.startswith("the loss before training should be about 2.3, found ")


def test_a_dead_layer_gets_no_gradient() -> None:
    dead = "layers: [{linear: {out_features: 16, bias_init: {constant: -99}}}, relu, linear]\n"
    assert [(item.code, item.path) for item in probed(DIGITS + dead)] == [
        ("FF302", ("layers", 0)),
        ("FF302", ("layers", 2)),  # it receives nothing but zeros
    ]
    with pytest.raises(SpecError, match="FF302"):
        ffspec.run(DIGITS + dead)
    assert ffspec.run(DIGITS + dead, allow=["FF302"]).history


def test_ten_sigmoids_do_not_learn_a_batch() -> None:
    deep = "layers: [{repeat: {times: 10, layers: [{linear: 16}, sigmoid]}}, linear]\n"
    assert codes(DIGITS + deep, "FF122") == {"FF303"}


def test_rows_that_depend_on_each_other_are_reported() -> None:
    found = [item.message for item in RowsAreIndependent().judge(Trial(loss=1.0, chance=None, mixed=True))]
    assert found == ["in eval mode a prediction must depend on its own row alone"]


def test_what_a_network_that_knows_nothing_loses() -> None:
    assert chance_of(CrossEntropy(), 10) == chance_of(NLL(), 10) == math.log(10)
    assert chance_of(BCE(), 2) == chance_of(BCEWithLogits(), 2) == math.log(2)
    assert chance_of(BCEWithLogits(pos_weight=2.0), 2) is None
    assert chance_of(MSE(), None) is None


def test_a_trial_changes_no_bit_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = DIGITS + HEALTHY[2]
    torch.manual_seed(3)
    state = torch.get_rng_state()
    tried = ffspec.run(text)
    assert torch.equal(torch.get_rng_state(), state)
    monkeypatch.setattr("ffspec.runner.run.affordable", lambda plan: 0)  # noqa: ARG005
    untried = ffspec.run(text)
    assert tried.history == untried.history
    for name, tensor in tried.model.state_dict().items():
        assert torch.equal(tensor, untried.model.state_dict()[name])


def test_every_probe_is_silent_on_an_empty_trial() -> None:
    assert [item for rule in PROBES for item in rule.judge(Trial(loss=9.0, chance=None))] == []
