"""A sweep that several processes, or machines, work on: who trains which point, agreed through a storage of optuna's.

The number of a trial in the study is the number of its point, so that no two processes train the same one. A process
that was stopped goes on with its own points. Those of another are left to it, unless it was of this machine and is no
more: then whoever has nothing else to do takes them over.
"""

from __future__ import annotations

import json
import socket
import time
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffspec import rundir
from ffspec.diagnostics import StorageError
from ffspec.runner.signals import held
from ffspec.runner.sweeping import storages, studies
from ffspec.runner.sweeping.halving import Bracket
from ffspec.runner.sweeping.log import trial_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ffspec.points import Point, Space
    from ffspec.runner.sweeping.halving import Kind
    from ffspec.runner.sweeping.log import Log
    from ffspec.runner.sweeping.trials import Trial

BATCH = 8
"""Points of a search by tpe that a process takes at a time."""
TRIES, PAUSE = 3, 0.5
"""How often a storage is tried to be opened, and the seconds between."""
BRACKET = "bracket"
BLOCK = 32
"""Points that are counted off, that a process takes at a time: enough for a population, and not all there are."""


class Shared:
    """A search whose trials are in a storage.

    Args:
        space: The points.
        log: What this process has done.
        storage: Where the others' trials are.
        name: What the sweep is called there.
        directory: The run directory.
        kinds: The brackets of hyperband, each of which one process has to itself.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - as above
        self, space: Space, log: Log, storage: str, name: str, directory: Path | None, kinds: Sequence[Kind] = ()
    ) -> None:
        self._space = space
        self._log = log
        self._optuna = studies.library("a storage")
        self._worker = f"{socket.gethostname()}:{Path(directory).resolve() if directory else id(self)}"
        self._kinds = kinds
        self._bracket: Bracket | None = None
        self._ended: dict[int, Trial] = {}
        self._live: dict[int, Any] = {}
        self._storage = storage
        with storages.reaching(storage):
            self._study = self._open(name)

    def _open(self, name: str) -> Any:
        study = self._connected(name)
        mine = self._log.header.get("identity")
        known = study.user_attrs.get("identity", mine)
        if mine != known:
            raise StorageError(f"the storage has another sweep called '{name}': give this one another name")
        study.set_user_attr("identity", mine)
        return study

    def _connected(self, name: str) -> Any:
        """Return the study, made if nobody else has made it: of two that make a database at once, one has to wait."""
        for left in reversed(range(TRIES)):
            try:
                return self._optuna.create_study(
                    study_name=name,
                    storage=storages.opened(self._storage, self._optuna),
                    direction=studies.direction(self._space),
                    load_if_exists=True,
                )
            except (OSError, ImportError):
                raise
            except Exception:
                if not left:
                    raise
                time.sleep(PAUSE)
        return None

    def next(self) -> dict[int, Point]:
        """Return the points this process has begun and not ended, or else new ones, or those of one that is no more."""
        with storages.reaching(self._storage):
            found = self._begun(self._worker) or self._fresh() or self._adopted()
            self._bracket = self._bracket_of(found) if self._kinds and found else None
            return found

    def _begun(self, worker: str) -> dict[int, Point]:
        """Return the points a process has begun and not ended; of a bracket, none but its own."""
        known = self._study.get_trials(deepcopy=False)
        mine = [one for one in known if one.state.name == "RUNNING" and one.user_attrs.get("worker") == worker]
        mine = [one for one in mine if one.user_attrs.get(BRACKET) == mine[0].user_attrs.get(BRACKET)]
        for one in mine:
            self._live[one.number] = self._optuna.trial.Trial(self._study, one._trial_id)  # noqa: SLF001
        for one in mine:
            if "trial" in one.user_attrs:  # trained, and killed before it was told
                self._tell(_trial(one))
        return {one.number: _read(one.user_attrs["point"]) for one in mine if "trial" not in one.user_attrs}

    def _fresh(self) -> dict[int, Point]:
        """Begin points that nobody has begun."""
        count, mark = BATCH if self._space.sweep.method == "tpe" else BLOCK, ""
        if self._kinds:
            known = {one.user_attrs.get(BRACKET) for one in self._study.get_trials(deepcopy=False)}
            place = len(known - {None})
            count, mark = self._kinds[place % len(self._kinds)].points, f"{place} of {self._worker}"
        found: dict[int, Point] = {}
        while len(found) < count + (0 in found and bool(self._kinds)):
            with held():  # a trial that is begun and has no worker is nobody's
                taken = self._take(mark)
            if taken is None:
                break
            found[taken[0]] = taken[1]
        return found

    def _adopted(self) -> dict[int, Point]:
        """Take over points of a process of this machine that is no more."""
        for worker in self.elsewhere():
            if _is_gone(worker):
                found = self._begun(worker)
                for number in found:
                    self._live[number].set_user_attr("worker", self._worker)
                return found
        return {}

    def _bracket_of(self, points: Mapping[int, Point]) -> Bracket:
        """Return what compares points, with those of their bracket that have ended."""
        known = self._study.get_trials(deepcopy=False)
        mark = known[min(points)].user_attrs[BRACKET]
        batch = [one for one in known if one.user_attrs.get(BRACKET) == mark]
        self._ended = {one.number: _trial(one) for one in batch if "trial" in one.user_attrs}
        kind = self._kinds[int(mark.partition(" ")[0]) % len(self._kinds)]
        return Bracket(kind, [one.number for one in batch], self._ended, self._space.sweep.metric)

    def _take(self, mark: str) -> tuple[int, Point] | None:
        """Begin the next point there is."""
        most = self._space.trials
        begun = len(self._study.get_trials(deepcopy=False))
        if most is not None and begun >= most:
            return None
        counted = self._space.sweep.method in {"grid", "random"}
        self._study.sampler = studies.sampler(self._space, begun, self._worker)
        live = self._study.ask({} if counted or begun == 0 else studies.distributions(self._space))
        if most is not None and live.number >= most:  # another process was faster
            self._study.tell(live, state=self._optuna.trial.TrialState.FAIL)
            return None
        if counted or live.number == 0 or not live.params:
            point = self._space.point(live.number)
        else:
            point = studies.point_of(live.params, self._space)
        live.set_user_attr("point", json.dumps(point))
        if mark:
            live.set_user_attr(BRACKET, mark)
        live.set_user_attr("worker", self._worker)  # last: what has none was never begun
        self._live[live.number] = live
        return live.number, point

    def bracket(self) -> Bracket | None:
        """Return what compares the points that are trained now."""
        return self._bracket

    def add(self, trial: Trial) -> Trial:
        """Write down what became of a point, here and in the storage."""
        trial = trial if self._bracket is None else self._bracket.noted(trial)
        self._log.add(trial)
        self._ended[trial.number] = trial
        with storages.reaching(self._storage):
            self._tell(trial)
        return trial

    def _tell(self, trial: Trial) -> None:
        live, states = self._live[trial.number], self._optuna.trial.TrialState
        live.set_user_attr("trial", json.dumps(asdict(trial)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # reported already, by a process that was killed then
            for epoch, value in trial.rungs.items():
                live.report(value, epoch)
        state = states.FAIL if trial.value is None else states.COMPLETE
        state = states.PRUNED if trial.pruned else state
        with suppress(ValueError):  # ended already, by this process before it was stopped
            self._study.tell(live, trial.value if state is states.COMPLETE else None, state=state)

    def elsewhere(self) -> dict[str, int]:
        """Return how many points other processes have begun and not ended, by their names."""
        with storages.reaching(self._storage):
            known = self._study.get_trials(deepcopy=False)
        workers = [one.user_attrs.get("worker", "") for one in known if one.state.name == "RUNNING"]
        return dict(Counter(worker for worker in workers if worker != self._worker))

    def trials(self) -> dict[int, Trial]:
        """Return those of all processes that have come to their end."""
        with storages.reaching(self._storage):
            known = self._study.get_trials(deepcopy=False)
        return {one.number: _trial(one) for one in known if "trial" in one.user_attrs}

    def close(self) -> None:
        """Leave the storage as it is."""


def _trial(one: Any) -> Trial:
    """Return what a study knows of a trial."""
    return trial_of(json.loads(one.user_attrs["trial"]))


def _is_gone(worker: str) -> bool:
    """Return whether a process was of this machine, and is no more: nobody holds its run directory."""
    host, _, directory = worker.partition(":")
    if host != socket.gethostname() or not directory.startswith("/"):
        return False
    try:
        rundir.reopen(Path(directory)).close()
    except StorageError:
        return not Path(directory).exists()
    return True


def _read(text: str) -> Any:
    return trial_of({"point": json.loads(text)}).point
