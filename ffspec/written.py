"""How the gradients of a spec are computed: written out, or by autograd. The bits are the same either way.

What is written out stands in `builder/backward`; a test holds the names here against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        "MemberScale",
    )}
)  # fmt: skip
"""The layers whose gradients are written out."""

BLOCKS = frozenset({"ffspec.Parametric", "ffspec.Residual", "ffspec.Ensemble", "ffspec.SharedEnsemble"})
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

    def __str__(self) -> str:
        """Return it in one line."""
        if not self.written:
            return f"by autograd: {self.reason}"
        left = f", but for {', '.join(self.by_autograd)}" if self.by_autograd else ""
        return f"without autograd, to the same bits{left}"


def gradients_of(training: Training, plan: Plan) -> Gradients:
    """Return how the gradients of a training are computed."""
    reason = obstacle(training)
    if reason:
        return Gradients(written=False, reason=reason)
    left = [*dict.fromkeys(_left(plan.steps))]
    told = plan.loss.arguments
    both = told.get("label_smoothing") and told.get("weight") is not None
    if plan.loss.target not in LOSSES or both or told.get("beta") == 0:
        left.append(f"the loss {plan.loss.target.partition('.')[2]}")
    return Gradients(written=True, by_autograd=tuple(left))


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
