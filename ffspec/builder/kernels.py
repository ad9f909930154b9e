"""An optimizer's steps without what PyTorch does around its kernel: looking up states, grouping them, counting.

The kernel gets the same tensors in the same order and so gives the same bits. Of one long tensor in their place it
would not: with momentum or moments, the numbers behind the last whole vector of a tensor are rounded otherwise, and
which those are depends on where the tensor ends. What a step depends on is read anew each time, for schedules change
it; the states stay where PyTorch keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import SGD, Adagrad, Adam, Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable

Group = dict[str, Any]
States = list[dict[str, Any]]


class Steps:
    """Takes the steps of an optimizer. Once it has, the optimizer's own `step` must not be called any more."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._kernels: list[Callable[[], None]] = []

    def __call__(self) -> None:
        """Take a step."""
        if self._kernels:
            for kernel in self._kernels:
                kernel()
            return
        self._optimizer.step()  # makes the states where there are none
        self._kernels = _kernels_of(self._optimizer) or [self._optimizer.step]


def _kernels_of(optimizer: Optimizer) -> list[Callable[[], None]]:
    """Return the kernel of every group of parameters; none where PyTorch has no kernel for all at once."""
    kind = next((kind for kind in KERNELS if isinstance(optimizer, kind)), None)
    kernels = []
    for group in optimizer.param_groups:
        parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
        states = [optimizer.state.get(parameter, {}) for parameter in parameters]
        if kind is None or not group["fused"] or not _counted(states):
            return []
        if parameters:
            kernels.append(KERNELS[kind](optimizer, group, parameters))
    return kernels


def _counted(states: States) -> bool:
    """Return whether all have taken the same number of steps, and let them share their count."""
    counts = [state["step"] for state in states if "step" in state]
    if any(not torch.equal(count, counts[0]) for count in counts):
        return False
    for state in states if counts else ():
        state["step"] = counts[0]
    return True


def _tensors(optimizer: Optimizer, parameters: list[Tensor]) -> tuple[list[Tensor], list[Tensor], States]:
    """Return the weights out of autograd's sight, their gradients and their states."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    states = [optimizer.state.get(parameter, {}) for parameter in parameters]
    return [parameter.detach() for parameter in parameters], gradients, states


def _adam(optimizer: Optimizer, group: Group, parameters: list[Tensor]) -> Callable[[], None]:
    """Return the kernel of Adam or AdamW."""
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    weights, gradients, states = _tensors(optimizer, parameters)
    first, second = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
    largest = [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else []
    counts = [state["step"] for state in states]
    count, one = counts[0], torch.ones_like(counts[0])

    def take() -> None:
        count.add_(one)
        beta1, beta2 = group["betas"]
        kernel(
            weights,
            gradients,
            first,
            second,
            largest,
            counts,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=False,
        )

    return take


def _sgd(optimizer: Optimizer, group: Group, parameters: list[Tensor]) -> Callable[[], None]:
    """Return the kernel of SGD."""
    weights, gradients, states = _tensors(optimizer, parameters)
    momenta = [state["momentum_buffer"] for state in states if "momentum_buffer" in state]

    def take() -> None:
        momentum = group["momentum"]
        first = bool(momentum) and not momenta  # a schedule has only now brought one
        if first:
            momenta.extend(torch.empty_like(one) for one in weights)
            for parameter, buffer in zip(parameters, momenta, strict=True):
                optimizer.state[parameter]["momentum_buffer"] = buffer
        torch._fused_sgd_(
            weights,
            gradients,
            momenta if momentum else [],
            weight_decay=group["weight_decay"],
            momentum=momentum,
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=False,
            is_first_step=first,
        )

    return take


def _adagrad(optimizer: Optimizer, group: Group, parameters: list[Tensor]) -> Callable[[], None]:
    """Return the kernel of Adagrad."""
    weights, gradients, states = _tensors(optimizer, parameters)
    sums, counts = [state["sum"] for state in states], [state["step"] for state in states]
    count, one = counts[0], torch.ones_like(counts[0])

    def take() -> None:
        count.add_(one)
        torch._fused_adagrad_(
            weights,
            gradients,
            sums,
            counts,
            lr=group["lr"],
            lr_decay=group["lr_decay"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )

    return take


KERNELS: dict[type[Optimizer], Callable[[Optimizer, Group, list[Tensor]], Callable[[], None]]] = {
    Adam: _adam,  # and AdamW, which is a kind of it
    SGD: _sgd,
    Adagrad: _adagrad,
}
