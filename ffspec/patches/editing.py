"""Edits by path as edits of text: one stretch is replaced, and comments, order and layout around it stay.

Nothing here trusts itself: a patch is read back, and is none unless the text then says what the edit says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from ffspec.diagnostics import Edit, Patch, Path
from ffspec.scalars import notation
from ffspec.source import Extent, Source, Value, parse_value

Sole: TypeAlias = Callable[[Path], "str | None"]
"""Names the argument that may stand alone at a path, if there is one."""

_BREAK = re.compile(r"\r\n|\r|\n")
_SKIPPED = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_REST = re.compile(r"[ \t]*(#[^\r\n]*)?(?=[\r\n]|\Z)")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_BLANK = " \t\r\n"


def patch(source: Source, edit: Edit, sole: Sole = lambda _: None) -> Patch | None:
    """Turn an edit by path into one of the text.

    Args:
        source: The text as it was read.
        edit: What to change.
        sole: Names the argument that may stand alone at a path. Without it, such a value gets no neighbours.

    Returns:
        The patch; None where the change cannot be made in one stretch without touching more than it says.
    """
    for change in _Editor(source, edit, sole).changes():
        if _says(source, change):
            return Patch(source.span(change.extent), change.text, edit.safe)
    return None


class _Change(NamedTuple):
    """A stretch of text, what to put there, and what the whole text must say then."""

    extent: Extent
    text: str
    value: Value


def _says(source: Source, change: _Change) -> bool:
    """Return whether a changed text reads as it must, and gains no fault."""
    start, end = change.extent
    old = source.text[start:end]
    # A word for a word can move nothing, and what takes time is the reading.
    if not source.diagnostics and _WORD.fullmatch(old) and _WORD.fullmatch(change.text):
        return True
    after = parse_value(source.text[:start] + change.text + source.text[end:], source.name)
    # To Python 1, 1.0 and True are equal, and so are mappings in another order; their texts are not.
    return len(after.diagnostics) <= len(source.diagnostics) and repr(after.value) == repr(change.value)


class _Editor:
    """The ways to make one edit of one text, the nicest first."""

    def __init__(self, source: Source, edit: Edit, sole: Sole) -> None:
        self.text = source.text
        self.places = source.places
        self.root = source.value
        self.edit = edit
        self.sole = sole
        first = _BREAK.search(source.text)
        self.newline = first.group() if first else "\n"

    def changes(self) -> Iterator[_Change]:
        """Yield the ways to make the edit."""
        path, alone = self._written()
        if not path or () not in self.places:
            return
        action, value = self.edit.action, _plain(self.edit.value)
        if action == "replace" or (action == "set" and (alone or path in self.places)):
            yield from self._replace(path, value)
        elif alone:
            return
        elif action == "set":
            yield from self._set(path, value)
        elif action == "rename":
            yield from self._rename(path, str(value))
        elif action == "insert":
            yield from self._insert(path, value)
        else:
            yield from self._remove(path)

    def _written(self) -> tuple[Path, bool]:
        """Leave out what is in the path but not in the text: the names of arguments that stand alone.

        Also return whether the path ends in one.
        """
        value, written, alone = self.root, list[str | int](), False
        for index, key in enumerate(self.edit.path):
            if (*written, key) in self.places:
                value = self._at((*written, key))
            elif not isinstance(value, dict) and self.sole(self.edit.path[:index]) == key:
                alone = index + 1 == len(self.edit.path)
                continue
            else:
                return (*written, *self.edit.path[index:]), False
            written.append(key)
        return tuple(written), alone

    # The actions.

    def _replace(self, path: Path, value: Value) -> Iterator[_Change]:
        if path not in self.places:
            return
        place, end = self.places[path], self._end(path)
        start, old = place.value.start, self.text[place.value.start : end]
        text, whole = _like(old, value), self._put(path, value)
        if not old:
            colon = ":" if place.key is not None and place.key.end == end else ""
            yield _Change(Extent(end, end), f"{colon} {text}", whole)
            return
        if isinstance(self._at(path), tuple | dict) and not self._bracketed(path):
            opened = self._opened(path)
            if not self.text[opened:start].strip(_BLANK):
                yield _Change(Extent(opened, end), f" {text}", whole)
        yield _Change(Extent(start, end), text, whole)

    def _rename(self, path: Path, name: str) -> Iterator[_Change]:
        *above, key = path
        parent = tuple(above)
        mapping = self._at(parent)
        place = self.places.get(path)
        if place is not None and place.key is not None:
            if isinstance(mapping, dict) and name not in mapping:
                renamed: Value = {name if old == key else old: value for old, value in mapping.items()}
                old = self.text[slice(*place.key)]
                yield _Change(place.key, _like(old, name), self._put(parent, renamed))
        elif place is not None and isinstance(self._at(path), str):
            yield from self._replace(path, name)
        elif place is None and parent and mapping == key:
            yield from self._replace(parent, name)

    def _set(self, path: Path, value: Value) -> Iterator[_Change]:
        parent, key = path[:-1], str(path[-1])
        above = parent[:-1]
        if parent in self.places:
            current = self._at(parent)
            sole = self.sole(self.edit.path[:-1])
            if isinstance(current, dict):
                yield from self._add(parent, key, value)
            elif current is None:
                yield from self._replace(parent, {key: value})
            elif sole is not None and (text := self._inline(parent)) is not None:
                extent = Extent(self.places[parent].value.start, self._end(parent))
                whole = self._put(parent, {sole: current, key: value})
                yield _Change(extent, f"{{{sole}: {text}, {notation(key)}: {notation(value)}}}", whole)
        elif parent and above in self.places:
            name, current = str(parent[-1]), self._at(above)
            if isinstance(current, dict):
                yield from self._add(above, name, {key: value})
            elif current is None:
                yield from self._replace(above, {name: {key: value}})
            elif current == name:
                yield from self._spell_out(above, {name: {key: value}})

    def _spell_out(self, path: Path, component: dict[str, Value]) -> Iterator[_Change]:
        """Give a component written as its bare name arguments: `- relu` becomes `- relu: {...}`."""
        text = notation(component)
        if isinstance(path[-1], int) and not self._in_flow(path):
            text = text[1:-1]
        yield _Change(Extent(self.places[path].value.start, self._end(path)), text, self._put(path, component))

    def _add(self, path: Path, key: str, value: Value) -> Iterator[_Change]:
        """Add a key to the end of a mapping."""
        mapping = self._at(path)
        entry, whole = notation({key: value})[1:-1], self._put(path, {**mapping, key: value})
        start, end = self.places[path].value
        last = (*path, next(reversed(mapping))) if mapping else None
        if last is None:
            blank = not self.text[start + 1 : end - 1].strip(_BLANK)
            yield _Change(Extent(start + 1, end - 1 if blank else start + 1), entry, whole)
        elif self._bracketed(path):
            at = self._end(last)
            yield _Change(Extent(at, at), f", {entry}", whole)
        elif self._in_flow(path):  # [a: 1]
            yield _Change(Extent(start, end), f"{{{self.text[start:end]}, {entry}}}", whole)
        else:
            if not path:
                yield self._new_line(len(self.text.rstrip(_BLANK)), start, entry, whole)
            yield self._new_line(self._end(last), start, entry, whole)
            yield self._new_line(end, start, entry, whole)

    def _insert(self, path: Path, value: Value) -> Iterator[_Change]:
        parent, index = path[:-1], path[-1]
        if not isinstance(index, int) or path not in self.places:
            return
        items = self._at(parent)
        whole = self._put(parent, (*items[: index + 1], value, *items[index + 1 :]))
        at = self.places[path].value.end
        if self._bracketed(parent):
            yield _Change(Extent(at, at), f", {notation(value)}", whole)
            return
        start, end = self._begin(path), self._end(path)
        # Comments further in than the dash go with the item before.
        inner = re.compile(rf"(?:\r\n|\r|\n) {{{start - self._line(start) + 1},}}#[^\r\n]*")
        stop = self._line_end(end)
        while match := inner.match(self.text, stop):
            stop = match.end()
        for offset in (stop, end, at):
            yield self._new_line(offset, start, f"- {notation(value)}", whole)

    def _remove(self, path: Path) -> Iterator[_Change]:
        parent, key = path[:-1], path[-1]
        siblings = self._at(parent)
        if path not in self.places or len(siblings) < 2:
            return
        whole = self._put(parent, _without(siblings, key))
        keys = list(siblings) if isinstance(siblings, dict) else list(range(len(siblings)))
        at = keys.index(key)
        before = (*parent, keys[at - 1]) if at else None
        after = (*parent, keys[at + 1]) if at + 1 < len(keys) else None
        remove = self._remove_in_brackets if self._bracketed(parent) else self._remove_lines
        for extent in remove(path, before, after):
            yield _Change(extent, "", whole)

    def _remove_lines(self, path: Path, before: Path | None, after: Path | None) -> Iterator[Extent]:
        start, end = self._begin(path), self._end(path)
        line, stop = self._line(start), self._line_end(end)
        if not self.text[line:start].strip(" "):
            below = self._next_line(end)
            yield Extent(line, below)
            # Blank lines would join a text with '+' that ends before them.
            yield Extent(line, self._line(len(self.text) - len(self.text[below:].lstrip(_BLANK))))
        elif before is None and after is not None:
            following = self._begin(after)
            if not self.text[stop:following].strip(_BLANK):
                yield Extent(start, following)
            # A comment that belongs to the next stays, and the dash ahead stands alone.
            yield Extent(len(self.text[:start].rstrip(" ")), stop)

    def _remove_in_brackets(self, path: Path, before: Path | None, after: Path | None) -> Iterator[Extent]:
        start, end = self._begin(path), self._end(path)
        line, ahead = self._line(start), len(self.text[:start].rstrip(" \t"))
        comma = self._skip(end)
        gap = "#" in self.text[end:comma]
        behind = comma + 1 if self.text[comma] == "," else end
        own_line = not self.text[line:start].strip(" \t")
        if own_line and not (gap and behind != end) and _REST.match(self.text, behind):
            yield Extent(line, self._next_line(behind))
        elif after is None and before is not None:
            previous = self.places[before].value.end
            if "#" not in self.text[previous:start]:
                yield Extent(previous, end)
            elif not gap:
                yield Extent(start, behind)
        elif after is not None and not gap:
            following = self._begin(after)
            rest = _REST.match(self.text, behind)
            if rest is None or (before is None and not self.text[behind:following].strip(_BLANK)):
                yield Extent(start, following)
            else:
                yield Extent(ahead, behind)

    # Where things stand.

    def _at(self, path: Path) -> Any:
        """Return the value at a path, or None where nothing was written."""
        value: Any = self.root
        for key in path if path in self.places else ():
            value = value[key]
        return value if path in self.places else None

    def _put(self, path: Path, new: Value) -> Value:
        """Return the whole value with `new` at a path."""
        if not path:
            return new
        parent, key = path[:-1], path[-1]
        value = self._at(parent)
        if isinstance(value, dict):
            return self._put(parent, {**value, str(key): new})
        items = list(value)
        items[int(key)] = new
        return self._put(parent, tuple(items))

    def _begin(self, path: Path) -> int:
        """Return where an entry begins: at its key, or at the dash in front of an item."""
        place = self.places[path]
        if place.key is not None:
            return place.key.start
        if self._bracketed(path[:-1]):
            return place.value.start
        index = int(path[-1])
        if index == 0:
            return self.places[path[:-1]].value.start
        return self._skip(self.places[*path[:-1], index - 1].value.end)

    def _opened(self, path: Path) -> int:
        """Return the offset behind the colon or the dash in front of a value."""
        key = self.places[path].key
        return self._begin(path) + 1 if key is None else self._skip(key.end) + 1

    def _end(self, path: Path) -> int:
        """Return the offset behind a value, without the lines that end a text of several."""
        key, (start, end) = self.places[path]
        # The parser finds the missing value of a key without a colon, {a, b}, only at the comma.
        if key is not None and start == end and ":" not in self.text[key.end : start]:
            return key.end
        return start + len(self.text[start:end].rstrip(_BLANK))

    def _bracketed(self, path: Path) -> bool:
        return self.text[self.places[path].value.start] in "[{"

    def _in_flow(self, path: Path) -> bool:
        parents = (path[:length] for length in range(len(path)))
        return any(isinstance(self._at(parent), dict | tuple) and self._bracketed(parent) for parent in parents)

    def _inline(self, path: Path) -> str | None:
        """Return a value as it can stand in braces; None for a list or a mapping over several lines of its own."""
        text, value = self.text[self.places[path].value.start : self._end(path)], self._at(path)
        if isinstance(value, tuple | dict):
            return text if self._bracketed(path) else None
        quoted = text[0] in "'\"" and not _BREAK.search(text)
        return text if quoted or _WORD.fullmatch(text) else notation(value)

    def _new_line(self, behind: int, column_of: int, text: str, whole: Value) -> _Change:
        """Add a line of its own behind the one with an offset, indented as another offset is."""
        at = behind if behind and self.text[behind - 1] in "\r\n" else self._next_line(behind)
        line = f"{' ' * (column_of - self._line(column_of))}{text}"
        ended = at == 0 or self.text[at - 1] in "\r\n"
        return _Change(Extent(at, at), f"{line}{self.newline}" if ended else f"{self.newline}{line}", whole)

    def _line(self, offset: int) -> int:
        return max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1

    def _line_end(self, offset: int) -> int:
        match = _BREAK.search(self.text, offset)
        return match.start() if match else len(self.text)

    def _next_line(self, offset: int) -> int:
        match = _BREAK.search(self.text, offset)
        return match.end() if match else len(self.text)

    def _skip(self, offset: int) -> int:
        """Return the offset behind spaces, comments and line breaks."""
        match = _SKIPPED.match(self.text, offset)
        return match.end() if match else offset


def _like(old: str, new: Value) -> str:
    """Write a value, in the quotes its predecessor stood in where that is simple."""
    if isinstance(new, str) and _WORD.fullmatch(new) and old[:1] in {"'", '"'}:
        return f"{old[0]}{new}{old[0]}"
    return notation(new)


def _plain(value: Any) -> Value:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value  # type: ignore[no-any-return]


def _without(siblings: Any, key: str | int) -> Value:
    if isinstance(siblings, dict):
        return {name: value for name, value in siblings.items() if name != key}
    return tuple(item for index, item in enumerate(siblings) if index != key)
