"""Layers one after the other, and layers made of layers.

Shapes: M members, B batch, F features, O outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ffspec.builder import modules, scaling, shortcut, stacked
from ffspec.builder.backward.pair import Make, Pair, by_autograd, gradient_of
from ffspec.builder.backward.table import LAYERS, OVERWRITING, STRIDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MEMBERS = (0,)
"""The axis of members."""


def pair_of(module: nn.Module, x: Tensor, wanted: bool, spare: bool) -> Pair:  # noqa: FBT001 - as a Make
    """Return the pair of any module; `spare` says whether it may overwrite its input."""
    kind = type(module)
    make = BLOCKS.get(kind) or LAYERS.get(kind, by_autograd)
    if spare:
        make = OVERWRITING.get(kind, make)
    if not x.is_contiguous() and kind not in STRIDED:  # a buffer would have another order
        make = by_autograd
    return make(module, x, wanted)


class Chain:
    """Layers one after the other, for batches of one shape; the pairs are made while the first batch goes through."""

    def __init__(
        self, layers: Iterable[nn.Module], *, wanted: bool = False, make: Callable[..., Pair] = pair_of
    ) -> None:
        self._layers = [*layers]
        self._wanted = wanted
        self._make = make
        self._forwards: list[Callable[[Tensor], Tensor]] = []
        self._backwards: list[Callable[[Tensor], Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last layer."""
        if len(self._forwards) < len(self._layers):
            return self._first(x)
        for forward in self._forwards:
            x = forward(x)
        return x

    def backward(self, gradient: Tensor) -> Tensor:
        """Take the gradient of the output, fill in those of the parameters, and return that of the input."""
        for backward in self._backwards:
            gradient = backward(gradient)
        return gradient

    def _first(self, x: Tensor) -> Tensor:
        wanted, spare = self._wanted, False
        for layer in self._layers:
            pair = self._make(layer, x, wanted, spare)
            x, spare = pair.forward(x), pair.spare
            self._forwards.append(pair.forward)
            wanted = wanted or any(parameter.requires_grad for parameter in layer.parameters())
            if wanted:  # else there is nothing to learn from here on
                self._backwards.insert(0, pair.backward)
        return x


def residual(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of Residual: the gradient goes both ways around, and is added."""
    inner = Chain(module.children(), wanted=wanted)
    made, copied = torch.empty_like(x), torch.empty_like(x)

    def forward(x: Tensor) -> Tensor:
        return torch.add(x, inner.forward(x), out=made)

    def backward(gradient: Tensor) -> Tensor:
        through = inner.backward(copied.copy_(gradient))
        return gradient.add_(through) if wanted else gradient

    return Pair(forward, backward, spare=True)


def ridge_residual(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of RidgeResidual in front of all that learns: nothing goes back through the regression."""
    if wanted:
        return by_autograd(module, x, wanted)
    layer: Any = module
    inner = Chain(module.children())

    def forward(x: Tensor) -> Tensor:
        return nn.functional.linear(x, layer.weight, layer.bias).add_(layer.scale * inner.forward(x))

    def backward(gradient: Tensor) -> Tensor:
        return inner.backward(gradient.mul_(layer.scale))

    return Pair(forward, backward, spare=True)


def ensemble(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of Ensemble: every member gets the same rows, and the gradients of the rows are added."""
    return _together(module, x, Chain(module.children(), wanted=wanted), wanted=wanted)


def _together(module: nn.Module, x: Tensor, inner: Chain, *, wanted: bool) -> Pair:
    layer: Any = module
    members, above = layer.members, x.new_empty(1, *x.shape)
    shape: Any = ()

    def forward(x: Tensor) -> Tensor:
        nonlocal shape
        output = inner.forward(x.expand(members, *x.shape))
        shape = output.shape
        return output.flatten(0, 1)

    def backward(gradient: Tensor) -> Tensor:
        gradient = inner.backward(gradient.view(shape))
        return torch.sum(gradient, MEMBERS, True, out=above)[0] if wanted else gradient

    return Pair(forward, backward)


def shared_ensemble(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of SharedEnsemble: to a shared layer the rows of all members are rows like any others."""

    def make(layer: nn.Module, x: Tensor, wanted: bool, spare: bool) -> Pair:  # noqa: FBT001 - as pair_of
        if isinstance(layer, stacked.StackedLinear | stacked.StackedScale):
            return pair_of(layer, x, wanted, spare)
        pair = pair_of(layer, x.flatten(0, 1), wanted, spare)
        members = len(x)

        def forward(x: Tensor) -> Tensor:
            output = pair.forward(x.flatten(0, 1))
            return output.view(members, -1, *output.shape[1:])

        def backward(gradient: Tensor) -> Tensor:
            above = pair.backward(gradient.flatten(0, 1))
            return above.view(members, -1, *above.shape[1:])

        return Pair(forward, backward, pair.spare)

    return _together(module, x, Chain(module.children(), wanted=wanted, make=make), wanted=wanted)


def parametric(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of Parametric: an activation, and what it changed times a weight."""
    layer: Any = module
    if layer.activation not in ACTIVATIONS or x.dim() != (2 if layer.members is None else 3):
        return by_autograd(module, x, wanted)
    activation = ACTIVATIONS[layer.activation]()
    inner, weight = LAYERS[type(activation)](activation, x, True), layer.weight.detach()
    into, rows = gradient_of(layer.weight), (x.dim() - 2,)
    row = into if layer.members is not None else into.view(1, -1)
    made, difference, through = (torch.empty_like(x) for _ in range(3))

    def forward(x: Tensor) -> Tensor:
        torch.sub(inner.forward(x), x, out=difference)
        return torch.add(x, torch.mul(weight, difference, out=made), out=made)

    def backward(gradient: Tensor) -> Tensor:
        torch.mul(gradient, weight, out=through)
        torch.sum(difference.mul_(gradient), rows, True, out=row)
        gradient.sub_(through)
        return gradient.add_(inner.backward(through))

    return Pair(forward, backward, spare=True)


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "relu6": nn.ReLU6,
    "logsigmoid": nn.LogSigmoid,
    "softshrink": nn.Softshrink,
    "hardshrink": nn.Hardshrink,
}
"""The layers of the activations that Parametric takes, by the names of their functions; of softsign and tanhshrink
autograd adds the parts of the gradient in an order that only holds for the whole."""

BLOCKS: dict[type[nn.Module], Make] = {
    modules.Residual: residual,
    shortcut.RidgeResidual: ridge_residual,
    scaling.Parametric: parametric,
    stacked.Ensemble: ensemble,
    stacked.SharedEnsemble: shared_ensemble,
}
"""The pairs of layers that are made of layers."""
