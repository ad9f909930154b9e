"""What the rules that read the rows cost, and how often they cry wolf: `python -m tests.bench.data_rules`.

Every rule looks at random tables of 30 columns, one of three classes and one of numbers, a fifth of the rows in a test
split; the memory is what it takes beside the table. Then all rules look at random splits of scikit-learn's data sets.
Ends with 1 if all rules together take longer than the budget, or if one of them finds anything in a random split.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from ffspec import api
from ffspec.data import Loaded, load_spec
from ffspec.diagnostics import Severity
from ffspec.planner import draft
from ffspec.rules.rows import DATA
from tests.bench.measure import machine, repeats

if TYPE_CHECKING:
    from ffspec.planner import Draft

BUDGET = 3.0
"""Seconds for all rules together on a million rows."""
SIZES = (10_000, 100_000, 1_000_000)
COLUMNS = 30
SPLITS = 200
SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes")
LOSSES = {"classes": "cross_entropy", "numbers": "mse"}
SPEC = "dataset: {source}\nlayers: [linear]\nloss: {loss}\noptimizer: adam\n"
"""A linear network and a default learning rate: no rule has an excuse."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one rule took for one table."""

    seconds: float
    megabytes: float


def example(task: str, rows: int) -> tuple[Draft, Loaded]:
    """Return a spec and a table drawn for it."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, COLUMNS))
    noise = draw.normal(size=rows)
    y = np.digitize(x[:, 0] + noise, (-1, 1)) if task == "classes" else x[:, 0] + noise
    spec = api.load(SPEC.format(source="arrays", loss=LOSSES[task]))
    loaded = load_spec(spec, (x, y))
    return draft(dict(spec), loaded.facts), loaded


def measure(task: str, rows: int, count: int) -> dict[str, Spent]:
    """Time every rule `count` times on one table, after one round that is not counted but weighed."""
    drafted, loaded = example(task, rows)
    spent = {}
    for rule in DATA:
        tracemalloc.start()
        list(rule.inspect(drafted, loaded))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        times = []
        for _ in range(count):
            start = time.perf_counter()
            list(rule.inspect(drafted, loaded))
            times.append(time.perf_counter() - start)
        spent[rule.about.code] = Spent(statistics.median(times), peak / 1e6)
    return spent


def table_of(task: str, costs: dict[int, dict[str, Spent]]) -> Table:
    """Make a table of the costs: a line for each rule, a column for each size."""
    largest = SIZES[-1]
    whole = largest * COLUMNS * 8 / 1e6
    table = Table(f"a table of {task}", *(f"{rows:,} rows: s" for rows in SIZES), f"MB beside {whole:.0f}")
    for rule in DATA:
        code = rule.about.code
        times = (f"{costs[rows][code].seconds:.4f}" for rows in SIZES)
        last = rule is DATA[-1]
        table.add_row(code, *times, f"{costs[largest][code].megabytes:.0f}", end_section=last)
    sums = (f"{sum(cost.seconds for cost in costs[rows].values()):.4f}" for rows in SIZES)
    table.add_row("all", *sums, f"{max(cost.megabytes for cost in costs[largest].values()):.0f}")
    return table


def false_alarms(name: str, splits: int = SPLITS) -> Counter[str]:
    """Count the codes found in random splits of a data set, its features standardised, its learning rate written."""
    loss = "mse" if name == "diabetes" else "cross_entropy"
    source = f"{{{name}: {{}}, prepare: standardize, split: {{validation: 0.2, test: 0.2, stratify: false}}}}"
    text = SPEC.format(source=source, loss=loss).replace("adam", "{adam: {lr: 0.01}}")
    # Rows divided at random, and judged as strictly as those that are told to be divided in order.
    strict = dict(api.load(text, overrides=["dataset.split.shuffle=false"]))
    found: Counter[str] = Counter()
    for seed in range(splits):
        loaded = load_spec(api.load(text, overrides=[f"seed={seed}"]))
        drafted = draft(strict, loaded.facts)
        found.update(
            {item.code for rule in DATA for item in rule.inspect(drafted, loaded) if item.severity is not Severity.INFO}
        )
    return found


def main() -> int:
    """Measure, print the tables, and return the exit code."""
    count = repeats(__doc__)
    console = Console()
    console.print(machine(), highlight=False)
    console.print(f"Medians of {count} calls; memory is the peak of one call.", highlight=False)
    slow = False
    for task in LOSSES:
        costs = {rows: measure(task, rows, count) for rows in SIZES}
        console.print(table_of(task, costs))
        slow = slow or sum(cost.seconds for cost in costs[SIZES[-1]].values()) > BUDGET
    alarms = {name: false_alarms(name) for name in SETS}
    table = Table("data set", f"findings in {SPLITS} random splits")
    for name, found in alarms.items():
        table.add_row(name, ", ".join(f"{code}: {times}" for code, times in sorted(found.items())) or "none")
    console.print(table)
    return int(slow or any(alarms.values()))


if __name__ == "__main__":
    sys.exit(main())
