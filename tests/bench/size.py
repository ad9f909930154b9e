"""Large tables: seconds and memory for reading, preparing and one epoch: `python -m tests.bench.size`.

Writes tables of thirty columns of numbers, loads each in a process of its own, and trains one epoch. Memory is the peak
of anonymous memory (RssAnon and RssShmem of /proc/self/status, looked at every 5 ms) over what the process had with
everything imported, beside the bytes of the features in float32; the file itself is read where it is. `--rows` sets
the largest Parquet table (1,000,000; ten times that needs a few gigabytes of disk).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.measure import ROOT, machine

COLUMNS = 30
SPEC = """\
dataset: {{{kind}: {{path: {path}, target: y, task: regression}}, prepare: standardize}}
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


def child(path: Path) -> dict[str, float]:
    """Load a table and train on it; return what that took."""
    import sklearn.linear_model  # noqa: F401 - imported before memory is looked at, as all else is
    import torch

    from ffspec import api, planner
    from ffspec.data import load_spec, tables
    from ffspec.runner.setup import set_up, trainer_of

    written = path.with_suffix(".yaml")
    written.write_text(SPEC.format(kind=path.suffix[1:], path=path.name), encoding="utf-8")
    spec = api.load(written)
    torch.zeros(1)
    read = tables.read_table
    seconds: dict[str, float] = {}

    def timed(*args: Any, **names: Any) -> Any:
        start = time.process_time()
        found = read(*args, **names)
        seconds["reading"] = time.process_time() - start
        return found

    tables.read_table = timed  # loading looks it up when it is called
    with Peak() as peak:
        start = time.process_time()
        loaded = load_spec(spec)
        seconds["loading"] = time.process_time() - start
    trainer = trainer_of(set_up(spec, planner.plan(spec, loaded.facts), loaded))
    start = time.process_time()
    trainer.run(lambda _: None)
    seconds["epoch"] = time.process_time() - start
    size = sum(split.x.nbytes for split in loaded.splits.values())
    rows = sum(len(split) for split in loaded.splits.values())
    return {**seconds, "growth": peak.growth, "size": size, "rows": rows}


def main() -> int:
    """Measure every size, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the largest Parquet table (1000000)")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file:
        print(json.dumps(child(arguments.file)))
        return 0
    table = Table("table", "rows", "reading s", "preparing s", "s / million", "peak / tensors", "epoch s", "µs / row")
    sizes = [("csv", rows) for rows in (10_000, 100_000, 1_000_000)]
    sizes += [("parquet", rows) for rows in (10_000, 100_000, 1_000_000, 10_000_000) if rows <= arguments.rows]
    with tempfile.TemporaryDirectory() as folder:
        for kind, rows in sizes:
            path = Path(folder) / f"table.{kind}"
            write(path, rows)
            command = (sys.executable, "-m", "tests.bench.size", "--file", str(path))
            output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
            found = json.loads(output.splitlines()[-1])
            path.unlink()
            table.add_row(
                kind,
                f"{rows:,}",
                f"{found['reading']:.2f}",
                f"{found['loading'] - found['reading']:.2f}",
                f"{1e6 * found['loading'] / rows:.2f}",
                f"{found['growth'] / found['size']:.2f}",
                f"{found['epoch']:.2f}",
                f"{1e6 * found['epoch'] / rows:.2f}",
            )
    console = Console(width=120)
    console.print(machine(), highlight=False)
    console.print(f"{COLUMNS} columns of numbers; CPU seconds of one process, all threads together.", highlight=False)
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
