"""What two runs have in common, and in what they differ: spec, data, environment, result; read from files alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from ffspec import rundir
from ffspec.diagnostics import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ffspec.rundir import RunDirectory

SHORT = 60


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences of two runs, a line each."""

    spec: tuple[str, ...]
    data: tuple[str, ...]
    environment: tuple[str, ...]
    result: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether they ended in the same bits."""
        return not self.result


def compare(old: RunDirectory, new: RunDirectory) -> Comparison:
    """Compare two finished runs.

    Raises:
        StorageError: One of them is damaged, not finished, or of more than one run.
    """
    for one in (old, new):
        _refuse_many(one)
        damaged = one.damaged()
        if damaged:
            raise StorageError(f"{one.path}: {', '.join(damaged)} was damaged or changed since the run")
        if not (one.path / rundir.MODEL).is_file():
            raise StorageError(f"{one.path} is not finished: it has no {rundir.MODEL}")
    before, after = _json(old, rundir.ENVIRONMENT), _json(new, rundir.ENVIRONMENT)
    return Comparison(
        spec=tuple(lines_between(_lines(old, rundir.RESOLVED), _lines(new, rundir.RESOLVED))),
        data=tuple(differences(before.pop("data", {}), after.pop("data", {}))),
        environment=tuple(differences(before, after)),
        result=tuple(_results(old, new)),
    )


def _refuse_many(one: RunDirectory) -> None:
    """Refuse the directory of a sweep, or of several trainings: its runs have directories of their own.

    Raises:
        StorageError: It is one.
    """
    kinds = ((rundir.SEVERAL, "several trainings", "*"), ("sweep.jsonl", "a sweep", "best/*"))
    for name, what, runs in kinds:
        if (one.path / name).is_file():
            found = sorted(file.parent for file in one.path.glob(f"{runs}/{rundir.MODEL}"))
            advice = f"compare a run of it, such as {found[0]}" if found else "none of its runs is finished"
            raise StorageError(f"{one.path} is of {what}: {advice}")


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """Say in what two records differ, a line each; lists of texts are compared line by line."""
    found = []
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{path}{name}.")
        elif name == "spec" and isinstance(before, list) and isinstance(after, list):
            found += lines_between(before, after)
        elif before != after:
            found.append(f"{path}{name}: {_short(before)} -> {_short(after)}")
    return found


def lines_between(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return the lines that were taken out and put in."""
    lines = unified_diff(list(old), list(new), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def _results(old: RunDirectory, new: RunDirectory) -> list[str]:
    found = []
    if _digest(old) != _digest(new):
        found.append("the weights differ")
    before, after = (_lines(one, rundir.HISTORY) for one in (old, new))
    if before != after:
        alike = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
        shorter = min(len(before), len(after))
        found.append(f"the histories are alike up to epoch {shorter if alike is None else alike}")
    return found + differences(_json(old, rundir.CHECKS).get("after", {}), _json(new, rundir.CHECKS).get("after", {}))


def _digest(directory: RunDirectory) -> str:
    return hashlib.sha256(directory.read(rundir.MODEL)).hexdigest()


def _lines(directory: RunDirectory, name: str) -> list[str]:
    return directory.read(name).decode("utf-8").splitlines()


def _json(directory: RunDirectory, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(directory.read(name))
    return value


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= SHORT else f"{text[:24]}...{text[-24:]}"
