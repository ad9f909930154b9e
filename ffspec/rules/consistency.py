"""What the parts of a spec must say about each other, beside the shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Diagnostic, Edit, Path
from ffspec.rules.rule import StaticRule
from ffspec.spec.facts import SPLITS
from ffspec.spec.metrics import METRICS, find_metric
from ffspec.suggest import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ffspec.planner import Draft
    from ffspec.spec.facts import Facts

KINDS = {"classes": "classes", "values": "numbers"}


@final
class Measures(StaticRule):
    """FF025: what is checked or watched must be measured."""

    about: ClassVar[Code] = Code(
        code="FF025",
        title="not a measure",
        reason="A measure is a split of the dataset, a dot, and the loss or a metric: test.loss, validation.accuracy. "
        "A check of something that is never measured would always pass, or always fail.",
        wrong="checks: {improves: test.acuracy}\n",
        right="checks: {improves: test.accuracy}\n",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at every measure the spec names."""
        watched = (named for named in _watched(draft.parts) if not _forbidden(named[0], draft.facts))
        for measure, path, at_key in (*_checked(draft.parts), *watched):
            yield from self._judge(measure, draft.facts, path, at_key=at_key)
        checks = draft.parts.get("checks")
        for measure, bound in () if checks is None else checks.bounds.items():
            metric = find_metric(measure.partition(".")[2])
            if metric is not None and metric.maximize and bound.min is not None and bound.min > 1:
                message = f"{metric.name} is at most 1, found a min of {bound.min:g}: this check cannot hold"
                hint = f"write {bound.min / 100:g}" if bound.min <= 100 else None
                yield self.report(message, ("checks", measure, "min"), hint=hint)

    def _judge(self, measure: str, facts: Facts, path: Path, *, at_key: bool) -> Iterator[Diagnostic]:
        split, _, name = measure.partition(".")
        splits = tuple(facts.rows) or SPLITS
        if split in splits and name in {"loss", *(metric.name for metric in METRICS)}:
            return
        message = f"must be a split and a measure, such as test.loss, found '{measure}'"
        if split in SPLITS and split not in splits:
            message = f"the dataset has no {split} split to measure"
        near = _near(split, name, splits, facts)
        hint = f"did you mean '{near}'?" if near else f"the splits are {', '.join(splits)}"
        edit = None if near is None else Edit(action="rename", path=path, value=near, safe=False)
        yield self.report(message, path, hint=hint, at_key=at_key, edit=edit)


@final
class Watching(StaticRule):
    """FF026: training must not watch the test split."""

    about: ClassVar[Code] = Code(
        code="FF026",
        title="training watches what it must not, or what is not there",
        reason="Early stopping and schedules choose weights by what they watch. Chosen by the test split, the weights "
        "fit it, and its figures are no longer a judgement; so there must be a validation split for that.",
        wrong="training: {early_stopping: {monitor: test.loss}}\n",
        right="dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}\n"
        "training: {early_stopping: {monitor: validation.loss}}\n",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at what early stopping and the schedule watch."""
        for measure, path, _ in _watched(draft.parts):
            forbidden = _forbidden(measure, draft.facts)
            if forbidden == "test":
                near = f"validation.{measure.partition('.')[2]}"
                safe = "validation" in draft.facts.rows
                yield self.report(
                    f"training must not watch the test split, found '{measure}'",
                    path,
                    hint="watch validation.loss: what chose the weights cannot judge them",
                    edit=Edit(action="replace", path=path, value=near, safe=safe),
                )
            elif forbidden == "validation":
                yield self.report(
                    f"'{measure}' needs a validation split, and the dataset has none",
                    path,
                    hint="write split: {validation: 0.1, test: 0.2} under dataset",
                )


@final
class MetricOfTheOtherTask(StaticRule):
    """FF027: metrics of classes measure classes."""

    about: ClassVar[Code] = Code(
        code="FF027",
        title="the metric does not fit the target",
        reason="Accuracy counts right classes, and r2 explains variance: one has no meaning for numbers, the other "
        "none for classes.",
        wrong="metrics: [r2]\n",
        right="metrics: [accuracy, log_loss]\n",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at every metric, by itself or in a measure."""
        named: list[Named] = [
            (name, ("metrics", index), False) for index, name in enumerate(draft.parts.get("metrics") or ())
        ]
        for measure, path, at_key in (*_checked(draft.parts), *_watched(draft.parts)):
            if measure.partition(".")[0] in (draft.facts.rows or SPLITS):
                named.append((measure.partition(".")[2], path, at_key))
        for name, path, at_key in named:
            metric, target = find_metric(name), draft.facts.target
            if metric is None or target is None or metric.target == target:
                continue
            fitting = ", ".join(one.name for one in METRICS if one.target == target)
            message = f"{name} measures {KINDS[metric.target]}, but the target is {KINDS[target]}"
            yield self.report(message, path, at_key=at_key, hint=f"metrics of {KINDS[target]}: {fitting}")


Named = tuple[str, Path, bool]
"""A measure, where it stands, and whether as a key."""


def _checked(parts: Mapping[str, Any]) -> Iterator[Named]:
    """Yield the measures of the checks."""
    checks = parts.get("checks")
    if checks is None:
        return
    for index, name in enumerate(checks.improving):
        yield name, ("checks", "improves") if isinstance(checks.improves, str) else ("checks", "improves", index), False
    for name in checks.bounds:
        yield name, ("checks", name), True


def _watched(parts: Mapping[str, Any]) -> Iterator[Named]:
    """Yield what early stopping and the schedule, or the one behind a warm-up, watch."""
    training, scheduler = parts.get("training"), parts.get("scheduler")
    if training is not None and training.early_stopping is not None:
        yield training.early_stopping.monitor, ("training", "early_stopping", "monitor"), False
    path: Path = ("scheduler",)
    while scheduler is not None:
        path = (*path, scheduler.name)
        if getattr(scheduler, "monitor", None) is not None:
            yield scheduler.monitor, (*path, "monitor"), False
        scheduler, path = getattr(scheduler, "then", None), (*path, "then")


def _forbidden(measure: str, facts: Facts) -> str | None:
    """Return the split of a measure that training cannot watch, because it must not or because it is not there."""
    split = measure.partition(".")[0]
    if split == "test":
        return "test"
    return "validation" if split == "validation" and facts.rows and "validation" not in facts.rows else None


def _near(split: str, name: str, splits: Sequence[str], facts: Facts) -> str | None:
    """Return the measure that was probably meant: one that fits the target and begins so, or is near."""
    fitting = ["loss", *(metric.name for metric in METRICS if facts.target in {None, metric.target})]
    if not name and split in fitting:
        return f"{splits[-1]}.{split}"
    place = split if split in splits else suggest(split, splits)
    begun = [one for one in fitting if name and one.startswith(name)]
    meant = begun[0] if begun else suggest(name, fitting)
    if place and meant:
        return f"{place}.{meant}"
    whole = f"{split}.{name}" if name else split
    return suggest(whole, [f"{one}.{measure}" for one in splits for measure in fitting])
