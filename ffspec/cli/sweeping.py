"""What a sweep shows while it runs, and when it is done."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options, progress
from ffspec.cli.table import count, figure, table
from ffspec.diagnostics import brief
from ffspec.points import described, flow, shown, told
from ffspec.runner.sweeping.trials import SEED, best_of, ranked

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
"""How many lines tell of the progress where there is no terminal, beside those that tell of a new best: after every
tenth of the points, and of the seconds."""


class Reporter:
    """Shows a sweep as it goes: a table of the best points on a terminal, some lines elsewhere."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._trials: dict[int, Trial] = {}
        self._space: Any = None
        self._live: Any = None
        self._best: int | None = None
        self._told = time.monotonic()

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

            # Drawn by the clock, not by the point; and the summary has the table.
            self._live = Live(get_renderable=self._drawn, refresh_per_second=4, transient=True)
            self._live.start()

    def on_trial(self, trial: Trial) -> None:
        """Show a point."""
        self._trials[trial.number] = trial
        if self._live is not None or not (self._may_be_best(trial) or self._due()):
            return
        best = best_of(self._trials.values(), self._space.sweep.metric)
        fresh = best is not None and best.number != self._best
        self._best = None if best is None else best.number
        if fresh or self._due():
            self._told = time.monotonic()
            click.echo(f"  {self._progress()}")

    def _may_be_best(self, trial: Trial) -> bool:
        """Return whether it is worth looking which is the best: that takes as long as there are points."""
        if self._best is None or SEED in self._space.axes:
            return True
        return ranked([self._trials[self._best], trial], self._space.sweep.metric)[0] is trial

    def _due(self) -> bool:
        most, seconds, done = self._space.trials, self._space.sweep.seconds, len(self._trials)
        if seconds is not None and time.monotonic() - self._told >= seconds / LINES:
            return True
        return most is not None and (done == most or done % max(1, -(-most // LINES)) == 0)

    def _progress(self) -> str:
        """Say how far it has come, and which point is the best so far."""
        most, done = self._space.trials, len(self._trials)
        text = f"{done:>{len(str(most or done))}}/{most}" if most else f"{done}"
        best = best_of(self._trials.values(), self._space.sweep.metric)
        if best is None:
            failed = all(trial.error is not None for trial in self._trials.values())
            return f"{text}  {'none could be trained yet' if failed else 'none was trained to its end yet'}"
        return f"{text}  {self._space.sweep.metric} {figure(best.value)}  {named(best)}"

    def _drawn(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        trials = list(self._trials.values())
        most, done, width = self._space.trials, len(trials), shutil.get_terminal_size().columns
        bar = ProgressBar(total=most or max(1, done), completed=done, width=min(40, width - 1))
        rows = Text(of_best(trials, self._space, width), no_wrap=True)
        return Group(rows, bar, Text(f"  {done}/{most}" if most else f"  {done} points"))

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


def of_best(trials: Sequence[Trial], space: Space, width: int | None = None) -> str:
    """Return the best points as a table, and the spec as it stands beside them; its lines cut to a width, if any."""
    best = ranked(trials, space.sweep.metric)[:BEST]
    best += [trial for trial in trials if trial.number == 0 and trial not in best]
    header = ("point", space.sweep.metric, "epochs", *headings(space))
    rows = [[str(one.number), figure(one.value), count(one.epochs), *_cells(one, space)] for one in best]
    lines = table(header, rows).splitlines()
    return "\n".join(line if width is None else brief(line, width) for line in lines)


def headings(space: Space) -> list[str]:
    """Return what the axes are called in a table: the last keys of each path, as many as tell it from the others."""
    taken = [("point",), tuple(space.sweep.metric.split(".")), ("epochs",)]
    paths = [tuple(name.split(".")) for name in space.axes]

    def unique(path: tuple[str, ...], keys: int) -> bool:
        return sum(other[-keys:] == path[-keys:] for other in (*taken, *paths)) == 1

    chosen = [next((keys for keys in range(1, len(path)) if unique(path, keys)), len(path)) for path in paths]
    return [brief(".".join(path[-keys:])) for path, keys in zip(paths, chosen, strict=True)]


def _cells(trial: Trial, space: Space) -> Iterator[str]:
    """Yield what a point says; of a list of lists or mappings, which of them it is."""
    for name, axis in space.axes.items():
        if name not in trial.point:
            yield "as it stands"
            continue
        value = trial.point[name]
        place = axis.index(value) if isinstance(axis, tuple) and isinstance(value, tuple | dict) else None
        if place is None:
            yield shown(value)
        else:
            yield f"{place}: {brief(_distinct(value, axis), WIDE)}"


def _distinct(value: Any, axis: Any) -> str:
    """Return a value in YAML's flow style; of a list among lists, without what all of them begin and end with."""
    others = [other for other in axis if isinstance(other, tuple)]
    if not isinstance(value, tuple) or len(others) < 2 or not all(others):
        return flow(value)
    same = [_alike(others), _alike([other[::-1] for other in others])]
    same[1] = min(same[1], min(map(len, others)) - same[0])
    own = [flow(item) for item in value[same[0] : len(value) - same[1]]]
    return f"[{', '.join([*(['...'] if same[0] else []), *own, *(['...'] if same[1] else [])])}]"


def _alike(lists: Sequence[tuple[Any, ...]]) -> int:
    """Return how many items all lists begin with."""
    differing = (
        place for place, items in enumerate(zip(*lists, strict=False)) if any(one != items[0] for one in items)
    )
    return next(differing, min(map(len, lists)))


def summary(found: Sweeping) -> str:
    """Return the best points, what the best is worth, and what its run came to."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = [of_best(found.trials, found.space, width), *_left(found), *_margin(found)]
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
    for worker, points in found.elsewhere.items():
        many = "1 point is" if points == 1 else f"{count(points)} points are"
        if worker:
            said.append(f"  {many} still with {worker}; if it was stopped, give its command again there")
        else:
            said.append(f"  {many} with nobody: a process was killed before they were its own")
    return said


def _margin(found: Sweeping) -> list[str]:
    """Say how much better the best is, and warn where that may be chance."""
    margin = found.margin
    if found.best.number == 0:
        return ["  the spec as it stands is the best"]
    if margin is None or margin.interval is None:
        return []
    low, high = margin.interval
    if margin.gain == low == high == 0:
        return ["  the best is the spec as it stands, from another seed"]
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
