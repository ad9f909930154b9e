"""What a cross-validation shows while it runs, and when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options
from ffspec.cli.table import count, figure, interval, table

if TYPE_CHECKING:
    from pathlib import Path

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Plan
    from ffspec.review import Review
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.folds import CrossValidation
    from ffspec.runner.loop import Row
    from ffspec.spec.root import Spec


class FoldReporter:
    """Shows one fold as it goes, in a line; what the rules find is told once, of the first."""

    def __init__(self, folds: int, fold: int, *, verbose: bool) -> None:
        self._folds = folds
        self._fold = fold
        self._verbose = verbose

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Show warnings, and on request information, beside the output."""
        shown = options.shown(found, verbose=self._verbose)
        if shown and self._fold == 1:
            click.echo(review.render(shown, colour=options.wants_colour()), err=True)

    def on_start(self, spec: Spec, plan: Plan, before: dict[str, Measures], directory: Path | None) -> None:
        """Say which fold is about to be trained."""
        del before, directory
        if self._fold == 1:
            click.echo(f"{spec.name or 'network'}: {count(plan.parameters)} parameters; {self._folds} folds")
        rows = ", ".join(f"{count(number)} {name}" for name, number in plan.facts.rows.items())
        click.echo(f"  fold {self._fold:>{len(str(self._folds))}}/{self._folds}  rows: {rows}")

    def on_resume(self, epoch: int) -> None:
        """Say nothing: a fold is resumed as a run of its own."""

    def on_refit(self, epochs: int, rows: int) -> None:
        """Say nothing: it is part of the fold."""

    def on_damage(self, name: str) -> None:
        """Say nothing, for the same reason."""

    def on_epoch(self, row: Row) -> None:
        """Say nothing: there are too many."""


def summary(found: CrossValidation) -> str:
    """Return the loss and metrics of every split before and after, with their spread over the folds."""
    header, columns = ["split"], [[split if split != "test" else "test (all rows)" for split in found.after]]
    for name in next(iter(found.after.values())):
        header += [f"{name} before", f"{name} after", "±"]
        columns += [[figure(side[split].get(name)) for split in side] for side in (found.before, found.after)]
        columns.append(
            [f"{found.spread[split][name]:.2g}" if name in found.spread[split] else "" for split in found.after]
        )
        if name in found.intervals:
            header.append("95 %")
            columns.append([interval(found.intervals[name] if split == "test" else None) for split in found.after])
    rows = list(zip(*columns, strict=True))
    lines = [table(header, rows), "  ±: the standard deviation from fold to fold", *_beside(found)]
    lines += [f"  {'ok  ' if item.met else 'FAIL'}  {item.text}: {item.found}" for item in found.expectations]
    if found.directory is not None:
        lines.append(f"  run directory: {found.directory}")
    return "\n".join(lines)


def _beside(found: CrossValidation) -> list[str]:
    """Return the network's metrics beside those of simpler models, as a table."""
    if not found.baselines:
        return []
    names = list(found.baselines[0].measures)
    rows = [["this network", *(figure(found.after["test"].get(name)) for name in names)]]
    rows += [[item.name, *(figure(item.measures.get(name)) for name in names)] for item in reversed(found.baselines)]
    return [table(["on all rows", *names], rows)]


def as_json(found: CrossValidation) -> dict[str, Any]:
    """Return what the folds reach together, as the command's JSON says it."""
    from ffspec.runner.folds import as_plain

    return {
        "name": found.spec.name,
        "directory": None if found.directory is None else str(found.directory),
        **as_plain(found),
    }
