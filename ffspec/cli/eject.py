"""`ffspec eject`: a spec as a plain script of PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ffspec.cli import options

if TYPE_CHECKING:
    from ffspec.spec.root import Spec


@click.command()
@click.argument("path", type=click.Path(), metavar="SPEC")
@click.option(
    "-o", "--out", "out", type=click.Path(dir_okay=False), metavar="FILE", help="Write to this file, not to the screen."
)
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
@options.SET
@options.SEED
@options.ALLOW
@options.ALLOW_OUTSIDE
def eject(
    path: str,
    out: str | None,
    overrides: tuple[str, ...],
    seed: int | None,
    allow: tuple[str, ...],
    *,
    force: bool,
    allow_outside: bool,
) -> int:
    """Write SPEC as a plain script of PyTorch, which needs no ffspec and computes the same bits.

    Exits with 0 if it is written, 2 if the spec or its data cannot be used, or a script cannot say it, 4 if the file
    cannot be written.
    """
    from ffspec import api, document
    from ffspec.diagnostics import SpecError
    from ffspec.export import eject as write

    opened = document.load(path, overrides)
    spec = api.sound(opened, allow)
    spec = spec if seed is None else spec.model_copy(update={"seed": seed})
    file = None if out is None else Path(out)
    try:
        text = write(spec, name=_called(path, spec), file=file, allow_outside=allow_outside)
    except SpecError as error:
        raise SpecError(error.diagnostics, opened.render(error.diagnostics)) from None
    if file is None:
        click.echo(text, nl=False)
    else:
        _save(file, text, force=force)
    return 0


def _called(path: str, spec: Spec) -> str:
    """Return the name of the file, or of a spec from standard input its own."""
    return Path(path).name if path != "-" else spec.name or "a spec"


def _save(file: Path, text: str, *, force: bool) -> None:
    """Write a file whole, and never over another unasked.

    Raises:
        StorageError: There is one, or it cannot be written.
    """
    from ffspec.diagnostics import StorageError
    from ffspec.rundir import RunDirectory

    if file.exists() and not force:
        raise StorageError(f"{file} is there already; --force overwrites it")
    RunDirectory(file.parent).write(file.name, text)
    click.echo(f"wrote {file}", err=True)
