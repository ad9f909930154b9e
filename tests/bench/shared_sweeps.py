"""Two processes on one sweep, one of them killed: `python -m tests.bench.shared_sweeps --storage URL`.

Of every method, two processes begin the same sweep at once; the first or the second is killed by SIGKILL once it has
trained some points. Then either the other one ends alone, and takes over what the killed one had begun, or the command
of the killed one is given again too, as it must be where the other had nothing left to look for. In the end there must
be every point, and the best of them all must be what whoever ended last says; of grids and random points the values
must be those of a sweep of one process. Without a URL, a SQLite database and a journal in a temporary folder are tried.
Ends with 1 unless all is as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from ffspec.runner.sweeping.log import LOG
from ffspec.runner.sweeping.trials import sure
from tests.bench.killing_sweeps import METHODS, SPEC
from tests.bench.measure import machine
from tests.bench.peers.children import PATIENCE, Child, call, start, warm_up
from tests.corpus import chance

POINTS = 40


def trained(out: Path) -> int:
    """Return how many points a process has trained."""
    logs = list(out.glob(f"*/[0-9]*/{LOG}"))
    return sum(log.read_bytes().count(b'"trial"') for log in logs)


def kill(child: Child, out: Path, points: int) -> bool:
    """Kill a process once it has trained so many points; return whether it still ran."""
    until = time.monotonic() + PATIENCE
    while not child.ended() and trained(out) < points and time.monotonic() < until:
        time.sleep(0.002)
    late = child.ended()
    if not late:
        child.send(signal.SIGKILL)
    child.wait()
    return not late


def told(out: Path) -> dict[int, Any]:
    """Return the points a process has written down, by number."""
    found: dict[int, Any] = {}
    for log in out.glob(f"*/[0-9]*/{LOG}"):
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        found |= {line["trial"].get("number", 0): line["trial"] for line in lines if "trial" in line}
    return found


def summary(out: Path) -> dict[str, Any]:
    """Return what a process says in the end."""
    (path,) = out.glob("*/[0-9]*/sweep.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Kill:
    """Which process is killed, once it has trained how many points, and whether its command is given again."""

    victim: int
    again: bool
    points: int


def turn(spec: Path, storage: str, how: Kill, folder: Path) -> tuple[str, bool]:
    """Kill one of two processes, let the sweep end, and return what is wrong with the end; and if the kill hit."""
    victim, outs = how.victim, [folder / "one", folder / "other"]
    orders = [["sweep", str(spec), "-q", "--out", str(out), "--storage", storage] for out in outs]
    logs = [folder / "one.log", folder / "other.log"]
    children = [start(order, log) for order, log in zip(orders, logs, strict=True)]
    hit = kill(children[victim], outs[victim], how.points)
    # Whoever has looked for points for the last time takes nothing over any more.
    early = bool(list(outs[1 - victim].glob("*/[0-9]*/best.yaml")))
    ended = children[1 - victim].wait()
    last = outs[1 - victim]
    if hit and (how.again or early):
        ended, last = call(orders[victim], logs[victim]), outs[victim]
    if ended.code or ended.said:
        return f"ended with {ended.code}: {ended.said.strip()[-300:]}", hit
    found, said = told(outs[0]) | told(outs[1]), summary(last)
    if sorted(found) != [*range(POINTS)] or said["trials"] != POINTS:
        return f"{len(found)} points are written down, {said['trials']} told of, of {POINTS}", hit
    best = min(sure(one["value"]) for one in found.values() if "value" in one)
    return "" if sure(said["best"]["value"]) == best else "the best is another", hit


def alone(spec: Path, folder: Path) -> dict[int, Any]:
    """Return the points of a sweep of one process."""
    call(["sweep", str(spec), "-q", "--out", str(folder / "alone")], folder / "alone.log")
    return told(folder / "alone")


def differing(folder: Path, wanted: dict[int, Any]) -> str:
    """Say whether points that do not depend on who trains them have come to other values."""
    found = told(folder / "one") | told(folder / "other")
    wrong = [number for number, one in wanted.items() if sure(one["value"]) != sure(found[number]["value"])]
    return f"points {wrong} have other values" if wrong else ""


def series(method: str, storage: str, folder: Path) -> tuple[list[str], int]:
    """Kill in every order, and return what was wrong, and how many kills hit."""
    faults, hits, draw = list[str](), 0, chance(len(method))
    axis = METHODS[method]
    if method == "grid":
        axis = f"[{', '.join(f'{place / 1000}' for place in range(1, POINTS // 2 + 1))}]"
    text = SPEC.replace("METHOD", method).replace("AXIS", axis).replace("trials: 40", f"trials: {POINTS}")
    for place, (victim, again) in enumerate(product((0, 1), (False, True))):
        own = folder / f"{method}{place}"
        own.mkdir()
        spec = own / "net.yaml"
        spec.write_text(text.replace("name: net", f"name: net-{os.getpid()}-{method}{place}"), encoding="utf-8")
        wrong, hit = turn(spec, storage, Kill(victim, again, draw.randint(1, POINTS // 4)), own)
        if not wrong and method in {"grid", "random"}:
            wrong = differing(own, alone(spec, own))
        hits += hit
        if wrong:
            faults.append(f"{method}, victim {victim}, {'given again' if again else 'not given again'}: {wrong}")
    return faults, hits


def main() -> int:
    """Kill, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", metavar="URL", help="a database; it is not emptied afterwards")
    options = parser.parse_args()
    warm_up()
    console, every = Console(), list[str]()
    table = Table("storage", "method", "sweeps", "killed in time", "as it should be")
    with TemporaryDirectory() as folder:
        scratch = [f"sqlite:///{folder}/study.db", f"{folder}/study.journal"]
        for number, storage in enumerate([options.storage] if options.storage else scratch):
            for method in METHODS:
                where = Path(folder) / f"{number}"
                where.mkdir(exist_ok=True)
                faults, hits = series(method, storage, where)
                kind = storage.partition("://")[0] if "://" in storage else "journal"
                table.add_row(kind, method, "4", str(hits), str(4 - len(faults)))
                every += [f"{kind}, {fault}" for fault in faults]
    console.print(machine(), highlight=False)
    console.print(table)
    for fault in every:
        console.print(f"FAULT {fault}", highlight=False, markup=False)
    return int(bool(every))


if __name__ == "__main__":
    sys.exit(main())
