"""Bits flipped in the files of runs that are then used as a user would: `python -m tests.bench.flips --times 400`.

The flips are shared out among a run that is finished, one that was killed and one that was interrupted. Two of three
are in a file whose turn it is, so that a small one is hit as often as a large one; the third is anywhere, and so mostly
in the checkpoints. Then the manifest is looked at, and the run is resumed. Every file is also cut short, emptied and
deleted. A flip is noticed if a message names it; harmless if nothing that is read or computed from the run differs;
silent otherwise. Ends with 1 if one is silent, or ends in an error that is no message.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

import ffspec
from ffspec import rundir
from ffspec.diagnostics import FfspecError
from ffspec.runner.run import Silent
from tests.bench.measure import machine
from tests.bench.peers.children import SPEC, bits, place, stale, start, warm_up
from tests.corpus import chance

VERDICTS = ("refused", "passed over", "named", "harmless", "SILENT", "ERROR")


class Listener(Silent):
    """Hears of checkpoints that are passed over."""

    def __init__(self) -> None:
        self.damaged: list[str] = []

    def on_damage(self, name: str) -> None:
        """Note it."""
        self.damaged.append(name)


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory that is damaged again and again, in a copy."""

    name: str
    directory: Path
    wanted: tuple[bytes, str, str]

    def files(self) -> list[str]:
        """Return the names of all its files that hold something."""
        found = (path for path in self.directory.rglob("*") if path.is_file() and path.stat().st_size)
        return sorted(str(path.relative_to(self.directory)) for path in found)

    def try_it(self, name: str, damage: Callable[[Path], None]) -> tuple[str, str]:
        """Damage a file of a copy, use the copy, and return the verdict and what there is to say about it."""
        copy = self.directory.with_name("copy")
        shutil.copytree(self.directory, copy)
        try:
            damage(copy / name)
            return self._use(copy, name)
        finally:
            shutil.rmtree(copy)

    def _use(self, copy: Path, name: str) -> tuple[str, str]:
        """Read what the copy holds, ask for damage, and go on with it."""
        named = name in rundir.RunDirectory(copy).damaged()
        listener = Listener()
        results = not name.startswith(rundir.CHECKPOINTS) and (copy / rundir.MODEL).exists()
        try:
            # What a finished run holds is read as it is, so it must be judged before resuming mends it.
            differs = results and bits(copy) != self.wanted
        except (OSError, ValueError):
            differs = False  # whoever reads it sees that
        try:
            ffspec.resume(copy, observer=listener)
        except FfspecError as error:
            return ("refused", str(error)) if error.exit_code in {2, 4} else ("ERROR", repr(error))
        except Exception as error:  # noqa: BLE001 - a user would see a traceback
            return "ERROR", repr(error)
        if differs and not named:
            return "SILENT", "a result reads differently"
        if bits(copy) != self.wanted:
            return "SILENT", "the resumed run ends in other bits"
        if rundir.RunDirectory(copy).damaged():
            return "SILENT", "the resumed run is damaged"
        if listener.damaged:
            return "passed over", ", ".join(listener.damaged)
        return ("named", "") if named else ("harmless", "")


def flip(draw: Random) -> Callable[[Path], None]:
    """Return a damage: one bit is other than it was."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)

    return damage


def cut(keep: float) -> Callable[[Path], None]:
    """Return a damage: only the first part of a file is left."""

    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])

    return damage


def every(damage: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return the same damage to all files of a folder."""

    def damage_all(folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            damage(path)

    return damage_all


OTHERS: dict[str, Callable[[Path], None]] = {
    "cut in half": cut(0.5),
    "emptied": cut(0.0),
    "deleted": Path.unlink,
}


def stopped(spec: Path, out: Path, number: int) -> Path:
    """Return a run that was stopped by a signal half-way."""
    child = start(["run", str(spec), "--out", str(out), "--quiet"], out.with_suffix(".log"))
    while not child.ended() and not list(out.glob("net/001/checkpoints/00000000006*")):
        time.sleep(0.001)
    child.send(number)
    child.wait()
    directory = place(out)
    assert directory is not None
    for leftover in stale(directory):
        leftover.unlink()
    return directory


def make(folder: Path) -> list[Run]:
    """Return a finished run, a killed one and an interrupted one."""
    spec = folder / "net.yaml"
    spec.write_text(SPEC.replace("{steps: 1}", "{steps: 5}"), encoding="utf-8")
    whole = ffspec.run(spec, out=folder / "whole").directory
    assert whole is not None
    runs = {"finished": whole}
    for name, number in (("killed", signal.SIGKILL), ("interrupted", signal.SIGINT)):
        runs[name] = stopped(spec, folder / name, number)
    return [Run(name, directory, bits(whole)) for name, directory in runs.items()]


def draw_file(run: Run, number: int, draw: Random) -> str:
    """Return the file whose turn it is, or at every third flip any, the larger the likelier."""
    files = run.files()
    if number % 3 == 2:
        return draw.choices(files, [(run.directory / name).stat().st_size for name in files])[0]
    return files[(number - number // 3) % len(files)]


def measure(runs: list[Run], times: int) -> tuple[dict[str, Counter[str]], list[str]]:
    """Damage and use the runs; return the verdicts by kind of damage or file, and what is wrong."""
    draw, counts, faults = chance(400), dict[str, Counter[str]](), list[str]()

    def take(kind: str, run: Run, name: str, damage: Callable[[Path], None]) -> None:
        verdict, said = run.try_it(name, damage)
        counts.setdefault(kind, Counter())[verdict] += 1
        if verdict in VERDICTS[-2:]:
            faults.append(f"{verdict}: {kind}, {run.name} run, {name}: {said}")

    for number in range(times):
        run = runs[number % len(runs)]
        name = draw_file(run, number // len(runs), draw)
        shown = f"{rundir.CHECKPOINTS}/*" if name.startswith(rundir.CHECKPOINTS) else name
        take(f"bit flipped: {shown}", run, name, flip(draw))
    for kind, damage in OTHERS.items():
        for run in runs:
            for name in run.files():
                take(f"file {kind}", run, name, damage)
    for run in runs:
        take("a bit in each checkpoint", run, rundir.CHECKPOINTS, every(flip(draw)))
    return dict(sorted(counts.items())), faults


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=400, metavar="N", help="bits that are flipped (400)")
    options = parser.parse_args()
    warm_up()
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        counts, faults = measure(make(Path(folder)), options.times)
    table = Table("damage", *VERDICTS)
    for kind, verdicts in counts.items():
        table.add_row(kind, *(str(verdicts[verdict] or "") for verdict in VERDICTS))
    flips = [verdicts for kind, verdicts in counts.items() if kind.startswith("bit")]
    total: Counter[str] = sum(flips, Counter())
    table.add_section()
    table.add_row("all bits flipped", *(str(total[verdict]) for verdict in VERDICTS))
    console = Console()
    console.print(machine(), highlight=False)
    console.print(f"{total.total()} bits flipped; all this took {time.monotonic() - began:.0f} s.", highlight=False)
    console.print(table)
    for fault in faults:
        console.print(fault, highlight=False, markup=False)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
