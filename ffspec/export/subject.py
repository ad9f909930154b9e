"""What a script is written from: the spec, its plan, and what only the rows can tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from ffspec import planner
from ffspec.data.arrays import read_inline
from ffspec.data.dividing import divide
from ffspec.data.generated import generate
from ffspec.data.loaded import Floats, Ints, Raw
from ffspec.data.loading import load_spec, read_table
from ffspec.data.packaged import Packaged, read_packaged
from ffspec.data.preparation import Preparation, narrowed
from ffspec.data.targets import Target, settle
from ffspec.spec.dataset import Split
from ffspec.spec.generators import Generator
from ffspec.spec.metrics import DEFAULTS, find_metric
from ffspec.spec.tables import Inline, Table

if TYPE_CHECKING:
    from ffspec.planner import Plan
    from ffspec.spec.metrics import Metric
    from ffspec.spec.root import Spec


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A spec, planned to the last width, and its rows."""

    spec: Spec
    plan: Plan
    raw: Raw
    """All rows, before split and preparation."""
    target: Target
    rows: dict[str, Ints]
    """The rows of each split."""
    stratified: bool
    """Whether each split has its share of every class, and this makes a difference."""
    preparation: Preparation

    @property
    def classes(self) -> int | None:
        """The number of classes, or None for values."""
        return None if self.target.classes is None else len(self.target.classes)

    @property
    def double(self) -> bool:
        """Whether everything is computed in float64."""
        return self.spec.training.precision == "float64"

    @property
    def dtype(self) -> str:
        """The type of inputs and weights."""
        return "torch.float64" if self.double else "torch.float32"

    @property
    def cast(self) -> str:
        """The method that turns a tensor into it."""
        return "double()" if self.double else "float()"

    @property
    def autocast(self) -> bool:
        """Whether products are computed in bfloat16."""
        return self.spec.training.precision == "bf16"

    @property
    def sizes(self) -> dict[str, int]:
        """The rows of each split."""
        return {name: len(rows) for name, rows in self.rows.items()}

    @property
    def counts(self) -> list[int]:
        """The training rows of each class."""
        found = np.bincount(self.target.y[self.rows["train"]], minlength=self.classes or 0)
        return [int(count) for count in found]

    @property
    def batch_size(self) -> int | None:
        """The rows of a step; None where it is all of them."""
        size = self.spec.training.batch_size
        return None if isinstance(size, str) or size >= self.sizes["train"] else size

    @property
    def monitor(self) -> str:
        """The measure a schedule looks for a plateau in; empty without such a schedule."""
        for phase in self.plan.schedule:
            if phase.monitor is not None:
                return phase.monitor or ("validation.loss" if "validation" in self.rows else "loss")
        return ""

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that are measured: those the spec names, in its checks and monitors too, or the usual ones."""
        spec, kind = self.spec, self.target.kind
        named = list(spec.metrics if spec.metrics is not None else DEFAULTS[kind])
        stopping = spec.training.early_stopping
        watched = [phase.monitor for phase in self.plan.schedule if phase.monitor]
        measures = [*spec.checks.improving, *spec.checks.bounds, *watched[:1]]
        measures += [stopping.monitor] if stopping else []
        named += [measure.partition(".")[2] for measure in measures]
        found = (find_metric(name) for name in dict.fromkeys(named))
        return tuple(metric for metric in found if metric is not None)

    @property
    def split_stream(self) -> str:
        """The expression for the seed of the stream that rows are divided by."""
        split, seed = self.spec.dataset.split, self.spec.seed
        own = isinstance(split, Split) and split.seed is not None
        return str(self.spec.dataset.split_seed(seed)) if own else 'derive("split")'

    @cached_property
    def again(self) -> Subject | None:
        """The second training, on the rows of training and validation together; None without one."""
        if not self.spec.training.refit:
            return None
        merged = np.concatenate([self.rows["train"], self.rows["validation"]])
        rest = {name: rows for name, rows in self.rows.items() if name not in {"train", "validation"}}
        rows = {"train": merged, **rest}
        spec, plan = planner.replan(self.spec, self.plan, {name: len(one) for name, one in rows.items()})
        return replace(self, spec=spec, plan=plan, rows=rows)

    @property
    def trainings(self) -> tuple[Subject, ...]:
        """This training, and the second one if there is one."""
        return (self,) if self.again is None else (self, self.again)

    def truth(self, split: str) -> Floats | Ints:
        """Return the target of a split."""
        return self.target.y[self.rows[split]]


def survey(spec: Spec, *, allow_outside: bool = False) -> Subject:
    """Read the rows of a spec, and work out everything that follows from them.

    Raises:
        SpecError: The data cannot be used, or the network does not fit it.
    """
    loaded = load_spec(spec, allow_outside=allow_outside)
    spec = planner.settle(spec, loaded.facts)
    plan = planner.plan(spec, loaded.facts)
    raw = narrowed(_raw(spec, allow_outside=allow_outside), loaded.preparation)
    target = settle(raw.target, planner.target_kind(dict(spec)), ("dataset",))
    seed = spec.dataset.split_seed(spec.seed)
    rows = divide(spec.dataset, target, raw, seed)
    return Subject(
        spec=spec,
        plan=plan,
        raw=raw,
        target=target,
        rows=rows,
        stratified=_stratified(spec, target, rows, raw, seed),
        preparation=loaded.preparation,
    )


def _raw(spec: Spec, *, allow_outside: bool) -> Raw:
    source = spec.dataset.source
    if isinstance(source, Generator):
        return generate(source, spec.seed)
    if isinstance(source, Inline):
        return read_inline(source)
    if isinstance(source, Table):
        return read_table(spec.dataset, spec.directory, allow_outside=allow_outside)
    return read_packaged(cast("Packaged", source))


def _stratified(spec: Spec, target: Target, rows: dict[str, Ints], raw: Raw, seed: int) -> bool:
    """Return whether the rows would be divided otherwise without strata."""
    dataset = spec.dataset
    if target.classes is None or raw.ranks is not None or dataset.split == "none" or (raw.fixed and not dataset.split):
        return False
    options = dataset.split if isinstance(dataset.split, Split) else Split.model_construct()
    plain = dataset.model_copy(update={"split": options.model_copy(update={"stratify": False})})
    without = divide(plain, target, raw, seed)
    return any(not np.array_equal(rows[name], without[name]) for name in rows)
