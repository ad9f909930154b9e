"""Layers that draw random numbers while training: the same ones from the same stream as PyTorch's."""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from ffspec.builder.backward.pair import Pair

ALPHA = 1.7580993408473766
"""What selu tends to for very negative x, but for the sign."""


def dropout(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.Dropout; its probability may change from step to step."""
    del wanted
    layer: Any = module
    made, noise = torch.empty_like(x), torch.empty_like(x)
    dropping, share = 0.0, x.new_zeros(())

    def forward(x: Tensor) -> Tensor:
        nonlocal dropping
        p = layer.p
        if p != dropping:
            dropping = p
            share.fill_(1 - p)
        if not p:
            return x
        noise.bernoulli_(1 - p).div_(share)
        return torch.mul(x, noise, out=made)

    def backward(gradient: Tensor) -> Tensor:
        return gradient.mul_(noise) if dropping else gradient

    return Pair(forward, backward)


def alpha_dropout(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.AlphaDropout: x a m + b, where m is drawn and a and b keep mean and variance."""
    del wanted
    layer: Any = module
    made, noise = torch.empty_like(x), torch.empty_like(x)
    dropping = False

    def forward(x: Tensor) -> Tensor:
        nonlocal dropping
        p = layer.p
        dropping = p > 0
        if not dropping:
            return x
        factor = 1.0 / sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
        shift = noise.bernoulli_(1 - p).add(-1).mul_(ALPHA * factor).add_(ALPHA * factor * p)
        noise.mul_(factor)
        return torch.mul(x, noise, out=made).add_(shift)

    def backward(gradient: Tensor) -> Tensor:
        return gradient.mul_(noise) if dropping else gradient

    return Pair(forward, backward)


def rrelu(module: nn.Module, x: Tensor, wanted: bool) -> Pair:  # noqa: FBT001 - a Make
    """Return the pair of torch.nn.RReLU, whose slopes are drawn."""
    del wanted
    layer: Any = module
    noise, given = torch.empty_like(x), x
    there, back = torch.ops.aten.rrelu_with_noise.default, torch.ops.aten.rrelu_with_noise_backward.default

    def forward(x: Tensor) -> Tensor:
        nonlocal given
        given = x
        made: Tensor = there(x, noise, layer.lower, layer.upper, True)
        return made

    def backward(gradient: Tensor) -> Tensor:
        above: Tensor = back(gradient, given, noise, layer.lower, layer.upper, True, False)
        return above

    return Pair(forward, backward, spare=True)
