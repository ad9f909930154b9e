"""Training members in stages: all of them up to an epoch, and from there on only those that are kept.

Each goes on from where it stands: what waits has its weights, the state of its optimizer and its streams.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import torch

from ffspec.builder.streams import untouched
from ffspec.diagnostics import DivergedError
from ffspec.runner.evaluation import measure_splits
from ffspec.runner.population.chunk import Chunk, courses_of
from ffspec.runner.population.grouping import groups
from ffspec.runner.population.judging import broken, judged
from ffspec.runner.population.together import divided, ended, set_up_all
from ffspec.runner.setup import set_up, trainer_of, watched_of
from ffspec.runner.surroundings import threads, unwarned
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from ffspec.runner.evaluation import Measures
    from ffspec.runner.loop import Row
    from ffspec.runner.population.members import Member, Trained

    Choose: TypeAlias = Callable[[int, Mapping[int, dict[str, Measures]]], Collection[int]]
    """Told after which epoch members wait, and what each that has not ended reaches; returns those that end there."""


def train_in_stages(
    members: Sequence[Member], epochs: Sequence[int], choose: Choose, *, splits: Sequence[str]
) -> Iterator[tuple[int, Trained]]:
    """Train members side by side, and end some of them on the way.

    What becomes of a member that is not ended is what `train_together` makes of it. All of them are in memory at once.

    Args:
        members: What to train.
        epochs: After which epochs all wait for one another, ascending.
        choose: Says which end there.
        splits: What is evaluated there, and at the end; beside these, only what is monitored is.

    Yields:
        The place of a member, and what became of it, as soon as it has ended.
    """
    parts: list[_Alone | _Together] = []
    for group in groups(members):
        for chunk in [(index,) for index in group.indices] if group.reason else divided(members, group.indices):
            chosen = [members[index] for index in chunk]
            one = len(chunk) == 1
            parts.append(_Alone(chunk[0], chosen[0], splits) if one else _Together(chunk, chosen, splits))
    for epoch in (*epochs, None):
        for part in parts:
            yield from part.train(epoch)
        if epoch is not None:
            reached = {index: found for part in parts for index, found in part.reached().items()}
            stopped = choose(epoch, reached) if reached else ()
            for part in parts:
                yield from part.end(stopped)


class _Together:
    """Members that are one network."""

    def __init__(self, indices: Sequence[int], members: Sequence[Member], splits: Sequence[str]) -> None:
        self._threads, self._splits = members[0].spec.training.threads, splits
        with untouched(), unwarned():
            self._open = courses_of(indices, set_up_all(members))
        self._together = len(self._open)
        self._chunk = Chunk(list(self._open), None, lean=True)

    def train(self, until: int | None) -> Iterator[tuple[int, Trained]]:
        """Train up to the end of an epoch, or to the end; yield those that have come to it."""
        with threads(self._threads), untouched(), unwarned():
            self._chunk.train(until)
            made = self._left()
        yield from made

    def reached(self) -> dict[int, dict[str, Measures]]:
        """Return what those that go on have reached."""
        with threads(self._threads), untouched(), unwarned():
            found = self._chunk.measures(self._splits)
        return {index: {} if isinstance(one, DivergedError) else one for index, one in found.items()}

    def end(self, indices: Collection[int]) -> Iterator[tuple[int, Trained]]:
        """End some where they stand."""
        with threads(self._threads), untouched(), unwarned():
            self._chunk.end(indices)
            made = self._left()
        yield from made

    def _left(self) -> list[tuple[int, Trained]]:
        """Return what became of those that have ended since the last time."""
        over = [course for course in self._open if course.ended]
        self._open = [course for course in self._open if not course.ended]
        return [(course.index, replace(ended(course, {}, self._splits), together=self._together)) for course in over]


class _Alone:
    """A member by itself."""

    def __init__(self, index: int, member: Member, splits: Sequence[str]) -> None:
        self._index, self._member, self._splits = index, member, splits
        with untouched(derive(member.spec.seed, "dropout")), unwarned():
            self._setup = set_up(member.spec, member.plan, member.loaded)
            self._trainer = replace(trainer_of(self._setup), watched=watched_of(self._setup, lean=True))
            self._state = torch.get_rng_state()
        self._rows: list[Row] = []
        self._passes: Iterator[None] | None = self._trainer.passes(self._rows.append)

    def train(self, until: int | None) -> Iterator[tuple[int, Trained]]:
        """Train up to the end of an epoch, or to the end; yield it if it has come to it."""
        if self._passes is None or (until is not None and len(self._rows) >= until):
            return
        with threads(self._member.spec.training.threads), untouched(), unwarned():
            torch.set_rng_state(self._state)
            try:
                going = any(self._trainer.cursor.epoch - 1 == until for _ in self._passes)
                made = None if going else judged(self._member, self._setup, self._rows, {}, self._splits)
            except DivergedError as error:
                made = broken(self._member, self._setup, self._rows, {}, error)
            self._state = torch.get_rng_state()
        if made is not None:
            self._passes = None
            yield self._index, made

    def reached(self) -> dict[int, dict[str, Measures]]:
        """Return what it has reached, if it goes on."""
        if self._passes is None:
            return {}
        trainer = self._trainer
        network = trainer.network if trainer.average is None else trainer.average.network
        with threads(self._member.spec.training.threads), untouched(), unwarned():
            try:
                wanted = {name: self._setup.splits[name] for name in self._splits}
                return {self._index: measure_splits(network, wanted, self._setup.judge)}
            except DivergedError:
                return {self._index: {}}

    def end(self, indices: Collection[int]) -> Iterator[tuple[int, Trained]]:
        """End it where it stands, if it is among those."""
        if self._passes is not None and self._index in indices:
            self._trainer.cursor.ended = True
            yield from self.train(None)
