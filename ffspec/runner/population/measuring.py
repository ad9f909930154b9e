"""The metrics of many networks: the usual ones of all at once, the others of one after another.

Between two epochs of small networks the calls cost more than the arithmetic.

Shapes: M members, N rows, C classes or target columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from ffspec.runner.metrics import measure, read_classes, read_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.runner.evaluation import Judge, Measures


def metrics_of(
    output: Tensor, truths: Sequence[Tensor], stacked: Tensor, judge: Judge, weights: Sequence[Tensor | None] = ()
) -> list[Measures]:
    """Return the metrics of each member, as `measure` does.

    Args:
        output: (M, N, C).
        truths: The target of each member, as data.
        stacked: All of them, (M, N) or (M, N, C); the first axis is 1 where they are the same.
        judge: What judges a member; a threshold is not looked at.
        weights: How much each row counts, of each member; all the same if left out.
    """
    if not judge.metrics:
        return [{} for _ in truths]
    if any(weight is not None for weight in weights):
        parts = zip(output, truths, weights, strict=True)
        return [measure(one, y, judge.spec, judge.classes, judge.metrics, weight=weight) for one, y, weight in parts]
    known = AT_ONCE["values" if judge.classes is None else "classes"]
    wanted = [metric.name for metric in judge.metrics if metric.name in known]
    flat = output.flatten(0, 1)
    if not wanted or (judge.classes is None and (output.shape[1] < 2 or not bool((_spread(stacked) > 0).all()))):
        found: dict[str, list[float]] = {}
    elif judge.classes is None:
        values = read_values(flat, judge.spec).view(output.shape)
        found = {name: known[name](values, stacked).mean(dim=1).tolist() for name in wanted}
    else:
        labels = read_classes(flat, judge.spec).label.view(output.shape[:2])
        found = {name: known[name](labels, stacked).tolist() for name in wanted}
    others = [metric for metric in judge.metrics if metric.name not in found]
    made = []
    for place, truth in enumerate(truths):
        one = measure(output[place], truth, judge.spec, judge.classes, others)
        every = {**one, **{name: values[place] for name, values in found.items()}}
        made.append({metric.name: every[metric.name] for metric in judge.metrics if metric.name in every})
    return made


def _spread(truth: Tensor) -> Tensor:
    """Return the squared distance of each target column from its mean, (M, C)."""
    return (truth - truth.mean(dim=1, keepdim=True)).square().sum(dim=1)


def _accuracy(label: Tensor, truth: Tensor) -> Tensor:
    return (label == truth).double().mean(dim=1)


def _mse(value: Tensor, truth: Tensor) -> Tensor:
    return (value - truth).square().mean(dim=1)


def _rmse(value: Tensor, truth: Tensor) -> Tensor:
    return _mse(value, truth).sqrt()


def _mae(value: Tensor, truth: Tensor) -> Tensor:
    return (value - truth).abs().mean(dim=1)


def _r2(value: Tensor, truth: Tensor) -> Tensor:
    return 1 - (value - truth).square().sum(dim=1) / _spread(truth)


AT_ONCE: dict[str, dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "classes": {"accuracy": _accuracy},
    "values": {"mse": _mse, "rmse": _rmse, "mae": _mae, "r2": _r2},
}
"""From predictions and truth to the metric of each member, (M,), or of each target column, (M, C)."""
