"""What can be wrong with a spec, as data, and the one place that turns it into text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

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
class Diagnostic:
    """One fault: what must hold, what was found, and what to write instead.

    Whoever finds the fault knows its `path`; the document adds the `span`.
    """

    code: str
    message: str
    path: Path = ()
    at_key: bool = False
    """Whether the fault is the key at `path`, not the value behind it."""
    hint: str | None = None
    severity: Severity = Severity.ERROR
    span: Span | None = None


class FfspecError(Exception):
    """The root of every error ffspec raises on purpose; `exit_code` is what the command returns for it."""

    exit_code = 70


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
        return self.text or "\n".join(f"error[{item.code}]: {item.message}" for item in self.diagnostics)


class DivergedError(FfspecError):
    """Training produced a non-finite loss or weight."""

    exit_code = 3


class StorageError(FfspecError):
    """Something could not be read or written: no room, no permission, a lock, a damaged file."""

    exit_code = 4


class EvaluationError(FfspecError):
    """An eval-mode check found what must never be: a module in train mode, a changed state, a broadcast."""

    exit_code = 70
