"""Large tables: seconds and memory for reading, preparing and one epoch: `python -m tests.bench.size`.

Writes tables of thirty columns of numbers, loads each in a process of its own, in memory and streamed, and trains one
epoch. Memory is the peak of anonymous memory (RssAnon and RssShmem of /proc/self/status, looked at every 5 ms) over
what the process had with everything imported: while the rows are loaded, beside the bytes of the features in float32,
and in all, with set-up and training. The file itself is read where it is. `--rows` sets the largest Parquet table
(1,000,000; ten times that needs a few gigabytes of disk). Ends with 1 if a million rows take 2.5 times their features
or more, if a row costs half as much again as one among 10,000, or if the memory of a streamed training grows by more
than a fifth from a million rows to ten.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.measure import ROOT, machine

if TYPE_CHECKING:
    from ffspec.spec.root import Spec

COLUMNS = 30
CSV, PARQUET, STREAMED = "csv", "parquet", "parquet, streamed"
SPEC = """\
dataset: {{{kind}: {{path: {path}, target: y, task: regression{options}}}, prepare: standardize}}
layers: [{{linear: 16}}, relu, linear]
loss: mse
optimizer: adam
training: {{epochs: 1, batch_size: 1024}}
"""


def anonymous() -> int:
    """Return the bytes of memory that belong to this process alone."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


class Peak:
    """The largest anonymous memory within a block, over what there was before it."""

    def __enter__(self) -> Self:
        """Begin to look."""
        self.before = self.most = anonymous()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._ended.wait(0.005):
            self.most = max(self.most, anonymous())

    def __exit__(self, *_: object) -> None:
        """Look a last time."""
        self._ended.set()
        self._thread.join()
        self.most = max(self.most, anonymous())

    @property
    def growth(self) -> int:
        """Bytes."""
        return self.most - self.before


def write(path: Path, rows: int) -> None:
    """Write a table of normal numbers and a target that depends on them: with six decimals as CSV, else in full."""
    import polars as pl

    draw = np.random.default_rng(0)
    columns = {f"x{index}": draw.normal(size=rows) for index in range(COLUMNS)}
    frame = pl.DataFrame({**columns, "y": columns["x0"] + draw.normal(size=rows)})
    if path.suffix == ".csv":
        frame.write_csv(path, float_precision=6)
    else:
        frame.write_parquet(path)


def spec_of(path: Path, *, streamed: bool) -> Spec:
    """Write the spec of a table beside it, and read it."""
    from ffspec import api

    written = path.with_suffix(".yaml")
    options = ", streaming: true" if streamed else ""
    written.write_text(SPEC.format(kind=path.suffix[1:], path=path.name, options=options), encoding="utf-8")
    return api.load(written)


def child(path: Path, *, streamed: bool) -> dict[str, float]:
    """Load a table and train on it; return what that took."""
    import sklearn.linear_model  # noqa: F401 - imported before memory is looked at, as all else is
    import torch

    from ffspec import planner
    from ffspec.data import load_spec, tables
    from ffspec.runner.setup import set_up, trainer_of

    torch.set_num_threads(1)  # as a training has; a second one would wait, and waiting counts as computing
    # Once with a few rows, so that what is imported and started on the way does not count.
    few = path.with_name(f"few{path.suffix}")
    write(few, 1000)
    spec = spec_of(few, streamed=streamed)
    loaded = load_spec(spec)
    trainer_of(set_up(spec, planner.plan(spec, loaded.facts), loaded)).run(lambda _: None)
    spec = spec_of(path, streamed=streamed)
    read = tables.read_table
    seconds: dict[str, float] = {}

    def timed(*args: Any, **names: Any) -> Any:
        start = time.process_time()
        found = read(*args, **names)
        seconds["reading"] = time.process_time() - start
        return found

    tables.read_table = timed  # loading looks it up when it is called
    with Peak() as whole:
        with Peak() as peak:
            start = time.process_time()
            loaded = load_spec(spec)
            seconds["loading"] = time.process_time() - start
        trainer = trainer_of(set_up(spec, planner.plan(spec, loaded.facts), loaded))
        start = time.process_time()
        trainer.run(lambda _: None)
        seconds["epoch"] = time.process_time() - start
    return {"reading": 0.0, **seconds, "growth": peak.growth, "peak": whole.growth}


