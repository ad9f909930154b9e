"""The points of a sweep, judged as any spec is, before the first of them is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ffspec.diagnostics import Diagnostic, Severity
from ffspec.planner import static_facts
from ffspec.points import BadPoint
from ffspec.rules import examine

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from ffspec.diagnostics import Path
    from ffspec.points import Point, Space
    from ffspec.spec.facts import Facts


def examine_points(space: Space) -> tuple[Diagnostic, ...]:
    """Return what is wrong at the corners of a sweep and at its first points, and not with the spec as it stands.

    What would be a warning of a spec is information here: a sweep goes to extremes to find out.
    """
    standing = dict(space.spec({}))
    known = {(item.code, item.path) for item in examine(standing)}
    rows = static_facts(standing).rows
    if rows and "validation" not in rows:
        return (unchosen(space),)
    if wrong := unfit(space):
        return wrong
    found: dict[tuple[str, Path], Diagnostic] = {}
    for point in space.together():
        for item in _judged(space, point, known):
            # The same fault at another point is the same fault.
            found.setdefault((item.code, item.path), item)
    return tuple(found.values())


def unchosen(space: Space) -> Diagnostic:
    """Return the fault of a sweep without rows to choose by."""
    return Diagnostic(
        code="FF019",
        message=f"'{space.sweep.metric}' needs a validation split, and the dataset has none",
        path=("sweep",),
        at_key=True,
        hint="write split: {validation: 0.2, test: 0.2} under dataset",
    )


def unfit(space: Space, facts: Facts | None = None) -> tuple[Diagnostic, ...]:
    """Return the fault of a sweep whose metric does not measure such a target.

    Args:
        space: The points.
        facts: What the rows say; None: what the spec says of them.
    """
    name = space.sweep.metric.partition(".")[2]
    if name == "loss":
        return ()
    found = examine({**dict(space.spec({})), "metrics": (name,)}, facts)
    wrong = [item for item in found if (item.code, item.path) == ("FF027", ("metrics", 0))]
    return tuple(replace(item, path=("sweep", "metric")) for item in wrong)


def _judged(space: Space, point: Point, known: Container[tuple[str, Path]]) -> Iterator[Diagnostic]:
    """Yield what is wrong at a point, located on its axes."""
    try:
        found = examine(dict(space.spec(point)))
    except BadPoint as bad:
        yield from bad.faults
        return
    for item in found:
        if (item.code, item.path) not in known:
            warning = item.severity is Severity.WARNING
            yield space.blamed(point, replace(item, severity=Severity.INFO) if warning else item)
