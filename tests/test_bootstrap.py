"""Intervals of resampled rows: every fast statistic equals the plain metric of the rows themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ffspec
from ffspec.builder.loss import build_loss
from ffspec.runner.bootstrap import RESAMPLES, bounds_of, intervals, resamples
from ffspec.runner.evaluation import Batch, Judge
from ffspec.runner.judgement import row_losses
from ffspec.runner.metrics import Reading, measure_reading, read
from ffspec.runner.resampled import statistic
from ffspec.spec.losses import MSE, CrossEntropy
from ffspec.spec.metrics import METRICS, Metric
from tests.test_components import LOSSES, name_of
from tests.test_evaluation import AUTOCAST

ROWS = 37


def reading(classes: int | None, columns: int = 1, *, rounded: bool = False) -> Reading:
    """Draw outputs and a target they have to do with; rounded ones are often equal."""
    generator = torch.Generator().manual_seed(5)
    output = torch.randn(ROWS, classes or columns, generator=generator, dtype=torch.float64)
    output = output.round() if rounded else output
    if classes is None:
        y = output + torch.randn(output.shape, generator=generator, dtype=torch.float64) / 2
        return read(output, y, MSE(), None)
    y = torch.multinomial((output * 1.5).softmax(dim=1), 1, generator=generator).squeeze(1)
    return read(output, y, CrossEntropy(), classes)


def taken(given: Reading, rows: Any) -> Reading:
    """Return a reading of some rows, as often as they are named."""
    parts = {name: getattr(given, name) for name in ("truth", "output", "prediction", "score", "probability")}
    return Reading(classes=given.classes, **{name: None if one is None else one[rows] for name, one in parts.items()})


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("rounded", [False, True], ids=["apart", "tied"])
def test_a_statistic_is_the_metric_of_the_resampled_rows(metric: Metric, size: int, *, rounded: bool) -> None:
    if (metric.binary_only and size > 2) or (metric.name == "max_error" and size > 2):
        pytest.skip("of one column, or of two classes")
    given = reading(size, rounded=rounded) if metric.target == "classes" else reading(None, size - 1, rounded=rounded)
    drawn = np.random.default_rng(1).integers(ROWS, size=(25, ROWS))
    counts = np.stack([np.bincount(rows, minlength=ROWS) for rows in drawn]).astype(float)
    compute = statistic(metric, given)
    assert compute is not None
    slow = [measure_reading(taken(given, rows), [metric]).get(metric.name, np.nan) for rows in drawn]
    np.testing.assert_allclose(compute(counts), slow, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "metric", [metric for metric in METRICS if metric.target == "classes"], ids=lambda one: one.name
)
def test_what_is_undefined_of_one_class_is_undefined_in_a_resample(metric: Metric) -> None:
    given = reading(2)
    rows = np.flatnonzero(given.truth == 0)
    counts = np.bincount(rows, minlength=ROWS).astype(float)[None] * ROWS / len(rows)
    compute = statistic(metric, given)
    assert compute is not None
    slow = measure_reading(taken(given, rows), [metric]).get(metric.name, np.nan)
    np.testing.assert_allclose(compute(counts), [slow], rtol=1e-9)


@pytest.mark.parametrize(("text", "data", "layers"), [row[:3] for row in LOSSES], ids=lambda one: name_of(str(one)))
def test_the_mean_of_the_losses_of_rows_is_the_loss(text: str, data: str, layers: str) -> None:
    loss = f"{{{text}}}" if ": " in text else text
    spec = ffspec.load(f"{data}layers: {layers}\nloss: {loss}\noptimizer: sgd\ntraining: {{epochs: 1}}\n")
    result = ffspec.run(spec)
    test = result.data.splits["test"]
    output = result.model(torch.from_numpy(test.x).float()).detach()
    classes = None if result.data.classes is None else len(result.data.classes)
    made = build_loss(result.plan.loss, counts=[8, 8, 8][: classes or 0])
    judge = Judge(spec=spec.loss, loss=made, classes=classes, metrics=(), autocast=AUTOCAST)
    from ffspec.builder.loss import encode

    y = torch.from_numpy(test.y)
    batch = Batch(x=output, y=y, target=encode(y, spec.loss.target, classes, torch.float32))
    losses, weights = row_losses(output, batch, judge)
    assert losses.sum() / weights.sum() == pytest.approx(float(judge.loss_of(output, batch)), rel=1e-5)
    low, high = result.intervals["loss"]
    assert low <= result.after["test"]["loss"] <= high


def test_the_interval_holds_the_true_value_as_often_as_it_says() -> None:
    accuracy = [metric for metric in METRICS if metric.name == "accuracy"]
    held = 0
    for seed in range(200):
        right = np.random.default_rng(seed).random(150) < 0.7
        given = Reading(classes=2, truth=np.ones(150, dtype=int), prediction=right.astype(int))
        low, high = intervals(given, accuracy, None, measure_reading(given, accuracy), seed)["accuracy"]
        held += low <= 0.7 <= high
    assert 180 <= held <= 198


def test_every_resample_has_as_many_rows() -> None:
    parts = list(resamples(1000, 3, 700))
    counts = np.concatenate([counts for _, counts in parts])
    assert [first for first, _ in parts] == [0, 500]
    assert counts.shape == (700, 1000)
    assert (counts.sum(axis=1) == 1000).all()
    assert abs(float((counts == 0).mean()) - np.exp(-1)) < 0.01


def test_of_many_rows_there_are_fewer_resamples_and_a_normal_interval() -> None:
    values = np.random.default_rng(0).normal(5, 1, size=RESAMPLES)
    percentiles, normal = bounds_of(values, 5.0), bounds_of(values[:100], 5.0)
    assert percentiles == pytest.approx((3.04, 6.96), abs=0.2)
    assert normal == pytest.approx((3.04, 6.96), abs=0.5)
    assert bounds_of(np.array([1.0, np.nan, np.nan]), 1.0) is None


def test_a_run_has_the_same_intervals_every_time() -> None:
    text = "dataset: {wine: {}, prepare: standardize}\nlayers: [{linear: 8}, relu, linear]\nloss: cross_entropy\n"
    text += "optimizer: {adam: 0.01}\ntraining: {epochs: 5}\nmetrics: [accuracy, log_loss, roc_auc]\n"
    first, again, other = ffspec.run(text), ffspec.run(text), ffspec.run(text, seed=1)
    assert first.intervals == again.intervals != other.intervals
    assert list(first.intervals) == ["loss", "accuracy", "log_loss", "roc_auc"]
    assert first.intervals["loss"] == pytest.approx(first.intervals["log_loss"], rel=1e-5)
