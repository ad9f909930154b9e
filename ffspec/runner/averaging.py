"""The moving average of the weights: what is evaluated and kept, while the weights themselves are trained."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


class Average:
    """A copy of a network whose weights are the exponential moving average of the network's (Polyak and Juditsky 1992).

    After step n, counted from 0, w' = d w' + (1 - d) w with d = min(decay, (1 + n) / (10 + n)), as
    `num_updates` of TensorFlow's ExponentialMovingAverage has it: the first steps are forgotten sooner, or a short
    training would never leave its start. Buffers, such as the statistics of a batch norm, are copied as they are.
    """

    def __init__(self, decay: float, network: nn.Sequential) -> None:
        self.network = deepcopy(network).eval()
        self._decay = decay
        self._steps = 0
        self.network.requires_grad_(requires_grad=False)
        self._means: list[Tensor] = [*self.network.parameters()]
        self._parameters = [parameter.detach() for parameter in network.parameters()]
        self._buffers = [*zip(self.network.buffers(), network.buffers(), strict=True)]

    @torch.no_grad()
    def after_step(self) -> None:
        """Take the weights after a step into the mean."""
        weight = 1 - min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(self._means, self._parameters, weight)
        for copied, buffer in self._buffers:
            copied.copy_(buffer)
        self._steps += 1

    def state(self) -> dict[str, Any]:
        """Return the mean, and of how many steps it is."""
        return {"steps": self._steps, "weights": dict(self.network.state_dict())}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up the mean of another one."""
        self.network.load_state_dict(state["weights"])
        self._steps = state["steps"]
