"""How well slips of the keyboard are understood: `python -m tests.bench.misspelt`.

Every key and every component name of every shipped spec is misspelt by one letter in many ways, one at a time: a letter
left out, put in, exchanged, or swapped with the next, at every place of the name. Counted is how often the fault is
found, at exactly the misspelt name, alone, and with the right name to write. Ends with 1 if any place is wrong, or if
less than 98 % of the names are right.
"""

from __future__ import annotations

import argparse
import random
import string
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ffspec import api, document
from ffspec.diagnostics import Severity, Span
from ffspec.document import Document
from ffspec.scalars import resolve
from ffspec.spec import grammar
from ffspec.spec.facts import SPLITS
from ffspec.spec.metrics import METRICS
from tests.bench.measure import ROOT, machine

GOAL = 0.98
LETTERS = string.ascii_lowercase + "_"
SPECS = tuple(sorted((ROOT / "specs").glob("*.yaml")))
METRIC_NAMES = tuple(metric.name for metric in METRICS)
MEASURES = tuple(f"{split}.{name}" for split in SPLITS for name in ("loss", *METRIC_NAMES))


FIELDS = ("found", "placed", "alone", "suggested")
"""What is counted of each slip: see `Verdict`."""


@dataclass(frozen=True, slots=True)
class Name:
    """A key or a component's name in a text, and what else might stand in its place."""

    word: str
    start: int
    choices: tuple[str, ...]

    def exchanged(self, text: str, other: str) -> str:
        """Return the text with another word in the name's place."""
        return text[: self.start] + other + text[self.start + len(self.word) :]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of one misspelt name."""

    found: bool
    """Whether anything was."""
    placed: bool
    """Whether exactly the misspelt name was pointed at."""
    alone: bool
    """Whether no other error was."""
    suggested: bool
    """Whether the right name was."""


def names(opened: Document) -> Iterator[Name]:
    """Yield every name of a good spec, as it is written."""
    text = opened.source.text
    for path, place in opened.source.places.items():
        if place.key is not None:
            word = text[place.key.start : place.key.end]
            yield Name(word, place.key.start, _keys(_kinds(path[:-1]), word))
        word = text[place.value.start : place.value.end]
        choices = METRIC_NAMES if path[:1] == ("metrics",) else _components(_kinds(path))
        if word in choices:
            yield Name(word, place.value.start, choices)


def misspellings(name: Name, letters: int = 1, seed: int = 0) -> Iterator[str]:
    """Yield what one slip makes of a name, with so many letters at each place; not what is valid, or no text at all."""
    word = name.word
    chance = random.Random(f"{seed} {name.start} {word}")  # noqa: S311 (no secret: the same slips every time)
    made = [word[:at] + word[at + 1 :] for at in range(len(word))]
    made += [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)]
    for at in range(len(word) + 1):
        drawn = chance.sample(LETTERS, letters)
        made += [word[:at] + letter + word[at:] for letter in drawn]
        made += [word[:at] + letter + word[at + 1 :] for letter in drawn if at < len(word)]
    for other in dict.fromkeys(made):
        if other and other not in name.choices and resolve(other) == other:
            yield other


def judge(opened: Document, name: Name, other: str) -> Verdict:
    """Misspell one name, and see what is said of it."""
    changed = document.parse(name.exchanged(opened.source.text, other), directory=opened.directory)
    found = api.diagnose(changed)
    source = opened.source
    start = source.position(name.start)
    expected = Span(start, type(start)(start.line, start.column + len(other)))
    at = [item for item in found if item.span == expected]
    suggested = any(item.hint is not None and f"'{name.word}'" in item.hint for item in at)
    errors = [item for item in found if item.severity is Severity.ERROR]
    return Verdict(bool(found), bool(at), len(errors) == 1, suggested)


def _kinds(path: tuple[str | int, ...]) -> Any:
    """Return what may stand at a path of a document, where the sole argument stands without its name."""
    kinds: Any = grammar.ROOT
    for key in path:
        sole = grammar.sole_of(kinds)
        below = grammar.descend(kinds, key)
        kinds = below if below or sole is None else grammar.descend(grammar.descend(kinds, sole), key)
    return kinds


def _keys(kinds: Any, word: str) -> tuple[str, ...]:
    keys = grammar.keys_of(kinds)
    return keys if word in keys else MEASURES


def _components(kinds: Any) -> tuple[str, ...]:
    family = grammar.family_of(kinds)
    return () if family is None else family.names


def measure(spec: Path, letters: int, seed: int) -> Counter[str]:
    """Misspell every name of a spec, and count the names, the slips, and what was right of what was said."""
    opened = document.load(spec)
    counts: Counter[str] = Counter()
    for name in names(opened):
        counts["names"] += 1
        for other in misspellings(name, letters, seed):
            verdict = judge(opened, name, other)
            counts["slips"] += 1
            counts.update(field for field in FIELDS if getattr(verdict, field))
    return counts


def tabulate(counts: Iterable[tuple[str, Counter[str]]]) -> Table:
    """Return the table of all specs, with their sum below."""
    table = Table("spec", "names", "slips", *FIELDS)
    total: Counter[str] = Counter()
    for spec, count in counts:
        total += count
        table.add_row(spec, *_cells(count))
    table.add_section()
    table.add_row("in all", *_cells(total))
    return table


def _cells(count: Counter[str]) -> list[str]:
    return [f"{count['names']}", f"{count['slips']:,}", *(f"{count[field] / count['slips']:.2%}" for field in FIELDS)]


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=3, metavar="N", help="letters drawn for each place (3)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of the draw (0)")
    given = parser.parse_args()
    counts = [(spec.stem, measure(spec, given.letters, given.seed)) for spec in SPECS]
    total = sum((count for _, count in counts), Counter[str]())
    console = Console()
    console.print(machine(), highlight=False)
    console.print(f"One slip at a time, with {given.letters} letters drawn for each place.", highlight=False)
    console.print(tabulate(counts))
    return int(total["placed"] < total["slips"] or total["suggested"] < GOAL * total["slips"])


if __name__ == "__main__":
    sys.exit(main())
