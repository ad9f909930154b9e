"""What ffspec knows about networks, one class for each code: static rules need neither torch nor the data.

Data rules read the loaded rows; what probes and run rules judge is measured by the runner. All stand in one tuple each.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ffspec.planner import draft
from ffspec.rules import (
    calibration,
    categories,
    compiling,
    consistency,
    dropout,
    grouping,
    heads,
    memory,
    obstacles,
    settings,
    stack,
    targets,
)
from ffspec.rules.rule import DataRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ffspec.codes import Code
    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft
    from ffspec.rules.rule import StaticRule
    from ffspec.spec.facts import Facts

__all__ = ["STATIC", "codes", "examine", "inspect", "is_optional"]

STATIC: tuple[StaticRule, ...] = (
    obstacles.NothingToLearn(),
    consistency.Measures(),
    consistency.Watching(),
    consistency.MetricOfTheOtherTask(),
    obstacles.WeightsOfClasses(),
    memory.TooLarge(),
    grouping.StrangeGroups(),
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
    dropout.DropoutAtTheEnd(),
    dropout.StrangeDropout(),
    stack.BiasBeforeBatchNorm(),
    obstacles.LonelyRow(),
    stack.BatchNormOutOfPlace(),
    stack.NoGradient(),
    stack.SaturatingDepth(),
    settings.LearningRate(),
    settings.StrangeTraining(),
    settings.EqualUnits(),
    settings.IdleSchedule(),
    obstacles.Streamed(),
    compiling.Compiling(),
    calibration.TemperatureInPlace(),
    categories.CodesAsNumbers(),
    calibration.ThresholdOfTwoClasses(),
    calibration.RefitHasRows(),
)
"""The static rules, in the order of their codes."""


def examine(parts: Mapping[str, Any], facts: Facts | None = None) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a spec beyond its structure; it need not be whole.

    Args:
        parts: The valid top-level values by key; an invalid layer is None.
        facts: The shape of the loaded data; what follows from the spec alone if left out.
    """
    return _apply(draft(parts, facts), STATIC)


def inspect(parts: Mapping[str, Any], loaded: Loaded) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a spec and its rows.

    Where a rule reads the rows, what it can say without them does not count.
    """
    drafted = draft(parts, loaded.facts)
    static = _apply(drafted, tuple(rule for rule in STATIC if not isinstance(rule, DataRule)))
    return (*static, *(item for rule in data_rules() for item in rule.inspect(drafted, loaded)))


def data_rules() -> tuple[DataRule, ...]:
    """Return the rules that read the rows."""
    from ffspec.rules.rows import DATA

    return DATA


@cache
def codes() -> tuple[Code, ...]:
    """Return every code ffspec can report, in order."""
    from ffspec import codes as of_reading
    from ffspec.data import codes as of_data
    from ffspec.rules import planning as of_planning
    from ffspec.rules.outcomes import OUTCOMES
    from ffspec.rules.probes import PROBES

    texts = {rule.about.code: rule.about for rule in (*STATIC, *data_rules(), *PROBES, *OUTCOMES)}
    known = (*of_reading.CODES, *of_data.CODES, *of_planning.CODES, *texts.values())
    return tuple(sorted(known, key=lambda code: code.code))


def is_optional(name: str) -> bool:
    """Return whether findings of a code may be let through."""
    return any(code.code == name and code.optional for code in codes())


def _apply(drafted: Draft, static: tuple[StaticRule, ...]) -> tuple[Diagnostic, ...]:
    if any(item.code == "FF020" for item in drafted.problems):  # too large to look at
        return drafted.problems
    found = (item for rule in static for item in rule.find(drafted))
    # The turns of a repeat are the same lines: what is found in one is found in all.
    return tuple({(item.code, item.path): item for item in reversed((*drafted.problems, *found))}.values())[::-1]
