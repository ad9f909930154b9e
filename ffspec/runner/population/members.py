"""The members of a population: what goes in, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ffspec.planner import Plan, plan, settle

if TYPE_CHECKING:
    from torch import nn

    from ffspec.data import Loaded
    from ffspec.diagnostics import DivergedError
    from ffspec.runner.evaluation import Measures
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

    member: Member
    network: nn.Sequential
    """A plain network in eval mode, as its run would leave it: of the best epoch where that is asked for."""
    before: dict[str, Measures]
    """Loss and metrics before training, of the splits asked for; empty where even the untrained network failed."""
    after: dict[str, Measures]
    """The same after training; empty where the training diverged."""
    history: tuple[Row, ...]
    temperature: float | None = None
    threshold: float | None = None
    """What was fitted on the validation split after training, as in a `Result`."""
    error: DivergedError | None = None
    """What ended the training, if a number was not finite."""
    together: int = 1
    """How many members it was trained with as one network; 1: alone."""
