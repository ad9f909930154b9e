"""What a cross-validation shows when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.cli.measures import beside, by_split
from ffspec.cli.table import figure, interval

if TYPE_CHECKING:
    from ffspec.runner.folds import CrossValidation


def summary(found: CrossValidation) -> str:
    """Return the loss and metrics of every split before and after, with their spread over the folds."""
    splits = list(found.after)
    measures = {}
    for name in next(iter(found.after.values())):
        before, after = ([figure(side[split].get(name)) for split in splits] for side in (found.before, found.after))
        spread = [f"{found.spread[split][name]:.2g}" if name in found.spread[split] else "" for split in splits]
        measures[name] = {"before": before, "after": after, "±": spread}
        if name in found.intervals:
            measures[name]["95 %"] = [interval(found.intervals[name] if split == "test" else None) for split in splits]
    called = [split if split != "test" else "test (all rows)" for split in splits]
    lines = [by_split(called, measures), "  ±: the standard deviation from fold to fold", *_beside(found)]
    lines += [f"  {'ok  ' if item.met else 'FAIL'}  {item.text}: {item.found}" for item in found.expectations]
    if found.directory is not None:
        lines.append(f"  run directory: {found.directory}")
    return "\n".join(lines)


def _beside(found: CrossValidation) -> list[str]:
    """Return the network's metrics beside those of simpler models, as a table."""
    if not found.baselines:
        return []
    models = {"this network": found.after["test"], **{item.name: item.measures for item in reversed(found.baselines)}}
    return [beside("on all rows", models, list(found.baselines[0].measures))]


def as_json(found: CrossValidation) -> dict[str, Any]:
    """Return what the folds reach together, as the command's JSON says it."""
    from ffspec.runner.folds import as_plain

    return {
        "name": found.spec.name,
        "directory": None if found.directory is None else str(found.directory),
        **as_plain(found),
    }
