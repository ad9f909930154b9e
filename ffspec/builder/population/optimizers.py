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
        self._alike = False
        self._spread: dict[str, tuple[list[float], Tensor]] = {}
        self.state: dict[str, Tensor] = {}
        """Running means and the like, flat."""
        self.steps = 0

    def tell(self, groups: Sequence[Group]) -> None:
        """Take note of the arguments of each member."""
        wanted = ARGUMENTS[self._name]
        self.groups = [{name: group[name] for name in wanted} for group in groups]
        self._alike = all(group == self.groups[0] for group in self.groups)

    def step(self) -> None:
        """Take a step of every member."""
        self.steps += 1
        if self._alike and self._name in FUSED:
            FUSED[self._name](self, self.groups[0])
        else:
            UPDATES[self._name](self)

    def number(self, name: str, of: Callable[[Group], float]) -> float | Tensor:
        """Return a number that follows from a member's arguments: a float if it is the same for all, else flat.

        Args:
            name: What it is. A tensor made for it is used again while the numbers stay the same.
            of: How it follows.
        """
        if self._alike:
            return of(self.groups[0])
        values = [of(group) for group in self.groups]
        if all(value == values[0] for value in values):
            return values[0]
        known = self._spread.get(name)
        if known is None or known[0] != values:
            known = self._spread[name] = (values, self._blocks.spread(values, self.flat))
        return known[1]

    def running(self, name: str, start: float | Tensor = 0.0) -> Tensor:
        """Return a part of the state, which starts from a value."""
        if name not in self.state:
            self.state[name] = torch.zeros_like(self.flat).add_(start)
        return self.state[name]

    def subtract(self, direction: Tensor, size: float | Tensor) -> None:
        """Go against a direction, so far."""
        if isinstance(size, Tensor):
            self.flat.addcmul_(direction, size, value=-1)
        else:
            self.flat.add_(direction, alpha=-size)

    def taken(self, blocks: Blocks, flat: Tensor, gradient: Tensor, members: Tensor) -> Optimizer:
        """Return what goes on with fewer members, by their places."""
        made = Optimizer(self._name, blocks, flat, gradient)
        made.steps = self.steps
        made.state = {name: self._blocks.taken(one, members) for name, one in self.state.items()}
        return made


def _decayed(own: Optimizer) -> Tensor:
    """Return the gradients with those of the L2 penalty."""
    decay = own.number("weight_decay", lambda group: float(group["weight_decay"]))
    if isinstance(decay, Tensor):
        return own.gradient.addcmul_(own.flat, decay)
    return own.gradient.add_(own.flat, alpha=decay) if decay else own.gradient


def _lr(own: Optimizer) -> float | Tensor:
    return own.number("lr", lambda group: float(group["lr"]))


def _eps(own: Optimizer) -> float | Tensor:
    return own.number("eps", lambda group: float(group["eps"]))


def _sgd(own: Optimizer) -> None:
    """torch.optim.SGD."""
    gradient = _decayed(own)
    if any(group["momentum"] for group in own.groups):
        momentum = own.number("momentum", lambda group: float(group["momentum"]))
        first = "momentum" not in own.state
        buffer = own.running("momentum")
        if first:
            buffer.copy_(gradient)
        else:
            # Without a momentum, PyTorch knows of no dampening.
            share = own.number("share", lambda group: 1.0 - float(group["dampening"] if group["momentum"] else 0.0))
            buffer.mul_(momentum).add_(gradient * share)
        gradient = gradient + buffer * momentum if own.groups[0]["nesterov"] else buffer
    own.subtract(gradient, _lr(own))


def _adam(own: Optimizer) -> None:
    """torch.optim.Adam (arXiv 1412.6980, algorithm 1)."""
    _adam_step(own, _decayed(own))


def _adamw(own: Optimizer) -> None:
    """torch.optim.AdamW (arXiv 1711.05101, algorithm 2)."""
    own.flat.mul_(own.number("kept", lambda group: 1 - float(group["lr"]) * float(group["weight_decay"])))
    _adam_step(own, own.gradient)


def _adam_step(own: Optimizer, gradient: Tensor) -> None:
    steps, mean, square = own.steps, own.running("mean"), own.running("square")
    mean.lerp_(gradient, own.number("new", lambda group: 1 - float(group["betas"][0])))
    square.mul_(own.number("old2", lambda group: float(group["betas"][1])))
    new = own.number("new2", lambda group: 1 - float(group["betas"][1]))
    if isinstance(new, Tensor):
        square.addcmul_(gradient * new, gradient)
    else:
        square.addcmul_(gradient, gradient, value=new)
    if own.groups[0]["amsgrad"]:
        largest = own.running("largest")
        square = torch.maximum(largest, square, out=largest)
    root = own.number("root", lambda group: sqrt(1 - group["betas"][1] ** steps))
    denominator = square.sqrt().div_(root).add_(_eps(own))
    size = own.number("size", lambda group: float(group["lr"]) / (1 - group["betas"][0] ** steps))
    own.subtract(mean / denominator, size)


def _rmsprop(own: Optimizer) -> None:
    """torch.optim.RMSprop."""
    gradient = _decayed(own)
    square = own.running("square").mul_(own.number("alpha", lambda group: float(group["alpha"])))
    new = own.number("new", lambda group: 1 - float(group["alpha"]))
    square.add_(gradient.square() * new)
    if own.groups[0]["centered"]:
        mean = own.running("mean")
        mean.lerp_(gradient, new)
        root = square.addcmul(mean, mean, value=-1).sqrt_()
    else:
        root = square.sqrt()
    direction = gradient / root.add_(_eps(own))
    if any(group["momentum"] for group in own.groups):
        buffer = own.running("momentum").mul_(own.number("momentum", lambda group: float(group["momentum"])))
        direction = buffer.add_(direction)
    own.subtract(direction, _lr(own))


def _adagrad(own: Optimizer) -> None:
    """torch.optim.Adagrad."""
    gradient, steps = _decayed(own), own.steps
    start = own.number("start", lambda group: float(group["initial_accumulator_value"]))
    total = own.running("total", start).addcmul_(gradient, gradient)
    size = own.number("size", lambda group: float(group["lr"]) / (1 + (steps - 1) * float(group["lr_decay"])))
    own.subtract(gradient / total.sqrt().add_(_eps(own)), size)


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


def _fused_adam(own: Optimizer, group: Group, kernel: Any = torch._fused_adam_) -> None:
    kernel(
        [own.flat],
        [own.gradient],
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


ARGUMENTS: dict[str, tuple[str, ...]] = {
    "sgd": ("lr", "momentum", "dampening", "weight_decay", "nesterov"),
    "adam": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
    "adamw": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
    "rmsprop": ("lr", "alpha", "eps", "weight_decay", "momentum", "centered"),
    "adagrad": ("lr", "lr_decay", "eps", "weight_decay", "initial_accumulator_value"),
}
"""What a step of each depends on."""

UPDATES: dict[str, Callable[[Optimizer], None]] = {
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
