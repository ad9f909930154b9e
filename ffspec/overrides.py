"""`--set path=value`: a value in the place of another, before anything is validated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from ffspec.diagnostics import Diagnostic, Path, Position, Span, brief
from ffspec.source import Extent, Source, Value, parse_value
from ffspec.spec import grammar
from ffspec.spec.base import Component, Family, Node, describe, to_plain
from ffspec.suggest import suggest


class Misplaced(Exception):
    """The path of a value leads nowhere."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One `path=value`: what it says, and where in the spec it says it."""

    text: str
    """As it was written, without `--set`."""
    source: Source
    """The part behind the `=`."""
    path: Path = ()
    """The path in the spec, components and indices included."""

    @property
    def origin(self) -> str:
        """What diagnostics show in the place of a line of the file."""
        return f"--set {self.text}"

    def in_value(self, fault: Diagnostic, extent: Extent) -> Diagnostic:
        """Return the diagnostic with its place in the value, given as offsets there."""
        return self.shifted(replace(fault, span=self.source.span(extent)))

    def shifted(self, fault: Diagnostic) -> Diagnostic:
        """Return a diagnostic of the value, whose span counts from the value's own start, as one of the override."""
        if fault.span is None:
            return replace(fault, origin=self.origin)
        dotted, _, written = self.text.partition("=")
        ahead = len("--set ") + len(dotted) + 1 + written.startswith("\ufeff")
        first = Source("", self.origin).position(ahead)
        start, end = (
            Position(at.line + first.line - 1, at.column + (first.column - 1) * (at.line == 1))
            for at in (fault.span.start, fault.span.end)
        )
        return replace(fault, span=Span(start, end), origin=self.origin)

    def on_path(self, fault: Diagnostic) -> Diagnostic:
        """Return the diagnostic with the path of the override, or its last key, for its place."""
        dotted = self.text.partition("=")[0]
        start = len("--set ")
        end = start + max(1, len(dotted))
        if fault.at_key:
            start += dotted.rfind(".") + 1
        return replace(fault, span=Source("", self.origin).span(Extent(start, end)), origin=self.origin)


def apply(value: Value, texts: Sequence[str]) -> tuple[Value, tuple[Override, ...], tuple[Diagnostic, ...]]:
    """Put overrides into the plain value of a spec, one after another.

    Args:
        value: The spec as it was read.
        texts: `path=value` each; the value is read like a value of the file.

    Returns:
        The new value, the overrides with their paths, and what is wrong with them. A wrong one changes nothing.
    """
    overrides: list[Override] = []
    diagnostics: list[Diagnostic] = []
    for text in texts:
        dotted, equals, written = text.partition("=")
        override = Override(text=text, source=parse_value(written, "--set"))
        keys = dotted.strip().split(".")
        if not equals or "" in keys:
            message = f"an override must be path=value, found '{brief(text)}'"
            fault = Diagnostic(code="FF010", message=message, hint="write, say, optimizer.sgd.lr=0.1")
            diagnostics.append(override.on_path(fault))
            continue
        if override.source.diagnostics:
            diagnostics += [replace(override.shifted(item), path=()) for item in override.source.diagnostics]
            continue
        try:
            value, path = put(value, keys, override.source.value)
        except Misplaced as error:
            diagnostics.append(override.on_path(Diagnostic(code="FF010", message=error.message, hint=error.hint)))
            continue
        overrides.append(replace(override, path=path))
    return value, tuple(overrides), tuple(diagnostics)


def put(value: Value, keys: Sequence[str], new: Value) -> tuple[Value, Path]:
    """Return the plain value of a spec with `new` under the keys, and the path the keys stand for.

    Raises:
        Misplaced: They lead nowhere.
    """
    if re.match(r"\w+\[-?\d+\]", keys[0]):  # as Python has it
        written = re.sub(r"\[(-?\d+)\]", r".\1", ".".join(keys))
        raise Misplaced(
            f"an item of a list is named by its number behind a dot, found '{brief(keys[0])}'", f"write {written}"
        )
    return _put(value, grammar.ROOT, keys, new)


def _put(value: Any, kinds: grammar.Kinds, keys: Sequence[str], new: Value) -> tuple[Value, Path]:
    """Return `value` with `new` under the keys, and the path the keys stand for."""
    if not keys:
        return new, ()
    family = next((kind for kind in kinds if isinstance(kind, Family)), None)
    if family is not None:
        return _put_component(value, family, kinds, keys, new)
    items = next((kind for kind in kinds if isinstance(kind, grammar.Items)), None)
    node = grammar.node_of(kinds)
    if items is not None and (node is None or isinstance(value, tuple)):
        return _put_item(value, kinds, keys, new)
    if node is None:
        raise Misplaced(f"a value has no keys under it, found '{keys[0]}'")
    return _put_key(_as_mapping(value, node), node, keys, new)


