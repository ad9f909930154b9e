"""Looking back at a training: the network beside what it must beat, and what the training itself showed."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from ffspec.builder.streams import untouched
from ffspec.planner import replan
from ffspec.review import Review
from ffspec.rules.network import is_linear_model
from ffspec.rules.outcomes import OUTCOMES
from ffspec.runner.baselines import compare, fit_baselines
from ffspec.runner.expectations import expectations
from ffspec.runner.judgement import judge_split
from ffspec.runner.refit import together
from ffspec.runner.result import Result
from ffspec.runner.setup import around, chosen_metrics
from ffspec.runner.surroundings import threads, unwarned
from ffspec.runner.watching import Watch, outcome_of
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ffspec.diagnostics import Diagnostic
    from ffspec.document import Document
    from ffspec.runner.baselines import Baseline
    from ffspec.runner.bootstrap import Interval
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.loop import Row
    from ffspec.runner.population import Trained
    from ffspec.runner.setup import Setup


def look_back(  # noqa: PLR0913 - what it looks at
    setup: Setup,
    watch: Watch,
    rows: Sequence[Row],
    after: Mapping[str, Measures],
    judged: str,
    *,
    baselines: Sequence[Baseline],
    intervals: Mapping[str, Interval] = MappingProxyType({}),
) -> list[Diagnostic]:
    """Compare a network with what it must beat, and judge its training.

    Args:
        setup: The network, trained, and all that comes with it.
        watch: What was seen of some steps.
        rows: The history.
        after: The measures of every split after training.
        judged: The split that judges the network.
        baselines: Simpler models, measured on it.
        intervals: In which the measures of the network may lie by chance, where that is known.
    """
    comparisons = compare(
        baselines,
        after[judged],
        setup.judge.metrics,
        linear=is_linear_model(setup.plan.steps),
        weighted=any(getattr(setup.spec.loss, name, None) is not None for name in ("weight", "pos_weight")),
        rows=len(setup.loaded.splits[judged]),
        intervals=intervals,
    )
    outcome = outcome_of(setup, watch, rows, comparisons)
    return [item for rule in OUTCOMES for item in rule.judge(outcome)]


def seen(one: Trained, judged: str, baselines: Sequence[Baseline]) -> list[Diagnostic]:
    """Return what the training of a member of a population showed.

    Args:
        one: What became of it.
        judged: The split that judges it.
        baselines: Simpler models, measured on that split.
    """
    setup = _around(one)
    with threads(setup.spec.training.threads), untouched(), unwarned():
        watch = Watch(setup.network, {name: [*moved] for name, moved in one.moved.items()})
        return look_back(setup, watch, one.history, one.after, judged, baselines=baselines)


def result_of(one: Trained, opened: Document, directory: Path | None) -> tuple[Result, list[Diagnostic]]:
    """Return what the run of a member of a population would leave, and what its training showed.

    Args:
        one: What became of it; its training has not diverged, and it has a test split.
        opened: The document of its spec, in which findings are placed.
        directory: Where its files are.
    """
    setup = _around(one)
    judge = replace(setup.judge, threshold=one.threshold)
    seed = derive(setup.spec.seed, "bootstrap")
    with threads(setup.spec.training.threads), untouched(), unwarned():
        judgement = judge_split(setup.network, setup.splits, judge, one.after, names=setup.loaded.classes, seed=seed)
        baselines = fit_baselines(setup.loaded, judge.metrics, judgement.split)
        watch = Watch(setup.network, {name: [*moved] for name, moved in one.moved.items()})
        found = look_back(
            setup, watch, one.history, one.after, judgement.split, baselines=baselines, intervals=judgement.intervals
        )
    review = Review(opened, one.member.spec.allowed)
    review.take(found)
    result = Result(
        spec=one.member.spec,
        plan=one.member.plan,
        data=one.member.loaded,
        model=one.network,
        before=one.before,
        after=one.after,
        temperature=one.temperature,
        threshold=one.threshold,
        judgement=judgement,
        history=one.history,
        expectations=tuple(expectations(one.member.spec.checks, one.before, one.after)),
        baselines=baselines,
        findings=review.told,
        directory=directory,
    )
    return result, found


def _around(one: Trained) -> Setup:
    """Return what is around a member's network: of one that was trained again, the rows of that training."""
    spec, plan, loaded = one.member.spec, one.member.plan, one.member.loaded
    if spec.training.refit and "test" in loaded.splits:
        metrics = chosen_metrics(spec, plan)
        loaded = together(loaded)
        spec, plan = replan(spec, plan, loaded.facts.rows)
        setup = around(one.network, spec, plan, loaded)
        return replace(setup, judge=replace(setup.judge, metrics=metrics))
    return around(one.network, spec, plan, loaded)
