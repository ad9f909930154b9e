"""The same network trained from several seeds: how far what it reaches depends on chance.

The first weights and the order of the rows are drawn anew for each; the rows of each split only if that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ffspec import rundir
from ffspec.builder.streams import untouched
from ffspec.data import load_spec
from ffspec.diagnostics import DivergedError
from ffspec.rundir import RunDirectory
from ffspec.runner.baselines import fit_baselines
from ffspec.runner.expectations import expectations
from ffspec.runner.population import groups, member_of, train_together
from ffspec.runner.population.sizes import LEAST
from ffspec.runner.population.together import divided
from ffspec.runner.record import Record, environment, files_of
from ffspec.runner.run import prepare, probed
from ffspec.runner.setup import chosen_metrics
from ffspec.seeds import derive
from ffspec.spec.dataset import Split
from ffspec.spec.generators import Generator
from ffspec.spec.tables import Table

if TYPE_CHECKING:
    from pathlib import Path

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Plan
    from ffspec.review import Review
    from ffspec.runner.baselines import Baseline
    from ffspec.runner.expectations import Expectation
    from ffspec.runner.population import Member, Trained
    from ffspec.runner.run import Request
    from ffspec.spec.root import Spec

SEEDS = "seeds.json"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure over several seeds."""

    mean: float
    deviation: float | None
    """The standard deviation from seed to seed; None of a single one."""
    interval: tuple[float, float] | None
    """Where the mean over all seeds there are lies, with 95 % (Student 1908)."""


Estimates: TypeAlias = dict[str, Estimate]
"""The loss and the metrics of one split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """The networks of all seeds, and what they reach."""

    spec: Spec
    """The spec of the first seed."""
    resplit: bool
    """Whether the rows of the splits were drawn anew too."""
    seeds: tuple[int, ...]
    members: tuple[Trained, ...]
    """What became of each seed; one that diverged has an error, and is left out of the estimates."""
    before: dict[str, Estimates]
    """Loss and metrics before training: `before["test"]["loss"].mean`."""
    after: dict[str, Estimates]
    """The same after training."""
    baselines: tuple[Baseline, ...]
    """What simpler models reach: the mean over the splits, where there are several."""
    expectations: tuple[Expectation, ...]
    """The spec's checks, of the means."""
    findings: tuple[Diagnostic, ...] = ()
    directory: Path | None

    @property
    def diverged(self) -> tuple[int, ...]:
        """The seeds whose training diverged."""
        return tuple(seed for seed, one in zip(self.seeds, self.members, strict=True) if one.error is not None)

    @property
    def ok(self) -> bool:
        """Whether every expectation was met, and every training stayed finite."""
        return not self.diverged and all(expectation.met for expectation in self.expectations)


class Listener(Protocol):
    """Told what becomes of the seeds."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Rules have found something that does not stop the trainings."""

    def on_start(self, members: Sequence[Member], together: int, reason: str | None) -> None:
        """Training is about to begin: of so many at once, or of one after another, for a reason."""

    def on_member(self, done: int) -> None:
        """So many seeds are done."""


class Silent:
    """A listener that says nothing."""

    def on_findings(self, found: tuple[Diagnostic, ...], review: Review) -> None:
        """Say nothing."""

    def on_start(self, members: Sequence[Member], together: int, reason: str | None) -> None:
        """Say nothing."""

    def on_member(self, done: int) -> None:
        """Say nothing."""


def repeat(
    request: Request, review: Review, seeds: int, *, resplit: bool = False, listener: Listener | None = None
) -> Repeated:
    """Train a spec's network from several seeds, the first that of the spec.

    Args:
        request: What to run.
        review: Decides what becomes of findings.
        seeds: How many.
        resplit: Whether each seed draws the rows of the splits too, and generated rows themselves.
        listener: Told what happens.

    Raises:
        SpecError: The data or the spec cannot be used.
        DivergedError: The training of every seed diverged.
        StorageError: The run directory cannot be written.
    """
    listener = listener or Silent()
    loaded, _ = prepare(request, review)
    listener.on_findings(review.told, review)
    members = [*_members(request, loaded, seeds, resplit=resplit)]
    found = probed(members[0].spec, members[0].plan, members[0].loaded, review)
    review.stop(found)
    listener.on_findings(found, review)
    listener.on_start(members, *_way(members))
    together = None if request.out is None else rundir.create(request.out, request.name)
    try:
        _begin(together, request)
        made, kept = [], _Kept(together)
        for one in train_together(members):
            made.append(one)
            kept.add(one)
            listener.on_member(len(made))
        result = _estimated(made, review.told, together, resplit=resplit)
    finally:
        if together is not None:
            together.close()
    return result


def _way(members: Sequence[Member]) -> tuple[int, str | None]:
    """Return how many members are trained at once, and why one after another if they are."""
    (group, *others) = groups(members)
    reason = group.reason if not others else "their splits differ in size"
    at_once = 1 if reason else len(divided(members, group.indices)[0])
    if at_once == 1 and reason is None:
        reason = "as one network they would be no faster" if len(members) < LEAST else "one alone fills the cache"
    return at_once, reason


def _begin(together: RunDirectory | None, request: Request) -> None:
    """Write what is known before training."""
    if together is not None:
        together.write(rundir.SPEC, request.text)
        together.write_json(rundir.ENVIRONMENT, environment(request.spec))


