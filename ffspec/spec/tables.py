"""Data from elsewhere: CSV and Parquet files, rows written in the spec itself, and arrays handed over in Python."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self, TypeAlias, final

from pydantic import ConfigDict, Field, model_validator

from ffspec.spec.base import Either, Node, Several, refuse, require
from ffspec.spec.sources import Known, Label, Numbers, Source

Column: TypeAlias = Annotated[str, Field(max_length=1000)]
"""A column's name; empty where the file's header leaves it so, as a table written with its row numbers does."""
Columns: TypeAlias = Annotated[Several[Column], Field(min_length=1, max_length=100_000)]
File: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096)]


class Orders(Node):
    """Columns of texts that have an order, each with its texts from the lowest to the highest."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Several[str], Field(min_length=2, max_length=1000)]]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, values in self.columns.items():
            for index, value in enumerate(values):
                require(value not in values[:index], f"must be named once, found '{value}' twice", name, index)
        return self

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The texts of each column."""
        return dict(self.__pydantic_extra__ or {})


class Table(Source):
    """A file with named columns."""

    sole: ClassVar[str | None] = "path"
    path: File = Field(description="The file, relative to the spec.")
    target: Annotated[Column | Columns, Either("a column's name or a list of them")] = Field(
        description="The column to predict, or several columns of numbers."
    )
    columns: Columns | None = Field(None, description="The columns to predict from; all others by default.")
    drop: Columns | None = Field(None, description="The columns to leave out.")
    categorical: Columns | None = Field(None, description="Columns of numbers to read as categories.")
    ordered: Orders | None = Field(
        None, description="Columns of texts to read as numbers 0, 1, 2 and so on: the texts of each, the lowest first."
    )
    dates: Columns | None = Field(
        None, description="Columns of dates: year, month, day, weekday, hour and minute, as far as they vary."
    )
    split_column: Column | None = Field(None, description="A column that says train, validation or test for each row.")
    weight: Column | None = Field(
        None, description="A column of weights, at least 0: how much each row counts in losses, metrics and baselines."
    )
    validation: File | None = Field(None, description="Another file, with the validation rows.")
    test: File | None = Field(None, description="Another file, with the test rows.")
    task: Literal["auto", "classification", "regression"] = Field(
        "auto", description="Whether the target is classes or numbers; auto: what the loss needs and the column holds."
    )
    missing_target: Literal["error", "drop"] = Field(
        "error", description="What becomes of rows without a target: an error, or they are left out."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        require(self.columns is None or self.drop is None, "must not stand beside 'columns': write one of them", "drop")
        for name in ("target", "columns", "drop", "categorical", "dates"):
            _unique(name, getattr(self, name))
        for column, path in self._named("columns", "drop", "categorical", "ordered", "dates"):
            require(column not in self.targets, f"must not name the target, found '{column}'", *path)
            require(column != self.split_column, f"must not name the split column, found '{column}'", *path)
            require(column != self.weight, f"must not name the weight, found '{column}'", *path)
        seen = set()
        for column, path in self._named("categorical", "ordered", "dates"):
            used = column not in (self.drop or ()) and (self.columns is None or column in self.columns)
            require(used, f"must name columns that are used, found '{column}'", *path)
            require(column not in seen, f"must be read in one way, but '{column}' is named in another list too", *path)
            seen.add(column)
        message = f"must not be the target, found '{self.split_column}'"
        require(self.split_column not in self.targets, message, "split_column")
        require(self.weight not in self.targets, f"must not be the target, found '{self.weight}'", "weight")
        for name in ("validation", "test"):
            message = "must not stand beside 'split_column', which already says where each row belongs"
            require(self.split_column is None or getattr(self, name) is None, message, name)
        classes = self.task == "classification"
        require(not classes or len(self.targets) == 1, "must name one column of classes, not several", "target")
        return self

    def _named(self, *fields: str) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        """Yield the columns that some fields name, with their places."""
        for field in fields:
            if field == "ordered":
                yield from ((column, (field, column)) for column in self.orders)
            else:
                yield from ((column, (field, index)) for index, column in enumerate(getattr(self, field) or ()))

    @property
    def orders(self) -> dict[str, tuple[str, ...]]:
        """The texts of each column that has an order."""
        return {} if self.ordered is None else self.ordered.columns

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def files(self) -> dict[str, str]:
        """The files that are a split of their own."""
        return {name: path for name in ("validation", "test") if (path := getattr(self, name)) is not None}

    def known(self) -> Known:
        """The kind of target, where `task` says it; several targets are values."""
        if len(self.targets) > 1:
            return Known(target="values", columns=len(self.targets))
        return Known(target={"auto": None, "classification": "classes", "regression": "values"}[self.task])


@final
class Csv(Table):
    """A text file with a header line; an empty cell is a missing value."""

    name: ClassVar[str] = "csv"
    separator: str = Field(",", min_length=1, max_length=1, description="What stands between two cells.")
    null_values: Annotated[Several[str], Field(max_length=100)] = Field(
        (), description="Texts that stand for a missing value, beside the empty cell."
    )

    @model_validator(mode="after")
    def _check_separator(self) -> Self:
        message = "must be one ASCII character that is neither a quote nor the end of a line"
        require(self.separator.isascii() and self.separator not in '"\r\n\0', message, "separator")
        return self


class Streaming(Node):
    """How rows are streamed from a file."""

    buffer_size: int = Field(
        262_144,
        ge=1,
        le=1_000_000_000,
        description="Rows in memory at a time, which are shuffled among each other; a row group at least, or 262,144 "
        "rows of a larger one.",
    )


@final
class Parquet(Table):
    """An Apache Parquet file."""

    name: ClassVar[str] = "parquet"
    streaming: Annotated[Streaming | bool, Either("true, false or a mapping with buffer_size")] = Field(
        False,
        description="Read the rows from the file in every pass, some at a time, instead of holding them in memory.",
    )

    @model_validator(mode="after")
    def _check_streaming(self) -> Self:
        message = "must be error where rows are streamed: drop the rows when the file is written"
        require(not self.streaming or self.missing_target == "error", message, "missing_target")
        return self

    @property
    def buffer(self) -> int | None:
        """The rows of the window that streamed rows are shuffled in; None where they are not streamed."""
        if isinstance(self.streaming, Streaming):
            return self.streaming.buffer_size
        return Streaming.model_construct().buffer_size if self.streaming else None


@final
class Inline(Source):
    """Rows written in the spec itself, for teaching."""

    name: ClassVar[str] = "inline"
    x: Annotated[
        Several[Annotated[float | Numbers, Either("a number or a list of numbers")]],
        Field(min_length=1, max_length=20_000),
    ] = Field(description="The rows: lists of numbers, or numbers where there is one feature.")
    y: Annotated[
        Several[Annotated[Label | Numbers, Either("a class, a number or a list of numbers")]],
        Field(min_length=1, max_length=20_000),
    ] = Field(description="The target of each row: a class, a number, or a list of numbers.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        width = len(self.rows[0])
        require(width > 0, "must have at least one number", "x", 0)
        for index, row in enumerate(self.rows):
            message = f"must have as many numbers as the first row: {width}, found {len(row)}"
            require(len(row) == width, message, "x", index)
        message = f"must have one target for each of the {len(self.x)} rows of x, found {len(self.y)}"
        require(len(self.y) == len(self.x), message, "y")
        first = self.y[0]
        for index, target in enumerate(self.y):
            message = "must be of the same kind as the first target"
            require(_kind(target) == _kind(first), message, "y", index)
            if isinstance(target, tuple) and isinstance(first, tuple):
                message = f"must have as many numbers as the first target: {len(first)}, found {len(target)}"
                require(len(target) == len(first) > 0, message, "y", index)
        return self

    @property
    def rows(self) -> tuple[tuple[float, ...], ...]:
        """The rows of x, each a tuple."""
        return tuple(row if isinstance(row, tuple) else (row,) for row in self.x)

    def known(self) -> Known:
        """All but the meaning of whole numbers, which the loss decides."""
        features, rows, first = len(self.rows[0]), len(self.x), self.y[0]
        if isinstance(first, tuple):
            return Known(features=features, target="values", columns=len(first), rows=rows)
        if isinstance(first, bool | str):
            return Known(features=features, target="classes", classes=len(set(self.y)), rows=rows, numeric=False)
        if any(not float(value).is_integer() for value in self.y if isinstance(value, int | float)):
            return Known(features=features, target="values", rows=rows)
        return Known(features=features, rows=rows, classes=len(set(self.y)))


@final
class Arrays(Source):
    """Arrays handed over in Python: `ffspec.run(spec, data=(X, y))`."""

    name: ClassVar[str] = "arrays"

    def known(self) -> Known:
        """Nothing, before they are there."""
        return Known(columns=None)


def _unique(name: str, columns: str | tuple[str, ...] | None) -> None:
    """Refuse a column named twice."""
    seen = set()
    for index, column in enumerate(columns if isinstance(columns, tuple) else ()):
        if column in seen:
            refuse(f"must be named once, found '{column}' twice", name, index)
        seen.add(column)


def _kind(target: object) -> str:
    """Return the kind of a target: whole numbers and fractions are one."""
    if isinstance(target, bool | str | tuple):
        return type(target).__name__
    return "number"
