"""YAML text to plain values, with a position for every key and value, and every fault of the text at once."""

from __future__ import annotations

import os
import pathlib
import re
import stat
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from ffspec.diagnostics import Diagnostic, Path, Position, Span, brief
from ffspec.events import (
    MAX_DEPTH,
    AliasEvent,
    Events,
    MappingEndEvent,
    MarkedYAMLError,
    Refused,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    forbidden,
    restore,
)
from ffspec.scalars import Scalar, Unreadable, resolve
from ffspec.syntax import explain

Value: TypeAlias = "Scalar | tuple[Value, ...] | dict[str, Value]"
"""What a text can say; sequences are tuples."""

MAX_BYTES = 2**20
MAX_NODES = 20_000
MAX_LINES = 20_000
MAX_FAULTS = 1000

_BREAK = re.compile(r"\r\n|\r|\n")
_WORD = re.compile(r"[^\s,\[\]{}]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS = {bool: "a truth value", int: "a number", float: "a number", type(None): "nothing"}


class Extent(NamedTuple):
    """Offsets of a stretch of text: its first character, and the first one behind it."""

    start: int
    end: int


class Place(NamedTuple):
    """Where a node stands: its key, unless it is an item of a list or the whole text, and its value."""

    key: Extent | None
    value: Extent


@dataclass(frozen=True)
class Source:
    """A text that has been read: its values, where each of them stands, and what is wrong with it.

    Where the text cannot be read to its end, `value` is None. A single value that cannot be read stands as None.
    """

    name: str
    text: str
    value: Value = None
    places: Mapping[Path, Place] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    unread: frozenset[Path] = frozenset()
    """Paths whose values are not what was written; whatever is said of them would repeat a diagnostic."""

    def position(self, offset: int) -> Position:
        """Return the line and column of an offset, as an editor shows them."""
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)

    def span(self, extent: Extent) -> Span:
        """Return the lines and columns of a stretch of text."""
        return Span(self.position(extent.start), self.position(extent.end))

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _BREAK.finditer(self.text))]


