"""Two processes that want one run directory: `python -m tests.bench.owners --times 50`.

A run is stopped after its first epoch, and two `ffspec resume` are let go at once on a copy of it: processes of their
own, forked from one with ffspec imported so that they meet at the lock and not in their start-up. One must end with 0
and in the bits of a run that was never stopped, the other with 4, saying that the directory is in use.
Ends with 1 unless it is so every time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.bench.measure import machine
from tests.bench.peers.children import SPEC, Child, bits, call, place, stale, start, warm_up

GOOD = "one ended with 0 and the right bits, the other with 4"
AWAITED = 0.05
"""Seconds until both children stand at the gate."""


def stop_early(spec: Path, out: Path) -> Path:
    """Return a run that was killed in its second epoch."""
    child = start(["run", str(spec), "--out", str(out), "--quiet"], out.with_suffix(".log"))
    while not child.ended() and not list(out.glob("net/001/checkpoints/000000000012-*")):
        time.sleep(0.001)
    child.send(signal.SIGKILL)
    child.wait()
    directory = place(out)
    assert directory is not None
    return directory


def together(directory: Path, logs: list[Path]) -> list[Child]:
    """Start two processes that resume a run at the same moment."""
    gate, opening = os.pipe()

    def stand() -> None:
        os.close(opening)
        os.read(gate, 1)  # returns once the pipe's other end is closed

    children = [start(["resume", str(directory), "--quiet"], log, first=stand) for log in logs]
    time.sleep(AWAITED)
    os.close(opening)
    os.close(gate)
    return children


def compete(source: Path, folder: Path, wanted: tuple[bytes, str, str]) -> str:
    """Let two processes have one run directory, and say how that ended."""
    directory = folder / "copy"
    shutil.copytree(source, directory)
    children = together(directory, [folder / "a.log", folder / "b.log"])
    ends = [child.wait() for child in children]
    winner, loser = sorted(zip(children, ends, strict=True), key=lambda pair: pair[1].code)
    try:
        if (winner[1].code, loser[1].code) != (0, 4):
            return f"exit codes {winner[1].code} and {loser[1].code}: {winner[1].said}{loser[1].said}"
        if bits(directory) != wanted or list(stale(directory)):
            return "the winner ends in other bits"
        if f"is in use by process {winner[0].pid} on " in loser[1].said:
            return f"{GOOD}, naming the first"
        # The first has the lock, but has not yet written who it is.
        return f"{GOOD}, naming no process" if "is in use by another process" in loser[1].said else loser[1].said
    finally:
        shutil.rmtree(directory)


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50, metavar="N", help="pairs of processes (50)")
    options = parser.parse_args()
    warm_up()
    began = time.monotonic()
    with TemporaryDirectory() as name:
        folder = Path(name)
        spec = folder / "net.yaml"
        spec.write_text(SPEC, encoding="utf-8")
        ended = call(["run", str(spec), "--out", str(folder / "whole"), "--quiet"], folder / "whole.log")
        whole = place(folder / "whole")
        assert whole is not None, ended.said
        source = stop_early(spec, folder / "stopped")
        found = Counter(compete(source, folder, bits(whole)) for _ in range(options.times))
    table = Table("how two processes ended that wanted one run directory", "times")
    for said, count in found.most_common():
        table.add_row(said, str(count))
    console = Console()
    console.print(machine(), highlight=False)
    console.print(f"{options.times} pairs; all this took {time.monotonic() - began:.0f} s.", highlight=False)
    console.print(table)
    return int(any(not said.startswith(GOOD) for said in found))


if __name__ == "__main__":
    sys.exit(main())
