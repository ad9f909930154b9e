"""How the gradients of a spec are computed: written out, by autograd, or compiled.

Written out and by autograd they have the same bits; compiled, the last ones may be others. What is written out stands
in `builder/backward`; a test holds the names here against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ffspec.planner import walk
from ffspec.spec.ensembles import stacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.planner import Plan
    from ffspec.spec.step import Step
    from ffspec.spec.training import Training

LAYERS = frozenset(
    {f"nn.{name}" for name in (
        "Linear", "ReLU", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh", "Softplus",
        "Hardtanh", "ReLU6", "Hardsigmoid", "Hardswish", "LogSigmoid", "Softshrink", "Hardshrink", "Threshold", "GLU",
        "Softmax", "LogSoftmax", "Softmin", "Softsign", "Tanhshrink", "PReLU", "RReLU",
        "Identity", "Flatten", "Dropout", "AlphaDropout", "BatchNorm1d", "LayerNorm", "RMSNorm",
    )} | {f"ffspec.{name}" for name in (
        "NTKLinear", "Scale", "TargetScale", "Temperature", "StackedLinear", "StackedNTKLinear", "StackedScale",
        "MemberScale", "Embedding", "PiecewiseLinear",
    )}
)  # fmt: skip
"""The layers whose gradients are written out."""

BLOCKS = frozenset(
    {"ffspec.Parametric", "ffspec.Residual", "ffspec.RidgeResidual", "ffspec.Ensemble", "ffspec.SharedEnsemble"}
)
"""The blocks that are written out if what is in them is."""

LOSSES = frozenset(
    f"nn.{name}Loss"
    for name in (
        "BCE",
        "BCEWithLogits",
        "CrossEntropy",
        "NLL",
        "MSE",
        "L1",
        "SmoothL1",
        "Huber",
        "PoissonNLL",
        "SoftMargin",
        "MultiMargin",
    )
)
"""The losses whose gradients are written out."""


@dataclass(frozen=True, slots=True)
class Gradients:
    """How the gradients of a training are computed."""

    written: bool
    """Whether what can be is written out."""
    reason: str = ""
    """Why it is not."""
    by_autograd: tuple[str, ...] = ()
    """The layers and the loss that are left to autograd all the same."""
    compiled: bool = False
    """Whether the network and its loss are compiled."""
    uncompiled: str = ""
    """Why they are not, although that is asked for; or which steps are not."""

    def __str__(self) -> str:
        """Return it in one line."""
        if self.compiled:
            left = f", but for {self.uncompiled}" if self.uncompiled else ""
            return f"compiled, forward and backward as one{left}; the last bits may differ from autograd's"
        return f"{self._plain()}; not compiled: {self.uncompiled}" if self.uncompiled else self._plain()

    def _plain(self) -> str:
        if not self.written:
            return f"by autograd: {self.reason}"
        left = f", but for {', '.join(self.by_autograd)}" if self.by_autograd else ""
        return f"without autograd, to the same bits{left}"


def gradients_of(training: Training, plan: Plan) -> Gradients:
    """Return how the gradients of a training are computed."""
    why = uncompiled(training, plan.steps) if training.compile else ""
    if training.compile and not why:
        return Gradients(written=False, compiled=True, uncompiled=_smaller(training, plan))
    reason = obstacle(training)
    if reason:
        return Gradients(written=False, reason=reason, uncompiled=why)
    left = [*dict.fromkeys(_left(plan.steps))]
    told = plan.loss.arguments
    both = told.get("label_smoothing") and told.get("weight") is not None
    if plan.loss.target not in LOSSES or both or told.get("beta") == 0:
        left.append(f"the loss {plan.loss.target.partition('.')[2]}")
    return Gradients(written=True, by_autograd=tuple(left), uncompiled=why)


def uncompiled(training: Training, steps: Sequence[Step]) -> str:
    """Return why nothing is compiled; nothing if it can be."""
    if training.device in {"cuda", "mps"}:
        return f"only what a CPU computes is, and the device is {training.device}"
    schedules = training.schedules
    if schedules is not None and schedules.dropout not in {None, "constant"}:
        return "a dropout that changes would be another function in every step"
    if any(step.call.arguments.get("momentum", 0) is None for step in walk(steps)):
        return "a batch_norm with momentum: null is another function in every step"
    return ""


def _smaller(training: Training, plan: Plan) -> str:
    """Return the steps that are not of the size that is compiled."""
    rows, size = plan.facts.rows.get("train"), training.batch_size
    if rows is None or isinstance(size, str) or training.drop_last or size >= rows or rows % size == 0:
        return ""
    return f"the last step of an epoch, of {rows % size} rows"


def obstacle(training: Training) -> str:
    """Return why nothing is written out; nothing if it is."""
    if training.precision == "bf16":
        return "bf16 casts while it computes"
    if training.device in {"cuda", "mps"}:
        return f"{training.device} computes while Python runs ahead"
    return ""


def _left(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the layers that are left to autograd; a block goes with all that is in it."""
    for step in steps:
        call = step.call if step.members is None else stacked(step.call, step.members) or step.call
        if call.arguments.get("activation") in {"softsign", "tanhshrink"}:
            yield call.target.partition(".")[2]
        elif call.target in BLOCKS:
            yield from _left(step.steps)
        elif call.target not in LAYERS:
            yield call.target.partition(".")[2]
