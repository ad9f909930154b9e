"""Plan -> nn.Sequential."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from ffspec.builder import calibration, embeddings, initialise, modules, scaling, shortcut, stacked
from ffspec.builder.streams import untouched
from ffspec.seeds import derive
from ffspec.spec.ensembles import stacked as stacked_call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from ffspec.planner import Plan
    from ffspec.spec.kinds import Init
    from ffspec.spec.step import Call, Step

OWN: dict[str, type[nn.Module]] = {
    "Heaviside": modules.Heaviside,
    "Residual": modules.Residual,
    "RidgeResidual": shortcut.RidgeResidual,
    "PerceptronLoss": modules.PerceptronLoss,
    "Scale": scaling.Scale,
    "NTKLinear": scaling.NTKLinear,
    "TargetScale": scaling.TargetScale,
    "Temperature": calibration.Temperature,
    "StackedLinear": stacked.StackedLinear,
    "StackedNTKLinear": stacked.StackedNTKLinear,
    "StackedScale": stacked.StackedScale,
    "StackedPReLU": stacked.StackedPReLU,
    "StackedBatchNorm": stacked.StackedBatchNorm,
    "StackedLayerNorm": stacked.StackedLayerNorm,
    "StackedRMSNorm": stacked.StackedRMSNorm,
    "MemberScale": stacked.MemberScale,
    "Parametric": scaling.Parametric,
    "PLR": embeddings.PLR,
    "PBLD": embeddings.PBLD,
    "PiecewiseLinear": embeddings.PiecewiseLinear,
    "Embedding": embeddings.Embedding,
}
"""What a call of the namespace ffspec names."""


def construct(call: Call) -> nn.Module:
    """Make the module a call names; the names are a plan's, never a file's."""
    namespace, name = call.target.split(".")
    kind = OWN[name] if namespace == "ffspec" else getattr(nn, name)
    module: nn.Module = kind(**call.arguments)
    return module


def build_network(plan: Plan, *, seed: int = 0, precision: str = "float32", device: str = "cpu") -> nn.Sequential:
    """Build the network of a plan whose shapes are all known.

    Args:
        plan: The plan.
        seed: The root seed; the weights come from its "init" streams, one for each parameter.
        precision: A spec's `training.precision`; a seed gives the same values in each, but for rounding.
        device: Where they live; "meta" gives shapes without values.

    Returns:
        A plain `torch.nn.Sequential`, in train mode. The caller's random state is left as it was.
    """
    with untouched(), torch.device(device):
        network = nn.Sequential(*(_module(step) for step in plan.steps)).to(parameter_type(precision))
    if device != "meta":
        _initialise(network, plan.steps, seed, "")
    return network


def parameter_type(precision: str) -> torch.dtype:
    """Return the type of the parameters; with bf16 only the products are bfloat16 (autocast)."""
    return torch.float64 if precision == "float64" else torch.float32


BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "ffspec.Residual": modules.Residual,
    "ffspec.RidgeResidual": shortcut.RidgeResidual,
    "ffspec.Ensemble": stacked.Ensemble,
    "ffspec.SharedEnsemble": stacked.SharedEnsemble,
}
"""What is made of the modules inside it."""


def _module(step: Step) -> nn.Module:
    if step.call.target in BLOCKS:
        return BLOCKS[step.call.target](*(_module(inner) for inner in step.steps), **step.call.arguments)
    if step.members is None:
        return construct(step.call)
    call = stacked_call(step.call, step.members)
    if call is None:
        raise TypeError(step.call)  # the planner has refused it
    return construct(call)


def _initialise(network: nn.Module, steps: Sequence[Step], seed: int, prefix: str) -> None:
    """Draw every parameter from a stream named after it, so that no layer shifts another's."""
    for (position, module), step in zip(network.named_children(), steps, strict=True):
        if step.steps:
            _initialise(module, step.steps, seed, f"{prefix}{position}.")
            continue
        for name, whole in module.named_parameters():
            init = step.initialisers.get(name)
            for stream, parameter in _parts(whole, step.members, f"{prefix}{position}.{name}"):
                generator = torch.Generator().manual_seed(derive(seed, f"init/{stream}"))
                if init is None:
                    initialise.start(module, parameter, generator)
                else:
                    initialise.apply(cast("Init", init), parameter, generator)


def _parts(parameter: Tensor, members: int | None, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yield a parameter and its stream's name; of an ensemble every member's part, so that none shifts another's."""
    if members is None:
        yield name, parameter
        return
    for member in range(members):
        yield f"{member}/{name}", parameter.detach()[member]