def read(path: str | os.PathLike[str]) -> Source:
    """Read a spec from a regular file of at most 1 MiB, or from standard input where `path` is "-"."""
    name = os.fspath(path)
    try:
        data = _read_stdin() if name == "-" else _read_file(name)
    except OSError as error:
        return _unreadable(name, (error.strerror or str(error)).lower())
    except ValueError as error:  # a NUL in the path
        return _unreadable(name, str(error))
    name = "<stdin>" if name == "-" else name
    if isinstance(data, str):
        return _unreadable(name, data)
    if len(data) > MAX_BYTES:
        return _unreadable(name, "a spec may have at most 1 MiB", "keep data in a file of its own")
    if fault := _other_encoding(data):
        problem = Diagnostic(code="FF002", message=fault, hint="save the file as UTF-8")
        return _failed(Source(name, ""), problem, Extent(0, 0))
    try:
        return parse(data.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        source = Source(name, data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace"))
        start = len(data[: error.start].removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
        byte = data[error.start]
        hint = f"if this should be {chr(byte)!r}, save the file as UTF-8" if byte >= 0xA0 else "save the file as UTF-8"
        message = f"a spec must be UTF-8, found the byte 0x{byte:02x}"
        return _failed(source, Diagnostic(code="FF002", message=message, hint=hint), Extent(start, start + 1))


def parse(text: str, name: str) -> Source:
    """Read a spec from a text: a mapping."""
    source = parse_value(text, name)
    if isinstance(source.value, dict) or (source.value is None and source.diagnostics):
        return source
    if source.value is None:
        message, hint = "a spec must be a mapping, found nothing", "begin with 'dataset:' and 'layers:'"
        return _failed(source, Diagnostic(code="FF009", message=message, hint=hint), Extent(0, 0))
    found = "a list" if isinstance(source.value, tuple) else "a single value"
    fault = Diagnostic(code="FF009", message=f"a spec must be a mapping of keys to values, found {found}")
    return _failed(source, fault, source.places[()].value)


def parse_value(text: str, name: str) -> Source:
    """Read any one value from a text."""
    text = text.removeprefix("\ufeff")
    source = Source(name, text)
    offset = forbidden(text)
    if offset is not None:
        message = f"the character U+{ord(text[offset]):04X} may not stand in YAML"
        return _failed(source, Diagnostic(code="FF002", message=message), Extent(offset, offset + 1))
    lines = _BREAK.finditer(text)
    last = next(islice(lines, MAX_LINES, None), None)
    if last is not None:
        fault = Diagnostic(code="FF006", message=f"a spec may have at most {MAX_LINES:,} lines")
        return _failed(Source(name, text[: last.end()]), fault, Extent(last.start(), last.end()))
    composer = _Composer(source)
    value = composer.compose()
    return Source(name, text, value, composer.places, tuple(composer.diagnostics), frozenset(composer.unread))


def _failed(source: Source, fault: Diagnostic, extent: Extent) -> Source:
    spanned = Diagnostic(code=fault.code, message=fault.message, hint=fault.hint, span=source.span(extent))
    return Source(source.name, source.text, diagnostics=(*source.diagnostics, spanned))


def _unreadable(name: str, why: str, hint: str | None = None) -> Source:
    return Source(name, "", diagnostics=(Diagnostic(code="FF001", message=f"cannot read the spec: {why}", hint=hint),))


def _read_file(name: str) -> bytes | str:
    """Return the bytes of a regular file, or why it is none; never waits for a FIFO or a device."""
    mode = pathlib.Path(name).stat().st_mode
    if not stat.S_ISREG(mode):
        return "it is a directory" if stat.S_ISDIR(mode) else "it is no regular file"
    descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "it is no regular file"
        return file.read(MAX_BYTES + 1)


def _read_stdin() -> bytes | str:
    if sys.stdin is None:
        return "there is no standard input"
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _other_encoding(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "a spec must be UTF-8, found UTF-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(data) > 1 and 0 in data[:2] and any(data[:2])):
        return "a spec must be UTF-8, found UTF-16"
    return None


class _Composer:
    """One pass over the events of a text; faults that leave the rest readable are noted, and reading goes on."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.places: dict[Path, Place] = {}
        self.diagnostics: list[Diagnostic] = []
        self.unread: set[Path] = set()
        self._anchors: set[str] = set()
        self._nodes = 0

    def compose(self) -> Value:
        """Return the value of the only document; None, with a diagnostic, where the text cannot be read on."""
        try:
            self._events = Events(self.source.text)
            self._events.get_event()  # the start of the stream
            if isinstance(self._events.peek_event(), StreamEndEvent):
                self.places[()] = Place(None, Extent(0, 0))
                return None
            self._events.get_event()  # the start of the document
            value, _ = self._node((), None, 1)
            self._events.get_event()  # its end
            self._expect_end()
        except Refused as fault:
            self._stop(fault.code, fault.message, fault.hint, fault.offset)
            return None
        except MarkedYAMLError as error:
            self._stop(*explain(error, self.source.text))
            return None
        return value

    def _expect_end(self) -> None:
        event = self._events.peek_event()
        if not isinstance(event, StreamEndEvent):
            raise Refused("FF005", "a spec must be one document, found a second one", _start(event),
                          "keep one spec per file, or leave '---' out")  # fmt: skip

    def _node(self, path: Path, key: Extent | None, depth: int) -> tuple[Value, int]:
        """Read the next node; return its value and the offset behind it."""
        event = self._events.get_event()
        self._count(event)
        if isinstance(event, AliasEvent):
            self._alias(event, path)
            value: Value = None
            end = _end(event)
        else:
            self._properties(event, path)
            if isinstance(event, ScalarEvent):
                value, end = self._scalar(event, path), _end(event)
            elif depth > MAX_DEPTH:
                raise Refused("FF006", f"lists and mappings may nest at most {MAX_DEPTH} deep", _start(event))
            elif isinstance(event, SequenceStartEvent):
                value, end = self._sequence(event, path, depth)
            else:
                value, end = self._mapping(event, path, depth)
        self.places[path] = Place(key, Extent(_start(event), end))
        return value, end

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Refused("FF006", f"a spec may have at most {MAX_NODES:,} keys and values", _start(event))

    def _sequence(self, start: Any, path: Path, depth: int) -> tuple[Value, int]:
        items: list[Value] = []
        end = _end(start)
        while not isinstance(self._events.peek_event(), SequenceEndEvent):
            value, end = self._node((*path, len(items)), None, depth + 1)
            items.append(value)
        event = self._events.get_event()
        return tuple(items), _end(event) if start.flow_style else end

    def _mapping(self, start: Any, path: Path, depth: int) -> tuple[Value, int]:
        pairs: dict[str, Value] = {}
        end = _end(start)
        while not isinstance(self._events.peek_event(), MappingEndEvent):
            key, extent = self._key(path, depth)
            if key is None:
                with self._aside():
                    _, end = self._node((*path, ""), extent, depth + 1)
            elif key in pairs:
                self._duplicate(key, extent, path)
                with self._aside():
                    _, end = self._node((*path, key), extent, depth + 1)
            else:
                pairs[key], end = self._node((*path, key), extent, depth + 1)
        event = self._events.get_event()
        return pairs, _end(event) if start.flow_style else end

    def _key(self, path: Path, depth: int) -> tuple[str | None, Extent]:
        """Read a key; None where its value must be left out."""
        event = self._events.peek_event()
        if not isinstance(event, ScalarEvent):
            known = len(self.diagnostics)
            with self._aside():
                _, end = self._node((*path, ""), None, depth + 1)
            extent = Extent(_start(event), end)
            self.unread.add(path)
            if len(self.diagnostics) == known:
                self._note("FF007", "keys must be text, found a list or a mapping", extent, path)
            return None, extent
        self._events.get_event()
        self._count(event)
        extent = Extent(_start(event), _end(event))
        self._properties(event, path)
        text = restore(event.value)
        if not (event.implicit[0] and event.style is None):
            return self._checked(text, extent, path), extent
        if text == "<<":
            self.unread.add(path)
            hint = "write the keys out where they are used"
            self._note("FF005", "merge keys are not allowed in a spec", extent, path, hint)
            return None, extent
        value = resolve(text)
        if not isinstance(value, str):
            found = "a number" if isinstance(value, Unreadable) else _KINDS[type(value)]
            shown = f"{found}: {brief(text)}" if text else found
            self.unread.add((*path, text))
            hint = f'write "{brief(text)}"' if text else "write a key in front of ':'"
            self._note("FF007", f"keys must be text, found {shown}", extent, (*path, text), hint)
        return text, extent

    def _scalar(self, event: Any, path: Path) -> Scalar:
        text = restore(event.value)
        extent = Extent(_start(event), _end(event))
        if not (event.implicit[0] and event.style is None) or event.tag is not None:
            return self._checked(text, extent, path)
        value = resolve(text)
        if isinstance(value, Unreadable):
            self.unread.add(path)
            self._note("FF008", value.message, extent, path, value.hint)
            return None
        return value

    def _checked(self, text: str, extent: Extent, path: Path) -> str:
        """Refuse half a character, which an escape can make and nothing can print."""
        if not text.isascii() and _SURROGATE.search(text):
            self._note("FF002", "an escape stands for half a character", extent, path, "write the character itself")
            return _SURROGATE.sub("\ufffd", text)
        return text

    def _duplicate(self, key: str, extent: Extent, path: Path) -> None:
        first = self.places[(*path, key)].key
        lines = [self.source.position(place.start).line for place in (first, extent) if place is not None]
        where = f"on line {lines[0]} and on line {lines[1]}" if lines[0] != lines[1] else f"on line {lines[0]}"
        message = f"a key may stand once in a mapping, found '{brief(key)}' twice: {where}"
        self._note("FF004", message, extent, (*path, key), "leave one of them out")

    def _alias(self, event: Any, path: Path) -> None:
        """An alias is part of the fault its anchor is, unless there is none."""
        self.unread.add(path)
        if event.anchor not in self._anchors:
            message = f"aliases are not allowed in a spec, found '*{brief(event.anchor)}'"
            hint = f"put quotes around it if it is text: '*{brief(event.anchor)}'"
            self._note("FF005", message, Extent(_start(event), _end(event)), path, hint)

    def _properties(self, event: Any, path: Path) -> None:
        """Refuse anchors and tags; the value behind them is read as if they were not there."""
        if event.anchor is not None:
            self._anchors.add(event.anchor)
            hint = "write the value out; for equal layers use repeat: {times: ..., layers: [...]}"
            self._note(
                "FF005",
                f"anchors are not allowed in a spec, found '&{brief(event.anchor)}'",
                self._word(event),
                path,
                hint,
            )
        if event.tag is not None:
            word = self._word(event)
            tag = self.source.text[word.start : word.end]
            self.unread.add(path)
            self._note(
                "FF005", f"tags are not allowed in a spec, found '{brief(tag)}'", word, path, "leave the tag out"
            )

    def _word(self, event: Any) -> Extent:
        match = _WORD.match(self.source.text, _start(event))
        return Extent(*match.span()) if match else Extent(_start(event), _end(event))

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Read a node that is left out of the result: it must not pass for another at its path."""
        places, unread = self.places, self.unread
        self.places, self.unread = {}, set()
        yield
        self.places, self.unread = places, unread

    def _stop(self, code: str, message: str, hint: str | None, offset: int) -> None:
        span = self.source.span(Extent(offset, offset + 1))
        self.diagnostics.append(Diagnostic(code=code, message=message, hint=hint, span=span))

    def _note(self, code: str, message: str, extent: Extent, path: Path, hint: str | None = None) -> None:
        if len(self.diagnostics) >= MAX_FAULTS:
            raise Refused("FF006", f"reading stops after {MAX_FAULTS:,} faults", extent.start)
        span = self.source.span(extent)
        self.diagnostics.append(Diagnostic(code=code, message=message, hint=hint, span=span, path=path))


def _start(event: Any) -> int:
    return int(event.start_mark)


def _end(event: Any) -> int:
    return int(event.end_mark)
