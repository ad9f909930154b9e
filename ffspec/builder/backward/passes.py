"""A network and its loss, there and back.

Shapes: B batch, C classes or target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.builder.backward.blocks import Chain
from ffspec.builder.backward.losses import by_autograd as loss_by_autograd
from ffspec.builder.backward.table import LOSSES

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ffspec.builder.backward.losses import LossPair


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
