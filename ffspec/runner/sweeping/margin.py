"""How much better the best of a sweep is than the spec as it stands, and whether that may be chance.

Chance is the draw of the validation rows, which paired resamples tell (Efron 1979); or, where the seed is an axis, the
seed, which trainings with the same seeds on both sides tell (Student's t of their differences).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ffspec.runner.bootstrap import bounds_of, count_for, resamples
from ffspec.runner.evaluation import eval_mode, forward
from ffspec.runner.judgement import row_losses
from ffspec.runner.metrics import read
from ffspec.runner.resampled import cost, ratio, statistic
from ffspec.runner.setup import set_up
from ffspec.seeds import derive
from ffspec.spec.metrics import find_metric, larger_is_better

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from ffspec.runner.bootstrap import Interval
    from ffspec.runner.population import Member
    from ffspec.runner.resampled import Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The best beside the spec as it stands."""

    metric: str
    best: float
    default: float
    gain: float
    """By how much the best is better: positive, whatever the direction of the metric."""
    interval: Interval | None
    """The 95 % interval of the gain; None where it cannot be told."""
    by: str
    """What the interval is over: "rows", or "seeds"."""

    @property
    def within_noise(self) -> bool:
        """Whether the best may be no better."""
        return self.interval is not None and self.interval[0] <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A trained network, and what it reaches on its validation rows."""

    member: Member
    network: nn.Module
    threshold: float | None
    value: float


def over_rows(metric: str, best: Side, default: Side) -> Margin:
    """Compare two trained networks by resampling the rows of the validation split; the same ones, if they have them."""
    name, sign = metric.partition(".")[2], 1 if larger_is_better(metric) else -1
    first, second = (_Resampled.of(name, side) for side in (best, default))
    gain = sign * (best.value - default.value)
    interval = None
    if first.compute is not None and second.compute is not None:
        paired = np.array_equal(first.truth, second.truth)
        count = min(first.count, second.count)
        drawn = first.values(count), second.values(count, other=not paired)
        interval = bounds_of(sign * (drawn[0] - drawn[1]), gain)
    return Margin(metric=metric, best=best.value, default=default.value, gain=gain, interval=interval, by="rows")


def over_seeds(metric: str, best: Sequence[float], default: Sequence[float]) -> Margin:
    """Compare what two settings reach with the same seeds."""
    sign = 1 if larger_is_better(metric) else -1
    gains = [sign * (one - other) for one, other in zip(best, default, strict=True)]
    interval = None
    if len(gains) > 1:
        from scipy.stats import t

        half = float(t.ppf(0.975, len(gains) - 1)) * stdev(gains) / sqrt(len(gains))
        interval = (mean(gains) - half, mean(gains) + half)
    return Margin(
        metric=metric, best=mean(best), default=mean(default), gain=mean(gains), interval=interval, by="seeds"
    )


@dataclass(frozen=True, slots=True)
class _Resampled:
    """One network on its validation rows."""

    truth: Any
    compute: Statistic | None
    """None where the measure cannot be resampled."""
    count: int
    seed: int

    @classmethod
    def of(cls, name: str, side: Side) -> _Resampled:
        """Evaluate a network."""
        member, network = side.member, side.network
        setup = set_up(member.spec, member.plan, member.loaded)
        batch, judge = setup.splits["validation"], setup.judge
        with eval_mode(network), torch.inference_mode():
            output = forward(network, batch.x, judge)
            losses = row_losses(output, batch, judge) if batch.weight is None and name == "loss" else None
        reading = read(output, batch.y, judge.spec, judge.classes, side.threshold, weight=batch.weight)
        metric = find_metric(name)
        compute = None if losses is None else ratio(*losses)
        if metric is not None and batch.weight is None:  # a resample is told by counts of rows
            compute = statistic(metric, reading)
        count = count_for(batch.rows * (1 if metric is None else cost(metric, reading)))
        return cls(reading.truth, compute, count, derive(member.spec.seed, "sweep/bootstrap"))

    def values(self, count: int, *, other: bool = False) -> Any:
        """Return the measure of so many resamples, (R,); `other` than those of the same seed."""
        assert self.compute is not None  # noqa: S101 (the caller looks)
        drawn = resamples(len(self.truth), self.seed + other, count)
        return np.concatenate([self.compute(counts_RN) for _, counts_RN in drawn])
