"""What a network takes from the training rows before training: the units of the target, the bins of columns.

Shapes: N training rows, F features, C target columns.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch

from ffspec.builder.embeddings import PiecewiseLinear
from ffspec.builder.scaling import TargetScale
from ffspec.builder.shortcut import RidgeResidual

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


def fit_rows(network: nn.Sequential, x: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
    """Fit what the training rows decide, each layer on what those in front of it make of them in eval mode.

    Args:
        network: The network, in train mode, and so it is left.
        x: The training rows, (N, F), on the same device.
        target: What the output is compared with while training.
        weight: How much each row counts, (N,); all the same if None.
    """
    network.eval()
    with torch.no_grad():
        for index, module in enumerate(network):
            if any(isinstance(inner, PiecewiseLinear | RidgeResidual) for inner in module.modules()):
                _fit(module, network[:index](x) if index else x, target, weight)
    network.train()


def _fit(module: nn.Module, x: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Fit a module, and the first one inside it: of others, the planner knows that they need not be fitted."""
    if isinstance(module, PiecewiseLinear):
        module.fit(x)
        return
    if isinstance(module, RidgeResidual):
        module.fit(x, target, weight)
    for first in islice(module.children(), 1):
        _fit(first, x, target, weight)
