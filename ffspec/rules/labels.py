"""The classes and what tells them: how many rows each has, a column that is the answer, a boundary that is no plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.rules.network import LEARNING, is_linear_model
from ffspec.rules.rule import DataRule
from ffspec.spec.tables import Arrays, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from ffspec.data import Loaded, Split
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft

    Column: TypeAlias = tuple[str, list[int], int]

MAJORITY = 0.9
FEW = 50
"""Rows below which a share, or a column that tells all, may well be chance or a lesson."""
RARE = 10
"""A class with fewer rows can be told by a column by chance."""
FAIR = frozenset(
    {"balanced_accuracy", "roc_auc", "average_precision", "f1", "matthews_corrcoef", "recall", "precision"}
) | {"cohen_kappa"}
"""Metrics that always answering with the majority does not satisfy."""


@final
class Majority(DataRule):
    """FF207: classes so unequal that accuracy says nothing."""

    about: ClassVar[Code] = Code(
        code="FF207",
        title="one class is nearly all there is",
        reason="Where 95 % of the rows have one class, always answering with it is right in 95 % of cases, and a "
        "network that has learnt nothing else looks good. weight: balanced (pos_weight with bce_with_logits) makes a "
        "rare class count as much as a frequent one; balanced_accuracy, roc_auc or f1 show whether it is told at all.",
        wrong="dataset: {classification: {n_samples: 500, weights: [0.96]}}\n",
        right="dataset: {classification: {n_samples: 500, weights: [0.96]}}\n"
        "loss: {cross_entropy: {weight: balanced}}\n",
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/53358838, /q/59196793; Brodersen et al. 2010, 'The balanced accuracy and its "
        "posterior distribution'",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Count the training rows of each class, unless the spec minds the rare ones."""
        loss, train = draft.parts.get("loss"), loaded.splits["train"]
        if loaded.classes is None or loss is None or len(train) < FEW:
            return
        weighed = any(getattr(loss, name, None) is not None for name in ("weight", "pos_weight"))
        if weighed or not FAIR.isdisjoint(_measured(draft)):
            return
        from ffspec.rules import statistics

        found = statistics.shares(train.y, len(loaded.classes))
        most = float(found.max())
        if most > MAJORITY:
            yield self._told(loss, loaded.classes[int(found.argmax())], most)

    def _told(self, loss: Any, label: object, most: float) -> Diagnostic:
        name = "pos_weight" if loss.name == "bce_with_logits" else "weight"
        path = ("loss", loss.name)
        weighs = name in type(loss).model_fields
        return self.report(
            f"accuracy says little here: always answering {label!r} would be right in {100 * most:.3g} % of the "
            "training rows",
            path,
            hint=f"write {name}: balanced, or metrics: [accuracy, balanced_accuracy]"
            if weighs
            else "write metrics: [accuracy, balanced_accuracy]",
            edit=Edit(action="set", path=(*path, name), value="balanced", safe=False) if weighs else None,
        )


def _measured(draft: Draft) -> set[str]:
    """Return the metrics a spec names, in `metrics` and in `checks`."""
    checks = draft.parts.get("checks")
    named = () if checks is None else (*checks.improving, *checks.bounds)
    return {*(draft.parts.get("metrics") or ()), *(measure.partition(".")[2] for measure in named)}