@dataclass
class _Kept:
    """The directories of the seeds."""

    together: RunDirectory | None
    first: tuple[Plan, str] | None = None
    """The plan and the resolved spec of a seed; of others with this plan, only the seed differs."""

    def add(self, one: Trained) -> None:
        """Write what became of a seed into a directory of its own."""
        if self.together is None:
            return
        member, name = one.member, f"seed-{one.member.spec.seed}"
        if self.first is None or self.first[0] != member.plan:
            record = Record(RunDirectory(self.together.path / name), member.spec, member.plan, member.loaded)
            self.first = (member.plan, record.resolved)
        text = re.sub(r"^seed: \d+$", f"seed: {member.spec.seed}", self.first[1], count=1, flags=re.MULTILINE)
        self.together.put(name, files_of(one, text))


def of_seed(spec: Spec, seed: int) -> Spec:
    """Return the spec of another seed, whose rows and splits are those of the spec as it is."""
    dataset = spec.dataset
    source, split = dataset.source, dataset.split
    if isinstance(source, Generator) and source.random_state is None:
        source = source.model_copy(update={"random_state": derive(spec.seed, "data", bits=32)})
    given = isinstance(source, Table) and (source.split_column is not None or bool(source.files))
    options = Split.model_construct() if split is None and not given else split
    if isinstance(options, Split) and options.shuffle and options.seed is None:
        split = options.model_copy(update={"seed": spec.seed})
    kept = type(dataset).model_validate({**dict(dataset), "source": source, "split": split})
    return spec.model_copy(update={"seed": seed, "dataset": kept})


def _members(request: Request, loaded: Loaded, seeds: int, *, resplit: bool) -> Iterator[Member]:
    """Yield the member of each seed: with rows of its own, or with those of the spec."""
    spec = request.spec
    for seed in range(spec.seed, spec.seed + seeds):
        if resplit:
            own = spec.model_copy(update={"seed": seed})
            yield member_of(own, load_spec(own, request.arrays, allow_outside=request.allow_outside))
        else:
            yield member_of(of_seed(spec, seed), loaded)


def estimate(values: Sequence[float]) -> Estimate:
    """Return mean, standard deviation and the 95 % interval of the mean."""
    if len(values) < 2:
        return Estimate(values[0], None, None)
    from scipy.special import stdtrit

    centre, deviation = mean(values), stdev(values)
    reach = float(stdtrit(len(values) - 1, 0.975)) * deviation / sqrt(len(values))
    return Estimate(centre, deviation, (centre - reach, centre + reach))


def _estimates(found: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Estimates]:
    """Return the estimate of each measure, over the seeds in which it is defined."""
    made: dict[str, Estimates] = {}
    for split in found[0]:
        names = dict.fromkeys(name for one in found for name in one[split])
        made[split] = {name: estimate([one[split][name] for one in found if name in one[split]]) for name in names}
    return made


def _means(found: Mapping[str, Estimates]) -> dict[str, dict[str, float]]:
    return {split: {name: one.mean for name, one in measures.items()} for split, measures in found.items()}


def _estimated(
    made: Sequence[Trained], findings: tuple[Diagnostic, ...], together: RunDirectory | None, *, resplit: bool
) -> Repeated:
    whole = [one for one in made if one.error is None]
    if not whole:
        raise DivergedError(f"the training of every seed diverged; of the first, {made[0].error}")
    spec = made[0].member.spec
    before, after = _estimates([one.before for one in whole]), _estimates([one.after for one in whole])
    result = Repeated(
        spec=spec,
        resplit=resplit,
        seeds=tuple(one.member.spec.seed for one in made),
        members=tuple(made),
        before=before,
        after=after,
        baselines=_baselines(made),
        expectations=tuple(expectations(spec.checks, _means(before), _means(after))),
        findings=findings,
        directory=None if together is None else together.path,
    )
    if together is not None:
        together.flush()
        together.write_json(SEEDS, as_plain(result))
    return result


def _baselines(made: Sequence[Trained]) -> tuple[Baseline, ...]:
    """Fit what the networks must beat, once for each division of the rows."""
    members = list({id(one.member.loaded): one.member for one in made}.values())
    split = next(name for name in ("test", "validation", "train") if name in members[0].loaded.splits)
    metrics = chosen_metrics(members[0].spec, members[0].plan)
    with untouched():
        fitted = [fit_baselines(member.loaded, metrics, split) for member in members]
    means = []
    for item, *others in zip(*fitted, strict=True):
        names = [name for name in item.measures if all(name in other.measures for other in others)]
        measures = {name: mean([item.measures[name], *(other.measures[name] for other in others)]) for name in names}
        means.append(replace(item, measures=measures))
    return tuple(means)


def as_plain(found: Repeated) -> dict[str, Any]:
    """Return what the seeds reach, as JSON can say it."""
    sides = {"before": found.before, "after": found.after}
    each: list[dict[str, Any]] = [
        {"seed": seed, "before": one.before, "after": one.after, **({"error": str(one.error)} if one.error else {})}
        for seed, one in zip(found.seeds, found.members, strict=True)
    ]
    return {
        "seeds": list(found.seeds),
        "resplit": found.resplit,
        **{
            side: {split: {name: asdict(one) for name, one in measures.items()} for split, measures in figures.items()}
            for side, figures in sides.items()
        },
        "each": each,
        "diverged": list(found.diverged),
        "baselines": [asdict(item) for item in found.baselines],
        "expectations": [asdict(item) for item in found.expectations],
        "ok": found.ok,
    }
