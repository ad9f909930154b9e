"""The points of a sweep: what each axis says there, and the spec that makes.

A point is a spec with values put into it as `--set` puts them, before its recipe is expanded and anything validated. It
depends on the sweep's seed and on its number alone, so that a sweep that was stopped goes on with the points it had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, floor, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ffspec import diagnostics
from ffspec.diagnostics import Diagnostic
from ffspec.overrides import Misplaced, Override, apply, put
from ffspec.seeds import derive
from ffspec.spec.base import Component, describe, to_plain
from ffspec.spec.expansion import expand
from ffspec.spec.faults import faults
from ffspec.spec.metrics import DEFAULTS, find_metric
from ffspec.spec.root import Spec
from ffspec.spec.sweep import LogUniform, Uniform, between, values_of
from ffspec.suggest import suggest

if TYPE_CHECKING:
    from ffspec.source import Value
    from ffspec.spec.sweep import Axis, Sweep

Point = dict[str, Any]
"""The value of each axis, by its path; nothing for the spec as it stands."""

EXPANDING = frozenset({"recipe", "dataset", "loss"})
"""The keys a recipe looks at."""

AXES: diagnostics.Path = ("sweep", "axes")

CHECKED = 100
"""Values of an axis that are checked one by one, and points that are checked together."""


class BadPoint(Exception):
    """A point is no spec; `faults` are located on its axes."""

    def __init__(self, found: Sequence[Diagnostic]) -> None:
        super().__init__(found)
        self.faults = tuple(found)


def settled(
    value: Value, texts: Sequence[str], point: Mapping[str, Any] | None = None
) -> tuple[Value, tuple[Override, ...], tuple[Diagnostic, ...]]:
    """Return a spec's value with overrides and a point put in, and its recipe expanded.

    What a recipe depends on is set before it is expanded, and what it says may be overridden.

    Raises:
        BadPoint: A path of the point leads nowhere.
    """
    first = [text for text in texts if _is_early(text.partition("=")[0])]
    value, before, strange = apply(value, first)
    value = _placed(value, point or {}, expanding=True)
    value, after, others = apply(expand(value), [text for text in texts if text not in first])
    return _placed(value, point or {}, expanding=False), (*before, *after), (*strange, *others)


def _is_early(dotted: str) -> bool:
    """Return whether a path is one a recipe looks at: all layers too, for it leaves out what is for others."""
    return _head(dotted) in EXPANDING or dotted.strip() == "layers"


def _head(dotted: str) -> str:
    return dotted.partition(".")[0].strip()


def _placed(value: Any, point: Mapping[str, Any], *, expanding: bool) -> Any:
    """Put the values of a point in, those of short paths first: an axis may change what another has put there."""
    for name in sorted(point, key=lambda name: name.count(".")):
        if _is_early(name) != expanding:
            continue
        if name == "recipe" and "recipe" not in value:
            hint = "write the recipe as the file has it"
            raise BadPoint([_nowhere(name, "there must be a recipe in the spec for another to take its place", hint)])
        try:
            value, _ = put(value, name.split("."), point[name])
        except Misplaced as error:
            raise BadPoint([_nowhere(name, error.message, error.hint)]) from None
    return value


def _nowhere(name: str, message: str, hint: str | None) -> Diagnostic:
    """Return the fault of a path that leads nowhere; of an unknown first key, that one."""
    if hint is None and _head(name) not in Spec.model_fields:
        near = suggest(_head(name), Spec.model_fields)
        message, hint = f"unknown key '{diagnostics.brief(_head(name))}'", f"did you mean '{near}'?" if near else None
    return Diagnostic(code="FF019", message=message, path=(*AXES, name), at_key=True, hint=hint)


@dataclass(frozen=True)
class Space:
    """All points of a sweep."""

    sweep: Sweep
    value: Mapping[str, Value]
    """The spec as it was read, without its sweep."""
    texts: tuple[str, ...] = ()
    """Overrides, as they were written."""
    directory: Path = Path()
    allowed: frozenset[str] = frozenset()

    @cached_property
    def axes(self) -> dict[str, Axis]:
        """The axes, by the path of what they change."""
        return self.sweep.axes.items

    @cached_property
    def size(self) -> int | None:
        """How many points a grid has, the spec as it stands among them; None for what is drawn."""
        if self.sweep.method != "grid":
            return None
        return 1 + prod(len(values_of(axis) or ()) for axis in self.axes.values())

    @cached_property
    def trials(self) -> int | None:
        """How many points are tried at most; None: as many as there is time for."""
        known = [count for count in (self.size, self.sweep.trials) if count is not None]
        return min(known, default=None)

    def point(self, number: int) -> Point:
        """Return a point of a grid or a random search; number 0 is the spec as it stands."""
        if number == 0:
            return {}
        if self.sweep.method == "grid":
            return self._of_grid(number - 1)
        return {name: between(axis, self._share(number, name)) for name, axis in self.axes.items()}

    def _of_grid(self, index: int) -> Point:
        """Return a combination; the last axis changes fastest, as in nested loops."""
        found: Point = {}
        for name, axis in reversed(self.axes.items()):
            values = values_of(axis) or ()
            index, place = divmod(index, len(values))
            found[name] = values[place]
        return {name: found[name] for name in self.axes}

    def _share(self, number: int, name: str) -> float:
        """Draw how far along an axis a point is, from 0 up to 1: of each axis and point a stream of its own."""
        return float(derive(self.sweep.seed, f"sweep/{number}/{name}", bits=53) / 2**53)

    def spec(self, point: Point) -> Spec:
        """Return the spec of a point, without the sweep.

        Raises:
            BadPoint: It is none.
        """
        try:
            made = Spec.model_validate(self._value(point))
        except ValidationError as failure:
            raise BadPoint([self.blamed(point, item) for item in faults(failure, self._value(point))]) from None
        return self._measuring(made).at(self.directory, allowed=self.allowed)

    def _value(self, point: Point) -> dict[str, Value]:
        value, _, _ = settled({**self.value}, self.texts, point)
        assert isinstance(value, dict)  # noqa: S101 (it was one)
        return {key: item for key, item in value.items() if key != "sweep"}

    def _measuring(self, spec: Spec) -> Spec:
        """Let the spec measure what the sweep chooses by, if it does not."""
        metric = find_metric(self.sweep.metric.partition(".")[2])
        named = spec.metrics if metric is None or spec.metrics is not None else DEFAULTS[metric.target]
        if metric is None or named is None or metric.name in named:
            return spec
        return spec.model_copy(update={"metrics": (*named, metric.name)})

    def blamed(self, point: Point, item: Diagnostic) -> Diagnostic:
        """Return what is wrong with the spec of a point as a fault of its axes."""
        for name in sorted(point, key=len, reverse=True):
            path = _path_of(self.value, name)
            if item.at_key and path[: len(item.path)] == item.path:
                return replace(item, path=(*AXES, name), edit=None)
            if item.path == path and (misread := _misread(name, self.axes[name], item)) is not None:
                return misread
            if item.path[: len(path)] == path:
                place = [index for index, one in enumerate(_listed(self.axes[name])) if one is point[name]]
                if place:
                    return replace(item, path=(*AXES, name, place[0], *item.path[len(path) :]), edit=None)
                return replace(item, path=(*AXES, name), at_key=False, edit=None)
        message = f"with {told(point)}: {item.message}"
        path = (*AXES, *point) if len(point) == 1 else AXES
        return replace(item, message=message, path=path, at_key=True, edit=None)

    @cached_property
    def standing(self) -> Point | None:
        """The spec as it stands, said as a point; None where one of its values is on no axis."""
        spec, found = self.spec({}), {}
        for name, axis in self.axes.items():
            value = _value_at(spec, name.split("."))
            if isinstance(axis, tuple):
                place = next((item for item in axis if repr(item) == repr(value)), None)
            else:
                low, high = axis.range
                fits = isinstance(value, type(low)) and not isinstance(value, bool) and low <= value <= high
                place = value if fits else None
            if place is None:
                return None
            found[name] = place
        return found

    def alone(self) -> Iterator[Point]:
        """Yield the points in which one axis differs from the spec: all its values, or the ends of its range."""
        for name, axis in self.axes.items():
            for value in axis[:CHECKED] if isinstance(axis, tuple) else axis.range:
                yield {name: value}

    def together(self) -> Iterator[Point]:
        """Yield the corners, and the first points that are drawn."""
        names = list(self.axes)
        for corner in range(min(2 ** len(names), CHECKED)):
            yield {name: between(self.axes[name], float(corner >> place & 1)) for place, name in enumerate(names)}
        if self.sweep.method in {"grid", "random"}:
            for number in range(1, min(self.trials or CHECKED, CHECKED)):
                yield self.point(number)


def _misread(name: str, axis: Axis, item: Diagnostic) -> Diagnostic | None:
    """Return what is wrong with an axis as a whole where none of its values can be right; nothing where some may be."""
    if " must be a whole number" in item.message and isinstance(axis, Uniform | LogUniform):
        whole, (low, high) = "int" if isinstance(axis, Uniform) else "log_int", axis.range
        message = f"'{diagnostics.brief(name)}' must be whole numbers, and {axis.name} draws any"
        hint = f"write {{{whole}: [{ceil(low)}, {floor(high)}]}}"
        return Diagnostic(code=item.code, message=message, hint=hint, path=(*AXES, name))
    if " must be a list, found" in item.message and not any(isinstance(one, tuple) for one in _listed(axis)):
        message = f"'{diagnostics.brief(name)}' must be a list of lists, each of which is tried"
        return Diagnostic(code=item.code, message=message, hint="write [[...], [...]]", path=(*AXES, name))
    return None


def _listed(axis: Axis) -> tuple[Any, ...]:
    return axis if isinstance(axis, tuple) else ()


def _path_of(value: Any, name: str) -> diagnostics.Path:
    """Return the path that the keys of an axis stand for."""
    try:
        return put(value, name.split("."), None)[1]
    except Misplaced:
        return tuple(int(key) if key.isdecimal() else key for key in name.split("."))


def described(space: Space) -> str:
    """Say what a sweep tries, in a line."""
    most, seconds = space.trials, space.sweep.seconds
    how = [] if most is None else [f"{most:,} points"]
    how += [] if seconds is None else [f"{seconds:g} seconds"]
    whole = f" of {space.size:,}" if space.size is not None and space.size != most else ""
    return f"{', at most '.join(how)}{whole}, {space.sweep.method}: {', '.join(space.axes)}"


def _value_at(spec: Spec, keys: Sequence[str]) -> Any:
    """Return the plain value at a path of a spec; None where it has another form, or none."""
    node: Any = spec
    for key in keys:
        if isinstance(node, tuple):
            node = node[int(key)] if key.lstrip("-").isdecimal() and -len(node) <= int(key) < len(node) else None
        elif isinstance(node, Component) and key == node.name:
            continue
        else:
            source = getattr(node, "source", None)
            node = source if getattr(source, "name", None) == key else getattr(node, key, None)
    return to_plain(node)


def told(point: Point) -> str:
    """Say what a point is, in a line."""
    return ", ".join(f"{name}={shown(value)}" for name, value in point.items())


def shown(value: Any) -> str:
    """Return a plain value in YAML's flow style, short."""
    return diagnostics.brief(flow(value))


def flow(value: Any) -> str:
    """Return a plain value in YAML's flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else describe(value)


def as_value(spec: Spec) -> Mapping[str, Value]:
    """Return the plain value of a spec made in Python."""
    return cast("dict[str, Any]", to_plain(spec.model_copy(update={"sweep": None})))


def space_of(spec: Spec, value: Mapping[str, Value], texts: Sequence[str] = ()) -> Space:
    """Return the points of a spec, given the plain value it was read from and its overrides.

    Raises:
        ValueError: It has no sweep.
    """
    if spec.sweep is None:
        raise ValueError("the spec has no sweep")
    return Space(spec.sweep, value, tuple(texts), spec.directory, spec.allowed)


def strange_axes(space: Space) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the axes one by one: a path that leads nowhere, a value that may not stand there."""
    found: dict[tuple[str, diagnostics.Path], Diagnostic] = {}
    for point in space.alone():
        (name,) = point
        if ("FF019", (*AXES, name)) in found:
            continue
        try:
            space.spec(point)
        except BadPoint as bad:
            found |= {(item.code, item.path): item for item in bad.faults}
    return tuple(found.values())
