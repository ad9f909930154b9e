"""How much CPU time the commands take that train nothing: `python -m tests.bench.startup`.

The yardstick is a bare import of what these commands cannot do without. Ends with 1 if a command is over the budget.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Cost, machine, median, repeats, spend

BUDGET = 0.25
"""CPU seconds, user and system, of the whole process."""

SPEC = "specs/feedforward.yaml"
YARDSTICK = 'python -c "import click, yaml, pydantic"'
COMMANDS: dict[str, tuple[str, ...]] = {
    YARDSTICK: ("-c", "import click, yaml, pydantic"),
    "ffspec --help": ("-m", "ffspec", "--help"),
    "ffspec check SPEC": ("-m", "ffspec", "check", SPEC),
    "ffspec show SPEC": ("-m", "ffspec", "show", SPEC),
    "ffspec schema": ("-m", "ffspec", "schema"),
}


def measure(count: int) -> dict[str, tuple[Cost, ...]]:
    """Run all commands in turn, `count` times, after one round that fills the caches and is not counted."""
    rounds = [
        {name: spend((sys.executable, *arguments)) for name, arguments in COMMANDS.items()} for _ in range(count + 1)
    ]
    return {name: tuple(costs[name] for costs in rounds[1:]) for name in COMMANDS}


def main() -> int:
    """Measure, print the table, and return the exit code."""
    count = repeats(__doc__)
    costs = measure(count)
    bare = median(costs[YARDSTICK]).cpu
    table = Table("command", "CPU s", "least", "wall s", "x bare", f"budget {BUDGET} s")
    for name, spent in costs.items():
        middle = median(spent)
        verdict = "" if name == YARDSTICK else "within" if middle.cpu <= BUDGET else "OVER"
        least = min(cost.cpu for cost in spent)
        table.add_row(
            name, f"{middle.cpu:.3f}", f"{least:.3f}", f"{middle.wall:.3f}", f"{middle.cpu / bare:.2f}", verdict
        )

    console = Console()
    console.print(machine(), highlight=False)
    console.print(
        f"Medians of {count} runs of the whole process, the commands taking turns; SPEC is {SPEC}.", highlight=False
    )
    console.print(table)
    return int(any(median(spent).cpu > BUDGET for name, spent in costs.items() if name != YARDSTICK))


if __name__ == "__main__":
    sys.exit(main())
