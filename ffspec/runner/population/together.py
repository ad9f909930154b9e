"""Training a population: groups of members as one network each, and one after another those that cannot be one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ffspec.builder.fitting import target_scale_of
from ffspec.builder.network import build_network
from ffspec.builder.streams import untouched
from ffspec.diagnostics import DivergedError
from ffspec.runner.calibration import calibrate
from ffspec.runner.evaluation import check
from ffspec.runner.population.alone import train_alone
from ffspec.runner.population.chunk import Chunk, courses_of
from ffspec.runner.population.grouping import groups
from ffspec.runner.population.members import Trained
from ffspec.runner.population.sizes import members_at_once
from ffspec.runner.setup import Setup, set_up
from ffspec.runner.surroundings import threads, unwarned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ffspec.runner.evaluation import Batch, Measures
    from ffspec.runner.population.chunk import Course
    from ffspec.runner.population.members import Member, Observe


def train_together(
    members: Sequence[Member], *, splits: Sequence[str] | None = None, observe: Observe | None = None
) -> Iterator[Trained]:
    """Train members, each to what its single run would be.

    Members that can be one network are trained so, as many at once as the cache holds; what rounding makes of their
    numbers then differs in the last places from a single run's. A member that diverges carries its error; the others
    go on untouched.

    Args:
        members: What to train.
        splits: What is evaluated before and after training; None: every split. Early stopping and schedules look at
            what they monitor in any case.
        observe: Told of every epoch of every member.

    Yields:
        What became of each member, in their order.
    """
    chunks: dict[int, tuple[int, ...]] = {}
    for group in groups(members):
        for chunk in [(index,) for index in group.indices] if group.reason else divided(members, group.indices):
            chunks |= dict.fromkeys(chunk, chunk)
    ready: dict[int, Trained] = {}
    for index in range(len(members)):
        if index not in ready:
            chunk = chunks[index]
            if len(chunk) == 1:
                ready[index] = train_alone(index, members[index], splits, observe)
            else:
                ready |= _train_chunk(chunk, [members[one] for one in chunk], splits, observe)
        yield ready.pop(index)


def divided(members: Sequence[Member], indices: Sequence[int]) -> list[tuple[int, ...]]:
    """Divide a group into parts that fit the cache, of sizes as equal as can be."""
    first = members[indices[0]]
    most = members_at_once(first.plan, first.spec.training, first.spec.optimizer.name)
    parts = -(-len(indices) // most)
    bounds = [len(indices) * part // parts for part in range(parts + 1)]
    return [tuple(indices[start:stop]) for start, stop in pairwise(bounds)]


def _train_chunk(
    indices: Sequence[int], members: Sequence[Member], splits: Collection[str] | None, observe: Observe | None
) -> dict[int, Trained]:
    """Train members as one network."""
    made: dict[int, Trained] = {}
    before: dict[int, dict[str, Measures]] = {}
    with threads(members[0].spec.training.threads), untouched(), unwarned():
        setups = dict(zip(indices, _set_up_all(members), strict=True))
        for index, setup in setups.items():
            try:
                before[index] = check(setup.network, _chosen(setup, splits), setup.judge)
            except DivergedError as error:
                made[index] = _ended(members[indices.index(index)], setup, {}, error)
        left = [index for index in indices if index not in made]
        courses = courses_of(left, [setups[index] for index in left])
        if courses:
            Chunk(list(courses), observe).train()
        for course in courses:
            member = members[indices.index(course.index)]
            made[course.index] = _judged(member, course, before[course.index], splits, len(courses))
    return made


def _set_up_all(members: Sequence[Member]) -> list[Setup]:
    """Set members up; what follows from the rows is made once for those that share them."""
    known: dict[int, Setup] = {}
    made = []
    for member in members:
        first = known.get(id(member.loaded))
        if first is None:
            setup = known[id(member.loaded)] = set_up(member.spec, member.plan, member.loaded)
        else:
            network = build_network(member.plan, seed=member.spec.seed, precision=member.spec.training.precision)
            scale, fitted = target_scale_of(network), target_scale_of(first.network)
            if scale is not None and fitted is not None:
                scale.load_state_dict(fitted.state_dict())
            judge = replace(first.judge, scale=scale)
            setup = replace(first, spec=member.spec, plan=member.plan, network=network, judge=judge)
        made.append(setup)
    return made


def _chosen(setup: Setup, splits: Collection[str] | None) -> dict[str, Batch]:
    return {name: batch for name, batch in setup.splits.items() if splits is None or name in splits}


def _ended(member: Member, setup: Setup, before: dict[str, Measures], error: DivergedError) -> Trained:
    return Trained(member=member, network=setup.network.eval(), before=before, after={}, history=(), error=error)


def _judged(
    member: Member, course: Course, before: dict[str, Measures], splits: Collection[str] | None, together: int
) -> Trained:
    """Fit what is fitted after training, and evaluate."""
    setup, history = course.setup, tuple(course.history)
    network, judge = setup.network, setup.judge
    try:
        if course.error is not None:
            raise course.error
        temperature, judge = calibrate(network, setup.splits, judge, member.spec.training.threshold)
        after = check(network, _chosen(setup, splits), judge)
    except DivergedError as error:
        return replace(_ended(member, setup, before, error), history=history, together=together)
    return Trained(
        member=member,
        network=network.eval(),
        before=before,
        after=after,
        history=history,
        temperature=temperature,
        threshold=judge.threshold,
        together=together,
    )
