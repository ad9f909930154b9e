"""What ffspec knows about networks, one class for each code: static rules need neither torch nor the data.

Data rules read the loaded rows; what probes and run rules judge is measured by the runner. All stand in one tuple each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.planner import draft
from ffspec.rules import consistency, heads, obstacles, settings, stack, targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ffspec.diagnostics import Diagnostic
    from ffspec.rules.rule import StaticRule
    from ffspec.spec.facts import Facts

__all__ = ["STATIC", "examine"]

STATIC: tuple[StaticRule, ...] = (
    obstacles.NothingToLearn(),
    consistency.Measures(),
    consistency.Watching(),
    consistency.MetricOfTheOtherTask(),
    obstacles.WeightsOfClasses(),
    heads.SoftmaxBeforeCrossEntropy(),
    heads.LogSoftmaxBeforeCrossEntropy(),
    heads.SigmoidBeforeLogits(),
    heads.ProbabilitiesForBCE(),
    heads.LogProbabilitiesForNLL(),
    targets.NarrowOutput(),
    heads.SqueezedScores(),
    stack.HiddenSoftmax(),
    heads.OneClass(),
    stack.NoActivation(),
    stack.TwoActivations(),
    stack.DropoutAtTheEnd(),
    stack.StrangeDropout(),
    stack.BiasBeforeBatchNorm(),
    obstacles.LonelyRow(),
    stack.BatchNormOutOfPlace(),
    stack.NoGradient(),
    stack.SaturatingDepth(),
    settings.LearningRate(),
    settings.StrangeTraining(),
    settings.EqualUnits(),
    settings.IdleSchedule(),
)
"""The static rules, in the order of their codes."""


def examine(parts: Mapping[str, Any], facts: Facts | None = None) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a spec beyond its structure; it need not be whole.

    Args:
        parts: The valid top-level values by key; an invalid layer is None.
        facts: The shape of the loaded data; what follows from the spec alone if left out.
    """
    drafted = draft(parts, facts)
    found = (item for rule in STATIC for item in rule.find(drafted))
    # The turns of a repeat are the same lines: what is found in one is found in all.
    return tuple({(item.code, item.path): item for item in reversed((*drafted.problems, *found))}.values())[::-1]
