"""A run, from a spec to a trained network: data, plan, build, check, train, check, expectations, run directory."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from ffspec import rundir
from ffspec.builder.streams import untouched
from ffspec.data import load_spec
from ffspec.diagnostics import DivergedError, FfspecError, SpecError
from ffspec.planner import plan as make_plan
from ffspec.rules import inspect
from ffspec.rules.network import is_linear_model
from ffspec.rules.outcomes import OUTCOMES
from ffspec.rules.probes import PROBES
from ffspec.runner.baselines import compare, fit_baselines
from ffspec.runner.evaluation import check
from ffspec.runner.expectations import expectations
from ffspec.runner.probes import STEPS, affordable, make_trial
from ffspec.runner.record import Record
from ffspec.runner.result import Result
from ffspec.runner.setup import set_up, trainer_of
from ffspec.runner.watching import Watch, outcome_of
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Plan
    from ffspec.review import Review
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.loop import Row
    from ffspec.runner.setup import Setup
    from ffspec.spec.root import Spec


class Observer(Protocol):
    """Told what a run is doing, as it does it."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Rules have found something that does not stop the run; `review` renders it."""

    def on_start(self, spec: Spec, plan: Plan, before: dict[str, Measures], directory: Path | None) -> None:
        """Training is about to begin; `before` is the eval-mode check before it."""

    def on_epoch(self, row: Row) -> None:
        """An epoch has ended."""


class Silent:
    """An observer that says nothing."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Say nothing."""

    def on_start(self, spec: Spec, plan: Plan, before: dict[str, Measures], directory: Path | None) -> None:
        """Say nothing."""

    def on_epoch(self, row: Row) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to run, and where its files are."""

    spec: Spec
    name: str
    """The run's folder below `out`."""
    text: str
    """The spec as written."""
    arrays: Any = None
    out: Path | None = None
    """The folder the run directory is made in; None: no directory."""
    allow_outside: bool = False
    """Whether data files may lie outside the spec's folder."""


def execute(request: Request, review: Review, observer: Observer | None = None) -> Result:
    """Run a spec.

    Args:
        request: What to run.
        review: Decides what becomes of findings.
        observer: Told what happens.

    Raises:
        SpecError: The data or the spec cannot be used.
        DivergedError: A loss or an output was not finite.
        StorageError: The run directory cannot be written.
    """
    spec, observer = request.spec, observer or Silent()
    loaded, plan = prepare(request, review)
    observer.on_findings(review.told, review)
    record = None if request.out is None else Record(rundir.create(request.out, request.name))
    if record is not None:
        record.begin(request.text, spec, plan, loaded)
    rows: list[Row] = []
    try:
        with threads(spec.training.threads), untouched(derive(spec.seed, "dropout")), unwarned():
            directory = record.path if record else None
            setup = set_up(spec, plan, loaded)
            result = _train(setup, review, observer=observer, rows=rows, directory=directory)
    except FfspecError as error:
        if record is not None:
            record.fail(rows, "diverged" if isinstance(error, DivergedError) else "failed", str(error))
        raise
    if record is not None:
        record.finish(result)
    return result


def prepare(request: Request, review: Review) -> tuple[Loaded, Plan]:
    """Load the data, check the spec against it, and plan.

    Raises:
        SpecError: One of them does not fit.
    """
    try:
        loaded = load_spec(request.spec, request.arrays, allow_outside=request.allow_outside)
    except SpecError as error:
        review.take(error.diagnostics)
        review.stop()
        raise
    review.take(inspect(dict(request.spec), loaded))
    review.stop()
    return loaded, make_plan(request.spec, loaded.facts)


def inspect_network(request: Request, review: Review) -> None:
    """Load the data, build the network and try it, without training; `review` takes what is found.

    Raises:
        SpecError: The data or the spec cannot be used.
    """
    spec = request.spec
    loaded, plan = prepare(request, review)
    with threads(spec.training.threads), untouched(derive(spec.seed, "dropout")), unwarned():
        setup = set_up(spec, plan, loaded)
        review.take(_probe(setup, check(setup.network, setup.splits, setup.judge), STEPS))


def _probe(setup: Setup, before: dict[str, Measures], steps: int) -> Iterator[Diagnostic]:
    """Yield what a trial of the untrained network shows."""
    trial = make_trial(setup, before["train"]["loss"], steps)
    for rule in PROBES:
        yield from rule.judge(trial)


def _train(setup: Setup, review: Review, *, observer: Observer, rows: list[Row], directory: Path | None) -> Result:
    spec, network, judge = setup.spec, setup.network, setup.judge
    before = check(network, setup.splits, judge)
    observer.on_findings(review.take(_probe(setup, before, affordable(setup.plan))), review)
    review.stop()
    observer.on_start(spec, setup.plan, before, directory)

    def observe(row: Row) -> None:
        rows.append(row)
        observer.on_epoch(row)

    watch = Watch(network)
    trainer_of(setup, watch).run(observe)
    after = check(network, setup.splits, judge)
    judged = "test" if "test" in after else "validation" if "validation" in after else "train"
    baselines = fit_baselines(setup.loaded, judge.metrics, judged)
    comparisons = compare(baselines, after[judged], judge.metrics, linear=is_linear_model(setup.plan.steps))
    outcome = outcome_of(setup, watch, rows, comparisons)
    observer.on_findings(review.take(item for rule in OUTCOMES for item in rule.judge(outcome)), review)
    return Result(
        spec=spec,
        plan=setup.plan,
        data=setup.loaded,
        model=network.eval(),
        before=before,
        after=after,
        history=tuple(rows),
        expectations=tuple(expectations(spec.checks, before, after)),
        baselines=baselines,
        findings=review.told,
        directory=directory,
    )


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with `count` threads for a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def unwarned() -> Iterator[None]:
    """Keep PyTorch from saying that with bf16 an rms_norm takes a slower way: its weight is float32 on purpose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
        yield
