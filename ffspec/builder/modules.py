"""What torch.nn lacks.

Shapes: B batch, F features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Step(torch.autograd.Function):
    """The step forward; backward the identity (Bengio et al. 2013, arXiv 1308.3432) or the true derivative, zero.

    torch.heaviside itself raises when it is differentiated.
    """

    @staticmethod
    def forward(ctx: Any, x_BF: Tensor, value: float, straight_through: bool) -> Tensor:  # noqa: FBT001
        ctx.straight_through = straight_through
        return torch.heaviside(x_BF, x_BF.new_tensor(value))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        return gradient if ctx.straight_through else torch.zeros_like(gradient), None, None


class Heaviside(nn.Module):
    """The perceptron's step: 0 below zero, 1 above, `value` at zero (Rosenblatt 1958).

    Args:
        surrogate: None for the true derivative, which is zero, or "straight_through".
        value: The result at exactly zero.

    Shape: any to the same.
    """

    def __init__(self, surrogate: str | None = None, value: float = 1.0) -> None:
        super().__init__()
        self.surrogate = surrogate
        self.value = value

    def forward(self, x_BF: Tensor) -> Tensor:
        """Return the step of every element."""
        result: Tensor = _Step.apply(x_BF, self.value, self.surrogate == "straight_through")  # type: ignore[no-untyped-call]
        return result

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"surrogate={self.surrogate!r}, value={self.value}"


class Residual(nn.Sequential):
    """x + f(x), where f is the modules inside (He et al. 2015, arXiv 1512.03385).

    Shape: (B, F) to (B, F).
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Sequential's own name
        """Return x + f(x)."""
        inner: Tensor = super().forward(input)  # type: ignore[no-untyped-call]
        return input + inner


class PerceptronLoss(nn.Module):
    """Rosenblatt's criterion: the mean of max(0, -y f(x)), with y = -1 or +1 (Rosenblatt 1958).

    On the boundary, f(x) = 0, a row counts as wrong, as in his rule: weights of zero learn from the first row on. So
    the gradient there is that of -y f(x), which clamp passes on and relu does not.

    Shape: output (B, F) and target (B, F) to a scalar; without `reduction` to (B, F).
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, output_BF: Tensor, target_BF: Tensor) -> Tensor:
        """Return the mean over all elements."""
        losses = (-target_BF * output_BF).clamp(min=0)
        return losses.mean() if self.reduction == "mean" else losses
