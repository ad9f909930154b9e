"""Measures of rows that come some at a time: sums, so that no output is kept.

What is no sum over rows, as an area under a curve or a median, is not among them.

Shapes: B batch, C classes or target columns.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from ffspec.diagnostics import DivergedError
from ffspec.runner.evaluation import forward, refuse_infinite
from ffspec.runner.flow import flowing
from ffspec.runner.metrics import measure_reading, read
from ffspec.runner.resampled import of_confusion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from ffspec.runner.evaluation import Batch, Judge, Measures
    from ffspec.runner.flow import Flow
    from ffspec.runner.metrics import Reading

LABELS = frozenset({"accuracy", "balanced_accuracy", "precision", "recall", "f1", "matthews_corrcoef", "cohen_kappa"})
"""What follows from a confusion matrix."""
MEANS = frozenset({"log_loss", "brier"})
"""Means over rows."""


def tallied(network: nn.Module, flows: Mapping[str, Flow], judge: Judge) -> dict[str, Measures]:
    """Measure all rows of splits that are streamed, in one pass over the file.

    Raises:
        DivergedError: An output or a loss is not finite.
    """
    tallies = {name: Tally(judge) for name in flows}
    for name, part in flowing(flows):
        output = forward(network, part.x, judge)
        refuse_infinite(name, output)
        tallies[name].add(output, part)
    found = {name: tally.measures() for name, tally in tallies.items()}
    for name, measures in found.items():
        if not isfinite(measures["loss"]):
            raise DivergedError(f"the loss on the {name} split is {measures['loss']}")
    return found


class Tally:
    """The sums of one split."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._metrics = {metric.name: metric for metric in judge.metrics}
        self._loss = self._norm = self._weight = 0.0
        self._rows = 0
        self._means = dict.fromkeys([name for name in self._metrics if name in MEANS], 0.0)
        classes = judge.classes or 0
        self._confusion = np.zeros((classes, classes))
        self._errors, self._truth = _Spread(), _Spread()
        self._sizes: Any = 0.0
        self._shares: Any = 0.0
        self._largest = 0.0

    def add(self, output: Tensor, part: Batch) -> None:
        """Add rows: the output for them is (B, C)."""
        norm = self._norm_of(part)
        with self._judge.autocast():
            self._loss += float(self._judge.loss_of(output, part)) * norm
        self._norm += norm
        self._rows += part.rows
        if self._metrics:
            judge = self._judge
            self._add(read(output, part.y, judge.spec, judge.classes, judge.threshold, weight=part.weight))

    def _norm_of(self, part: Batch) -> float:
        """Return what the mean of a loss divides by: rows, or their weights and those of their classes."""
        weight = (
            getattr(self._judge.loss, "weight", None) if self._judge.spec.name in {"cross_entropy", "nll"} else None
        )
        if part.weight is None:
            return float(part.rows) if weight is None else float(weight[part.target].double().sum())
        return float((part.weight.double() if weight is None else part.weight.double() * weight[part.target]).sum())

    def _add(self, reading: Reading) -> None:
        weight = np.ones(len(reading.truth)) if reading.weight is None else reading.weight.astype(np.float64)
        self._weight += float(weight.sum())
        if reading.classes is not None:
            cells = reading.truth * reading.classes + reading.prediction
            self._confusion += np.bincount(cells, weight, reading.classes**2).reshape(self._confusion.shape)
            found = measure_reading(reading, [self._metrics[name] for name in self._means])
            for name in self._means:
                self._means[name] += found.get(name, np.nan) * float(weight.sum())
            return
        truth, errors = np.asarray(reading.truth, dtype=np.float64), np.asarray(reading.truth - reading.output)
        self._errors.add(errors, weight)
        self._truth.add(truth, weight)
        self._sizes = self._sizes + weight @ abs(errors)
        self._shares = self._shares + weight @ (abs(errors) / np.maximum(abs(truth), np.finfo(np.float64).eps))
        self._largest = max(self._largest, float(abs(errors).max(initial=0.0)))

    def measures(self) -> Measures:
        """Return the loss, and every metric that is known of all rows and defined."""
        known = self._of_values() if self._judge.classes is None else self._of_classes()
        found = {name: known[name] for name in self._metrics if name in known and not np.isnan(known[name])}
        return {"loss": self._loss / (self._norm or 1.0), **found}

    def _of_classes(self) -> Measures:
        labels = {name: float(of_confusion(name, self._confusion[None])[0]) for name in self._metrics if name in LABELS}
        return {**labels, **{name: total / self._weight for name, total in self._means.items()}}

    def _of_values(self) -> Measures:
        if not self._metrics:
            return {}
        errors, truth, weight = self._errors, self._truth, self._weight
        squares = errors.squares + errors.total * errors.mean**2
        found = {
            "mse": float((squares / weight).mean()),
            "rmse": float(np.sqrt(squares / weight).mean()),
            "mae": float((self._sizes / weight).mean()),
            "mape": float((self._shares / weight).mean()),
            "max_error": self._largest,
        }
        if self._rows >= 2:
            found["r2"] = _explained(squares, truth.squares)
            found["explained_variance"] = _explained(errors.squares, truth.squares)
        return found


class _Spread:
    """Mean and squared deviations of weighted numbers, of shape (C,); merged as in `Moments`."""

    def __init__(self) -> None:
        self.total = 0.0
        self.mean: Any = 0.0
        self.squares: Any = 0.0

    def add(self, values: Any, weight: Any) -> None:
        """Add numbers, of shape (B, C)."""
        own = float(weight.sum())
        if not own:
            return
        mean = weight @ values / own
        total, step = self.total + own, mean - self.mean
        self.mean = self.mean + step * (own / total)
        self.squares = self.squares + weight @ (values - mean) ** 2 + step**2 * (self.total * own / total)
        self.total = total


def _explained(left: Any, whole: Any) -> float:
    """Return the share of the squares that is explained; where there are none, all or nothing, as in scikit-learn."""
    shares = np.where(whole > 0, 1 - left / np.where(whole > 0, whole, 1), np.where(left > 0, 0.0, 1.0))
    return float(shares.mean())
