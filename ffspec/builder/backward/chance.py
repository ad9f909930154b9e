"""Layers that draw random numbers while training: the same ones from the same stream as PyTorch's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ffspec.builder.backward.pair import Pair


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
