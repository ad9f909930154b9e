"""The rows of a table, read by polars: numbers as they are, texts as categories.

Behind this section, `table` holds the columns that are used, and `y` the target.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ffspec.data.files import read_file
from ffspec.data.fitted import DatePart, Number
from ffspec.data.opening import Folder
from ffspec.data.ranking import comparable
from ffspec.diagnostics import Diagnostic, SpecError
from ffspec.export.text import call, comment, filled, literal
from ffspec.spec.tables import Csv, Table

if TYPE_CHECKING:
    import pathlib

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject


MOMENT = '''\
def moment(text):
    """Read a date with or without a time; one in a zone becomes UTC."""
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found'''
PARTS = {
    "year": "dt.year()", "month": "dt.month()", "day": "dt.day()", "weekday": "dt.weekday() - 1",
    "hour": "dt.hour()", "minute": "dt.minute()",
}  # fmt: skip
"""What polars calls the parts of a date; it counts weekdays from 1."""


def add_table(script: Script, subject: Subject, table: Table, directory: pathlib.Path | None) -> None:
    """Add what reads the files; `directory` is where the script will be."""
    script.use("polars as pl")
    script.use("numpy as np")
    script.use("pathlib", "Path")
    reader = _Reader(subject, table, directory)
    if reader.zoned:
        script.use("datetime", "UTC", "datetime")
        script.add(MOMENT)
    script.add(*reader.lines())
    if not reader.words:
        script.add(*reader.matrix())


def is_word(subject: Subject, index: int) -> bool:
    """Whether a raw column is a category."""
    return index in subject.raw.levels


def path_from(directory: pathlib.Path | None, subject: Subject, path: str) -> str:
    """Return the path of a file as seen from where the script will be; without that, as the spec has it."""
    if directory is None:
        return path
    file = (subject.spec.directory / path).resolve()
    try:
        return os.path.relpath(file, directory.resolve()).replace(os.sep, "/")
    except ValueError:  # on another drive
        return str(file)


class _Reader:
    def __init__(self, subject: Subject, table: Table, directory: pathlib.Path | None) -> None:
        self._subject = subject
        self._table = table
        self._directory = directory
        self._csv = isinstance(table, Csv)
        self._names = subject.raw.names
        columns = subject.preparation.columns
        self._readings = {
            column.name: column.reading
            for column in columns
            if isinstance(column, Number) and column.reading is not None
        }
        raws = dict.fromkeys([*(column.raw for column in columns), *(table.dates or ())])
        extra = [name for name in (table.split_column, subject.spec.dataset.by) if name]
        self._used = list(dict.fromkeys([*raws, *self._table.targets, *extra]))
        self._refuse_patterns()
        folder = Folder(subject.spec.directory, open=True)  # the survey has read them, where that was allowed
        files = (table.path, *table.files.values())
        self._frames = [read_file(table, file, folder, ("dataset", table.name)) for file in files]
        dated = {*(table.dates or ()), subject.spec.dataset.by} - {None}
        self.zoned = {name for name in dated if name and self._has_zones(name)}
        self.words = [name for index, name in enumerate(self._names) if is_word(subject, index)]

    def lines(self) -> list[str]:
        text = "The table; every cell is read as text, and an empty one is missing." if self._csv else "The table."
        lines = [comment(text), *self._read()]
        if self._csv:
            missing = ["", *getattr(self._table, "null_values", ())]
            old = literal(missing if len(missing) > 1 else "")
            lines.append(f"table = table.select(pl.all().str.strip_chars().replace({old}, None))")
        lines += [*self._kept(), *self._groups()]
        return [*lines, *self._words(), *self._read_otherwise(), *self._numbers(), *self._target()]

    def _read(self) -> list[str]:
        """Return the lines that read the files, and remember which rows belong to a file of its own."""
        files = {"table": self._table.path, **self._table.files}
        if len(files) == 1:
            return [self._call(self._table.path, "table = ", self._selection(self._frames[0]))]
        head, tail = "columns = [", "]"
        lines = [filled(head, map(literal, self._used), tail)]
        names = [name.replace("table", "main") for name in files]
        for name, path in zip(names, files.values(), strict=True):
            lines.append(self._call(path, f"{name} = ", ".select(columns)"))
        lines.append('table = pl.concat([{}], how="vertical_relaxed")'.format(", ".join(names)))
        words = [f"[{literal('' if name == 'main' else name)}] * len({name})" for name in names]
        lines.append(f"belongs = np.array({' + '.join(words)})  # a file of its own is a split")
        return lines

    def _selection(self, frame: pl.DataFrame) -> str:
        """Return what leaves out the columns that are not used."""
        others = [name for name in frame.columns if name not in self._used]
        if not others:
            return ""
        if self._table.columns is None:
            return f".drop({', '.join(map(literal, others))})"
        return f".select([{', '.join(map(literal, self._used))}])"

    def _call(self, path: str, head: str, tail: str) -> str:
        arguments = [f"HERE / {literal(path_from(self._directory, self._subject, path))}"]
        if not self._csv:
            return call("pl.read_parquet", arguments, head=head, tail=tail)
        if (separator := getattr(self._table, "separator", ",")) != ",":
            arguments.append(f"separator={literal(separator)}")
        return call("pl.read_csv", [*arguments, "infer_schema=False"], head=head, tail=tail)

    def _refuse_patterns(self) -> None:
        """Refuse names that polars, in a script, would take for patterns.

        Raises:
            SpecError: FF018, with the name.
        """
        for name in self._used:
            if name == "*" or (name.startswith("^") and name.endswith("$")):
                message = f"polars takes a column's name {name!r} for a pattern, so a script cannot name the column"
                hint = "give the column another name"
                raise SpecError((Diagnostic(code="FF018", message=message, path=("dataset",), hint=hint),))

    def _kept(self) -> list[str]:
        """Return the lines that leave out blank rows, or rows without a target, where there are some."""
        if sum(frame.height for frame in self._frames) == len(self._subject.raw):
            return []
        condition = "~pl.all_horizontal(pl.all().is_null())"
        if self._table.missing_target == "drop":
            condition = f"pl.all_horizontal(pl.col({literal(self._table.targets)}).is_not_null())"
        if not self._table.files:
            return [f"table = table.filter({condition})"]
        return [
            f"kept = table.select({condition}).to_series().to_numpy()",
            "table, belongs = table.filter(kept), belongs[kept]",
        ]

    def _words(self) -> list[str]:
        """Return the lines that make texts of what is a category but is not written as one text."""
        lines = []
        categorical = set(self._table.categorical or ())
        for index, name in enumerate(self._names):
            if not is_word(self._subject, index):
                continue
            levels = set(self._subject.raw.levels[index])
            column = f"pl.col({literal(name)})"
            if levels <= {"true", "false"}:
                lowered = f"{column}.str.to_lowercase()" if self._csv else f"{column}.cast(pl.String)"
                lines.append(f"table = table.with_columns({lowered})")
            elif name in categorical and self._csv and (kind := _number_kind(levels)):
                whole = ".cast(pl.Int64)" if kind == "Int64" else ""
                lines.append(f"table = table.with_columns({column}.cast(pl.Float64){whole}.cast(pl.String))")
            elif not self._csv and (name in categorical or self._frames[0].schema[name] != pl.String):
                whole = ".cast(pl.Int64)" if name in categorical and _number_kind(levels) == "Int64" else ""
                lines.append(f"table = table.with_columns({column}{whole}.cast(pl.String))")
        return lines

    def _read_otherwise(self) -> list[str]:
        """Return the lines that make numbers of texts in order, and of dates."""
        lines = []
        parts: dict[str, list[str]] = {}
        for name, reading in self._readings.items():
            if isinstance(reading, DatePart):
                parts.setdefault(reading.column, []).append(reading.part)
                continue
            cast = "" if self._csv else ".cast(pl.String)"
            lines.append(filled("order = [", map(literal, reading.values), "]"))
            arguments = ["order", f"range({len(reading.values)})", "default=None", "return_dtype=pl.Float64"]
            lines.append(call(f"pl.col({literal(name)}){cast}.replace_strict", arguments, head="places = "))
            lines.append("table = table.with_columns(places)")
        for name, found in parts.items():
            lines.append(self._dates(name))
            items = []
            for part in found:
                expression = f"dates.{PARTS[part]}"
                if " " in expression:
                    expression = f"({expression})"
                items.append(f"{expression}.cast(pl.Float64).alias({literal(f'{name}.{part}')})")
            lines.append(call("table.with_columns", items, head="table = "))
        return lines

    def _dates(self, name: str) -> str:
        """Return the line that reads a column of dates."""
        return f"dates = {self._moments(name)}"

    def _moments(self, name: str) -> str:
        column = f"table[{literal(name)}]"
        if name in self.zoned:
            return f'pl.Series([moment(text) for text in {column}], dtype=pl.Datetime("us"))'
        return f'pl.Series({column}.to_numpy().astype("datetime64[us]"))'

    def _groups(self) -> list[str]:
        """Return the lines that number the values of the column that keeps rows together, in their order."""
        name = self._subject.spec.dataset.by
        if name is None:
            return []
        column = f"table[{literal(name)}]"
        found = comparable(pl.concat([frame.get_column(name) for frame in self._frames]), parse=self._csv)
        if name in self._table.orders:
            order = literal(self._table.orders[name])
            cast = "" if self._csv else ".cast(pl.String)"
            column += f"{cast}.replace_strict({order}, range({len(self._table.orders[name])}))"
        elif found.dtype.is_temporal():
            column = self._moments(name)
        elif self._csv and found.dtype.is_numeric():
            column += f".cast(pl.{found.dtype})"
        elif found.dtype == pl.String and not self._csv:
            column += ".cast(pl.String)"
        return [f'groups = {column}.rank("dense").to_numpy()']

    def _has_zones(self, name: str) -> bool:
        """Whether some texts of a column say in which zone a time is."""
        texts = [frame.get_column(name) for frame in self._frames]
        return any(series.dtype == pl.String and series.str.contains(r"(Z|[+-]\d\d:\d\d)$").any() for series in texts)

    def _target(self) -> list[str]:
        names = self._table.targets
        values = self._subject.raw.target.values
        if self._subject.target.classes is None:
            if len(names) == 1:
                return [f"y = table[{literal(names[0])}].cast(pl.Float64).to_numpy().reshape(-1, 1)"]
            return [f"y = table.select({literal(names)}).cast(pl.Float64).to_numpy()"]
        column = f"table[{literal(names[0])}]"
        texts = self._subject.raw.target.classes is not None or values.dtype.kind == "O"
        if texts:
            column += "" if self._csv else ".cast(pl.String)"
        elif self._csv and values.dtype.kind == "b":
            column += ".str.to_lowercase()"
        elif self._csv and values.dtype.kind in "iuf":
            column += ".cast(pl.Int64)" if values.dtype.kind in "iu" else ".cast(pl.Float64)"
        line = f"_, y = np.unique({column}, return_inverse=True)"
        return [f"{line}  # the classes in order, as numbers" if len(line) < 64 else line]

    def _numbers(self) -> list[str]:
        """Return the line that makes float64 of all numbers that are not."""
        own = pl.String if self._csv else pl.Float64
        names = [
            name
            for index, name in enumerate(self._names)
            if not is_word(self._subject, index)
            and name not in self._readings
            and (own == pl.String or self._frames[0].schema[name] != own)
        ]
        if not names:
            return []
        return [filled("table = table.with_columns(pl.col([", map(literal, names), "]).cast(pl.Float64))")]

    def matrix(self) -> list[str]:
        """Return the lines that make `x` of a table of numbers."""
        names = filled("features = [", map(literal, self._names), "]")
        return [names, "x = np.column_stack([table[name] for name in features])"]


def _number_kind(levels: set[str]) -> str | None:
    """Return the type of numbers that were made levels, or None for texts."""
    try:
        numbers = [float(level) for level in levels]
    except ValueError:
        return None
    if all(level.lstrip("-").isdigit() for level in levels):
        return "Int64"
    return (
        "Float64" if np.isfinite(numbers).all() and pl.Series([*levels]).cast(pl.Float64).is_not_nan().all() else None
    )
