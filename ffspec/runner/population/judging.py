"""What becomes of a member once its training has ended: what is fitted then, and the evaluation of what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ffspec.diagnostics import DivergedError
from ffspec.runner.calibration import calibrate
from ffspec.runner.evaluation import check
from ffspec.runner.keeper import Keeper
from ffspec.runner.patience import best_epoch
from ffspec.runner.population.members import Trained
from ffspec.runner.refit import refit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ffspec.runner.evaluation import Batch, Measures
    from ffspec.runner.loop import Row
    from ffspec.runner.population.members import Member
    from ffspec.runner.setup import Setup


def chosen(setup: Setup, splits: Collection[str] | None) -> dict[str, Batch]:
    """Return the splits that are evaluated."""
    return {name: batch for name, batch in setup.splits.items() if splits is None or name in splits}


def judged(  # noqa: PLR0913 - what a training leaves
    member: Member,
    setup: Setup,
    history: Sequence[Row],
    before: dict[str, Measures],
    splits: Collection[str] | None,
    *,
    keeper: Keeper | None = None,
) -> Trained:
    """Fit what is fitted after training, train again if that is asked for, and evaluate.

    Args:
        member: What was trained.
        setup: Its network, trained.
        history: The epochs it took.
        before: What was measured before training.
        splits: What is evaluated; without the test split nothing is trained again.
        keeper: Knows of signals, which end a second training.

    Raises:
        DivergedError, InterruptedRunError: A number was not finite, or a signal has come.
    """
    training, last = member.spec.training, setup
    temperature, judge = calibrate(setup.network, setup.splits, setup.judge, training.threshold)
    after = check(setup.network, chosen(setup, splits), judge)
    if training.refit and (splits is None or "test" in splits):
        stopping = training.early_stopping
        epochs = len(history) if stopping is None else best_epoch(history, stopping)
        again = refit(replace(setup, judge=judge), epochs, temperature, keeper or _nowhere(), _unheard)
        last = replace(again, judge=replace(again.judge, threshold=judge.threshold))
        after |= check(last.network, chosen(last, splits), last.judge)
    network, rows = last.network.eval(), tuple(history)
    made = Trained(member=member, network=network, before=before, after=after, history=rows)
    return replace(made, temperature=temperature, threshold=judge.threshold)


def broken(
    member: Member, setup: Setup, history: Sequence[Row], before: dict[str, Measures], error: DivergedError
) -> Trained:
    """Return what became of a member whose numbers were not finite."""
    network = setup.network.eval()
    return Trained(member=member, network=network, before=before, after={}, history=tuple(history), error=error)


def _nowhere() -> Keeper:
    return Keeper(directory=None, settings=None, identity={})


def _unheard(row: Row) -> None:
    """Say nothing: the second training has no history of its own."""
