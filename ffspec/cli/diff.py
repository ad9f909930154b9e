"""`ffspec diff`: in what two runs differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ffspec.comparison import Comparison


@click.command()
@click.argument("old", type=click.Path(file_okay=False, path_type=Path), metavar="RUN")
@click.argument("new", type=click.Path(file_okay=False, path_type=Path), metavar="RUN")
def diff(old: Path, new: Path) -> int:
    """Say in what two runs differ: spec, data, environment, result.

    Exits with 0 if they ended in the same bits, with 1 if not, with 4 if one is damaged or not finished.
    """
    from ffspec.comparison import compare
    from ffspec.rundir import RunDirectory

    found = compare(RunDirectory(old), RunDirectory(new))
    click.echo(told(found))
    return 0 if found.same else 1


def told(found: Comparison) -> str:
    """Return a comparison as people read it."""
    lines = []
    for name in ("spec", "data", "environment", "result"):
        different = getattr(found, name)
        lines.append(f"{name + ':':<13}{'different' if different else 'the same'}")
        lines += [f"  {line}" for line in different]
    return "\n".join(lines)
