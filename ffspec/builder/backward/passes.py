"""A network and its loss, there and back: the pairs of the layers, one after the other.

Shapes: B batch, C classes or target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.builder.backward.losses import by_autograd as loss_by_autograd
from ffspec.builder.backward.pair import by_autograd
from ffspec.builder.backward.table import LAYERS, LOSSES, OVERWRITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn

    from ffspec.builder.backward.losses import LossPair


class Chain:
    """Layers one after the other, for batches of one shape; the pairs are made while the first batch goes through."""

    def __init__(self, modules: Iterable[nn.Module], *, wanted: bool = False) -> None:
        self._modules = [*modules]
        self._wanted = wanted
        self._forwards: list[Callable[[Tensor], Tensor]] = []
        self._backwards: list[Callable[[Tensor], Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last layer."""
        if len(self._forwards) < len(self._modules):
            return self._make(x)
        for forward in self._forwards:
            x = forward(x)
        return x

    def backward(self, gradient: Tensor) -> Tensor:
        """Take the gradient of the output, fill in those of the parameters, and return that of the input."""
        for backward in self._backwards:
            gradient = backward(gradient)
        return gradient

    def _make(self, x: Tensor) -> Tensor:
        wanted, spare = self._wanted, False
        for module in self._modules:
            make = LAYERS.get(type(module), by_autograd)
            if spare:
                make = OVERWRITING.get(type(module), make)
            pair = make(module, x, wanted)
            x, spare = pair.forward(x), pair.spare
            self._forwards.append(pair.forward)
            wanted = wanted or any(parameter.requires_grad for parameter in module.parameters())
            if wanted:  # else there is nothing to learn from here on
                self._backwards.insert(0, pair.backward)
        return x


class Pass:
    """A network and its loss, for batches of one shape: a call leaves what `loss.backward()` would."""

    def __init__(self, network: nn.Sequential, loss: nn.Module, root: float = 1.0) -> None:
        self._chain = Chain(network)
        self._loss = loss
        self._root = root
        self._compare: LossPair | None = None

    def __call__(self, x: Tensor, *compared: Tensor) -> Tensor:
        """Fill in the gradients of the parameters, and return the loss, ().

        Args:
            x: The rows.
            compared: What the loss takes beside the output: the target (B,) or (B, C), and weights of the rows.
        """
        output = self._chain.forward(x)
        if self._compare is None:
            make = LOSSES.get(type(self._loss), loss_by_autograd)
            self._compare = make(self._loss, output.new_full((), self._root))
        loss, gradient = self._compare(output, *compared)
        self._chain.backward(gradient)
        return loss
