"""The `ffspec` command as processes of their own, which can be killed: how they end, and what they leave.

A cold child is a new Python, start-up and all. A warm one is forked from a process that has ffspec imported, so that a
hundred of them take minutes and not a quarter of an hour; from there on it is the same command.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ffspec import rundir
from ffspec.cli import _exit_code

SPEC = """\
name: net
seed: 3
dataset:
  moons: {n_samples: {train: 320, validation: 80, test: 80}, noise: 0.3}
  prepare: standardize
layers:
  - linear: 16
  - batch_norm
  - relu
  - dropout: 0.2
  - linear
loss: cross_entropy
optimizer: {adamw: 0.003}
scheduler: {warmup: {total_iters: 20, interval: step, then: {cosine_annealing: {interval: step}}}}
training: {epochs: 12, batch_size: 32, early_stopping: {patience: 4}, checkpoint: {steps: 1}}
"""
"""A small network with everything in it that a resumed training could get wrong; a save after every step."""

PATIENCE = 120.0
"""Seconds after which a child counts as hung."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code as a shell shows it, what it said, and the seconds since its start."""

    code: int
    said: str
    seconds: float

    @property
    def traceback(self) -> bool:
        """Whether it showed the user one, or hid one in a report of a crash."""
        return "Traceback" in self.said or "internal error" in self.said


@dataclass(frozen=True, slots=True)
class Child:
    """A command under way."""

    pid: int
    log: Path
    started: float

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def ended(self) -> bool:
        """Return whether it has come to its end; it is not yet reaped."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self) -> Ended:
        """Wait for the end of it.

        Raises:
            TimeoutError: It hangs; it is killed.
        """
        while not self.ended():
            if time.monotonic() - self.started > PATIENCE:
                self.send(signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise TimeoutError(f"a child hung; it said: {self.log.read_text(errors='replace')}")
            time.sleep(0.002)
        seconds = time.monotonic() - self.started
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return Ended(128 - code if code < 0 else code, self.log.read_text(errors="replace"), seconds)


def start(
    arguments: list[str],
    log: Path,
    *,
    cold: bool = False,
    temporary: Path | None = None,
    first: Callable[[], None] | None = None,
) -> Child:
    """Start `ffspec` with these arguments.

    Args:
        arguments: The command's arguments.
        log: The file for what it says.
        cold: Whether it is a new Python.
        temporary: The folder of temporary files it is told of, as `TMPDIR`.
        first: What a warm child does before the command: wait for others, or break something.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    started, pid = time.monotonic(), os.fork()
    if pid:
        return Child(pid, log, started)
    code = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        if temporary is not None:
            os.environ["TMPDIR"] = str(temporary)
            tempfile.tempdir = None
        # A shell lets what it starts in the background ignore SIGINT; these are to be as if in the foreground.
        signal.signal(signal.SIGINT, signal.SIG_DFL if cold else signal.default_int_handler)
        if cold:
            os.execv(sys.executable, [sys.executable, "-m", "ffspec", *arguments])  # noqa: S606 - our own command
        if first is not None:
            first()
        code = _exit_code(arguments)
    except BaseException:  # noqa: BLE001 - whatever escapes would be shown by Python, and the child must end here
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def call(arguments: list[str], log: Path, *, cold: bool = False, temporary: Path | None = None) -> Ended:
    """Run `ffspec` with these arguments to its end."""
    return start(arguments, log, cold=cold, temporary=temporary).wait()


def warm_up() -> None:
    """Import all that a run needs by doing one, on one thread: threads do not outlive a fork."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    import ffspec

    ffspec.run(SPEC, overrides=["training.epochs=1"])


def bits(directory: Path) -> tuple[bytes, str, str]:
    """Return what a run is for: weights, history and checks."""
    checks = json.dumps(json.loads((directory / rundir.CHECKS).read_text(encoding="utf-8")), sort_keys=True)
    history = (directory / rundir.HISTORY).read_text(encoding="utf-8")
    return (directory / rundir.MODEL).read_bytes(), history, checks


def stale(directory: Path) -> Iterator[Path]:
    """Yield the temporary files in a directory and below."""
    return directory.rglob(".*.tmp-*")


def place(out: Path) -> Path | None:
    """Return the newest run directory below `out`, if there is one."""
    return max((path for path in out.glob("net/*") if path.name.isdecimal()), default=None)
