"""What ffspec knows about networks: checks of a spec that need neither torch nor the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.planner import draft, static_facts
from ffspec.rules.consistency import inconsistencies
from ffspec.rules.obstacles import obstacles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ffspec.diagnostics import Diagnostic
    from ffspec.spec.facts import Facts

__all__ = ["examine"]


def examine(parts: Mapping[str, Any], facts: Facts | None = None) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a spec beyond its structure; it need not be whole.

    Args:
        parts: The valid top-level values by key; an invalid layer is None.
        facts: The shape of the loaded data; what follows from the spec alone if left out.
    """
    facts = static_facts(parts) if facts is None else facts
    made, problems = draft(parts, facts)
    stopped = () if made is None or problems else obstacles(parts, made)
    return (*problems, *stopped, *inconsistencies(parts, facts))
