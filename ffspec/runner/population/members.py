"""The members of a population: what goes in, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ffspec.planner import Plan, plan, settle

if TYPE_CHECKING:
    from torch import nn

    from ffspec.data import Loaded
    from ffspec.diagnostics import DivergedError
    from ffspec.runner.checkpoints import State
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.keeper import Keeper
    from ffspec.runner.loop import Row
    from ffspec.spec.root import Spec

Observe: TypeAlias = "Callable[[int, Row], bool | None]"
"""Told of every epoch: the member's place among all, and the row of its history. True ends that member's training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A run without a run directory: a spec that is settled, its plan, and its rows."""

    spec: Spec
    plan: Plan
    loaded: Loaded


def member_of(spec: Spec, loaded: Loaded) -> Member:
    """Return the member a spec makes on its rows.

    Raises:
        SpecError: The layers do not fit the rows.
    """
    return Member(spec=settle(spec, loaded.facts), plan=plan(spec, loaded.facts), loaded=loaded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What became of a member."""

    member: Member = field(repr=False)
    network: nn.Sequential = field(repr=False)
    """A plain network in eval mode, as its run would leave it: of the best epoch where that is asked for."""
    before: dict[str, Measures]
    """Loss and metrics before training, of the splits asked for; empty where even the untrained network failed."""
    after: dict[str, Measures]
    """The same after training; empty where the training diverged."""
    history: tuple[Row, ...] = field(repr=False)
    temperature: float | None = None
    threshold: float | None = None
    """What was fitted on the validation split after training, as in a `Result`."""
    error: DivergedError | None = None
    """What ended the training, if a number was not finite."""
    together: int = 1
    """How many members it was trained with as one network; 1: alone."""
    moved: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False)
    """How far some steps moved the weights of every linear, as a `Watch` sees it; empty where nobody kept the members.
    """


class Keeping(Protocol):
    """Keeps members that are done, and of one that is trained alone what it has come to."""

    keeper: Keeper
    """Knows of signals, and keeps the state of a member that is trained alone."""

    def known(self, index: int) -> Trained | None:
        """Return what became of a member, if it is done."""

    def under_way(self, index: int) -> State | None:
        """Let the keeper be that of a member, and return the state its training goes on from, if there is one."""
