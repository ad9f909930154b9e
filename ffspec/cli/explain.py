"""`ffspec explain`: what a code means."""

from __future__ import annotations

import click


@click.command()
@click.argument("code")
def explain(code: str) -> int:
    """Explain a diagnostic's CODE, such as FF012: why it matters, wrong, right."""
    from ffspec.cli.options import known_code
    from ffspec.codes import explanation

    click.echo(explanation(known_code(code)))
    return 0
