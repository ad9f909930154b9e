"""Metrics: scikit-learn's own, of what each loss's output says."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn import metrics as sk
from torch import Tensor

from ffspec.runner.metrics import measure, read_classes, read_values
from ffspec.spec import losses
from ffspec.spec.kinds import Loss
from ffspec.spec.metrics import METRICS, find_metric

ROWS = 60
CLASSIFYING = tuple(metric for metric in METRICS if metric.target == "classes")
REGRESSING = tuple(metric for metric in METRICS if metric.target == "values")
LABELS, SCORES, CHANCES = "labels", "scores", "chances"

Array = NDArray[Any]
Expected = Callable[[Array, dict[str, Array]], float]


def calibration_error(y: Array, chances: Array) -> float:
    """Go through the bins one by one, as Guo et al. 2017 (equation 3) have it."""
    total = 0.0
    for low in range(15):
        sure = chances.max(axis=1)
        inside = (sure > low / 15) & (sure <= (low + 1) / 15)
        if inside.any():
            right = (chances.argmax(axis=1) == y)[inside].mean()
            total += inside.mean() * abs(right - sure[inside].mean())
    return total


TWO: dict[str, Expected] = {
    "accuracy": lambda y, r: sk.accuracy_score(y, r[LABELS]),
    "balanced_accuracy": lambda y, r: sk.balanced_accuracy_score(y, r[LABELS]),
    "precision": lambda y, r: sk.precision_score(y, r[LABELS]),
    "recall": lambda y, r: sk.recall_score(y, r[LABELS]),
    "f1": lambda y, r: sk.f1_score(y, r[LABELS]),
    "matthews_corrcoef": lambda y, r: sk.matthews_corrcoef(y, r[LABELS]),
    "cohen_kappa": lambda y, r: sk.cohen_kappa_score(y, r[LABELS]),
    "roc_auc": lambda y, r: sk.roc_auc_score(y, r[SCORES]),
    "average_precision": lambda y, r: sk.average_precision_score(y, r[SCORES]),
    "log_loss": lambda y, r: sk.log_loss(y, r[CHANCES]),
    "brier": lambda y, r: sk.brier_score_loss(y, r[CHANCES][:, 1]),
    "ece": lambda y, r: calibration_error(y, r[CHANCES]),
}
MANY: dict[str, Expected] = {
    **{name: TWO[name] for name in ("accuracy", "balanced_accuracy", "matthews_corrcoef", "cohen_kappa")},
    "precision": lambda y, r: sk.precision_score(y, r[LABELS], average="macro"),
    "recall": lambda y, r: sk.recall_score(y, r[LABELS], average="macro"),
    "f1": lambda y, r: sk.f1_score(y, r[LABELS], average="macro"),
    "roc_auc": lambda y, r: np.mean([sk.roc_auc_score(y == code, r[SCORES][:, code]) for code in range(3)]),
    "log_loss": lambda y, r: sk.log_loss(y, r[CHANCES] / r[CHANCES].sum(axis=1, keepdims=True)),
    "brier": lambda y, r: sk.brier_score_loss(y, r[CHANCES] / r[CHANCES].sum(axis=1, keepdims=True)),
    "ece": lambda y, r: calibration_error(y, r[CHANCES] / r[CHANCES].sum(axis=1, keepdims=True)),
}
VALUES: dict[str, Callable[[Array, Array], float]] = {
    "r2": sk.r2_score,
    "rmse": lambda y, p: sk.mean_squared_error(y, p) ** 0.5,
    "mse": sk.mean_squared_error,
    "mae": sk.mean_absolute_error,
    "median_absolute_error": sk.median_absolute_error,
    "p90_absolute_error": lambda y, p: float(np.mean(np.quantile(abs(y - p), 0.9, axis=0))),
    "p95_absolute_error": lambda y, p: float(np.mean(np.quantile(abs(y - p), 0.95, axis=0))),
    "max_error": lambda y, p: float(abs(y - p).max()),
    "mape": sk.mean_absolute_percentage_error,
    "explained_variance": sk.explained_variance_score,
}


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def classes(count: int) -> Tensor:
    return torch.randint(count, (ROWS,), generator=torch.Generator().manual_seed(1))


def measured(output: Tensor, y: Tensor, loss: Loss, count: int | None) -> dict[str, float]:
    return measure(output, y, loss, count, CLASSIFYING if count else REGRESSING)


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def softmax(x: Array) -> Array:
    return np.asarray(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True))


def pair(chance: Array) -> Array:
    return np.stack([1 - chance, chance], axis=1)


ONE_COLUMN: dict[str, tuple[Loss, Callable[[Tensor], Tensor], Callable[[Array], dict[str, Array]]]] = {
    "logit": (
        losses.BCEWithLogits(),
        lambda x: x,
        lambda o: {LABELS: o >= 0, SCORES: sigmoid(o), CHANCES: pair(sigmoid(o))},
    ),
    "probability": (losses.BCE(), torch.sigmoid, lambda o: {LABELS: o >= 0.5, SCORES: o, CHANCES: pair(o)}),
    "margin": (losses.SoftMargin(), lambda x: x, lambda o: {LABELS: o >= 0, SCORES: o}),
    "perceptron": (losses.Perceptron(), lambda x: x, lambda o: {LABELS: o >= 0, SCORES: o}),
    "distance": (losses.HingeEmbedding(margin=0.8), torch.abs, lambda o: {LABELS: o <= 0.4, SCORES: -o}),
    "value": (losses.MSE(), lambda x: x, lambda o: {LABELS: o >= 0.5, SCORES: o}),
    "log_rate": (losses.PoissonNLL(), lambda x: x, lambda o: {LABELS: np.exp(o) >= 0.5, SCORES: o}),
}


@pytest.mark.parametrize("form", ONE_COLUMN)
def test_two_classes_in_one_column(form: str) -> None:
    loss, shape, read = ONE_COLUMN[form]
    output, y = shape(normal(ROWS, 1)), classes(2)
    readings = {name: array * 1 for name, array in read(output[:, 0].double().numpy()).items()}
    expected = {
        name: function(y.numpy(), readings)
        for name, function in TWO.items()
        if CHANCES in readings or name not in {"log_loss", "brier", "ece"}
    }
    assert measured(output, y, loss, 2) == pytest.approx(expected)


SEVERAL: dict[str, tuple[Loss, Callable[[Tensor], Tensor], Callable[[Array], dict[str, Array]]]] = {
    "logits": (losses.CrossEntropy(), lambda x: x, lambda o: {SCORES: softmax(o), CHANCES: softmax(o)}),
    "log_probabilities": (
        losses.NLL(),
        lambda x: x.log_softmax(1),
        lambda o: {SCORES: softmax(o), CHANCES: softmax(o)},
    ),
    "scores": (losses.MultiMargin(), lambda x: x, lambda o: {SCORES: o}),
    "logit": (losses.MultiLabelSoftMargin(), lambda x: x, lambda o: {SCORES: sigmoid(o), CHANCES: sigmoid(o)}),
    "probability": (losses.BCE(), torch.sigmoid, lambda o: {SCORES: o, CHANCES: o}),
    "margin": (losses.SoftMargin(), lambda x: x, lambda o: {SCORES: o}),
    "distance": (losses.HingeEmbedding(), torch.abs, lambda o: {SCORES: -o}),
    "value": (losses.MSE(), lambda x: x, lambda o: {SCORES: o}),
}


@pytest.mark.parametrize("form", SEVERAL)
def test_three_classes_in_three_columns(form: str) -> None:
    loss, shape, read = SEVERAL[form]
    output, y = shape(normal(ROWS, 3)), classes(3)
    readings = read(output.double().numpy())
    readings[LABELS] = readings[SCORES].argmax(axis=1)
    expected = {
        name: function(y.numpy(), readings)
        for name, function in MANY.items()
        if CHANCES in readings or name not in {"log_loss", "brier", "ece"}
    }
    assert measured(output, y, loss, 3) == pytest.approx(expected)


@pytest.mark.parametrize("form", ["logits", "log_probabilities", "scores"])
def test_two_classes_in_two_columns(form: str) -> None:
    loss, shape, read = SEVERAL[form]
    output, y = shape(normal(ROWS, 2)), classes(2)
    array = output.double().numpy()
    readings = {**read(array), LABELS: array.argmax(axis=1), SCORES: array[:, 1] - array[:, 0]}
    expected = {
        name: function(y.numpy(), readings)
        for name, function in TWO.items()
        if CHANCES in readings or name not in {"log_loss", "brier", "ece"}
    }
    assert measured(output, y, loss, 2) == pytest.approx(expected)


@pytest.mark.parametrize("columns", [1, 3])
def test_numbers(columns: int) -> None:
    y = normal(ROWS, columns) + 2
    output = y + torch.linspace(-1, 1, ROWS)[:, None]
    expected = {name: function(y.double().numpy(), output.double().numpy()) for name, function in VALUES.items()}
    assert measured(output, y, losses.Huber(), None) == pytest.approx(expected, rel=1e-6)


def test_counts_are_the_exponential_of_their_log_rate() -> None:
    output = normal(ROWS, 1)
    assert torch.equal(read_values(output, losses.PoissonNLL()), output.double().exp())
    assert torch.equal(read_values(output, losses.MSE()), output.double())


def test_every_metric_is_compared() -> None:
    assert {*TWO, *VALUES} == {metric.name for metric in METRICS}
    assert {*MANY} == {*TWO} - {metric.name for metric in METRICS if metric.binary_only}


def test_the_direction_of_every_metric() -> None:
    y = classes(2)
    good = (y * 2.0 - 1).unsqueeze(1) * 3 + normal(ROWS, 1)
    right, wrong = (measured(sign * good, y, losses.BCEWithLogits(), 2) for sign in (1, -1))
    numbers = normal(ROWS, 1)
    near, far = (
        measured(numbers + error * normal(ROWS, 1).flip(0), numbers, losses.MSE(), None) for error in (0.1, 2.0)
    )
    for better, worse in ((right, wrong), (near, far)):
        for name in better:
            metric = find_metric(name)
            assert metric is not None
            assert (better[name] > worse[name]) == metric.maximize


@pytest.mark.parametrize("form", ["logits", "probability"])
@pytest.mark.parametrize("label", [0, 2])
def test_where_one_class_is_alone_what_is_undefined_is_left_out(form: str, label: int) -> None:
    loss, shape, _ = SEVERAL[form]
    for output in (normal(5, 3), torch.nn.functional.one_hot(torch.full((5,), label), 3) * 60.0 - 30):
        found = measured(shape(output), torch.full((5,), label), loss, 3)
        assert {"accuracy", "log_loss", "brier"} <= {*found}
        assert not {"roc_auc", "average_precision"} & {*found}
        assert all(map(isfinite, found.values()))


@pytest.mark.parametrize("label", [0, 1])
def test_where_one_of_two_classes_is_alone_what_is_undefined_is_left_out(label: int) -> None:
    for output in (normal(5, 1), torch.full((5, 1), 1e3), torch.full((5, 1), -1e3)):
        found = measured(output, torch.full((5,), label), losses.BCEWithLogits(), 2)
        assert {"accuracy", "log_loss", "brier"} <= {*found}
        assert not {"roc_auc", "average_precision"} & {*found}
        assert all(map(isfinite, found.values()))


def test_certain_of_nothing() -> None:
    found = measured(torch.full((ROWS, 3), -1e4), classes(3), losses.MultiLabelSoftMargin(), 3)
    assert all(map(isfinite, found.values()))


def test_a_single_row_has_no_variance_to_explain() -> None:
    found = measured(torch.zeros(1, 1), torch.ones(1, 1), losses.MSE(), None)
    assert {*VALUES} - {*found} == {"r2", "explained_variance"}


def test_a_single_class_is_the_one_predicted() -> None:
    prediction = read_classes(torch.full((4, 1), 9.0), losses.CrossEntropy())
    assert prediction.label.tolist() == [0, 0, 0, 0]


def test_no_metrics_no_work() -> None:
    assert measure(normal(4, 1), classes(2)[:4], losses.BCE(), 2, ()) == {}
