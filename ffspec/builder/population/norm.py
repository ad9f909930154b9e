"""Batch normalisation of many networks at once.

Shapes: M members, B batch, F features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

aten: Any = torch.ops.aten


class BatchNorm:
    """Normalises each feature of each member over the batch (torch.nn.BatchNorm1d), features in front of rows.

    Args:
        tensors: Parameters and buffers by the names of BatchNorm1d, (M, F); num_batches_tracked is (M,).
        gradients: Where the gradients of weight and bias are written; empty without them.
        eps: Added to the variance.
        momentum: The weight of the newest batch; None: the mean of all batches.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], gradients: Sequence[Tensor], eps: float, momentum: float | None
    ) -> None:
        self._tensors, self._gradients = tensors, gradients
        self._eps, self._momentum = eps, momentum
        self._x = self._mean = self._deviation = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised rows: a feature of a member is a feature like any other."""
        counts = self._tensors["num_batches_tracked"].add_(1)
        share = 1 / float(counts[0]) if self._momentum is None else self._momentum
        self._x = self._channels(x)
        y, self._mean, self._deviation = torch.native_batch_norm(
            self._x, *self._arguments(), training=True, momentum=share, eps=self._eps
        )
        return y.view(*self._tensors["running_mean"].shape, -1)

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the rows normalised by the running statistics."""
        found = torch.native_batch_norm(
            self._channels(x), *self._arguments(), training=False, momentum=0.0, eps=self._eps
        )
        return found[0].view(*self._tensors["running_mean"].shape, -1)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the gradient of the rows."""
        weight, _, mean, variance = self._arguments()
        learnt = weight is not None
        made = aten.native_batch_norm_backward(
            self._channels(g), self._x, weight, mean, variance, self._mean, self._deviation, True, self._eps,
            [wanted, learnt, learnt],
        )  # fmt: skip
        for target, gradient in zip(self._gradients, made[1:], strict=False):
            target.copy_(gradient.view_as(target))
        return made[0].view_as(g) if wanted else None

    def _channels(self, x: Tensor) -> Tensor:
        members = len(self._tensors["running_mean"])
        x = x if x.dim() == 3 else x.expand(members, -1, -1)
        return x.reshape(1, -1, x.shape[-1])

    def _arguments(self) -> tuple[Tensor | None, Tensor | None, Tensor, Tensor]:
        weight, bias = (self._tensors.get(name) for name in ("weight", "bias"))
        flat = [None if one is None else one.view(-1) for one in (weight, bias)]
        return flat[0], flat[1], self._tensors["running_mean"].view(-1), self._tensors["running_var"].view(-1)
