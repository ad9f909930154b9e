"""What a sweep shows while it runs, and when it is done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options, progress
from ffspec.cli.table import count, figure, table
from ffspec.diagnostics import brief
from ffspec.points import described, shown, told
from ffspec.runner.sweeping.trials import best_of, ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ffspec.diagnostics import Diagnostic
    from ffspec.points import Space
    from ffspec.review import Review
    from ffspec.runner.sweeping import Sweeping, Trial

WIDE = 30
"""Characters of a cell with a list or a mapping."""

BEST = 5
"""How many of the best points are shown."""
LINES = 10
"""How many lines tell of the progress where there is no terminal, beside those that tell of a new best."""


class Reporter:
    """Shows a sweep as it goes: a table of the best points on a terminal, some lines elsewhere."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._trials: dict[int, Trial] = {}
        self._space: Any = None
        self._live: Any = None
        self._best: int | None = None

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Show warnings, and on request information, beside the output."""
        options.tell(found, review, verbose=self._verbose)

    def on_start(self, space: Space, known: Mapping[int, Trial], directory: Path | None) -> None:
        """Say what is about to be tried, or gone on with."""
        self._space, self._trials = space, dict(known)
        click.echo(f"sweep: {described(space)}")
        if known:
            place = "" if directory is None else f" in {directory}"
            click.echo(f"  going on{place}: {len(known)} points are done")
        best = best_of(known.values(), space.sweep.metric)
        self._best = None if best is None else best.number
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(self._drawn(), refresh_per_second=8, transient=True)  # the summary has the table
            self._live.start()

    def on_trial(self, trial: Trial) -> None:
        """Show a point."""
        self._trials[trial.number] = trial
        if self._live is not None:
            self._live.update(self._drawn())
            return
        best = best_of(self._trials.values(), self._space.sweep.metric)
        fresh = best is not None and best.number != self._best
        self._best = None if best is None else best.number
        if fresh or self._due():
            click.echo(f"  {self._progress()}")

    def _due(self) -> bool:
        most, done = self._space.trials, len(self._trials)
        return done == most or done % max(1, -(-(most or 10 * LINES) // LINES)) == 0

    def _progress(self) -> str:
        """Say how far it has come, and which point is the best so far."""
        most, done = self._space.trials, len(self._trials)
        text = f"{done:>{len(str(most or done))}}/{most}" if most else f"{done}"
        best = best_of(self._trials.values(), self._space.sweep.metric)
        if best is None:
            return f"{text}  none could be trained yet"
        return f"{text}  {self._space.sweep.metric} {figure(best.value)}  {named(best)}"

    def _drawn(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        rows = of_best(list(self._trials.values()), self._space)
        most, done = self._space.trials, len(self._trials)
        bar = ProgressBar(total=most or max(1, done), completed=done, width=40)
        return Group(Text(rows), bar, Text(f"  {done}/{most}" if most else f"  {done} points"))

    def on_end(self, best: Trial) -> None:
        """Say that the best is run."""
        self.close()
        click.echo(f"  the best is run once more, and tested: {named(best)}")

    def close(self) -> None:
        """Leave the table as it stands."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def named(trial: Trial) -> str:
    """Name a point by its number and what it says."""
    return f"point {trial.number}: {told(trial.point) or 'the spec as it stands'}"


def of_best(trials: Sequence[Trial], space: Space) -> str:
    """Return the best points as a table, and the spec as it stands beside them."""
    best = ranked(trials, space.sweep.metric)[:BEST]
    best += [trial for trial in trials if trial.number == 0 and trial not in best]
    header = ("point", *(brief(name) for name in space.axes), space.sweep.metric, "epochs")
    return table(header, [[str(trial.number), *_cells(trial, space)] for trial in best])


def _cells(trial: Trial, space: Space) -> Iterator[str]:
    """Yield what a point says, and what it came to; of a list of lists or mappings, which of them it is."""
    for name, axis in space.axes.items():
        if name not in trial.point:
            yield "as it stands"
            continue
        value = trial.point[name]
        place = axis.index(value) if isinstance(axis, tuple) and isinstance(value, tuple | dict) else None
        yield shown(value) if place is None else f"{place}: {brief(shown(value), WIDE)}"
    yield figure(trial.value)
    yield count(trial.epochs)


def summary(found: Sweeping) -> str:
    """Return the best points, what the best is worth, and what its run came to."""
    lines = [of_best(found.trials, found.space), *_left(found), *_margin(found)]
    lines.append(progress.summary(found.result))
    if found.directory is not None:
        lines.append(f"  the best spec: {found.directory / 'best.yaml'}")
    return "\n".join(lines)


def _left(found: Sweeping) -> list[str]:
    """Say which points came to nothing."""
    failed = [trial for trial in found.trials if trial.error is not None]
    pruned = sum(trial.pruned for trial in found.trials)
    said = [f"  {count(pruned)} of {count(len(found.trials))} points were stopped early"] if pruned else []
    if failed:
        first = failed[0]
        said.append(
            f"  {count(len(failed))} of {count(len(found.trials))} points failed; point {first.number}: {first.error}"
        )
    return said


def _margin(found: Sweeping) -> list[str]:
    """Say how much better the best is, and warn where that may be chance."""
    margin = found.margin
    if found.best.number == 0:
        return ["  the spec as it stands is the best"]
    if margin is None or margin.interval is None:
        return []
    low, high = margin.interval
    by, spread = f"by {margin.gain:.3g}", f"95 % over {margin.by} [{low:.3g}, {high:.3g}]"
    if margin.within_noise:
        return [f"  warning: within noise of the spec as it stands: {margin.metric} is better {by}, {spread}"]
    return [f"  {margin.metric} is better than that of the spec as it stands {by}, {spread}"]


def as_json(found: Sweeping) -> dict[str, Any]:
    """Return what a sweep came to, as the command's JSON says it."""
    from ffspec.runner.sweeping.sweep import as_plain

    return {
        "name": found.spec.name,
        "directory": None if found.directory is None else str(found.directory),
        **as_plain(found),
        "points": [
            {"number": one.number, "point": one.point, "value": one.value, "epochs": one.epochs, "error": one.error}
            for one in found.trials
        ],
    }
