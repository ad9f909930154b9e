"""`dataset`: where the rows come from, how they are split, and how they are prepared."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, cast

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ffspec.seeds import derive
from ffspec.spec import generators, packaged, tables
from ffspec.spec.base import Component, Either, Family, Node, Plain, details_of, require
from ffspec.spec.facts import SPLITS, Facts, TargetKind
from ffspec.spec.sources import Count, Source
from ffspec.suggest import suggest

CELLS = 250_000_000
"""The most numbers a generator may draw: two gigabytes of them."""

SOURCES: tuple[type[Source], ...] = (
    generators.Blobs,
    generators.Moons,
    generators.Circles,
    generators.Classification,
    generators.Regression,
    generators.GaussianQuantiles,
    generators.Friedman1,
    generators.Friedman2,
    generators.Friedman3,
    generators.SCurve,
    generators.SwissRoll,
    generators.Xor,
    generators.Spirals,
    packaged.Iris,
    packaged.Wine,
    packaged.BreastCancer,
    packaged.Digits,
    packaged.Diabetes,
    tables.Csv,
    tables.Parquet,
    tables.Inline,
    tables.Arrays,
)

FAMILY = Family("dataset", "ffspec.spec.dataset:SOURCES")
OPTIONS = ("split", "prepare")
"""The keys that may stand beside the source."""

Share: TypeAlias = Annotated[
    Count | Annotated[float, Field(gt=0, lt=1)], Either("a fraction between 0 and 1 or a number of rows")
]


class Split(Node):
    """How many rows go where: fractions of all rows, or numbers of rows."""

    train: Share | None = Field(None, description="Rows to train on; what the others leave, if left out.")
    validation: Share | None = Field(None, description="Rows to choose the epoch by; none if left out.")
    test: Share | None = Field(
        None, description="Rows to report on; if left out: none, or what the others leave if train is given."
    )
    stratify: bool | None = Field(
        None, description="Give each split its share of every class; by default where classes have enough rows."
    )
    shuffle: bool = Field(True, description="Draw the rows of a split at random, or take them in order.")
    by: str | None = Field(
        None,
        max_length=1000,
        description="Rows with the same value of this column stay together; with shuffle: false they are taken in its "
        "order. It is no feature, unless the source names it.",
    )
    folds: int | None = Field(
        None, ge=2, le=1000, description="Test on one of so many equal parts; validation is a share of the others."
    )
    fold: int | None = Field(None, ge=1, le=1000, description="Which part to test on; the first if left out.")
    seed: int | None = Field(
        None, ge=0, le=2**53, description="What the rows are drawn by, so that it stays; the spec's seed if left out."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("train", "test") if self.folds is not None else ():
            message = "must not stand beside 'folds': one part is for testing, and the others are for training"
            require(getattr(self, name) is None, message, name)
        require(self.fold is None or self.folds is not None, "must stand beside 'folds', the number of parts", "fold")
        if self.folds is not None and self.fold is not None:
            require(self.fold <= self.folds, f"must be at most {self.folds}, the number of parts", "fold")
        parts = [Fraction(str(part)) for part in (self.train, self.validation, self.test) if isinstance(part, float)]
        message = f"fractions must not sum to more than 1, found {float(sum(parts)):g}"
        require(sum(parts) <= 1, message)
        message = "must leave rows to train on: validation and test together must be less than 1"
        require(self.train is not None or sum(parts) < 1, message)
        message = "must not stand beside 'shuffle: false': rows taken in order cannot be stratified"
        require(self.shuffle or not self.stratify, message, "stratify")
        message = "must not stand beside 'shuffle: false': rows taken in order are not drawn"
        require(self.shuffle or self.seed is None, message, "seed")
        message = "must not stand beside 'by': what stays together cannot be shared out class by class"
        require(self.by is None or not self.stratify, message, "stratify")
        return self

    @property
    def sized(self) -> bool:
        """Whether it says a size."""
        return any(part is not None for part in (self.train, self.validation, self.test, self.folds))

    def rows(self, total: int) -> dict[str, int]:
        """Return the size of each split of `total` rows; a split of no rows is absent.

        A fraction of the training rows is rounded down and of the others up, as scikit-learn does. Sizes may not fit:
        see `sizes_of`.
        """
        if self.folds is not None:
            return self._fold_rows(total, self.folds)
        train, validation, test = self.train, self.validation, self.test if self.sized else DEFAULT_TEST
        sizes = {"validation": _size(validation, total, ceil), "test": _size(test, total, ceil)}
        rest = total - sum(sizes.values())
        sizes["train"] = rest if train is None else _size(train, total, floor)
        if train is not None and test is None:
            sizes["test"] = max(rest - sizes["train"], 0)
        return {name: sizes[name] for name in SPLITS if sizes[name] or name == "train"}

    def _fold_rows(self, total: int, folds: int) -> dict[str, int]:
        test = total // folds + ((self.fold or 1) <= total % folds)
        validation = _size(self.validation, total - test, ceil)
        sizes = {"train": total - test - validation, "validation": validation, "test": test}
        return {name: size for name, size in sizes.items() if size or name != "validation"}


DEFAULT_TEST = 0.2
"""The part of the rows to test on where nothing else is said."""


class Prepare(Node):
    """What is done to the features; whatever is fitted is fitted on the training split."""

    scale: Literal["none", "standardize", "minmax", "robust", "quantile"] = Field(
        "none",
        description="standardize: mean 0, deviation 1; minmax: from 0 to 1; robust: median 0, interquartile range 1; "
        "quantile: to a normal distribution, by rank.",
    )
    smooth_clip: float | None = Field(
        None, gt=0, description="Bound c of scaled numbers: x becomes x / sqrt(1 + (x / c)^2); none if left out."
    )
    missing: Literal["error", "median", "mean", "most_frequent"] = Field(
        "error",
        description="What stands in for a missing number; unless an error, a missing category counts as unknown.",
    )
    missing_indicator: bool = Field(
        False, description="Another feature for each column of numbers with gaps in training: 1 where one was filled."
    )
    categories: Literal["one_hot", "codes"] = Field(
        "one_hot",
        description="one_hot: a feature for each level, and one for unknown ones; codes: one feature, the index of the "
        "level, for an embedding.",
    )
    min_rows: int = Field(
        1, ge=1, le=1_000_000_000, description="Levels with fewer training rows count as unknown, which so is trained."
    )

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        return {"scale": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        message = "needs numbers to be filled: write missing: median (or mean, most_frequent) beside it"
        require(not self.missing_indicator or self.missing != "error", message, "missing_indicator")
        return self

    def written(self, arguments: dict[str, Plain]) -> Plain:
        """Write the scale alone where it is all there is."""
        return arguments["scale"] if list(arguments) == ["scale"] else dict(arguments)


AnySplit: TypeAlias = Annotated[Split | Literal["none"], Either("'none' or a mapping with train, validation and test")]


class Dataset(Node):
    """A source of rows, alone or beside `split` and `prepare`.

    Written `dataset: iris`, or `dataset: {csv: {...}, split: {...}, prepare: {...}}`.
    """

    family: ClassVar[Family] = FAMILY
    source: Annotated[Source, FAMILY] = Field(description="Where the rows come from.")
    split: AnySplit | None = Field(
        None, description="How many rows go where; by default a fifth to test on. none: train on all of them."
    )
    prepare: Prepare = Field(Prepare.model_construct(), description="What is done to the features.")

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, cls):
            return value
        fields, problems = _fields(value)
        try:
            node = handler(fields)
        except ValidationError as failure:
            for details in details_of(failure):
                if details["loc"] != ("source",) or details["type"] != "missing":
                    loc = details["loc"][1:] if details["loc"][:1] == ("source",) else details["loc"]
                    problems.append({**details, "loc": loc})
        else:
            if not problems:
                return node
        raise ValidationError.from_exception_data("dataset", problems)

    @model_validator(mode="after")
    def _check(self) -> Self:
        sized = isinstance(self.split, Split) and self.split.sized
        if self.source.sizes() is not None:
            message = "must not say sizes, because n_samples already gives the rows of each split"
            require(self.split != "none" and not sized, message, "split")
        named = isinstance(self.source, tables.Table | tables.Arrays)
        message = f"must name a column, but {self.source.name} has no columns with names: take a csv, parquet or arrays"
        require(self.by is None or named, message, "split", "by")
        if isinstance(self.source, tables.Table):
            self._check_table(self.source)
        known = self.source.known()
        if known.rows is not None and known.features is not None:
            cells = known.rows * (known.features + (known.columns or 0))
            require(cells <= CELLS, f"must hold at most {CELLS:,} numbers in all, found {cells:,}", self.source.name)
        if known.rows is not None and self.source.sizes() is None:
            fault = misfit(self.split, known.rows)
            require(fault is None, fault or "", "split")
        return self

    def split_seed(self, seed: int) -> int:
        """Return the seed of the stream that rows are divided by; `seed` is the spec's."""
        own = self.split.seed if isinstance(self.split, Split) else None
        return derive(seed if own is None else own, "split")

    @property
    def buffer(self) -> int | None:
        """The rows in memory at a time, where they are streamed; else None."""
        return self.source.buffer if isinstance(self.source, tables.Parquet) else None

    @property
    def by(self) -> str | None:
        """The column whose values keep rows together."""
        return self.split.by if isinstance(self.split, Split) else None

    def _check_table(self, table: tables.Table) -> None:
        for name in ("stratify", "by", "folds") if isinstance(table, tables.Parquet) and table.streaming else ():
            message = "must be left out where rows are streamed: which split a row is in is decided group by group"
            require(not getattr(self.split, name, None), message, "split", name)
        require(self.by not in table.targets, f"must not be the target, found '{self.by}'", "split", "by")
        if table.split_column is not None:
            message = "must not stand beside 'split_column', which says where each row belongs"
            require(self.split is None, message, "split")
        for name in table.files:
            if isinstance(self.split, Split):
                message = f"must not stand beside '{table.name}.{name}', which says what is tested on"
                require(self.split.folds is None, message, "split", "folds")
                message = f"must not stand beside '{table.name}.{name}', which names the file of that split"
                require(getattr(self.split, name) is None, message, "split", name)

    def written(self, arguments: dict[str, Plain]) -> Plain:
        """Write the source as the one key that is neither `split` nor `prepare`."""
        source = arguments["source"]
        options = {name: value for name, value in arguments.items() if name != "source"}
        if not options:
            return source
        return {**({source: {}} if isinstance(source, str) else cast("dict[str, Plain]", source)), **options}

    def facts(self, wants: TargetKind | None = None) -> Facts:
        """Return what is known without reading or drawing a row.

        `wants` is the kind of target the loss needs: it decides where the targets are whole numbers, which may be
        either. `rows` is empty where even the names of the splits are unknown.
        """
        known = self.source.known()
        target, outputs = known.settled(wants)
        return Facts(
            features=known.features,
            target=target,
            outputs=outputs,
            rows=self._rows(known.rows),
            # What is known unread has no categories: those are in tables.
            levels=None if known.features is None else (0,) * known.features,
        )

    def _rows(self, total: int | None) -> dict[str, int | None]:
        sizes = self.source.sizes()
        if sizes is not None:
            return dict(sizes)
        if total is not None:
            return dict(sizes_of(self.split, total))
        if isinstance(self.source, tables.Arrays):
            return {}
        if isinstance(self.source, tables.Table) and (self.source.split_column or self.source.files):
            return self._table_rows(self.source)
        return _names_of(self.split)

    def _table_rows(self, table: tables.Table) -> dict[str, int | None]:
        if table.split_column is not None:
            return {}
        named = {**_names_of(self.split or "none"), **dict.fromkeys(table.files)}
        return {name: named[name] for name in SPLITS if name in named}


