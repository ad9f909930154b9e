"""Parameter groups: factors of an optimizer's settings for some of the parameters.

A parameter is known by its own name, and by the names of the layers it is in: its own layer, and the blocks around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Field

from ffspec.spec.base import Either, Node, Several

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ffspec.spec.step import Step

Factor = Annotated[float, Field(ge=0, le=1e6)]
Kind: TypeAlias = Literal["weight", "bias"]


class ParameterGroup(Node):
    """Factors for the parameters that match; where several entries match, they multiply."""

    layers: Annotated[
        str | Several[str] | None,
        Either("a layer's name or a list of them"),
        Field(description="The layers, by their names; a block stands for all inside; all layers if left out."),
    ] = None
    parameters: Kind | None = Field(
        None, description="bias: those PyTorch calls bias; weight: all others; both if left out."
    )
    lr: Factor = Field(1.0, description="The factor of the learning rate, whatever the schedule; 0: not trained.")
    weight_decay: Factor = Field(1.0, description="The factor of weight_decay.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers; none for all."""
        return (self.layers,) if isinstance(self.layers, str) else self.layers or ()

    def holds(self, layers: Collection[str], kind: Kind) -> bool:
        """Return whether a parameter of this kind, in layers of these names, is meant."""
        return self.parameters in {None, kind} and (self.layers is None or any(name in layers for name in self.names))


Groups = Annotated[
    Several[ParameterGroup],
    Field(max_length=100, description="Factors of lr and weight_decay for some of the parameters."),
]


class Factors(NamedTuple):
    """What the settings of a parameter are multiplied with."""

    lr: float
    weight_decay: float


def factors(groups: Iterable[ParameterGroup], layers: Collection[str], kind: Kind) -> Factors:
    """Return the factors of a parameter of this kind, in layers of these names."""
    listed = [*groups]
    return factors_of(listed, [group.holds(layers, kind) for group in listed])


def kind_of(parameter: str) -> Kind:
    """Return the kind of a parameter by its name in the network."""
    return "bias" if parameter.rpartition(".")[2] == "bias" else "weight"


def modules(steps: Sequence[Step], prefix: str = "") -> Iterator[tuple[str, Step]]:
    """Yield the name of every module of the network, with its step."""
    for position, step in enumerate(steps):
        yield f"{prefix}{position}", step
        yield from modules(step.steps, f"{prefix}{position}.")


def names_of(step: Step) -> frozenset[str]:
    """Return the names of a step's layer and of the blocks around it."""
    around = (key for key in step.path if isinstance(key, str) and key != "layers")
    return frozenset({*around, step.layer})


def factors_by_name(groups: Sequence[ParameterGroup], steps: Sequence[Step], names: Iterable[str]) -> list[Factors]:
    """Return the factors of the parameters of a network, by their names in it."""
    return [factors_of(groups, match) for match in matches(groups, steps, names)]


def factors_of(groups: Sequence[ParameterGroup], match: Sequence[bool]) -> Factors:
    """Return the factors of a parameter that some of the entries are of."""
    lr = weight_decay = 1.0
    for group, meant in zip(groups, match, strict=True):
        if meant:
            lr, weight_decay = lr * group.lr, weight_decay * group.weight_decay
    return Factors(lr, weight_decay)


def matches(
    groups: Sequence[ParameterGroup], steps: Sequence[Step], names: Iterable[str]
) -> Iterator[tuple[bool, ...]]:
    """Yield for each of the parameters of a network, by their names in it, which of the entries are of it."""
    layers = {name: names_of(step) for name, step in modules(steps)}
    for name in names:
        module = name.rpartition(".")[0]
        while module and module not in layers:  # a module may be made of others
            module = module.rpartition(".")[0]
        around = layers.get(module, frozenset())
        yield tuple(group.holds(around, kind_of(name)) for group in groups)


def kinds(step: Step) -> tuple[Kind, ...]:
    """Return the kinds of parameters a step has of its own."""
    if step.parameters == 0 or step.steps:
        return ()
    biased = step.call.arguments.get("bias", step.call.target == "nn.BatchNorm1d")
    return ("weight", "bias") if biased is True else ("weight",)


def described(groups: Sequence[ParameterGroup], steps: Sequence[Step]) -> dict[Factors, list[str]]:
    """Return the groups of a network in its order: their factors, and what is in them in words."""
    found: dict[Factors, list[str]] = {}
    for _, step in modules(steps):
        for kind in kinds(step):
            members = found.setdefault(factors(groups, names_of(step), kind), [])
            around = [key for key in step.path if isinstance(key, str) and key not in {"layers", "repeat"}]
            text = " in ".join([f"{kind} of {step.layer}", *reversed(around)])
            if text not in members:
                members.append(text)
    return found
