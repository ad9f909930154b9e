"""What an ensemble changes in a script: its calls, its first weights, its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.spec.ensembles import are_independent, members_of, stacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.export.subject import Subject
    from ffspec.spec.step import Call, Step


def call_of(step: Step) -> Call:
    """Return the call that makes a step's module: with an axis of members where each has its own."""
    return step.call if step.members is None else stacked(step.call, step.members) or step.call


def repeated(subject: Subject, target: str) -> str:
    """Return the target as an expression: once for each member of an ensemble."""
    members = members_of(subject.plan.steps)
    if members == 1:
        return target
    flat = subject.spec.loss.target == "index"
    return f"{target}.repeat({members})" if flat else f"{target}.repeat({members}, 1)"


def objective(subject: Subject) -> str:
    """Return what is differentiated: of members with nothing in common the sum of their losses."""
    if not are_independent(subject.plan.steps):
        return "loss"
    return f"(loss * {members_of(subject.plan.steps)})"


def signs(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the lines that draw the factors in front of members that share their layers."""
    for place, step in enumerate(steps):
        if step.call.target == "ffspec.SharedEnsemble":
            yield "    # The signs each member sees the features with."
            yield f"    for member, parameter in enumerate(model[{place}][0].weight):"
            yield f'        drawn = uniform(parameter, stream(f"{{member}}/{place}.0.weight"))'
            yield "        parameter.copy_(torch.where(drawn < 0.5, -1.0, 1.0))"


USUAL = (
    "        if isinstance(layer, StackedLinear):",
    "            for part, whole in layer.named_parameters():",
    "                for member, parameter in enumerate(whole):",
    '                    drawn = uniform(parameter, stream(f"{member}/{name}.{part}")) * 2 - 1',
    "                    parameter.copy_(drawn * (1 / math.sqrt(layer.in_features)))",
)
"""Inside the loop over all modules: each member's linear starts as PyTorch would start it alone."""
