"""Optimizers over the flat parameters of many networks, each member with numbers of its own.

Each takes the step of the torch.optim class of its name; where all members have the same numbers, by PyTorch's own
kernel for all of them at once, if there is one.

Shapes: M members, P parameters of a member; a flat tensor has shape (M * P,).
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from ffspec.builder.population import updates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ffspec.builder.population.blocks import Blocks

Group: TypeAlias = "Mapping[str, Any]"
"""The arguments of one member, as torch.optim has them in its groups of parameters."""


class Optimizer:
    """Takes the steps of all members.

    Args:
        name: The optimizer, as a spec has it.
        blocks: Where each parameter stands.
        flat: The parameters, which are changed in place.
        gradient: Their gradients, which may be changed too.
    """

    def __init__(self, name: str, blocks: Blocks, flat: Tensor, gradient: Tensor) -> None:
        self._name, self._blocks = name, blocks
        self.flat, self.gradient = flat, gradient
        self.groups: list[dict[str, Any]] = []
        self._alike: dict[str, bool] = {}
        """Whether all members have the same, of each argument."""
        self._known: dict[str, float | Tensor] = {}
        self._scratch = torch.empty_like(flat)
        self.state: dict[str, Tensor] = {}
        """Running means and the like, flat."""
        self.numbers: dict[str, list[float]] = {}
        """What is kept of each group beside."""
        self.steps = 0

    def tell(self, groups: Sequence[Group]) -> None:
        """Take note of the arguments of each group: those of the first kind of parameters of each member, then others.

        Of each kind one will do where all members have the same.
        """
        wanted = ARGUMENTS[self._name]
        found = [{name: group[name] for name in wanted} for group in groups]
        if found != self.groups:
            self.groups, self._known = found, {}
            self._alike = {name: all(group[name] == found[0][name] for group in found) for name in wanted}

    def step(self) -> None:
        """Take a step of every member."""
        self.steps += 1
        if self._name in FUSED and all(self._alike.values()):
            FUSED[self._name](self, self.groups[0])
        else:
            UPDATES[self._name](self)

    def number(self, of: Callable[[Group], float], *names: str, until: str = "told") -> float | Tensor:
        """Return a number that follows from a member's arguments: a float if it is the same for all, else flat.

        Args:
            of: How it follows.
            names: The arguments it follows from.
            until: What it is called, so that it is known until other arguments are told; "step": it changes every step.
        """
        if self.alike(*names):
            return of(self.groups[0])
        if until == "step":
            return self._blocks.of_groups([of(group) for group in self.groups], self.flat)
        if until not in self._known:
            self._known[until] = self._blocks.of_groups([of(group) for group in self.groups], self.flat)
        return self._known[until]

    def alike(self, *names: str) -> bool:
        """Return whether all members have the same, of some arguments."""
        return all(self._alike[name] for name in names)

    def argument(self, name: str) -> float | Tensor:
        """Return an argument that is a number."""
        return self.number(lambda group: float(group[name]), name, until=name)

    def root(self, square: Tensor) -> Tensor:
        """Return the square root, in a place that is used again."""
        return torch.sqrt(square, out=self._scratch)

    def zeros(self) -> Tensor:
        """Return zeros, in a place that is used again."""
        return self._scratch.zero_()

    def running(self, name: str, start: float | Tensor = 0.0) -> Tensor:
        """Return a part of the state, which starts from a value."""
        if name not in self.state:
            self.state[name] = torch.zeros_like(self.flat).add_(start)
        return self.state[name]

    def decayed(self) -> Tensor:
        """Return the gradients with those of the L2 penalty."""
        decay = self.argument("weight_decay")
        if isinstance(decay, Tensor):
            return self.gradient.addcmul_(self.flat, decay)
        return self.gradient.add_(self.flat, alpha=decay) if decay else self.gradient

    def remembered(self, name: str, start: Sequence[float]) -> list[float]:
        """Return numbers that are kept from step to step, one of each group; they start from some."""
        kept = self.numbers.setdefault(name, [*start])
        if len(kept) > len(self.groups):  # those that are left have all the same
            kept[:] = kept[:: len(kept) // self._blocks.kinds]
        return kept

    def spread(self, values: Sequence[float]) -> float | Tensor:
        """Return a number of each group: a float if it is the same for all, else flat."""
        alike = all(value == values[0] for value in values)
        return values[0] if alike else self._blocks.of_groups(values, self.flat)

    def subtract(self, direction: Tensor, size: float | Tensor, times: float = 1.0) -> None:
        """Go against a direction, so far times a factor."""
        if isinstance(size, Tensor):
            self.flat.addcmul_(direction, size, value=-times)
        else:
            self.flat.add_(direction, alpha=-size * times)

    def taken(self, blocks: Blocks, flat: Tensor, gradient: Tensor, members: Tensor) -> Optimizer:
        """Return what goes on with fewer members, by their places."""
        made = Optimizer(self._name, blocks, flat, gradient)
        made.steps = self.steps
        made.state = {name: self._blocks.taken(one, members) for name, one in self.state.items()}
        groups, places = self._blocks.members, members.tolist()
        for name, values in self.numbers.items():
            kinds = range(0, len(values), groups)
            shared = len(values) < groups * self._blocks.kinds
            made.numbers[name] = values if shared else [values[kind + place] for kind in kinds for place in places]
        return made


def _sgd(own: Optimizer) -> None:
    """torch.optim.SGD."""
    gradient = own.decayed()
    if any(group["momentum"] for group in own.groups):
        momentum, first = own.argument("momentum"), "momentum" not in own.state
        buffer = own.running("momentum")
        if first:
            buffer.copy_(gradient)
        else:
            share = own.number(_undampened, "dampening", "momentum", until="share")
            buffer.mul_(momentum).add_(gradient * share)
        gradient = gradient + buffer * momentum if own.groups[0]["nesterov"] else buffer
    own.subtract(gradient, own.argument("lr"))


def _undampened(group: Group) -> float:
    """Return the share of the gradient in the momentum; without a momentum, PyTorch knows of no dampening."""
    return 1.0 - float(group["dampening"] if group["momentum"] else 0.0)


def _adam(own: Optimizer) -> None:
    """torch.optim.Adam (arXiv 1412.6980, algorithm 1)."""
    _adam_step(own, own.decayed())


def _adamw(own: Optimizer) -> None:
    """torch.optim.AdamW (arXiv 1711.05101, algorithm 2)."""
    own.flat.mul_(
        own.number(lambda group: 1 - float(group["lr"]) * float(group["weight_decay"]), "lr", "weight_decay", until="w")
    )
    _adam_step(own, own.gradient)


def _adam_step(own: Optimizer, gradient: Tensor) -> None:
    if own.alike("betas", "eps", "amsgrad"):
        _adam_in_one(own, gradient)
        return
    steps, mean, square = own.steps, own.running("mean"), own.running("square")
    mean.lerp_(gradient, own.number(lambda group: 1 - float(group["betas"][0]), "betas", until="new"))
    square.mul_(own.number(lambda group: float(group["betas"][1]), "betas", until="old2"))
    new = own.number(lambda group: 1 - float(group["betas"][1]), "betas", until="new2")
    if isinstance(new, Tensor):
        square.addcmul_(gradient * new, gradient)
    else:
        square.addcmul_(gradient, gradient, value=new)
    if own.groups[0]["amsgrad"]:
        largest = own.running("largest")
        square = torch.maximum(largest, square, out=largest)
    corrected = own.number(lambda group: sqrt(1 - group["betas"][1] ** steps), "betas", until="step")
    denominator = own.root(square).div_(corrected).add_(own.argument("eps"))
    started = own.number(lambda group: 1 - float(group["betas"][0]) ** steps, "betas", until="step")
    direction = torch.div(mean, denominator, out=denominator)
    if isinstance(started, Tensor):
        own.subtract(direction.div_(started), own.argument("lr"))
    else:
        own.subtract(direction, own.argument("lr"), 1 / started)


def _adam_in_one(own: Optimizer, gradient: Tensor) -> None:
    """Let PyTorch's kernel step from zero with a learning rate of 1: that is the way each goes as far as it wants."""
    direction = own.zeros()
    _fused_adam(own, {**own.groups[0], "lr": 1.0, "weight_decay": 0.0}, of=direction, gradient=gradient)
    own.subtract(direction, own.argument("lr"), -1.0)


