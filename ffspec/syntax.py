"""What a YAML parser's complaint means to someone who writes a spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
_ALIKE = "indent it like its neighbours"
_NO_TAG = "tags are not allowed in a spec"
_LEAVE = "leave the tag out"
_LINES = "'|' and '>' begin a text of several lines"
_NEXT = "begin the text on the next line"
_ENDLESS = "the text that begins with this quote never ends"
_OPENING = "a value may not begin with {found}"

COMPLAINTS = (
    Complaint("found character '\\t'", "a spec is indented with spaces, found a tab", "write spaces", code="FF005"),
    Complaint("could not find expected ':'", "a key needs ':' and a space behind it", "write 'key: value'", "context"),
    Complaint(
        "mapping values are not allowed here",
        "a ':' with a space behind it makes a key, and no key may stand here",
        "quote the text, or look at the line above: a ':' may be missing, or its indentation differ",
    ),
    Complaint(
        "sequence entries are not allowed here",
        "a list must begin on a line of its own",
        "write '- ' on the next line, or the list in brackets: [a, b]",
    ),
    Complaint("mapping keys are not allowed here", "a key must begin on a line of its own", _QUOTE),
    Complaint("expected <block end>", "this does not fit what stands before it", _ALIKE),
    Complaint("expected '<document start>'", "this belongs to nothing above it", _ALIKE),
    Complaint("expected ',' or ']'", "the list that begins with '[' on line {line} needs ',' or ']' before this"),
    Complaint("expected ',' or '}'", "the mapping that begins with '{{' on line {line} needs ',' or '}}' before this"),
    Complaint("found unexpected end of stream", _ENDLESS, "close the quote", "context"),
    Complaint("found unexpected document separator", _ENDLESS, "close the quote", "context"),
    Complaint(
        "found unknown escape",
        "a backslash in double quotes begins an escape, and there is none such",
        "write \\\\, or put the text in single quotes",
    ),
    Complaint("expected escape sequence", "this escape needs more hexadecimal digits", "put the text in single quotes"),
    Complaint("that cannot start any token", _OPENING, _QUOTE),
    Complaint("expected the node content", "a value is missing here"),
    Complaint("while scanning an a", _OPENING, _QUOTE, "context"),
    Complaint("found undefined tag handle", _NO_TAG, _LEAVE, "context", "FF005"),
    Complaint("while scanning a tag", _NO_TAG, _LEAVE, "context", "FF005"),
    Complaint("while parsing a tag", _NO_TAG, _LEAVE, "context", "FF005"),
    Complaint("while scanning a block scalar", _LINES, _NEXT),
)
"""Tried in this order on the parser's problem and its context; the tests hold a text for each."""


def explain(error: MarkedYAMLError, text: str) -> tuple[str, str, str | None, int]:
    """Return the code, message and hint for a parser's error, and the offset to point at."""
    problem = f"{error.problem} ({error.context})"
    stopped: int | None = error.problem_mark
    began: int | None = error.context_mark
    known = next((item for item in COMPLAINTS if item.problem in problem), None)
    if known is None:
        known = Complaint("", f"this is no YAML: {problem}".replace("{", "{{").replace("}", "}}"))
    first, second = (began, stopped) if known.at == "context" else (stopped, began)
    offset = min(first if first is not None else second or 0, len(text))
    line = text.count("\n", 0, began or 0) + 1
    found = repr(text[offset]) if offset < len(text) else "the end of the file"
    return known.code, known.message.format(line=line, found=found), known.hint, offset
