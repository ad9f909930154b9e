"""The columns: the size of features and of targets, on which the first steps of training depend."""

from __future__ import annotations

from math import inf, log
from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.rules.network import LEARNING, NORMS, UNITS, effective, layer_at
from ffspec.rules.rule import DataRule
from ffspec.rules.settings import ADAMS
from ffspec.spec.tables import Arrays, Inline, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ffspec.data import Loaded
    from ffspec.data.loaded import Features as FeatureMatrix
    from ffspec.data.loaded import Floats
    from ffspec.diagnostics import Diagnostic, Path
    from ffspec.planner import Draft
    from ffspec.spec.dataset import Dataset
    from ffspec.spec.step import Step

LARGEST = 100.0
"""A standard deviation above this is too large, and so is a mean above so many of them."""
SMALLEST = 0.01
"""Targets that vary less than this are lost beside the first predictions, which vary by about 0.5."""
REACHED = 50_000.0
"""How many times its lr adam's steps can be asked to lead."""
PROPORTIONAL = frozenset({"sgd", "asgd"})
"""Optimizers whose steps grow with the error; the steps of the others are about as long as lr."""
NAMED = 8
"""So many columns to leave out fit into a hint."""
LEAST_ROWS = 50
"""With fewer rows two columns may agree by chance."""
COUNT = 20.0
"""A mean count above this is too far from exp(0) = 1, the first prediction, for ordinary steps."""


