"""`ffspec sweep`: try the points of a spec's sweep, and run the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options

if TYPE_CHECKING:
    from ffspec.runner.sweeping import Sweeping


@click.command()
@click.argument("spec", type=click.Path(), metavar="SPEC")
@options.SET
@options.SEED
@options.ALLOW
@options.ALLOW_OUTSIDE
@options.VERBOSE
@options.OUT
@click.option("--storage", metavar="URL", help="Share the sweep with other processes: a database, or a journal file.")
@click.option("--new", "anew", is_flag=True, help="Begin anew, although there is a sweep to go on with.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what went wrong.")
@options.formats("text", "json")
def sweep(
    spec: str,
    overrides: tuple[str, ...],
    seed: int | None,
    allow: tuple[str, ...],
    *,
    allow_outside: bool,
    verbose: bool,
    out: str,
    storage: str | None,
    anew: bool,
    quiet: bool,
    form: str,
) -> int:
    """Try the points of the sweep in SPEC, and run the best of them.

    A sweep that was stopped is gone on with. Exits as `ffspec run` does; with 3 if no point could be trained.
    """
    import gc

    from ffspec import document, sweeps
    from ffspec.cli.sweeping import Reporter

    gc.enable()
    opened = document.load(spec, (*overrides, *([] if seed is None else [f"seed={seed}"])))
    reporter = None if quiet or form == "json" else Reporter(verbose=verbose)
    given: dict[str, Any] = {
        "out": out,
        "storage": storage,
        "allow": allow,
        "allow_outside": allow_outside,
        "anew": anew,
    }
    try:
        found = sweeps.sweep_document(opened, watcher=reporter, signals=True, **given)
    finally:
        if reporter is not None:  # a sweep that is stopped must leave the terminal as it was too
            reporter.close()
    return tell(found, quiet=quiet, form=form)


def tell(found: Sweeping, *, quiet: bool, form: str = "text") -> int:
    """Print what a sweep came to, and return the exit code."""
    import json

    from ffspec.cli.sweeping import as_json, summary

    if form == "json":
        click.echo(json.dumps(as_json(found), indent=2))
    elif not quiet or not found.ok:
        click.echo(summary(found), err=quiet)
    return 0 if found.ok else 1
