"""`ffspec init`: a spec for a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from ffspec.proposal import Proposal


@click.command()
@click.argument("data", type=click.Path(), metavar="DATA")
@click.option("--target", metavar="COLUMN", required=True, help="The column to predict.")
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="The spec; beside the data if left out.")
@click.option("--recipe", metavar="NAME", help="Which recipe fills in the network and its training.")
@click.option(
    "--task",
    type=click.Choice(("classification", "regression")),
    help="What the target is, if not what it looks like.",
)
@click.option("--by", metavar="COLUMN", help="Keep rows with the same value in one split; dates in their order.")
def init(
    data: str,
    target: str,
    *,
    out: str | None,
    recipe: str | None,
    task: Literal["classification", "regression"] | None,
    by: str | None,
) -> int:
    """Write a spec for DATA, a CSV or Parquet file, whose comments say what is in its columns.

    Exits with 0 if it is written, 2 if the file or its target cannot be used, 4 if the spec is there already or cannot
    be written.
    """
    from ffspec import proposal
    from ffspec.rundir import RunDirectory

    file = Path(out) if out is not None else Path(data).with_suffix(".yaml")
    _refuse_existing(file)
    made = proposal.look(data, target, recipe=_known(recipe), task=task, by=by, folder=file.parent)
    _refuse_existing(file)  # reading a large table takes its time
    RunDirectory(file.parent).write(file.name, made.text)
    click.echo(_summary(file, made))
    return 0


def _refuse_existing(file: Path) -> None:
    """Never write over what is there.

    Raises:
        StorageError: There is something.
    """
    from ffspec.diagnostics import StorageError

    if os.path.lexists(file):
        raise StorageError(f"{file} is there already; name another file with --out")


def _known(recipe: str | None) -> str:
    from ffspec import proposal
    from ffspec.spec.recipes import RECIPES
    from ffspec.suggest import suggest

    if recipe is not None and recipe not in RECIPES:
        near = suggest(recipe, RECIPES)
        meant = "" if near is None else f"; did you mean {near}?"
        raise click.BadParameter(f"must be one of {', '.join(RECIPES)}, found {recipe}{meant}", param_hint="--recipe")
    return recipe or proposal.RECIPE


def _summary(file: Path, made: Proposal) -> str:
    from ffspec.data.problems import counted, some
    from ffspec.diagnostics import brief

    used = sum(verdict.used for verdict in made.verdicts)
    left = [repr(brief(verdict.name)) for verdict in made.verdicts if not verdict.used]
    what = f"{len(made.target.counts)} classes" if made.target.counts else "numbers"
    lines = [f"wrote {file}: {made.target.column.name!r}, {what}, from {counted(used, 'column')} of {made.rows:,} rows"]
    if left:
        lines.append(f"left out, with the reason in the file: {some(left, most=6)}")
    lines.append(f"train it with: ffspec run {file}")
    return "\n".join(lines)
