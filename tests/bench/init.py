"""What a proposed spec is worth on real tables: `python -m tests.bench.init`.

Each table is written as a CSV file, a spec is proposed and run as it is, and the network is compared with the linear
model, on the split that is tested on, by the first metric of the spec. Ends with 1 if a check of a spec does not hold.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

import ffspec
from ffspec.proposal import RECIPE
from tests import newcomers
from tests.bench.measure import machine

TABLES: dict[str, Callable[[Path], tuple[Path, str]]] = {
    **{name: partial(newcomers.packaged, name) for name in newcomers.PACKAGED},
    "penguins": newcomers.penguins,
    "customers": newcomers.troubles,
}


def main() -> int:
    """Propose and run, print the result, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default=RECIPE, help=f"the recipe of the specs ({RECIPE})")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="how many splits and first weights (3)")
    options = parser.parse_args()
    table = Table("table", "metric", "network", "linear model", "better", "checks", "proposed in", "run in")
    failed = 0
    for name in TABLES:
        row, ok = _row(name, options.recipe, range(options.seeds))
        table.add_row(*row)
        failed += not ok
    console = Console(width=120)
    console.print(machine(), highlight=False)
    console.print(table)
    return int(failed > 0)


def _row(name: str, recipe: str, seeds: range) -> tuple[list[str], bool]:
    with TemporaryDirectory() as folder:
        path, target = TABLES[name](Path(folder))
        start = time.perf_counter()
        text = ffspec.propose(path, target, recipe=recipe)
        proposed = time.perf_counter() - start
        spec = path.with_suffix(".yaml")
        spec.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        results = [ffspec.run(spec, seed=seed) for seed in seeds]
        ran = (time.perf_counter() - start) / len(results)
    first = results[0].spec.metrics
    metric = first[0] if first else "accuracy"
    networks = [item.after["test"][metric] for item in results]
    others = [next(b.measures[metric] for b in item.baselines if b.name == "linear model") for item in results]
    better = sum(ours > theirs for ours, theirs in zip(networks, others, strict=True))
    equal = sum(ours == theirs for ours, theirs in zip(networks, others, strict=True))
    held = sum(item.ok for item in results)
    cells = [_mean(networks), _mean(others), f"{better} of {len(results)}" + (f", {equal} equal" if equal else "")]
    cells += [f"{held} of {len(results)}", f"{proposed:.2f} s", f"{ran:.1f} s"]
    return [name, metric, *cells], held == len(results)


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.4f}"


if __name__ == "__main__":
    sys.exit(main())
