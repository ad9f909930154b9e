"""A run, from a spec to a trained network: data, plan, build, check, train, check, expectations, run directory."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ffspec import rundir
from ffspec.builder.streams import untouched
from ffspec.data import load_spec
from ffspec.diagnostics import DivergedError, FfspecError, Severity, SpecError
from ffspec.planner import plan as make_plan
from ffspec.planner import settle
from ffspec.rules import inspect
from ffspec.rules.probes import PROBES
from ffspec.runner.baselines import fit_baselines
from ffspec.runner.calibration import calibrate
from ffspec.runner.checkpoints import State, newest, put_back
from ffspec.runner.compiling import find_missing
from ffspec.runner.diverging import with_cause
from ffspec.runner.evaluation import check
from ffspec.runner.expectations import expectations
from ffspec.runner.hindsight import look_back
from ffspec.runner.judgement import judge_split
from ffspec.runner.keeper import Keeper, settings_of
from ffspec.runner.loop import Row
from ffspec.runner.patience import best_epoch
from ffspec.runner.probes import STEPS, affordable, make_trial
from ffspec.runner.record import Record, check_files
from ffspec.runner.refit import refit
from ffspec.runner.result import Result
from ffspec.runner.setup import set_up, trainer_of
from ffspec.runner.stability import nudge
from ffspec.runner.surroundings import threads, unwarned
from ffspec.runner.watching import Watch
from ffspec.seeds import derive
from ffspec.spec.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Plan
    from ffspec.review import Review
    from ffspec.rundir import RunDirectory
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.setup import Setup
    from ffspec.spec.root import Spec


class Observer(Protocol):
    """Told what a run is doing, as it does it."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Rules have found something that does not stop the run; `review` renders it."""

    def on_start(self, spec: Spec, plan: Plan, before: dict[str, Measures], directory: Path | None) -> None:
        """Training is about to begin; `before` is the eval-mode check before it."""

    def on_resume(self, epoch: int) -> None:
        """Training goes on in this epoch."""

    def on_damage(self, name: str) -> None:
        """A checkpoint is damaged, and the one before it is used."""

    def on_refit(self, epochs: int, rows: int) -> None:
        """Another training begins, of so many epochs on so many rows; `on_epoch` tells of its epochs too."""

    def on_epoch(self, row: Row) -> None:
        """An epoch has ended."""


class Silent:
    """An observer that says nothing."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Say nothing."""

    def on_start(self, spec: Spec, plan: Plan, before: dict[str, Measures], directory: Path | None) -> None:
        """Say nothing."""

    def on_resume(self, epoch: int) -> None:
        """Say nothing."""

    def on_damage(self, name: str) -> None:
        """Say nothing."""

    def on_refit(self, epochs: int, rows: int) -> None:
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
    signals: bool = False
    """Whether SIGINT and SIGTERM end the training after its step, its state kept."""
    nudged: bool = False
    """Whether to start from weights one unit in the last place away, to see what that changes."""


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
    observer = observer or Silent()
    loaded, plan = prepare(request, review)
    request = replace(request, spec=settle(request.spec, loaded.facts))
    observer.on_findings(review.told, review)
    if request.out is None:
        return _run(request, review, observer, loaded=loaded, plan=plan)
    record = Record(rundir.create(request.out, request.name), request.spec, plan, loaded)
    record.begin(request.text)
    return _run(request, review, observer, loaded=loaded, plan=plan, record=record)


def go_on(
    request: Request, review: Review, directory: RunDirectory, observer: Observer | None = None, *, force: bool = False
) -> Result:
    """Go on with a run where its newest whole checkpoint was taken, or from its start if there is none.

    Args:
        request: The resolved spec of the run directory.
        review: Decides what becomes of findings.
        directory: The run directory, open.
        observer: Told what happens.
        force: Whether to go on although files, versions or data are not what they were.

    Raises:
        SpecError, DivergedError, StorageError: As for `execute`; StorageError too if something has changed.
    """
    observer = observer or Silent()
    check_files(directory, force=force)
    loaded, plan = prepare(request, review)
    request = replace(request, spec=settle(request.spec, loaded.facts))
    observer.on_findings(review.told, review)
    state, identity, damaged = newest(directory)
    for name in damaged:
        observer.on_damage(name)
    record = Record(directory, request.spec, plan, loaded)
    record.check_identity(identity, force=force)
    record.go_on()
    return _run(request, review, observer, loaded=loaded, plan=plan, record=record, state=state)


def _run(  # noqa: PLR0913 - the parts of a run
    request: Request,
    review: Review,
    observer: Observer,
    *,
    loaded: Loaded,
    plan: Plan,
    record: Record | None = None,
    state: State | None = None,
) -> Result:
    """Train from the start or from a kept state, and write down what became of it."""
    rows: list[Row] = []
    keeper = _keeper(request.spec, record)
    try:
        with threads(request.spec.training.threads), untouched(derive(request.spec.seed, "dropout")), unwarned():
            setup = set_up(request.spec, plan, loaded)
            if request.nudged:
                nudge(setup.network)
            with keeper.heeding_signals() if request.signals else nullcontext():
                result = _train(setup, review, keeper, observer=observer, rows=rows, state=state)
        if record is not None:
            record.finish(result)
    except FfspecError as error:
        told = error
        if isinstance(error, DivergedError):
            told = with_cause(
                error, request.spec, plan, loaded, None if record is None else newest(record.directory)[0]
            )
        if record is not None:
            record.fail(rows, told)
        raise told from None
    finally:
        if record is not None:
            record.directory.close()
    return result


