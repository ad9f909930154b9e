"""Which points come next: counted off, or asked of optuna.

Grid and random points are counted off: each follows from its number. What `tpe` and `hyperband` propose depends on what
became of earlier points, so it is written down before it is trained, and asked anew with the same answer if that was
not reached: the sampler's seed is drawn from the number of the first point it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.points import Point, Space
    from ffspec.runner.sweeping.halving import Bracket
    from ffspec.runner.sweeping.log import Log
    from ffspec.runner.sweeping.trials import Trial

BLOCK = 128
"""Points that are counted off at a time where time is what ends the sweep: enough for full populations, and few enough
that those of all shapes come to be tried."""
WHOLE = 1024
"""Points that are counted off at a time at most."""


class Book(Protocol):
    """Knows which points are still to be tried."""

    def next(self) -> dict[int, Point]:
        """Return the points to be trained next, by number; none: the sweep is at its end."""

    def bracket(self) -> Bracket | None:
        """Return what compares the points that were returned last, and ends some of them early, if anything does."""

    def add(self, trial: Trial) -> Trial:
        """Take what became of a point, and return it as it is to be written down."""

    def trials(self) -> dict[int, Trial]:
        """Return what became of the points so far."""

    def elsewhere(self) -> dict[str, int]:
        """Return how many points other processes have begun and not ended, by their names."""

    def close(self) -> None:
        """The sweep has come to its end."""


class Counted:
    """A grid or a random search: point by point, as far as they are not in the log."""

    def __init__(self, space: Space, log: Log) -> None:
        self._space = space
        self._log = log

    def next(self) -> dict[int, Point]:
        """Return a block of points that have not been tried."""
        timed = self._space.sweep.seconds is not None
        chosen: dict[int, Point] = {}
        for number in self._open():
            chosen[number] = self._space.point(number)
            if len(chosen) == (BLOCK if timed else WHOLE):
                break
        return chosen

    def _open(self) -> Iterator[int]:
        number, most = 0, self._space.trials
        while most is None or number < most:
            if number not in self._log.trials:
                yield number
            number += 1

    def bracket(self) -> None:
        """End no training early."""

    def add(self, trial: Trial) -> Trial:
        """Change nothing."""
        self._log.add(trial)
        return trial

    def trials(self) -> dict[int, Trial]:
        """Return those of the log that are wanted: it may be of a sweep with more trials."""
        return self._log.below(self._space.trials)

    def elsewhere(self) -> dict[str, int]:
        """Return none."""
        return {}

    def close(self) -> None:
        """Do nothing."""
