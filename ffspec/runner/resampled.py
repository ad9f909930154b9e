"""Metrics of resampled rows, many resamples at once; each equals scikit-learn's of the rows themselves.

Shapes: R resamples, N rows, C classes or target columns, G groups of rows with equal scores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from ffspec.runner.metrics import Reading
    from ffspec.spec.metrics import Metric

Statistic: TypeAlias = Callable[[Any], Any]
"""From how often each row is in each resample, (R, N), to a value for each, (R,); NaN where it is undefined."""

SORTED = 5
"""How many times as long it takes to go through the rows in an order of their own, and to add them up there."""


def cost(metric: Metric, reading: Reading) -> int:
    """Return how many times as long as a mean a metric takes."""
    if metric.reading == "score":
        return SORTED * (1 if reading.classes == 2 else reading.classes or 1)
    if metric.quantile is not None or metric.name == "median_absolute_error":
        return SORTED * int(reading.truth.shape[1])
    return 1


def statistic(metric: Metric, reading: Reading) -> Statistic | None:
    """Return a metric as a function of resamples; None where the reading has not what it is computed from."""
    if reading.classes is None:
        return _of_values(metric, np.asarray(reading.truth, dtype=float), np.asarray(reading.output, dtype=float))
    if metric.reading == "prediction":
        return _of_labels(metric.name, reading)
    if metric.reading == "score":
        return _of_scores(metric.name, reading)
    return None if reading.probability is None else _of_chances(metric.name, reading, reading.classes)


def ratio(values_N: Any, weights_N: Any) -> Statistic:
    """Return a weighted mean."""
    both_N2 = np.stack([values_N, weights_N], axis=1)

    def compute(counts_RN: Any) -> Any:
        sums = counts_RN @ both_N2
        return _quotient(sums[:, 0], sums[:, 1])

    return compute


def mean(values_N: Any) -> Statistic:
    """Return a mean over rows."""
    return lambda counts_RN: counts_RN @ values_N / len(values_N)


def _quotient(above: Any, below: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below != 0, above / below, np.nan)


def _of_labels(name: str, reading: Reading) -> Statistic:
    classes = reading.classes or 0
    cells = reading.truth * classes + reading.prediction
    order = np.argsort(cells, kind="stable")
    present, starts = np.unique(cells[order], return_index=True)
    ordered = bool((order[1:] > order[:-1]).all())

    def compute(counts_RN: Any) -> Any:
        counts = counts_RN if ordered else counts_RN[:, order]
        cells_RG = np.add.reduceat(counts, starts, axis=1)
        confusion = np.zeros((len(counts), classes * classes))
        confusion[:, present] = cells_RG
        return of_confusion(name, confusion.reshape(-1, classes, classes))

    return compute


def of_confusion(name: str, confusion_RCC: Any) -> Any:
    """Return a metric of predicted classes from confusion matrices, true classes in their rows; (R,)."""
    right, true = np.einsum("rcc->rc", confusion_RCC), confusion_RCC.sum(axis=2)
    said, rows = confusion_RCC.sum(axis=1), confusion_RCC.sum(axis=(1, 2))
    if name == "accuracy":
        return right.sum(axis=1) / rows
    if name == "balanced_accuracy":
        recall = np.where(true > 0, right / np.maximum(true, 1), 0)
        return recall.sum(axis=1) / (true > 0).sum(axis=1)
    if name in {"precision", "recall", "f1"}:
        below = {"precision": said, "recall": true, "f1": (said + true) / 2}[name]
        each = np.where(below > 0, right / np.where(below > 0, below, 1), 0)
        return each[:, 1] if each.shape[1] == 2 else each.mean(axis=1)
    single = (true > 0).sum(axis=1) < 2  # nothing to agree on
    expected = (true * said).sum(axis=1)
    gain = right.sum(axis=1) * rows - expected
    if name == "cohen_kappa":
        return np.where(single, np.nan, _quotient(gain, rows**2 - expected))
    size = np.sqrt((rows**2 - (said**2).sum(axis=1)) * (rows**2 - (true**2).sum(axis=1)))
    return np.where(single, np.nan, np.nan_to_num(_quotient(gain, size)))


def _of_scores(name: str, reading: Reading) -> Statistic:
    """Return a ranking metric; of more than two classes, the mean of each against the rest."""
    compute = _area if name == "roc_auc" else _average_precision
    if reading.classes == 2:
        return compute(reading.truth == 1, reading.score)
    each = [compute(reading.truth == label, reading.score[:, label]) for label in range(reading.classes or 0)]
    return lambda counts_RN: sum(one(counts_RN) for one in each) / len(each)


def _area(positive_N: Any, score_N: Any) -> Statistic:
    """Return the area under the ROC curve: how often a positive row has a higher score than a negative one."""
    above, below = np.flatnonzero(positive_N), np.flatnonzero(~positive_N)
    below = below[np.argsort(score_N[below], kind="stable")]
    first = np.searchsorted(score_N[below], score_N[above], side="left")
    last = np.searchsorted(score_N[below], score_N[above], side="right")
    tied = bool((first != last).any())

    def compute(counts_RN: Any) -> Any:
        positive, passed = counts_RN[:, above], np.zeros((len(counts_RN), len(below) + 1))
        np.cumsum(counts_RN[:, below], axis=1, out=passed[:, 1:])
        won = np.einsum("rp,rp->r", positive, passed[:, first])
        if tied:
            won = (won + np.einsum("rp,rp->r", positive, passed[:, last])) / 2
        return _quotient(won, positive.sum(axis=1) * passed[:, -1])

    return compute


def _average_precision(positive_N: Any, score_N: Any) -> Statistic:
    """Return the mean precision at every score, weighted by the recall it adds."""
    order = np.argsort(-score_N, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score_N[order])), len(order) - 1)
    positive = positive_N[order]

    def compute(counts_RN: Any) -> Any:
        counts = counts_RN[:, order]
        taken, right = np.cumsum(counts, axis=1)[:, ends], np.cumsum(counts * positive, axis=1)[:, ends]
        added = np.diff(right, axis=1, prepend=0)
        precision = right / np.maximum(taken, 1)
        absent = (right[:, -1] == 0) | (right[:, -1] == taken[:, -1])  # of one class
        return np.where(absent, np.nan, _quotient((added * precision).sum(axis=1), right[:, -1]))

    return compute


def _of_chances(name: str, reading: Reading, classes: int) -> Statistic:
    truth, probability = reading.truth, reading.shares
    wanted = np.eye(classes)[truth]
    if name == "log_loss":
        tiny = np.finfo(probability.dtype).eps
        return mean(-np.log(np.clip(probability[np.arange(len(truth)), truth], tiny, 1 - tiny)))
    if name == "brier":
        squares = ((probability - wanted) ** 2).sum(axis=1)
        return mean(squares / 2 if classes == 2 else squares)
    confidence, label = probability.max(axis=1), probability.argmax(axis=1)
    bins = np.clip(np.ceil(confidence * 15), 1, 15).astype(int) - 1
    gaps = np.eye(15)[bins] * ((label == truth) - confidence)[:, None]
    return lambda counts_RN: np.abs(counts_RN @ gaps).sum(axis=1) / len(truth)


def _of_values(metric: Metric, truth_NC: Any, output_NC: Any) -> Statistic:
    error = truth_NC - output_NC
    if metric.name == "mae":
        return mean(np.abs(error).mean(axis=1))
    if metric.name == "mse":
        return mean((error**2).mean(axis=1))
    if metric.name == "mape":
        return mean((np.abs(error) / np.maximum(np.abs(truth_NC), np.finfo(float).eps)).mean(axis=1))
    if metric.name == "rmse":
        return lambda counts_RN: np.sqrt(counts_RN @ error**2 / len(error)).mean(axis=1)
    if metric.name in {"r2", "explained_variance"}:
        return _explained(error, truth_NC, centred=metric.name == "explained_variance")
    if metric.name == "max_error":
        return _largest(np.abs(error).max(axis=1))
    quantile = 0.5 if metric.quantile is None else metric.quantile
    each = [_quantile(np.abs(column), quantile) for column in error.T]
    return lambda counts_RN: sum(one(counts_RN) for one in each) / len(each)


def _explained(error_NC: Any, truth_NC: Any, *, centred: bool) -> Statistic:
    """Return the share of the variance that is explained."""
    # About the mean of all rows, so that the difference of two sums loses no digits.
    moved, rows = truth_NC - truth_NC.mean(axis=0), len(truth_NC)
    shift = error_NC - error_NC.mean(axis=0) if centred else error_NC

    def compute(counts_RN: Any) -> Any:
        left = counts_RN @ shift**2
        if centred:
            left = left - (counts_RN @ shift) ** 2 / rows
        whole = counts_RN @ moved**2 - (counts_RN @ moved) ** 2 / rows
        return (1 - _quotient(left, whole)).mean(axis=1)

    return compute


def _largest(values_N: Any) -> Statistic:
    order = np.argsort(-values_N, kind="stable")
    return lambda counts_RN: values_N[order][(counts_RN[:, order] > 0).argmax(axis=1)]


def _quantile(values_N: Any, quantile: float) -> Statistic:
    """Return a quantile, between two rows in proportion, as numpy has it."""
    order = np.argsort(values_N, kind="stable")
    place = (len(values_N) - 1) * quantile
    below = int(place)

    def compute(counts_RN: Any) -> Any:
        passed = np.cumsum(counts_RN[:, order], axis=1)
        at = [values_N[order][(passed <= min(k, len(order) - 1)).sum(axis=1)] for k in (below, below + 1)]
        return at[0] + (place - below) * (at[1] - at[0])

    return compute
