"""Runs that run out of disk, or lose it: `python -m tests.bench.full_disk`.

A file system of 300 KB is filled by the checkpoints of a run; then the run is resumed elsewhere from a copy, and in its
place once there is room. Further runs meet a file system that is full or read-only from the start, one that has become
read-only, and a directory that is moved away below them. Each must end with 4, one line and no traceback, its
checkpoints whole, and what is resumed in the bits of a run on a good disk. Mounting takes root; who is not, is told so.
Ends with 1 unless all is so, and with 2 if it cannot be tried.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from ffspec import rundir
from tests.bench.measure import machine
from tests.bench.peers.children import SPEC, Ended, bits, call, place, stale, start, warm_up

ROOM = "300k"
FULL, READ_ONLY = "the disk is full", "the file system is read-only"
WIDE = SPEC.replace("linear: 16", "linear: 512")
"""Its checkpoints are so large that two of them and the third that is being written have no room."""


class CannotMountError(Exception):
    """The system does not let this user mount a file system."""


@dataclass(frozen=True, slots=True)
class Case:
    """What one run met, how it ended, and what was right or wrong about it."""

    name: str
    ended: Ended
    faults: tuple[str, ...]
    whole: int | None
    """The checkpoints that are whole; None: none is left to look at."""
    resumed: str


def mount(*arguments: str) -> None:
    """Mount a file system, or change one.

    Raises:
        CannotMountError: It is not allowed, or there is no such command.
    """
    try:
        done = subprocess.run([shutil.which("mount") or "", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotMountError(str(error)) from error
    if done.returncode:
        raise CannotMountError(done.stderr.strip())


@contextmanager
def small(folder: Path) -> Iterator[Path]:
    """Mount a file system of 300 KB for a block."""
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={ROOM}", "ffspec-bench", str(folder))
    try:
        yield folder
    finally:
        subprocess.run([shutil.which("umount") or "", str(folder)], check=True)
        folder.rmdir()


def whole(directory: Path) -> list[Path]:
    """Return the checkpoints that are whole, the newest first."""
    kept = rundir.RunDirectory(directory).checkpoints()
    return [path for path in kept if rundir.is_whole(path, path.read_bytes())]


def faults_of(ended: Ended, reason: str, directory: Path | None) -> tuple[str, ...]:
    """Say what is wrong with the end of a run."""
    found = []
    if ended.code != 4:
        found.append(f"exit code {ended.code}")
    if ended.traceback or len(ended.said.strip().splitlines()) != 1:
        found.append("more than a line is said")
    if reason not in ended.said:
        found.append(f"it does not say that {reason}")
    if directory is not None:
        kept = rundir.RunDirectory(directory).checkpoints()
        good = whole(directory)
        if len(good) < len(kept):
            found.append("a checkpoint is not whole")
        if good and f"the last good checkpoint is {good[0]}" not in ended.said:
            found.append("the last good checkpoint is not named")
        if list(stale(directory)):
            found.append("a temporary file is left")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the cases are tried."""

    folder: Path
    wanted: tuple[bytes, str, str]

    @property
    def log(self) -> Path:
        """The file for what a child says."""
        return self.folder / "log"

    def run(self, out: Path) -> list[str]:
        """Return the arguments that train below `out`."""
        return ["run", str(self.folder / "net.yaml"), "--out", str(out), "--quiet"]

    def resume(self, directory: Path) -> str:
        """Resume a run, and say how that ended."""
        ended = call(["resume", str(directory), "--quiet"], self.log)
        if ended.code:
            return f"exit code {ended.code}: {ended.said.strip()}"
        return "the same bits" if bits(directory) == self.wanted else "OTHER BITS"

    def filled(self) -> Iterator[Case]:
        """Let a run fill the disk; resume a copy of it elsewhere, and itself once there is room."""
        with small(self.folder / "filled") as disk:
            ended = call(self.run(disk), self.log)
            directory = place(disk)
            assert directory is not None, ended.said
            faults, count = faults_of(ended, FULL, directory), len(whole(directory))
            elsewhere = self.folder / "elsewhere"
            shutil.copytree(directory, elsewhere)
            yield Case("the disk fills up", ended, faults, count, f"elsewhere: {self.resume(elsewhere)}")
            ended = call(["resume", str(directory), "--quiet"], self.log)
            faults, count = faults_of(ended, FULL, directory), len(whole(directory))
            mount("-o", "remount,size=2m", str(disk))
            yield Case("resumed while it is full", ended, faults, count, f"with room: {self.resume(directory)}")

    def refused(self) -> Iterator[Case]:
        """Run where there is no room at all, and where there is no writing at all."""
        with small(self.folder / "full") as disk:
            with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(512)):
                    pass
            ended = call(self.run(disk), self.log)
            yield Case("full from the start", ended, faults_of(ended, FULL, None), None, "")
        with small(self.folder / "readonly") as disk:
            mount("-o", "remount,ro", str(disk))
            ended = call(self.run(disk), self.log)
            yield Case("read-only from the start", ended, faults_of(ended, READ_ONLY, None), None, "")

    def read_only(self) -> Iterator[Case]:
        """Resume a run whose file system has become read-only."""
        with small(self.folder / "turned") as disk:
            call(self.run(disk), self.log)
            directory = place(disk)
            assert directory is not None
            mount("-o", "remount,ro", str(disk))
            ended = call(["resume", str(directory), "--quiet"], self.log)
            faults, count = faults_of(ended, READ_ONLY, None), len(whole(directory))
            mount("-o", "remount,rw,size=2m", str(disk))
            yield Case("resumed where it is read-only", ended, faults, count, f"writable: {self.resume(directory)}")

    def moved(self) -> Iterator[Case]:
        """Take the directory away while it trains."""
        out, gone = self.folder / "moved", self.folder / "gone"
        child = start(self.run(out), self.log)
        while not child.ended() and not list(out.glob("net/*/checkpoints/000000000012-*")):
            time.sleep(0.001)
        directory = place(out)
        assert directory is not None
        directory.rename(gone)
        ended = child.wait()
        count = len(whole(gone))
        faults = faults_of(ended, "no such file or directory", None)
        yield Case("the directory is moved away", ended, faults, count, f"where it is: {self.resume(gone)}")


