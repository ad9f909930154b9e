"""What is fitted on the validation split once the training is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ffspec.builder.calibration import Temperature
from ffspec.runner.evaluation import eval_mode, forward

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from ffspec.runner.evaluation import Batch, Judge


def fit_temperature(network: nn.Sequential, splits: Mapping[str, Batch], judge: Judge) -> float | None:
    """Fit the temperature of a network, in place, and return it; None where the network has none."""
    last = network[-1]
    if not isinstance(last, Temperature):
        return None
    batch = splits["validation"]
    with eval_mode(network), torch.inference_mode():
        scores = forward(network, batch.x, judge)  # the temperature is 1 until now
    last.fit(scores.cpu(), batch.target.cpu())
    return float(last.temperature)
