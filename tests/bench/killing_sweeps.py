"""Sweeps killed by SIGKILL at random moments, and gone on with: `python -m tests.bench.killing_sweeps --times 20`.

Of every method, so many sweeps are killed, half of them twice; half are gone on with by `ffspec resume`, half by the
same command again. Each must end in the best spec, the bits of its run and the points of a sweep that was not stopped,
and their values in the digits that decide. Ends with 1 unless all do.
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
from typing import Any

from rich.console import Console
from rich.table import Table

from ffspec import rundir
from ffspec.runner.sweeping.log import LOG
from ffspec.runner.sweeping.trials import sure
from tests.bench.measure import machine
from tests.bench.peers.children import call, stale, start, warm_up
from tests.corpus import chance

SPEC = """\
name: net
dataset: {moons: {n_samples: {train: 80, validation: 80, test: 80}, noise: 0.3}}
layers: [{linear: 8}, relu, linear]
loss: cross_entropy
optimizer: {adamw: 0.003}
training: {epochs: 60, batch_size: 16}
sweep:
  axes:
    optimizer.adamw.lr: AXIS
    layers.0.linear.out_features: [8, 12]
  trials: 40
  method: METHOD
"""
METHODS = dict.fromkeys(("random", "tpe", "hyperband"), "{log_uniform: [0.0003, 0.3]}")
METHODS |= {"grid": "[0.0003, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3]"}


def place(out: Path) -> Path | None:
    """Return the newest run directory below `out`, if there is one that can be gone on with."""
    found = [path for path in out.glob("net/[0-9]*") if (path / rundir.RESOLVED).is_file()]
    return max(found, default=None)


def outcome(directory: Path) -> tuple[Any, ...]:
    """Return what a sweep is for: its best spec, the weights, and what became of every point."""
    lines = [json.loads(line) for line in (directory / LOG).read_text(encoding="utf-8").splitlines()]
    trials = sorted((line["trial"] for line in lines if "trial" in line), key=lambda one: int(one.get("number", 0)))
    told = [(one.get("number"), one.get("point"), one.get("epochs"), sure(one.get("value", -1.0))) for one in trials]
    best = (directory / "best.yaml").read_text(encoding="utf-8")
    return best, (directory / "best" / "001" / rundir.MODEL).read_bytes(), told


def kill(arguments: list[str], log: Path, after: float) -> bool:
    """Start a command, kill it after so many seconds, and return whether that was in time."""
    child = start(arguments, log)
    while time.monotonic() < child.started + after and not child.ended():
        time.sleep(0.001)
    late = child.ended()
    if not late:
        child.send(signal.SIGKILL)
    child.wait()
    return not late


def series(method: str, folder: Path, times: int, faults: list[str]) -> tuple[int, Counter[str]]:
    """Kill sweeps of one method, and return how many ended as they should, and what the kills had left."""
    spec, log = folder / f"{method}.yaml", folder / "said.log"
    spec.write_text(SPEC.replace("METHOD", method).replace("AXIS", METHODS[method]), encoding="utf-8")
    whole = call(["sweep", str(spec), "-q", "--out", str(folder / method)], log)
    seconds = min(
        whole.seconds, call(["sweep", str(spec), "-q", "--out", str(folder / f"{method}-again")], log).seconds
    )
    directory = place(folder / method)
    assert directory is not None, whole.said
    wanted, draw, states, same = outcome(directory), chance(len(method)), Counter[str](), 0
    for turn in range(times):
        out, hits = folder / f"{method}{turn}", 0
        arguments = ["sweep", str(spec), "-q", "--out", str(out)]
        for _ in range(1 + turn % 2):
            hits += kill(arguments, log, draw.uniform(0, 0.8 * seconds))
        stopped = place(out)
        states[state(stopped)] += 1
        again = ["resume", str(stopped), "-q"] if stopped is not None and turn % 4 > 1 else arguments
        ended = call(again, log)
        found = place(out)
        if ended.code or ended.said or found is None:
            faults.append(f"{method}, turn {turn}: ended with {ended.code}: {ended.said.strip()[-300:]}")
        elif outcome(found) != wanted:
            faults.append(f"{method}, turn {turn}: another end")
        elif list(stale(found)):
            faults.append(f"{method}, turn {turn}: temporary files are left")
        else:
            same += 1
        shutil.rmtree(out, ignore_errors=True)
    return same, states


def state(directory: Path | None) -> str:
    """Say what a kill has left."""
    if directory is None:
        return "nothing to go on with"
    if (directory / "sweep.json").is_file():
        return "its end"
    if (directory / "best.yaml").is_file():
        return "the best under way"
    return "some points" if '"trial"' in (directory / LOG).read_text(encoding="utf-8") else "no point yet"


def main() -> int:
    """Kill, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, metavar="N", help="sweeps of each method that are killed (20)")
    options = parser.parse_args()
    warm_up()
    console, faults, began = Console(), list[str](), time.monotonic()
    table = Table("method", "killed", "same end", "what was left")
    with TemporaryDirectory() as folder:
        for method in METHODS:
            same, states = series(method, Path(folder), options.times, faults)
            left = ", ".join(f"{name} {count}" for name, count in states.most_common())
            table.add_row(method, str(options.times), str(same), left)
    console.print(machine(), highlight=False)
    console.print(f"It took {time.monotonic() - began:.0f} s.", highlight=False)
    console.print(table)
    for fault in faults:
        console.print(f"FAULT {fault}", highlight=False, markup=False)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
