"""The corpus that judges the rules: healthy specs, and specs with one seeded fault each, at a known place."""

from __future__ import annotations

from random import Random


def chance(seed: int) -> Random:
    """Return the source of everything random about one spec."""
    return Random(seed)  # noqa: S311 - a corpus has no secrets
