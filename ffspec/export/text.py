"""Python text: literals, calls that fit their line, and long tables of numbers, as a formatter would leave them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 100
"""Columns of a line of the script."""


def literal(value: Any) -> str:
    """Return a plain value as Python text: numbers to the last bit, texts in double quotes, tuples as lists."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, float):
        # 1e-05 is 1e-5, and 1e+16 is 1e16.
        return re.sub(r"e([+-])0*(\d+)$", lambda found: f"e{found[1].strip('+')}{found[2]}", repr(value))
    return repr(value)


def call(name: str, arguments: Iterable[str], *, head: str = "", tail: str = "", indent: int = 0) -> str:
    """Return `head name(arguments) tail` in one line if it fits, else an argument a line.

    Args:
        name: What is called.
        arguments: Its arguments as text.
        head: What stands before it, such as "model = ".
        tail: What stands behind it, such as a comma.
        indent: The columns all lines begin at.
    """
    return bracketed(f"{head}{name}(", arguments, f"){tail}", indent=indent)


def bracketed(head: str, items: Iterable[str], tail: str, *, indent: int = 0, explode: bool = False) -> str:
    """Return items between brackets in one line if it fits and is not to explode, else an item a line."""
    listed = list(items)
    line = f"{head}{', '.join(listed)}{tail}"
    space = " " * indent
    if not explode and indent + len(line) <= WIDTH and "\n" not in line:
        return space + line
    inner = [textwrap.indent(f"{item},", space + "    ") for item in listed]
    return "\n".join([space + head, *inner, space + tail])


def filled(head: str, items: Iterable[str], tail: str, *, indent: int = 0) -> str:
    """Return items between brackets, as many on a line as fit; the formatter is asked to leave them so."""
    listed = list(items)
    space = " " * indent
    line = f"{space}{head}{', '.join(listed)}{tail}"
    if len(line) <= WIDTH:
        return line
    body = textwrap.fill(
        ", ".join(item.replace(" ", "\0") for item in listed) + ",",
        WIDTH,
        initial_indent=space + "    ",
        subsequent_indent=space + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\0", " ")
    return f"{space}{head}\n{body}\n{space}{tail}  # fmt: skip"


def comment(text: str, indent: int = 0) -> str:
    """Return text as a comment, wrapped."""
    lead = " " * indent + "# "
    return textwrap.fill(text, WIDTH, initial_indent=lead, subsequent_indent=lead, break_long_words=False)


def docstring(paragraphs: Sequence[str]) -> str:
    """Return the docstring of the script; what is indented stays as it is."""
    wrapped = [
        part if part.startswith(" ") else textwrap.fill(part, WIDTH, break_long_words=False) for part in paragraphs
    ]
    text = "\n\n".join(wrapped)
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if len(paragraphs) == 1 and len(text) <= WIDTH - 6 and not text.endswith('"'):
        return f'"""{text}"""'
    return f'"""{text}\n"""'


def listing(names: Sequence[str]) -> str:
    """Return names as a sentence has them: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _quoted(text: str) -> str:
    """Return a text in double quotes, unless that takes more backslashes, as formatters have it."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    body = repr(text + "'\"")[1:-1]  # both quotes inside: repr then takes single ones, and escapes those
    body = body.removesuffix("\\'\"").replace("\\'", "'")
    return f"{mark}{body.replace(mark, chr(92) + mark)}{mark}"