@final
class Features(DataRule):
    """FF201: features that say nothing, or say it far too loud."""

    about: ClassVar[Code] = Code(
        code="FF201",
        title="features of the wrong size",
        reason="The first weights suit features near 0 of a size of about 1. A feature with a standard deviation above "
        "100 drowns the others and saturates the first layer; with inputs 100 times too large the first loss of a "
        "classifier is 12 to 18 times too high. Where the mean is 100 times the deviation, as in a column of years, "
        "nearly all a unit sees is a constant. A column without any variation teaches nothing. prepare: standardize "
        "mends both, and so does a batch_norm in front.",
        wrong="dataset: wine\n",
        right="dataset: {wine: {}, prepare: standardize}\n",
        severity=Severity.WARNING,
        optional=True,
        source="LeCun, Bottou, Orr and Müller 1998, 'Efficient BackProp', section 4.3; stackoverflow.com/q/39714374, "
        "/q/61293041; measured on 540 random networks",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Look at the training columns of numbers; those of categories are 0 and 1."""
        from ffspec.rules import statistics

        x = loaded.splits["train"].x
        numbers = _numbers(loaded)
        if len(x) < 2:
            return
        same = _constant(loaded, frozenset(statistics.constant(x).tolist()))
        if same:
            yield self._constant(draft, same)
        steps = effective(draft.steps)
        # Bins are quantiles: the scale of a column is no matter to them.
        if steps and steps[0].call.target in NORMS | {"ffspec.PiecewiseLinear"}:
            return
        means, deviations = statistics.moments(x)
        loud = []
        for index in numbers:
            mean, deviation = float(means[index]), float(deviations[index])
            far = deviation > 0 and abs(mean) > LARGEST * deviation and not statistics.is_indicator(x[:, index])
            if deviation > LARGEST or far:
                worth = max(deviation, abs(mean) / deviation)
                loud.append((-worth, f"{loaded.features[index]} (mean {mean:.4g}, standard deviation {deviation:.4g})"))
        if loud:
            yield self._loud(draft, [text for _, text in sorted(loud)])

    def _constant(self, draft: Draft, same: Mapping[str, bool]) -> Diagnostic:
        from ffspec.data.problems import quoted

        source, what = draft.parts["dataset"].source, "number" if all(same.values()) else "value"
        hint = f"leave {'it' if len(same) == 1 else 'them'} out with drop: [{', '.join(same)}]"
        return self.report(
            f"a column must vary to teach anything, but all training rows have the same {what} in {quoted(same)}",
            ("dataset", source.name),
            hint=hint if isinstance(source, Table) and len(same) <= NAMED else None,
            severity=Severity.INFO,
            at_key=isinstance(source, Table | Inline),
        )

    def _loud(self, draft: Draft, loud: Sequence[str]) -> Diagnostic:
        from ffspec.data.problems import some

        return self.report(
            f"features should lie near 0 and vary by about 1, found {some(loud)}",
            ("dataset", "prepare"),
            hint="write prepare: standardize",
            edit=_standardizing(draft.parts["dataset"]),
        )


def _standardizing(dataset: Dataset) -> Edit:
    """Return the edit that has the features standardised."""
    path: Path = ("dataset", "prepare")
    if not dataset.source.model_fields_set and dataset.model_fields_set <= {"source"}:
        # A name alone takes no neighbour.
        value = {dataset.source.name: {}, "prepare": "standardize"}
        return Edit(action="replace", path=("dataset",), value=value, safe=False)
    if not dataset.prepare.model_fields_set <= {"scale"}:
        # What else `prepare` says, it shall go on saying.
        path = (*path, "scale")
    return Edit(action="set", path=path, value="standardize", safe=False)


def _numbers(loaded: Loaded) -> list[int]:
    """Return the features that are numbers: neither parts of categories, nor codes, nor marks of gaps."""
    return [index for index, level in enumerate(loaded.preparation.levels) if level == 0]


def _constant(loaded: Loaded, constant: frozenset[int]) -> dict[str, bool]:
    """Return the raw columns that do not vary, and whether each holds numbers."""
    places = {name: range(place.start, place.stop) for name, place in _raw_columns(loaded)}
    levels = loaded.preparation.levels
    return {name: levels[place[0]] == 0 for name, place in places.items() if constant.issuperset(place)}


@final
class TargetSize(DataRule):
    """FF202: targets of another size than the default learning rate is made for."""

    about: ClassVar[Code] = Code(
        code="FF202",
        title="targets that the default learning rate does not fit",
        reason="A network starts with predictions near 0 that vary by less than 1. adam's steps are as long as lr, "
        "whatever the gradient: at 0.001 it takes thousands of them to reach targets in the hundreds, and at 0.01 of "
        "them "
        "in the tens of thousands. sgd's steps grow with the error, and with such targets run away; with tiny ones "
        "they "
        "hardly begin. Where lr is written, somebody has thought of that, unless adam's is far too small.",
        wrong="dataset: {regression: {n_features: 5, n_informative: 5}}\nloss: mse\noptimizer: adam\n",
        right="dataset: {regression: {n_features: 5, n_informative: 5}}\nloss: mse\noptimizer: {adam: {lr: 0.1}}\n",
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/45154470, /q/38319898",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Look at each column of the training targets, unless the spec gives a learning rate or a first guess."""
        loss, optimizer, scheduler = (draft.parts.get(key) for key in ("loss", "optimizer", "scheduler"))
        plain = loss is not None and loss.target == "value" and loss.name != "poisson_nll" and loaded.classes is None
        scaled = any(step.call.target in UNITS for step in draft.steps)
        if not plain or scaled or optimizer is None or optimizer.name in {"lbfgs", "rprop"}:
            return
        last = _last_linear(draft)
        peak = scheduler.max_lr if scheduler is not None and scheduler.name == "one_cycle" else None
        chosen, rate = "lr" in optimizer.model_fields_set or peak is not None, peak or optimizer.lr
        if (chosen and optimizer.name not in ADAMS) or (last is not None and "bias" in last.initialisers):
            return
        from ffspec.rules import statistics

        means, deviations = statistics.moments(loaded.splits["train"].y)
        sizes = [max(abs(mean), spread) for mean, spread in zip(means.tolist(), deviations.tolist(), strict=True)]
        most = REACHED * rate if chosen else LARGEST
        large = [f"{name} ({size:.4g})" for name, size in zip(loaded.targets, sizes, strict=True) if size > most]
        tiny = [
            f"{name} ({spread:.3g})"
            for name, spread in zip(loaded.targets, deviations.tolist(), strict=True)
            if spread < SMALLEST and not chosen
        ]
        if large or tiny:
            end = len(draft.parts["layers"]) - 1
            yield self._told(optimizer, large or tiny, most, large=bool(large), end=end)

    def _told(self, optimizer: Any, strange: Sequence[str], most: float, *, large: bool, end: int) -> Diagnostic:
        from ffspec.data.problems import some

        # Steps as long as lr take for ever to a large target; steps that grow with the error shoot beyond it.
        word = "larger" if large is (optimizer.name not in PROPORTIONAL) else "smaller"
        return self.report(
            f"targets should be of a size of {SMALLEST:g} to {most:g} for an lr of {optimizer.lr:g}, found "
            f"{some(strange)}",
            ("optimizer", optimizer.name, "lr"),
            hint=f"end the layers with target_scale, or write a {word} lr",
            edit=Edit(action="insert", path=("layers", end), value="target_scale", safe=False),
        )


@final
class LargeCounts(DataRule):
    """FF210: counts far from the first prediction of poisson_nll."""

    about: ClassVar[Code] = Code(
        code="FF210",
        title="large counts without a first guess",
        reason="The output under poisson_nll is the logarithm of the expected count. It starts near 0, which predicts "
        "exp(0) = 1. Where counts are in the hundreds, the first gradients are in the hundreds too, and one step too "
        "far is worse: the loss grows with the exponential of the output. With the logarithm of the mean as the last "
        "bias, the first prediction is of the right size.",
        wrong="dataset:\n"
        "  inline:\n"
        "    x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
        "    y: [310, 295, 402, 388, 420, 451, 447, 502, 515, 530]\n"
        "loss: poisson_nll\n",
        right="dataset:\n"
        "  inline:\n"
        "    x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
        "    y: [310, 295, 402, 388, 420, 451, 447, 502, 515, 530]\n"
        "layers: [{linear: 8}, relu, {linear: {bias_init: {constant: 6}}}]\n"
        "loss: poisson_nll\n",
        severity=Severity.WARNING,
        optional=True,
        source="torch.nn.PoissonNLLLoss, exp(input) - target * input",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Compare the mean of the training targets with the first prediction."""
        loss, last = draft.parts.get("loss"), _last_linear(draft)
        if loss is None or loss.name != "poisson_nll" or last is None or "bias" in last.initialisers:
            return
        mean = float(loaded.splits["train"].y.mean())
        if not COUNT < mean < inf:
            return
        guess = round(log(mean), 1)
        path = (*last.path, "linear", "bias_init")
        biased = layer_at(draft.parts, last.path).bias
        edit = Edit(action="set", path=path, value={"constant": guess}, safe=False)
        yield self.report(
            f"the first prediction of poisson_nll is about 1, but the mean of the training targets is {mean:.4g}",
            last.path,
            hint=f"write bias_init: {{constant: {guess:g}}} for the last linear: exp({guess:g}) is about that",
            edit=edit if biased and "repeat" not in last.path else None,
        )


@final
class SameColumns(DataRule):
    """FF211: a column that stands twice in the table."""

    about: ClassVar[Code] = Code(
        code="FF211",
        title="the same column twice",
        reason="A column that repeats another one tells nothing new, and counts twice: weight decay and dropout treat "
        "what it says otherwise than the rest. Most often two tables were joined, and both had it, or a number is "
        "there in two units. Columns are compared as they are prepared, but for unit and zero, on all training rows; "
        "there must be 50, and a column must vary. Of a large table it takes 1,000 columns.",
        wrong="a table with the columns 'city' and 'city_right', the same in every row\n",
        right="dataset:\n  csv: {path: houses.csv, target: price, drop: [city_right]}\n",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="deepchecks, 'Feature-Feature Correlation'",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Compare the columns of a table or of arrays, first on some rows, then on all."""
        source, train = draft.parts["dataset"].source, loaded.splits["train"].x
        if not isinstance(source, Table | Arrays) or len(train) < LEAST_ROWS:
            return
        import numpy as np

        from ffspec.rules import statistics

        columns = _raw_columns(loaded)
        chosen = [columns[index] for index in statistics.sample(len(columns), statistics.COLUMNS)]
        rows = statistics.sampled(len(train), len(chosen))
        parts = ((name, place, *_unitless(train[rows, place])) for name, place in chosen)
        told = [(name, place, _summary(part), bound) for name, place, part, bound in parts if part.any()]
        seen: set[str] = set()
        for index, (first, place, summary, bound) in enumerate(told):
            near = [(n, p) for n, p, s, b in told[index + 1 :] if n not in seen and _near(summary, s, bound + b)]
            if first in seen or not near:
                continue
            whole, least = _unitless(train[:, place])
            others = ((name, *_unitless(train[:, other])) for name, other in near)
            same = [name for name, other, more in others if np.allclose(whole, other, 0, least + more)]
            if same:
                seen.update(same)
                yield self._told(source, first, same)

    def _told(self, source: Any, first: str, same: Sequence[str]) -> Diagnostic:
        from ffspec.data.problems import quoted

        table = isinstance(source, Table)
        path: Path = ("dataset", source.name)
        edit = None
        if table and source.columns is None:
            edit = Edit(action="set", path=(*path, "drop"), value=(*(source.drop or ()), *same), safe=False)
        return self.report(
            f"a column should stand there once, but {first!r} is there again as {quoted(same)}, in all training rows",
            path,
            hint=f"write drop: [{', '.join(same)}]" if table else "leave one of them out of X",
            edit=edit,
            at_key=table,
        )


def _unitless(values: FeatureMatrix) -> tuple[Floats, float]:
    """Return columns as multiples of their deviations from their means, and how far rounding can have moved a number.

    They are zeros where a column does not vary.
    """
    import numpy as np

    step = float(np.finfo(values.dtype).eps)
    with np.errstate(all="ignore"):
        wide = values.astype(np.float64)
        centred = wide - wide.mean(axis=0)
        deviations = np.sqrt((centred**2).mean(axis=0))
        found = centred / deviations
        sizes = np.abs(wide).max(axis=0) / deviations
    bound = 1e-9 + step * float(np.max(sizes, where=np.isfinite(sizes), initial=0.0))
    return np.where(np.isfinite(found), found, 0.0), bound


def _summary(part: Floats) -> tuple[int, float]:
    """Return the width of some columns, and a sum over their cells that equal columns have in common."""
    import numpy as np

    weights = np.sin(np.arange(1.0, part.size + 1))
    return part.shape[1], float((weights @ part.ravel()) / part.size**0.5)


def _near(one: tuple[int, float], other: tuple[int, float], bound: float) -> bool:
    """Return whether two summaries may be of equal columns, each cell rounded within a bound."""
    return one[0] == other[0] and abs(one[1] - other[1]) <= 4 * bound


def _raw_columns(loaded: Loaded) -> list[tuple[str, slice]]:
    """Return the raw columns with the places of their features; of a date, which is several, none."""
    found, start = [], 0
    for column in loaded.preparation.columns:
        if column.raw == column.name:
            # Behind a number, the mark of its gaps: columns of the same gaps are nothing strange.
            width = 1 if column.kinds[0] == 0 else len(column.features)
            found.append((column.name, slice(start, start + width)))
        start += len(column.features)
    return found


def _last_linear(draft: Draft) -> Step | None:
    """Return the linear nearest to the output."""
    return next((step for step in reversed(draft.steps) if step.call.target in LEARNING), None)
