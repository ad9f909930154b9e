"""What several trainings of one spec show while they run, and when they are done."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import folds, options, seeds
from ffspec.cli.table import count, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.diagnostics import Diagnostic
    from ffspec.review import Review
    from ffspec.runner.folds import CrossValidation
    from ffspec.runner.loop import Row
    from ffspec.runner.population import Member
    from ffspec.runner.repeats import Repeated
    from ffspec.runner.several import Repetition

OFTEN = 0.1
"""Seconds between two drawings of the bar: small networks have thousands of epochs in each."""


class Reporter:
    """Says what is about to be trained and how, and on a terminal how far it is."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._members = 0
        self._epochs = 0
        self._drawn = 0.0
        self._bar: Any = None
        self._task: Any = None

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Show warnings, and on request information, beside the output."""
        options.tell(found, review, verbose=self._verbose)

    def on_start(self, how: Repetition, members: Sequence[Member], together: int, reason: str | None) -> None:
        """Say how many trainings there are, and how many of them are made at once."""
        first, self._members = members[0], len(members)
        rows = ", ".join(f"{count(number)} {name}" for name, number in first.plan.facts.rows.items())
        name = first.spec.name or "network"
        click.echo(f"{name}: {count(first.plan.parameters)} parameters; {_many(how, len(members))}; rows: {rows}")
        if reason is not None:
            click.echo(f"  one after another: {reason}")
        elif together == len(members):
            click.echo("  all are trained as one network")
        elif how.folds is None:
            click.echo(f"  {together} at a time are trained as one network: more would not fit the cache")
        else:
            click.echo(f"  up to {together} at a time are trained as one network")
        if sys.stdout.isatty():
            self._draw_bar(sum(member.plan.epochs for member in members))

    def on_resume(self, done: int) -> None:
        """Say how many are done already."""
        click.echo(f"  going on: {count(done)} of {count(self._members)} are trained")

    def on_damage(self, name: str) -> None:
        """Say that something is damaged."""
        click.echo(f"{name} is damaged, and trained again", err=True)

    def on_epoch(self, index: int, row: Row) -> None:
        """Show how far the trainings are, now and then."""
        del index
        self._epochs += 1
        if self._bar is not None and time.monotonic() - self._drawn >= OFTEN:
            self._drawn = time.monotonic()
            self._bar.update(self._task, completed=self._epochs, measures=f"loss {figure(row['loss'])}")

    def on_member(self, done: int) -> None:
        """Show how many are done."""
        if self._bar is not None:
            self._bar.update(self._task, done=f"{count(done)}/{count(self._members)} trained")
            if done == self._members:
                self.close()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw_bar(self, epochs: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("  {task.fields[done]}"), BarColumn(bar_width=24), TextColumn("{task.fields[measures]}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = Progress(*columns)
        self._bar.start()
        done = f"0/{count(self._members)} trained"
        self._task = self._bar.add_task("", total=max(1, epochs), done=done, measures="")


def _many(how: Repetition, members: int) -> str:
    """Say how many seeds and folds there are."""
    if how.folds is None:
        return f"{count(members)} seeds"
    return f"{members} folds" if how.seeds is None else f"{count(how.seeds)} seeds of {how.folds} folds each"


def summary(found: CrossValidation | Repeated) -> str:
    """Return what they came to."""
    from ffspec.runner.repeats import Repeated

    return seeds.summary(found) if isinstance(found, Repeated) else folds.summary(found)
