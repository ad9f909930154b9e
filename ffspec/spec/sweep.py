"""A sweep: which values of a spec are tried in turn, how they are chosen, and by what the best is."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from math import exp, log, prod
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, final

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from ffspec.spec.base import Component, Either, Family, Node, refuse, require
from ffspec.spec.metrics import METRICS
from ffspec.suggest import suggest

MEASURES: tuple[str, ...] = ("validation.loss", *(f"validation.{one.name}" for one in METRICS))
"""What the best may be the best in."""

DIGITS = 6
"""Significant digits of a number that is drawn: enough to find anything, and few enough to read."""

MOST = 10_000
"""Values of one axis of a grid, at most."""


class Range(Component):
    """Numbers between two bounds."""

    sole: ClassVar[str | None] = "range"
    range: tuple[float, float]

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.range
        turned = f"; write [{high}, {low}]" if low > high else "; for one value, write a list of it"
        require(low < high, f"the bounds must be an interval, found {low} and {high}{turned}")
        return self

    @abstractmethod
    def at(self, share: float) -> float | int:
        """Return the number at a share of the way, from 0 up to but not including 1."""


@final
class Uniform(Range):
    """Numbers between two bounds, all as likely."""

    name: ClassVar[str] = "uniform"
    range: tuple[float, float] = Field(description="The lowest and the highest.")

    def at(self, share: float) -> float:
        """Return the number at a share of the way."""
        low, high = self.range
        return rounded(low + share * (high - low), low, high)


@final
class LogUniform(Range):
    """Numbers between two bounds, all orders of magnitude as likely."""

    name: ClassVar[str] = "log_uniform"
    range: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = Field(
        description="The lowest and the highest, both above 0."
    )

    def at(self, share: float) -> float:
        """Return the number at a share of the way between the logarithms."""
        low, high = self.range
        return rounded(exp(log(low) + share * (log(high) - log(low))), low, high)


@final
class Int(Range):
    """Whole numbers from one bound to the other, all as likely."""

    name: ClassVar[str] = "int"
    range: tuple[int, int] = Field(description="The lowest and the highest, both included.")

    def at(self, share: float) -> int:
        """Return the number at a share of the way."""
        low, high = self.range
        return min(high, low + int(share * (high - low + 1)))


@final
class LogInt(Range):
    """Whole numbers from one bound to the other, all orders of magnitude as likely."""

    name: ClassVar[str] = "log_int"
    range: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        description="The lowest and the highest, both included."
    )

    def at(self, share: float) -> int:
        """Return the number at a share of the way between the logarithms."""
        low, high = self.range
        return min(high, max(low, int(exp(log(low) + share * (log(high + 1) - log(low))))))


def rounded(value: float, low: float, high: float) -> float:
    """Return a number in few digits, within its bounds."""
    return min(high, max(low, float(f"{value:.{DIGITS}g}")))


RANGES: tuple[type[Range], ...] = (Uniform, LogUniform, Int, LogInt)


def frozen(value: Any) -> Any:
    """Return a plain value with tuples for lists, as a file gives it."""
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    return {key: frozen(item) for key, item in value.items()} if isinstance(value, dict) else value


Choices: TypeAlias = Annotated[
    tuple[Any, ...],
    BeforeValidator(frozen),
    Field(min_length=1, max_length=MOST, description="Values, as they would stand in the spec."),
]
RANGE = Family("range", "ffspec.spec.sweep:RANGES")
AnyRange: TypeAlias = Annotated[Range, RANGE]
AnyAxis: TypeAlias = Annotated[
    Choices | AnyRange,
    Either("a list of values, or a range such as {uniform: [0, 1]}"),
]
"""What one value of the spec may become."""


Axis: TypeAlias = tuple[Any, ...] | Range
"""The same, read."""


class Axes(Node):
    """What is tried: under the path of a value, a list of values or a range."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, AnyAxis]

    dotted: ClassVar[bool] = True
    """Whether a key is a path, with dots of its own."""

    @property
    def items(self) -> dict[str, Axis]:
        """The axes by path."""
        return dict(self.__pydantic_extra__ or {})


