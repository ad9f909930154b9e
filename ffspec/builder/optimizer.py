"""The optimizers of a plan, without the compiler PyTorch loads for them.

Constructing or stepping a torch optimizer imports torch._dynamo, more than a second, only to exempt the method from
compilation. Nothing here is compiled, so the methods are taken as they stand below those wrappers.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import replace
from types import MethodType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.optim import Optimizer

from ffspec.spec.grouping import factors_by_name
from ffspec.spec.step import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ffspec.spec.grouping import Factors
    from ffspec.spec.kinds import Optimizer as OptimizerSpec
    from ffspec.spec.step import Step

FUSED = {
    "SGD": ("cpu", "cuda", "mps"),
    "Adam": ("cpu", "cuda", "mps"),
    "AdamW": ("cpu", "cuda", "mps"),
    "Adagrad": ("cpu",),
}
"""The optimizers PyTorch has one kernel for, and where."""


def build_optimizers(spec: OptimizerSpec, network: nn.Module, steps: Sequence[Step] = ()) -> tuple[Optimizer, ...]:
    """Build what trains a network: one optimizer, or two where the method leaves some parameters to another.

    Args:
        spec: The optimizer.
        network: What it trains.
        steps: The steps the network was built from; its groups name their layers.
    """
    factors = _factors(spec, network, steps)
    if spec.name != "muon":
        return (construct_optimizer(spec.call(), network.parameters(), factors),)
    matrices = hidden_matrices(network)
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in chosen]
    others = Call("optim.AdamW", {"lr": getattr(spec, "adamw_lr", 1e-3)})
    parts = ((spec.call(), matrices), (others, rest))
    return tuple(construct_optimizer(call, parameters, factors) for call, parameters in parts if parameters)


def _factors(spec: OptimizerSpec, network: nn.Module, steps: Sequence[Step]) -> dict[nn.Parameter, Factors]:
    """Return the factors of every parameter; none where the spec has no groups."""
    groups = getattr(spec, "groups", ())
    if not groups:
        return {}
    named = dict(network.named_parameters())
    return dict(zip(named.values(), factors_by_name(groups, steps, named), strict=True))


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights of all linears but the first and the last: what Muon is made for."""
    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [cast("nn.Parameter", linear.weight) for linear in linears[1:-1]]


def construct_optimizer(
    call: Call, parameters: Iterable[nn.Parameter], factors: Mapping[nn.Parameter, Factors] | None = None
) -> Optimizer:
    """Construct the torch optimizer a call names, fused where PyTorch can.

    Args:
        call: The call.
        parameters: What it trains.
        factors: What lr and weight_decay of each parameter are multiplied with; those with the same make one group.
    """
    kind = getattr(torch.optim, call.target.removeprefix("optim."))
    listed = list(parameters)
    places = FUSED.get(kind.__name__, ())
    if listed and all(parameter.device.type in places for parameter in listed):
        call = replace(call, arguments={**call.arguments, "fused": True})
    with _uncompiled_constructor():
        members = _grouped(listed, factors) if factors else {}
        optimizer: Optimizer = kind([{"params": one} for one in members.values()] or listed, **call.arguments)
    for group, (lr, weight_decay) in zip(optimizer.param_groups, members, strict=False):
        group["lr"], group["factor"] = group["lr"] * lr, lr
        if "weight_decay" in group:
            group["weight_decay"] *= weight_decay
    bare: Any = torch.no_grad()(inspect.unwrap(kind.step))
    optimizer.step = MethodType(bare, optimizer)  # type: ignore[method-assign]
    return optimizer


def _grouped(
    parameters: Iterable[nn.Parameter], factors: Mapping[nn.Parameter, Factors]
) -> dict[Factors, list[nn.Parameter]]:
    """Return the parameters of each pair of factors, in the order of the network."""
    members: dict[Factors, list[nn.Parameter]] = {}
    for parameter in parameters:
        members.setdefault(factors[parameter], []).append(parameter)
    return members


def state_of(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer's state, as `state_dict` does."""
    found: dict[str, Any] = inspect.unwrap(Optimizer.state_dict)(optimizer)
    return found


def load_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Put a state back, as `load_state_dict` does."""
    torch.no_grad()(inspect.unwrap(Optimizer.load_state_dict))(optimizer, state)


@contextmanager
def _uncompiled_constructor() -> Iterator[None]:
    """Mark the one method the constructor calls as exempt already, for the length of a block."""
    method: Any = inspect.unwrap(Optimizer.add_param_group)
    mark = "__dynamo_disable"
    if hasattr(method, mark):
        yield
        return
    setattr(method, mark, method)
    try:
        yield
    finally:
        delattr(method, mark)
