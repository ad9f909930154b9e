"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ffspec.codes import Code
    from ffspec.diagnostics import Diagnostic
    from ffspec.review import Review

F = TypeVar("F", bound=Callable[..., Any])

SPEC = click.argument("specs", nargs=-1, required=True, type=click.Path(), metavar="SPEC...")
SET = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value: --set optimizer.sgd.lr=0.1"
)
SEED = click.option("--seed", type=click.IntRange(0, 2**53), help="Use this seed instead of the spec's.")


OUT = click.option(
    "--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Where run directories are made."
)


def _allowed(context: click.Context, option: click.Parameter, codes: tuple[str, ...]) -> tuple[str, ...]:
    """Read codes that may stand one by one or in a list, and refuse those that cannot be let through."""
    del context, option
    found = [known_code(name) for text in codes for name in text.split(",")]
    for code in found:
        if not code.optional:
            raise click.BadParameter(f"{code.code} cannot be let through: {code.title}")
    return tuple(code.code for code in found)


ALLOW = click.option(
    "--allow", multiple=True, metavar="CODE", callback=_allowed, help="Let what a rule finds through: --allow FF110"
)
ALLOW_OUTSIDE = click.option(
    "--allow-outside", is_flag=True, help="Let data files lie outside the folder of their spec."
)
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Show information too, not only errors and warnings.")


def known_code(name: str) -> Code:
    """Return the text of a code.

    Raises:
        UsageError: There is none of that name; the nearest are named.
    """
    from difflib import get_close_matches

    from ffspec.rules import codes

    known = {item.code: item for item in codes()}
    wanted = name.strip().upper()
    if wanted not in known:
        typed = wanted[:2] + wanted[2:].replace("O", "0").replace("I", "1").replace("L", "1")
        near = [typed] if typed in known else get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(f"unknown code {name}{hint}")
    return known[wanted]


def formats(*names: str) -> Callable[[F], F]:
    """Return the option `--format` with these choices, the first the default."""
    return click.option(
        "--format", "form", type=click.Choice(names), default=names[0], show_default=True, help="What to print."
    )


def shown(found: Sequence[Diagnostic], *, verbose: bool) -> list[Diagnostic]:
    """Return what is printed for people: information only on request."""
    from ffspec.diagnostics import Severity

    return [item for item in found if verbose or item.severity is not Severity.INFO]


def tell(found: Sequence[Diagnostic], review: Review, *, verbose: bool) -> None:
    """Print warnings, and on request information, beside the output."""
    told = shown(found, verbose=verbose)
    if told:
        click.echo(review.render(told, colour=wants_colour()), err=True)


def wants_colour() -> bool:
    """Say whether standard error is a terminal that wants colour."""
    import os
    import sys

    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
