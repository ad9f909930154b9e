"""A member by itself: the ordinary set-up, loop and checks of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ffspec.builder.streams import untouched
from ffspec.diagnostics import DivergedError
from ffspec.runner.evaluation import check
from ffspec.runner.population.judging import broken, chosen, judged
from ffspec.runner.setup import set_up, trainer_of, watched_of
from ffspec.runner.surroundings import threads, unwarned
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Collection

    from ffspec.runner.evaluation import Measures
    from ffspec.runner.loop import Row, Trainer
    from ffspec.runner.population.members import Member, Observe, Trained


class _Ended(Exception):
    """Whoever observes has seen enough of a member."""


def train_alone(
    index: int, member: Member, splits: Collection[str] | None, observe: Observe | None, *, lean: bool = False
) -> Trained:
    """Train one member as its run would.

    Args:
        index: Its place among all members.
        member: The member.
        splits: What is evaluated before and after training; None: every split.
        observe: Told of every epoch.
        lean: Whether to evaluate nothing but at the end, and what is monitored.
    """
    spec = member.spec
    rows: list[Row] = []
    before: dict[str, Measures] = {}
    with threads(spec.training.threads), untouched(derive(spec.seed, "dropout")), unwarned():
        setup = set_up(spec, member.plan, member.loaded)
        try:
            before = {} if lean else check(setup.network, chosen(setup, splits), setup.judge)
            trainer = trainer_of(setup)
            if lean:
                trainer = replace(trainer, watched=watched_of(setup, lean=True))
            _run(trainer, index, rows, observe)
            return judged(member, setup, rows, before, splits)
        except DivergedError as error:
            return broken(member, setup, rows, before, error)


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
