"""What is fitted on the validation split once the training is over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ffspec.builder.calibration import Temperature, best_threshold
from ffspec.runner.evaluation import eval_mode, forward
from ffspec.runner.metrics import read_classes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from ffspec.runner.evaluation import Batch, Judge


def calibrate(
    network: nn.Sequential, splits: Mapping[str, Batch], judge: Judge, measure: str | None
) -> tuple[float | None, Judge]:
    """Fit the temperature of a network, in place, and then the threshold of the predictions.

    Args:
        network: The network, trained.
        splits: The rows, of which only those of the validation split are looked at.
        judge: What has judged the network so far.
        measure: What the threshold shall be best for; None: nothing, and the likelier class is predicted.

    Returns:
        The temperature, or None where the network has none; and what judges the network from here on.
    """
    temperature, last = None, network[-1]
    if isinstance(last, Temperature):
        batch = splits["validation"]
        scores = _output(network, batch, judge)  # the temperature is 1 until now
        last.fit(scores.cpu(), batch.target.cpu())
        temperature = float(last.temperature)
    if measure is None:
        return temperature, judge
    batch = splits["validation"]
    probability = read_classes(_output(network, batch, judge), judge.spec).probability
    if probability is None or probability.shape[1] != 2 or not bool(probability.isfinite().all()):
        return temperature, judge  # the check that follows says what is wrong
    threshold = best_threshold(probability[:, 1].cpu(), batch.y.cpu(), measure)
    return temperature, replace(judge, threshold=threshold)


def _output(network: nn.Sequential, batch: Batch, judge: Judge) -> Tensor:
    with eval_mode(network), torch.inference_mode():
        return forward(network, batch.x, judge)
