"""Comments that let a finding through: `# ffspec: ignore[FF116] reason`, on the line it is found on.

Above the first key, on a line of its own, such a comment speaks for the whole file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ffspec.diagnostics import Diagnostic, Severity, Span
from ffspec.source import Extent, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_COMMENT = re.compile(r"#\s*ffspec:\s*ignore\b\s*(\[[^\]\n]*\])?")
_CODE = re.compile(r"[^\s,\[\]]+")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One code in one comment."""

    code: str
    span: Span
    """Where the code stands; where the comment does, if it names none."""
    everywhere: bool
    """Whether it speaks for the whole file."""

    def covers(self, item: Diagnostic) -> bool:
        """Return whether a located finding is the one that is meant."""
        if self.everywhere:
            return item.code == self.code
        line = None if item.span is None or item.origin is not None else item.span.start.line
        return item.code == self.code and line == self.span.start.line


def ignores_in(source: Source) -> tuple[Ignore, ...]:
    """Return what the comments of a text ask to ignore; what only looks like a comment inside a text is none."""
    if "ffspec:" not in source.text or () not in source.places:
        return ()
    scalars = [place.value for path, place in source.places.items() if isinstance(_at(source.value, path), str)]
    return tuple(
        ignore
        for match in _COMMENT.finditer(source.text)
        if not any(extent.start <= match.start() < extent.end for extent in scalars)
        for ignore in _codes(source, match)
    )


def unused(
    ignores: Iterable[Ignore], found: Iterable[Diagnostic], optional: Mapping[str, bool], judged: Iterable[str]
) -> Iterator[Diagnostic]:
    """Yield a warning for each comment that ignores nothing.

    Args:
        ignores: The comments.
        found: Everything that was found, located, the ignored included.
        optional: Every code, and whether it may be ignored.
        judged: The codes whose rules have been tried; of the others nothing can be said.
    """
    found, judged = tuple(found), frozenset(judged)
    for ignore in ignores:
        if not ignore.code:
            yield _warning(ignore, "an ignore must name a code", "write # ffspec: ignore[FF116] and the reason")
        elif ignore.code not in optional:
            yield _warning(ignore, f"there is no code '{ignore.code}' to ignore", "'ffspec explain' knows the codes")
        elif not optional[ignore.code]:
            yield _warning(ignore, f"{ignore.code} cannot be ignored: nothing could be trained", None)
        elif ignore.code in judged and not any(map(ignore.covers, found)):
            hint = "leave the comment out; it must stand on the line of the finding"
            where = "in this file" if ignore.everywhere else "on this line"
            yield _warning(ignore, f"nothing {where} is {ignore.code}", hint)


def _warning(ignore: Ignore, message: str, hint: str | None) -> Diagnostic:
    return Diagnostic(code="FF017", message=message, hint=hint, severity=Severity.WARNING, span=ignore.span)


def _codes(source: Source, match: re.Match[str]) -> Iterator[Ignore]:
    inside = match[1]
    everywhere = match.start() < source.places[()].value.start
    codes = [] if inside is None else list(_CODE.finditer(source.text, match.start(1), match.end(1)))
    if not codes:
        yield Ignore("", source.span(Extent(match.start(), match.end())), everywhere)
    for code in codes:
        yield Ignore(code[0].upper(), source.span(Extent(code.start(), code.end())), everywhere)


def _at(value: object, path: tuple[str | int, ...]) -> object:
    for key in path:
        value = value[key]  # type: ignore[index] # the path comes from the value itself
    return value
