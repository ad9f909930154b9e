"""The splits: whether validation and test rows are new, and of the same kind as the training rows."""

from __future__ import annotations

from math import inf, log
from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.rules.rule import DataRule
from ffspec.spec.dataset import Split
from ffspec.spec.tables import Inline, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic, Path
    from ffspec.planner import Draft

LEAST = 0.01
"""A split may hold so many more training rows, as a share, than chance brings into it."""
MOST = 0.1
"""With so many more it can no longer judge."""
COPIED = 0.25
"""Of a table whose columns have many values, so large a share of repeated rows has been copied, and is no nature."""
CHANCE = 1e-3
"""What is less likely than this under a random split is no chance."""
CONFLICTS = 0.05
MATTERS = 0.05
"""A smaller distance between two distributions can be sure, with many rows, and still do no harm."""


def split_path(draft: Draft, name: str) -> Path:
    """Return the place that says which rows a split has."""
    dataset = draft.parts["dataset"]
    source = dataset.source
    if isinstance(source, Table) and name in source.files:
        return ("dataset", source.name, name)
    if isinstance(source, Table) and source.split_column is not None:
        return ("dataset", source.name, "split_column")
    return ("dataset", source.name, "n_samples") if source.sizes() is not None else ("dataset", "split")


def in_order(draft: Draft) -> bool:
    """Return whether the spec divides the rows in the order in which they come."""
    split = draft.parts["dataset"].split
    return isinstance(split, Split) and not split.shuffle and split.by is None


def divided_elsewhere(draft: Draft) -> bool:
    """Return whether files, or a column of one, say where rows belong."""
    source = draft.parts["dataset"].source
    return isinstance(source, Table) and (bool(source.files) or source.split_column is not None)


def shuffling() -> Edit:
    """Return the edit that draws the rows of each split at random."""
    return Edit(action="set", path=("dataset", "split", "shuffle"), value=True, safe=False)


