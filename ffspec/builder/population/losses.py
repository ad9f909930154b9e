"""The loss of each of many networks, and its gradient: the usual ones by hand, the others by autograd.

Each member's gradient is that of its own loss, the mean over its rows, as if it were alone.

Shapes: M members, B batch, C classes or target columns.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ffspec.spec.step import Call

aten: Any = torch.ops.aten
Found = tuple[Tensor, Tensor]
"""The loss of each member, (M,), and the gradient of the outputs, (M, C, B)."""


class MemberLosses:
    """The losses of members.

    Args:
        call: The loss as a plan has it.
        loss: Its module.
        index: Whether its targets are class numbers.
        members: The members of each network, if these are ensembles.
        independent: Whether they have nothing in common, and each the gradient of its own loss.
    """

    def __init__(
        self, call: Call, loss: nn.Module, *, index: bool, members: int = 1, independent: bool = False
    ) -> None:
        self._members, self._independent = members, independent
        each: Any = deepcopy(loss)
        each.reduction = "none"
        self._each = each
        self._index = index
        plain = not any(call.arguments.get(name) for name in ("weight", "pos_weight", "label_smoothing"))
        self._by_hand = BY_HAND.get(call.target) if plain else None
        # PyTorch's means of these two divide by the sum of the weights of the rows' classes.
        weighed = call.target in {"nn.CrossEntropyLoss", "nn.NLLLoss"}
        self._weight: Tensor | None = getattr(loss, "weight", None) if weighed else None

    def means(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss of each member, (M,).

        Args:
            output: (M, B, C).
            target: (M, B, C), or of class numbers (M, B); the same for all members where M is 1.
            weight: How much each row counts, (M, B) or (1, B); all the same if None.
        """
        members, rows = output.shape[:2]
        flat = target.expand(members, *target.shape[1:]).flatten(0, 1)
        losses: Tensor = self._each(output.flatten(0, 1), flat)
        if weight is not None:  # as a `WeightedMean`
            means = losses.view(members, rows, -1).mean(dim=2) * weight
            counts = weight if self._weight is None else weight * self._weight[flat].view(members, rows)
            total: Tensor = means.sum(dim=1) / counts.sum(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)
            return total
        if self._weight is None:
            return losses.reshape(members, -1).mean(dim=1)
        return losses.view(members, rows).sum(dim=1) / self._weight[flat].view(members, rows).sum(dim=1)

    def with_gradient(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Found:
        """Return the loss of each member and the gradient of the outputs; to be called without gradients.

        Args:
            output: (M, C, B); of ensembles, one member after the other.
            target: (M, C, B), or of class numbers (M, B); the same for all members where M is 1.
            weight: As for `means`.
        """
        if self._members == 1:
            return self._found(output, target, weight)
        target, *others = (
            one.repeat_interleave(self._members, dim=0) if len(one) > 1 else one
            for one in (target, *([] if weight is None else [weight]))
        )
        losses, gradient = self._found(output, target, others[0] if others else None)
        own = losses.view(-1, self._members).mean(dim=1)
        return own, gradient if self._independent else gradient.div_(self._members)

    def _found(self, output: Tensor, target: Tensor, weight: Tensor | None) -> Found:
        if self._by_hand is not None and weight is None:
            return self._by_hand(output, target)
        given = output.transpose(1, 2).detach().requires_grad_()
        with torch.enable_grad():
            losses = self.means(given, target if self._index else target.transpose(1, 2), weight)
            (gradient,) = torch.autograd.grad(losses.sum(), given)
        return losses.detach(), gradient.transpose(1, 2).contiguous()


def _mse(output: Tensor, target: Tensor) -> Found:
    difference = output - target
    size = difference.shape[1] * difference.shape[2]
    return difference.square().flatten(1).sum(dim=1).div_(size), difference.mul_(2 / size)


def _bce(output: Tensor, target: Tensor) -> Found:
    size = output.shape[1] * output.shape[2]
    # As binary_cross_entropy, logarithms and all, but several numbers at once.
    yes, no = output.log().clamp_min_(-100), output.neg().log1p_().clamp_min_(-100)
    losses = torch.lerp(no, yes, target).flatten(1).sum(dim=1).mul_(-1 / size)
    share = torch.full_like(output, 1 / size)
    return losses, aten.binary_cross_entropy_backward(share, output, target.expand_as(output), None, 0)


def _bce_with_logits(output: Tensor, target: Tensor) -> Found:
    size = output.shape[1] * output.shape[2]
    losses = nn.functional.binary_cross_entropy_with_logits(output, target.expand_as(output), reduction="none")
    return losses.flatten(1).mean(dim=1), output.sigmoid().sub_(target).div_(size)


def _cross_entropy(output: Tensor, target: Tensor) -> Found:
    rows = output.shape[2]
    chosen = target.expand(len(output), rows).unsqueeze(1)
    logarithms = output.log_softmax(dim=1)
    losses = logarithms.gather(1, chosen).flatten(1).mean(dim=1).neg_()
    # The softmax, less 1 where the right class is.
    gradient = logarithms.exp_().scatter_add_(1, chosen, logarithms.new_tensor(-1.0).expand(chosen.shape))
    return losses, gradient.div_(rows)


BY_HAND: dict[str, Callable[[Tensor, Tensor], Found]] = {
    "nn.MSELoss": _mse,
    "nn.BCELoss": _bce,
    "nn.BCEWithLogitsLoss": _bce_with_logits,
    "nn.CrossEntropyLoss": _cross_entropy,
}
"""Without weights and label smoothing."""
