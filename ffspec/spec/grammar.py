"""What may be written where: the spec's models, read as a grammar and walked along the path of a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from ffspec.diagnostics import Path
from ffspec.spec.base import Component, Family, Node
from ffspec.spec.root import Spec


@dataclass(frozen=True, slots=True)
class Items:
    """A list: what each item may be, or what each of a fixed number may be."""

    kinds: tuple[Any, ...]
    endless: bool


Kind: TypeAlias = "type[Node] | Family | Items | Any"
"""One thing that may stand at a place: a mapping, a component, a list, or a plain value by its annotation."""

Kinds: TypeAlias = tuple[Kind, ...]

ROOT: Kinds = (Spec,)
"""What a whole spec is."""


def kinds_of(annotation: Any, metadata: tuple[Any, ...] = ()) -> Kinds:
    """Return what a field's annotation allows, the branches of a union one by one."""
    family = next((item for item in metadata if isinstance(item, Family)), None)
    if family is not None:
        return (family,)
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *rest = get_args(annotation)
        return kinds_of(inner, tuple(rest))
    if origin in (Union, UnionType):
        return tuple(kind for branch in get_args(annotation) for kind in kinds_of(branch))
    if origin is tuple:
        items = get_args(annotation)
        endless = len(items) == 2 and items[1] is Ellipsis
        return (Items(items[:1] if endless else items, endless),)
    return (annotation,)


def descend(kinds: Kinds, key: str | int) -> Kinds:
    """Return what may stand under a key or an index; nothing where the key is unknown."""
    return tuple(inner for kind in kinds for inner in _inside(kind, key))


def at(path: Path) -> Kinds:
    """Return what may stand at a path from the root; component names are part of a path."""
    kinds = ROOT
    for key in path:
        kinds = descend(kinds, key)
    return kinds


def keys_of(kinds: Kinds) -> tuple[str, ...]:
    """Return the keys a mapping may have here, the names of components included."""
    return tuple(dict.fromkeys(key for kind in kinds for key in _keys(kind)))


def node_of(kinds: Kinds) -> type[Node] | None:
    """Return the node that may be written here as a mapping of its fields, if there is one."""
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Node)), None)


def family_of(kinds: Kinds) -> Family | None:
    """Return the family of components that may stand here, or whose names may stand here as keys."""
    for kind in kinds:
        if isinstance(kind, Family):
            return kind
        family = getattr(kind, "family", None)
        if isinstance(family, Family):
            return family
    return None


def sole_of(kinds: Kinds) -> str | None:
    """Return the argument that may stand alone here, if there is one."""
    return next((kind.sole for kind in kinds if isinstance(kind, type) and issubclass(kind, Component)), None)


def is_open(node: type[Node]) -> bool:
    """Return whether a node takes keys beyond its fields."""
    return node.model_config.get("extra") == "allow"


def find(path: Path, value: Any, above: Path = ()) -> tuple[Path, Path]:
    """Split a path into the part that was written in `value`, as it was written, and the part that was not.

    `value` stands at the path `above` of the spec, and `path` goes on from there.

    The argument that may stand alone is in the path of a fault, but in the document only where it is spelled out:
    `("layers", 0, "residual", "layers", 1)` is written at `("layers", 0, "residual", 1)`.
    """
    written: list[str | int] = []
    for index, key in enumerate(path):
        if _has(value, key):
            value = value[key]
            written.append(key)
        elif isinstance(value, Mapping) or sole_of(at((*above, *path[:index]))) != key:
            return tuple(written), path[index:]
    return tuple(written), ()


@dataclass(frozen=True, slots=True)
class Home:
    """A place where a key may be written."""

    section: str | None
    """The top-level key it is in; None: it is a top-level key itself."""
    members: tuple[str, ...] = ()
    """The components of the section that take it as an argument."""


def homes(key: str) -> Iterator[Home]:
    """Yield the places where a key may be written, the top level first."""
    if key in Spec.model_fields:
        yield Home(None)
    for section in Spec.model_fields:
        for kind in at((section,)):
            family = family_of(kinds_of(kind.kinds[0]) if isinstance(kind, Items) else (kind,))
            members = family.members if family is not None else ()
            users = tuple(member.name for member in members if key in member.model_fields)
            if users or key in _keys(kind):
                yield Home(section, users)


def _inside(kind: Kind, key: str | int) -> Kinds:
    if isinstance(kind, Family):
        member = kind.find(key) if isinstance(key, str) else None
        return (member,) if member is not None else ()
    if isinstance(kind, Items):
        if not isinstance(key, int):
            return ()
        if kind.endless:
            return kinds_of(kind.kinds[0])
        return kinds_of(kind.kinds[key]) if key < len(kind.kinds) else ()
    node = node_of((kind,))
    if node is None or not isinstance(key, str):
        return ()
    family = getattr(node, "family", None)
    member = family.find(key) if isinstance(family, Family) else None
    if member is not None:
        return (member,)
    field = _fields(node).get(key)
    if field is not None:
        return kinds_of(field.annotation, tuple(field.metadata))
    return _extra(node) if is_open(node) else ()


def _keys(kind: Kind) -> tuple[str, ...]:
    if isinstance(kind, Family):
        return kind.names
    node = node_of((kind,))
    if node is None:
        return ()
    fields = _fields(node)
    family = getattr(node, "family", None)
    if isinstance(family, Family):
        return (*(name for name, field in fields.items() if family not in field.metadata), *family.names)
    return tuple(fields)


def _fields(node: type[Node]) -> dict[str, FieldInfo]:
    if not node.__pydantic_fields_complete__:
        node.model_rebuild()
    return node.model_fields


def _extra(node: type[Node]) -> Kinds:
    arguments = get_args(get_type_hints(node, include_extras=True).get("__pydantic_extra__"))
    return kinds_of(arguments[1]) if len(arguments) == 2 else ()


def _has(value: Any, key: str | int) -> bool:
    if isinstance(value, Mapping):
        return key in value
    return isinstance(value, tuple) and isinstance(key, int) and 0 <= key < len(value)
