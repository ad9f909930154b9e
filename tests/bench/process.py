"""`ffspec run` against the script a tutorial would write, as whole processes: `python -m tests.bench.process`.

Both draw 50 points, evaluate, train the 2-10-1 network for 20 epochs, print every loss and evaluate again;
ffspec also checks the spec and leaves a run directory. Ends with 1 if ffspec takes more than three quarters of it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Cost, machine, median, repeats, spend

GOAL = 0.75
FFSPEC = "ffspec run specs/feedforward.yaml"
TUTORIAL = "python tutorial_feedforward.py"
THREADS = {"OMP_NUM_THREADS": "1"}
"""The same for both sides: ffspec trains on one thread anyway, and the script would lose time to a second."""


def measure(count: int) -> tuple[tuple[Cost, Cost], ...]:
    """Run ffspec and the script by turns, `count` times, after one pair that fills the caches and is not counted."""
    with tempfile.TemporaryDirectory() as out:
        ffspec = (sys.executable, "-m", "ffspec", "run", "specs/feedforward.yaml", "--out", out)
        tutorial = (sys.executable, "tests/bench/tutorial_feedforward.py")
        pairs = [(spend(ffspec, environment=THREADS), spend(tutorial, environment=THREADS)) for _ in range(count + 1)]
    return tuple(pairs[1:])


def main() -> int:
    """Measure, print the table, and return the exit code."""
    count = repeats(__doc__)
    pairs = measure(count)
    ours, theirs = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    wall = statistics.median(a.wall / b.wall for a, b in pairs)
    cpu = statistics.median(a.cpu / b.cpu for a, b in pairs)
    table = Table("process", "wall s", "CPU s")
    table.add_row(FFSPEC, f"{ours.wall:.2f}", f"{ours.cpu:.2f}")
    table.add_row(TUTORIAL, f"{theirs.wall:.2f}", f"{theirs.cpu:.2f}", end_section=True)
    table.add_row("median of the ratios", f"{wall:.2f}", f"{cpu:.2f}")

    console = Console()
    console.print(machine(), highlight=False)
    console.print(f"{count} pairs of whole processes, A B A B, with OMP_NUM_THREADS=1 for both.", highlight=False)
    console.print("A ratio under 1 means that ffspec is faster.", highlight=False)
    console.print(table)
    return int(wall > GOAL)


if __name__ == "__main__":
    sys.exit(main())
