"""Points that depend on what became of earlier ones: optuna's, in one process.

The log decides. Before each batch a study is made anew of the trials in it, in memory, so that a sweep that was stopped
is in the state of one that was not; beside the log, the study is kept in SQLite for optuna's own tools to look at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import StorageError
from ffspec.runner.sweeping import studies
from ffspec.runner.sweeping.trials import sure

if TYPE_CHECKING:
    from pathlib import Path

    from ffspec.points import Point, Space
    from ffspec.runner.loop import Row
    from ffspec.runner.sweeping.log import Log
    from ffspec.runner.sweeping.trials import Trial

BATCH = 8
"""Points that are proposed at a time: each is taken to be as bad as the worst until it is trained (a constant liar), so
more of them at a time would be nearer to random points."""

STUDY = "study.db"


class Proposed:
    """A search by tpe, in batches; or by hyperband, point by point."""

    def __init__(self, space: Space, log: Log, directory: Path | None) -> None:
        self._space = space
        self._log = log
        self._directory = directory
        self._optuna = studies.library(f"method: {space.sweep.method}")
        self._halving = space.sweep.method == "hyperband"
        self._live: Any = None
        self._curve: list[float] = []
        self._pruned = False

    def next(self) -> dict[int, Point]:
        """Return the points that were asked for and not trained, or else new ones."""
        most = self._space.trials
        asked = {
            number: point
            for number, point in self._log.asked.items()
            if number not in self._log.trials and (most is None or number < most)
        }
        if not asked:
            asked = self._ask(most)
        if self._halving and asked:
            number = min(asked)
            self._begin(number, asked[number])
            return {number: asked[number]}
        return asked

    def _ask(self, most: int | None) -> dict[int, Point]:
        first = max((*self._log.asked, -1)) + 1
        count = 1 if self._halving or first == 0 else BATCH
        if most is not None:
            count = min(count, most - first)
        if count <= 0:
            return {}
        points: dict[int, Point] = {0: {}}
        if first:
            study, axes = self._study(first), studies.distributions(self._space)
            asked = [study.ask(axes) for _ in range(count)]
            points = {first + place: studies.point_of(one.params, self._space) for place, one in enumerate(asked)}
        self._log.ask(points)
        return points

    def _study(self, first: int) -> Any:
        """Return a study of all trials before one."""
        study = self._optuna.create_study(
            study_name=studies.NAME,
            direction=studies.direction(self._space),
            sampler=studies.sampler(self._space, first),
            pruner=studies.pruner(self._space),
        )
        known = [self._log.trials[number] for number in sorted(self._log.trials) if number < first]
        study.add_trials([studies.frozen(trial, self._space) for trial in known])
        return study

    def _begin(self, number: int, point: Point) -> None:
        """Make ready to look at the training of a point."""
        self._curve, self._pruned, self._live = [], False, None
        if number:
            study = self._study(number)
            study.enqueue_trial(studies.params_of(point, self._space))
            self._live = study.ask(studies.distributions(self._space))

    def watch(self, number: int, row: Row) -> bool | None:
        """End a training that falls behind; the spec as it stands is trained to its end."""
        value = row.get(self._space.sweep.metric)
        if not self._halving or value is None:
            return None
        self._curve.append(float(value))
        if self._live is None or number == 0:
            return None
        self._live.report(sure(float(value)), row["epoch"])
        self._pruned = bool(self._live.should_prune())
        return self._pruned

    def add(self, trial: Trial) -> Trial:
        """Write down what became of a point."""
        if self._halving:
            notes = None if self._live is None else studies.rungs_of(self._live)
            # Behind at its last epoch is no less trained.
            pruned = self._pruned and trial.epochs < self._space.spec({}).training.epochs
            trial = replace(trial, curve=tuple(self._curve), notes=notes, pruned=pruned)
            trial = replace(trial, value=None) if pruned else trial
        self._log.add(trial)
        return trial

    def trials(self) -> dict[int, Trial]:
        """Return those of the log."""
        return self._log.below(self._space.trials)

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
