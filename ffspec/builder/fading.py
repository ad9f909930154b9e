"""Weight decay and dropout that change while training: their own values times a fraction of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from ffspec.builder.fractions import FRACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.optim import Optimizer

    from ffspec.spec.training import Schedules


class Fading:
    """Sets the weight decay of every group of parameters, and the probability of every dropout, before each step.

    It remembers nothing but where they began: what holds in a step follows from the step's number.
    """

    def __init__(self, settings: Schedules, optimizers: Sequence[Optimizer], network: nn.Module, steps: int) -> None:
        self._decay = FRACTIONS.get(settings.weight_decay or "")
        self._dropout = FRACTIONS.get(settings.dropout or "")
        self._steps = max(steps, 1)
        # By their places: loading a state gives an optimizer new groups.
        self._optimizers = [
            (optimizer, [group.get("weight_decay", 0.0) for group in optimizer.param_groups])
            for optimizer in optimizers
        ]
        dropouts = (module for module in network.modules() if isinstance(module, nn.Dropout | nn.AlphaDropout))
        self._dropouts = [(module, module.p) for module in dropouts]

    def before_step(self, step: int) -> None:
        """Set what holds in the step with this number; the first has 0."""
        self._set(lambda fraction: fraction(min(step / self._steps, 1.0)))

    def end(self) -> None:
        """Go back to the values themselves: the network is used as it was planned."""
        self._set(lambda _: 1.0)

    def _set(self, factor: Callable[[Callable[[float], float]], float]) -> None:
        if self._decay is not None:
            by = factor(self._decay)
            for optimizer, decays in self._optimizers:
                for group, decay in zip(optimizer.param_groups, decays, strict=True):
                    if "weight_decay" in group:
                        group["weight_decay"] = decay * by
        if self._dropout is not None:
            by = factor(self._dropout)
            for module, p in self._dropouts:
                module.p = p * by
