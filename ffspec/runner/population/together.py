"""Training a population: groups of members as one network each, and one after another those that cannot be one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ffspec import populations
from ffspec.builder.fitting import fit_rows, target_scale_of
from ffspec.builder.network import build_network
from ffspec.builder.streams import untouched
from ffspec.diagnostics import DivergedError
from ffspec.runner.evaluation import check
from ffspec.runner.population.alone import train_alone
from ffspec.runner.population.chunk import Chunk, courses_of
from ffspec.runner.population.grouping import groups
from ffspec.runner.population.judging import broken, chosen, judged
from ffspec.runner.population.members import Member
from ffspec.runner.setup import set_up
from ffspec.runner.surroundings import threads, unwarned
from ffspec.spec.ensembles import fitted as fitted_steps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from torch import nn

    from ffspec.runner.evaluation import Measures
    from ffspec.runner.keeper import Keeper
    from ffspec.runner.population.chunk import Course
    from ffspec.runner.population.members import Keeping, Observe, Trained
    from ffspec.runner.setup import Setup


def train_together(
    members: Sequence[Member],
    *,
    splits: Sequence[str] | None = None,
    observe: Observe | None = None,
    lean: bool = False,
    keeping: Keeping | None = None,
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
        lean: Whether to evaluate nothing but at the end, and what is monitored: `before` is empty then, and histories
            have no measures that nothing needs.
        keeping: Knows of members that are done, which are not trained again, and of signals, which end it all.

    Yields:
        What became of each member, in their order.
    """
    chunks, ready = _chunks(members), dict[int, "Trained"]()
    for index in range(len(members)):
        known = None if keeping is None else keeping.known(index)
        if known is None and index not in ready:
            chunk = chunks[index]
            if len(chunk) == 1:
                ready[index] = train_alone(index, members[index], splits, observe, lean=lean, keeping=keeping)
            else:
                parts = [members[one] for one in chunk]  # with those that are done, for the same bits
                ready |= _train_chunk(chunk, parts, splits, observe, lean=lean, keeping=keeping)
        yield known or ready.pop(index)


def _chunks(members: Sequence[Member]) -> dict[int, tuple[int, ...]]:
    """Return which members each is trained with."""
    chunks: dict[int, tuple[int, ...]] = {}
    for group in groups(members):
        for chunk in [(index,) for index in group.indices] if group.reason else divided(members, group.indices):
            chunks |= dict.fromkeys(chunk, chunk)
    return chunks


def divided(members: Sequence[Member], indices: Sequence[int]) -> list[tuple[int, ...]]:
    """Divide a group into parts that fit the cache, of sizes as equal as can be."""
    first = members[indices[0]]
    most = populations.members_at_once(first.plan, first.spec.training, first.spec.optimizer.name)
    return [tuple(indices[start:stop]) for start, stop in populations.divided(len(indices), most)]


def _train_chunk(  # noqa: PLR0913 - as for `train_together`
    indices: Sequence[int],
    members: Sequence[Member],
    splits: Collection[str] | None,
    observe: Observe | None,
    *,
    lean: bool,
    keeping: Keeping | None,
) -> dict[int, Trained]:
    """Train members as one network."""
    made: dict[int, Trained] = {}
    before: dict[int, dict[str, Measures]] = {}
    with threads(members[0].spec.training.threads), untouched(), unwarned():
        setups = dict(zip(indices, set_up_all(members), strict=True))
        for (index, setup), member in zip(setups.items(), members, strict=True):
            try:
                before[index] = {} if lean else check(setup.network, chosen(setup, splits), setup.judge)
            except DivergedError as error:
                made[index] = broken(member, setup, (), {}, error)
        left = [index for index in indices if index not in made]
        courses = courses_of(left, [setups[index] for index in left])
        if courses:
            Chunk(list(courses), observe, lean=lean, keeper=None if keeping is None else keeping.keeper).train()
        for course in courses:
            one = ended(course, before[course.index], splits, None if keeping is None else keeping.keeper)
            made[course.index] = replace(one, together=len(courses), moved=course.moved)
    return made


def _fit(network: nn.Sequential, member: Member, first: Setup) -> None:
    """Fit what the training rows decide; what sees them as they are is as in the first network."""
    found = [step.path for step in fitted_steps(member.plan.steps)]
    if not found:
        return
    if all(step.path in found for step in member.plan.steps[:1]) and not any(fitted_steps(member.plan.steps[1:])):
        for buffer, known in zip(network[0].buffers(), first.network[0].buffers(), strict=True):
            buffer.copy_(known)
        return
    train = first.splits["train"]
    fit_rows(network, train.x, train.target, train.weight)


def set_up_all(members: Sequence[Member]) -> list[Setup]:
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
            _fit(network, member, first)
            judge = replace(first.judge, scale=scale)
            setup = replace(first, spec=member.spec, plan=member.plan, network=network, judge=judge)
        made.append(setup)
    return made


def ended(
    course: Course, before: dict[str, Measures], splits: Collection[str] | None, keeper: Keeper | None = None
) -> Trained:
    """Return what became of a member that has been trained."""
    setup = course.setup
    member = Member(spec=setup.spec, plan=setup.plan, loaded=setup.loaded)
    try:
        if course.error is not None:
            raise course.error
        return judged(member, setup, course.history, before, splits, keeper=keeper)
    except DivergedError as error:
        return broken(member, setup, course.history, before, error)
