"""Evaluating many networks at once, between two epochs.

Shapes: M members, N rows, F features, C outputs.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ffspec.diagnostics import DivergedError
from ffspec.runner.evaluation import ROWS_AT_ONCE
from ffspec.runner.population.measuring import metrics_of
from ffspec.runner.population.rows import shared, stacked, weights_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.builder.population.losses import MemberLosses
    from ffspec.builder.population.network import Network
    from ffspec.runner.evaluation import Batch, Measures
    from ffspec.runner.setup import Setup

Found = "dict[str, Measures] | DivergedError"


class Evaluation:
    """Evaluates some splits of members.

    Args:
        setups: The members.
        names: The splits.
        losses: Their loss.
    """

    def __init__(self, setups: Sequence[Setup], names: Sequence[str], losses: MemberLosses) -> None:
        self._setups, self._losses, self.names = setups, losses, tuple(names)
        self._truths = {name: _truth([setup.splits[name] for setup in setups]) for name in names}
        self._rows = {name: stacked([setup.splits[name] for setup in setups]) for name in names}
        self._weights = {name: weights_of([setup.splits[name] for setup in setups]) for name in names}

    def measures(self, network: Network) -> list[dict[str, Measures] | DivergedError]:
        """Return what each member reaches on each split, or what is wrong with it."""
        found: list[dict[str, Measures] | DivergedError] = [{} for _ in self._setups]
        with torch.inference_mode():
            for name, (x, target) in self._rows.items():
                output = outputs(network, x)
                fine = output.isfinite().flatten(1).all(dim=1).tolist()
                losses = self._loss(name, output, target)
                metrics = self._metrics(name, output, fine)
                for place, made in enumerate(found):
                    if isinstance(made, DivergedError):
                        continue
                    if not fine[place]:
                        found[place] = DivergedError(f"the network's output on the {name} split is not finite")
                    elif not isfinite(losses[place]):
                        found[place] = DivergedError(f"the loss on the {name} split is {losses[place]}")
                    else:
                        made[name] = {"loss": losses[place], **metrics[place]}
        return found

    def _loss(self, name: str, output: Tensor, target: Tensor) -> list[float]:
        judges = [setup.judge for setup in self._setups]
        if judges[0].scale is not None:  # each member has units of its own
            batches = [setup.splits[name] for setup in self._setups]
            pairs = zip(judges, output, batches, strict=True)
            return [float(judge.loss_of(one, batch)) for judge, one, batch in pairs]
        index = judges[0].spec.target == "index"
        compared = target if index else target.transpose(1, 2)
        means: list[float] = self._losses.means(output, compared, self._weights[name]).tolist()
        return means

    def _metrics(self, name: str, output: Tensor, fine: list[bool]) -> list[Measures]:
        truths = [setup.splits[name].y for setup in self._setups]
        output = output if all(fine) else output.nan_to_num(0.0, 0.0, 0.0)  # of those that are not fine nothing is told
        weights = [setup.splits[name].weight for setup in self._setups]
        return metrics_of(output, truths, self._truths[name], self._setups[0].judge, weights)


def _truth(batches: Sequence[Batch]) -> Tensor:
    """Return the target of each member as data; of all, where they share it."""
    return torch.stack([batch.y for batch in (batches[:1] if shared(batches) else batches)])


def outputs(network: Network, x: Tensor) -> Tensor:
    """Return the outputs in eval mode, (M, N, C), a bounded number of rows at a time.

    Args:
        network: The members.
        x: (F, N), or (M, F, N).
    """
    at_once = max(1, ROWS_AT_ONCE // network.blocks.members)
    parts = [network.evaluate(part) for part in torch.split(x, at_once, dim=-1)]
    output = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    if not network.heads:
        return output
    return torch.stack([head(one) for head, one in zip(network.heads, output, strict=True)])
