"""What a whole process costs, and the machine it was measured on."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Cost:
    """The seconds of one process from start to end, its own children included."""

    wall: float
    cpu: float
    """User and system time."""


def spend(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command in the root of the project and return what it cost; its output is thrown away.

    Raises:
        RuntimeError: the command failed, with what it wrote to standard error.
    """
    start = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    complaint = child.stderr.read()
    # wait4, not wait: only it returns the resources of this child alone.
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stderr.close()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{complaint.decode(errors='replace')}")
    return Cost(wall=wall, cpu=usage.ru_utime + usage.ru_stime)


def median(costs: Iterable[Cost]) -> Cost:
    """Return the median wall and the median CPU time, each by itself."""
    costs = tuple(costs)
    return Cost(wall=statistics.median(cost.wall for cost in costs), cpu=statistics.median(cost.cpu for cost in costs))


def repeats(description: str | None) -> int:
    """Read `--repeats N` off the command line, at least 1."""
    count: int = parse(parser_of(description)).repeats
    return count


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return what reads `--repeats N`, to which a benchmark may add options of its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, metavar="N", help="how often to run everything (9)")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; `--repeats` is at least 1."""
    given = parser.parse_args()
    if given.repeats < 1:
        parser.error("--repeats must be at least 1")
    return given


def machine() -> str:
    """Name the machine and the versions, in one line."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return (
        f"{cores} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"torch {version('torch')}, scikit-learn {version('scikit-learn')}"
    )