@final
class Answer(DataRule):
    """FF208: a column that is the answer."""

    about: ClassVar[Code] = Code(
        code="FF208",
        title="one column tells the target",
        reason="A column from which the target follows all by itself is most often a consequence of it: the date of "
        "the discharge, the code of the diagnosis, the same price in another currency. When a prediction is wanted, it "
        "is not there yet. This tells columns with an area under the ROC curve above 0.99 for two classes, with 99 % "
        "of every class told apart for more, and with a rank correlation above 0.999 for numbers. Where half of the "
        "columns do that, the target is easy, and nothing is said. Of a large table it takes 20,000 rows or 1,000 "
        "columns.",
        wrong="a table of house prices in dollars with a column 'price_in_euros'\n",
        right="dataset:\n  csv: {path: houses.csv, target: price, drop: [price_in_euros]}\n",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="Kaufman, Rosset, Perlich and Stitelman 2012, 'Leakage in data mining'; deepchecks, 'Feature Label "
        "Correlation'",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Try each column of a table or of arrays alone."""
        source, train = draft.parts["dataset"].source, loaded.splits["train"]
        if not isinstance(source, Table | Arrays) or len(train) < FEW or len(loaded.preparation.columns) < 2:
            return
        from ffspec.rules import statistics

        columns = _columns(loaded)
        rows = statistics.sampled(len(train), len(columns))
        telling = _telling if loaded.classes is None else _telling_classes
        told = list(telling(train, rows, columns))
        if len(told) > 1 and 2 * len(told) >= len(columns):  # no leak: the target is easy to tell
            return
        less = f" on {len(rows):,} of {len(train):,} training rows" if len(rows) < len(train) else ""
        if len(columns) < len(loaded.preparation.columns):
            less += f", of {len(columns):,} columns that were tried"
        for name, how in told:
            yield self._told(source, name, how + less)

    def _told(self, source: Any, name: str, how: str) -> Diagnostic:
        table = isinstance(source, Table)
        path = ("dataset", source.name)
        dropped = source.drop or () if table else ()
        # `columns` lists what is used, and nothing may be dropped beside it.
        edit = Edit(action="set", path=(*path, "drop"), value=(*dropped, name), safe=False)
        return self.report(
            f"does column {name!r} know the answer? By itself it tells the target: {how}",
            path,
            hint=f"if it is not known before the target is, write drop: [{name}]"
            if table
            else "if it is not known before the target is, leave it out of X",
            edit=edit if table and source.columns is None else None,
            at_key=table,
        )


def _columns(loaded: Loaded) -> Sequence[Column]:
    """Return the raw columns that are tried: name, features and, of a code, the levels; a mark of gaps stands apart."""
    from ffspec.rules import statistics

    columns, start = [], 0
    for column in loaded.preparation.columns:
        places = list(range(start, start + len(column.features)))
        start += len(places)
        parts = [places] if len(column.kinds) != 2 or column.kinds[0] else [places[:1], places[1:]]
        columns += [(column.name, part, column.kinds[0]) for part in parts]
    return [columns[index] for index in statistics.sample(len(columns), statistics.COLUMNS)]


def _telling_classes(train: Split, rows: Any, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Yield the columns that tell the classes apart, and how well they do."""
    import numpy as np

    from ffspec.rules import statistics

    codes = train.y[rows].astype(np.int64)
    counts = np.bincount(codes)
    classes = np.flatnonzero(counts >= RARE).astype(np.int64)
    if len(classes) < 2:
        return
    for name, features, levels in columns:
        x = train.x[np.ix_(rows, features)].astype(np.float64)
        if levels > 1:  # the order of codes means nothing
            x = (x == np.arange(levels)).astype(np.float64)
        if len(classes) == 2 and np.count_nonzero(counts) == 2:
            best = max(statistics.area(values, codes == classes[1]) for values in x.T)
            if best > 0.99:
                yield name, f"an area under the ROC curve of {best:.4f}"
            continue
        cells = statistics.cells_of(x[:, 0]) if x.shape[1] == 1 else x.argmax(axis=1).astype(np.int64)
        best = statistics.recall(cells, codes, classes)
        if best > 0.99:
            yield name, f"{100 * best:.4g} % of each class on average"


def _telling(train: Split, rows: Any, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Yield the columns of numbers that rank the rows as a target does."""
    import numpy as np

    from ffspec.rules import statistics

    y = train.y[np.ix_(rows, statistics.sample(train.y.shape[1], 10))]
    targets = np.column_stack([statistics.ranks(column) for column in y.T])
    for name, features, levels in columns:
        single = len(features) == 1 and levels < 2
        best = statistics.spearman(train.x[rows, features[0]], targets) if single else 0.0
        if best > 0.999:
            yield name, f"a rank correlation of {best:.4f}"


@final
class NoPlane(DataRule):
    """FF209: a linear network and classes that no plane divides."""

    about: ClassVar[Code] = Code(
        code="FF209",
        title="classes that no linear network can tell apart",
        reason="The boundary between two classes of a linear network, one linear and whatever follows it, is a plane. "
        "A perceptron cannot learn XOR, however long it trains, and a ring around its centre cannot be cut off. "
        "Whether a plane exists is decided exactly for a truth table; else a linear and a quadratic classifier are "
        "compared on rows they were not fitted on. One hidden layer is enough.",
        wrong="dataset: {xor: 4, split: none}\nlayers: [linear]\nloss: bce_with_logits\n",
        right="dataset: {xor: 4, split: none}\nlayers: [{linear: 8}, tanh, linear]\nloss: bce_with_logits\n",
        severity=Severity.WARNING,
        optional=True,
        source="Minsky and Papert 1969, 'Perceptrons'",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Look for a plane, if that is all there can be."""
        train = loaded.splits["train"]
        if loaded.classes is None or not is_linear_model(draft.steps):
            return
        message = self._table(loaded, train) or self._rows(train)
        if message is not None:
            path = next(step.path for step in draft.steps if step.call.target in LEARNING)
            yield self.report(message, path, hint="put a hidden layer in front: linear: 8, then relu")

    def _table(self, loaded: Loaded, train: Split) -> str | None:
        """Judge a truth table, whose rows are all there is."""
        import numpy as np

        from ffspec.rules import separation, statistics

        if len(loaded.splits) > 1 or len(train) > 200 or len(loaded.classes or ()) > RARE:
            return None
        codes = train.y.astype(np.int64)
        contradicting, _ = statistics.conflicts(statistics.hashes(train.x, codes)[0], codes)
        if contradicting or not separation.is_truth_table(train.x) or not separation.is_inseparable(train.x, codes):
            return None
        return f"a linear network cannot learn these {len(train)} rows: no plane divides their classes"

    def _rows(self, train: Split) -> str | None:
        """Compare what a linear and a quadratic classifier get right."""
        import numpy as np

        from ffspec.rules import separation, statistics

        rows = statistics.sample(len(train), 2_000)
        features, codes = train.x.shape[1], train.y[rows].astype(np.int64)
        classes = int(np.count_nonzero(np.bincount(codes)))
        if features > 50 or not 2 <= classes <= RARE or len(rows) < 4 * separation.products(features):
            return None
        linear, quadratic = separation.judge(train.x[rows], codes)
        gap, differing = float((quadratic - linear).mean()), int(np.count_nonzero(quadratic != linear))
        # By chance alone the difference would be about as large as the root of the rows that differ (McNemar 1947).
        if gap < 0.15 or gap * len(rows) < 4 * differing**0.5:
            return None
        sampled = f"{len(rows):,} of {len(train):,} training rows" if len(rows) < len(train) else "the training rows"
        return (
            f"a linear network cannot tell these classes apart: on {sampled} a linear classifier is right in "
            f"{100 * linear.mean():.0f} % of cases, one with squares and products of the features in "
            f"{100 * quadratic.mean():.0f} %"
        )
