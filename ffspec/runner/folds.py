"""Cross-validation: every row is predicted once, by a network that has not seen it (Stone 1974).

Each fold is what the run of a spec would be that says which fold it is; here they are put together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from ffspec import rundir
from ffspec.diagnostics import DivergedError
from ffspec.runner.bootstrap import intervals
from ffspec.runner.diverging import with_cause
from ffspec.runner.expectations import expectations
from ffspec.runner.hindsight import result_of
from ffspec.runner.metrics import Reading, measure_reading
from ffspec.runner.record import as_bytes, checks_of
from ffspec.runner.setup import chosen_metrics
from ffspec.runner.several import begun
from ffspec.runner.shelf import fold_of, name_of
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ffspec.diagnostics import Diagnostic
    from ffspec.runner.baselines import Baseline
    from ffspec.runner.bootstrap import Interval
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.expectations import Expectation
    from ffspec.runner.population import Trained
    from ffspec.runner.result import Result
    from ffspec.runner.several import Errand
    from ffspec.spec.root import Spec

FOLDS = "folds.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """The networks of all folds, and what they reach together."""

    spec: Spec = field(repr=False)
    """The spec as it was, without folds."""
    results: tuple[Result, ...] = field(repr=False)
    """What the run of each fold would leave."""
    before: dict[str, Measures]
    """Loss and metrics before training: the mean over the folds, weighted by their rows."""
    after: dict[str, Measures]
    """The same after training; those of the test split are of all rows, each predicted by the fold that tests on it."""
    intervals: dict[str, Interval]
    """The 95 % interval of each metric of the rows tested on: how far it depends on which rows these are."""
    spread: dict[str, Measures]
    """The standard deviation of each measure from fold to fold."""
    baselines: tuple[Baseline, ...] = field(repr=False)
    """What simpler models reach on the rows tested on: the mean over the folds."""
    expectations: tuple[Expectation, ...]
    """The spec's checks, of the measures in `after`."""
    findings: tuple[Diagnostic, ...] = field(default=(), repr=False)
    """What the rules found, each thing once."""
    directory: Path | None

    @property
    def ok(self) -> bool:
        """Whether every expectation was met."""
        return all(expectation.met for expectation in self.expectations)


def cross_validate(errand: Errand) -> CrossValidation:
    """Train a network for each fold.

    Raises:
        SpecError: The data or the spec cannot be used, or cannot be divided so.
        DivergedError: A loss or an output of a fold was not finite.
        StorageError: The run directory cannot be written, or not be gone on with.
        InterruptedRunError: A signal has come.
    """
    with begun(errand) as several:
        results, shown = [], []
        for one in several.train():
            if one.error is not None:
                several.keep(one)
                raise _diverged(one)
            folder = None if several.directory is None else several.directory / name_of(one.member, seeds=False)
            result, found = result_of(one, errand.opened, folder)
            several.keep(one, {rundir.CHECKS: as_bytes(checks_of(result))})
            results.append(replace(result, findings=(*several.review.told, *result.findings)))
            shown.append(found)
        several.told_of(shown)
        made = replace(
            _together(errand.request.spec, results), findings=several.review.told, directory=several.directory
        )
        several.end(FOLDS, as_plain(made), ok=made.ok)
    return made


def _diverged(one: Trained) -> DivergedError:
    """Say which fold diverged, and where."""
    member = one.member
    error = DivergedError(f"fold {fold_of(member)}: {one.error}")
    return with_cause(error, member.spec, member.plan, member.loaded)


def as_plain(found: CrossValidation) -> dict[str, Any]:
    """Return what the folds reach together, as JSON can say it."""
    return {
        "folds": len(found.results),
        "before": found.before,
        "after": found.after,
        "intervals": found.intervals,
        "spread": found.spread,
        "each": [one.after for one in found.results],
        "baselines": [asdict(item) for item in found.baselines],
        "expectations": [asdict(item) for item in found.expectations],
        "ok": found.ok,
    }


def _together(spec: Spec, results: Sequence[Result]) -> CrossValidation:
    before = _over_folds([one.before for one in results], results, _weighted)
    after = _over_folds([one.after for one in results], results, _weighted)
    reading, metrics = _pooled(results), chosen_metrics(results[0].spec, results[0].plan)
    after["test"] |= measure_reading(reading, metrics)
    return CrossValidation(
        spec=spec,
        results=tuple(results),
        before=before,
        after=after,
        intervals=intervals(reading, metrics, None, after["test"], derive(spec.seed, "bootstrap")),
        spread=_over_folds([one.after for one in results], results, _deviation),
        baselines=_baselines(results),
        expectations=tuple(expectations(spec.checks, before, after)),
        directory=None,
    )


def _over_folds(
    found: Sequence[dict[str, Measures]],
    results: Sequence[Result],
    combine: Callable[[list[float], list[int]], float],
) -> dict[str, Measures]:
    """Combine each measure that every fold has."""
    made = {}
    for split in found[0]:
        rows = [len(one.data.splits[split]) for one in results]
        names = [name for name in found[0][split] if all(name in one[split] for one in found)]
        made[split] = {name: combine([one[split][name] for one in found], rows) for name in names}
    return made


def _weighted(values: list[float], rows: list[int]) -> float:
    return sum(value * count for value, count in zip(values, rows, strict=True)) / sum(rows)


def _deviation(values: list[float], rows: list[int]) -> float:
    del rows
    return stdev(values)


def _pooled(results: Sequence[Result]) -> Reading:
    """Return all rows tested on, taken together."""
    readings = [one.judgement.reading for one in results]
    fields = ("truth", "output", "prediction", "score", "probability", "weight")
    known = {name: [getattr(one, name) for one in readings] for name in fields}
    arrays = {name: np.concatenate(parts) for name, parts in known.items() if all(part is not None for part in parts)}
    return Reading(classes=readings[0].classes, **arrays)


def _baselines(results: Sequence[Result]) -> tuple[Baseline, ...]:
    """Return the mean over the folds of each simple model that could be fitted in all of them."""
    made = []
    for first in results[0].baselines:
        items = [item for one in results for item in one.baselines if item.name == first.name]
        names = [name for name in first.measures if all(name in item.measures for item in items)]
        if len(items) == len(results):
            measures = {name: mean(item.measures[name] for item in items) for name in names}
            made.append(replace(first, measures=measures))
    return tuple(made)
