"""The log of a sweep: a file of JSON lines that only grows, so that a sweep can be stopped anywhere and go on.

The first line says which sweep it is. A line with `asked` says which points are about to be tried, where that depends
on what became of earlier ones; a line with `trial` what became of one. A line that was half written is cut off.
"""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import asdict
from types import NoneType
from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import StorageError
from ffspec.rundir import RunDirectory
from ffspec.runner.sweeping.trials import Trial
from ffspec.spec.sweep import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ffspec.points import Point

LOG = "sweep.jsonl"
VERSION = 2
EVERY = 0.2
"""Seconds between two writes to the disk itself. What is written survives the process at once; only a power cut could
take the last of it."""


class Log:
    """What a sweep has done so far, on the disk if it has a directory.

    Args:
        directory: The run directory; None: it is kept in memory alone.
    """

    def __init__(self, directory: Path | None) -> None:
        self.path = None if directory is None else directory / LOG
        self.header: dict[str, Any] = {}
        self.asked: dict[int, Point] = {}
        self.batches: list[tuple[int, ...]] = []
        """The numbers of the points that were asked for together."""
        self.trials: dict[int, Trial] = {}
        self._synced = 0.0
        self._descriptor: int | None = None
        if self.path is not None:
            self._read(self.path)

    @property
    def spent(self) -> float:
        """The seconds the sweep has taken by its last trial."""
        return max((trial.at for trial in self.trials.values()), default=0.0)

    def below(self, most: int | None) -> dict[int, Trial]:
        """Return the trials whose numbers are below `most`, or all."""
        return {number: trial for number, trial in self.trials.items() if most is None or number < most}

    def begin(self, header: Mapping[str, Any]) -> None:
        """Say which sweep it is."""
        self.header = dict(header)
        self._write({"version": VERSION, **header}, sync=True)

    def ask(self, points: Mapping[int, Point]) -> None:
        """Say which points are about to be tried, by number."""
        self._note(points)
        self._write({"asked": [[number, point] for number, point in points.items()]}, sync=True)

    def _note(self, points: Mapping[int, Point]) -> None:
        self.asked |= points
        self.batches.append(tuple(points))

    def add(self, trial: Trial) -> None:
        """Say what became of a point."""
        self.trials[trial.number] = trial
        said = {name: value for name, value in asdict(trial).items() if not _is_nothing(value)}
        self._write({"trial": said}, sync=time.monotonic() - self._synced >= EVERY)

    def close(self) -> None:
        """Bring all of it to the disk."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, line: Mapping[str, Any], *, sync: bool) -> None:
        if self.path is None:
            return
        try:
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
                self._descriptor = os.open(self.path, flags, 0o644)
            data = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode()
            while data:
                data = data[os.write(self._descriptor, data) :]
            if sync:
                os.fsync(self._descriptor)
                self._synced = time.monotonic()
        except OSError as error:
            full = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()
            raise StorageError(f"cannot write {self.path}: {full}") from error

    def _read(self, path: Path) -> None:
        """Read what an earlier process has done, and cut off what it had half written.

        Raises:
            StorageError: It is no log of a sweep.
        """
        if not path.exists() and not path.is_symlink():
            return
        content = RunDirectory(path.parent).read(path.name)
        whole = content[: content.rfind(b"\n") + 1]
        try:
            for number, line in enumerate(whole.splitlines()):
                self._take(json.loads(line), first=number == 0)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StorageError(f"{path} is damaged: {error}") from error
        if len(whole) < len(content):
            os.truncate(path, len(whole))

    def _take(self, line: dict[str, Any], *, first: bool) -> None:
        if first:
            if line.pop("version") != VERSION:
                raise ValueError("it is of another version")
            self.header = line
        elif "asked" in line:
            self._note({int(number): frozen(point) for number, point in line["asked"]})
        else:
            trial = trial_of(line["trial"])
            self.trials[trial.number] = trial


KINDS: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "point": (dict,),
    "value": (float, NoneType),
    "measures": (dict,),
    "epochs": (int,),
    "at": (float,),
    "error": (str, NoneType),
    "rungs": (dict,),
    "pruned": (bool,),
}
"""What JSON says of each part of a trial."""


def trial_of(said: Mapping[str, Any]) -> Trial:
    """Return a trial that was written as JSON.

    Raises:
        TypeError: It is none.
    """
    whole = {"value": None, "measures": {}, "point": {}, "number": 0, "epochs": 0, "at": 0.0, "rungs": {}, **said}
    for name, value in whole.items():
        if type(value) not in KINDS[name]:
            raise TypeError(f"{name} is {value!r}")
    rungs = {int(epoch): float(value) for epoch, value in whole["rungs"].items()}
    return Trial(**{**whole, "point": frozen(whole["point"]), "rungs": rungs})


def _is_nothing(value: Any) -> bool:
    return value is None or value is False or value == {}
