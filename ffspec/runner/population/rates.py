"""What changes the numbers of a member's optimizer: its schedules, each driven as in a single run.

Members whose numbers go the same way share one of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ffspec.builder.fading import Fading
from ffspec.builder.optimizer import construct_optimizer
from ffspec.builder.scheduler import Schedule
from ffspec.runner.loop import lr_of, monitored
from ffspec.runner.setup import watched_by
from ffspec.spec.grouping import factors_of, matches
from ffspec.spec.metrics import larger_is_better

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ffspec.runner.loop import Row
    from ffspec.runner.setup import Setup


class Rates:
    """The numbers of one member's optimizer, or of several that have the same.

    They are those of an optimizer of one parameter of each kind, which takes no step: schedules change its groups.
    """

    def __init__(self, setup: Setup) -> None:
        spec, plan = setup.spec, setup.plan
        entries = getattr(spec.optimizer, "groups", ())
        kinds = [*dict.fromkeys(_matches(setup))] or [()]
        named = {nn.Parameter(torch.zeros(1)): factors_of(entries, kind) for kind in kinds}
        optimizer: Any = construct_optimizer(spec.optimizer.call(), named, named if entries else None)
        held = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
        self.groups: list[Mapping[str, Any]] = [held[id(parameter)] for parameter in named]
        """The numbers that hold now, of each kind of parameters in the order of the network."""
        maximize = larger_is_better(watched_by(plan.schedule))
        self._optimizer = optimizer
        self._changing = bool(plan.schedule) or spec.training.schedules is not None
        self._schedule = Schedule(plan.schedule, [optimizer], maximize=maximize)
        optimizer._opt_called = True  # noqa: SLF001 - a schedule warns of an optimizer that has not stepped before it
        schedules, steps = spec.training.schedules, plan.epochs * (plan.steps_per_epoch or 0)
        self._fading = None if schedules is None else Fading(schedules, [optimizer], setup.network, steps)

    @property
    def lr(self) -> float:
        """The learning rate that holds now, of parameters without a factor of their own."""
        return lr_of(self._optimizer.param_groups)

    @property
    def per_step(self) -> bool:
        """Whether they may change from step to step."""
        return self._fading is not None or self._schedule.per_step

    @property
    def changing(self) -> bool:
        """Whether they may change at all."""
        return self._changing

    def before_step(self, step: int) -> None:
        """Set what holds in the step with this number; the first has 0."""
        if self._fading is not None:
            self._fading.before_step(step)

    def after_step(self) -> None:
        """Count a step."""
        self._schedule.after_step()

    def after_epoch(self, row: Row) -> None:
        """Count an epoch, with this row of the history."""
        self._schedule.after_epoch(partial(monitored, row))

    def end(self) -> None:
        """Go back to the dropout the network was planned with."""
        if self._fading is not None:
            self._fading.end()


def kinds_of(setup: Setup) -> list[int]:
    """Return of which kind each parameter of a network is: those that the same entries of `groups` are of."""
    found = _matches(setup)
    order = {match: place for place, match in enumerate(dict.fromkeys(found))}
    return [order[match] for match in found]


def _matches(setup: Setup) -> list[tuple[bool, ...]]:
    """Return which entries of the optimizer's `groups` are of each parameter; nothing where there are none."""
    entries = getattr(setup.spec.optimizer, "groups", ())
    names = (name for name, _ in setup.network.named_parameters()) if entries else ()
    return [*matches(entries, setup.plan.steps, names)]


def rates_of(setups: Sequence[Setup]) -> list[Rates]:
    """Return the rates of each member; one that looks at its own measures, or at its own network, shares them not."""
    known: dict[str, Rates] = {}
    optimizers = {id(setup.spec.optimizer): setup.spec.optimizer for setup in setups}  # copies of a spec share it
    calls = {
        identity: repr((optimizer.call(), getattr(optimizer, "groups", ())))
        for identity, optimizer in optimizers.items()
    }
    made = []
    for setup in setups:
        own = any(phase.monitor is not None for phase in setup.plan.schedule) or setup.spec.training.schedules
        key = calls[id(setup.spec.optimizer)] + (repr(setup.plan.schedule) if setup.plan.schedule else "")
        if own or key not in known:
            known[key] = Rates(setup)
        made.append(known[key])
    return made
