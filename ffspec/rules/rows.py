"""The rules that read the rows. The modules import no numpy: `ffspec explain` reads their texts without waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.rules import targets

if TYPE_CHECKING:
    from ffspec.rules.rule import DataRule

DATA: tuple[DataRule, ...] = (
    targets.NarrowOutput(),
)  # fmt: skip
"""In the order of their codes."""
