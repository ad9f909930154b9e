"""Hyperband: brackets of points, of which at each rung the best third goes on (Li et al. 2018, algorithm 1).

A bracket of many points looks at them early, one of few points late, for what is good at last may begin badly. Within
one it is successive halving (Jamieson and Talwalkar 2016): points are compared at the same epoch, all of a bracket
having come to it, so that what becomes of a point does not depend on who was trained when. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf
from typing import TYPE_CHECKING

from ffspec.runner.sweeping.trials import sure
from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ffspec.runner.evaluation import Measures
    from ffspec.runner.population import Member
    from ffspec.runner.sweeping.trials import Trial

ETA = 3
"""One in so many goes on, but of nine points or more so many at least, whatever the rung: side by side, three networks
cost little more than one, and what is the best at a third of the epochs is not always the best at the end."""
HALVINGS = 3
"""How often, at most: the first look at a training is after 1/27 of its epochs, or after the first."""
ROOM = 2**31
"""Bytes the points of a bracket may take at a time, for they wait for one another."""
STATES = 5
"""Numbers that are kept of each parameter, at most: itself, its gradient, and what the optimizer remembers."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How many points a bracket has, and after which epochs they are compared."""

    points: int
    rungs: tuple[int, ...]


def kinds(epochs: int, most: int) -> tuple[Kind, ...]:
    """Return the brackets of a sweep, which follow one another again and again.

    Args:
        epochs: The epochs of a whole training.
        most: How many points there may be in one.
    """
    halvings = max(count for count in range(HALVINGS + 1) if ETA**count <= max(1, epochs))
    made = []
    for count in range(halvings, -1, -1):
        points = max(ceil((halvings + 1) * ETA**count / (count + 1)), ETA**2 if count else 1)
        made.append(Kind(min(points, most), tuple(epochs // ETA**left for left in range(count, 0, -1))))
    return tuple(made)


def room(member: Member, *, shared: bool) -> int:
    """Return how many points a bracket may have, from what the spec as it stands takes.

    Args:
        member: It.
        shared: Whether all points have the same rows.
    """
    size = 8 if member.spec.training.precision == "float64" else 4
    own = STATES * size * (member.plan.parameters or 0)
    if not shared:
        own += sum(split.x.nbytes + split.y.nbytes for split in member.loaded.splits.values())
    return max(ETA, ROOM // max(1, own))


class Bracket:
    """Points that are compared with one another.

    The spec as it stands is trained to its end, and is not among those the others have to beat.

    Args:
        kind: When they are compared.
        numbers: All of them.
        trials: What became of those that have ended; it grows.
        metric: What they are compared by.
    """

    def __init__(self, kind: Kind, numbers: Collection[int], trials: Mapping[int, Trial], metric: str) -> None:
        self.rungs = kind.rungs
        self._numbers = [number for number in numbers if number]
        self._trials, self._metric = trials, metric
        self._reached: dict[int, dict[int, float]] = {}
        self._stopped: set[int] = set()

    def choose(self, epoch: int, measures: Mapping[int, Measures]) -> set[int]:
        """Return the points that end after an epoch, given what those that have come to it reach there."""
        name = self._metric.partition(".")[2]
        found = {number: one.get(name) for number, one in measures.items()}
        for number, value in found.items():
            if value is not None:
                self._reached.setdefault(number, {})[epoch] = sure(value)
        entrants = {number: value for number, value in found.items() if number in self._numbers}
        for number in self._numbers:
            if number in self._trials:  # ended before, or by a process that was stopped
                entrants |= _standing(self._trials[number], epoch)
        sign = -1 if larger_is_better(self._metric) else 1

        def rank(number: int) -> tuple[float, int]:
            value = entrants[number]
            return (inf if value is None else sign * sure(value)), number

        count = len(self._numbers)
        kept = max(1, min(ETA, count // ETA), count // ETA ** (self.rungs.index(epoch) + 1))
        self._stopped |= (stopped := {number for number in sorted(entrants, key=rank)[kept:] if number in measures})
        return stopped

    def noted(self, trial: Trial) -> Trial:
        """Return what became of a point, with what it had reached at its rungs, and whether it was stopped there."""
        rungs = self._reached.get(trial.number, {})
        if trial.number in self._stopped and trial.error is None:
            return replace(trial, rungs=rungs, pruned=True, value=None)
        return replace(trial, rungs=rungs)


def _standing(trial: Trial, epoch: int) -> dict[int, float | None]:
    """Return what a point that has ended is worth at a rung; nothing if it was stopped before."""
    if epoch in trial.rungs:
        return {trial.number: trial.rungs[epoch]}
    return {} if trial.pruned or trial.value is None else {trial.number: trial.value}
