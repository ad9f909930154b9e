"""A member by itself: the ordinary set-up, loop and checks of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ffspec.builder.streams import untouched
from ffspec.diagnostics import DivergedError
from ffspec.runner.checkpoints import put_back
from ffspec.runner.evaluation import check
from ffspec.runner.population.judging import broken, chosen, judged
from ffspec.runner.setup import set_up, trainer_of, watched_of
from ffspec.runner.surroundings import threads, unwarned
from ffspec.runner.watching import Watch
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Collection

    from ffspec.runner.evaluation import Measures
    from ffspec.runner.loop import Row, Trainer
    from ffspec.runner.population.members import Keeping, Member, Observe, Trained
    from ffspec.runner.setup import Setup


class _Ended(Exception):
    """Whoever observes has seen enough of a member."""


def train_alone(  # noqa: PLR0913 - as for `train_together`
    index: int,
    member: Member,
    splits: Collection[str] | None,
    observe: Observe | None,
    *,
    lean: bool = False,
    keeping: Keeping | None = None,
) -> Trained:
    """Train one member as its run would.

    Args:
        index: Its place among all members.
        member: The member.
        splits: What is evaluated before and after training; None: every split.
        observe: Told of every epoch.
        lean: Whether to evaluate nothing but at the end, and what is monitored.
        keeping: Keeps the state of the training, which then goes on from what is kept of it.
    """
    spec = member.spec
    rows: list[Row] = []
    before: dict[str, Measures] = {}
    with threads(spec.training.threads), untouched(derive(spec.seed, "dropout")), unwarned():
        setup = set_up(spec, member.plan, member.loaded)
        watch = None if keeping is None else Watch(setup.network)
        try:
            before = {} if lean else check(setup.network, chosen(setup, splits), setup.judge)
            trainer = _trainer(index, setup, watch, keeping)
            if lean:
                trainer = replace(trainer, watched=watched_of(setup, lean=True))
            rows += trainer.cursor.history
            _run(trainer, index, rows, observe)
            made = judged(member, setup, rows, before, splits, keeper=None if keeping is None else keeping.keeper)
            return made if watch is None else replace(made, moved=watch.ratios)
        except DivergedError as error:
            return broken(member, setup, rows, before, error)


def _trainer(index: int, setup: Setup, watch: Watch | None, keeping: Keeping | None) -> Trainer:
    """Return what trains a member, at its start or where it was left."""
    if keeping is None:
        return trainer_of(setup)
    state = keeping.under_way(index)
    trainer = trainer_of(setup, watch, keeping.keeper)
    if state is not None:
        keeping.keeper.steps = put_back(trainer, state)
    return trainer


def _run(trainer: Trainer, index: int, rows: list[Row], observe: Observe | None) -> None:
    def told(row: Row) -> None:
        rows.append(row)
        if observe is not None and observe(index, row):
            raise _Ended

    try:
        trainer.run(told)
    except _Ended:
        trainer.cursor.ended = True
        trainer.run(told)  # takes no step, and leaves the network as a training that has ended
