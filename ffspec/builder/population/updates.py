"""The rarer optimizers over the flat parameters of many networks: those that PyTorch has no kernel for on a CPU.

Each takes the step of the torch.optim class of its name, element by element in the order of PyTorch's operations.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ffspec.builder.population.optimizers import Group, Optimizer


def _moments(own: Optimizer, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the running means of the gradients and of their squares."""
    mean, square = own.running("mean"), own.running("square")
    mean.lerp_(gradient, own.number(lambda group: 1 - float(group["betas"][0]), "betas", until="new"))
    return mean, _squared(own, square, gradient, lambda group: float(group["betas"][1]), "betas")


def _squared(own: Optimizer, mean: Tensor, value: Tensor, of: Callable[[Group], float], name: str) -> Tensor:
    """Take the squares of a value into their running mean, of which each member keeps the share it says."""
    mean.mul_(own.number(of, name, until=f"old {name}"))
    new = own.number(lambda group: 1 - of(group), name, until=f"new {name}")
    if isinstance(new, Tensor):
        return mean.addcmul_(value * new, value)
    return mean.addcmul_(value, value, value=new)


def _decayed(own: Optimizer) -> Tensor:
    """Return the gradients: with those of the L2 penalty, unless the weights themselves have decayed."""
    if not own.groups[0]["decoupled_weight_decay"]:
        return own.decayed()
    own.flat.mul_(
        own.number(lambda group: 1 - float(group["lr"]) * float(group["weight_decay"]), "lr", "weight_decay", until="w")
    )
    return own.gradient


def _nadam(own: Optimizer) -> None:
    """torch.optim.NAdam (Dozat 2016)."""
    gradient, step = _decayed(own), own.steps
    mean, square = _moments(own, gradient)
    corrected = own.number(lambda group: 1 - float(group["betas"][1]) ** step, "betas", until="step")
    root = square.div(corrected).sqrt_().add_(own.argument("eps"))

    def warmed(group: Group, at: int) -> float:
        share: float = group["betas"][0] * (1.0 - 0.5 * (0.96 ** (at * group["momentum_decay"])))
        return share

    kept = own.remembered("kept", [1.0] * len(own.groups))
    kept[:] = [product * warmed(group, step) for product, group in zip(kept, own.groups, strict=True)]
    pairs = [*zip(own.groups, kept, strict=True)]
    now = [float(group["lr"]) * (1 - warmed(group, step)) / (1 - product) for group, product in pairs]
    ahead = [
        float(group["lr"]) * warmed(group, step + 1) / (1 - product * warmed(group, step + 1))
        for group, product in pairs
    ]
    own.subtract(gradient / root, own.spread(now))
    own.subtract(mean / root, own.spread(ahead))


def _radam(own: Optimizer) -> None:
    """torch.optim.RAdam (arXiv 1908.03265)."""
    step = own.steps
    mean, square = _moments(own, _decayed(own))

    def rectified(group: Group) -> float:
        """Return what the step is multiplied with beside 1 / sqrt(v); 0 where the moment is too short to say."""
        beta = float(group["betas"][1])
        most, corrected = 2 / (1 - beta) - 1, 1 - beta**step
        length = most - 2 * step * beta**step / corrected
        if length <= 5:
            return 0.0
        return sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)) * sqrt(corrected)

    size = own.number(
        lambda group: float(group["lr"]) / (1 - float(group["betas"][0]) ** step), "lr", "betas", until="step"
    )
    factor = own.number(rectified, "betas", until="step")
    if isinstance(factor, float) and not factor:
        own.subtract(mean, size)
        return
    direction = factor / own.root(square).add_(own.argument("eps"))
    if isinstance(factor, Tensor):
        direction = torch.where(factor > 0, direction, 1.0)
    own.subtract(mean * direction, size)


def _adamax(own: Optimizer) -> None:
    """torch.optim.Adamax (arXiv 1412.6980, algorithm 2)."""
    gradient, step = own.decayed(), own.steps
    mean, largest = own.running("mean"), own.running("largest")
    mean.lerp_(gradient, own.number(lambda group: 1 - float(group["betas"][0]), "betas", until="new"))
    largest.mul_(own.number(lambda group: float(group["betas"][1]), "betas", until="old2"))
    torch.maximum(largest, gradient.abs().add_(own.argument("eps")), out=largest)
    size = own.number(
        lambda group: float(group["lr"]) / (1 - float(group["betas"][0]) ** step), "lr", "betas", until="step"
    )
    own.subtract(mean / largest, size)


def _adadelta(own: Optimizer) -> None:
    """torch.optim.Adadelta (arXiv 1212.5701)."""
    gradient, eps = own.decayed(), own.argument("eps")
    square, moved = own.running("square"), own.running("moved")
    _squared(own, square, gradient, lambda group: float(group["rho"]), "rho")
    direction = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(gradient)
    _squared(own, moved, direction, lambda group: float(group["rho"]), "rho")
    own.subtract(direction, own.argument("lr"))


def _asgd(own: Optimizer) -> None:
    """torch.optim.ASGD; the average it keeps is no part of the network, and left out."""
    gradient, step = own.decayed(), own.steps
    sizes = own.remembered("sizes", [float(group["lr"]) for group in own.groups])
    pairs = zip(own.groups, sizes, strict=True)
    own.flat.mul_(own.spread([1 - float(group["lambd"]) * size for group, size in pairs]))
    own.subtract(gradient, own.spread(sizes))
    sizes[:] = [
        float(group["lr"]) / (1 + float(group["lambd"]) * float(group["lr"]) * step) ** float(group["alpha"])
        for group in own.groups
    ]


def _rprop(own: Optimizer) -> None:
    """torch.optim.Rprop (Riedmiller and Braun 1993)."""
    gradient, before, size = own.gradient, own.running("before"), own.running("size", own.argument("lr"))
    turned = gradient * before
    minus, plus = (
        own.number(lambda group, place=place: float(group["etas"][place]), "etas", until=f"eta {place}")  # type: ignore[misc]
        for place in (0, 1)
    )
    least, most = (
        own.number(lambda group, place=place: float(group["step_sizes"][place]), "step_sizes", until=f"size {place}")  # type: ignore[misc]
        for place in (0, 1)
    )
    size.mul_(torch.where(turned > 0, plus, torch.where(turned < 0, minus, 1.0)))
    size.copy_(size.clamp(min=least).clamp(max=most))
    gradient.masked_fill_(turned < 0, 0.0)
    own.flat.addcmul_(gradient.sign(), size, value=-1)
    before.copy_(gradient)


ARGUMENTS: dict[str, tuple[str, ...]] = {
    "nadam": ("lr", "betas", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay"),
    "radam": ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay"),
    "adamax": ("lr", "betas", "eps", "weight_decay"),
    "adadelta": ("lr", "rho", "eps", "weight_decay"),
    "asgd": ("lr", "lambd", "alpha", "weight_decay"),
    "rprop": ("lr", "etas", "step_sizes"),
}
"""What a step of each depends on."""

UPDATES: dict[str, Callable[[Optimizer], None]] = {
    "nadam": _nadam,
    "radam": _radam,
    "adamax": _adamax,
    "adadelta": _adadelta,
    "asgd": _asgd,
    "rprop": _rprop,
}
