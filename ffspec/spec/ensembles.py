"""Several networks as one: a block whose layers are there once for each member."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias, final

from pydantic import Field

from ffspec.diagnostics import Path
from ffspec.spec.base import Several
from ffspec.spec.kinds import AnyLayer, Block, Layer, Loss
from ffspec.spec.step import LINEARS, Call, Shape, Step, size, times

Combination: TypeAlias = Literal["mean", "probabilities", "sigmoid", "rates"]
"""How the members' outputs become one in eval mode: their mean, or the logarithm (of `sigmoid`: the logit) of the mean
of what the loss takes them for."""

STACKED: dict[str, str] = {
    "nn.Linear": "ffspec.StackedLinear",
    "ffspec.NTKLinear": "ffspec.StackedNTKLinear",
    "ffspec.Scale": "ffspec.StackedScale",
    "nn.PReLU": "ffspec.StackedPReLU",
    "nn.BatchNorm1d": "ffspec.StackedBatchNorm",
    "nn.LayerNorm": "ffspec.StackedLayerNorm",
    "nn.RMSNorm": "ffspec.StackedRMSNorm",
    "ffspec.MemberScale": "ffspec.MemberScale",
}
"""What a call becomes with an axis of members in front of rows and weights: the same arguments behind `members`."""

MEMBERED = frozenset({"ffspec.Parametric", "ffspec.PLR", "ffspec.PBLD", "ffspec.PiecewiseLinear", "ffspec.Embedding"})
"""The calls that take the number of members themselves."""

ALIKE = frozenset(
    {f"nn.{name}" for name in (
        "ReLU", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh", "Softplus", "Softsign",
        "Hardtanh", "Hardsigmoid", "Hardswish", "ReLU6", "RReLU", "LogSigmoid", "Softshrink", "Hardshrink",
        "Tanhshrink", "Threshold", "GLU", "Identity", "Softmax", "LogSoftmax", "Softmin", "Dropout", "AlphaDropout",
    )} | {"ffspec.Heaviside", "ffspec.Residual", "ffspec.RidgeResidual"}
)  # fmt: skip
"""The calls that do the same whatever axes stand in front of the features."""

BEHIND = frozenset({"identity", "temperature", "target_scale"})
"""The layers that may stand behind an ensemble: what they do to the members' outputs, they do to the combined one."""

ENSEMBLES = frozenset({"ffspec.Ensemble", "ffspec.SharedEnsemble"})
"""The calls of the block."""


@final
class Ensemble(Block):
    """Networks of the same layers that train side by side and answer together: each has its own loss while training,
    and in eval mode their predictions are averaged. Fast, for all members are computed by the same operations.
    With `share: hidden` it is TabM-mini (Gorishniy et al. 2025, arXiv 2410.24210).
    """  # noqa: D205 - the summary is the table's text

    name: ClassVar[str] = "ensemble"
    members: int = Field(ge=1, le=1000, description="How many.")
    share: Literal["hidden"] | None = Field(
        None,
        description="What the members have in common: nothing if left out; hidden: all but the last linear and a "
        "factor of each member for each feature in front, which starts as -1 or 1 at random.",
    )
    layers: Several[AnyLayer] = Field(min_length=1, max_length=1000, description="The layers of a member.")


def combination(loss: Loss | None) -> Combination:
    """Return how members' outputs are combined: what is averaged is what the loss takes them for."""
    match None if loss is None else loss.output:
        case "logits" | "log_probabilities":
            return "probabilities"
        case "logit":
            return "sigmoid"
        case "log_rate":
            return "rates"
    return "mean"


def ending(layers: Sequence[Layer | Block | None]) -> int | None:
    """Return the index of the ensemble that ends some layers, but for what may stand behind it; None without one."""
    index = len(layers) - 1
    while index > 0 and (layer := layers[index]) is not None and layer.name in BEHIND:
        index -= 1
    return index if index >= 0 and isinstance(layers[index], Ensemble) else None


def find_ensemble(steps: Sequence[Step]) -> Step | None:
    """Return the step of the ensemble; None where there is none."""
    return next((step for step in steps if step.call.target in ENSEMBLES), None)


def opened(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps with those of a member in the ensemble's place: what a row passes on its way."""
    return tuple(inner for step in steps for inner in (step.steps if step.call.target in ENSEMBLES else (step,)))


def members_of(steps: Sequence[Step]) -> int:
    """Return the number of members; 1 where there is no ensemble."""
    ensemble = find_ensemble(steps)
    return 1 if ensemble is None else int(ensemble.call.arguments["members"])


def are_independent(steps: Sequence[Step]) -> bool:
    """Return whether there are members that have nothing in common."""
    return any(step.call.target == "ffspec.Ensemble" for step in steps)


def unstackable(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps of a member that have no form for all members at once."""
    for step in steps:
        if step.call.target != "unknown" and stacked(step.call, 1) is None:
            yield step
        yield from unstackable(step.steps)


def fitted(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps that are fitted on rows."""
    for step in steps:
        if step.call.target in {"ffspec.PiecewiseLinear", "ffspec.RidgeResidual"}:
            yield step
        yield from fitted(step.steps)


def unfittable(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps of a member that are fitted on rows, and are not the first, which sees the rows as they are."""
    if steps and steps[0].call.target == "ffspec.RidgeResidual":
        yield from unfittable(steps[0].steps)
    elif steps:
        yield from fitted(steps[0].steps)
    yield from fitted(steps[1:])


def stacked(call: Call, members: int) -> Call | None:
    """Return what computes a call for all members at once; None where nothing does."""
    if call.target in STACKED:
        return Call(STACKED[call.target], {"members": members, **call.arguments})
    if call.target in MEMBERED:
        return Call(call.target, {**call.arguments, "members": members})
    if call.target == "nn.Flatten":
        return Call("nn.Flatten", {"start_dim": 2})
    return call if call.target in ALIKE else None


def lowered(layer: Ensemble, shape: Shape, steps: Sequence[Step], combine: Combination, path: Path) -> Step:
    """Return the step of an ensemble.

    Args:
        layer: The block.
        shape: What it receives.
        steps: The steps of one member.
        combine: How the members' outputs are combined.
        path: The block in the document.
    """
    members = layer.members
    if layer.share is None:
        inner = tuple(_multiplied(step, members) for step in steps)
    else:
        factors = Step(
            call=Call("ffspec.MemberScale", {"num_features": shape[-1]}),
            input=shape,
            output=shape,
            parameters=times(shape[-1], members),
            flops=times(size(shape), members),
            members=members,
            path=path,
            layer=layer.name,
        )
        last = max((place for place, step in enumerate(steps) if step.call.target in LINEARS), default=None)
        inner = (factors, *(_multiplied(step, members, own=place == last) for place, step in enumerate(steps)))
    name = "ffspec.Ensemble" if layer.share is None else "ffspec.SharedEnsemble"
    output = inner[-1].output
    flops = times(size(output), members)  # the mean of the members
    call = Call(name, {"members": members, "combine": combine})
    return Step(call=call, input=shape, output=output, flops=flops, path=path, layer=layer.name, steps=inner)


def _multiplied(step: Step, members: int, *, own: bool = True) -> Step:
    """Return a step for all members: computed for each, and its parameters as often as they are each member's own."""
    return replace(
        step,
        parameters=times(step.parameters, members) if own else step.parameters,
        flops=times(step.flops, members),
        members=members if own else None,
        steps=tuple(_multiplied(inner, members, own=own) for inner in step.steps),
    )
