"""`ffspec check`: what is wrong with a spec, without training."""

from __future__ import annotations

import click

from ffspec.cli import options


@click.command()
@options.SPEC
@options.SET
@options.formats("text", "json")
def check(specs: tuple[str, ...], overrides: tuple[str, ...], form: str) -> int:
    """Check specs, and say everything that is wrong with them.

    Exits with 0 if nothing is, 1 if a network cannot work as written, 2 if a file is not a valid spec.
    """
    import json

    from ffspec import api, document
    from ffspec.diagnostics import Severity
    from ffspec.formats import to_json

    code, listed = 0, []
    for path in specs:
        opened = document.load(path, overrides)
        found = api.diagnose(opened)
        errors = any(item.severity is Severity.ERROR for item in found)
        if opened.diagnostics:
            code = 2
        elif errors:
            code = max(code, 1)
        if form == "json":
            listed.append(to_json(found, file=opened.source.name))
        elif found:
            click.echo(opened.render(found, colour=options.wants_colour()), err=True)
        else:
            click.echo(f"{path}: no problems found")
    if form == "json":
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    return code
