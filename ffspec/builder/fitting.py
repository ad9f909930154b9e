"""What a network takes from the training rows before training: the units of the target, the bins of columns.

Shapes: N training rows, F features, C target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ffspec.builder.embeddings import PiecewiseLinear
from ffspec.builder.scaling import TargetScale

if TYPE_CHECKING:
    from torch import Tensor, nn


def target_scale_of(network: nn.Sequential) -> TargetScale | None:
    """Return the layer that knows the units of the target; it stands last, if there is one."""
    last = network[-1] if len(network) else None
    return last if isinstance(last, TargetScale) else None


def fit_targets(network: nn.Sequential, y: Tensor) -> None:
    """Fit what the training targets decide.

    Args:
        network: The network, on the CPU.
        y: The training targets, (N, C) in float64.
    """
    scale = target_scale_of(network)
    if scale is not None:
        scale.fit(y)


def fit_moments(network: nn.Sequential, mean: Tensor, deviation: Tensor, low: Tensor, high: Tensor) -> None:
    """Fit what the training targets decide, of which only the moments are known; (C,) each, in float64."""
    scale = target_scale_of(network)
    if scale is not None:
        scale.take(mean, deviation, low, high)


def fit_rows(network: nn.Sequential, x: Tensor) -> None:
    """Fit what the training rows decide, each layer on what those in front of it make of them in eval mode.

    Args:
        network: The network, in train mode, and so it is left.
        x: The training rows, (N, F), on the same device.
    """
    wanted = [index for index, module in enumerate(network) if isinstance(module, PiecewiseLinear)]
    network.eval()
    with torch.no_grad():
        for index in wanted:
            module = network[index]
            if isinstance(module, PiecewiseLinear):
                module.fit(network[:index](x) if index else x)
    network.train()
