"""YAML text to parser events: PyYAML's scanner and parser, faster, bounded, and breaking lines where editors do.

Marks are plain offsets into the text. The scanner here differs from PyYAML's in four points: it looks at whole words
instead of single characters; it refuses flow collections nested deeper than `MAX_DEPTH` before its lookahead for
keys becomes quadratic; it refuses directives; and it leaves U+0085, U+2028 and U+2029 alone, which are line breaks in
YAML 1.1 only.
"""

from __future__ import annotations

import re
from typing import Any

# Type checkers do not follow a search path that is set at run time.
from ffspec._yaml.error import MarkedYAMLError  # type: ignore[import-not-found]
from ffspec._yaml.events import (  # type: ignore[import-not-found]
    AliasEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ffspec._yaml.parser import Parser  # type: ignore[import-not-found]
from ffspec._yaml.scanner import Scanner, ScannerError  # type: ignore[import-not-found]
from ffspec._yaml.tokens import ScalarToken  # type: ignore[import-not-found]

__all__ = [
    "MAX_DEPTH",
    "AliasEvent",
    "Events",
    "MappingEndEvent",
    "MarkedYAMLError",
    "Refused",
    "ScalarEvent",
    "SequenceEndEvent",
    "SequenceStartEvent",
    "StreamEndEvent",
    "forbidden",
    "restore",
]

MAX_DEPTH = 32
"""How deep lists and mappings may nest."""

MAX_TEXT = 50_000
"""How long a text with escapes or line breaks may be: those are scanned character by character."""

# PyYAML breaks lines at these three, YAML 1.2 and editors do not: they pass the scanner as noncharacters.
_HIDE = {0x85: 0x1FFFE, 0x2028: 0x1FFFF, 0x2029: 0x2FFFE}
_SHOW = {value: key for key, value in _HIDE.items()}
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\U0001fffe\U0001ffff\U0002fffe]"
)

_BLANK = re.compile(r"(?:\ *+(?:\#[^\r\n\0]*+)?(?:\r\n|\r|\n))*+\ *+(?:\#[^\r\n\0]*+)?", re.VERBOSE)
_BREAK = re.compile(r"\r\n|\r|\n")
_BLOCK_WORD = r"(?:[^\0\ \t\r\n:]|:(?![\0\ \t\r\n]))++"
_FLOW_WORD = r"(?:[^\0\ \t\r\n:,?\[\]{}]|:(?![\0\ \t\r\n,\[\]{}]))++"
_BLOCK_WORDS = re.compile(rf"{_BLOCK_WORD}(?:\ ++(?!\#){_BLOCK_WORD})*+")
_FLOW_WORDS = re.compile(rf"{_FLOW_WORD}(?:\ ++(?!\#){_FLOW_WORD})*+")
_SIMPLE_QUOTED = {"'": re.compile(r"'([^'\r\n\0]*+)'(?!')"), '"': re.compile(r'"([^"\\\r\n\0]*+)"')}
_QUOTED = {"'": re.compile(r"'(?:[^'\0]|'')*+'"), '"': re.compile(r'"(?:[^"\\\0]|\\[^\0])*+"')}

_SPACES = " \r\n"

MAX_KEY = 1024
"""The longest key that needs no question mark, in YAML 1.2 as in PyYAML."""