def _put_key(value: dict[str, Value], node: type[Node], keys: Sequence[str], new: Value) -> tuple[Value, Path]:
    key, rest = _first_key(value, node, keys)
    family = getattr(node, "family", None)
    if isinstance(family, Family) and key not in value:
        current = next((name for name in value if family.find(name) is not None), None)
        if current is not None and family.find(key) is not None:
            raise _other_component(family, current, key)
        if current is not None and grammar.descend((family.find(current),), key):
            raise _nameless(family, current, key)
    inner, path = _put(value.get(key), grammar.descend((node,), key), rest, new)
    return {**value, key: inner}, (key, *path)


def _put_component(
    value: Any, family: Family, kinds: grammar.Kinds, keys: Sequence[str], new: Value
) -> tuple[Value, Path]:
    name, *rest = keys
    mapping: Any = {value: None} if isinstance(value, str) else {} if value is None else value
    if not isinstance(mapping, Mapping):
        raise Misplaced(f"{describe(value)} is no {family.kind}, so nothing can be set under it")
    current = next(iter(mapping), None)
    if current is not None and name != current:
        member = family.find(current)
        if member is not None and grammar.descend((member,), name):
            raise _nameless(family, current, name)
        if family.find(name) is not None:
            raise _other_component(family, current, name)
        near = suggest(name, [current])
        hint = f"did you mean '{near}'?" if near else None
        raise Misplaced(f"the {family.kind} is '{current}', found '{brief(name)}'", hint)
    inner, path = _put(mapping.get(name), grammar.descend(kinds, name), rest, new)
    return {**mapping, name: inner}, (name, *path)


def _put_item(value: Any, kinds: grammar.Kinds, keys: Sequence[str], new: Value) -> tuple[Value, Path]:
    items = value if isinstance(value, tuple) else ()
    key, *rest = keys
    if not key.removeprefix("-").isascii() or not key.removeprefix("-").isdecimal():
        raise Misplaced(f"an item of a list is named by its number, found '{key}'", "the first is 0, the last -1")
    index = int(key) if len(key) < 10 else len(items)
    if not -len(items) <= index < len(items):
        there = f"the numbers here go from 0 to {len(items) - 1}" if items else "the list is empty"
        raise Misplaced(f"there is no item {key}: {there}")
    index %= len(items)
    inner, path = _put(items[index], grammar.descend(kinds, index), rest, new)
    return (*items[:index], inner, *items[index + 1 :]), (index, *path)


def _first_key(value: Mapping[str, Value], node: type[Node], keys: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Take the first key off; keys of an open mapping, such as test.loss, hold a dot themselves."""
    if not grammar.is_open(node) or keys[0] in node.model_fields:
        return keys[0], keys[1:]
    for length in range(len(keys), 0, -1):
        if ".".join(keys[:length]) in value:
            return ".".join(keys[:length]), keys[length:]
    most = len(keys) if getattr(node, "dotted", False) else 2
    return ".".join(keys[:most]), keys[most:]


def _as_mapping(value: Any, node: type[Node]) -> dict[str, Value]:
    """Spell out what stands for a mapping: nothing, a name, the sole argument, a node's own short form."""
    if isinstance(value, Mapping):
        return dict(value)
    if value is None:
        return {}
    if issubclass(node, Component):
        if node.sole is None:
            raise Misplaced(f"'{node.name}' must have a mapping of arguments, found {describe(value)}")
        return {node.sole: value}
    family = getattr(node, "family", None)
    if isinstance(family, Family) and isinstance(value, str):
        return {value: None}
    try:
        short = node.model_validate(value)
    except ValidationError:
        raise Misplaced(f"a mapping must stand here to set a key in it, found {describe(value)}") from None
    return {name: to_plain(getattr(short, name)) for name in short.model_fields_set}


def _other_component(family: Family, current: str, name: str) -> Misplaced:
    message = f"the {family.kind} is '{current}', not '{name}'"
    return Misplaced(message, f"set the {family.kind} itself to '{name}' first, or write '{current}'")


def _nameless(family: Family, current: str, key: str) -> Misplaced:
    message = f"the path must name the {family.kind}, found '{key}'"
    return Misplaced(message, f"write {current}.{key}")
