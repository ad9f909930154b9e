"""Normalisations in train mode.

Shapes: B batch, F features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ffspec.builder.backward.pair import Pair, by_autograd, gradient_of

aten = torch.ops.aten


def batch_norm(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.BatchNorm1d; a single row, which has no variance, is refused by the module itself."""
    layer: Any = module
    if x.dim() != 2 or len(x) < 2 or layer.momentum is None:
        return by_autograd(module, x, wanted)
    weight, bias = (None, None) if layer.weight is None else (layer.weight.detach(), layer.bias.detach())
    made, mean, deviation = torch.empty_like(x), x.new_empty(x.shape[1]), x.new_empty(x.shape[1])
    one, given = torch.ones_like(layer.num_batches_tracked), x
    running = (layer.running_mean, layer.running_var)
    normalise, learnt = aten.native_batch_norm.out, weight is not None
    if learnt:
        gradient_of(layer.weight), gradient_of(layer.bias)

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        layer.num_batches_tracked.add_(one)
        share, eps = layer.momentum, layer.eps
        normalise(x, weight, bias, *running, True, share, eps, out=made, save_mean=mean, save_invstd=deviation)
        return made

    def backward(gradient: Tensor) -> Tensor:
        above, scale, shift = aten.native_batch_norm_backward.default(
            gradient, given, weight, *running, mean, deviation, True, layer.eps, [wanted, learnt, learnt]
        )
        if learnt:
            layer.weight.grad.copy_(scale)
            layer.bias.grad.copy_(shift)
        return above if wanted else gradient

    return Pair(forward, backward, spare=True)


def layer_norm(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.LayerNorm."""
    layer: Any = module
    weight, bias = (None if one is None else one.detach() for one in (layer.weight, layer.bias))
    learnt = [one for one in (layer.weight, layer.bias) if one is not None]
    into = [gradient_of(one) for one in learnt]
    shape, asked = list(layer.normalized_shape), [wanted, weight is not None, bias is not None]
    given = mean = deviation = x

    def forward(x: Tensor) -> Tensor:
        nonlocal given, mean, deviation
        given = x
        made: Tensor
        made, mean, deviation = aten.native_layer_norm.default(x, shape, weight, bias, layer.eps)
        return made

    def backward(gradient: Tensor) -> Tensor:
        above, *found = aten.native_layer_norm_backward.default(
            gradient, given, shape, mean, deviation, weight, bias, asked
        )
        for place, one in zip(into, found, strict=False):
            place.copy_(one)
        return above if wanted else gradient

    return Pair(forward, backward, spare=False)


def rms_norm(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.RMSNorm: what autograd makes of its parts, with r = (mean(x^2) + eps)^(-1/2).

    The gradient of x is g r + x^1 2 / F (-1/2 sum(g x) r^3), multiplied in this order.
    """
    layer: Any = module
    eps = torch.finfo(x.dtype).eps if layer.eps is None else layer.eps
    last, width = x.dim() - 1, x.shape[-1]
    weight: Tensor | None = None if layer.weight is None else layer.weight.detach()
    into = None if layer.weight is None else gradient_of(layer.weight).view(*[1] * last, -1)
    rows = tuple(range(last))
    given = rate = scaled = x

    def forward(x: Tensor) -> Tensor:
        nonlocal given, rate, scaled
        given = x
        rate = x.pow(2).mean(last, keepdim=True).add_(eps).rsqrt_()
        scaled = x * rate
        return scaled if weight is None else scaled * weight

    def backward(gradient: Tensor) -> Tensor:
        if into is not None and weight is not None:
            torch.sum(gradient * scaled, rows, True, out=into)
            gradient = gradient.mul_(weight)
        if not wanted:
            return gradient
        inner = (gradient * given).sum(last, keepdim=True).mul_(-0.5).mul_(rate.pow(3))
        return gradient.mul_(rate).add_((inner / width) * (given * 2.0))

    return Pair(forward, backward)
