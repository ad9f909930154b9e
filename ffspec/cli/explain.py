"""`ffspec explain`: what a code means."""

from __future__ import annotations

import click


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> int:
    """Explain a diagnostic's CODE, such as FF012: why it matters, wrong, right. Without one, list them all."""
    from ffspec.cli.options import known_code
    from ffspec.codes import explanation
    from ffspec.rules import codes

    if code is None:
        click.echo("\n".join(f"{one.code}  {one.severity.value:<7}  {one.title}" for one in codes()))
    else:
        click.echo(explanation(known_code(code)))
    return 0
