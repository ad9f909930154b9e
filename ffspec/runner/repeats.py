"""The same network trained from several seeds: how far what it reaches depends on chance.

The first weights and the order of the rows are drawn anew for each; the rows of each split only if that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
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
from ffspec.runner.folds import of_fold
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
    from ffspec.runner.evaluation import Measures
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
    folds: int | None = None
    """Of how many parts of the rows each is tested on in turn; None: each seed has one network."""
    members: tuple[Trained, ...]
    """What became of each seed, with folds of each fold of each. One that diverged has an error, and its seed is left
    out of the estimates."""
    before: dict[str, Estimates]
    """Loss and metrics before training: `before["test"]["loss"].mean`."""
    after: dict[str, Estimates]
    """The same after training."""
    baselines: tuple[Baseline, ...]
    """What simpler models reach: the mean over the divisions of the rows, where there are several."""
    expectations: tuple[Expectation, ...]
    """The spec's checks, of the means."""
    findings: tuple[Diagnostic, ...] = ()
    directory: Path | None

    @property
    def diverged(self) -> tuple[int, ...]:
        """The seeds whose training diverged."""
        return tuple(seed for seed in self.seeds if any(one.error is not None for one in self.of(seed)))

    def of(self, seed: int) -> tuple[Trained, ...]:
        """Return what became of a seed: one network, or that of each fold."""
        return tuple(one for one in self.members if one.member.spec.seed == seed)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """What is trained again and again."""

    seeds: int
    folds: int | None = None
    """With each seed, how many parts of the rows are tested on in turn; None: the split as it is."""
    resplit: bool = False
    """Whether each seed draws the rows of the splits too, and generated rows themselves."""


def repeat(request: Request, review: Review, how: Repetition, listener: Listener | None = None) -> Repeated:
    """Train a spec's network from several seeds, the first that of the spec.

    Args:
        request: What to run.
        review: Decides what becomes of findings.
        how: How often, and on which rows.
        listener: Told what happens.

    Raises:
        SpecError: The data or the spec cannot be used.
        DivergedError: The training of every seed diverged.
        StorageError: The run directory cannot be written.
    """
    listener = listener or Silent()
    first = request.spec if how.folds is None else of_fold(request.spec, how.folds, 1)
    loaded, _ = prepare(replace(request, spec=first), review)
    listener.on_findings(review.told, review)
    members = [*_members(request, loaded, how)]
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
        return _estimated(made, review.told, together, how)
    finally:
        if together is not None:
            together.close()


def _way(members: Sequence[Member]) -> tuple[int, str | None]:
    """Return how many members are trained at once, at most, and why one after another if they are."""
    found = groups(members)
    chunks = [chunk for group in found if group.reason is None for chunk in divided(members, group.indices)]
    at_once = max((len(chunk) for chunk in chunks), default=1)
    if at_once > 1:
        return at_once, None
    if len(found) > 1:
        return 1, "their splits differ in size"
    if found[0].reason is not None:
        return 1, found[0].reason
    return 1, "as one network they would be no faster" if len(members) < LEAST else "one alone fills the cache"


def _begin(together: RunDirectory | None, request: Request) -> None:
    """Write what is known before training."""
    if together is not None:
        together.write(rundir.SPEC, request.text)
        together.write_json(rundir.ENVIRONMENT, environment(request.spec))


@dataclass
class _Kept:
    """The directories of the seeds."""

    together: RunDirectory | None
    known: dict[int | None, tuple[Plan, str]] = field(default_factory=dict)
    """By the fold, the plan and the resolved spec of a seed; of others with this plan, only the seed differs."""

    def add(self, one: Trained) -> None:
        """Write what became of a seed into a directory of its own."""
        if self.together is None:
            return
        member, fold = one.member, _fold_of(one.member)
        name = f"seed-{member.spec.seed}" + ("" if fold is None else f"-fold-{fold}")
        known = self.known.get(fold)
        if known is None or known[0] != member.plan:
            record = Record(RunDirectory(self.together.path / name), member.spec, member.plan, member.loaded)
            known = self.known[fold] = (member.plan, record.resolved)
        text = re.sub(r"^seed: \d+$", f"seed: {member.spec.seed}", known[1], count=1, flags=re.MULTILINE)
        self.together.put(name, files_of(one, text))


def _fold_of(member: Member) -> int | None:
    """Return which part of the rows a member is tested on, if they are divided into folds."""
    split = member.spec.dataset.split
    return (split.fold or 1) if isinstance(split, Split) and split.folds is not None else None


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


def _members(request: Request, loaded: Loaded, how: Repetition) -> Iterator[Member]:
    """Yield the member of each seed, or of each fold of it: with rows of its own, or with those of the spec's seed."""
    spec, known = request.spec, {1: loaded}
    for seed in range(spec.seed, spec.seed + how.seeds):
        own = spec.model_copy(update={"seed": seed}) if how.resplit else of_seed(spec, seed)
        for fold in range(1, (how.folds or 1) + 1):
            one = own if how.folds is None else of_fold(own, how.folds, fold)
            if fold not in known or (how.resplit and seed != spec.seed):
                known[fold] = load_spec(one, request.arrays, allow_outside=request.allow_outside)
            yield member_of(one, known[fold])


def estimate(values: Sequence[float]) -> Estimate:
    """Return mean, standard deviation and the 95 % interval of the mean."""
    if len(values) < 2:
        return Estimate(values[0], None, None)
    from scipy.special import stdtrit

    centre, deviation = mean(values), stdev(values)
    reach = float(stdtrit(len(values) - 1, 0.975)) * deviation / sqrt(len(values))
    return Estimate(centre, deviation, (centre - reach, centre + reach))


def _over_folds(parts: Sequence[Trained], side: str) -> dict[str, Measures]:
    """Return what a seed reaches: of several folds the mean, weighted by their rows."""
    found: list[dict[str, Measures]] = [getattr(one, side) for one in parts]
    made: dict[str, Measures] = {}
    for split in found[0]:
        rows = [len(one.member.loaded.splits[split]) for one in parts]
        names = [name for name in found[0][split] if all(name in one[split] for one in found)]
        made[split] = {
            name: float(sum(one[split][name] * count for one, count in zip(found, rows, strict=True)) / sum(rows))
            for name in names
        }
    return made if len(parts) > 1 else found[0]


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
    made: Sequence[Trained], findings: tuple[Diagnostic, ...], together: RunDirectory | None, how: Repetition
) -> Repeated:
    spec = made[0].member.spec
    seeds = tuple(dict.fromkeys(one.member.spec.seed for one in made))
    parts = [[one for one in made if one.member.spec.seed == seed] for seed in seeds]
    whole = [one for one in parts if all(part.error is None for part in one)]
    if not whole:
        error = next(one.error for one in parts[0] if one.error is not None)
        raise DivergedError(f"the training of every seed diverged; of the first, {error}")
    before, after = (_estimates([_over_folds(one, side) for one in whole]) for side in ("before", "after"))
    result = Repeated(
        spec=spec,
        resplit=how.resplit,
        seeds=seeds,
        folds=how.folds,
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
        {"seed": one.member.spec.seed, **({} if found.folds is None else {"fold": _fold_of(one.member)}),
         "before": one.before, "after": one.after, **({"error": str(one.error)} if one.error else {})}
        for one in found.members
    ]  # fmt: skip
    return {
        "seeds": list(found.seeds),
        **({} if found.folds is None else {"folds": found.folds}),
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
