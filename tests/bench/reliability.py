"""What is left of a training that is stopped, killed or damaged: `python -m tests.bench.reliability`.

ffspec beside Lightning, skorch, Keras (on PyTorch) and scikit-learn, each with its documented way to write checkpoints
and to resume; `pip install -e '.[bench]'` brings them, and one that is not installed is shown as such. All train a
small network with one hidden layer and dropout (scikit-learn has none) by Adam on shuffled rows, seeded, on one thread:

- the largest difference of a weight between six epochs, and three and three in a second process;
- checkpoints that cannot be read after `kill -9` while one was written; half with TMPDIR on another file system;
- bits flipped in a checkpoint that is then read: those after which what is read differs, and nothing is said;
- the exit code of a script after SIGINT, after SIGTERM, and after a loss that is not a number.

Ends with 1 if ffspec is not exact, or not as docs/reliability.md says.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.measure import ROOT, machine
from tests.bench.peers.common import BEGUN, seen

PEERS = ("ffspec", "lightning", "skorch", "keras", "scikit-learn")
CHANGES, SOON, PATIENCE = 30, 5.0, 600.0
"""A training is under way after so many changes of its files, or so many seconds; and hangs after the third."""
PROMISED = ("0", "0", "0", "130", "143", "3")
"""What docs/reliability.md says of ffspec."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One peer, and the folder it works in."""

    peer: str
    folder: Path
    times: int
    flips: int

    def start(self, task: str, place: str, *rest: str) -> subprocess.Popen[str]:
        """Start the script of a peer."""
        name = "sklearn" if self.peer == "scikit-learn" else self.peer
        command = (sys.executable, "-m", f"tests.bench.peers.with_{name}", task, str(self.folder / place), *rest)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self, task: str, place: str, *rest: str) -> str:
        """Run the script to its end, and return the last line it printed.

        Raises:
            RuntimeError: It failed, which it should not here.
        """
        child = self.start(task, place, *rest)
        printed, complaint = child.communicate(timeout=PATIENCE)
        if child.returncode:
            raise RuntimeError(f"{self.peer} {task} ended with {child.returncode}: {complaint}")
        return (printed.splitlines() or [""])[-1]

    def difference(self) -> str:
        """Return the largest difference between a training and one in two halves."""
        for task, place in (("straight", "whole"), ("half", "parts"), ("rest", "parts")):
            self.finish(task, place)
        with np.load(self.folder / "straight.npz") as whole, np.load(self.folder / "rest.npz") as rest:
            largest = max(float(np.abs(whole[name] - rest[name]).max()) for name in whole.files)
        return f"{largest:.3f}" if largest else "0"

    def unreadable(self) -> str:
        """Return how many checkpoints could not be read after a kill."""
        return self.finish("saves", "saves", str(self.times))

    def silent(self) -> str:
        """Return how many flips changed what was read without a word."""
        return str(json.loads(self.finish("flips", "flips", str(self.flips)))[2])

    def after_signal(self, number: int) -> str:
        """Return the exit code after a signal amid the training, as a shell shows it."""
        place = f"signal{number}"
        child = self.start("long", place)
        assert child.stdout is not None
        while (line := child.stdout.readline()) and line.strip() != BEGUN:
            pass
        before, changes, until = seen([self.folder / place]), 0, time.monotonic() + SOON
        while changes < CHANGES and time.monotonic() < until:
            now = seen([self.folder / place])
            changes, before = changes + (now != before), now
        child.send_signal(number)
        try:
            child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return "goes on"
        return str(128 - child.returncode if child.returncode < 0 else child.returncode)

    def after_nan(self) -> str:
        """Return the exit code after a loss that is not a number."""
        child = self.start("nan", "nan")
        child.communicate(timeout=PATIENCE)
        return str(child.returncode)

    def row(self) -> tuple[str, ...]:
        """Return all that was found."""
        return (
            self.difference(),
            self.unreadable(),
            self.silent(),
            self.after_signal(signal.SIGINT),
            self.after_signal(signal.SIGTERM),
            self.after_nan(),
        )


def number_of(peer: str) -> str | None:
    """Return the version of a peer; None if it is not installed."""
    try:
        return version(peer)
    except PackageNotFoundError:
        return None


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, metavar="N", help="trainings that are killed (20)")
    parser.add_argument("--flips", type=int, default=200, metavar="N", help="bits that are flipped (200)")
    parser.add_argument("--only", choices=PEERS, nargs="+", default=PEERS, help="the systems to try (all)")
    options = parser.parse_args()
    table = Table(
        "",
        "difference after resuming",
        f"unreadable of {options.times}",
        f"silent flips of {options.flips}",
        "SIGINT",
        "SIGTERM",
        "NaN loss",
    )
    rows, began = dict[str, tuple[str, ...]](), time.monotonic()
    for peer in options.only:
        number = number_of(peer)
        if number is None and peer != "ffspec":
            table.add_row(peer, "not installed")
            continue
        with TemporaryDirectory() as folder:
            rows[peer] = Trial(peer, Path(folder), options.times, options.flips).row()
        table.add_row(peer if number is None else f"{peer} {number}", *rows[peer])
    console = Console()
    console.print(machine(), highlight=False)
    console.print(f"One thread for everyone; all this took {time.monotonic() - began:.0f} s.", highlight=False)
    console.print(table)
    return int("ffspec" in rows and rows["ffspec"] != PROMISED)


if __name__ == "__main__":
    sys.exit(main())