def _keeper(spec: Spec, record: Record | None) -> Keeper:
    settings, table = settings_of(spec.training), isinstance(spec.dataset.source, Table)
    if record is None:
        return Keeper(directory=None, settings=settings, identity={}, table=table)
    return Keeper(directory=record.directory, settings=settings, identity=record.identity, table=table)


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
    review.take((*inspect(dict(request.spec), loaded), *find_missing(request.spec)))
    review.stop()
    return loaded, make_plan(request.spec, loaded.facts)


def inspect_network(request: Request, review: Review) -> None:
    """Load the data, build the network and try it, without training; `review` takes what is found.

    Raises:
        SpecError: The data or the spec cannot be used.
    """
    loaded, plan = prepare(request, review)
    probed(settle(request.spec, loaded.facts), plan, loaded, review, STEPS)


def probed(spec: Spec, plan: Plan, loaded: Loaded, review: Review, steps: int | None = None) -> tuple[Diagnostic, ...]:
    """Build a network and try it; return what is found, which `review` has taken.

    Args:
        spec: The spec, settled.
        plan: Its plan.
        loaded: Its rows.
        review: Decides what becomes of findings.
        steps: How many steps to try; as many as are affordable at the start of a run if None.
    """
    with threads(spec.training.threads), untouched(derive(spec.seed, "dropout")), unwarned():
        setup = set_up(spec, plan, loaded)
        before = check(setup.network, setup.splits, setup.judge)
        return review.take(_probe(setup, review, before, affordable(plan) if steps is None else steps))


def _probe(setup: Setup, review: Review, before: dict[str, Measures], steps: int) -> Iterator[Diagnostic]:
    """Yield what a trial of the untrained network shows; inputs known to be unscaled explain its first loss."""
    trial = make_trial(setup, before["train"]["loss"], steps)
    unscaled = any(item.code == "FF201" and item.severity is Severity.WARNING for item in review.told)
    for rule in PROBES:
        yield from (item for item in rule.judge(trial) if not (unscaled and item.code == "FF301"))


def _train(  # noqa: PLR0913 - the parts of a training
    setup: Setup, review: Review, keeper: Keeper, *, observer: Observer, rows: list[Row], state: State | None
) -> Result:
    network, judge = setup.network, setup.judge
    before = check(network, setup.splits, judge)
    found = review.take(_probe(setup, review, before, affordable(setup.plan)))
    review.stop(found)
    observer.on_findings(found, review)
    directory = None if keeper.directory is None else keeper.directory.path
    observer.on_start(setup.spec, setup.plan, before, directory)

    def observe(row: Row) -> None:
        rows.append(row)
        observer.on_epoch(row)

    watch = Watch(network)
    trainer = trainer_of(setup, watch, keeper)
    if state is not None:
        keeper.steps = put_back(trainer, state)
        rows += trainer.cursor.history
        observer.on_resume(trainer.cursor.epoch)
    trainer.run(observe)
    return _judged(setup, review, watch, keeper, observer=observer, rows=rows, before=before)


def _judged(  # noqa: PLR0913 - what a training leaves
    setup: Setup,
    review: Review,
    watch: Watch,
    keeper: Keeper,
    *,
    observer: Observer,
    rows: list[Row],
    before: dict[str, Measures],
) -> Result:
    """Fit what is fitted on the validation split, train again if asked, and judge the trained network."""
    temperature, judge = calibrate(setup.network, setup.splits, setup.judge, setup.spec.training.threshold)
    first = last = replace(setup, judge=judge)
    if setup.spec.training.refit:
        last = _again(first, rows, temperature, keeper=keeper, observer=observer)
    after = _after(first, last)
    judged = last if "test" in last.splits else first  # the second network has seen the validation split
    names, seed = setup.loaded.classes, derive(setup.spec.seed, "bootstrap")
    judgement = judge_split(judged.network, judged.splits, judged.judge, after, names=names, seed=seed)
    baselines = fit_baselines(judged.loaded, judge.metrics, judgement.split)
    findings = look_back(setup, watch, rows, after, judgement.split, baselines=baselines, intervals=judgement.intervals)
    observer.on_findings(review.take(findings), review)
    return Result(
        spec=setup.spec,
        plan=setup.plan,
        data=setup.loaded,
        model=last.network.eval(),
        before=before,
        after=after,
        temperature=temperature,
        threshold=judge.threshold,
        judgement=judgement,
        history=tuple(rows),
        expectations=tuple(expectations(setup.spec.checks, before, after)),
        baselines=baselines,
        findings=review.told,
        directory=None if keeper.directory is None else keeper.directory.path,
    )


def _after(first: Setup, last: Setup) -> dict[str, Measures]:
    """Return what the last network reaches, and on the rows it alone has learnt from what the first one did."""
    if last is first:
        return check(first.network, first.splits, first.judge)
    kept = {name: batch for name, batch in first.splits.items() if name not in last.splits}
    found = check(first.network, kept, first.judge) | check(last.network, last.splits, last.judge)
    return {name: found[name] for name in first.splits}


def _again(
    first: Setup, rows: Sequence[Row], temperature: float | None, *, keeper: Keeper, observer: Observer
) -> Setup:
    """Train another network on the rows of training and validation together, for as long as was best."""
    stopping = first.spec.training.early_stopping
    epochs = len(rows) if stopping is None else best_epoch(rows, stopping)
    observer.on_refit(epochs, sum(first.splits[name].rows for name in ("train", "validation")))
    last = refit(first, epochs, temperature, keeper, observer.on_epoch)
    return replace(last, judge=replace(last.judge, threshold=first.judge.threshold))
