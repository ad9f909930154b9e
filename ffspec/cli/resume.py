"""`ffspec resume`: go on with a run that was stopped."""

from __future__ import annotations

import click

from ffspec.cli import options


@click.command()
@click.argument("directory", type=click.Path(file_okay=False), metavar="RUN")
@click.option("--epochs", type=click.IntRange(0), help="Train for so many epochs in all.")
@click.option("--force", is_flag=True, help="Go on although files, versions or the data are not what they were.")
@options.ALLOW_OUTSIDE
@options.VERBOSE
@click.option("-q", "--quiet", is_flag=True, help="Print only what went wrong.")
def resume(directory: str, *, epochs: int | None, force: bool, allow_outside: bool, verbose: bool, quiet: bool) -> int:
    """Go on with the run, the sweep or the several trainings in directory RUN, to the same bits as if never stopped.

    Exits as `ffspec run` does; with 4 if the directory is in use or damaged, or if what the run depends on has changed.
    """
    import gc
    from pathlib import Path

    from ffspec import api, repeating
    from ffspec.cli.progress import Reporter, summary

    gc.enable()
    if (Path(directory) / "sweep.jsonl").is_file():
        if epochs is not None or force:
            raise click.UsageError("RUN is of a sweep: leave out --epochs and --force")
        return _sweep(directory, allow_outside=allow_outside, verbose=verbose, quiet=quiet)
    if repeating.is_of_several(directory):
        if epochs is not None:
            raise click.UsageError("RUN is of several trainings: leave out --epochs")
        return _several(directory, force=force, allow_outside=allow_outside, verbose=verbose, quiet=quiet)
    reporter = None if quiet else Reporter(verbose=verbose)
    try:
        result = api.resume(
            directory, epochs=epochs, force=force, allow_outside=allow_outside, observer=reporter, signals=True
        )
    finally:
        if reporter is not None:
            reporter.close()
    if reporter is not None or not result.ok:
        click.echo(summary(result), err=reporter is None)
    return 0 if result.ok else 1


def _sweep(directory: str, *, allow_outside: bool, verbose: bool, quiet: bool) -> int:
    """Go on with a sweep."""
    from ffspec import sweeps
    from ffspec.cli.sweep import tell
    from ffspec.cli.sweeping import Reporter

    reporter = None if quiet else Reporter(verbose=verbose)
    try:
        found = sweeps.resume_sweep(directory, allow_outside=allow_outside, watcher=reporter, signals=True)
    finally:
        if reporter is not None:
            reporter.close()
    return tell(found, quiet=quiet)


def _several(directory: str, *, force: bool, allow_outside: bool, verbose: bool, quiet: bool) -> int:
    """Go on with a training from several seeds, or a cross-validation."""
    from ffspec import repeating
    from ffspec.cli.run import code_of
    from ffspec.cli.several import Reporter, summary

    reporter = None if quiet else Reporter(verbose=verbose)
    try:
        found = repeating.resume_several(
            directory, force=force, allow_outside=allow_outside, listener=reporter, signals=True
        )
    finally:
        if reporter is not None:
            reporter.close()
    if reporter is not None or not found.ok:
        click.echo(summary(found), err=reporter is None)
    return code_of(found)
