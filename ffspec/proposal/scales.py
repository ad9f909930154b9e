"""Categories that have an order: words for more and less, and ranges of numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

SCALES: tuple[tuple[str, ...], ...] = (
    ("none", "very low", "low", "medium low", "medium", "moderate", "medium high", "high", "very high", "extreme"),
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"),
    ("tiny", "very small", "small", "medium", "large", "very large", "huge"),
    ("very poor", "poor", "fair", "average", "good", "very good", "premium", "ideal"),
    ("very bad", "bad", "poor", "average", "ok", "good", "very good", "excellent"),
    ("never", "rarely", "seldom", "sometimes", "often", "usually", "very often", "always"),
    ("strongly disagree", "disagree", "neither agree nor disagree", "neutral", "agree", "strongly agree"),
    ("very dissatisfied", "dissatisfied", "neutral", "satisfied", "very satisfied"),
    ("very unlikely", "unlikely", "neutral", "likely", "very likely"),
    ("cold", "cool", "mild", "warm", "hot"),
    ("young", "middle aged", "old"),
    ("beginner", "basic", "intermediate", "advanced", "expert"),
    ("bronze", "silver", "gold", "platinum", "diamond"),
    ("mild", "moderate", "severe", "critical"),
    ("minor", "moderate", "major", "critical"),
    ("first", "second", "third", "fourth", "fifth"),
    ("bachelor", "master", "phd"),
    ("bachelor", "master", "doctorate"),
)
"""Words of rising degree; a column with at least three of one row has that order."""

_NUMBER = r"\d+(?:\.\d+)?"
_RANGE = re.compile(
    rf"(?P<below><=?|under |below |up to )?\s*(?P<low>{_NUMBER})"
    rf"\s*(?:(?:-|\u2013|to)\s*(?P<high>{_NUMBER})|(?P<above>\+|or more|and over))?(?:\s+[a-z]+)?",
    re.IGNORECASE,
)
"""`18-25`, `<18`, `65+`, `1 to 2`, `10 years`."""


def order_of(levels: Sequence[str]) -> tuple[str, ...] | None:
    """Return the levels from the lowest to the highest, if their words say so."""
    if len(levels) < 3:
        return None
    plain = {level: re.sub(r"[\s_-]+", " ", level).strip().casefold() for level in levels}
    if len(set(plain.values())) < len(levels):
        return None
    for scale in SCALES:
        if all(word in scale for word in plain.values()):
            return tuple(sorted(levels, key=lambda level: scale.index(plain[level])))
    return _ranges(levels)


def _ranges(levels: Sequence[str]) -> tuple[str, ...] | None:
    """Return ranges in the order of their bounds; None where some are no ranges, or overlap."""
    bounds: list[tuple[float, float, str]] = []
    for level in levels:
        match = _RANGE.fullmatch(level.strip())
        if match is None:
            return None
        low = float(match["low"])
        high = float("inf") if match["above"] else float(match["high"] or low)
        bounds.append((float("-inf"), low, level) if match["below"] else (low, high, level))
    if all(low == high for low, high, _ in bounds):  # plain numbers with a unit
        return None
    bounds.sort()
    apart = all(here[1] <= there[0] for here, there in pairwise(bounds))
    return tuple(level for _, _, level in bounds) if apart else None
