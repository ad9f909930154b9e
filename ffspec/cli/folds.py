"""What a cross-validation shows when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.cli.table import figure, interval, table

if TYPE_CHECKING:
    from ffspec.runner.folds import CrossValidation


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
