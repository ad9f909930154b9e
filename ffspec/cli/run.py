"""`ffspec run`: train, with eval-mode checks before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ffspec.cli import options

if TYPE_CHECKING:
    from ffspec.cli.progress import Reporter
    from ffspec.document import Document
    from ffspec.runner.result import Result


@click.command()
@options.SPEC
@options.SET
@options.SEED
@options.ALLOW
@options.ALLOW_OUTSIDE
@options.VERBOSE
@click.option(
    "--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Where run directories are made."
)
@click.option("-q", "--quiet", is_flag=True, help="Print only what went wrong.")
@options.formats("text", "json")
def run(
    specs: tuple[str, ...],
    overrides: tuple[str, ...],
    seed: int | None,
    allow: tuple[str, ...],
    out: str,
    *,
    allow_outside: bool,
    verbose: bool,
    quiet: bool,
    form: str,
) -> int:
    """Train the networks of SPECS, with eval-mode checks before and after.

    Exits with 0 if every expectation under `checks` held, 1 if one did not, 2 if a spec or its data cannot be used,
    3 if training diverged, 4 if something could not be written.
    """
    import gc
    import json

    from ffspec import api, document
    from ffspec.cli.progress import Reporter, summary

    # Every spec is checked before the first is trained: a typo in the last should not cost the time of the others.
    opened = [document.load(path, overrides) for path in specs]
    for one in opened:
        api.sound(one, allow)
    gc.enable()
    results: list[Result] = []
    for one in opened:
        reporter = None if quiet or form == "json" else Reporter(verbose=verbose)
        result = _train(one, reporter, seed=seed, out=Path(out), allow=allow, allow_outside=allow_outside)
        if not result.ok and quiet and form == "text":
            click.echo(f"{one.source.name}: " + summary(result), err=True)
        results.append(result)
    if form == "json":
        listed = [_as_json(one.source.name, result) for one, result in zip(opened, results, strict=True)]
        click.echo(json.dumps(listed, indent=2))
    return 0 if all(result.ok for result in results) else 1


def _train(one: Document, reporter: Reporter | None, **options: Any) -> Result:
    from ffspec import api
    from ffspec.cli.progress import summary

    try:
        result = api.run_document(one, observer=reporter, signals=True, **options)
    finally:
        # A run that fails must leave the terminal as it was too: the bar hides the cursor.
        if reporter is not None:
            reporter.close()
    if reporter is not None:
        click.echo(summary(result))
    return result


def _as_json(name: str, result: Result) -> dict[str, Any]:
    from dataclasses import asdict

    from ffspec.formats import to_json

    return {
        "name": result.spec.name,
        "directory": None if result.directory is None else str(result.directory),
        "parameters": result.plan.parameters,
        "before": result.before,
        "after": result.after,
        "history": list(result.history),
        "expectations": [asdict(item) for item in result.expectations],
        "findings": to_json(result.findings, file=name)["diagnostics"],
        "ok": result.ok,
    }
