"""How many digits of a result can be relied on: the run is done again from weights one unit in the last place away.

Another processor, library or thread count rounds differently; what a nudge of the smallest possible size changes, they
may change too. It is measured, not promised.
"""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def nudge(network: nn.Module) -> None:
    """Move every weight to the next larger number of its type."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.nextafter(parameter, torch.full_like(parameter, torch.inf)))


def stable_digits(
    result: Mapping[str, Mapping[str, float]], nudged: Mapping[str, Mapping[str, float]]
) -> dict[str, float | None]:
    """Return how many significant digits of each measure two runs share; None where they are equal to the last bit."""
    return {
        f"{split}.{name}": None if value == nudged[split][name] else _digits(value, nudged[split][name])
        for split, measures in result.items()
        for name, value in measures.items()
        if name in nudged.get(split, {})
    }


def _digits(one: float, other: float) -> float:
    return max(0.0, -log10(abs(one - other) / max(abs(one), abs(other))))
