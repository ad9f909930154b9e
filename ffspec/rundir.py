"""The run directory: every file whole or not at all, none ever overwritten by another run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from ffspec.diagnostics import StorageError

SPEC = "spec.yaml"
RESOLVED = "resolved.yaml"
ENVIRONMENT = "environment.json"
HISTORY = "history.jsonl"
CHECKS = "checks.json"
PREPARE = "prepare.json"
MODEL = "model.safetensors"
STATUS = "status.json"

TRIES = 1000


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A directory that belongs to one run."""

    path: Path

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file whole: a temporary file beside it, flushed to disk, then renamed.

        Raises:
            StorageError: It cannot be written; a file of that name is as it was.
        """
        data = content.encode() if isinstance(content, str) else content
        temporary = self.path / f".{name}.tmp-{os.getpid()}-{token_hex(4)}"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
            _flush_directory(self.path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise StorageError(f"cannot write {self.path / name}: {error.strerror or error}") from error

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON; a number that is not finite is an error, for JSON has none."""
        self.write(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def write_lines(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Write one JSON object a line."""
        self.write(name, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def create(root: Path, name: str) -> RunDirectory:
    """Make the next free directory `root/name/001`, `002`, ...

    Raises:
        StorageError: It cannot be made.
    """
    parent = root / name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        taken = [int(entry.name) for entry in parent.iterdir() if entry.name.isdecimal()]
        first = max(taken, default=0) + 1
        for number in range(first, first + TRIES):
            path = parent / f"{number:03}"
            try:
                # mkdir is exclusive: of two runs that start together, one gets the next number.
                path.mkdir()
            except FileExistsError:
                continue
            return RunDirectory(path)
    except OSError as error:
        raise StorageError(f"cannot make a run directory in {parent}: {error.strerror or error}") from error
    raise StorageError(f"cannot make a run directory in {parent}: {TRIES} are taken")


def _flush_directory(path: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
