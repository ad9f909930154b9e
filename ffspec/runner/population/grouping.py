"""Which members can be trained as one network: those that differ in numbers only, not in what is computed.

Reads plans, specs and shapes of data, and imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ffspec import populations
from ffspec.planner import walk
from ffspec.populations import DROPOUTS, FORM
from ffspec.spec.step import fields_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.runner.population.members import Member
    from ffspec.spec.kinds import Optimizer
    from ffspec.spec.step import Step

STRUCTURAL = frozenset({"nesterov", "amsgrad", "centered", "decoupled_weight_decay"})
"""The arguments of an optimizer that decide what is computed; the others are numbers, of which each member has its own.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Members that are trained in one way."""

    indices: tuple[int, ...]
    """Their places among all members, in order."""
    reason: str | None = None
    """Why each is trained alone, one after another; None: all are trained as one network."""


def groups(members: Sequence[Member]) -> tuple[Group, ...]:
    """Divide members into those that can train as one; in the order of the first of each."""
    forms: dict[Any, list[int]] = {}
    reasons: dict[Any, str | None] = {}
    for index, member in enumerate(members):
        reason = obstacle(member)
        form = repr(form_of(member)) if reason is None else (reason,)
        forms.setdefault(form, []).append(index)
        reasons[form] = reason
    made = []
    for form, indices in forms.items():
        reason = reasons[form]
        if reason is None and len(indices) == 1:
            reason = "no other has the same layers, optimizer, batches and numbers of rows"
        made.append(Group(indices=tuple(indices), reason=reason))
    return tuple(made)


def obstacle(member: Member) -> str | None:
    """Say why a network cannot be computed together with others, or return None."""
    if member.loaded.stream is not None:
        return f"rows that are streamed have {FORM}"
    return populations.obstacle(member.spec, member.plan)


def form_of(member: Member) -> tuple[Any, ...]:
    """Return all that members which train as one have in common."""
    spec, plan, training = member.spec, member.plan, member.spec.training
    stopping = training.early_stopping
    return (
        tuple(_step(step) for step in plan.steps),
        (plan.facts.features, plan.facts.target, plan.facts.outputs),
        {name: (len(split), split.weight is not None) for name, split in member.loaded.splits.items()},
        (plan.loss.target, plan.loss.arguments, _counts(member)),
        _optimizer(spec.optimizer),
        (training.batch_size, training.shuffle, training.drop_last, training.precision, training.threads),
        (training.clip_grad_norm is None, training.clip_grad_value is None, training.ema is None),
        (training.schedules, None if stopping is None else stopping.monitor),
        (spec.metrics, spec.checks, any(step.call.target == "nn.Flatten" for step in walk(plan.steps))),
    )


def _counts(member: Member) -> tuple[int, ...]:
    """Return the training rows of each class where the loss weighs them by it."""
    y, balanced = member.loaded.splits["train"].y, "balanced" in member.plan.loss.arguments.values()
    return tuple(int((y == code).sum()) for code in range(member.plan.facts.outputs or 0)) if balanced else ()


def _step(step: Step) -> tuple[Any, ...]:
    """Return what is computed in a step; how its parameters start, and how much is dropped, is each member's own."""
    arguments = {} if step.call.target in DROPOUTS else step.call.arguments
    return (step.call.target, arguments, step.input, step.output, tuple(_step(inner) for inner in step.steps))


def _optimizer(spec: Optimizer) -> tuple[Any, ...]:
    named = [(group.layers, group.parameters) for group in getattr(spec, "groups", ())]
    return (spec.name, {name: value for name, value in fields_of(spec).items() if name in STRUCTURAL}, named)
