"""What can be wrong with a spec, as data, and the one place that turns it into text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from typing import Any, Literal, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where in the document, as keys and indices: `("layers", 2, "linear", "out_features")`."""


class Severity(Enum):
    """How much a diagnostic weighs: errors stop a run, warnings do not, information is shown on request."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text; line and column count from 1, columns in code points."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text; `end` is the first position behind it."""

    start: Position
    end: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """The one change of a document that mends a fault, by path."""

    action: Literal["remove", "replace", "rename", "insert", "set"]
    """remove: take the item or key at `path` out. replace: put `value` there. rename: call the key at `path`, or the
    component whose name stands alone there, `value`. insert: put `value` as a new item behind the item at `path`.
    set: give the mapping or component at `path[:-1]` the key `path[-1]` with `value`."""
    path: Path
    value: Any = None
    safe: bool = True
    """Whether it surely says what was meant, and --fix may apply it; the others are proposals."""


@dataclass(frozen=True, slots=True)
class Patch:
    """An edit as text: what stands at `span` is replaced by `text`."""

    span: Span
    text: str
    safe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One fault: what must hold, what was found, and what to write instead.

    Whoever finds the fault knows its `path` and the `edit` that mends it; the document adds the `span` and the `patch`.
    """

    code: str
    message: str
    path: Path = ()
    at_key: bool = False
    """Whether the fault is the key at `path`, not the value behind it."""
    hint: str | None = None
    severity: Severity = Severity.ERROR
    span: Span | None = None
    origin: str | None = None
    """The override the fault stands in, as it was written ("--set seed=x"); `span` counts within it."""
    edit: Edit | None = None
    patch: Patch | None = None

    @property
    def head(self) -> str:
        """What it is and what it says, without its place: "error[FF012]: unknown key 'epoch'"."""
        return f"{self.severity.value}[{self.code}]: {self.message}"


class FfspecError(Exception):
    """The root of every error ffspec raises on purpose; `exit_code` is what the command returns for it."""

    exit_code = 70
    code: str | None = None
    """The code that `ffspec explain` knows more of."""


class SpecError(FfspecError):
    """A spec, an override or the data it names cannot be used; `diagnostics` says why, in file order.

    `str(error)` is the rendered text.
    """

    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...], text: str | None = None) -> None:
        super().__init__(diagnostics, text)
        self.diagnostics = diagnostics
        self.text = text

    def __str__(self) -> str:
        """Return the rendered diagnostics, or their messages where no source is known."""
        return self.text or "\n".join(item.head for item in self.diagnostics)


class UnavailableDeviceError(FfspecError):
    """The device a spec asks for is not there."""

    exit_code = 2


class CompilerError(FfspecError):
    """What training.compile asks for could not be compiled: no C++ compiler, or it failed."""

    exit_code = 2
    code = "FF130"


class DivergedError(FfspecError):
    """Training produced a non-finite loss or weight."""

    exit_code = 3
    code = "FF306"


class InterruptedRunError(FfspecError):
    """A signal ended a training after its step; what is kept in `directory`, if there is one, can be resumed."""

    def __init__(self, number: int, directory: object = None, *, table: bool = False, shared: bool = False) -> None:
        super().__init__(number, directory)
        self.exit_code = 128 + number
        self.directory = directory
        self.table = table
        """Whether its rows are in a file, which is outside of its directory: going on has to allow that."""
        self.shared = shared
        """Whether it is a sweep that is shared: only its command has the storage."""

    def __str__(self) -> str:
        """Say how to go on."""
        if self.directory is None:
            return "interrupted"
        if self.shared:
            return "interrupted; go on with the same command"
        return f"interrupted; go on with: ffspec resume {self.directory}{' --allow-outside' if self.table else ''}"


class StorageError(FfspecError):
    """Something could not be read or written: no room, no permission, a lock, a damaged file."""

    exit_code = 4


class EvaluationError(FfspecError):
    """An eval-mode check found what must never be: a module in train mode, a changed state, a broadcast."""

    exit_code = 70


MAX_WIDTH = 100
"""Columns of a source line that are shown; longer ones are cut to a window around the caret."""

MAX_LINE = 120
"""Columns of the line with the caret; a hint that would reach beyond stands on a line of its own."""

MAX_SHOWN = 100
"""Diagnostics that are rendered; the summary counts the others."""

_BREAK = re.compile(r"\r\n|\r|\n")
_STYLES = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.INFO: "\x1b[1;34m"}
_BOLD = "\x1b[1m"
_RESET = "\x1b[0m"
_PASSWORD = re.compile(r"(://[^/\s:]*:)(\S*)(?=@)")


def render(diagnostics: Sequence[Diagnostic], *, file: str, text: str = "", colour: bool = False) -> str:
    """Return the diagnostics of one file as people read them, with the lines they point at, and a summary line.

    Args:
        diagnostics: What was found, in the order to show it.
        file: The name of the file, as the user wrote it.
        text: What the file holds.
        colour: Whether to mark severities with ANSI colours.

    Returns:
        Lines without a newline at the end; nothing if there are no diagnostics.
    """
    if not diagnostics:
        return ""
    lines = _BREAK.split(text)
    rendered = [_render_one(item, file, lines, colour=colour) for item in diagnostics[:MAX_SHOWN]]
    return "\n".join([*rendered, summarize(diagnostics)])


def summarize(diagnostics: Sequence[Diagnostic]) -> str:
    """Count the diagnostics by severity: "2 errors, 1 warning"."""
    counts = Counter(item.severity for item in diagnostics)
    words = [
        f"{counts[severity]} {severity.value}{'s' * (counts[severity] > 1)}"
        for severity in Severity
        if counts[severity]
    ]
    more = f" (the first {MAX_SHOWN} are shown)" if len(diagnostics) > MAX_SHOWN else ""
    return ", ".join(words) + more


def printable(text: str) -> str:
    """Leave out what a terminal would obey instead of show: control, formatting and unassigned characters."""
    return text if text.isascii() and text.isprintable() else "".join(_show(character) for character in text)


def brief(text: str, width: int = 40) -> str:
    """Shorten what a user wrote to what a message can hold."""
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _render_one(item: Diagnostic, file: str, lines: Sequence[str], *, colour: bool) -> str:
    style, bold, reset = (_STYLES[item.severity], _BOLD, _RESET) if colour else ("", "", "")
    where = printable(_hidden(item.origin) if item.origin is not None else file)
    span = item.span
    if span is not None and item.origin is None:
        where = f"{where}:{span.start.line}:{span.start.column}"
    label = f"{style}{item.severity.value}[{item.code}]{reset}"
    head = f"{bold}{where}:{reset} {label}: {bold}{printable(item.message)}{reset}"
    hint = printable(item.hint or "")
    if item.origin is not None:
        lines = _BREAK.split(item.origin)
    if span is None or span.start.line > len(lines):
        return f"{head}\n      = {hint}" if hint else head
    shown, before, carets = _window(lines[span.start.line - 1], span)
    number = "" if item.origin is not None else str(span.start.line)
    gutter = max(5, len(number))
    under = f"{' ' * gutter} | {' ' * before}{style}{'^' * carets}"
    fits = before + carets + 1 + len(hint) <= MAX_LINE
    tail = "" if not hint else f" {hint}" if fits else f"{reset}\n{' ' * gutter} = {hint}"
    line = f"{number:>{gutter}} | {shown}".rstrip()
    return f"{head}\n{line}\n{under}{tail}{reset if fits else ''}"


def _window(line: str, span: Span) -> tuple[str, int, int]:
    """Return the part of a line to show, the columns before the caret, and the columns the caret underlines."""
    start = min(span.start.column - 1, len(line))
    end = span.end.column - 1 if span.end.line == span.start.line else len(line)
    left = max(0, start - MAX_WIDTH)
    line = _hidden(line)
    cells = [_show(character) for character in line[left : start + 2 * MAX_WIDTH]]
    columns = [0, *accumulate(_width(cell) for cell in cells)]
    at, first, last = start - left, 0, len(cells)
    if left or columns[-1] > MAX_WIDTH:
        first = bisect_left(columns, columns[at] - MAX_WIDTH // 3)
        last = bisect_right(columns, columns[first] + MAX_WIDTH) - 1
    stop = max(at, min(end - left, last))
    head = "..." if left + first else ""
    tail = "..." if left + last < len(line) else ""
    shown = head + "".join(cells[first:last]) + tail
    return shown.rstrip(), len(head) + columns[at] - columns[first], max(1, columns[stop] - columns[at])


def _hidden(line: str) -> str:
    """Return a line with stars for the password of a URL; as long as it was."""
    return _PASSWORD.sub(lambda found: found[1] + "*" * len(found[2]), line)


def _show(character: str) -> str:
    if character in "\t\n":
        return " "
    return character if character == " " or character.isprintable() or unicodedata.category(character) == "Zs" else ""


def _width(cell: str) -> int:
    """Return the terminal columns of one shown character, or of nothing."""
    if not cell or unicodedata.combining(cell) or unicodedata.category(cell) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(cell) in "WF" else 1
