"""`ffspec explain`: what a code means."""

from __future__ import annotations

import click


@click.command()
@click.argument("code")
def explain(code: str) -> int:
    """Explain a diagnostic's CODE, such as FF012: why it matters, wrong, right."""
    from difflib import get_close_matches

    from ffspec import codes
    from ffspec.data import codes as of_data
    from ffspec.rules import codes as of_rules

    known = {item.code: item for item in (*codes.CODES, *of_data.CODES, *of_rules.CODES)}
    wanted = code.upper()
    if wanted not in known:
        near = get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(f"unknown code {code}{hint}")
    click.echo(codes.explanation(known[wanted]))
    return 0
