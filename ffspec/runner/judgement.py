"""The last word on a network: what it makes of the split that judges it, row by row, and how sure that is.

Shapes: N rows, C classes or target columns.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ffspec.builder.modules import PerceptronLoss
from ffspec.runner.bootstrap import Interval, intervals
from ffspec.runner.evaluation import eval_mode, forward
from ffspec.runner.metrics import Reading, measure_reading, read
from ffspec.spec.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from ffspec.runner.evaluation import Batch, Judge, Measures

DETAILS = {
    "classes": ("accuracy", "balanced_accuracy", "log_loss", "brier", "roc_auc", "ece"),
    "values": ("rmse", "mae", "r2", "median_absolute_error", "p90_absolute_error", "p95_absolute_error"),
}
"""What is measured where everything is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """What became of the rows of one class."""

    name: str
    rows: int
    precision: float
    """The share of right ones among the rows predicted to be of the class; 0 where there are none."""
    recall: float
    """The share of the rows of the class that are predicted to be of it; 0 where there are none."""
    f1: float


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The split that judges a network: test, or the last there is."""

    split: str
    intervals: dict[str, Interval]
    """The 95 % interval of the loss and of every metric; empty where there is no test split."""
    confusion: Any = None
    """How many rows of each class (first axis) are predicted to be of each (second axis); None for numbers."""
    classes: tuple[ClassFigures, ...] = ()
    reading: Reading = field(repr=False)
    seed: int

    def details(self) -> tuple[Measures, dict[str, Interval]]:
        """Compute every common metric that is defined here, with its interval."""
        kind = "values" if self.reading.classes is None else "classes"
        metrics = [metric for metric in map(find_metric, DETAILS[kind]) if metric is not None]
        found = measure_reading(self.reading, metrics)
        return found, intervals(self.reading, metrics, None, found, self.seed)


def judge_split(  # noqa: PLR0913 - what it depends on
    network: nn.Module,
    splits: Mapping[str, Batch],
    judge: Judge,
    after: Mapping[str, Measures],
    *,
    names: Sequence[Any] | None,
    seed: int,
) -> Judgement:
    """Look at the split that judges a network.

    Args:
        network: The network.
        splits: The rows.
        judge: What judges.
        after: What was measured of every split.
        names: The names of the classes; None for numbers.
        seed: What the resamples of the intervals are drawn from.
    """
    split = next(name for name in ("test", "validation", "train") if name in splits)
    batch = splits[split]
    with eval_mode(network), torch.inference_mode():
        output = forward(network, batch.x, judge)
        losses = row_losses(output, batch, judge) if split == "test" and batch.weight is None else None
    reading = read(output, batch.y, judge.spec, judge.classes, judge.threshold, weight=batch.weight)
    sure = intervals(reading, judge.metrics, losses, after[split], seed) if split == "test" else {}
    if names is None:
        return Judgement(split=split, intervals=sure, reading=reading, seed=seed)
    confusion = _confusion(reading, len(names))
    figures = tuple(_figures(str(name), confusion, label) for label, name in enumerate(names))
    return Judgement(split=split, intervals=sure, confusion=confusion, classes=figures, reading=reading, seed=seed)


def row_losses(output: Tensor, batch: Batch, judge: Judge) -> tuple[Any, Any]:
    """Return the loss of each row, and the weight that the mean divides by, (N,) each.

    PyTorch's means of cross_entropy and nll divide by the sum of the weights of the rows' classes; all others by their
    number.
    """
    each: Any = _Perceptron() if isinstance(judge.loss, PerceptronLoss) else deepcopy(judge.loss)
    each.reduction = "none"
    with judge.autocast():
        losses = replace(judge, loss=each).loss_of(output, batch).double().reshape(len(output), -1).mean(dim=1)
    weight = getattr(judge.loss, "weight", None)
    weights = torch.ones_like(losses)
    if weight is not None and judge.spec.name in {"cross_entropy", "nll"}:
        weights = weight[batch.target].double()
    return losses.cpu().numpy(), weights.cpu().numpy()


class _Perceptron(torch.nn.Module):
    """The perceptron's criterion of each number."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return it, in the shape of the output."""
        return (-target * output).clamp(min=0)


def _confusion(reading: Reading, classes: int) -> Any:
    cells = np.bincount(reading.truth * classes + reading.prediction, minlength=classes * classes)
    return cells.reshape(classes, classes)


def _figures(name: str, confusion: Any, label: int) -> ClassFigures:
    right, rows, said = int(confusion[label, label]), int(confusion[label].sum()), int(confusion[:, label].sum())
    return ClassFigures(
        name=name,
        rows=rows,
        precision=right / said if said else 0.0,
        recall=right / rows if rows else 0.0,
        f1=2 * right / (rows + said) if rows + said else 0.0,
    )
