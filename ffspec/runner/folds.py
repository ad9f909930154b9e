"""Cross-validation: every row is predicted once, by a network that has not seen it (Stone 1974).

Each fold is a run of its own, of a spec that says which fold it is; here they are made and put together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from ffspec import rundir
from ffspec.diagnostics import Diagnostic, SpecError
from ffspec.review import Review
from ffspec.runner.bootstrap import intervals
from ffspec.runner.expectations import expectations
from ffspec.runner.metrics import Reading, measure_reading
from ffspec.runner.run import Silent, execute
from ffspec.runner.setup import chosen_metrics
from ffspec.seeds import derive
from ffspec.spec.dataset import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ffspec.document import Document
    from ffspec.runner.baselines import Baseline
    from ffspec.runner.bootstrap import Interval
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.expectations import Expectation
    from ffspec.runner.result import Result
    from ffspec.runner.run import Observer, Request
    from ffspec.spec.root import Spec

FOLDS = "folds.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """The networks of all folds, and what they reach together."""

    spec: Spec
    """The spec as it was, without folds."""
    results: tuple[Result, ...]
    """The run of each fold."""
    before: dict[str, Measures]
    """Loss and metrics before training: the mean over the folds, weighted by their rows."""
    after: dict[str, Measures]
    """The same after training; those of the test split are of all rows, each predicted by the fold that tests on it."""
    intervals: dict[str, Interval]
    """The 95 % interval of each metric of the rows tested on: how far it depends on which rows these are."""
    spread: dict[str, Measures]
    """The standard deviation of each measure from fold to fold."""
    baselines: tuple[Baseline, ...]
    """What simpler models reach on the rows tested on: the mean over the folds."""
    expectations: tuple[Expectation, ...]
    """The spec's checks, of the measures in `after`."""
    directory: Path | None

    @property
    def ok(self) -> bool:
        """Whether every expectation was met."""
        return all(expectation.met for expectation in self.expectations)


def cross_validate(
    request: Request, opened: Document, folds: int, observer: Callable[[int], Observer] | None = None
) -> CrossValidation:
    """Train a network for each fold.

    Args:
        request: What to run.
        opened: The document of the spec, in which findings are shown.
        folds: The number of folds.
        observer: Makes what is told of each fold, by its number from 1.

    Raises:
        SpecError: The data or the spec cannot be used, or cannot be divided so.
        DivergedError: A loss or an output of a fold was not finite.
        StorageError: A run directory cannot be written.
    """
    specs = [of_fold(request.spec, folds, fold) for fold in range(1, folds + 1)]
    together = None if request.out is None else rundir.create(request.out, request.name)
    try:
        made = []
        for fold, spec in enumerate(specs, start=1):
            out = None if together is None else together.path
            one = replace(request, spec=spec, out=out, name=f"fold-{fold}")
            made.append(execute(one, Review(opened, spec.allowed), observer(fold) if observer else Silent()))
        found = _together(request.spec, made, None if together is None else together.path)
        if together is not None:
            together.write(rundir.SPEC, request.text)
            together.write_json(FOLDS, as_plain(found))
    finally:
        if together is not None:
            together.close()
    return found


def of_fold(spec: Spec, folds: int, fold: int) -> Spec:
    """Return the spec of one fold: its share of rows to validate on is of the rows the fold leaves.

    Raises:
        SpecError: FF035, the source says itself which rows are tested on, or its rows are streamed.
    """
    split = spec.dataset.split if isinstance(spec.dataset.split, Split) else Split.model_construct()
    divided = split.model_copy(update={"train": None, "test": None, "folds": folds, "fold": fold})
    dataset = spec.dataset.model_copy(update={"split": divided})
    try:
        checked = type(spec.dataset).model_validate(dict(dataset))
    except ValidationError as error:
        message = f"the rows must be divided into folds, but {error.errors()[0]['loc'][-1]} {error.errors()[0]['msg']}"
        raise SpecError((Diagnostic(code="FF035", message=message, path=("dataset",)),)) from None
    return spec.model_copy(update={"dataset": checked})


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


def _together(spec: Spec, results: Sequence[Result], directory: Path | None) -> CrossValidation:
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
        directory=directory,
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
