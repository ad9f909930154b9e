"""A spec file that has been read and validated: its Spec, and every structural fault with its place."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Container, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pydantic import ValidationError, create_model

from ffspec import diagnostics as rendering
from ffspec import source as reading
from ffspec.diagnostics import Diagnostic, Edit, Patch, Path, Position, Span
from ffspec.overrides import Override
from ffspec.points import Space, as_value, settled, space_of, strange_axes
from ffspec.source import Extent, Source
from ffspec.spec import grammar
from ffspec.spec.base import Component, Node
from ffspec.spec.faults import MAX_FAULTS, faults
from ffspec.spec.root import Spec

NAMELESS = "<spec>"
"""The name of a spec made in Python."""


@dataclass(frozen=True)
class Document:
    """A spec with the text it was read from."""

    source: Source
    spec: Spec | None
    """The spec; None where anything structural is wrong."""
    parts: Mapping[str, Any]
    """The valid top-level values by key, defaults included. An invalid layer is None in the tuple of layers."""
    diagnostics: tuple[Diagnostic, ...]
    """The structural faults, in file order; those of overrides follow."""
    directory: pathlib.Path = field(default_factory=pathlib.Path)
    """Where relative paths of data files start."""
    overrides: tuple[Override, ...] = ()

    def locate(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return the diagnostic with its place in the file or in an override, found by its path, and its patch.

        What is not in the file is shown where it would be: at the key of the mapping it belongs to, or, for the
        argument that may stand alone, at the value standing alone.
        """
        if diagnostic.span is not None or diagnostic.origin is not None:
            return diagnostic
        path = self._written(diagnostic.path)
        _, rest = grammar.find(path, self.source.value)
        for override in reversed(self.overrides):
            under = override.path == path[: len(override.path)]
            if under and (path != override.path or not diagnostic.at_key):
                extent = _extent(override.source, path[len(override.path) :], diagnostic, above=override.path)
                return override.in_value(diagnostic, extent)
            if under or _shared(override.path, path) > len(path) - len(rest):
                return override.on_path(diagnostic)
        if () not in self.source.places:
            return diagnostic
        span = self.source.span(_extent(self.source, path, diagnostic))
        return replace(diagnostic, span=span, patch=self._patch(diagnostic.edit))

    def _written(self, path: Path) -> Path:
        """Return the path of what says it: the recipe, for a key it has filled."""
        value = self.source.value
        from_recipe = isinstance(value, Mapping) and "recipe" in value and bool(path) and path[0] not in value
        return ("recipe",) if from_recipe else path

    def _patch(self, edit: Edit | None) -> Patch | None:
        """Return an edit as one of the file, unless an override says what it would change."""
        if (
            edit is None
            or self._written(edit.path) != edit.path
            or any(_shared(item.path, edit.path) == min(len(item.path), len(edit.path)) for item in self.overrides)
        ):
            return None
        from ffspec.patches import patch

        return patch(self.source, edit, lambda path: grammar.sole_of(grammar.at(path)))

    def render(self, diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
        """Return diagnostics as people read them, located and in file order."""
        located = in_order(self.locate(item) for item in diagnostics)
        return rendering.render(located, file=self.source.name, text=self.source.text, colour=colour)


def load(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Document:
    """Read and validate a spec file, or standard input where `path` is "-".

    Never raises for what a user may have written: the document's `diagnostics` say what is wrong.
    """
    name = os.fspath(path)
    return _validate(reading.read(name), overrides, pathlib.Path() if name == "-" else pathlib.Path(name).parent)


def parse(
    text: str, name: str = "<text>", overrides: Sequence[str] = (), directory: str | os.PathLike[str] = "."
) -> Document:
    """Validate a spec given as text; `name` is what diagnostics call it. See `load`."""
    return _validate(reading.parse(text, name), overrides, pathlib.Path(directory))


def of(spec: Spec) -> Document:
    """Return the document of a spec made in Python: it has no text, so what is found in it has no place."""
    return Document(Source(NAMELESS, ""), spec, dict(spec), (), spec.directory)


def space(opened: Document, spec: Spec) -> Space:
    """Return the points of a document's sweep; `spec` is its spec as it is to be run.

    Raises:
        ValueError: It has no sweep.
    """
    texts = [item.text for item in opened.overrides]
    value = opened.source.value if isinstance(opened.source.value, dict) else as_value(spec)
    return space_of(spec, value, texts)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort located diagnostics by their place in the file; those of overrides follow."""
    start = Span(Position(0, 0), Position(0, 0))
    return tuple(
        sorted(diagnostics, key=lambda item: (True, start) if item.origin is not None else (False, item.span or start))
    )


def _validate(source: Source, texts: Sequence[str], directory: pathlib.Path) -> Document:
    if not isinstance(source.value, dict):
        return Document(source, None, {}, source.diagnostics, directory)
    value, overrides, misplaced = settled(source.value, texts)
    found: tuple[Diagnostic, ...] = ()
    spec = None
    try:
        spec = Spec.model_validate(value)
    except ValidationError as failure:
        found = faults(failure, value)
    else:
        if spec.sweep is not None and not misplaced:
            found = strange_axes(space_of(spec, source.value, [item.text for item in overrides]))
    unplaced = Document(source, None, {}, (), directory, overrides)
    located = (unplaced.locate(item) for item in found if not _unread(source, item.path))
    order = {f"--set {text}": index for index, text in enumerate(texts)}
    unordered = (*source.diagnostics, *misplaced, *located)
    diagnostics = in_order(sorted(unordered, key=lambda item: order.get(item.origin or "", -1)))
    spoiled = {*(item.path for item in found), *source.unread}
    parts: Mapping[str, Any] = {}
    if spec is not None and not source.unread:
        parts = dict(spec)
    elif len(found) < MAX_FAULTS:
        parts = _parts(cast("dict[str, Any]", value), spoiled)
    return Document(source, None if diagnostics else spec, parts, diagnostics, directory, overrides)


def _unread(source: Source, path: Path) -> bool:
    """Return whether a path leads into a value that could not be read, which is a diagnostic already."""
    written, _ = grammar.find(path, source.value)
    return any(written[:length] in source.unread for length in range(len(written) + 1))


def _parts(value: Mapping[str, Any], spoiled: Iterable[Path]) -> dict[str, Any]:
    """Validate what no fault lies in."""
    bad = {path[0] for path in spoiled if path}
    good = {name: copy(item) for name, item in Spec.model_fields.items() if name not in bad}
    fields: dict[str, Any] = {name: (item.annotation, item) for name, item in good.items()}
    parts: type[Node] = create_model("Parts", __base__=Node, **fields)
    try:
        node = parts.model_validate({key: value[key] for key in good if key in value})
    except ValidationError:  # a fault that only shows without the others
        return {}
    layers = value.get("layers")
    if "layers" in bad and isinstance(layers, tuple) and ("layers",) not in spoiled:
        return {**dict(node), "layers": _layers(layers, {path[1] for path in spoiled if path[:1] == ("layers",)})}
    return dict(node)


def _layers(items: tuple[Any, ...], bad: Container[str | int]) -> tuple[Any, ...]:
    family = grammar.family_of(grammar.at(("layers", 0)))
    assert family is not None  # noqa: S101 (the models say so)
    return tuple(None if index in bad else family.parse(item) for index, item in enumerate(items))


def _extent(source: Source, path: Path, fault: Diagnostic, above: Path = ()) -> Extent:
    """Return where a path stands in a text, or else where it would."""
    written, rest = grammar.find(path, source.value, above)
    place = source.places[written]
    empty = place.value.start == place.value.end
    if place.key is not None and (fault.at_key or empty or _beside(source, written, rest, above)):
        return place.key
    if not written and rest:
        return min((item.key for item in source.places.values() if item.key is not None), default=place.value)
    return place.value


def _beside(source: Source, written: Path, rest: Path, above: Path) -> bool:
    """Return whether what is missing belongs beside the value found, not into it: then the key is the place to show."""
    if not rest:
        return False
    kinds = grammar.at((*above, *written))
    return isinstance(_at(source.value, written), Mapping) or any(
        isinstance(kind, type) and issubclass(kind, Component) for kind in kinds
    )


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _shared(left: Path, right: Path) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