def _rmsprop(own: Optimizer) -> None:
    """torch.optim.RMSprop."""
    gradient = own.decayed()
    square = own.running("square").mul_(own.argument("alpha"))
    new = own.number(lambda group: 1 - float(group["alpha"]), "alpha", until="new")
    square.add_(gradient.square() * new)
    if own.groups[0]["centered"]:
        mean = own.running("mean")
        mean.lerp_(gradient, new)
        root = square.addcmul(mean, mean, value=-1).sqrt_()
    else:
        root = own.root(square)
    direction = torch.div(gradient, root.add_(own.argument("eps")), out=root)
    if any(group["momentum"] for group in own.groups):
        direction = own.running("momentum").mul_(own.argument("momentum")).add_(direction)
    own.subtract(direction, own.argument("lr"))


def _adagrad(own: Optimizer) -> None:
    """torch.optim.Adagrad."""
    gradient, steps = own.decayed(), own.steps
    start = own.argument("initial_accumulator_value")
    total = own.running("total", start).addcmul_(gradient, gradient)
    size = own.number(
        lambda group: float(group["lr"]) / (1 + (steps - 1) * float(group["lr_decay"])), "lr", "lr_decay", until="step"
    )
    root = own.root(total).add_(own.argument("eps"))
    own.subtract(torch.div(gradient, root, out=root), size)


def _fused_sgd(own: Optimizer, group: Group) -> None:
    first = "momentum" not in own.state
    buffers = [own.running("momentum")] if group["momentum"] else []
    torch._fused_sgd_(
        [own.flat],
        [own.gradient],
        buffers,
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=group["dampening"],
        nesterov=group["nesterov"],
        maximize=False,
        is_first_step=first,
    )


def _fused_adam(
    own: Optimizer,
    group: Group,
    kernel: Any = torch._fused_adam_,
    *,
    of: Tensor | None = None,
    gradient: Tensor | None = None,
) -> None:
    kernel(
        [own.flat if of is None else of],
        [own.gradient if gradient is None else gradient],
        [own.running("mean")],
        [own.running("square")],
        [own.running("largest")] if group["amsgrad"] else [],
        [torch.tensor(float(own.steps))],
        amsgrad=group["amsgrad"],
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )


def _fused_adamw(own: Optimizer, group: Group) -> None:
    _fused_adam(own, group, torch._fused_adamw_)


ARGUMENTS: dict[str, tuple[str, ...]] = updates.ARGUMENTS | {
    "sgd": ("lr", "momentum", "dampening", "weight_decay", "nesterov"),
    "adam": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
    "adamw": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
    "rmsprop": ("lr", "alpha", "eps", "weight_decay", "momentum", "centered"),
    "adagrad": ("lr", "lr_decay", "eps", "weight_decay", "initial_accumulator_value"),
}
"""What a step of each depends on."""

UPDATES: dict[str, Callable[[Optimizer], None]] = updates.UPDATES | {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
}
FUSED: dict[str, Callable[[Optimizer, Group], None]] = {
    "sgd": _fused_sgd,
    "adam": _fused_adam,
    "adamw": _fused_adamw,
}
