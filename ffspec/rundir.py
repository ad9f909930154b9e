"""The run directory: one owner, every file whole or not at all, and a manifest by which damage shows."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Any

from ffspec.diagnostics import StorageError

try:
    import fcntl
except ImportError:  # Windows has other locks; there, a directory is only made exclusively
    fcntl = None  # type: ignore[assignment]

SPEC = "spec.yaml"
RESOLVED = "resolved.yaml"
ENVIRONMENT = "environment.json"
HISTORY = "history.jsonl"
CHECKS = "checks.json"
PREPARE = "prepare.json"
MODEL = "model.safetensors"
STATUS = "status.json"
SEVERAL = "several.json"
"""Of how many seeds and folds a run directory is, if it is of several."""
MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
KEPT = 2
"""Checkpoints that are kept: the newest, and the one before it in case the newest is damaged later."""

TRIES = 1000
HASTE = 50
"""Hundredths of a second to wait for the name of a lock's holder."""
_DIRECT = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A directory that belongs to one run, and while it is open to one process."""

    path: Path
    lock: int | None = None
    """The open file that holds the lock; it ends with the process, however that ends."""

    def close(self) -> None:
        """Let others have the directory."""
        if self.lock is not None:
            with suppress(OSError):
                os.close(self.lock)

    def put(self, name: str, files: Mapping[str, bytes]) -> None:
        """Make a directory inside that holds files and their manifest; it appears whole, by one renaming.

        Nothing is flushed to disk: for many small files that takes longer than to make them. `flush` does it for all.

        Raises:
            StorageError: It cannot be made.
        """
        target = self.path / name
        temporary = self.path / f".{name}.tmp-{os.getpid()}-{token_hex(4)}"
        listed = json.dumps(_manifest(files), indent=2) + "\n"
        try:
            temporary.mkdir()
            for file, content in {**files, MANIFEST: listed.encode()}.items():
                (temporary / file).write_bytes(content)
            temporary.rename(target)
        except OSError as error:
            rmtree(temporary, ignore_errors=True)
            raise StorageError(f"cannot make {target}: {_reason(error)}") from error

    def flush(self) -> None:
        """Have everything that was put on disk, where the system can."""
        if hasattr(os, "sync"):
            os.sync()

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file whole: a temporary file beside it, flushed to disk, then renamed.

        Raises:
            StorageError: It cannot be written; a file of that name is as it was.
        """
        data = content.encode() if isinstance(content, str) else content
        target = self.path / name
        temporary = target.parent / f".{target.name}.tmp-{os.getpid()}-{token_hex(4)}"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            _flush_directory(target.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise StorageError(f"cannot write {target}: {_reason(error)}") from error

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON; a number that is not finite is an error, for JSON has none."""
        self.write(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def write_lines(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Write one JSON object a line."""
        self.write(name, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))

    def seal(self, names: Iterable[str]) -> None:
        """Write the manifest: size and SHA-256 of each of these files that exists."""
        self.write_json(MANIFEST, _manifest({name: self.read(name) for name in names if (self.path / name).is_file()}))

    def read(self, name: str) -> bytes:
        """Return what a file holds.

        Raises:
            StorageError: It cannot be read.
        """
        try:
            return _regular(self.path / name)
        except OSError as error:
            raise StorageError(f"cannot read {self.path / name}: {_reason(error)}") from error

    def keep(self, step: int, content: bytes) -> Path:
        """Write a checkpoint, its digest in its name; read it back, and only then let go of the oldest.

        Raises:
            StorageError: It cannot be written, or not read back; the checkpoints before it are as they were.
        """
        folder = self.path / CHECKPOINTS
        with suppress(OSError):
            folder.mkdir()
        if folder.is_symlink():
            raise StorageError(f"{folder} must be a folder of its own, found a link")
        digest = hashlib.sha256(content).hexdigest()
        name = f"{step:012}-{digest[:32]}.safetensors"
        self.write(f"{CHECKPOINTS}/{name}", content)
        if hashlib.sha256(self.read(f"{CHECKPOINTS}/{name}")).hexdigest() != digest:
            raise StorageError(f"{folder / name} does not hold what was written: the disk may be failing")
        for old in self.checkpoints()[KEPT:]:
            with suppress(OSError):
                old.unlink()
        return folder / name

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints there are, whole or damaged, the newest first."""
        return sorted((self.path / CHECKPOINTS).glob("[0-9]*-*.safetensors"), reverse=True)

    def whole(self, checkpoint: Path) -> bytes | None:
        """Return what a checkpoint holds; None if it cannot be read, or is not what was written under its name."""
        try:
            content = self.read(f"{CHECKPOINTS}/{checkpoint.name}")
        except StorageError:
            return None
        return content if is_whole(checkpoint, content) else None

    def damaged(self) -> list[str]:
        """Return the files that are not what the manifest says, or cannot be judged; none if all is well."""
        try:
            listed = json.loads(self.read(MANIFEST))["files"]
            sums = {str(name): str(entry["sha256"]) for name, entry in listed.items()}
            if any(name != Path(name).name for name in sums):  # a file of this folder, not a way out of it
                return [MANIFEST]
        except (StorageError, ValueError, KeyError, TypeError, AttributeError):
            return [MANIFEST]
        return [name for name, digest in sums.items() if not self._holds(name, digest)]

    def _holds(self, name: str, digest: str) -> bool:
        try:
            return hashlib.sha256(self.read(name)).hexdigest() == digest
        except StorageError:
            return False


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    sums = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return {"version": 1, "files": sums}


def is_whole(checkpoint: Path, content: bytes) -> bool:
    """Return whether a checkpoint is what was written under its name."""
    return checkpoint.stem.partition("-")[2] == hashlib.sha256(content).hexdigest()[:32]


def create(root: Path, name: str) -> RunDirectory:
    """Make the next free directory `root/name/001`, `002`, ..., and lock it.

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
            return RunDirectory(path, _lock(path))
    except OSError as error:
        raise StorageError(f"cannot make a run directory in {parent}: {_reason(error)}") from error
    raise StorageError(f"cannot make a run directory in {parent}: {TRIES} are taken")


