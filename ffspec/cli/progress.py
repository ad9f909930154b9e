"""What a run shows while it trains, and when it is done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options
from ffspec.cli.details import details
from ffspec.cli.measures import beside, by_split, one_line
from ffspec.cli.table import count, figure, interval
from ffspec.limits import shown
from ffspec.rules.memory import needs, told
from ffspec.rules.outcomes import LINEAR
from ffspec.written import gradients_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Plan
    from ffspec.review import Review
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.loop import Row
    from ffspec.runner.result import Result
    from ffspec.spec.root import Spec

LARGE = 100_000_000
"""From so many bytes on, a training says what it takes."""
LINES = 10
"""How many epochs are printed where there is no terminal to draw a bar on; all, of up to twice as many."""


class Reporter:
    """Shows a run as it goes: a bar on a terminal, some lines elsewhere."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._epochs = 0
        self._bar: Any = None
        self._task: Any = None

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Show warnings, and on request information, beside the output."""
        options.tell(found, review, verbose=self._verbose)

    def on_start(self, spec: Spec, plan: Plan, before: dict[str, Measures], directory: Path | None) -> None:
        """Say what is about to be trained."""
        self._epochs = plan.epochs
        rows = ", ".join(f"{count(number)} {name}" for name, number in plan.facts.rows.items())
        click.echo(f"{spec.name or 'network'}: {count(plan.parameters)} parameters; rows: {rows}")
        needed = needs(plan, dict(spec))
        if sum(needed.values()) >= LARGE:
            click.echo(f"memory: {shown(sum(needed.values()))}, of which {told(needed)}")
        if gradients_of(spec.training, plan).compiled:
            click.echo("  compiling, which takes some seconds; what is made is kept for the next time")
        del before, directory
        if sys.stdout.isatty():
            self._draw_bar()

    def on_resume(self, epoch: int) -> None:
        """Say where training goes on."""
        click.echo(f"  going on in epoch {epoch}")
        if self._bar is not None:
            self._bar.update(self._task, completed=epoch - 1)

    def on_refit(self, epochs: int, rows: int) -> None:
        """Say that another training begins."""
        click.echo(
            f"  training again on {count(rows)} rows, those for validation among them, for {count(epochs)} epochs"
        )
        self._epochs = epochs
        if self._bar is not None:
            self._bar.reset(self._task, total=epochs, measures="")

    def on_damage(self, name: str) -> None:
        """Say that a checkpoint is damaged."""
        click.echo(f"checkpoint {name} is damaged; the one before it is used", err=True)

    def on_epoch(self, row: Row) -> None:
        """Show an epoch."""
        text = one_line({name: value for name, value in row.items() if name not in {"epoch", "lr"}})
        if self._bar is not None:
            self._bar.update(self._task, advance=1, measures=text)
            return
        every = 1 if self._epochs <= 2 * LINES else -(-self._epochs // LINES)
        if row["epoch"] % every == 0 or row["epoch"] in {1, self._epochs}:
            width = len(str(self._epochs))
            click.echo(f"  epoch {row['epoch']:>{width}}/{self._epochs}  {text}")

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()

    def _draw_bar(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("  epoch"), MofNCompleteColumn(), BarColumn(bar_width=24), TextColumn("{task.fields[measures]}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = Progress(*columns)
        self._bar.start()
        self._task = self._bar.add_task("", total=self._epochs, measures="")


def summary(result: Result, *, detailed: bool = False) -> str:
    """Return the loss and metrics of every split before and after, and what became of the expectations."""
    lines = [_measures(result), *_beside(result), *_within_noise(result), *_stopped(result), *_fitted(result)]
    if detailed:
        lines.append(details(result.judgement))
    met = (f"  {'ok  ' if item.met else 'FAIL'}  {item.text}: {item.found}" for item in result.expectations)
    lines += met
    if result.directory is not None:
        lines.append(f"  run directory: {result.directory}")
    return "\n".join(lines)


def _measures(result: Result) -> str:
    """Return the measures of every split as a table; behind those of the test split, their intervals."""
    splits = list(result.after)
    measures = {}
    for name in next(iter(result.after.values())):
        before, after = ([figure(side[split].get(name)) for split in splits] for side in (result.before, result.after))
        measures[name] = {"before": before, "after": after}
        if name in result.intervals:
            measures[name]["95 %"] = [interval(result.intervals[name] if split == "test" else None) for split in splits]
    return by_split(splits, measures)


def _fitted(result: Result) -> list[str]:
    """Say what was fitted on the validation split after training."""
    said = []
    if result.temperature is not None:
        said.append(f"  the temperature is {result.temperature:.3g}, fitted on the validation split")
    if result.threshold is not None:
        said.append(f"  the threshold is {result.threshold:.3g}, chosen on the validation split")
    return said


def _beside(result: Result) -> list[str]:
    """Return the network's metrics beside those of simpler models, as a table."""
    if not result.baselines:
        return []
    split = result.baselines[0].split
    models: dict[str, Mapping[str, float]] = {"this network": result.after[split]}
    whole = len(result.data.splits["train"])
    for item in reversed(result.baselines):
        part = f" ({count(item.rows)} rows)" if item.rows < whole else ""
        models[item.name + part] = item.measures
    return [beside(f"on {split}", models, list(result.baselines[0].measures))]


def _within_noise(result: Result) -> list[str]:
    """Say in which measures the linear model is as good as the network, as far as the rows can tell."""
    linear = next((item.measures for item in result.baselines if item.name == LINEAR), {})
    alike = [name for name, (low, high) in result.intervals.items() if name in linear and low <= linear[name] <= high]
    return [f"  within noise of the linear model: {', '.join(alike)}"] if alike else []


def _stopped(result: Result) -> list[str]:
    """Say that a training ended early, and which weights it has."""
    stopping, epochs = result.spec.training.early_stopping, len(result.history)
    if stopping is None or not epochs:
        return []
    early = f"stopped early, after epoch {epochs} of {result.plan.epochs}; "
    said = early if epochs < result.plan.epochs else ""
    best = result.best_epoch
    if result.spec.training.refit:
        return [f"  {said}trained again for {best} epochs, with which {stopping.monitor} was best"]
    return [f"  {said}the weights are those of epoch {best}, the best {stopping.monitor}"]
