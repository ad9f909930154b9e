"""bfloat16 and threads: milliseconds of a step of ffspec, by turns: `python -m tests.bench.precision`.

Trains networks of several sizes for an epoch, with float32 and with bf16, and with one thread and with all cores there
are, one after the other and again. What is printed is the median of every way, and of its ratio to float32 with one
thread; and how many threads `threads: auto` would take.
"""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ffspec import api, limits, planner
from ffspec.data import load_spec
from ffspec.runner.setup import set_up, trainer_of
from ffspec.runner.surroundings import threads, unwarned
from tests.bench.measure import machine, repeats

if TYPE_CHECKING:
    from ffspec.data import Loaded
    from ffspec.spec.root import Spec

SPEC = """\
dataset: {{classification: {{n_samples: {rows}, n_features: {width}, n_classes: 4, n_informative: 8}}, split: none}}
layers: [{{linear: {hidden}}}, relu, {{linear: {hidden}}}, relu, linear]
loss: cross_entropy
optimizer: adam
metrics: []
training: {{epochs: 1, batch_size: {size}, precision: {precision}, threads: auto}}
"""
STEPS = 40
SIZES = ((16, 64, 128), (64, 128, 256), (100, 256, 256), (256, 256, 256), (784, 512, 256))
"""Features, width of the two hidden layers, and rows of a step."""
PRECISIONS = ("float32", "bf16")


def spec_of(size: tuple[int, int, int], precision: str) -> Spec:
    """Return the spec of a network."""
    width, hidden, rows = size
    text = SPEC.format(rows=STEPS * rows, width=width, hidden=hidden, size=rows, precision=precision)
    return api.load(text)


def milliseconds(spec: Spec, loaded: Loaded, count: int) -> float:
    """Train an epoch, and return what a step took."""
    with threads(count), unwarned():
        trainer = trainer_of(set_up(spec, planner.plan(spec, loaded.facts), loaded))
        start = time.perf_counter()
        trainer.run(lambda _: None)
        return 1000 * (time.perf_counter() - start) / STEPS


def main() -> int:
    """Measure every size, and print the table."""
    times, counts = repeats(__doc__), sorted({1, limits.cores()})
    ways = [(precision, count) for count in counts for precision in PRECISIONS]
    heads = [f"{precision}, {count}" for precision, count in ways]
    table = Table("network", "operations", *heads, "auto")
    for size in SIZES:
        specs = {precision: spec_of(size, precision) for precision in PRECISIONS}
        loaded = load_spec(specs["float32"])
        found: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
        for _ in range(times):
            for way in ways:
                found[way].append(milliseconds(specs[way[0]], loaded, way[1]))
        first = found["float32", 1]
        cells = [
            f"{median(taken):.2f} ({median(a / b for a, b in zip(taken, first, strict=True)):.2f})"
            for taken in found.values()
        ]
        plan = planner.plan(specs["float32"], loaded.facts)
        settled = planner.settle(specs["float32"], loaded.facts).training.threads
        width, hidden, rows = size
        work = 3 * (plan.flops or 0) * rows / 1e6
        table.add_row(f"{width}-{hidden}-{hidden}-4, {rows}", f"{work:,.0f} million", *cells, str(settled))
    console = Console(width=120)
    console.print(machine(), highlight=False)
    console.print("Milliseconds of a step, and their ratio to float32 with one thread.", highlight=False)
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