def sizes_of(split: AnySplit | None, total: int) -> dict[str, int]:
    """Return the rows of each split of `total` rows, in the order train, validation, test."""
    return {"train": total} if split == "none" else (split or Split.model_construct()).rows(total)


def misfit(split: AnySplit | None, total: int) -> str | None:
    """Say why `total` rows cannot be split so, or return None."""
    sizes = sizes_of(split, total)
    others = {name: size for name, size in sizes.items() if name != "train"}
    asked = " and ".join(f"{name} {size}" for name, size in others.items())
    if isinstance(split, Split) and split.folds is not None and total < split.folds:
        return f"must give every one of the {split.folds} parts a row, found {total} in all"
    if sizes["train"] < 1:
        return f"must leave rows to train on, found {asked} of {total}"
    if sum(sizes.values()) > total:
        return f"must fit into the {total} rows there are, found train {sizes['train']} and {asked}"
    return None


def _names_of(split: AnySplit | None) -> dict[str, int | None]:
    """Return the splits of an unknown number of rows, with those sizes that are numbers of rows."""
    if split == "none":
        return {"train": None}
    chosen = split or Split.model_construct()
    parts = {"train": chosen.train or 1.0, "validation": chosen.validation, "test": chosen.test}
    if chosen.folds is not None:
        parts["test"] = 1 / chosen.folds
    if not chosen.sized or (chosen.train is not None and chosen.test is None):
        parts["test"] = DEFAULT_TEST
    sure = chosen.by is None  # else the groups decide
    return {name: part if isinstance(part, int) and sure else None for name, part in parts.items() if part is not None}