class Sweep(Node):
    """Which values are tried in turn, and by what the best is chosen."""

    axes: Axes = Field(description="Under the path of a value, as --set takes it, a list of values or a range.")
    method: Literal["grid", "random", "tpe", "hyperband"] = Field(
        "random",
        description="grid: every combination; random: points drawn at random; tpe: drawn where earlier ones were good; "
        "hyperband: as tpe, and the worst of each bracket are stopped early. The last two need optuna.",
    )
    metric: str = Field(
        "validation.loss",
        description="What the best is the best in: a measure of the validation split.",
        json_schema_extra={"enum": [*MEASURES]},
    )
    trials: int | None = Field(
        None, ge=1, le=1_000_000, description="The most points to try, the spec as it stands being the first."
    )
    seconds: float | None = Field(None, gt=0, le=1e9, description="No point is begun when so many have passed.")
    seed: int = Field(0, ge=0, le=2**53, description="What the points are drawn from.")
    storage: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Where several processes share a sweep: the URL of a database, or a journal file; nowhere but in "
        "the run directory if left out.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        axes = self.axes.items
        require(axes, "must name at least one path, such as optimizer.sgd.lr", "axes")
        for name, axis in axes.items():
            self._check_axis(name, axis)
        _check_metric(self.metric)
        if self.storage and re.search(r"://[^/\s]*:.*@", self.storage):
            refuse("must have no password, which would be copied with the spec: leave it to PGPASSWORD", "storage")
        if self.method != "grid":
            message = f"'{self.method}' has no end of its own: add trials: 50, or seconds: 600"
            require(self.trials is not None or self.seconds is not None, message)
            values = [values_of(axis) for axis in axes.values()]
            points = None if None in values else 1 + prod(len(listed or ()) for listed in values)
            message = f"must be grid: there are only {points} points, and others would be tried twice"
            require(points is None or (self.trials or 0) <= points, message, "method")
        return self

    def _check_axis(self, name: str, axis: Axis) -> None:
        first = name.partition(".")[0]
        require(first not in IDLE, f"must be a path of what is trained, and {first} is none", "axes", name)
        if self.method == "hyperband" and name in {"training.epochs", "training.max_steps"}:
            refuse("must not be an axis of hyperband, which compares trainings epoch by epoch", "axes", name)
        if self.method == "grid" and values_of(axis) is None:
            shown = ", ".join(f"{between(axis, share):g}" for share in (0.0, 0.25, 0.5, 0.75, 1.0))
            refuse(f"must be a list of values in a grid: write [{shown}], or method: random", "axes", name)
        if isinstance(axis, tuple):
            twice = [item for index, item in enumerate(axis) if _same(item, axis[:index])]
            require(not twice, f"must be different values, found {twice[0] if twice else ''} twice", "axes", name)


IDLE = frozenset({"ffspec", "name", "description", "sweep", "checks"})
"""Keys that change no training."""


def _same(item: Any, others: Sequence[Any]) -> bool:
    return any(type(item) is type(other) and item == other for other in others)


def _check_metric(metric: str) -> None:
    """Refuse what cannot, or must not, choose between points."""
    split, _, name = metric.partition(".")
    instead = f"validation.{name}" if name else "validation.loss"
    unfit = {"test": "what chose a network cannot judge it", "train": "it would choose what learns by heart"}
    if split in unfit:
        refuse(f"must be of the validation split, found '{metric}': {unfit[split]}; write {instead}", "metric")
    if metric not in MEASURES:
        near = suggest(name or metric, (measure.partition(".")[2] for measure in MEASURES))
        hint = f"did you mean validation.{near}?" if near else "write validation.accuracy, say"
        refuse(f"must be validation.loss or a metric of the validation split, found '{metric}'; {hint}", "metric")


def values_of(axis: Axis) -> tuple[Any, ...] | None:
    """Return all values of an axis, or None where there are too many."""
    if isinstance(axis, tuple):
        return axis
    if isinstance(axis, Int | LogInt) and axis.range[1] - axis.range[0] < MOST:
        return tuple(range(axis.range[0], axis.range[1] + 1))
    return None


def between(axis: Axis, share: float) -> Any:
    """Return the value at a share of an axis, from 0 to 1."""
    if isinstance(axis, tuple):
        return axis[min(int(share * len(axis)), len(axis) - 1)]
    return axis.range[1] if share >= 1 else axis.at(share)
