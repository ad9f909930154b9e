"""What a network takes from the training rows before training: the units of the target.

Shapes: N training rows, C target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
