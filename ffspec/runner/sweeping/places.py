"""The run directory of a sweep: which sweep it is of, and whether it is to be gone on with."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from ffspec import __version__, rundir
from ffspec.diagnostics import StorageError
from ffspec.planner import plan
from ffspec.resolver import resolve
from ffspec.runner.sweeping.log import LOG, VERSION, Log
from ffspec.runner.sweeping.proposing import STUDY
from ffspec.runner.sweeping.training import digest_of
from ffspec.spec.base import to_plain
from ffspec.writer import dump

if TYPE_CHECKING:
    from pathlib import Path

    from ffspec.data import Loaded
    from ffspec.points import Space
    from ffspec.rundir import RunDirectory
    from ffspec.runner.sweeping.sweep import Errand

SUMMARY = "sweep.json"
BEST = "best.yaml"
OWN = (LOG, STUDY, BEST, SUMMARY, "best")
"""What a sweep writes beside the files of any run directory."""


def identity_of(space: Space, loaded: Loaded) -> str:
    """Return what makes a sweep the one it is: spec, axes, method, rows and version; not how long it may take."""
    sweep = space.sweep.model_copy(update={"trials": None, "seconds": None, "storage": None})
    texts = [text for text in space.texts if not text.startswith("sweep.")]
    value = {key: item for key, item in space.value.items() if key != "sweep"}
    said = [__version__, VERSION, value, texts, to_plain(sweep), digest_of(loaded)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def budget(space: Space) -> list[float | None]:
    """Return how long a sweep may take."""
    return [space.trials, space.sweep.seconds]


def place_of(errand: Errand, identity: str) -> RunDirectory | None:
    """Return the directory of a sweep, locked: one to go on with, or else a new one; None if none is asked for.

    Raises:
        StorageError: It cannot be made, or the one to go on with is of another sweep.
    """
    if errand.inside is not None:
        known = header_of(errand.inside.path).get("identity")
        if known != identity:
            message = "its spec, its data or the version of ffspec is not what it was"
            raise StorageError(f"{errand.inside.path} cannot be gone on with: {message}; begin anew with: ffspec sweep")
        return errand.inside
    out = errand.request.out
    if out is None:
        return None
    folder = out / errand.request.name
    old = None if errand.anew else _unfinished(folder, identity, budget(errand.space))
    return old or rundir.create(out, errand.request.name)


def _unfinished(folder: Path, identity: str, wanted: list[float | None]) -> RunDirectory | None:
    """Return the newest directory of the same sweep, if there is something left to do in it and nobody does it."""
    numbered = [entry for entry in folder.glob("[0-9]*") if entry.name.isdecimal()]
    for entry in sorted(numbered, key=lambda entry: int(entry.name), reverse=True):
        if header_of(entry).get("identity") != identity:
            continue
        if _summary(entry).get("budget") == wanted:
            return None
        try:
            refuse_links(entry)
            return rundir.reopen(entry)
        except StorageError:
            return None
    return None


def refuse_links(directory: Path) -> None:
    """Refuse a run directory whose files would lead out of it.

    Raises:
        StorageError: One does.
    """
    for name in OWN:
        if (directory / name).is_symlink():
            raise StorageError(f"{directory / name} must not be a link: it would lead out of the run directory")


def header_of(directory: Path) -> dict[str, Any]:
    """Return the first line of a log, without touching it; nothing where there is none."""
    try:
        found = json.loads(rundir.RunDirectory(directory).read(LOG).partition(b"\n")[0])
    except (StorageError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _summary(directory: Path) -> dict[str, Any]:
    try:
        found = json.loads((directory / SUMMARY).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def begin(owned: RunDirectory | None, errand: Errand, identity: str, log: Log) -> None:
    """Write down which sweep it is, if it is a new one; of one that has come to its end, let go of the end."""
    if log.header:
        if owned is not None:
            (owned.path / SUMMARY).unlink(missing_ok=True)
        return
    header = {"identity": identity, **errand.said}
    if owned is None:
        log.begin(header)
        return
    base = errand.request.spec
    owned.write(rundir.SPEC, errand.request.text)
    log.begin({**header, "folder": os.path.relpath(base.directory.resolve(), owned.path.resolve())})
    # Last: without it there is nothing to go on with.
    owned.write(rundir.RESOLVED, dump(resolve(base, plan(base), owned.path), full=True))
