"""`ffspec run` against the script a tutorial would write, as whole processes: `python -m tests.bench.process`.

Both draw 50 points, evaluate, train the 2-10-1 network for 20 epochs, print every loss and evaluate again;
ffspec also checks the spec and leaves a run directory. Ends with 1 if ffspec takes more than three quarters of it.

With `--ludwig PATH`, the `ludwig` command of another environment (it wants versions of its own), the same points
are written to a CSV, and the same network is trained from it by `ffspec run` and by `ludwig train`, with as many
epochs, batches of all rows and three splits. Ends with 1, too, if ffspec takes more than a quarter of it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

import ffspec
from ffspec.data import load_spec
from tests.bench.measure import ROOT, Cost, machine, median, parse, parser_of, spend

GOAL, LUDWIGS = 0.75, 0.25
FFSPEC = "ffspec run specs/feedforward.yaml"
TUTORIAL = "python tutorial_feedforward.py"
THREADS = {"OMP_NUM_THREADS": "1"}
"""The same for both sides: ffspec trains on one thread anyway, and the script would lose time to a second."""

SPEC = """\
dataset:
  csv: {path: rows.csv, target: y, task: classification}
  split: {validation: 0.1, test: 0.2}
layers: [{linear: 10}, relu, linear]
loss: bce_with_logits
optimizer: {sgd: 0.01}
training: {epochs: 20, batch_size: all}
"""
CONFIG = """\
input_features: [{name: a, type: number}, {name: b, type: number}]
combiner: {type: concat, num_fc_layers: 1, output_size: 10, activation: relu}
output_features: [{name: y, type: binary}]
trainer: {epochs: 20, batch_size: 50, optimizer: {type: sgd}, learning_rate: 0.01, early_stop: -1}
"""

Pairs = Sequence[tuple[Cost, Cost]]


def beside_tutorial(count: int) -> Pairs:
    """Run ffspec and the script by turns, `count` times, after one pair that fills the caches and is not counted."""
    with tempfile.TemporaryDirectory() as out:
        ours = (sys.executable, "-m", "ffspec", "run", "specs/feedforward.yaml", "--out", out)
        return by_turns(ours, (sys.executable, "tests/bench/tutorial_feedforward.py"), count)


def beside_ludwig(ludwig: str, count: int) -> Pairs:
    """Run ffspec and Ludwig from a CSV by turns; as `beside_tutorial`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded = load_spec(ffspec.load(ROOT / "specs" / "feedforward.yaml"))
        lines = [
            f"{a},{b},{int(y)}"
            for split in loaded.splits.values()
            for (a, b), y in zip(split.x, split.y.ravel(), strict=True)
        ]
        (folder / "rows.csv").write_text("\n".join(("a,b,y", *lines)) + "\n", encoding="utf-8")
        (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
        (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
        ours = (sys.executable, "-m", "ffspec", "run", str(folder / "spec.yaml"), "--out", str(folder / "runs"))
        given = ("--dataset", str(folder / "rows.csv"), "--config", str(folder / "config.yaml"))
        theirs = (ludwig, "train", *given, "--output_directory", str(folder / "ludwig"))
        return by_turns(ours, theirs, count)


def by_turns(ours: Sequence[str], theirs: Sequence[str], count: int) -> Pairs:
    """Run two commands by turns, `count` times and once before."""
    pairs = [(spend(ours, environment=THREADS), spend(theirs, environment=THREADS)) for _ in range(count + 1)]
    return pairs[1:]


def show(console: Console, names: tuple[str, str], pairs: Pairs) -> tuple[float, float]:
    """Print the table of two commands, and return the median ratios of wall and CPU time."""
    ours, theirs = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    wall = statistics.median(a.wall / b.wall for a, b in pairs)
    cpu = statistics.median(a.cpu / b.cpu for a, b in pairs)
    table = Table("process", "wall s", "CPU s")
    table.add_row(names[0], f"{ours.wall:.2f}", f"{ours.cpu:.2f}")
    table.add_row(names[1], f"{theirs.wall:.2f}", f"{theirs.cpu:.2f}", end_section=True)
    table.add_row("median of the ratios", f"{wall:.2f}", f"{cpu:.2f}")
    console.print(table)
    return wall, cpu


def main() -> int:
    """Measure, print the tables, and return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--ludwig", metavar="PATH", help="the ludwig command of another environment")
    given = parse(parser)
    console = Console()
    console.print(machine(), highlight=False)
    console.print(
        f"{given.repeats} pairs of whole processes, A B A B, with OMP_NUM_THREADS=1 for both.", highlight=False
    )
    console.print("A ratio under 1 means that ffspec is faster.", highlight=False)
    wall, _ = show(console, (FFSPEC, TUTORIAL), beside_tutorial(given.repeats))
    missed = wall > GOAL
    if given.ludwig is not None:
        names = ("ffspec run, from a CSV", "ludwig train")
        missed = max(show(console, names, beside_ludwig(given.ludwig, given.repeats))) > LUDWIGS or missed
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
