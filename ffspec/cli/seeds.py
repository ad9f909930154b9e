"""What a training from several seeds shows when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.cli.measures import beside
from ffspec.cli.table import figure, interval, table

if TYPE_CHECKING:
    from ffspec.runner.repeats import Estimate, Repeated

NAMED = 10
"""How many diverged seeds are named."""


def summary(found: Repeated) -> str:
    """Return the loss and metrics of every split before and after: mean, standard deviation, and interval."""
    measured = [
        [split, name, *_told(found.before[split].get(name)), *_told(one)]
        for split, measures in found.after.items()
        for name, one in measures.items()
    ]
    rows = "split" if found.folds is None else "folds"
    drawn = (
        f"first weights, order of the rows and {rows}" if found.resplit else "first weights and the order of the rows"
    )
    other = "" if found.resplit else f"; --resplit draws the {rows} too"
    lines = [
        table(["split", "measure", "before", "±", "95 %", "after", "±", "95 %"], measured, left=2),
        f"  means over the seeds, which draw {drawn}{other}",
        "  ±: the standard deviation from seed to seed; 95 %: where the mean of all seeds there are lies",
        *_beside(found),
    ]
    if found.diverged:
        named = ", ".join(map(str, found.diverged[:NAMED])) + (", ..." if len(found.diverged) > NAMED else "")
        lines.append(f"  FAIL  diverged, and left out: {len(found.diverged)} of {len(found.seeds)} seeds, {named}")
    lines += [f"  {'ok  ' if item.met else 'FAIL'}  mean {item.text}: {item.found}" for item in found.expectations]
    if found.directory is not None:
        lines.append(f"  run directory: {found.directory}")
    return "\n".join(lines)


def _told(one: Estimate | None) -> tuple[str, str, str]:
    """Return mean, standard deviation and interval."""
    if one is None:
        return "-", "", ""
    return figure(one.mean), "" if one.deviation is None else f"{one.deviation:.2g}", interval(one.interval)


def _beside(found: Repeated) -> list[str]:
    """Return the networks' metrics beside those of simpler models, as a table."""
    if not found.baselines:
        return []
    split, names = found.baselines[0].split, list(found.baselines[0].measures)
    means = {name: one.mean for name, one in found.after[split].items()}
    models = {"these networks": means, **{item.name: item.measures for item in reversed(found.baselines)}}
    return [beside(f"on {split}", models, names)]


def as_json(found: Repeated) -> dict[str, Any]:
    """Return what the seeds reach, as the command's JSON says it."""
    from ffspec.runner.repeats import as_plain

    return {
        "name": found.spec.name,
        "directory": None if found.directory is None else str(found.directory),
        **as_plain(found),
    }
