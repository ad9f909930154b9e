"""What every peer of the comparison does alike: the data, the network's sizes, and how its script is called.

A peer says how it trains, how it is resumed and how its checkpoints are read, each in its documented way. All else is
the same for everyone: `python -m tests.bench.peers.NAME straight|half|rest|long|nan FOLDER`, and `saves` and `flips`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.corpus import chance

SEED, ROWS, FEATURES, CLASSES, BATCH = 3, 640, 20, 4, 32
HIDDEN, WIDE = 32, 20_000
"""The width of the hidden layer; the wide one makes a save take long enough to be hit."""
LR, WILD = 0.003, 1e10
"""A learning rate with which Adam trains, and one with which plain SGD soon has a loss that is not a number."""
EPOCHS, LONG = 6, 100_000
DROPOUT = 0.2
BEGUN = "begun"
"""What a script says before it trains to be interrupted."""
LASTS = 30.0
"""Seconds a child may take to read a checkpoint before it counts as unreadable."""

Array = NDArray[np.float32]


def data() -> tuple[Array, NDArray[np.int64]]:
    """Return the rows: clouds around a centre for each class."""
    draw = np.random.default_rng(SEED)
    y = draw.integers(0, CLASSES, ROWS)
    x = draw.normal(size=(CLASSES, FEATURES))[y] + draw.normal(size=(ROWS, FEATURES))
    return x.astype(np.float32), y.astype(np.int64)


class Peer(ABC):
    """A system that trains, writes checkpoints while it does, and can be resumed from them."""

    @abstractmethod
    def train(self, folder: Path, *, epochs: int, lr: float = LR, hidden: int = HIDDEN, often: bool = False) -> Any:
        """Train with checkpoints in a folder, from those that are there already, and return the model.

        Args:
            folder: The place of the checkpoints; empty at first.
            epochs: How many in all.
            lr: The learning rate; of Adam, or if it is `WILD` of plain SGD.
            hidden: The width of the hidden layer.
            often: Whether a checkpoint is written as often as can be, instead of once an epoch.
        """

    @abstractmethod
    def weights(self, model: Any) -> list[Array]:
        """Return the weights of what `train` returned, in order."""

    @abstractmethod
    def read(self, folder: Path, hidden: int) -> Any:
        """Read the newest checkpoint, and return all of it that is numbers; raise if it cannot be read."""

    def files(self, folder: Path) -> list[Path]:
        """Return the files that `read` reads, to flip bits in."""
        return [path for path in folder.rglob("*") if path.is_file()]


def digest(value: Any) -> str:
    """Return what identifies a nest of numbers."""
    made = hashlib.sha256()

    def take(one: Any) -> None:
        if isinstance(one, Mapping):
            for key in one:
                made.update(str(key).encode())
                take(one[key])
        elif isinstance(one, Sequence) and not isinstance(one, str | bytes):
            for item in one:
                take(item)
        elif hasattr(one, "detach"):
            made.update(one.detach().cpu().numpy().tobytes())
        elif isinstance(one, np.ndarray):
            made.update(one.tobytes())
        else:
            made.update(repr(one).encode())

    take(value)
    return made.hexdigest()


def main(make: Callable[[], Peer]) -> None:
    """Do what the command line says."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever a shell has done
    task, place, *rest = sys.argv[1:]
    peer, folder = make(), Path(place)
    match task:
        case "straight" | "half" | "rest":
            model = peer.train(folder, epochs=EPOCHS // 2 if task == "half" else EPOCHS)
            np.savez(folder.with_name(f"{task}.npz"), *peer.weights(model))
        case "long":
            print(BEGUN, flush=True)
            peer.train(folder, epochs=LONG)
        case "nan":
            peer.train(folder, epochs=EPOCHS, lr=WILD)
        case "saves":
            print(json.dumps(saves(peer, folder, int(rest[0]))))
        case "flips":
            print(json.dumps(flips(peer, folder, int(rest[0]))))


def forked(do: Callable[[], str | None], *, temporary: Path | None = None) -> tuple[int, int]:
    """Start a function in a process of its own; return its id, and where what it returns can be read."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        if temporary is not None:
            os.environ["TMPDIR"], tempfile.tempdir = str(temporary), None
        os.write(writing, (do() or "").encode())
        code = 0
    finally:
        os._exit(code)


def answer(do: Callable[[], str]) -> str | None:
    """Return what a function returns in a process of its own; None if it fails, dies or hangs."""
    pid, reading = forked(do)
    until = time.monotonic() + LASTS
    while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
            break
        time.sleep(0.002)
    with open(reading, encoding="utf-8") as pipe:  # noqa: PTH123 - an open file, not a path
        said = pipe.read()
    return said if os.waitstatus_to_exitcode(ended[1]) == 0 else None


def seen(folders: list[Path]) -> set[tuple[str, int, int]]:
    """Return the files there are, with their sizes and times: another set means that something is being written."""
    found = set()
    for folder in folders:
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.add((str(path), status.st_size, status.st_mtime_ns))
    return found


@contextlib.contextmanager
def elsewhere(*, wanted: bool) -> Iterator[Path | None]:
    """Make a place for temporary files on another file system, if that is wanted and there is one."""
    shm = Path("/dev/shm")  # noqa: S108 - another file system, wherever there is Linux
    if not wanted or not shm.is_dir():
        yield None
        return
    with tempfile.TemporaryDirectory(dir=shm, ignore_cleanup_errors=True) as name:
        yield Path(name)


def saves(peer: Peer, folder: Path, times: int) -> int:
    """Kill a training `times` times as it writes a checkpoint, and count after how many none can be read.

    The moment is drawn: up to 10 ms after a file has begun to change, some saves after the first. In every other try
    temporary files are on another file system.
    """
    draw, unreadable = chance(9), 0
    # Imports everything before the forks, and shows that what is not killed can be read.
    folder.mkdir(parents=True)
    peer.train(folder, epochs=1, hidden=WIDE, often=True)
    assert answer(lambda: digest(peer.read(folder, WIDE))) is not None, "the checkpoint cannot be read"
    for turn in range(times):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

        def train() -> None:
            peer.train(folder, epochs=LONG, hidden=WIDE, often=True)

        with elsewhere(wanted=turn % 2 == 1) as temporary:
            watched = [folder] if temporary is None else [folder, temporary]
            pid, reading = forked(train, temporary=temporary)
            for _ in range(draw.randint(20, 60)):
                before, until = seen(watched), time.monotonic() + LASTS
                while seen(watched) == before and time.monotonic() < until:
                    pass
            time.sleep(draw.uniform(0, 0.01))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reading)
        unreadable += answer(lambda: digest(peer.read(folder, WIDE))) is None
    return unreadable


def flips(peer: Peer, folder: Path, times: int) -> list[int]:
    """Flip one bit of a checkpoint, `times` times; count errors, harmless ones, and those that silently differ."""
    folder.mkdir(parents=True)
    peer.train(folder, epochs=EPOCHS // 2)
    copy, draw, counts = folder.with_name("flipped"), chance(400), [0, 0, 0]
    wanted = answer(lambda: digest(peer.read(_copied(folder, copy), HIDDEN)))
    assert wanted is not None, "the checkpoint cannot be read"
    for _ in range(times):
        files = peer.files(_copied(folder, copy))
        path = draw.choices(files, [file.stat().st_size for file in files])[0]
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        found = answer(lambda: digest(peer.read(copy, HIDDEN)))
        counts[0 if found is None else 1 if found == wanted else 2] += 1
    return counts


def _copied(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target
