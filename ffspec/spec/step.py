"""The lowered form of a spec: shapes, counts and torch calls as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ffspec.diagnostics import Path
    from ffspec.spec.base import Component

Shape: TypeAlias = tuple[int | None, ...]
"""The shape of one row, without the batch; None where only the data can tell."""


LINEARS = frozenset({"nn.Linear", "ffspec.NTKLinear"})
"""The calls that make a weighted sum of all inputs; the second is a subclass of the first."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a torch class as data: `Call("nn.Linear", {"in_features": 2, "out_features": 10})`.

    `target` begins with the namespace: `nn`, `optim`, `lr_scheduler` (PyTorch's) or `ffspec` (what PyTorch lacks).
    """

    target: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the call as Python text."""
        return f"{self.target}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One module of the network: what a layer becomes once the shape it receives is known."""

    call: Call
    input: Shape
    output: Shape
    parameters: int | None = 0
    """Trainable numbers; None if a width is unknown."""
    flops: int | None = 0
    """Floating-point operations of one row's forward pass: 2 per multiply-add, 1 per other element operation."""
    path: Path = ()
    """The layer in the document; the steps of a `repeat` share theirs."""
    layer: str = ""
    """The name of the layer."""
    initialisers: dict[str, Component] = field(default_factory=dict)
    """The initialiser of each parameter that does not start as PyTorch would start it."""
    steps: tuple[Step, ...] = ()
    """What is inside a block."""
    members: int | None = None
    """How many there are of it, where each member of an ensemble has its own; its counts are those of all of them."""


class Misfit(Exception):
    """A layer cannot take the shape it receives."""

    def __init__(
        self, code: str, message: str, *, argument: str | None = None, hint: str | None = None, instead: Any = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.argument = argument
        self.hint = hint
        self.instead = instead
        """The value to write for `argument`, where there is only one."""


def fields_of(component: Component) -> dict[str, Any]:
    """Return a component's own fields as arguments of the torch call."""
    return {name: getattr(component, name) for name in type(component).model_fields}


def given(component: Component) -> dict[str, Any]:
    """Return a component's own fields but those left out: PyTorch has defaults for them."""
    return {name: value for name, value in fields_of(component).items() if value is not None}


def size(shape: Shape) -> int | None:
    """Return the number of elements of a row, or None if it is unknown."""
    known = [width for width in shape if width is not None]
    return prod(known) if len(known) == len(shape) else None


def times(count: int | None, factor: int | None) -> int | None:
    """Multiply, where None stands for an unknown number."""
    return None if count is None or factor is None else count * factor