def _size(part: float | None, total: int, rounded: Any) -> int:
    if part is None:
        return 0
    # The decimal fraction that was written, not the binary one beside it: 0.07 of 100 rows are 7, not 8.
    return part if isinstance(part, int) else int(rounded(Fraction(str(part)) * total))


def _fields(value: Any) -> tuple[Any, list[InitErrorDetails]]:
    """Turn the notation into fields, and list what is wrong with its keys."""
    if isinstance(value, str | Component):
        return {"source": value}, []
    if not isinstance(value, Mapping):
        return value, []
    if isinstance(value.get("source"), Component):
        return value, []
    named = [key for key in value if FAMILY.find(key) is not None]
    strange = [key for key in value if key not in OPTIONS and key not in named]
    if not named:
        # The first strange key that is no slip for an option is meant to be the source.
        named = [key for key in strange if suggest(str(key), OPTIONS) is None][:1]
    fields = {key: value[key] for key in OPTIONS if key in value}
    problems: list[InitErrorDetails] = []
    if len(named) == 1:
        fields["source"] = {named[0]: value[named[0]]}
        strange = [key for key in strange if key != named[0]]
    else:
        found = " and ".join(named) or "none"
        error = PydanticCustomError(
            "dataset_source", "must name one source of data, found {found}", {"found": found, "choices": FAMILY.names}
        )
        problems.append({"type": error, "loc": (), "input": value})
    for key in strange:
        error = PydanticCustomError("unknown_key", "unknown key '{found}'", {"found": str(key), "choices": OPTIONS})
        problems.append({"type": error, "loc": (key,), "input": value[key]})
    return fields, problems
