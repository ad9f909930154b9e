"""What a network must beat: models that take no craft, fitted on the same training rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ffspec.rules.outcomes import LINEAR, Comparison
from ffspec.runner.linear import Model, fits, logistic, ridge
from ffspec.runner.metrics import measure
from ffspec.spec.losses import MSE, CrossEntropy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ffspec.data import Loaded
    from ffspec.runner.bootstrap import Interval
    from ffspec.spec.metrics import Metric

ROWS = 20_000
"""Training rows the linear model is fitted on at most; more change its coefficients by less than they are unsure."""
WORK = 20_000_000
"""Rows times features times classes it is fitted on at most: a second or so."""
AT_ONCE = 1 << 18
"""Rows whose predictions are made at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A simple model and its metrics on one split."""

    name: str
    split: str
    measures: Mapping[str, float]
    rows: int
    """The training rows it was fitted on."""


def fit_baselines(loaded: Loaded, metrics: Sequence[Metric], split: str) -> tuple[Baseline, ...]:
    """Fit the majority class (or the mean) and a logistic (or ridge) regression, and measure both.

    Args:
        loaded: The data; the features are standardised by the training rows for the linear model.
        metrics: What to compute.
        split: The split to measure on.
    """
    train, judged = loaded.splits["train"], loaded.splits[split]
    if not metrics or not len(train):
        return ()
    chosen = np.arange(0, len(train), _stride(loaded))
    constant = _constant(loaded, len(judged))
    fitted = _linear(loaded, chosen, judged.x)
    weight = None if judged.weight is None else torch.from_numpy(judged.weight)
    classes = None if loaded.classes is None else len(loaded.classes)
    outputs = {"mean" if classes is None else "majority class": (constant, len(train)), LINEAR: (fitted, len(chosen))}
    loss = MSE() if classes is None else CrossEntropy()
    made = []
    for name, (output, rows) in outputs.items():
        if output is not None:
            found = measure(torch.from_numpy(output), torch.from_numpy(judged.y), loss, classes, metrics, weight=weight)
            made.append(Baseline(name=name, split=split, measures=found, rows=rows))
    return tuple(made)


def compare(  # noqa: PLR0913 - what a comparison depends on
    baselines: Sequence[Baseline],
    measures: Mapping[str, float],
    metrics: Sequence[Metric],
    *,
    linear: bool,
    weighted: bool,
    rows: int,
    intervals: Mapping[str, Interval] = MappingProxyType({}),
) -> tuple[Comparison, ...]:
    """Put the network beside the baselines, by the first metric.

    Args:
        baselines: What was fitted.
        measures: What the network reached on the same split.
        metrics: The metrics of the run.
        linear: Whether the network is a linear model itself, and need not beat another.
        weighted: Whether the loss weighs the classes, so that accuracy is not what the network is after.
        rows: The rows of the split.
        intervals: In which the measures of the network may lie by chance, where that is known.
    """
    made = []
    for item in baselines:
        shared = (one for one in metrics if one.name in item.measures and one.name in measures)
        metric = next((one for one in shared if not (weighted and one.name == "accuracy")), None)
        if metric is not None and not (linear and item.name == LINEAR):
            made.append(
                Comparison(
                    baseline=item.name,
                    split=item.split,
                    measure=metric.name,
                    maximize=metric.maximize,
                    network=measures[metric.name],
                    other=item.measures[metric.name],
                    noise=_noise(metric, item.measures[metric.name], rows, measures[metric.name], intervals),
                )
            )
    return tuple(made)


def _noise(metric: Metric, value: float, rows: int, network: float, intervals: Mapping[str, Interval]) -> float:
    """Return by how much the network may be worse by chance: as far as its interval goes, where there is one.

    Else the standard error of a share, or a hundredth of a figure.
    """
    if metric.name in intervals:
        low, high = intervals[metric.name]
        return high - network if metric.maximize else network - low
    return sqrt(max(value * (1 - value), 0) / rows) if metric.name == "accuracy" else 0.01 * abs(value)


def _stride(loaded: Loaded) -> int:
    train = loaded.splits["train"]
    width = int(train.x.shape[1]) * max(2, loaded.facts.outputs or 1)
    return max(1, -(-len(train) // min(ROWS, max(1000, WORK // width))))


def _constant(loaded: Loaded, rows: int) -> Any:
    """Return the output of a model that ignores the features: log-frequencies, or the mean."""
    y, weight = loaded.splits["train"].y, loaded.splits["train"].weight
    if loaded.classes is None:
        return np.tile(y.mean(axis=0) if weight is None else np.average(y, axis=0, weights=weight), (rows, 1))
    counts = np.bincount(y, weights=weight, minlength=len(loaded.classes))
    return np.tile(np.log(np.maximum(counts, 1e-9) / counts.sum()), (rows, 1))


def _linear(loaded: Loaded, chosen: Any, rows: Any) -> Any:
    """Return the output of a linear model, as scores of all classes or as numbers; None where there is none to fit."""
    train = loaded.splits["train"]
    chosen = chosen if train.weight is None else chosen[train.weight[chosen] > 0]
    x, y = train.x[chosen].astype(np.float64), train.y[chosen]
    weight = None if train.weight is None else train.weight[chosen]
    if not len(y):
        return None
    center, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1.0
    x = (x - center) / scale
    if loaded.classes is None:
        model = ridge(x, y, weight)
        return np.concatenate([model(part) for part in _scaled(rows, center, scale)])
    present, codes = np.unique(y, return_inverse=True)
    if len(present) < 2:
        return None
    model = _logistic(x, codes, weight, len(present))
    output = np.full((len(rows), len(loaded.classes)), -np.inf)
    output[:, present] = np.concatenate([model(part) for part in _scaled(rows, center, scale)])
    return np.maximum(output, -700.0)


def _logistic(x: Any, y: Any, weight: Any, classes: int) -> Model:
    """Return a logistic regression: by Newton's method where it is small, else scikit-learn's."""
    if fits(len(x), x.shape[1], classes):
        return logistic(x, y, weight)
    from sklearn.linear_model import LogisticRegression  # takes a second to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a baseline that stops early is a baseline still
        model = LogisticRegression(max_iter=200).fit(x, y, weight)

    def predict(rows: Any) -> Any:
        with np.errstate(divide="ignore"):  # far rows are sure to the last bit
            return model.predict_log_proba(rows)

    return predict


def _scaled(rows: Any, center: Any, scale: Any) -> Iterator[Any]:
    """Yield rows in float64, some at a time: all of a large split would take twice its memory."""
    for start in range(0, len(rows), AT_ONCE):
        yield (rows[start : start + AT_ONCE] - center) / scale
