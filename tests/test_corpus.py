"""The corpus: nothing is said against the classics and the shipped specs, and every seeded fault is found in its place.

`python -m tests.bench.rules` does the same with thousands of specs.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import ffspec
from ffspec.diagnostics import Severity
from ffspec.rules import STATIC
from ffspec.rules.planning import CODES as PLANNING
from tests.corpus import chance
from tests.corpus.faults import FAULTS, codes, seeded
from tests.corpus.seeds.seeding import Fault
from tests.corpus.text import Mark, write

CLASSICS = sorted((Path(__file__).parent / "corpus" / "classics").glob("*.yaml"))
SHIPPED = sorted((Path(__file__).parents[1] / "specs").glob("*.yaml"))
EACH = 24
"""Seeded specs of each rule; the ways to break it take turns."""

SEEDED = [
    pytest.param(faults[number % len(faults)], number, id=f"{code}-{number}")
    for code in codes()
    for faults in [[fault for fault in FAULTS if fault.code == code]]
    for number in range(max(EACH, 4 * len(faults)))
]


def said(path: Path) -> str:
    """Return what is said of a file, but for information."""
    found = [item for item in ffspec.check(path) if item.severity is not Severity.INFO]
    return "\n".join(item.head for item in found)


def test_there_are_classics() -> None:
    assert len(CLASSICS) >= 25
    assert all("# Source: " in path.read_text("utf-8") for path in CLASSICS)


@pytest.mark.parametrize("path", [*CLASSICS, *SHIPPED], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_is_said_against_a_sound_spec(path: Path) -> None:
    assert said(path) == ""


@pytest.mark.parametrize("path", CLASSICS, ids=lambda path: path.stem)
def test_a_classic_trains(path: Path) -> None:
    # Two epochs may well end before the schedule of a longer training has acted.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ffspec.run(path, overrides=["training.epochs=2"])


def test_every_static_rule_has_faults() -> None:
    known = {*(rule.about.code for rule in STATIC), *(code.code for code in PLANNING)}
    # What the memory holds is the machine's to say, and rows are streamed from files, which no seeded spec has.
    assert set(codes()) == known - {"FF029", "FF129"}


@pytest.mark.parametrize(("fault", "number"), SEEDED)
def test_a_seeded_fault_is_found_in_its_place_and_nothing_else(fault: Fault, number: int) -> None:
    made = seeded(fault, number)
    assert made.found() == [made.wanted], made.text


def test_the_place_is_that_of_the_mark() -> None:
    for number in range(200):
        written = write({"name": "größer", "layers": ["relu", {"linear": Mark("eight")}]}, chance(number))
        assert written.marked is not None
        line, column = written.marked
        assert written.text.splitlines()[line - 1][column - 1 :].lstrip('"').startswith("eight")
