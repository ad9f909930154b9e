"""`ffspec schema`: the JSON Schema of a spec, for editors."""

from __future__ import annotations

import click


@click.command()
def schema() -> int:
    """Print the JSON Schema of a spec: editors complete and check with it."""
    from ffspec.schema import text

    click.echo(text(), nl=False)
    return 0