@dataclass(frozen=True, slots=True)
class Found:
    """What one table took."""

    kind: str
    rows: int
    reading: float
    loading: float
    epoch: float
    growth: int
    peak: int

    @property
    def share(self) -> float:
        """The peak while loading over the bytes of the features."""
        return self.growth / (4 * COLUMNS * self.rows)

    def cells(self) -> tuple[str, ...]:
        """Return a row of the table."""
        apart = self.kind != STREAMED
        return (
            self.kind,
            f"{self.rows:,}",
            f"{self.reading:.2f}" if apart else "",
            f"{self.loading - self.reading:.2f}",
            f"{1e6 * self.loading / self.rows:.2f}",
            f"{self.share:.2f}" if apart else "",
            f"{self.peak / 1e6:,.0f}",
            f"{self.epoch:.2f}",
            f"{1e6 * self.epoch / self.rows:.2f}",
        )


def measured(kind: str, path: Path, rows: int) -> Found:
    """Measure a table in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.size", "--file", str(path)]
    command += ["--streamed"] if kind == STREAMED else []
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Found(kind, rows, **json.loads(output.splitlines()[-1]))


def broken(found: list[Found]) -> list[str]:
    """Return which promises are broken."""
    said = [
        f"{one.kind} of {one.rows:,} rows takes {one.share:.2f} times its features"
        for one in found
        if one.kind != STREAMED and one.rows >= 1_000_000 and one.share >= 2.5
    ]
    for kind in (CSV, PARQUET, STREAMED):
        first, *others = sorted((one for one in found if one.kind == kind), key=lambda one: one.rows)
        for one in others:
            for name, seconds, before in (("load", one.loading, first.loading), ("train on", one.epoch, first.epoch)):
                if seconds / one.rows > 1.5 * before / first.rows:
                    said.append(f"a row costs more to {name} among {one.rows:,} than among {first.rows:,}: {kind}")
    large = {one.rows: one for one in found if one.kind == STREAMED and one.rows >= 1_000_000}
    if len(large) > 1 and large[max(large)].peak > 1.2 * large[min(large)].peak:
        said.append(f"memory grows from {min(large):,} to {max(large):,} rows that are streamed")
    return said


def main() -> int:
    """Measure every size, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the largest Parquet table (1000000)")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--streamed", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file:
        print(json.dumps(child(arguments.file, streamed=arguments.streamed)))
        return 0
    heads = (
        "table",
        "rows",
        "reading s",
        "preparing s",
        "µs / row",
        "peak / tensors",
        "peak MB",
        "epoch s",
        "µs / row",
    )
    table = Table(*heads)
    sizes = [("csv", rows) for rows in (10_000, 100_000, 1_000_000)]
    sizes += [("parquet", rows) for rows in (10_000, 100_000, 1_000_000, 10_000_000) if rows <= arguments.rows]
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, rows in sizes:
            path = Path(folder) / f"table.{kind}"
            write(path, rows)
            found += [measured(way, path, rows) for way in ((CSV,) if kind == "csv" else (PARQUET, STREAMED))]
            path.unlink()
    for one in sorted(found, key=lambda one: (CSV, PARQUET, STREAMED).index(one.kind)):
        table.add_row(*one.cells())
    console = Console(width=120)
    console.print(machine(), highlight=False)
    console.print(f"{COLUMNS} columns of numbers; CPU seconds of one process, all threads together.", highlight=False)
    console.print(table)
    said = broken(found)
    for line in said:
        console.print(line, highlight=False)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
