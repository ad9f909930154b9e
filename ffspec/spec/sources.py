"""What every data source has in common: its interface, what is known of it unread, and the types its fields share."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias, cast

from pydantic import Field

from ffspec.spec.base import Component, Either, Node, Several
from ffspec.spec.facts import SPLITS, TargetKind

"""The names of the splits, in the order everything lists them."""

ROWS = 10_000_000
"""The largest number of rows a spec may ask for."""

COLUMNS = 100_000
"""The largest number of features a spec may ask for."""

FEW = 20
"""Whole numbers of which there are at most so many different ones are classes, unless something says otherwise."""

Count: TypeAlias = Annotated[int, Field(ge=1, le=ROWS)]
Label: TypeAlias = bool | int | float | str
"""The name of a class, or a number, as a spec or a table has it."""


class Sizes(Node):
    """The exact size of each split of a generated data set."""

    train: Count = Field(description="Rows to train on.")
    validation: Count | None = Field(None, description="Rows to choose the epoch by.")
    test: Count | None = Field(None, description="Rows to report on.")

    def rows(self) -> dict[str, int]:
        """Return the size of every split that exists."""
        found = {name: getattr(self, name) for name in SPLITS}
        return {name: size for name, size in found.items() if size is not None}


Samples: TypeAlias = Annotated[
    Count | Sizes, Either("a number of rows, or a mapping with the rows of train, validation and test")
]
State: TypeAlias = Annotated[int, Field(ge=0, le=2**32 - 1)] | None
Numbers: TypeAlias = Several[float]

SAMPLES = "Rows in all, or the exact size of each split: {train: 40, test: 10}."
STATE = "The seed of the draw; derived from the spec's seed if left out."
NOISE = "Standard deviation of the Gaussian noise."
SHUFFLE = "Draw the rows (and, where they carry meaning, the features) in random order."


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a source's arguments tell without reading or drawing a row; None where only the data can tell."""

    features: int | None = None
    rows: int | None = None
    target: TargetKind | None = None
    """None where the loss or the data decide."""
    classes: int | None = None
    """The number of classes; for a target that may be either, what it would be if it were classes."""
    columns: int | None = 1
    """The number of target columns."""
    numeric: bool = True
    """Whether class labels are numbers, so that a loss on values may use them as such."""

    def settled(self, wants: TargetKind | None) -> tuple[TargetKind | None, int | None]:
        """Return the kind of target and its outputs, with whole numbers read as the loss needs them.

        If it needs nothing in particular, they are what they look like.
        """
        target = self.target
        if target is None:
            looks = None if self.classes is None else "classes" if self.classes <= FEW else "values"
            target = wants or cast("TargetKind | None", looks)
        elif target == "classes" and wants == "values" and self.numeric:
            target = "values"
        return target, {"classes": self.classes, "values": self.columns, None: None}[target]


class Source(Component):
    """Where rows come from."""

    @abstractmethod
    def known(self) -> Known:
        """Return what the arguments tell of the data."""

    def sizes(self) -> Mapping[str, int] | None:
        """Return the size of each split where the source itself sets them."""
        return None


def total(samples: int | Sizes) -> int:
    """Return the number of rows to draw."""
    return samples if isinstance(samples, int) else sum(samples.rows().values())


def set_sizes(samples: int | Sizes) -> dict[str, int] | None:
    """Return the size of each split if `n_samples` sets them."""
    return None if isinstance(samples, int) else samples.rows()
