"""One step of a training: the gradients, by autograd, written out or compiled, and what the optimizers make of them.

Shapes: B batch, F features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import torch
from torch import Tensor, nn

from ffspec.builder.backward.pair import gradient_of
from ffspec.builder.backward.passes import Pass
from ffspec.builder.kernels import Steps
from ffspec.builder.stacked import clip_members

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.optim import Optimizer

    from ffspec.runner.batches import Rows
    from ffspec.runner.evaluation import Judge
    from ffspec.spec.training import Training

    Differentiate: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]
    """Takes rows, targets and weights; leaves the gradients of the parameters, and returns the loss."""
    Step: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]
    """Takes a step on a batch, and returns the loss before it."""


def stepper(  # noqa: PLR0913 - the parts of a step
    network: nn.Sequential,
    judge: Judge,
    optimizers: Sequence[Optimizer],
    settings: Training,
    *,
    written: bool,
    compiled: Rows | None = None,
) -> Step:
    """Return what takes the steps of a training.

    Args:
        network: What is trained, in train mode.
        judge: Its loss.
        optimizers: What moves its parameters.
        settings: How gradients are bounded.
        written: Whether the gradients are computed without autograd.
        compiled: Rows of the size whose steps are compiled; None: nothing is. May raise a CompilerError.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    differentiate = written_out(network, judge) if written else by_autograd(network, judge, parameters)
    if compiled is not None:
        differentiate = by_compiled(network, judge, compiled, differentiate, kept=written)
    bound = _bound(network, judge, parameters, settings)
    if isinstance(optimizers[0], torch.optim.LBFGS):
        return _searching(optimizers[0], judge, differentiate, bound)
    steps = [Steps(optimizer) if written else optimizer.step for optimizer in optimizers]

    def take(x_BF: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        loss = differentiate(x_BF, target, weight)
        if bound is not None:
            bound()
        for step in steps:
            step()
        return loss

    return take


def by_autograd(network: nn.Sequential, judge: Judge, parameters: Sequence[Tensor]) -> Differentiate:
    """Return what differentiates as a plain loop would."""

    def differentiate(x_BF: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        for parameter in parameters:
            parameter.grad = None
        with judge.autocast():
            loss = judge.train_loss(network(x_BF), target, weight)
        judge.objective(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    return differentiate


def written_out(network: nn.Sequential, judge: Judge) -> Differentiate:
    """Return what computes the same gradients, to the last bit, without autograd."""
    passes: dict[tuple[int, bool], Pass] = {}
    root = float(judge.members) if judge.independent else 1.0

    def make(*, weighted: bool) -> Pass:
        loss = judge.weighted if weighted and judge.weighted is not None else judge.loss
        return Pass(network, loss, root)

    def differentiate(x_BF: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        size = (x_BF.shape[0], weight is not None)
        found = passes.get(size)
        if found is None:
            found = passes[size] = make(weighted=size[1])
        if judge.members > 1:
            target, weight = judge.repeated(target, weight)
        return found(x_BF, target) if weight is None else found(x_BF, target, weight)

    return differentiate


def by_compiled(
    network: nn.Sequential, judge: Judge, rows: Rows, otherwise: Differentiate, *, kept: bool
) -> Differentiate:
    """Return what differentiates batches as large as `rows` by compiled code, to other last bits.

    Args:
        network: What is trained.
        judge: Its loss.
        rows: Features, targets and weights of that size.
        otherwise: What differentiates batches of another size.
        kept: Whether the gradients must be in the same tensors in every step.

    Raises:
        CompilerError: The compiler is not there, or failed.
    """
    from ffspec.runner.compiling import compiled_gradients

    size, computed = len(rows[0]), compiled_gradients(network, judge, rows)
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    into: list[Tensor] = []

    def differentiate(x_BF: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        if len(x_BF) != size:
            return otherwise(x_BF, target, weight)
        loss, *gradients = computed(x_BF, target, *(() if weight is None else (weight,)))
        if kept:
            if not into:
                pairs = zip(learnt, gradients, strict=True)
                into.extend(gradient_of(parameter) for parameter, gradient in pairs if gradient is not None)
            torch._foreach_copy_(into, [gradient for gradient in gradients if gradient is not None])
        else:
            for parameter, gradient in zip(learnt, gradients, strict=True):
                parameter.grad = gradient
        return cast("Tensor", loss)

    return differentiate


def _bound(
    network: nn.Sequential, judge: Judge, parameters: list[nn.Parameter], settings: Training
) -> Callable[[], None] | None:
    """Return what bounds the gradients, if anything does."""
    value, norm = settings.clip_grad_value, settings.clip_grad_norm
    if value is None and norm is None:
        return None

    def bound() -> None:
        if value is not None:
            nn.utils.clip_grad_value_(parameters, value)
        if norm is not None and judge.independent:
            clip_members(network, norm)
        elif norm is not None:
            _bound_norm([one.grad for one in parameters if one.grad is not None], norm)

    return bound


def _bound_norm(gradients: list[Tensor], most: float) -> None:
    """Do what torch.nn.utils.clip_grad_norm_ does, without sorting the gradients by device and type."""
    if gradients:
        norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
        total = torch.linalg.vector_norm(torch.stack(norms))
        factor = torch.clamp(most / (total + 1e-6), max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)


def _searching(
    optimizer: torch.optim.LBFGS, judge: Judge, differentiate: Differentiate, bound: Callable[[], None] | None
) -> Step:
    """Return what takes the steps of an optimizer that evaluates the loss more than once in each."""

    def take(x_BF: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        losses: list[Tensor] = []

        def closure() -> Tensor:
            losses.append(differentiate(x_BF, target, weight))
            if bound is not None:
                bound()
            return judge.objective(losses[-1])

        cast("Optimizer", optimizer).step(closure)  # type: ignore[arg-type]
        return losses[0]

    return take
