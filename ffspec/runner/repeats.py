"""The same network trained from several seeds: how far what it reaches depends on chance.

The first weights and the order of the rows are drawn anew for each; the rows of each split only if that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import sqrt
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, TypeAlias

from ffspec.builder.streams import untouched
from ffspec.diagnostics import DivergedError
from ffspec.runner.baselines import fit_baselines
from ffspec.runner.expectations import expectations
from ffspec.runner.hindsight import seen
from ffspec.runner.setup import chosen_metrics
from ffspec.runner.several import begun
from ffspec.runner.shelf import fold_of

if TYPE_CHECKING:
    from pathlib import Path

    from ffspec.diagnostics import Diagnostic
    from ffspec.runner.baselines import Baseline
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.expectations import Expectation
    from ffspec.runner.population import Trained
    from ffspec.runner.several import Errand, Several
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

    spec: Spec = field(repr=False)
    """The spec of the first seed."""
    resplit: bool
    """Whether the rows of the splits were drawn anew too."""
    seeds: tuple[int, ...]
    folds: int | None = None
    """Of how many parts of the rows each is tested on in turn; None: each seed has one network."""
    members: tuple[Trained, ...] = field(repr=False)
    """What became of each seed, with folds of each fold of each. One that diverged has an error, and its seed is left
    out of the estimates."""
    before: dict[str, Estimates]
    """Loss and metrics before training: `before["test"]["loss"].mean`."""
    after: dict[str, Estimates]
    """The same after training."""
    baselines: tuple[Baseline, ...] = field(repr=False)
    """What simpler models reach: the mean over the divisions of the rows, where there are several."""
    expectations: tuple[Expectation, ...]
    """The spec's checks, of the means."""
    findings: tuple[Diagnostic, ...] = field(default=(), repr=False)
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


def repeat(errand: Errand) -> Repeated:
    """Train a spec's network from several seeds, the first that of the spec.

    Raises:
        SpecError: The data or the spec cannot be used.
        DivergedError: The training of every seed diverged.
        StorageError: The run directory cannot be written, or not be gone on with.
        InterruptedRunError: A signal has come.
    """
    with begun(errand) as several:
        made = []
        for one in several.train():
            made.append(one)
            several.keep(one)
        return _estimated(made, several)


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


def _estimated(made: Sequence[Trained], several: Several) -> Repeated:
    how = several.errand.how
    spec = made[0].member.spec
    seeds = tuple(dict.fromkeys(one.member.spec.seed for one in made))
    parts = [[one for one in made if one.member.spec.seed == seed] for seed in seeds]
    whole = [one for one in parts if all(part.error is None for part in one)]
    if not whole:
        error = next(one.error for one in parts[0] if one.error is not None)
        raise DivergedError(f"the training of every seed diverged; of the first, {error}")
    before, after = (_estimates([_over_folds(one, side) for one in whole]) for side in ("before", "after"))
    baselines = _baselines(made)
    several.told_of([seen(one, *baselines[id(one.member.loaded)]) for one in made if one.error is None])
    result = Repeated(
        spec=spec,
        resplit=how.resplit,
        seeds=seeds,
        folds=how.folds,
        members=tuple(made),
        before=before,
        after=after,
        baselines=_means_of([fitted for _, fitted in baselines.values()]),
        expectations=tuple(expectations(spec.checks, _means(before), _means(after))),
        findings=several.review.told,
        directory=several.directory,
    )
    several.end(SEEDS, as_plain(result), ok=result.ok)
    return result


def _baselines(made: Sequence[Trained]) -> dict[int, tuple[str, tuple[Baseline, ...]]]:
    """Fit what the networks must beat, once for each division of the rows; say on which split it is measured."""
    members = {id(one.member.loaded): one.member for one in made}
    loaded = made[0].member.loaded
    split = next(name for name in ("test", "validation", "train") if name in loaded.splits)
    metrics = chosen_metrics(made[0].member.spec, made[0].member.plan)
    with untouched():
        return {key: (split, fit_baselines(one.loaded, metrics, split)) for key, one in members.items()}


def _means_of(fitted: Sequence[tuple[Baseline, ...]]) -> tuple[Baseline, ...]:
    """Return the mean of each simple model over the divisions of the rows."""
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
        {"seed": one.member.spec.seed, **({} if found.folds is None else {"fold": fold_of(one.member)}),
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
