"""Trainings of several seeds and folds, killed and gone on with: `python -m tests.bench.killing_several --times 20`.

Of each kind, so many are ended at random moments, half of them twice: by SIGKILL, SIGTERM and SIGINT in turn. Gone on
with by `ffspec resume`, each must leave the bits of one that was not stopped, in every file. Ends with 1 unless all do.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from ffspec import rundir
from tests.bench.measure import machine
from tests.bench.peers.children import call, stale, start, warm_up
from tests.corpus import chance

SPEC = """\
name: net
dataset: {moons: {n_samples: 400, noise: 0.3}, split: {validation: 0.2, test: 0.2}, prepare: standardize}
layers: [{linear: {out_features: WIDTH, bias: false}}, batch_norm, relu, {dropout: 0.2}, linear]
loss: cross_entropy
optimizer: {adamw: 0.003}
training: {epochs: 40, batch_size: 32, early_stopping: {patience: 20}, checkpoint: {steps: 5}}
"""
KINDS = {
    "--seeds 48, as one network": (("--seeds", "48"), 600),
    "--seeds 6, one after another": (("--seeds", "6"), 8000),
    "--folds 8": (("--folds", "8"), 600),
    "--seeds 3 --folds 4 --resplit": (("--seeds", "3", "--folds", "4", "--resplit"), 64),
}
SIGNALS = {signal.SIGKILL: 137, signal.SIGTERM: 143, signal.SIGINT: 130}


def place(out: Path) -> Path | None:
    """Return the newest run directory below `out`, if there is one that can be gone on with."""
    found = [path for path in out.glob("net/[0-9]*") if (path / rundir.RESOLVED).is_file()]
    return max(found, default=None)


def bits(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory, but for what says who holds it."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != rundir.LOCK)
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def end(arguments: list[str], log: Path, after: float, number: signal.Signals) -> int | None:
    """Start a command, end it after so many seconds, and return its code; None if it was done before."""
    child = start(arguments, log)
    while time.monotonic() < child.started + after and not child.ended():
        time.sleep(0.001)
    late = child.ended()
    if not late:
        child.send(number)
    code = child.wait().code
    return None if late else code


def state(directory: Path | None) -> str:
    """Say what a kill has left."""
    if directory is None:
        return "nothing to go on with"
    if json.loads((directory / rundir.STATUS).read_bytes())["status"] == "done":
        return "its end"
    done = len([path for path in directory.iterdir() if path.is_dir() and path.name.startswith(("seed-", "fold-"))])
    return "none done" if not done else "some done"


def series(kind: str, folder: Path, times: int, faults: list[str]) -> tuple[int, Counter[str]]:
    """Kill trainings of one kind, and return how many ended as they should, and what the kills had left."""
    words, width = KINDS[kind]
    spec, log = folder / "net.yaml", folder / "said.log"
    spec.write_text(SPEC.replace("WIDTH", str(width)), encoding="utf-8")
    run = ["run", str(spec), "-q", *words, "--out"]
    whole = call([*run, str(folder / "whole")], log)
    directory = place(folder / "whole")
    assert directory is not None, whole.said
    wanted, draw, states, same = bits(directory), chance(len(kind)), Counter[str](), 0
    shutil.rmtree(folder / "whole")
    for turn in range(times):
        out, number = folder / str(turn), [*SIGNALS][turn % 3]
        arguments = [*run, str(out)]
        for _ in range(1 + turn % 2):
            code = end(arguments, log, draw.uniform(0.2, 0.95) * whole.seconds, number)
            stopped = place(out)
            # While the results are written a signal comes too late.
            if code not in {None, SIGNALS[number], -number} and state(stopped) != "its end":
                faults.append(f"{kind}, turn {turn}: {number.name} ended it with {code}")
            arguments = [*run, str(out)] if stopped is None else ["resume", str(stopped), "-q"]
        states[state(place(out))] += 1
        ended = call(arguments, log)
        found = place(out)
        if ended.code or ended.said or found is None:
            faults.append(f"{kind}, turn {turn}: ended with {ended.code}: {ended.said.strip()[-300:]}")
        elif bits(found) != wanted:
            faults.append(f"{kind}, turn {turn}: other bits")
        elif list(stale(found)):
            faults.append(f"{kind}, turn {turn}: temporary files are left")
        else:
            same += 1
        shutil.rmtree(out, ignore_errors=True)
    return same, states


def main() -> int:
    """Kill, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, metavar="N", help="trainings of each kind that are ended (20)")
    options = parser.parse_args()
    warm_up()
    console, faults = Console(), list[str]()
    table = Table("trainings", "stopped", "same bits", "what was left")
    for kind in KINDS:
        with TemporaryDirectory() as folder:
            same, states = series(kind, Path(folder), options.times, faults)
        left = ", ".join(f"{name} {count}" for name, count in states.most_common())
        table.add_row(kind, str(options.times), str(same), left)
    console.print(machine(), highlight=False)
    console.print(table)
    for fault in faults:
        console.print(f"FAULT {fault}", highlight=False, markup=False)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
