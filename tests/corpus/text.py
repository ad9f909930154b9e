"""Writes a spec as people do, in many layouts, and remembers where the marked value begins.

It shares no code with the reader it is a test of: the place is where the text was, not where it was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

Tree: TypeAlias = Any
"""What YAML can say, in dicts, lists and scalars, with at most one Mark somewhere in it."""

COMMENTS = (
    "why not",
    "see the paper",
    "tried 0.1 too",
    "größer wäre besser",
    "深い網",
    "keep: this",
    "x - y, {z}",
    "🙂",
)


@dataclass(frozen=True, slots=True)
class Mark:
    """Wraps the value, or the key, where a finding is expected."""

    value: Tree


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and the places in it that matter; line and column count from 1, columns in code points."""

    text: str
    marked: tuple[int, int] | None
    first: tuple[int, int]
    """The first key."""


def write(tree: Mapping[Any, Tree], rng: Random) -> Written:
    """Write a spec in a random layout."""
    writer = _Writer(rng)
    if rng.random() < 0.05:
        writer.flow(tree, 0)
        writer.add("\n")
    else:
        writer.head()
        writer.mapping(tree, 0)
    return writer.done()


class _Writer:
    """Grows the text from left to right."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._text = ""
        self._marked: int | None = None
        self._first: int | None = None
        self._step = rng.choice((2, 2, 2, 4))
        self._flat = rng.random() < 0.3
        """Whether the dashes of a list stand under its key, not further in."""
        self._comments = rng.choice((0.0, 0.0, 0.1, 0.4))
        self._blocks = rng.choice((0.0, 0.3, 0.6, 1.0))
        """How often a mapping or a list inside another is written in block style."""

    def add(self, text: str) -> None:
        self._text += text

    def head(self) -> None:
        """Begin as files do: with a comment, with a document marker, or at once."""
        for line in ("# a spec\n", "\n", "---\n"):
            if self._rng.random() < 0.15:
                self.add(line)

    def done(self) -> Written:
        text, ends = self._text, "\r\n" if self._rng.random() < 0.05 else "\n"
        marked = None if self._marked is None else _place(text, self._marked)
        return Written(text.replace("\n", ends), marked, _place(text, self._first or 0))

    def mapping(self, tree: Mapping[Any, Tree], indent: int, *, inline: bool = False) -> None:
        """Write a block mapping; `inline` where its first key stands behind a dash."""
        for index, (key, value) in enumerate(tree.items()):
            if index or not inline:
                self._between(indent)
                self.add(" " * indent)
            self._key(key)
            self.add(":")
            self._behind_key(value, indent)

    def flow(self, tree: Tree, indent: int) -> None:
        """Write a value in flow style, or a scalar."""
        value = self._unwrap(tree)
        if isinstance(value, Mapping):
            self._enclosed("{}", list(value.items()), indent)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            self._enclosed("[]", list(value), indent)
        else:
            self.add(self._scalar(value))

    def _behind_key(self, value: Tree, indent: int) -> None:
        if self._wants_block(value):
            self._line_end()
            inside = _bare(value)
            if isinstance(inside, Mapping):
                self._later_mapping(value, indent + self._step)
            else:
                self._items(value, indent if self._flat else indent + self._step)
        else:
            self.add(" " * self._rng.choice((1, 1, 1, 1, 3)))
            self.flow(value, indent + self._step)
            self._line_end()

    def _later_mapping(self, tree: Tree, indent: int) -> None:
        """Write a block mapping whose place may be wanted: that of its first key."""
        self.add(" " * indent)
        self.mapping(self._unwrap(tree), indent, inline=True)

    def _items(self, tree: Tree, indent: int) -> None:
        self.add(" " * indent)
        for index, item in enumerate(self._unwrap(tree)):
            if index:
                self._between(indent)
                self.add(" " * indent)
            self.add("- ")
            if isinstance(_bare(item), Mapping) and self._wants_block(item):
                self.mapping(self._unwrap(item), indent + 2, inline=True)
            else:
                self.flow(item, indent + 2)
                self._line_end()

    def _enclosed(self, brackets: str, items: list[Any], indent: int) -> None:
        pad = " " * (self._rng.random() < 0.2 and brackets == "{}")
        self.add(brackets[0] + pad)
        wrap = self._rng.random() < 0.05
        for index, item in enumerate(items):
            if index:
                self.add("," + ("\n" + " " * (indent + 2) if wrap else " "))
            if brackets == "{}":
                self._key(item[0])
                self.add(": ")
                item = item[1]  # noqa: PLW2901 - a pair's second half is written as an item is
            self.flow(item, indent)
        self.add(pad + brackets[1])

    def _key(self, key: Any) -> None:
        if self._first is None:
            self._first = len(self._text)
        self.add(self._scalar(self._unwrap(key)))

    def _unwrap(self, tree: Tree) -> Tree:
        """Return what a mark holds, and remember that it is written here."""
        if isinstance(tree, Mark):
            self._marked = len(self._text)
            return tree.value
        return tree

    def _wants_block(self, tree: Tree) -> bool:
        value = _bare(tree)
        return not isinstance(value, str) and bool(_length(value)) and self._rng.random() < self._blocks

    def _scalar(self, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return self._number(value)
        if isinstance(value, str):
            plain = value.isascii() and value.replace("_", "").replace(".", "").isalnum()
            return json.dumps(value, ensure_ascii=False) if not plain or self._rng.random() < 0.02 else value
        return str(value)

    def _number(self, value: float) -> str:
        """Write a number in one of the ways there are."""
        if value.is_integer() and abs(value) < 1e6 and self._rng.random() < 0.5:
            return str(int(value))
        digits, _, power = f"{value:e}".partition("e")
        short = f"{float(digits):g}e{int(power)}"
        return self._rng.choice([way for way in (repr(value), short) if float(way) == value])

    def _line_end(self) -> None:
        if self._rng.random() < self._comments:
            self.add(f"  # {self._rng.choice(COMMENTS)}")
        self.add("\n")

    def _between(self, indent: int) -> None:
        """Write what may stand between two lines: nothing, a comment, an empty line."""
        if self._rng.random() < self._comments / 2:
            self.add(f"{' ' * indent}# {self._rng.choice(COMMENTS)}\n")
        if self._rng.random() < self._comments / 2:
            self.add("\n")


def _bare(tree: Tree) -> Tree:
    return tree.value if isinstance(tree, Mark) else tree


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Mapping | Sequence) else 0


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
