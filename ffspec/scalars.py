"""What an unquoted YAML scalar stands for: the YAML 1.2 core schema, as editors read it, and nothing of YAML 1.1.

And the way back: a value as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = "bool | int | float | str | None"

MAX_DIGITS = 100
"""Longer integers are refused before Python converts them, which takes quadratic time."""

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_FIRST = frozenset("+-.0123456789~nNtTfF")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_YES = frozenset({"y", "yes", "on"})
_NO = frozenset({"n", "no", "off"})
_GROUPED = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?")
_SEXAGESIMAL = re.compile(r"([-+]?)([0-9]{1,9})((?::[0-5]?[0-9])+)")
_PLAIN = re.compile(r"(?:(?:[\w./]|-(?=\w))(?:[\w./+%=@()*-]|:(?=[\w/.]))*)(?: (?:[\w./+%=@()*-]|:(?=[\w/.]))+)*")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A scalar that looks like a number and cannot be taken as one."""

    message: str
    hint: str | None = None


def resolve(text: str) -> Scalar | Unreadable:
    """Return the value of an unquoted scalar.

    Integers: `12`, `0x1f`, `0o17`. Floats: `1.5`, `.5`, `1e-3`. Booleans: `true`, `false`. Nothing: ``, `~`, `null`.
    Everything else is text: `yes`, `1:30`, `1_000`, `2024-01-01`.
    """
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _BASED.fullmatch(text):
        return Unreadable(_TOO_LONG) if len(text) > MAX_DIGITS else int(text, 0)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_FINITE.fullmatch(text):
        return Unreadable(f"numbers must be finite, found {text}", "write a number, or leave the key out")
    return text


_TOO_LONG = f"numbers may have at most {MAX_DIGITS} digits"


def _integer(text: str) -> int | Unreadable:
    digits = text.lstrip("+-")
    if len(digits) > MAX_DIGITS:
        return Unreadable(f"{_TOO_LONG}, found {len(digits)}")
    value = int(text)
    if digits[0] == "0" and len(digits) > 1:
        octal = set(digits) <= set("01234567")
        also = f" (YAML 1.1 reads {text} as {int(digits, 8)})" if octal and value else ""
        return Unreadable(f"whole numbers must not start with 0, found {text}", f"write {value}{also}")
    return value


def _float(text: str) -> float | Unreadable:
    value = float(text) if len(text) <= 4 * MAX_DIGITS else None
    if value is None:
        return Unreadable(f"{_TOO_LONG}, found {sum(map(str.isdigit, text))}")
    if value in (float("inf"), float("-inf")):
        return Unreadable(f"numbers must fit a 64-bit float, found {text}", "the largest is about 1.8e308")
    if value == 0.0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        return Unreadable(f"numbers must fit a 64-bit float, found {text}", "the smallest is about 5e-324; or write 0")
    return value


def meant(text: str) -> Scalar:
    """Return what YAML 1.1 makes of a text that is only text in YAML 1.2 (`yes`, `1:30`, `1_000`), or the text."""
    word = text.lower()
    if word in _YES or word in _NO:
        return word in _YES
    if len(text) <= MAX_DIGITS and _GROUPED.fullmatch(text):
        plain = resolve(text.replace("_", ""))
        return text if isinstance(plain, Unreadable) else plain
    match = _SEXAGESIMAL.fullmatch(text) if len(text) <= MAX_DIGITS else None
    if match:
        sign, first, rest = match.groups()
        value = int(first)
        for part in rest[1:].split(":"):
            value = 60 * value + int(part)
        return -value if sign == "-" else value
    return text


def notation(value: Any) -> str:
    """Write a plain value on one line, in flow style, so that readers of YAML 1.2 and of YAML 1.1 agree on it."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{notation(key)}: {notation(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(notation, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    text = repr(value).replace("inf", ".inf").replace("nan", ".nan")
    # 1e-05 is text in YAML 1.1, which wants the point.
    return text.replace("e", ".0e") if "." not in text else text


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and resolve(text) == meant(text) == text and _is_text(text):
        return text
    if text.isprintable():
        return "'{}'".format(text.replace("'", "''"))
    return f'"{"".join(map(_escaped, text))}"'


def _is_text(text: str) -> bool:
    """Return whether YAML 1.1 takes an unquoted scalar for text: no date, no binary number."""
    from ffspec._yaml.nodes import ScalarNode  # type: ignore[import-not-found]
    from ffspec._yaml.resolver import Resolver  # type: ignore[import-not-found]

    return bool(Resolver().resolve(ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str")


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
