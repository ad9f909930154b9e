"""How much CPU time the commands take that train nothing: `python -m tests.bench.startup`.

The yardstick is a bare import of what these commands cannot do without. Ends with 1 if a command is over its budget.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Cost, machine, median, repeats, spend

SPEC = "specs/feedforward.yaml"
YARDSTICK = 'python -c "import click, yaml, pydantic"'
LAYERS, FILES = 200, 1000
BUDGETS = {
    "ffspec --help": 0.25,
    "ffspec check SPEC": 0.25,
    "ffspec show SPEC": 0.25,
    "ffspec schema": 0.25,
    f"ffspec check, {LAYERS} layers": 0.35,
    f"ffspec check, {FILES:,} specs": 10.0,
}
"""CPU seconds, user and system, of the whole process."""


def commands(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the commands to measure, and write what they read into a folder."""
    pairs = "\n".join("  - linear: 64\n  - relu" for _ in range(LAYERS // 2))
    deep = folder / "deep.yaml"
    deep.write_text(f"dataset: digits\nlayers:\n{pairs}\n  - linear\nloss: cross_entropy\noptimizer: adam\n")
    text = Path("specs/deep_mlp.yaml").read_text(encoding="utf-8")
    many = [folder / f"{number}.yaml" for number in range(FILES)]
    for path in many:
        path.write_text(text, encoding="utf-8")
    called = (
        ("--help",),
        ("check", SPEC),
        ("show", SPEC),
        ("schema",),
        ("check", str(deep)),
        ("check", *map(str, many)),
    )
    made = {name: ("-m", "ffspec", *arguments) for name, arguments in zip(BUDGETS, called, strict=True)}
    return {YARDSTICK: ("-c", "import click, yaml, pydantic"), **made}


def measure(count: int, listed: dict[str, tuple[str, ...]]) -> dict[str, tuple[Cost, ...]]:
    """Run all commands in turn, `count` times, after one round that fills the caches and is not counted."""
    rounds = [
        {name: spend((sys.executable, *arguments)) for name, arguments in listed.items()} for _ in range(count + 1)
    ]
    return {name: tuple(costs[name] for costs in rounds[1:]) for name in listed}


def main() -> int:
    """Measure, print the table, and return the exit code."""
    count = repeats(__doc__)
    with TemporaryDirectory() as folder:
        costs = measure(count, commands(Path(folder)))
    bare = median(costs[YARDSTICK]).cpu
    table = Table("command", "CPU s", "least", "wall s", "x bare", "budget s", "")
    for name, spent in costs.items():
        middle = median(spent)
        budget = BUDGETS.get(name)
        verdict = "" if budget is None else "within" if middle.cpu <= budget else "OVER"
        least = min(cost.cpu for cost in spent)
        table.add_row(
            name,
            f"{middle.cpu:.3f}",
            f"{least:.3f}",
            f"{middle.wall:.3f}",
            f"{middle.cpu / bare:.2f}",
            "" if budget is None else f"{budget:g}",
            verdict,
        )

    console = Console()
    console.print(machine(), highlight=False)
    console.print(
        f"Medians of {count} runs of the whole process, the commands taking turns; SPEC is {SPEC}.", highlight=False
    )
    console.print(table)
    return int(any(median(costs[name]).cpu > budget for name, budget in BUDGETS.items()))


if __name__ == "__main__":
    sys.exit(main())
