"""What a training is made of: the network on its device, its splits as tensors, and what judges them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ffspec.builder.fading import Fading
from ffspec.builder.fitting import fit_moments, fit_rows, fit_targets, target_scale_of
from ffspec.builder.loss import build_loss, build_weighted, encode
from ffspec.builder.network import build_network, parameter_type
from ffspec.builder.optimizer import build_optimizers
from ffspec.builder.scheduler import Schedule
from ffspec.diagnostics import UnavailableDeviceError
from ffspec.runner.averaging import Average
from ffspec.runner.evaluation import Batch, Judge
from ffspec.runner.flow import Flow
from ffspec.runner.loop import Trainer
from ffspec.runner.patience import Patience
from ffspec.seeds import derive
from ffspec.spec.ensembles import are_independent, members_of
from ffspec.spec.metrics import DEFAULTS, find_metric, larger_is_better
from ffspec.written import obstacle, uncompiled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from ffspec.builder.scaling import TargetScale
    from ffspec.data import Loaded
    from ffspec.data.loaded import Split
    from ffspec.planner import Plan
    from ffspec.runner.loop import Keeper
    from ffspec.runner.watching import Watch
    from ffspec.spec.kinds import Phase
    from ffspec.spec.metrics import Metric
    from ffspec.spec.root import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that is there before the first step."""

    spec: Spec
    plan: Plan
    loaded: Loaded
    network: nn.Sequential
    judge: Judge
    splits: Mapping[str, Batch]


def set_up(spec: Spec, plan: Plan, loaded: Loaded) -> Setup:
    """Build the network, and move it and the rows to the device.

    Raises:
        UnavailableDeviceError: The machine does not have the device.
    """
    network = build_network(plan, seed=spec.seed, precision=spec.training.precision)
    _fit_targets(network, loaded)
    setup = around(network, spec, plan, loaded)
    train = setup.splits["train"]
    fit_rows(network, train.x, train.target, train.weight)
    return setup


def around(network: nn.Sequential, spec: Spec, plan: Plan, loaded: Loaded) -> Setup:
    """Return what is around a network that is there already, moved to the device.

    Raises:
        UnavailableDeviceError: The machine does not have the device.
    """
    device = choose_device(spec.training.device)
    judge = judge_of(spec, plan, loaded, device, target_scale_of(network))
    convert = partial(_batch, judge=judge, dtype=parameter_type(spec.training.precision), device=device)
    splits = {name: convert(split) for name, split in loaded.splits.items()}
    if loaded.stream is not None:
        splits = {
            name: replace(batch, whole=Flow(stream=loaded.stream, split=name, convert=convert))
            for name, batch in splits.items()
        }
    return Setup(spec=spec, plan=plan, loaded=loaded, network=network.to(device), judge=judge, splits=splits)


