"""How a setting changes with the part of the training that is over: factors of its own value.

Every function takes t from 0, before the first step, to 1, behind the last. An ejected script holds them as they are
written here.
"""

from __future__ import annotations

from math import cos, log2, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def linear(t: float) -> float:
    """Return a straight line from 1 to 0."""
    return 1 - t


def cosine(t: float) -> float:
    """Return half a cosine, from 1 to 0."""
    return 0.5 * (1 + cos(pi * t))


def flat_cos(t: float) -> float:
    """Return 1 for the first half, then half a cosine from 1 to 0."""
    return 1.0 if t < 0.5 else 0.5 * (1 + cos(pi * (2 * t - 1)))


def coslog4(t: float) -> float:
    """Return four waves from 0 to 1 and back, each twice as long as the one before (arXiv 2407.04491)."""
    return 0.5 * (1 - cos(2 * pi * log2(1 + 15 * t)))


FRACTIONS: dict[str, Callable[[float], float]] = {
    "linear": linear,
    "cosine": cosine,
    "flat_cos": flat_cos,
    "coslog4": coslog4,
}
