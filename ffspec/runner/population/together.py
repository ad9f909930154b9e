"""Training a population: groups of members that are one network, and those that must be trained one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffspec.runner.population.alone import train_alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.runner.population.members import Member, Observe, Trained


def train_together(
    members: Sequence[Member], *, splits: Sequence[str] | None = None, observe: Observe | None = None
) -> Iterator[Trained]:
    """Train members, each to what its single run would be.

    A member that diverges carries its error; the others go on untouched.

    Args:
        members: What to train.
        splits: What is evaluated before and after training; None: every split. Early stopping and schedules look at
            what they monitor in any case.
        observe: Told of every epoch of every member.

    Yields:
        What became of each member, in their order.
    """
    for index, member in enumerate(members):
        yield train_alone(index, member, splits, observe)
