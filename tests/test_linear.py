"""The linear models of the baselines, and the usual metrics, against scikit-learn's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression, Ridge

from ffspec.runner.linear import fits, logistic, ridge
from ffspec.runner.usual import USUAL
from ffspec.spec.metrics import METRICS

SHAPES = ((40, 2, 2), (40, 1, 3), (300, 6, 4), (12, 20, 2))
"""Rows, features, classes."""


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("spread", [0.3, 3.0, 1000.0], ids=["mixed", "apart", "separable"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_logistic_regression_is_at_the_optimum(
    shape: tuple[int, int, int], spread: float, *, weighted: bool
) -> None:
    rows, features, classes = shape
    random = np.random.default_rng(rows + classes)
    x = random.standard_normal((rows, features))
    scores = x @ random.standard_normal((features, classes)) * spread + random.gumbel(size=(rows, classes))
    y = np.unique(np.concatenate([np.arange(classes), scores.argmax(axis=1)[classes:]]), return_inverse=True)[1]
    weight = random.random(rows) if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(max_iter=5000, tol=1e-9).fit(x, y, weight)
    assert fits(rows, features, classes)
    assert np.exp(logistic(x, y, weight)(x)) == pytest.approx(model.predict_proba(x), abs=2e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(50, 4), (10, 30)], ids=str)
def test_the_ridge_regression_is_scikit_learns(shape: tuple[int, int], *, weighted: bool) -> None:
    random = np.random.default_rng(1)
    x, y = random.standard_normal(shape), random.standard_normal((shape[0], 2))
    weight = random.random(shape[0]) if weighted else None
    assert ridge(x, y, weight)(x) == pytest.approx(Ridge().fit(x, y, weight).predict(x), abs=1e-12)


def test_a_large_logistic_regression_is_left_to_scikit_learn() -> None:
    assert not fits(100, 100, 2)
    assert not fits(20_000, 99, 2)
    assert fits(2_000, 99, 2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", USUAL)
def test_a_usual_metric_has_the_bits_of_scikit_learn(name: str, columns: int, *, weighted: bool) -> None:
    random = np.random.default_rng(2)
    metric = next(metric for metric in METRICS if metric.name == name)
    for rows in (2, 3, 50, 1001):
        truth: Any
        given: Any
        if metric.reading == "probability":
            truth, given = random.integers(0, columns + 1, rows), random.dirichlet([0.1] * (columns + 1), rows)
        elif metric.target == "classes":
            truth, given = random.integers(0, columns + 1, rows), random.integers(0, columns + 1, rows)
        else:
            truth, given = random.standard_normal((rows, columns)), random.standard_normal((rows, columns))
        weight = random.random(rows).astype(np.float32) if weighted else None
        more = {"labels": [*range(columns + 1)]} if metric.reading == "probability" else {}
        expected = getattr(sk, metric.function)(truth, given, sample_weight=weight, **more)
        found = USUAL[name](truth, given, weight)
        assert found == expected
        assert type(found) is float  # what JSON takes


def test_the_log_loss_of_many_rows_is_left_to_scikit_learn() -> None:
    assert USUAL["log_loss"](np.zeros(10_001, dtype=int), np.full((10_001, 2), 0.5), None) is None


def test_r2_of_targets_that_are_all_the_same_is_left_to_scikit_learn() -> None:
    assert USUAL["r2"](np.ones((3, 1)), np.zeros((3, 1)), None) is None
