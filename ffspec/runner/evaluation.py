"""The eval-mode check: what the network makes of a split, and proof that looking changed nothing.

Shapes: B batch, F features, C classes or target columns.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ffspec.builder.calibration import Temperature
from ffspec.diagnostics import DivergedError, EvaluationError
from ffspec.runner.metrics import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ffspec.builder.loss import WeightedMean
    from ffspec.builder.scaling import TargetScale
    from ffspec.runner.flow import Flow
    from ffspec.spec.kinds import Loss
    from ffspec.spec.metrics import Metric

ROWS_AT_ONCE = 16_384
UNITS = {"mse": 2, "l1": 1}
"""The losses that grow by a power of the target's unit."""

Measures = dict[str, float]
"""The loss and the metrics of one split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A split as tensors on the device: x (B, F), and the target as data and as the loss wants it."""

    x: Tensor
    y: Tensor
    """Class numbers (B,), or numbers (B, C)."""
    target: Tensor
    """What the loss compares the output with, while training; with a target_scale, it is standardised."""

    weight: Tensor | None = None
    """How much each row counts, (B,); all the same if None."""

    whole: Flow | None = None
    """All rows of the split, where these are a sample of rows that are streamed."""

    @property
    def rows(self) -> int:
        """The number of rows in memory."""
        return len(self.x)

    @property
    def total(self) -> int:
        """The number of rows of the split."""
        return self.rows if self.whole is None else self.whole.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Everything an evaluation needs beside the network and the rows."""

    spec: Loss
    loss: nn.Module
    classes: int | None
    metrics: Sequence[Metric]
    autocast: Callable[[], AbstractContextManager[Any]]
    scale: TargetScale | None = None
    """Where the network ends with one, what the units of the target are."""
    members: int = 1
    """The members of the ensemble: in train mode the output has that many rows for each of the batch."""
    independent: bool = False
    """Whether they have nothing in common, so that each must get the gradient of its own loss."""

    threshold: float | None = None
    """From which probability on the second of two classes is predicted; None: where it is the likelier."""

    weighted: WeightedMean | None = None
    """The loss of rows that have weights."""

    def loss_of(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the loss of an output of eval mode: in the units of the target where they are those of the loss."""
        if self.scale is None:
            return self._compared(output, batch.target, batch.weight)
        if self.spec.name in UNITS:
            return self._compared(output, batch.y.to(batch.target.dtype), batch.weight)
        return self._compared(self.scale.standardise(output), batch.target, batch.weight)

    @property
    def unit(self) -> float:
        """What a loss of train mode is multiplied with, to be in the units that `loss_of` has."""
        if self.scale is None or self.spec.name not in UNITS:
            return 1.0
        return float(self.scale.scale.double().pow(UNITS[self.spec.name]).mean())

    def _compared(self, output: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        loss: Tensor
        if self.weighted is not None and weight is not None:
            loss = self.weighted(output, target, weight)
        else:
            loss = self.loss(output, target)
        return loss

    def train_loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss of an output in train mode: of an ensemble the mean of its members' own losses.

        Args:
            output: (B, C), or of an ensemble (M * B, C), one member's rows after the other's.
            target: What each of the B rows is compared with.
            weight: How much each of them counts; all the same if None.
        """
        return self._compared(output, *self.repeated(target, weight))

    def repeated(self, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return what an output in train mode is compared with: the same for the rows of every member."""
        if self.members > 1:
            target = target.repeat(self.members, *[1] * (target.dim() - 1))
            weight = None if weight is None else weight.repeat(self.members)
        return target, weight

    def objective(self, loss: Tensor) -> Tensor:
        """Return what is differentiated: the sum of the losses of members that have nothing in common, else the mean.

        The gradient of each is then what it would be alone, which weight decay and a bound on gradients depend on.
        """
        return loss * self.members if self.independent else loss


def check(network: nn.Module, splits: Mapping[str, Batch], judge: Judge) -> dict[str, Measures]:
    """Evaluate every split in eval mode, and assert what an evaluation must never break.

    Every module is in eval mode; parameters, buffers and random state are bit-identical before and after; a second
    pass gives the same bits; the output has the target's shape; everything is finite. The modes are restored.

    Raises:
        DivergedError: The output or the loss of a split is not finite.
        EvaluationError: One of the other assertions fails.
    """
    bits, random = _bits(network), torch.get_rng_state()
    results = {}
    with eval_mode(network), torch.inference_mode():
        training = [name or "the network" for name, module in network.named_modules() if module.training]
        if training:
            raise EvaluationError(f"these modules stay in train mode: {', '.join(training)}")
        for name, batch in splits.items():
            output = forward(network, batch.x, judge)
            if not torch.equal(output, forward(network, batch.x, judge)) and bool(output.isfinite().all()):
                raise EvaluationError(f"two eval-mode passes over the {name} split differ")
            _check_shapes(name, output, batch, judge)
            results[name] = _measured(name, output, batch, judge)
        results = _of_all_rows(results, network, splits, judge)
    if any(not torch.equal(before, now) for before, now in zip(bits, _bits(network), strict=True)):
        raise EvaluationError("evaluating changed the network's parameters or buffers")
    if not torch.equal(random, torch.get_rng_state()):
        raise EvaluationError("evaluating drew random numbers")
    return results


def measure_splits(network: nn.Module, splits: Mapping[str, Batch], judge: Judge) -> dict[str, Measures]:
    """Evaluate splits between two epochs: the same figures as `check`, without its proofs.

    Raises:
        DivergedError: The output or the loss of a split is not finite.
    """
    with eval_mode(network), torch.inference_mode():
        found = {
            name: _measured(name, forward(network, batch.x, judge), batch, judge) for name, batch in splits.items()
        }
        return _of_all_rows(found, network, splits, judge)


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Put every module into eval mode for a block, and each back into the mode it was in."""
    # Past the setter, which would look for parameters and modules first: that takes as long as a small network.
    modes = [(vars(module), module.training) for module in network.modules()]
    for attributes, _ in modes:
        attributes["training"] = False
    if any(type(module).train is not nn.Module.train for module in network.modules()):
        network.eval()  # some module has a say in it
    try:
        yield
    finally:
        for attributes, mode in modes:
            attributes["training"] = mode


def undropped_copy(network: nn.Module) -> nn.Module:
    """Return a copy in train mode in which nothing is drawn at random: dropout and rrelu act as in eval mode.

    So does a temperature, which is fitted for eval mode only.
    """
    copy = deepcopy(network).train()
    for module in copy.modules():
        if isinstance(module, nn.Dropout | nn.AlphaDropout | nn.RReLU | Temperature):
            module.eval()
    return copy


def forward(network: nn.Module, x_BF: Tensor, judge: Judge) -> Tensor:
    """Return the output for all rows, (B, C), a bounded number of rows at a time."""
    at_once = ROWS_AT_ONCE // judge.members
    with judge.autocast():
        if len(x_BF) <= at_once:
            output: Tensor = network(x_BF)
            return output
        return torch.cat([network(part) for part in torch.split(x_BF, at_once)])


def _check_shapes(name: str, output: Tensor, batch: Batch, judge: Judge) -> None:
    """Refuse to broadcast: (B, 1) against (B,) would compare every row with every other."""
    expected = (batch.rows, judge.classes) if judge.spec.target == "index" else tuple(batch.target.shape)
    if tuple(output.shape) != expected:
        message = f"the output for the {name} split has shape {tuple(output.shape)}, its target needs {expected}"
        raise EvaluationError(message)


def _measured(name: str, output: Tensor, batch: Batch, judge: Judge) -> Measures:
    refuse_infinite(name, output)
    with judge.autocast():
        loss = float(judge.loss_of(output, batch))
    if not isfinite(loss):
        raise DivergedError(f"the loss on the {name} split is {loss}")
    found = measure(
        output,
        batch.y,
        judge.spec,
        judge.classes,
        judge.metrics,
        threshold=judge.threshold,
        weight=batch.weight,
    )
    return {"loss": loss, **found}


def refuse_infinite(name: str, output: Tensor) -> None:
    """Refuse an output for a split that is not finite.

    Raises:
        DivergedError: It is not.
    """
    if output.numel() and not isfinite(float(output.abs().max())):
        raise DivergedError(f"the network's output on the {name} split is not finite")


def _of_all_rows(
    found: dict[str, Measures], network: nn.Module, splits: Mapping[str, Batch], judge: Judge
) -> dict[str, Measures]:
    """Replace measures of samples by those of all rows, where rows are streamed and a measure is a sum over rows."""
    flows = {name: batch.whole for name, batch in splits.items() if batch.whole is not None}
    if not flows:
        return found
    from ffspec.runner.tally import tallied

    whole = tallied(network, flows, judge)
    return {name: {**measures, **whole.get(name, {})} for name, measures in found.items()}


def _bits(network: nn.Module) -> list[Tensor]:
    """Return a copy of every parameter and buffer as bytes, so that even NaN equals itself."""
    state = (*network.parameters(), *network.buffers())
    return [tensor.detach().reshape(-1).clone().view(torch.uint8) for tensor in state]
