"""A sweep that several processes, or machines, work on: who trains which point, agreed through a storage of optuna's.

The number of a trial in the study is the number of its point, so that no two processes train the same one. A process
that was stopped goes on with its own points; those of another are left to it.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import StorageError
from ffspec.runner.sweeping import studies
from ffspec.runner.sweeping.log import trial_of

if TYPE_CHECKING:
    from ffspec.points import Point, Space
    from ffspec.runner.loop import Row
    from ffspec.runner.sweeping.log import Log
    from ffspec.runner.sweeping.trials import Trial

BATCH = 8
"""Points of a search by tpe that a process takes at a time."""
TRIES, PAUSE = 3, 0.5
"""How often a storage is tried to be opened, and the seconds between."""
BLOCK = 32
"""Points that are counted off, that a process takes at a time: enough for a population, and not all there are."""


class Shared:
    """A search whose trials are in a storage."""

    def __init__(self, space: Space, log: Log, storage: str, name: str, directory: Path | None) -> None:
        self._space = space
        self._log = log
        self._optuna = studies.library("a storage")
        self._worker = f"{socket.gethostname()}:{Path(directory).resolve() if directory else id(self)}"
        self._halving = space.sweep.method == "hyperband"
        self._live: dict[int, Any] = {}
        self._pruned: set[int] = set()
        self._study = self._open(storage, name)

    def _open(self, storage: str, name: str) -> Any:
        study = self._connected(storage, name)
        mine = self._log.header.get("identity")
        known = study.user_attrs.get("identity", mine)
        if mine != known:
            raise StorageError(f"the storage has another sweep called '{name}': give this one another name")
        study.set_user_attr("identity", mine)
        return study

    def _connected(self, storage: str, name: str) -> Any:
        """Return the study, made if nobody else has made it: of two that make a database at once, one has to wait.

        Raises:
            StorageError: It cannot be had.
        """
        storages = self._optuna.storages
        for left in reversed(range(TRIES)):
            try:
                return self._optuna.create_study(
                    study_name=name,
                    storage=storages.RDBStorage(storage)
                    if "://" in storage
                    else storages.JournalStorage(storages.journal.JournalFileBackend(storage)),
                    direction=studies.direction(self._space),
                    pruner=studies.pruner(self._space),
                    load_if_exists=True,
                )
            except Exception as error:
                if not left:
                    raise StorageError(f"cannot use the storage of the sweep: {error}") from error
                time.sleep(PAUSE)
        return None

    def next(self) -> dict[int, Point]:
        """Return the points this process has begun and not ended, or else new ones."""
        found = {}
        for one in self._study.get_trials(deepcopy=False):
            if one.state.name == "RUNNING" and one.user_attrs.get("worker") == self._worker:
                self._live[one.number] = self._optuna.trial.Trial(self._study, one._trial_id)  # noqa: SLF001
                found[one.number] = _read(one.user_attrs["point"])
        tpe = self._space.sweep.method == "tpe"
        count = 1 if self._halving else BATCH if tpe else BLOCK
        while len(found) < count:
            taken = self._take()
            if taken is None:
                break
            found[taken[0]] = taken[1]
        return found

    def _take(self) -> tuple[int, Point] | None:
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
        live.set_user_attr("worker", self._worker)
        self._live[live.number] = live
        return live.number, point

    def watch(self, number: int, row: Row) -> bool | None:
        """End a training that falls behind."""
        value = row.get(self._space.sweep.metric)
        if not self._halving or value is None or number == 0:
            return None
        self._live[number].report(float(value), row["epoch"])
        if self._live[number].should_prune():
            self._pruned.add(number)
            return True
        return None

    def add(self, trial: Trial) -> Trial:
        """Write down what became of a point, here and in the storage."""
        self._log.add(trial)
        live, states = self._live[trial.number], self._optuna.trial.TrialState
        live.set_user_attr("trial", json.dumps(asdict(trial)))
        state = states.FAIL if trial.value is None else states.COMPLETE
        state = states.PRUNED if trial.number in self._pruned else state
        with suppress(ValueError):  # ended already, by this process before it was stopped
            self._study.tell(live, trial.value if state is states.COMPLETE else None, state=state)
        return trial

    def trials(self) -> dict[int, Trial]:
        """Return those of all processes that have come to their end."""
        said = (one.user_attrs.get("trial") for one in self._study.get_trials(deepcopy=False))
        found = (trial_of(json.loads(one)) for one in said if one is not None)
        return {trial.number: trial for trial in found}

    def close(self) -> None:
        """Leave the storage as it is."""


def _read(text: str) -> Any:
    return trial_of({"point": json.loads(text)}).point