def main() -> int:
    """Measure, print the table, and return the exit code."""
    console = Console()
    warm_up()
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "net.yaml").write_text(WIDE, encoding="utf-8")
        bench = Bench(folder, (b"", "", ""))
        call(bench.run(folder / "good"), bench.log)
        good = place(folder / "good")
        assert good is not None, bench.log.read_text()
        bench = Bench(folder, bits(good))
        size = rundir.RunDirectory(good).checkpoints()[0].stat().st_size
        try:
            cases = [case for tried in (bench.filled, bench.refused, bench.read_only, bench.moved) for case in tried()]
        except CannotMountError as error:
            console.print(f"This cannot be tried here, for nothing can be mounted: {error}", highlight=False)
            return 2
    table = Table("what a run met", "exit code", "whole checkpoints", "resumed", "right")
    for case in cases:
        count = "" if case.whole is None else str(case.whole)
        right = ", ".join(case.faults) or "yes"
        table.add_row(case.name, str(case.ended.code), count, case.resumed, right)
    console.print(machine(), highlight=False)
    console.print(f"A file system of {ROOM}B, and checkpoints of {size // 1000} kB.", highlight=False)
    console.print(table)
    for case in cases:
        console.print(f"{case.name}: {case.ended.said.strip()}", highlight=False, markup=False)
    return int(any(case.faults or (case.resumed and "the same bits" not in case.resumed) for case in cases))


if __name__ == "__main__":
    sys.exit(main())