@final
class KnownRows(DataRule):
    """FF204: rows that training has seen, and rows that contradict each other."""

    about: ClassVar[Code] = Code(
        code="FF204",
        title="training rows in another split",
        reason="A row that was trained on says nothing of how new rows will fare. Tables of few values repeat rows by "
        "nature, so this counts how many training rows have a twin among themselves, and allows twice that and 1 % "
        "more; from 10 % more it is an error. Where columns have so many values that rows do not repeat themselves by "
        "nature, it tells of more than a quarter, too. Rows with the same features and different classes cannot all be "
        "told right, by any network: where they are more than 5 % and the table does not repeat itself by nature, a "
        "column is missing or labels are wrong.",
        wrong="dataset:\n"
        "  inline:\n"
        "    x: [11, 4, 19, 7, 2, 15, 8, 12, 1, 17, 5, 10, 14, 3, 18, 6, 9, 13, 0, 16, 4, 8, 12, 3, 17, 15]\n"
        "    y: [23, 9, 40, 15, 5, 31, 18, 25, 4, 33, 12, 21, 29, 8, 37, 14, 20, 27, 2, 34, 9, 18, 25, 8, 33, 31]\n"
        "  split: {test: 6, shuffle: false}\n"
        "loss: mse\n",
        right="dataset:\n"
        "  inline:\n"
        "    x: [11, 4, 19, 7, 2, 15, 8, 12, 1, 17, 5, 10, 14, 3, 18, 6, 9, 13, 0, 16]\n"
        "    y: [23, 9, 40, 15, 5, 31, 18, 25, 4, 33, 12, 21, 29, 8, 37, 14, 20, 27, 2, 34]\n"
        "  split: {test: 6, shuffle: false}\n"
        "loss: mse\n",
        severity=Severity.WARNING,
        optional=True,
        source="deepchecks, 'Train Test Samples Mix'; Barz and Denzler 2020 (arXiv 1902.00423), on duplicates in CIFAR",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Look the rows of the other splits up among the training rows."""
        import numpy as np

        from ffspec.rules import statistics

        train = loaded.splits["train"]
        features, rows = statistics.hashes(train.x, train.y)
        rows.sort()
        twins = statistics.repeated(rows) if len(loaded.splits) > 1 else 0
        for name, split in loaded.splits.items():
            if name == "train":
                continue
            here = statistics.hashes(split.x, split.y)[1]
            known = statistics.found_in(rows, here).tolist()
            excess = len(known) / len(split) - 2 * twins / len(train)
            if excess <= LEAST:
                if len(known) > max(COPIED * len(split), 5) and not statistics.repeats_by_nature(train.x):
                    yield self._seen(draft, name, known, len(split), Severity.WARNING)
                continue
            within = (twins + statistics.repeated(np.sort(here))) // 2
            chance = statistics.chance_of_twins(len(known), within, len(split) / (len(split) + len(train)))
            if chance < CHANCE or (excess > 0.5 and len(known) >= 5):
                severity = Severity.ERROR if excess > MOST else Severity.WARNING
                yield self._seen(draft, name, known, len(split), severity)
        if loaded.classes is not None:
            found, different = statistics.conflicts(features, train.y.astype(np.int64))
            unlike = found > CONFLICTS * len(train) and 3 * different >= len(train)
            if unlike and not statistics.repeats_by_nature(train.x):
                yield self._contradict(draft, found, len(train))

    def _seen(self, draft: Draft, name: str, known: Sequence[int], total: int, severity: Severity) -> Diagnostic:
        from ffspec.data.problems import some

        rows = f"row {known[0]}" if len(known) == 1 else f"rows {some(known)}"
        return self.report(
            f"{name} rows must be new to the network, but {len(known):,} of {total:,} are training rows too: {rows} "
            f"of the {name} split",
            split_path(draft, name),
            hint="leave repeated rows out before splitting, or put them into one split",
            severity=severity,
        )

    def _contradict(self, draft: Draft, found: int, total: int) -> Diagnostic:
        source = draft.parts["dataset"].source
        return self.report(
            f"rows with the same features should have the same class, but {found:,} of {total:,} training rows "
            "contradict another",
            ("dataset", source.name),
            hint="see whether a column is missing, or whether labels are wrong",
            at_key=isinstance(source, Table | Inline),
        )


@final
class Drift(DataRule):
    """FF205: a split whose rows come from elsewhere."""

    about: ClassVar[Code] = Code(
        code="FF205",
        title="a split of other rows",
        reason="A test says how the network fares on rows like the training rows. Where a table is sorted, or split by "
        "time or by place, the last fifth of it is another population. This compares every column of a split with the "
        "training rows by the two-sample Kolmogorov-Smirnov test, at a level of 0.001 for all columns together, and "
        "tells differences above 0.05. Of a large table it takes 20,000 rows or 1,000 columns. Where such a split is "
        "the point, let it through; of a split `by` a column, which asks for it, nothing is said.",
        wrong="dataset:\n"
        "  inline:\n"
        "    x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]\n"
        "    y: [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18, 21, 20, 23, 22]\n"
        "  split: {test: 8, shuffle: false}\n"
        "loss: mse\n",
        right="dataset:\n"
        "  inline:\n"
        "    x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]\n"
        "    y: [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18, 21, 20, 23, 22]\n"
        "  split: {test: 8}\n"
        "loss: mse\n",
        severity=Severity.WARNING,
        optional=True,
        source="deepchecks, 'Feature Drift'; Wei and Dudley 2012 (arXiv 1107.5356); no false alarm in 200 random "
        "splits of each of five data sets",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Compare each column of each split with the same column of the training rows."""
        import numpy as np

        from ffspec.rules import statistics

        others = [name for name in loaded.splits if name != "train"]
        # Rows of other customers, or of a later time, are what a split by a column asks for.
        if not others or draft.parts["dataset"].by is not None:
            return
        columns = statistics.sample(len(loaded.features), statistics.COLUMNS)
        taken = {name: statistics.sampled(len(split), len(columns)) for name, split in loaded.splits.items()}
        level = self.level(draft) / (len(columns) * len(others))
        bounds = {
            name: max(MATTERS, statistics.significant_distance(len(taken["train"]), len(taken[name]), level))
            for name in others
        }
        found: dict[str, list[tuple[float, str]]] = {name: [] for name in others}
        for column in columns.tolist() if min(bounds.values()) < 1 else ():
            train = np.sort(loaded.splits["train"].x[taken["train"], column])
            for name, bound in bounds.items():
                there = np.sort(loaded.splits[name].x[taken[name], column])
                distance = statistics.distance(train, there)
                if distance > bound:
                    found[name].append((-distance, loaded.features[column]))
        for name in others:
            if found[name]:
                rows = [(len(taken[part]), len(loaded.splits[part])) for part in ("train", name)]
                less = _less(rows, (len(columns), len(loaded.features)))
                yield self._differ(draft, name, sorted(found[name]), less)

    def level(self, draft: Draft) -> float:
        """Return the chance of a false alarm that is taken.

        Where the spec has the rows drawn at random they can differ only by chance, or because arrays that were divided
        elsewhere took their place.
        """
        return CHANCE if divided_elsewhere(draft) or in_order(draft) else CHANCE**2

    def _differ(self, draft: Draft, name: str, found: Sequence[tuple[float, str]], less: str) -> Diagnostic:
        from ffspec.data.problems import some

        columns = some(f"{column} (D = {-distance:.2f})" for distance, column in found)
        return self.report(
            f"{name} rows should be like the training rows, but the distribution differs in {columns}{less}",
            split_path(draft, name),
            hint="write shuffle: true, if the order of the rows means nothing" if in_order(draft) else None,
            edit=shuffling() if in_order(draft) else None,
        )


def _less(rows: Sequence[tuple[int, int]], columns: tuple[int, int]) -> str:
    """Say that less than all was compared, if so; what was taken, and how much there is."""
    parts = []
    if any(taken < total for taken, total in rows):
        parts.append(f"{max(taken for taken, _ in rows):,} rows of a split at most")
    if columns[0] < columns[1]:
        parts.append(f"{columns[0]:,} of {columns[1]:,} columns")
    return f" (compared: {' and '.join(parts)})" if parts else ""


@final
class MissingClasses(DataRule):
    """FF206: classes that only one side of a split has."""

    about: ClassVar[Code] = Code(
        code="FF206",
        title="classes that a split lacks",
        reason="A class without a training row cannot be learnt, and every test row of it counts as a mistake. A class "
        "of the training rows that a split lacks, though chance would bring some in, is the mark of rows that were "
        "sorted by class before they were split.",
        wrong="dataset:\n"
        "  inline:\n"
        "    x: [3, 1, 2, 4, 1, 3, 4, 2, 2, 1, 3, 4]\n"
        "    y: [a, a, a, a, b, b, b, b, c, c, c, c]\n"
        "  split: {test: 4, shuffle: false}\n",
        right="dataset:\n"
        "  inline:\n"
        "    x: [3, 1, 2, 4, 1, 3, 4, 2, 2, 1, 3, 4]\n"
        "    y: [a, a, a, a, b, b, b, b, c, c, c, c]\n"
        "  split: {test: 4}\n",
        optional=True,
        source="measured: scikit-learn's iris is sorted by species, and its last fifth is one of three",
    )

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Count the classes of each split."""
        if loaded.classes is None:
            return
        from ffspec.rules import statistics

        labels = loaded.classes
        train = statistics.shares(loaded.splits["train"].y, len(labels))
        for name, split in loaded.splits.items():
            here = statistics.shares(split.y, len(labels))
            new = [label for label, a, b in zip(labels, train, here, strict=True) if a == 0 < b]
            if new:
                message = f"training must have rows of every class of the {name} split, but has none of"
                advice = "leave the rows of such a class out, or gather more of them"
                yield self._told(draft, name, message, new, advice)
                continue
            # How likely a random split of this size is to lack it, for any one of the classes.
            bound = log(1e-4 / len(labels))
            lacking = [
                label
                for label, a, b in zip(labels, train.tolist(), here, strict=True)
                if b == 0 < a and (log(1 - a) if a < 1 else -inf) * len(split) < bound
            ]
            if lacking:
                message = f"{name} must have rows of the training classes, but its {len(split):,} rows have none of"
                yield self._told(draft, name, message, lacking, "write split: {stratify: true}")

    def _told(self, draft: Draft, name: str, message: str, labels: Sequence[object], advice: str) -> Diagnostic:
        from ffspec.data.problems import quoted

        ordered = in_order(draft)
        if ordered:
            advice = "write shuffle: true"
        elif draft.parts["dataset"].by is not None:
            advice = "try another seed or another column for 'by', or gather more rows of such a class"
        elif divided_elsewhere(draft):
            advice = "divide the rows anew, with a share of every class in each split"
        return self.report(
            f"{message} {quoted(labels)}",
            split_path(draft, name),
            hint=advice,
            edit=shuffling() if ordered else None,
        )
