"""Points that depend on what became of earlier ones: optuna's, in one process.

The log decides. Before each batch a study is made anew of the trials in it, in memory, so that a sweep that was stopped
is in the state of one that was not; beside the log, the study is kept in SQLite for optuna's own tools to look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import StorageError
from ffspec.runner.sweeping import studies
from ffspec.runner.sweeping.halving import Bracket

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ffspec.points import Point, Space
    from ffspec.runner.sweeping.halving import Kind
    from ffspec.runner.sweeping.log import Log
    from ffspec.runner.sweeping.trials import Trial

BATCH = 8
"""Points that are proposed at a time: each is taken to be as bad as the worst until it is trained (a constant liar), so
more of them at a time would be nearer to random points."""

STUDY = "study.db"


class Proposed:
    """A search by tpe, in batches; or by hyperband, bracket by bracket.

    Args:
        space: The points.
        log: What became of them.
        directory: Where the study is written to in the end.
        kinds: The brackets of hyperband, which follow one another; none: tpe.
    """

    def __init__(self, space: Space, log: Log, directory: Path | None, kinds: Sequence[Kind] = ()) -> None:
        self._space = space
        self._log = log
        self._directory = directory
        self._optuna = studies.library(f"method: {space.sweep.method}")
        self._kinds = kinds
        self._bracket: Bracket | None = None

    def next(self) -> dict[int, Point]:
        """Return the points that were asked for and not trained, or else new ones."""
        most = self._space.trials
        asked = {
            number: point
            for number, point in self._log.asked.items()
            if number not in self._log.trials and (most is None or number < most)
        }
        asked = asked or self._ask(most)
        if self._kinds and asked:
            place = next(place for place, batch in enumerate(self._log.batches) if min(asked) in batch)
            kind, metric = self._kinds[place % len(self._kinds)], self._space.sweep.metric
            self._bracket = Bracket(kind, self._log.batches[place], self._log.trials, metric)
        return asked

    def _ask(self, most: int | None) -> dict[int, Point]:
        first = max((*self._log.asked, -1)) + 1
        count = self._count(first)
        if most is not None:
            count = min(count, most - first)
        if count <= 0:
            return {}
        points: dict[int, Point] = {} if first else {0: {}}
        study, axes = self._study(first), studies.distributions(self._space)
        for number in range(max(1, first), first + count):
            points[number] = studies.point_of(study.ask(axes).params, self._space)
        self._log.ask(points)
        return points

    def _count(self, first: int) -> int:
        """Return how many points are asked for from a number on: in the first bracket beside the spec as it stands."""
        if not self._kinds:
            return BATCH if first else 1
        return self._kinds[len(self._log.batches) % len(self._kinds)].points + (not first)

    def _study(self, first: int) -> Any:
        """Return a study of all trials before one."""
        study = self._optuna.create_study(
            study_name=studies.NAME,
            direction=studies.direction(self._space),
            sampler=studies.sampler(self._space, first),
        )
        known = [self._log.trials[number] for number in sorted(self._log.trials) if number < first]
        study.add_trials([studies.frozen(trial, self._space) for trial in known])
        return study

    def bracket(self) -> Bracket | None:
        """Return what compares the points that are trained now."""
        return self._bracket

    def add(self, trial: Trial) -> Trial:
        """Write down what became of a point."""
        trial = trial if self._bracket is None else self._bracket.noted(trial)
        self._log.add(trial)
        return trial

    def trials(self) -> dict[int, Trial]:
        """Return those of the log."""
        return self._log.below(self._space.trials)

    def elsewhere(self) -> dict[str, int]:
        """Return none."""
        return {}

    def close(self) -> None:
        """Write the study down for optuna's own tools."""
        if self._directory is None:
            return
        url = f"sqlite:///{(self._directory / STUDY).absolute()}"
        try:
            study = self._optuna.create_study(
                study_name=studies.NAME, storage=url, direction=studies.direction(self._space), load_if_exists=True
            )
            known = len(study.get_trials(deepcopy=False))
            study.add_trials([studies.frozen(trial, self._space) for _, trial in sorted(self.trials().items())[known:]])
        except Exception as error:
            raise StorageError(f"cannot write {self._directory / STUDY}: {error}") from error