class Refused(Exception):
    """A construct that ends the reading at once; `offset` is where it starts."""

    def __init__(self, code: str, message: str, offset: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset
        self.hint = hint


def forbidden(text: str) -> int | None:
    """Return the offset of the first character that may not stand in YAML (control characters, surrogates), if any."""
    match = _FORBIDDEN.search(text)
    return match.start() if match else None


def restore(value: str) -> str:
    """Give a scanned text the line separators back that the scanner must not see."""
    return value if value.isascii() else value.translate(_SHOW)


class Events(Scanner, Parser):  # type: ignore[misc]
    """The parser events of a text: `peek_event` and `get_event`, with offsets for marks.

    Raises:
        MarkedYAMLError: the text is no YAML.
        Refused: it nests too deeply, or holds a directive.
    """

    encoding = None

    def __init__(self, text: str) -> None:
        self.buffer = (text if text.isascii() else text.translate(_HIDE)) + "\0\0\0\0"
        self.pointer = 0
        self.line = 0
        self.column = 0
        Scanner.__init__(self)
        Parser.__init__(self)

    # What the scanner asks of its reader.

    @property
    def index(self) -> int:
        """The offset of the current character."""
        return self.pointer

    def get_mark(self) -> int:
        """Return the current offset."""
        return self.pointer

    def peek(self, index: int = 0) -> str:
        """Return the character `index` places ahead."""
        return self.buffer[self.pointer + index]

    def prefix(self, length: int = 1) -> str:
        """Return the next `length` characters."""
        return self.buffer[self.pointer : self.pointer + length]

    def forward(self, length: int = 1) -> None:
        """Go `length` characters on, counting lines at LF, CRLF and CR."""
        start = self.pointer
        self.pointer = end = start + length
        chunk = self.buffer[start:end]
        if "\n" not in chunk and "\r" not in chunk:
            self.column += length
            return
        for match in _BREAK.finditer(self.buffer, start, end):
            if match.end() == end and self.buffer[end - 1 : end + 1] == "\r\n":
                self.column += 1
                return
            self.line += 1
            start = match.end()
        self.column = end - start

    # Faster forms of the scanner's methods.

    def check_token(self, *choices: type[Any]) -> bool:
        """Return whether the next token is one of `choices`, or whether there is one."""
        if not self.tokens or self.possible_simple_keys:
            while self.need_more_tokens():
                self.fetch_more_tokens()
        return bool(self.tokens) and (not choices or type(self.tokens[0]) in choices)

    def peek_token(self) -> Any:
        """Return the next token and leave it there; None behind the last one."""
        return self.tokens[0] if self.check_token() else None

    def get_token(self) -> Any:
        """Take the next token; None behind the last one."""
        return self._take() if self.check_token() else None

    def _take(self) -> Any:
        """Take the next token, which a look at it has made sure of."""
        self.tokens_taken += 1
        return self.tokens.pop(0)

    def parse_node(self, block: bool = False, indentless_sequence: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Parse the next node; most are scalars without anchor and tag."""
        if not self.check_token(ScalarToken):
            return super().parse_node(block, indentless_sequence)
        token = self._take()
        self.state = self.states.pop()
        implicit = (token.plain, not token.plain)
        return ScalarEvent(None, None, implicit, token.value, token.start_mark, token.end_mark, style=token.style)

    def need_more_tokens(self) -> bool:
        """Return whether the first token waits for what follows it: it may turn out to be a key."""
        if self.done:
            return False
        if not self.tokens:
            return True
        if not self.possible_simple_keys:
            return False
        self.stale_possible_simple_keys()
        return self.tokens_taken in [key.token_number for key in self.possible_simple_keys.values()]

    def stale_possible_simple_keys(self) -> None:
        """Give up keys that ended without a colon; mostly there is none."""
        for key in self.possible_simple_keys.values():
            if key.line != self.line or self.pointer - key.index > MAX_KEY:
                super().stale_possible_simple_keys()
                return

    def fetch_more_tokens(self) -> None:
        """Fetch the next token; most are an unquoted scalar, which a letter or a digit begins, or a colon."""
        self.scan_to_next_token()
        character = self.buffer[self.pointer]
        plain = character.isalnum()
        if not plain and not (character == ":" and self.check_value()):
            super().fetch_more_tokens()
            return
        if self.possible_simple_keys:
            self.stale_possible_simple_keys()
        if self.indent > self.column:
            self.unwind_indent(self.column)
        if plain:
            self.fetch_plain()
        else:
            self.fetch_value()

    def scan_to_next_token(self) -> None:
        """Skip spaces, comments and line breaks."""
        match = _BLANK.match(self.buffer, self.pointer)
        if match is None or match.end() == self.pointer:
            return
        line = self.line
        self.forward(match.end() - self.pointer)
        if self.line != line and not self.flow_level:
            self.allow_simple_key = True

    def scan_plain(self) -> Any:
        """Scan an unquoted scalar, word by word instead of character by character."""
        words = _FLOW_WORDS if self.flow_level else _BLOCK_WORDS
        start = end = self.pointer
        indent = self.indent + 1
        chunks: list[str] = []
        spaces: list[str] | None = []
        while match := words.match(self.buffer, self.pointer):
            self.allow_simple_key = False
            chunks += spaces or ()
            chunks.append(match.group())
            # Words hold no line break, so there is none to count.
            end = match.end()
            self.column += end - self.pointer
            self.pointer = end
            if self.buffer[end] not in _SPACES:
                break
            spaces = self.scan_plain_spaces(indent, start)
            if not spaces or self.peek() == "#" or (not self.flow_level and self.column < indent):
                break
        return ScalarToken("".join(chunks), True, start, end)

    def scan_plain_spaces(self, indent: int, start_mark: int) -> list[str] | None:
        """Skip what follows a word: mostly one line break, with something other than a document's end behind it."""
        start = self.pointer
        if self.buffer[start] != "\n" or self.buffer[start + 1] in " \r\n-.":
            spaces: list[str] | None = super().scan_plain_spaces(indent, start_mark)
            return spaces
        self.pointer = start + 1
        self.line += 1
        self.column = 0
        self.allow_simple_key = True
        return [" "]

    def scan_flow_scalar(self, style: str) -> Any:
        """Scan a quoted scalar; the usual one stands on one line and holds no escapes."""
        start = self.pointer
        match = _SIMPLE_QUOTED[style].match(self.buffer, start)
        if match:
            self.forward(match.end() - start)
            return ScalarToken(match.group(1), False, start, self.pointer, style)
        whole = _QUOTED[style].match(self.buffer, start)
        if whole is None:
            raise ScannerError("while scanning a quoted scalar", start, "found unexpected end of stream", start)
        if whole.end() - start > MAX_TEXT:
            message = f"a text may have at most {MAX_TEXT:,} characters"
            raise Refused("FF006", message, start, "keep data in a file of its own")
        try:
            return super().scan_flow_scalar(style)
        except (ValueError, OverflowError):  # chr() of an escape beyond U+10FFFF
            raise ScannerError("while scanning a quoted scalar", start, "found unknown escape", self.pointer) from None

    # Bounds.

    def fetch_flow_collection_start(self, TokenClass: type[Any]) -> None:
        """Open a list or mapping in brackets, unless too many are open."""
        if self.flow_level >= MAX_DEPTH:
            raise Refused("FF006", f"lists and mappings may nest at most {MAX_DEPTH} deep", self.pointer)
        super().fetch_flow_collection_start(TokenClass)

    def fetch_directive(self) -> None:
        """Refuse `%YAML` and `%TAG`."""
        raise Refused("FF005", "directives are not allowed in a spec", self.pointer, "leave this line out")
