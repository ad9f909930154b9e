"""Specs with one fault each, seeded into healthy ones: the code, the place and the weight of what must be found."""

from __future__ import annotations

from dataclasses import dataclass

from ffspec import api, document
from ffspec.diagnostics import Diagnostic, Severity
from tests.corpus import chance
from tests.corpus.seeds import calibration, categories, consistency, grouping, heads, placing, settings, shapes, stack
from tests.corpus.seeds.seeding import Fault

FAULTS: tuple[Fault, ...] = (
    *categories.FAULTS,
    *calibration.FAULTS,
    *consistency.FAULTS,
    *grouping.FAULTS,
    *heads.FAULTS,
    *placing.FAULTS,
    *settings.FAULTS,
    *shapes.FAULTS,
    *stack.FAULTS,
)
"""Every way to break a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """A text, and what must be found in it."""

    text: str
    code: str
    severity: Severity
    place: tuple[int, int]
    """Line and column, from 1."""

    @property
    def wanted(self) -> tuple[str, str, tuple[int, int]]:
        """What must be found, comparable with what is."""
        return self.code, self.severity.value, self.place

    def found(self) -> list[tuple[str, str, tuple[int, int]]]:
        """Return what is found: errors and warnings, and where information is wanted, that too."""
        return findings(self.text, self.severity)


def findings(text: str, weight: Severity = Severity.WARNING) -> list[tuple[str, str, tuple[int, int]]]:
    """Return the code, the severity and the place of what is said of a text: errors, warnings, and what else weighs."""
    said = api.diagnose(document.parse(text))
    weighed = [item for item in said if item.severity in {Severity.ERROR, Severity.WARNING, weight}]
    return [(item.code, item.severity.value, place_of(item)) for item in weighed]


def place_of(item: Diagnostic) -> tuple[int, int]:
    """Return the line and the column of a finding; 0 and 0 where it has none."""
    return (0, 0) if item.span is None else (item.span.start.line, item.span.start.column)


def codes() -> tuple[str, ...]:
    """Return the codes that are seeded, in order."""
    return tuple(sorted({fault.code for fault in FAULTS}))


def seeded(fault: Fault, number: int) -> Seeded:
    """Seed a fault into a healthy spec; the same number gives the same text."""
    rng = chance(number)
    written = fault.sketch(rng).write(rng)
    place = written.first if written.marked is None else written.marked
    return Seeded(text=written.text, code=fault.code, severity=fault.severity, place=place)
