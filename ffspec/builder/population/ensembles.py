"""Ensembles of many networks at once: every member of each is a network among many.

Shapes: M networks, E members of each, B batch, F features, C outputs. The rows of members of their own are (M E, F, B);
where the members of a network share the layers, their rows are its rows: (M, F, E B), one member's after the other's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ffspec.builder.population import layers as computing
from ffspec.builder.stacked import combined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.builder.population.layers import Layer


class Ensemble:
    """Members with nothing in common (`ffspec.builder.stacked.Ensemble`).

    Args:
        layers: Those of all members of all networks.
        networks: M.
        members: E.
        combine: How the members' outputs become one in eval mode.
    """

    def __init__(self, layers: Sequence[Layer], networks: int, members: int, combine: str) -> None:
        self._layers, self._networks, self._members, self._combine = layers, networks, members, combine

    def forward(self, x: Tensor) -> Tensor:
        """Return every member's output, (M E, C, B); rows that all share stay as they are until a layer differs."""
        return computing.forward(self._layers, self._repeated(x))

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the combined output, (M, C, B)."""
        return joined(computing.evaluate(self._layers, self._repeated(x)), self._networks, self._members, self._combine)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the sum of the gradients of a network's members."""
        above = computing.backward(self._layers, g, wanted=wanted)
        return None if above is None or not wanted else _divided(above, self._networks).sum(dim=1)

    def _repeated(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(self._members, dim=0) if x.dim() == 3 else x


class SharedEnsemble:
    """Members that share most of their layers (`ffspec.builder.stacked.SharedEnsemble`).

    Args:
        layers: The layers, and of each whether it is every member's own.
        networks: M.
        members: E.
        combine: How the members' outputs become one in eval mode.
    """

    def __init__(self, layers: Sequence[tuple[Layer, bool]], networks: int, members: int, combine: str) -> None:
        self._layers, self._networks, self._members, self._combine = layers, networks, members, combine

    def forward(self, x: Tensor) -> Tensor:
        """Return every member's output, (M E, C, B)."""
        return self._run(x, evaluating=False)

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the combined output, (M, C, B)."""
        return joined(self._run(x, evaluating=True), self._networks, self._members, self._combine)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the sum of the gradients of a network's members."""
        apart = True
        for place, (layer, own) in reversed([*enumerate(self._layers)]):
            made = layer.backward(self._as(g, own=own, apart=apart), wanted=wanted or place > 0)
            if made is None:
                return None
            g, apart = made, own
        return _divided(self._as(g, own=True, apart=apart), self._networks).sum(dim=1) if wanted else None

    def _run(self, x: Tensor, *, evaluating: bool) -> Tensor:
        x = x if x.dim() == 3 else x.expand(self._networks, -1, -1)
        x, apart = x.repeat_interleave(self._members, dim=0), True
        for layer, own in self._layers:
            x = self._as(x, own=own, apart=apart)
            x, apart = layer.evaluate(x) if evaluating else layer.forward(x), own
        return self._as(x, own=True, apart=apart)

    def _as(self, x: Tensor, *, own: bool, apart: bool) -> Tensor:
        """Return rows as a layer wants them: those of members apart, or those of a network together."""
        if own == apart:
            return x
        if own:
            rows = x.reshape(*x.shape[:2], self._members, -1)
            return rows.transpose(1, 2).flatten(0, 1)
        return _divided(x, self._networks).transpose(1, 2).flatten(2)


def joined(outputs: Tensor, networks: int, members: int, how: str) -> Tensor:
    """Return one output for each row of each network, (M E, C, B) to (M, C, B)."""
    outputs = outputs if outputs.dim() == 3 else outputs.expand(networks * members, -1, -1)
    rows = _divided(outputs, networks).permute(1, 0, 3, 2)
    return _divided(combined(rows.flatten(1, 2), how), networks).transpose(1, 2)


def _divided(x: Tensor, parts: int) -> Tensor:
    """Return a tensor with its first axis divided into two, so many parts the first of them."""
    return x.reshape(parts, -1, *x.shape[1:])
