"""`ffspec schema`: the JSON Schema of a spec, for editors."""

from __future__ import annotations

from pathlib import Path

import click

FILE = Path(__file__).parents[1] / "ffspec.schema.json"
"""Written from the models by `python -m tests.generate_schema`; making it anew takes longer than anyone should wait."""


@click.command()
def schema() -> int:
    """Print the JSON Schema of a spec: editors complete and check with it."""
    click.echo(FILE.read_text(encoding="utf-8"), nl=False)
    return 0
