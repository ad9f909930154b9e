"""`ffspec check`: what is wrong with a spec, without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ffspec.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.diagnostics import Diagnostic
    from ffspec.document import Document


@click.command()
@options.SPEC
@options.SET
@options.ALLOW
@options.ALLOW_OUTSIDE
@click.option("--data", is_flag=True, help="Load the rows, and check them too.")
@click.option("--probe", is_flag=True, help="Build the network too, and try it on a batch.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely, in the file.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@options.VERBOSE
@options.formats("text", "json", "sarif", "github")
def check(
    specs: tuple[str, ...],
    overrides: tuple[str, ...],
    allow: tuple[str, ...],
    *,
    allow_outside: bool,
    data: bool,
    probe: bool,
    fix: bool,
    diff: bool,
    verbose: bool,
    form: str,
) -> int:
    """Check specs, and say everything that is wrong with them.

    Exits with 0 if nothing is at the level of an error, 1 if a network cannot work as written, 2 if a file is not a
    valid spec.
    """
    from ffspec import api, document

    checked = []
    for path in specs:
        opened = document.load(path, overrides)
        if fix or diff:
            opened = _mended(opened, path, allow, show=diff)
        found = api.diagnose(opened, allow, data=data, probe=probe, allow_outside=allow_outside)
        checked.append((path, opened, found))
    if form == "text":
        for path, opened, found in checked:
            _print(path, opened, found, verbose=verbose)
    else:
        click.echo(_as_data([(opened.source.name, found) for _, opened, found in checked], form).rstrip("\n"))
    return max(_exit_code(opened, found) for _, opened, found in checked)


def _exit_code(opened: Document, found: Sequence[Diagnostic]) -> int:
    from ffspec.diagnostics import Severity

    errors = [item for item in found if item.severity is Severity.ERROR]
    if any(item in errors for item in opened.diagnostics):
        return 2
    return 1 if errors else 0


def _print(path: str, opened: Document, found: Sequence[Diagnostic], *, verbose: bool) -> None:
    shown = options.shown(found, verbose=verbose)
    if shown:
        click.echo(opened.render(shown, colour=options.wants_colour()), err=True)
    else:
        click.echo(f"{path}: no problems found")


def _as_data(results: Sequence[tuple[str, Sequence[Diagnostic]]], form: str) -> str:
    import json

    from ffspec import formats, rules

    if form == "github":
        return formats.to_github(results)
    if form == "sarif":
        made = formats.to_sarif(results, {code.code: code for code in rules.codes()})
        return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    listed = [formats.to_json(found, file=name) for name, found in results]
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def _mended(opened: Document, path: str, allow: Sequence[str], *, show: bool) -> Document:
    """Apply safe edits, in the file or only as a diff; return the document that is to be checked."""
    from ffspec import mending, patches

    mended, findings = mending.mend(opened, allow)
    if not findings:
        return opened
    name = opened.source.name
    if show:
        click.echo(patches.diff(name, opened.source.text, mended.source.text), nl=False)
        return opened
    if path == "-":
        raise click.UsageError("--fix needs a file to change; for standard input there is --diff")
    patches.write(path, mended.source.text)
    for item in findings:
        click.echo(f"{path}: mended {item.code}: {item.message}", err=True)
    return mended