def trainer_of(
    setup: Setup, watch: Watch | None = None, keeper: Keeper | None = None, *, called: bool = False
) -> Trainer:
    """Return what trains a set-up network.

    Args:
        setup: The network, and all that comes with it.
        watch: Looks at some of the steps.
        keeper: Keeps the state.
        called: Whether the modules must be called in every step, because someone looks at what they return.
    """
    spec, plan = setup.spec, setup.plan
    optimizers = build_optimizers(spec.optimizer, setup.network, plan.steps)
    monitor = watched_by(plan.schedule)
    stopping, schedules, decay = spec.training.early_stopping, spec.training.schedules, spec.training.ema
    steps = plan.epochs * (plan.steps_per_epoch or 0)
    average = None if decay is None else Average(decay, setup.network)
    plain = not called and _plain(setup.splits["train"].x.device.type)
    return Trainer(
        network=setup.network,
        judge=setup.judge,
        optimizers=optimizers,
        schedule=Schedule(plan.schedule, optimizers, maximize=larger_is_better(monitor)),
        settings=spec.training,
        epochs=plan.epochs,
        splits=setup.splits,
        order=torch.Generator().manual_seed(derive(spec.seed, "shuffle")),
        watched=watched_of(setup),
        patience=None if stopping is None else Patience(stopping, average.network if average else setup.network),
        fading=None if schedules is None else Fading(schedules, optimizers, setup.network, steps),
        average=average,
        watch=watch,
        keeper=keeper,
        written=plain and not obstacle(spec.training),
        compiled=plain and spec.training.compile and not uncompiled(spec.training, plan.steps),
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


def watched_of(setup: Setup, *, lean: bool = False) -> tuple[str, ...]:
    """Return the splits that a training looks at after every epoch: validation unless `lean`, and what is monitored."""
    stopping = setup.spec.training.early_stopping
    monitors = (watched_by(setup.plan.schedule), stopping.monitor if stopping else "")
    # Where a plateau is looked for in nothing that is named, it is in the validation loss.
    needed = not lean or any(phase.monitor == "" for phase in setup.plan.schedule)
    wanted = {*(("validation",) if needed else ()), *(monitor.partition(".")[0] for monitor in monitors)}
    return tuple(name for name in setup.splits if name in wanted)


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


def judge_of(spec: Spec, plan: Plan, loaded: Loaded, device: torch.device, scale: TargetScale | None = None) -> Judge:
    """Return what evaluates the network of a spec on this data; `scale` knows the units of its target."""
    classes = loaded.facts.outputs if loaded.facts.target == "classes" else None
    counts = [] if classes is None else _class_counts(loaded, classes)
    bf16, dtype = spec.training.precision == "bf16", parameter_type(spec.training.precision)
    weighed = loaded.splits["train"].weight is not None
    return Judge(
        spec=spec.loss,
        loss=build_loss(plan.loss, counts=counts, dtype=dtype).to(device),
        weighted=build_weighted(plan.loss, counts=counts, dtype=dtype).to(device) if weighed else None,
        classes=classes,
        metrics=chosen_metrics(spec, plan),
        autocast=partial(_casting, device.type, bf16=bf16),
        scale=scale,
        members=members_of(plan.steps),
        independent=are_independent(plan.steps),
    )


def _fit_targets(network: nn.Sequential, loaded: Loaded) -> None:
    if loaded.stream is None:
        # A copy of its own, as of the rows: where a view begins can decide how a sum is rounded.
        fit_targets(network, torch.from_numpy(loaded.splits["train"].y).clone())
    elif loaded.classes is None:
        targets = loaded.stream.targets
        known = (torch.from_numpy(one) for one in (targets.mean, targets.deviation, targets.low, targets.high))
        fit_moments(network, *known)


def _class_counts(loaded: Loaded, classes: int) -> list[int]:
    """Return how many training rows there are of each class."""
    if loaded.stream is not None:
        return list(loaded.stream.classes)
    counts: list[int] = torch.bincount(torch.from_numpy(loaded.splits["train"].y), minlength=classes).tolist()
    return counts


def _plain(device: str) -> bool:
    """Return whether operations do what they are called for at once: no GPU, and no autocast around it all."""
    return device == "cpu" and not torch.is_autocast_enabled(device)


def _casting(device: str, *, bf16: bool) -> AbstractContextManager[Any]:
    """Return autocast to bfloat16, or its absence; a context costs as much as some operations."""
    if bf16 or torch.is_autocast_enabled(device):
        return torch.autocast(device, torch.bfloat16, enabled=bf16)
    return nullcontext()


def _batch(split: Split, judge: Judge, dtype: torch.dtype, device: torch.device) -> Batch:
    target = torch.from_numpy(split.y)
    wanted = target if judge.scale is None else judge.scale.standardise(target)
    return Batch(
        # No copy where there need not be one: the rows of a split begin with a cache line, as those of a tensor do.
        x=torch.from_numpy(split.x).to(device=device, dtype=dtype),
        y=target.to(device),
        target=encode(wanted, judge.spec.target, judge.classes, dtype).to(device),
        weight=None if split.weight is None else torch.from_numpy(split.weight).to(device=device, dtype=dtype),
    )
