"""Runs stopped by a signal at random moments, and resumed: `python -m tests.bench.killing --signal KILL --times 50`.

Every run must end in the bits of a run that was never stopped. A fifth of them are new Python processes, start-up and
all, the others forked from one with ffspec imported; half have TMPDIR on another file system; half are hit while a file
is being written; a third are hit again while they are resumed. With KILL, a run and a resumed run are also killed right
before and right after each of their renames but the middle ones. Ends with 1 unless all agree.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from rich.console import Console
from rich.table import Table

from ffspec import rundir
from tests.bench.measure import machine
from tests.bench.peers.children import SPEC, Child, Ended, bits, call, place, stale, start, warm_up
from tests.corpus import chance

SIGNALS = {name: getattr(signal, f"SIG{name}") for name in ("KILL", "TERM", "INT")}
ELSEWHERE = Path("/dev/shm")  # noqa: S108 - another file system, wherever there is Linux
ENDS = 8
"""The renames at the start and at the end of a command that it is killed at; those between are all alike."""


@dataclass(slots=True)
class Tally:
    """What has been seen."""

    tried: int = 0
    same: int = 0
    stale: int = 0
    """Temporary files that are left after a resumed run."""
    elsewhere: int = 0
    """Files left in TMPDIR."""
    states: Counter[str] = field(default_factory=Counter)
    """What the signal left."""
    abandoned: int = 0
    """Temporary files in directories that were stopped before there was anything to resume."""
    codes: Counter[int] = field(default_factory=Counter)
    """The exit codes of what was hit by the signal."""
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bench:
    """The place of a series, and what its runs must end in."""

    folder: Path
    spec: Path
    wanted: tuple[bytes, str, str]
    lasts: dict[bool, float]
    """The seconds of a whole run; of a new Python, and of a forked one."""

    def run(self, out: Path) -> list[str]:
        """Return the arguments that train below `out`."""
        return ["run", str(self.spec), "--out", str(out), "--quiet"]

    def judge(self, where: str, out: Path, temporary: Path | None, tally: Tally) -> None:
        """Resume the newest run below `out`, or run again if nothing can be resumed, and look at what it ends in."""
        directory = place(out)
        tally.states[state(directory)] += 1
        log = self.folder / "resumed.log"
        if directory is None or not (directory / rundir.RESOLVED).exists():
            ended = call(self.run(out), log, temporary=temporary)
            directory = place(out)
        else:
            ended = call(["resume", str(directory), "--quiet"], log, temporary=temporary)
        tally.tried += 1
        if directory is None or ended.code or ended.said:
            tally.faults.append(f"{where}: resuming ended with {ended.code}: {ended.said.strip()}")
            return
        left = len(list(stale(directory)))
        tally.stale, tally.abandoned = tally.stale + left, tally.abandoned + len(list(stale(out))) - left
        tally.elsewhere += 0 if temporary is None else len(list(temporary.iterdir()))
        if bits(directory) != self.wanted:
            tally.faults.append(f"{where}: other bits")
        elif damaged := rundir.RunDirectory(directory).damaged():
            tally.faults.append(f"{where}: damaged: {', '.join(damaged)}")
        else:
            tally.same += 1


def state(directory: Path | None) -> str:
    """Say what a stopped run has left."""
    if directory is None or not (directory / rundir.RESOLVED).exists():
        return "nothing to resume yet"
    if list(stale(directory)):
        return "a file half written"
    if (directory / rundir.MODEL).exists():
        return "its weights written"
    return "checkpoints" if list((directory / rundir.CHECKPOINTS).glob("*")) else "no checkpoint yet"


def prepare(folder: Path) -> Bench:
    """Train once without a stop, and measure how long it takes."""
    spec = folder / "net.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    bench = Bench(folder, spec, (b"", "", ""), {})
    whole = {cold: call(bench.run(folder / f"whole{cold}"), folder / "whole.log", cold=cold) for cold in (True, False)}
    found = [place(folder / f"whole{cold}") for cold in whole]
    ends = [bits(path) for path in found if path is not None]
    assert len(ends) == 2, [ended.said for ended in whole.values()]
    assert ends[0] == ends[1]
    return Bench(folder, spec, ends[0], {cold: ended.seconds for cold, ended in whole.items()})


def hit(child: Child, number: int, moment: float, *, writing: Path | None) -> Ended | None:
    """Send a signal after so many seconds, or when the next file below `writing` is begun; None: it came too late."""
    while time.monotonic() < child.started + moment and not child.ended():
        time.sleep(0.001)
    while writing is not None and not child.ended() and not list(stale(writing)):
        pass
    late = child.ended()
    if not late:
        child.send(number)
    ended = child.wait()
    return None if late or ended.code == 0 else ended


def note(ended: Ended, number: int, where: str, tally: Tally) -> None:
    """Hold what a signal did against what it should do."""
    tally.codes[ended.code] += 1
    if ended.code != 128 + number or ended.traceback:
        tally.faults.append(f"{where}: ended with {ended.code}: {ended.said.strip()[-600:]}")


def at_random(bench: Bench, number: int, times: int) -> Tally:
    """Hit so many runs at random moments, and resume each."""
    tally, draw, attempt = Tally(), chance(number), 0
    while tally.tried < times:
        attempt += 1
        turn = tally.tried
        out = bench.folder / f"try{attempt}"
        temporary = Path(mkdtemp(dir=ELSEWHERE)) if turn % 2 else None
        cold = turn % 5 == 0
        child = start(bench.run(out), bench.folder / "hit.log", cold=cold, temporary=temporary)
        moment = draw.uniform(0, bench.lasts[cold])
        ended = hit(child, number, moment, writing=out if turn % 4 > 1 else None)
        where = f"attempt {attempt}, {'cold' if cold else 'warm'}, {moment:.3f} s"
        if ended is not None:
            note(ended, number, where, tally)
            directory = place(out)
            if turn % 3 == 0 and directory is not None and (directory / rundir.RESOLVED).exists():
                again = start(["resume", str(directory), "--quiet"], bench.folder / "hit.log", temporary=temporary)
                second = hit(again, number, draw.uniform(0, bench.lasts[False]), writing=None)
                if second is not None:
                    note(second, number, f"{where}, resumed", tally)
            bench.judge(where, out, temporary, tally)
        if temporary is not None:
            shutil.rmtree(temporary)
        shutil.rmtree(out, ignore_errors=True)
    return tally


def die(at: int, *, after: bool) -> None:
    """Let this process kill itself right before or after its rename number `at`."""
    rename, seen = Path.replace, 0
    # As if from another shell, so that environment.json changes.
    os.environ["OMP_KILLED"] = "yes"

    def replace(path: Path, target: Path) -> Path:
        nonlocal seen
        seen += 1
        if seen == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        made = rename(path, target)
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    Path.replace = replace  # type: ignore[method-assign, assignment]


def renames(begin: Callable[[Path], list[str]], bench: Bench) -> int:
    """Count the renames of a command."""
    log, marks = bench.folder / "count.log", bench.folder / "marks"

    def count() -> None:
        rename = Path.replace

        def replace(path: Path, target: Path) -> Path:
            with marks.open("ab") as file:
                file.write(b".")
            return rename(path, target)

        Path.replace = replace  # type: ignore[method-assign, assignment]

    marks.write_bytes(b"")
    out = bench.folder / "count"
    start(begin(out), log, first=count).wait()
    shutil.rmtree(out)
    return len(marks.read_bytes())


def at_renames(bench: Bench) -> Iterator[tuple[str, Tally]]:
    """Kill a run, a stopped run that is resumed and a finished run that is resumed at each of their renames."""
    half = bench.folder / "half"
    child = start(bench.run(half), bench.folder / "hit.log")
    while not child.ended() and not list(half.rglob("checkpoints/00000000005*")):
        time.sleep(0.001)
    child.send(signal.SIGKILL)
    child.wait()

    def resumed(source: Path) -> Callable[[Path], list[str]]:
        def begin(out: Path) -> list[str]:
            shutil.copytree(source, out)
            return ["resume", str(place(out)), "--quiet"]

        return begin

    commands = {
        "run": bench.run,
        "resume, stopped half-way": resumed(half),
        "resume, finished": resumed(bench.folder / "wholeFalse"),
    }
    for name, begin in commands.items():
        tally, count = Tally(), renames(begin, bench)
        ends = [at for at in range(1, count + 1) if at <= ENDS or at > count - ENDS]
        for at, after in ((at, after) for at in ends for after in (False, True)):
            out = bench.folder / "rename"
            where = f"{name}, {'after' if after else 'before'} rename {at} of {count}"
            arguments = begin(out)
            ended = start(arguments, bench.folder / "hit.log", first=partial(die, at, after=after)).wait()
            note(ended, signal.SIGKILL, where, tally)
            bench.judge(where, out, None, tally)
            shutil.rmtree(out)
        yield f"{name}: at renames", tally


def shown(tallies: dict[str, Tally]) -> Table:
    """Return the table."""
    table = Table("hit", "times", "same bits", "stale files", "left in TMPDIR", "exit codes")
    for name, tally in tallies.items():
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(tally.codes.items()))
        table.add_row(name, *map(str, (tally.tried, tally.same, tally.stale, tally.elsewhere)), codes)
    return table


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signal", choices=SIGNALS, default="KILL", help="what stops the runs (KILL)")
    parser.add_argument("--times", type=int, default=50, metavar="N", help="runs that are stopped at random (50)")
    options = parser.parse_args()
    warm_up()
    console, began = Console(), time.monotonic()
    with TemporaryDirectory() as folder:
        bench = prepare(Path(folder))
        tallies = {f"SIG{options.signal}: at random": at_random(bench, SIGNALS[options.signal], options.times)}
        if options.signal == "KILL":
            tallies |= at_renames(bench)
    console.print(machine(), highlight=False)
    lasts = f"{bench.lasts[True]:.1f} s as a new Python, {bench.lasts[False]:.1f} s forked"
    console.print(f"A whole run takes {lasts}; all this took {time.monotonic() - began:.0f} s.", highlight=False)
    console.print(shown(tallies))
    for name, tally in tallies.items():
        found = ", ".join(f"{state} {count}" for state, count in tally.states.most_common())
        console.print(f"What the signal left ({name}): {found}.", highlight=False)
        if tally.abandoned:
            console.print(f"Temporary files in runs that had not begun: {tally.abandoned}.", highlight=False)
    for fault in (fault for tally in tallies.values() for fault in tally.faults):
        console.print(f"FAULT {fault}", highlight=False, markup=False)
    return int(any(tally.faults or tally.stale or tally.elsewhere for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
