"""The checks of a spec against the eval-mode checks of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ffspec.spec.training import Checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that had to hold, and whether it did."""

    text: str
    """What had to hold, such as "test.accuracy >= 0.9"."""
    found: str
    met: bool


def expectations(
    checks: Checks, before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]
) -> Iterator[Expectation]:
    """Yield every expectation, in the order written."""
    for measure in checks.improving:
        old, new = _value(before, measure), _value(after, measure)
        sign = 1 if larger_is_better(measure) else -1
        met = old is not None and new is not None and sign * (new - old) > 0
        yield Expectation(text=f"{measure} improves", found=f"{_text(old)} -> {_text(new)}", met=met)
    for measure, bound in checks.bounds.items():
        value = _value(after, measure)
        if bound.min is not None:
            met = value is not None and value >= bound.min
            yield Expectation(text=f"{measure} >= {bound.min:g}", found=_text(value), met=met)
        if bound.max is not None:
            met = value is not None and value <= bound.max
            yield Expectation(text=f"{measure} <= {bound.max:g}", found=_text(value), met=met)


def _value(evaluation: Mapping[str, Mapping[str, float]], measure: str) -> float | None:
    split, _, name = measure.partition(".")
    return evaluation.get(split, {}).get(name)


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
