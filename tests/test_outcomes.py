"""What a training shows: dead units, steps, both modes, progress, and simpler models beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ffspec
from ffspec.rules.outcomes import OUTCOMES, Comparison, Outcome
from ffspec.runner.result import Result

REST = "optimizer: {optimizer}\ntraining: {{{training}}}\n"


def run(text: str, **options: Any) -> Result:
    return ffspec.run(text, allow=["FF123", "FF201", "FF301", "FF302", "FF303"], **options)


def said(result: Result) -> dict[str, str]:
    return {item.code: item.message for item in result.findings if item.code > "FF304"}


def judged(**facts: Any) -> list[tuple[str, str]]:
    outcome = Outcome(**{"losses": (1.0,), **facts})
    return [(item.code, item.message) for rule in OUTCOMES for item in rule.judge(outcome)]


def comparison(network: float, other: float, baseline: str = "linear model", *, maximize: bool = True) -> Comparison:
    return Comparison(
        baseline=baseline, split="test", measure="accuracy", maximize=maximize, network=network, other=other
    )


CASES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"comparisons": (comparison(0.9, 0.8),)}, []),
    (
        {"comparisons": (comparison(0.9, 0.95), comparison(0.9, 0.5, "majority class"))},
        [("FF305", "the linear model is better than the network: test accuracy 0.9 beside 0.95")],
    ),
    (
        {"comparisons": (comparison(0.5, 0.5, maximize=False),)},
        [("FF305", "the linear model is as good as the network: test accuracy 0.5 beside 0.5")],
    ),
    (
        {"comparisons": (comparison(0.5, 0.5, "majority class"),)},
        [("FF305", "the majority class is as good as the network: test accuracy 0.5 beside 0.5")],
    ),
    ({"dead": ((("layers", 1), 8, 16),)}, []),
    (
        {"dead": ((("layers", 1), 9, 16), (("layers", 1), 9, 16))},
        [("FF307", "9 of 16 units are 0 for every training row: they learn nothing any more")],
    ),
    ({"ratios": ((("layers", 0), 1e-3), (("layers", 2), 0.0))}, []),
    (
        {"ratios": ((("layers", 0), 0.5),)},
        [("FF308", "a step moves these weights by 5.0e-01 of themselves; about 1e-3 is usual")],
    ),
    ({"train_mode": 0.5, "eval_mode": 0.6}, []),
    ({"train_mode": 0.001, "eval_mode": 0.01}, []),
    (
        {"train_mode": 0.5, "eval_mode": 0.9},
        [("FF309", "the training rows' loss is 0.5 in train mode, but 0.9 in eval mode")],
    ),
    ({"losses": (2.3,) * 4, "chance": 2.3026}, []),
    ({"losses": (2.3, 2.3, 2.3, 2.3, 1.0), "chance": 2.3026}, []),
    ({"losses": (2.3, 2.3, 2.3, 2.3, 30.0), "chance": 2.3026}, []),
    (
        {"losses": (2.4, 2.31, 2.3, 2.3, 2.3), "chance": 2.3026},
        [("FF310", "the training loss is 2.3, and would be 2.303 if the network ignored its input")],
    ),
    (
        {"losses": (90.0, 80.0, 85.0, 80.0, 80.0), "chance": 50.0, "bounded": False},
        [("FF310", "the training loss is 80, and would be 50 if the network ignored its input")],
    ),
    (
        {"losses": (90.0, 100.0, 1e3, 1e4, 1e5), "chance": 50.0, "bounded": False},
        [("FF310", "the training loss rose from 90 to 1e+05")],
    ),
]


@pytest.mark.parametrize(("facts", "expected"), CASES)
def test_what_is_said(facts: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert judged(**facts) == expected


DIGITS = "dataset: {digits: {}, prepare: standardize}\nlayers: [{linear: 32}, relu, linear]\nloss: cross_entropy\n"


def test_a_healthy_training_shows_nothing() -> None:
    text = DIGITS.replace("32", "128") + REST.format(optimizer="{adam: 0.003}", training="epochs: 15")
    assert said(run(text)) == {}


def test_dead_units() -> None:
    dead = DIGITS.replace("linear: 32", "linear: {out_features: 32, bias_init: {constant: -9}}")
    found = said(run(dead + REST.format(optimizer="adam", training="epochs: 6")))
    assert set(found) == {"FF305", "FF307", "FF310"}
    assert found["FF305"].startswith("the linear model is better than the network: test accuracy 0.1")
    assert found["FF307"] == "32 of 32 units are 0 for every training row: they learn nothing any more"


def test_a_learning_rate_that_does_nothing() -> None:
    found = said(run(DIGITS + REST.format(optimizer="{sgd: 1e-6}", training="epochs: 5")))
    assert {"FF305", "FF308", "FF310"} == set(found)


def test_running_statistics_that_lag_behind() -> None:
    """Standardised by the batch in train mode, by statistics that have hardly moved from 0 and 1 in eval mode."""
    layers = "layers: [{linear: 32}, {batch_norm: {momentum: 0.001}}, relu, linear]\n"
    text = "dataset: wine\n" + layers + "loss: cross_entropy\n"
    found = said(run(text + REST.format(optimizer="adam", training="epochs: 20, batch_size: all"), seed=0))
    assert "FF309" in found


def test_the_linear_model_is_scikit_learns() -> None:
    result = run(DIGITS + REST.format(optimizer="adam", training="epochs: 1"))
    constant, linear = result.baselines
    train, test = result.data.splits["train"], result.data.splits["test"]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(train.x, train.y)
    assert linear.measures["accuracy"] == accuracy_score(test.y, model.predict(test.x))
    majority = DummyClassifier().fit(train.x, train.y)
    assert constant.measures["accuracy"] == accuracy_score(test.y, majority.predict(test.x))
    assert [(item.name, item.split, item.rows) for item in result.baselines] == [
        ("majority class", "test", len(train)),
        ("linear model", "test", len(train)),
    ]


def test_the_baselines_of_numbers() -> None:
    text = "dataset: {diabetes: {}, prepare: standardize}\nlayers: [{linear: 8}, relu, linear]\nloss: mse\n"
    result = run(text + REST.format(optimizer="adam", training="epochs: 1"))
    constant, linear = result.baselines
    train, test = result.data.splits["train"], result.data.splits["test"]
    model = make_pipeline(StandardScaler(), Ridge()).fit(train.x.astype(np.float64), train.y)
    assert linear.measures["r2"] == pytest.approx(r2_score(test.y, model.predict(test.x.astype(np.float64))), abs=1e-12)
    assert constant.measures["r2"] == pytest.approx(r2_score(test.y, np.full_like(test.y, train.y.mean())), abs=1e-12)


def test_a_linear_network_need_not_beat_itself() -> None:
    text = "dataset: {breast_cancer: {}, prepare: standardize}\nlayers: [linear]\nloss: bce_with_logits\n"
    assert "FF305" not in said(run(text + REST.format(optimizer="adam", training="epochs: 20")))


def test_large_data_is_sampled_for_the_linear_model() -> None:
    x = torch.randn(30_000, 4, generator=torch.Generator().manual_seed(0)).double().numpy()
    text = "dataset: arrays\nlayers: [{linear: 4}, relu, linear]\nloss: mse\n"
    result = run(text + REST.format(optimizer="adam", training="epochs: 1, batch_size: all"), data=(x, x[:, 0]))
    assert [item.rows for item in result.baselines] == [24_000, 12_000]


def test_watching_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    text = DIGITS.replace("relu", "batch_norm, relu, {dropout: 0.2}")
    text += REST.format(optimizer="adam", training="epochs: 3")
    watched = run(text)
    monkeypatch.setattr("ffspec.runner.watching.Watch.before_epoch", lambda *_: None)
    blind = run(text)
    for name, tensor in watched.model.state_dict().items():
        assert torch.equal(tensor, blind.model.state_dict()[name])
