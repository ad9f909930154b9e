"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

SPEC = click.argument("specs", nargs=-1, required=True, type=click.Path(), metavar="SPEC...")
SET = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value: --set optimizer.sgd.lr=0.1"
)
SEED = click.option("--seed", type=click.IntRange(0, 2**53), help="Use this seed instead of the spec's.")


def formats(*names: str) -> Callable[[F], F]:
    """Return the option `--format` with these choices, the first the default."""
    return click.option(
        "--format", "form", type=click.Choice(names), default=names[0], show_default=True, help="What to print."
    )


def wants_colour() -> bool:
    """Say whether standard error is a terminal that wants colour."""
    import os
    import sys

    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
