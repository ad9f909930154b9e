"""Losses and their gradients; each is the mean over the rows.

Shapes: B batch, C classes or target columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

aten = torch.ops.aten
MEAN = 1
"""PyTorch's number for a mean over the rows."""
NONE_LEFT_OUT = -100
"""The class whose rows PyTorch leaves out: there is none."""

_log_softmax = torch._log_softmax  # noqa: SLF001 - the operation's name; of the two ways to it, the quicker
_log_softmax_back = torch._log_softmax_backward_data  # noqa: SLF001 - as above

LossPair: TypeAlias = Callable[..., tuple[Tensor, Tensor]]
"""Takes outputs and targets, and weights of the rows if there are any; returns the loss and the gradient of the
outputs, which may be overwritten."""
MakeLoss: TypeAlias = Callable[[nn.Module, Tensor], LossPair]
"""Makes the pair of a loss, given the gradient it starts from, ()."""


def by_autograd(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of any loss: autograd differentiates it, and it alone."""

    def pair(output: Tensor, *compared: Tensor) -> tuple[Tensor, Tensor]:
        given = output.detach().requires_grad_()
        loss: Tensor = module(given, *compared)
        (gradient,) = torch.autograd.grad(loss, [given], root)
        return loss.detach(), gradient

    return pair


def in_one(
    loss_of: Callable[..., Tensor],
    gradient_of: Callable[..., Tensor],
    arguments: Callable[[Any], tuple[Any, ...]] = lambda _: (MEAN,),
) -> MakeLoss:
    """Return what makes the pair of a loss that is one operation each way.

    Args:
        loss_of: (output, target, *arguments) -> loss.
        gradient_of: (root, output, target, *arguments) -> gradient.
        arguments: The arguments, of the module.
    """

    def make(module: nn.Module, root: Tensor) -> LossPair:
        told = arguments(module)

        def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
            return loss_of(output, target, *told), gradient_of(root, output, target, *told)

        return pair

    return make


huber = in_one(aten.huber_loss.default, aten.huber_loss_backward.default, lambda module: (MEAN, module.delta))
soft_margin = in_one(aten.soft_margin_loss.default, aten.soft_margin_loss_backward.default)
bce = in_one(aten.binary_cross_entropy.default, aten.binary_cross_entropy_backward.default, lambda _: (None, MEAN))
multi_margin = in_one(
    aten.multi_margin_loss.default,
    aten.multi_margin_loss_backward.default,
    lambda module: (module.p, module.margin, module.weight, MEAN),
)


def smooth_l1(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of torch.nn.SmoothL1Loss, which is another one where beta is 0."""
    beta: Any = module.beta
    if beta == 0:
        return by_autograd(module, root)
    return in_one(aten.smooth_l1_loss.default, aten.smooth_l1_loss_backward.default, lambda _: (MEAN, beta))(
        module, root
    )


def mse(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of torch.nn.MSELoss; the difference, which both directions need, is computed once.

    The loss is the sum of its squares over their number n, the gradient (2 / n) times the difference.
    """
    del module
    plain = bool(root == 1)
    difference = square = count = factor = root  # until the first batch tells the shape
    every: tuple[int, ...] = ()

    def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal difference, square, count, factor, every
        if difference is root:
            difference, square = torch.empty_like(output), torch.empty_like(output)
            count, every = torch.full_like(root, output.numel()), tuple(range(output.dim()))
            factor = torch.full_like(root, 2 / output.numel())
        torch.sub(output, target, out=difference)
        loss = torch.sum(torch.mul(difference, difference, out=square), every).div_(count)
        difference.mul_(factor)
        return loss, difference if plain else difference.mul_(root)

    return pair


def bce_with_logits(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of torch.nn.BCEWithLogitsLoss.

    The gradient is (sigmoid(x) - y) / n, with a weight p of the positive class ((p y + 1 - y) sigmoid(x) - p y) / n.
    """
    positive: Any = module.pos_weight
    plain = bool(root == 1)
    count = root

    def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal count
        if count is root:  # as a tensor, a number is looked at sooner
            count = torch.full_like(root, output.numel())
        loss = torch.binary_cross_entropy_with_logits(output, target, None, positive, MEAN)
        gradient = output.sigmoid()
        if positive is None:
            gradient.sub_(target)
        else:
            share = positive * target
            gradient = share.add(1).sub_(target).mul_(gradient).sub_(share)
        if not plain:
            gradient.mul_(root)
        return loss, gradient.div_(count)

    return pair


def nll(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of torch.nn.NLLLoss."""
    weight: Any = module.weight

    def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        loss, total = aten.nll_loss_forward.default(output, target, weight, MEAN, NONE_LEFT_OUT)
        return loss, aten.nll_loss_backward.default(root, output, target, weight, MEAN, NONE_LEFT_OUT, total)

    return pair


def cross_entropy(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of torch.nn.CrossEntropyLoss: log_softmax, and nll of it."""
    smoothing, weight = cast("tuple[float, Tensor | None]", (module.label_smoothing, module.weight))
    if smoothing:
        return by_autograd(module, root) if weight is not None else _smoothed(smoothing, root)
    inner = nll(module, root)

    def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        logarithms = _log_softmax(output, 1, False)
        loss, gradient = inner(logarithms, target)
        return loss, _log_softmax_back(gradient, logarithms, 1, output.dtype)

    return pair


def _smoothed(smoothing: float, root: Tensor) -> LossPair:
    """Return the pair of the mean of two: nll, and the mean of the negative logarithms of all classes."""
    share, each, count, seen = root * (1 - smoothing), root, root, False

    def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal seen, count, each
        rows, classes = output.shape
        if not seen:  # the first batch tells how many rows and classes there are
            seen, count = True, torch.tensor(rows, device=output.device)
            each = -(root * (smoothing / classes) / count)
        logarithms = _log_softmax(output, 1, False)
        loss, total = aten.nll_loss_forward.default(logarithms, target, None, MEAN, NONE_LEFT_OUT)
        even = logarithms.sum(1).neg_().sum().div_(count)
        loss = loss * (1 - smoothing) + even * (smoothing / classes)
        gradient = aten.nll_loss_backward.default(share, logarithms, target, None, MEAN, NONE_LEFT_OUT, total)
        return loss, _log_softmax_back(gradient.add_(each), logarithms, 1, output.dtype)

    return pair


def poisson_nll(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of torch.nn.PoissonNLLLoss of logarithms of rates: the gradient is (exp(x) - y) / n."""
    layer: Any = module
    if not layer.log_input:
        return by_autograd(module, root)
    share = root  # until the first batch tells how many numbers there are

    def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal share
        if share is root:
            share = root / output.numel()
        loss: Tensor = layer(output, target)
        return loss, output.exp().mul_(share).sub_(target * share)

    return pair


def l1(module: nn.Module, root: Tensor) -> LossPair:
    """Return the pair of torch.nn.L1Loss: the sign of every difference, over their number."""
    del module
    share = root  # until the first batch tells how many numbers there are

    def pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal share
        if share is root:
            share = root / output.numel()
        difference = output - target
        return difference.abs().mean(), difference.sgn_().mul_(share)

    return pair
