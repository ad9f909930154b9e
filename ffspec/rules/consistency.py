"""What the parts of a spec must say about each other, beside the shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import Diagnostic, Path
from ffspec.spec.facts import SPLITS
from ffspec.spec.metrics import METRICS, find_metric
from ffspec.suggest import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ffspec.spec.facts import Facts
    from ffspec.spec.kinds import Scheduler


def inconsistencies(parts: Mapping[str, Any], facts: Facts) -> Iterator[Diagnostic]:
    """Yield what does not fit together: measures of splits or metrics that do not exist, metrics of the other task.

    Args:
        parts: The valid top-level values of a spec by key.
        facts: What is known of its data.
    """
    checks, training, scheduler = parts.get("checks"), parts.get("training"), parts.get("scheduler")
    for index, name in enumerate(parts.get("metrics") or ()):
        yield from _metric_problems(name, facts, ("metrics", index))
    if checks is not None:
        for index, name in enumerate(checks.improving):
            path: Path = ("checks", "improves") if isinstance(checks.improves, str) else ("checks", "improves", index)
            yield from _measure_problems(name, facts, path)
        for name in checks.bounds:
            yield from _measure_problems(name, facts, ("checks", name), at_key=True)
    if training is not None and training.early_stopping is not None:
        yield from _monitor_problems(training.early_stopping.monitor, facts, ("training", "early_stopping"))
    if scheduler is not None:
        yield from _schedule_problems(scheduler, facts, ("scheduler",))


def _schedule_problems(scheduler: Scheduler, facts: Facts, path: Path) -> Iterator[Diagnostic]:
    """Check what a schedule watches, or the one behind a warm-up."""
    here = (*path, scheduler.name)
    monitor, then = getattr(scheduler, "monitor", None), getattr(scheduler, "then", None)
    if monitor is not None:
        yield from _monitor_problems(monitor, facts, here)
    if then is not None:
        yield from _schedule_problems(then, facts, (*here, "then"))


def _monitor_problems(measure: str, facts: Facts, path: Path) -> Iterator[Diagnostic]:
    split = measure.partition(".")[0]
    if split == "test":
        yield Diagnostic(
            code="FF026",
            message=f"training must not watch the test split, found '{measure}'",
            path=(*path, "monitor"),
            hint="watch validation.loss: what chose the weights cannot judge them",
        )
    elif split == "validation" and facts.rows and "validation" not in facts.rows:
        yield Diagnostic(
            code="FF026",
            message=f"'{measure}' needs a validation split, and the dataset has none",
            path=(*path, "monitor"),
            hint="write split: {validation: 0.1, test: 0.2} under dataset",
        )
    else:
        yield from _measure_problems(measure, facts, (*path, "monitor"))


def _measure_problems(measure: str, facts: Facts, path: Path, *, at_key: bool = False) -> Iterator[Diagnostic]:
    """Check a measure: a split, a dot, and the loss or a metric."""
    split, _, name = measure.partition(".")
    names = ("loss", *(metric.name for metric in METRICS))
    splits = tuple(facts.rows) or SPLITS
    if split not in splits or name not in names:
        message = f"must be a split and a measure, such as test.loss, found '{measure}'"
        if split in SPLITS and split not in splits:
            message = f"the dataset has no {split} split to measure"
        near = _near(split, name, splits, facts)
        hint = f"did you mean '{near}'?" if near else f"the splits are {', '.join(splits)}"
        yield Diagnostic(code="FF025", message=message, path=path, at_key=at_key, hint=hint)
    else:
        yield from _metric_problems(name, facts, path, at_key=at_key)


def _near(split: str, name: str, splits: Sequence[str], facts: Facts) -> str | None:
    """Return the measure that was probably meant: one that fits the target and begins so, or is near."""
    fitting = ["loss", *(metric.name for metric in METRICS if facts.target in {None, metric.target})]
    if not name and split in fitting:
        return f"{splits[-1]}.{split}"
    place = split if split in splits else suggest(split, splits)
    begun = [one for one in fitting if name and one.startswith(name)]
    meant = begun[0] if begun else suggest(name, fitting)
    return f"{place}.{meant}" if place and meant else None


def _metric_problems(name: str, facts: Facts, path: Path, *, at_key: bool = False) -> Iterator[Diagnostic]:
    metric = find_metric(name)
    if metric is None or facts.target is None or metric.target == facts.target:
        return
    kinds = {"classes": "classes", "values": "numbers"}
    fitting = ", ".join(one.name for one in METRICS if one.target == facts.target)
    yield Diagnostic(
        code="FF027",
        message=f"{name} measures {kinds[metric.target]}, but the target is {kinds[facts.target]}",
        path=path,
        at_key=at_key,
        hint=f"metrics of {kinds[facts.target]}: {fitting}",
    )
