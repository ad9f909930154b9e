"""A run, from a spec to a trained network: data, plan, build, check, train, check, expectations, run directory."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch

from ffspec import rundir
from ffspec.builder.loss import build_loss, encode
from ffspec.builder.network import build_network, parameter_type
from ffspec.builder.optimizer import build_optimizers
from ffspec.builder.scheduler import Schedule
from ffspec.builder.streams import untouched
from ffspec.data import load_spec
from ffspec.diagnostics import DivergedError, FfspecError, SpecError, UnavailableDeviceError
from ffspec.planner import plan as make_plan
from ffspec.rules import inspect
from ffspec.runner.evaluation import Batch, Judge, check
from ffspec.runner.expectations import expectations, larger_is_better
from ffspec.runner.loop import Trainer
from ffspec.runner.record import Record
from ffspec.runner.result import Result
from ffspec.seeds import derive
from ffspec.spec.metrics import DEFAULTS, find_metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import nn

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Plan
    from ffspec.review import Review
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.loop import Row
    from ffspec.spec.kinds import Phase
    from ffspec.spec.metrics import Metric
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
            result = _train(spec, plan, loaded, review, observer=observer, rows=rows, directory=directory)
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
        loaded = load_spec(request.spec, request.arrays)
    except SpecError as error:
        review.take(error.diagnostics)
        review.stop()
        raise
    review.take(inspect(dict(request.spec), loaded))
    review.stop()
    return loaded, make_plan(request.spec, loaded.facts)


def _train(  # noqa: PLR0913 - the parts of a run
    spec: Spec,
    plan: Plan,
    loaded: Loaded,
    review: Review,
    *,
    observer: Observer,
    rows: list[Row],
    directory: Path | None,
) -> Result:
    device = choose_device(spec.training.device)
    network = build_network(plan, seed=spec.seed, precision=spec.training.precision).to(device)
    judge = _judge(spec, plan, loaded, device)
    dtype = parameter_type(spec.training.precision)
    splits = {name: _batch(split.x, split.y, judge, dtype, device) for name, split in loaded.splits.items()}
    before = check(network, splits, judge)
    observer.on_start(spec, plan, before, directory)

    def observe(row: Row) -> None:
        rows.append(row)
        observer.on_epoch(row)

    _trainer(spec, plan, network, judge, splits).run(observe)
    after = check(network, splits, judge)
    return Result(
        spec=spec,
        plan=plan,
        data=loaded,
        model=network.eval(),
        before=before,
        after=after,
        history=tuple(rows),
        expectations=tuple(expectations(spec.checks, before, after)),
        findings=review.told,
        directory=directory,
    )


def _judge(spec: Spec, plan: Plan, loaded: Loaded, device: torch.device) -> Judge:
    classes = loaded.facts.outputs if loaded.facts.target == "classes" else None
    y = torch.from_numpy(loaded.splits["train"].y)
    counts = [] if classes is None else torch.bincount(y, minlength=classes).tolist()
    bf16 = spec.training.precision == "bf16"
    return Judge(
        spec=spec.loss,
        loss=build_loss(plan.loss, counts=counts, dtype=parameter_type(spec.training.precision)).to(device),
        classes=classes,
        metrics=chosen_metrics(spec, plan),
        autocast=partial(torch.autocast, device.type, torch.bfloat16, enabled=bf16),
    )


def _trainer(spec: Spec, plan: Plan, network: nn.Sequential, judge: Judge, splits: dict[str, Batch]) -> Trainer:
    optimizers = build_optimizers(spec.optimizer, network)
    monitor = watched_by(plan.schedule)
    stopping = spec.training.early_stopping
    return Trainer(
        network=network,
        judge=judge,
        optimizers=optimizers,
        schedule=Schedule(plan.schedule, optimizers, maximize=larger_is_better(monitor)),
        settings=spec.training,
        splits=splits,
        order=torch.Generator().manual_seed(derive(spec.seed, "shuffle")),
        watched=watched_splits(tuple(splits), monitor, stopping.monitor if stopping else ""),
    )


def watched_by(schedule: Sequence[Phase]) -> str:
    """Return the measure a schedule looks for a plateau in; nothing if it has none of its own."""
    return next((phase.monitor for phase in schedule if phase.monitor), "")


def chosen_metrics(spec: Spec, plan: Plan) -> tuple[Metric, ...]:
    """Return the metrics a spec names, or the usual ones for its target; and those its checks and monitors name."""
    kind = plan.facts.target
    named = list(spec.metrics if spec.metrics is not None else DEFAULTS[kind] if kind else ())
    stopping = spec.training.early_stopping
    measures = [*spec.checks.improving, *spec.checks.bounds, watched_by(plan.schedule)]
    measures += [stopping.monitor] if stopping else []
    named += [measure.partition(".")[2] for measure in measures]
    found = (find_metric(name) for name in dict.fromkeys(named))
    return tuple(metric for metric in found if metric is not None)


def watched_splits(splits: tuple[str, ...], *monitors: str) -> tuple[str, ...]:
    """Return the splits to evaluate after every epoch: validation, and what is monitored."""
    wanted = {"validation", *(monitor.partition(".")[0] for monitor in monitors)}
    return tuple(name for name in splits if name in wanted)


def choose_device(name: str) -> torch.device:
    """Return the device a spec asks for; `auto` is a GPU where there is one.

    Raises:
        UnavailableDeviceError: The machine does not have it.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available[name]:
        raise UnavailableDeviceError(f"training.device is {name}, which this machine does not have; write device: auto")
    return torch.device(name)


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


def _batch(x: Any, y: Any, judge: Judge, dtype: torch.dtype, device: torch.device) -> Batch:
    target = torch.from_numpy(y)
    return Batch(
        x=torch.from_numpy(x).to(device=device, dtype=dtype),
        y=target.to(device),
        target=encode(target, judge.spec.target, judge.classes, dtype).to(device),
    )