def reopen(path: Path) -> RunDirectory:
    """Lock an existing run directory, and sweep away what a killed run left half written.

    Raises:
        StorageError: It is none, or another process has it.
    """
    if not (path / RESOLVED).is_file():
        raise StorageError(f"{path} is no run directory: it has no {RESOLVED}")
    for entry in (path / RESOLVED, path / LOCK, path / CHECKPOINTS):
        if entry.is_symlink():
            raise StorageError(f"{entry} must not be a link: it would lead out of the run directory")
    try:
        found = RunDirectory(path, _lock(path))
    except OSError as error:
        raise StorageError(f"cannot lock {path}: {_reason(error)}") from error
    for folder in (path, path / CHECKPOINTS):
        for leftover in folder.glob(".*.tmp-*"):
            with suppress(OSError):
                if leftover.is_dir() and not leftover.is_symlink():  # of a directory inside that was being made
                    rmtree(leftover)
                else:
                    leftover.unlink()
    return found


def _lock(path: Path) -> int | None:
    """Take the lock of a directory, and write down who holds it.

    Raises:
        StorageError: Another process has it.
    """
    _refuse_links(path / LOCK)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | _DIRECT
    descriptor = os.open(path / LOCK, flags, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StorageError(f"{path / LOCK} must be a regular file")
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if error.errno not in {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}:
                raise
            raise StorageError(f"{path} is in use by {holder}") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    return descriptor


def _holder(descriptor: int) -> str:
    """Return who holds a lock; whoever has just taken it may not have written that down yet."""
    for _ in range(HASTE):
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
        if holder:
            return holder
        time.sleep(0.01)
    return "another process"


def _regular(path: Path) -> bytes:
    """Return what a regular file holds; no link is followed, and no pipe waited for."""
    _refuse_links(path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | _DIRECT)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read()


def _refuse_links(path: Path) -> None:
    """Raise where a path is a link; one put there in between is refused when it is opened."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, which would lead out of the run directory")


def _reason(error: OSError) -> str:
    """Say why a file could not be read or written, in words that help."""
    words = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only",
    }
    return words.get(error.errno or 0, (error.strerror or str(error)).lower())


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
