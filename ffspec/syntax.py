"""What a YAML parser's complaint means to someone who writes a spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ffspec.events import MarkedYAMLError


@dataclass(frozen=True, slots=True)
class Complaint:
    """A part of the parser's message, and what to say in its place.

    `{line}` is the line where the list, mapping or text in question began, `{found}` the character found.
    """

    problem: str
    message: str
    hint: str | None = None
    at: Literal["problem", "context"] = "problem"
    """Whether to point at where the parser stopped, or at where the unfinished thing began."""
    code: str = "FF003"


_QUOTE = "put the text in quotes"

COMPLAINTS = (
    Complaint("found character '\\t'", "a spec is indented with spaces, found a tab", "write spaces", code="FF005"),
    Complaint("could not find expected ':'", "a key needs a ':' and a space behind it", "write 'key: value'", "context"),
    Complaint(
        "mapping values are not allowed here",
        "a ':' with a space behind it makes a key, and no key may stand here",
        "put the text in quotes, or start a new line that fits the indentation above",
    ),
    Complaint(
        "sequence entries are not allowed here",
        "a list must begin on a line of its own",
        "write '- ' on the next line, or the list in brackets: [a, b]",
    ),
    Complaint("mapping keys are not allowed here", "a key must begin on a line of its own", _QUOTE),
    Complaint(
        "expected <block end>, but found '-'", "a list item does not fit what stands above", "indent it like its neighbours"
    ),
    Complaint("expected <block end>", "the indentation does not fit the lines above", "indent it like its neighbours"),
    Complaint("expected ',' or ']'", "the list that begins with '[' on line {line} needs a ',' or a ']' before this"),
    Complaint("expected ',' or '}'", "the mapping that begins with '{{' on line {line} needs a ',' or a '}}' before this"),
    Complaint("found unexpected end of stream", "the text that begins with this quote never ends", "close the quote", "context"),
    Complaint("found unexpected document separator", "the text that begins with this quote never ends", "close it", "context"),
    Complaint("found unknown escape", "a backslash in double quotes begins an escape, and there is none such",
              "write \\\\, or put the text in single quotes"),  # fmt: skip
    Complaint("expected escape sequence", "an escape needs more hexadecimal digits", "put the text in single quotes"),
    Complaint("that cannot start any token", "a value may not begin with {found}", _QUOTE),
    Complaint("expected the node content", "a value is missing here"),
    Complaint("found undefined tag handle", "tags are not allowed in a spec", "leave the tag out", "context", "FF005"),
    Complaint("expected '<document start>'", "this belongs to nothing above it", "indent it like its neighbours"),
    Complaint("expected alphabetic or numeric character", "a value may not begin with {found}", _QUOTE, "context"),
    Complaint("expected URI", "a value may not begin with {found}", _QUOTE, "context"),
    Complaint("expected ' ', but found", "tags are not allowed in a spec", "leave the tag out", "context", "FF005"),
    Complaint("expected '!'", "tags are not allowed in a spec", "leave the tag out", "context", "FF005"),
    Complaint("expected '>'", "tags are not allowed in a spec", "leave the tag out", "context", "FF005"),
    Complaint("chomping or indentation indicators", "'|' and '>' begin a text of several lines", "begin it on the next line"),
    Complaint("expected a comment or a line break", "'|' and '>' begin a text of several lines", "begin it on the next line"),
    Complaint("indentation indicator in the range", "'|' and '>' begin a text of several lines", "begin it on the next line"),
)
"""Tried in this order; the tests hold one text for each."""


def explain(error: MarkedYAMLError, text: str) -> tuple[str, str, str | None, int]:
    """Return the code, message and hint for a parser's error, and the offset to point at."""
    problem = error.problem or error.context or "this is no YAML"
    stopped, began = (mark if isinstance(mark, int) else None for mark in (error.problem_mark, error.context_mark))
    known = next((item for item in COMPLAINTS if item.problem in problem), None)
    if known is None:
        known = Complaint("", f"this is no YAML: {problem}".replace("{", "{{").replace("}", "}}"))
    first, second = (began, stopped) if known.at == "context" else (stopped, began)
    offset = min(first if first is not None else second or 0, len(text))
    line = text.count("\n", 0, began or 0) + 1
    found = repr(text[offset]) if offset < len(text) else "the end of the file"
    return known.code, known.message.format(line=line, found=found), known.hint, offset
