"""What is seen of many networks while they train: what a `Watch` sees of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ffspec.runner.probes import LINEAR_MODULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from ffspec.builder.population.network import Network
    from ffspec.runner.keeper import Keeper
    from ffspec.runner.population.chunk import Course


class Watches:
    """Looks at the first step of epochs 1, 2, 4, 8, ...: how far it moves the weights of every linear of each member.

    Args:
        network: The network of one of them.
        keeper: Knows of signals.
    """

    def __init__(self, network: nn.Module, keeper: Keeper) -> None:
        self._keeper = keeper
        self._names = [name for name, module in network.named_modules() if isinstance(module, LINEAR_MODULES)]
        self._before: dict[str, Tensor] = {}

    def before_epoch(self, epoch: int, network: Network) -> None:
        """Remember the weights, in epochs that are powers of two."""
        if epoch & (epoch - 1) == 0:
            self._before = {name: network.tensors[f"{name}.weight"].clone() for name in self._names}

    def after_step(self, network: Network, courses: Sequence[Course]) -> None:
        """Compare the weights with those remembered, and forget them; stop if a signal asked for it.

        Raises:
            InterruptedRunError: A signal has come.
        """
        self._keeper.heed()
        for name, before in self._before.items():
            after = network.tensors[f"{name}.weight"]
            sizes = torch.linalg.vector_norm(before.flatten(1), dim=1).tolist()
            ways = torch.linalg.vector_norm((after - before).flatten(1), dim=1).tolist()
            for course, size, way in zip(courses, sizes, ways, strict=True):
                if size > 0 and not course.ended:
                    course.moved.setdefault(name, []).append(way / size)
        self._before = {}
