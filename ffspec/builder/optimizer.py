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

from ffspec.spec.step import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ffspec.spec.kinds import Optimizer as OptimizerSpec

FUSED = {
    "SGD": ("cpu", "cuda", "mps"),
    "Adam": ("cpu", "cuda", "mps"),
    "AdamW": ("cpu", "cuda", "mps"),
    "Adagrad": ("cpu",),
}
"""The optimizers PyTorch has one kernel for, and where."""


def build_optimizers(spec: OptimizerSpec, network: nn.Module) -> tuple[Optimizer, ...]:
    """Build what trains a network: one optimizer, or two where the method leaves some parameters to another."""
    if spec.name != "muon":
        return (construct_optimizer(spec.call(), network.parameters()),)
    matrices = hidden_matrices(network)
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in chosen]
    others = Call("optim.AdamW", {"lr": getattr(spec, "adamw_lr", 1e-3)})
    parts = ((spec.call(), matrices), (others, rest))
    return tuple(construct_optimizer(call, parameters) for call, parameters in parts if parameters)


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights of all linears but the first and the last: what Muon is made for."""
    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [cast("nn.Parameter", linear.weight) for linear in linears[1:-1]]


def construct_optimizer(call: Call, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Construct the torch optimizer a call names, fused where PyTorch can."""
    kind = getattr(torch.optim, call.target.removeprefix("optim."))
    listed = list(parameters)
    places = FUSED.get(kind.__name__, ())
    if listed and all(parameter.device.type in places for parameter in listed):
        call = replace(call, arguments={**call.arguments, "fused": True})
    with _uncompiled_constructor():
        optimizer: Optimizer = kind(listed, **call.arguments)
    bare: Any = torch.no_grad()(inspect.unwrap(kind.step))
    optimizer.step = MethodType(bare, optimizer)  # type: ignore[method-assign]
    return optimizer


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
