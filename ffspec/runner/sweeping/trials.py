"""What became of each point of a sweep, and which is the best."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from statistics import mean
from typing import TYPE_CHECKING

from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ffspec.points import Point, Space
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.result import Result
    from ffspec.runner.sweeping.margin import Margin
    from ffspec.spec.root import Spec

DIGITS = 5
"""Significant digits that decide. A network trained beside others differs from one trained alone in the seventh or so,
and which others there are depends on where a sweep was stopped."""

SEED = "seed"
"""The axis that changes nothing but chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One point, trained."""

    number: int
    point: Point
    value: float | None
    """What the sweep chooses by; None where the training diverged, the spec did not fit its rows, or it was pruned."""
    measures: Measures
    """Loss and metrics of the validation split, after training."""
    epochs: int
    """How many were trained."""
    at: float
    """The seconds the sweep had taken by then."""
    error: str | None = None
    """What ended the training."""
    rungs: dict[int, float] = field(default_factory=dict)
    """Where trainings are stopped early: the value after each epoch at which they are compared."""
    pruned: bool = False
    """Whether it was stopped because it fell behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """A sweep that has come to its end."""

    space: Space = field(repr=False)
    """The points there were."""
    spec: Spec = field(repr=False)
    """The spec as it stands, without its sweep."""
    metric: str
    trials: tuple[Trial, ...] = field(repr=False)
    """All that were tried, by number; the first is the spec as it stands."""
    best: Trial
    best_spec: Spec = field(repr=False)
    """A plain spec: what `best.yaml` says, but for the paths of data, which there begin at its own folder."""
    result: Result
    """The ordinary run of the best spec, with its test split and its intervals."""
    margin: Margin | None
    """How much better the best is than the spec as it stands; None where it is the spec as it stands."""
    directory: Path | None
    elsewhere: dict[str, int] = field(default_factory=dict)
    """How many points other processes have begun and not ended, by their names."""

    @property
    def ok(self) -> bool:
        """Whether every expectation of the best spec was met."""
        return self.result.ok


def best_of(trials: Iterable[Trial], metric: str) -> Trial | None:
    """Return the best trial, or None where none has a value; of equals, the first.

    Points that differ in the seed alone are one setting, whose value is the mean over its seeds, so that luck does not
    decide: of the best setting the best seed is taken. A setting with a seed that failed comes behind all others.
    """
    known = [trial for trial in trials if trial.value is not None]
    if not known:
        return None
    sign = -1 if larger_is_better(metric) else 1
    settings: dict[str, list[float]] = {}
    for trial in trials:
        if not trial.pruned:
            value = inf if trial.value is None else sign * sure(trial.value)
            settings.setdefault(setting(trial), []).append(value)
    return min(known, key=lambda trial: (mean(settings[setting(trial)]), sign * sure(trial.value or 0.0), trial.number))


def sure(value: float) -> float:
    """Return a value in the digits that decide."""
    return float(f"{value:.{DIGITS}g}")


def setting(trial: Trial) -> str:
    """Return what points that differ in the seed alone have in common."""
    return repr([(name, value) for name, value in sorted(trial.point.items()) if name != SEED])


def ranked(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """Return trials with a value, the best first."""
    sign = -1 if larger_is_better(metric) else 1
    known = [trial for trial in trials if trial.value is not None]
    return sorted(known, key=lambda trial: (sign * sure(trial.value or 0.0), trial.number))
