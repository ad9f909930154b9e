"""The trial before a training: does a copy of the network get gradients, and learn one batch by heart?

Shapes: B batch, F features, C classes or target columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from ffspec.builder.optimizer import construct_optimizer
from ffspec.builder.stacked import StackedLinear
from ffspec.builder.streams import untouched
from ffspec.planner import walk
from ffspec.rules.network import is_linear_model
from ffspec.rules.probes import Trial, chance_of
from ffspec.runner.evaluation import eval_mode, undropped_copy
from ffspec.spec.step import LINEARS, Call

if TYPE_CHECKING:
    from ffspec.diagnostics import Path
    from ffspec.planner import Plan
    from ffspec.runner.evaluation import Judge
    from ffspec.runner.setup import Setup

LINEAR_MODULES = (nn.Linear, StackedLinear)
ROWS = 32
STEPS = 300
FIRST = 10
"""Steps in which every weight must have got a gradient; one is not enough behind a last layer that starts as zeros."""
BY_HEART = 0.05
"""The share of the first loss at which a batch counts as learnt."""
OPERATIONS = 4e9
"""Floating-point operations a trial may take at the start of a run: about a fifth of a second."""
FEATURES = 4
"""In fewer dimensions 32 rows can lie so that they are hard to tell apart for any network."""
LIKELIHOODS = frozenset({"cross_entropy", "nll", "bce", "bce_with_logits"})
"""Losses that are 0 once a batch is learnt by heart, with a gradient on the way."""
SATISFIED = frozenset({"margin", "scores", "distance"})
"""Outputs whose loss is 0, without a gradient, once they are on the right side."""


def make_trial(setup: Setup, first_loss: float, steps: int) -> Trial:
    """Try a copy of an untrained network on one batch; nothing of the network or of any random state is changed.

    Args:
        setup: The network, its plan, its rows and its loss.
        first_loss: The loss of the training rows in eval mode.
        steps: How many steps to take at most; 0 to only look at the loss.
    """
    network, plan, judge, batch = setup.network, setup.plan, setup.judge, setup.splits["train"]
    chance = chance_of(judge.spec, judge.classes)
    if not steps or batch.rows < 2:
        return Trial(loss=first_loss, chance=chance)
    copy = undropped_copy(network)
    chosen = slice(None, None, max(1, batch.rows // ROWS))
    x_BF, target = batch.x[chosen][:ROWS], batch.target[chosen][:ROWS]
    with untouched():
        mixed = _mixed(copy, x_BF, judge)
        losses, unreached, broken = _learn(copy, x_BF, target, judge, steps)
    places = linears_of(network, plan)
    capable = steps >= STEPS and _capable(plan, judge) and losses[0] > 0 and not _contradicts(x_BF, target)
    return Trial(
        loss=first_loss,
        chance=chance,
        unreached=() if judge.spec.output in SATISFIED or _flat(plan) else tuple(places[name] for name in unreached),
        broken=tuple(places[name] for name in broken),
        rows=len(x_BF),
        steps=len(losses) - 1,
        left=min(losses) / losses[0] if capable else None,
        mixed=mixed,
    )


def affordable(plan: Plan) -> int:
    """Return how many steps a trial may take at the start of a run; the plan decides, never a clock."""
    work = 3.0 * ROWS * (plan.flops or 0)
    return next((steps for steps in (STEPS, FIRST) if work * steps <= OPERATIONS), 0)


def linears_of(network: nn.Module, plan: Plan) -> dict[str, Path]:
    """Return the place in the spec of every linear, by the name of its module."""
    modules = [name for name, module in network.named_modules() if isinstance(module, LINEAR_MODULES)]
    paths = [step.path for step in walk(plan.steps) if step.call.target in LINEARS]
    return dict(zip(modules, paths, strict=True))


def _learn(
    network: nn.Module, x_BF: Tensor, target: Tensor, judge: Judge, steps: int
) -> tuple[list[float], list[str], list[str]]:
    """Train on one batch; return the losses, the linears without a gradient, and those with one that is not finite."""
    linears = {name: module for name, module in network.named_modules() if isinstance(module, LINEAR_MODULES)}
    optimizer = construct_optimizer(Call("optim.Adam", {"lr": 1e-2}), network.parameters())
    silent, losses = set(linears), []
    for step in range(steps + 1):
        for parameter in network.parameters():
            parameter.grad = None
        with judge.autocast():
            loss = judge.train_loss(network(x_BF), target)
        losses.append(float(loss.detach()))
        if step == steps or (step >= FIRST and losses[-1] <= BY_HEART * losses[0]):
            break
        judge.objective(loss).backward()  # type: ignore[no-untyped-call]
        if step < FIRST:
            broken = [name for name, linear in linears.items() if not _finite(linear.weight.grad)]
            silent -= {name for name, linear in linears.items() if _moves(linear.weight.grad)}
            if broken:
                return losses, [], broken
        elif silent:
            break
        optimizer.step()
    return losses, [name for name in linears if name in silent], []


def _finite(gradient: Tensor | None) -> bool:
    return gradient is None or bool(gradient.isfinite().all())


def _moves(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.any())


def _mixed(network: nn.Module, x_BF: Tensor, judge: Judge) -> bool:
    """Return whether, in eval mode, the first row's output depends on another row."""
    x_BF = x_BF[:4].detach().clone().requires_grad_()
    with eval_mode(network), judge.autocast():
        output: Tensor = network(x_BF)
    if not output.requires_grad:
        return False
    found = torch.autograd.grad(output[0].sum(), x_BF, allow_unused=True)  # columns of codes have no gradient
    (gradient,) = cast("tuple[Tensor | None]", found)
    return gradient is not None and bool(gradient[1:].any())


def _capable(plan: Plan, judge: Judge) -> bool:
    """Return whether a network should be able to learn any batch: it is nonlinear, and has weights to spare."""
    widths = [step.output[-1] or 0 for step in walk(plan.steps) if step.call.target in LINEARS]
    smoothed = getattr(judge.spec, "label_smoothing", 0.0) > 0
    spare = len(widths) > 1 and min(widths[:-1]) >= 16 and (plan.parameters or 0) >= 10 * ROWS
    # The gradient through a surrogate is a guess: it may not find the way.
    guessed = any(step.call.target == "ffspec.Heaviside" for step in walk(plan.steps))
    hard = guessed or (plan.facts.features or 0) < FEATURES or judge.spec.name not in LIKELIHOODS
    return spare and not smoothed and not hard and not is_linear_model(plan.steps)


def _contradicts(x_BF: Tensor, target: Tensor) -> bool:
    """Return whether equal rows have different targets."""
    rows = torch.unique(x_BF, dim=0)
    return len(rows) < len(torch.unique(torch.cat([x_BF, target.reshape(len(x_BF), -1).to(x_BF.dtype)], dim=1), dim=0))


def _flat(plan: Plan) -> bool:
    """Return whether a step without a gradient was let through: then there is nothing new to say."""
    return any(step.call.arguments.get("surrogate", "") is None for step in walk(plan.steps))
