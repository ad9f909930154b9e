"""The layers that embed columns: they stand in front, where each feature is still a column of its own."""

from math import pi, sqrt
from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from ffspec.spec.base import Component, Either, require
from ffspec.spec.facts import Levels
from ffspec.spec.inits import Normal, Uniform, Zeros
from ffspec.spec.kinds import ColumnLayer
from ffspec.spec.step import Call, Shape, Step, times

DIMENSIONS = 600
"""The most numbers that `auto` gives an embedding of codes."""


@final
class Periodic(ColumnLayer):
    """Each column of numbers as waves of learnt frequencies, then a linear of its own; other columns pass through.

    plr: relu(W [cos(2 pi c x), sin(2 pi c x)] + b) (Gorishniy et al. 2022, arXiv 2203.05556, section 3.3); pbld:
    [W cos(2 pi c x + p) + b, x] (Holzmüller et al. 2024, arXiv 2407.04491). c starts normal, p uniform on [-pi, pi).
    """

    name: ClassVar[str] = "periodic"
    sole: ClassVar[str | None] = "variant"
    variant: Literal["plr", "pbld"] = Field("plr", description="With sines and relu, or with phases and x itself.")
    d_embedding: int | None = Field(
        None, ge=2, le=1000, description="Numbers a column becomes; left out, 24 with plr and 4 with pbld."
    )
    n_frequencies: int | None = Field(
        None, ge=1, le=1000, description="Waves of a column; left out, 48 with plr and 16 with pbld."
    )
    frequency_init_scale: float | None = Field(
        None, gt=0, le=1e6, description="The deviation c starts with; left out, 0.01 with plr and 0.1 with pbld."
    )
    lite: bool = Field(False, description="Whether all columns share W and b; plr only.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        require(not self.lite or self.variant == "plr", "lite must not stand beside 'variant: pbld'")
        return self

    def of_columns(self, shape: Shape, levels: Levels | None) -> Step:
        """Make d_embedding numbers of each number; 3 operations a wave, and a multiply-add for each weight."""
        dense = self.variant == "pbld"
        width = self.d_embedding or (4 if dense else 24)
        waves = self.n_frequencies or (16 if dense else 48)
        scale = self.frequency_init_scale or (0.1 if dense else 0.01)
        numbers, others = _numbers(levels)
        if numbers == 0:
            return Step(call=Call("nn.Identity"), input=shape, output=shape)
        inputs, outputs = (waves, width - 1) if dense else (2 * waves, width)
        shared = 1 if self.lite else numbers
        given = {"num_features": shape[-1], "d_embedding": width, "n_frequencies": waves}
        starts: dict[str, Component] = {"frequencies": Normal(std=scale)}
        if dense:
            starts["phases"] = Uniform(a=-pi, b=pi)
        else:
            given["lite"] = self.lite
        return Step(
            call=Call(f"ffspec.{self.variant.upper()}", {**given, "numbers": _chosen(levels)}),
            input=shape,
            output=(_sum(times(numbers, width), others),),
            parameters=_sum(times(numbers, waves * (2 if dense else 1)), times(shared, (inputs + 1) * outputs)),
            flops=times(numbers, (3 * inputs) + (2 * inputs + 1) * outputs),
            initialisers={**starts, **_linear(inputs)},
        )

    def levels_behind(self, levels: Levels) -> Levels:
        """Return what is behind: parts of numbers, and the others."""
        width = self.d_embedding or (4 if self.variant == "pbld" else 24)
        return _behind(levels, width)


@final
class PiecewiseLinear(ColumnLayer):
    """Each column of numbers by how far it reaches through bins, then a linear of its own; other columns pass through.

    The bins are quantiles of the training rows, so that the scale of a column does not matter (Gorishniy et al. 2022,
    arXiv 2203.05556, sections 3.1 and 3.2.1).
    """

    name: ClassVar[str] = "piecewise_linear"
    sole: ClassVar[str | None] = "d_embedding"
    d_embedding: int = Field(24, ge=1, le=1000, description="Numbers a column becomes.")
    n_bins: int = Field(
        48, ge=2, le=1000, description="Bins of a column; fewer where rows repeat values, or are fewer than 20 a bin."
    )
    activation: Literal["relu"] | None = Field(None, description="What follows the linear; nothing if left out.")
    skip: bool = Field(
        False, description="Whether a linear of the number itself is added; what the bins say then starts at zero."
    )

    def of_columns(self, shape: Shape, levels: Levels | None) -> Step:
        """Make d_embedding numbers of each number; 4 operations a bin, and a multiply-add for each weight."""
        numbers, others = _numbers(levels)
        if numbers == 0:
            return Step(call=Call("nn.Identity"), input=shape, output=shape)
        given = {"num_features": shape[-1], "d_embedding": self.d_embedding, "n_bins": self.n_bins}
        return Step(
            call=Call(
                "ffspec.PiecewiseLinear",
                {**given, "activation": self.activation is not None, "skip": self.skip, "numbers": _chosen(levels)},
            ),
            input=shape,
            output=(_sum(times(numbers, self.d_embedding), others),),
            parameters=times(numbers, (self.n_bins + 1 + self.skip) * self.d_embedding),
            flops=times(numbers, 4 * self.n_bins + (2 * (self.n_bins + self.skip) + 1) * self.d_embedding),
            initialisers=SKIPPING if self.skip else _linear(self.n_bins),
        )

    def levels_behind(self, levels: Levels) -> Levels:
        """Return what is behind: parts of numbers, and the others."""
        return _behind(levels, self.d_embedding)


SKIPPING: dict[str, Component] = {"weight": Zeros(), "bias": Normal(std=0.5), "direct": Normal()}
"""How a piecewise_linear with a skip starts: as a linear of the number (version B of the authors'
package)."""


@final
class Embedding(ColumnLayer):
    """A learnt vector for each level of each column of codes (torch.nn.Embedding); other columns pass through.

    `auto` gives n levels min(600, round(1.6 n^0.56)) numbers, the rule of fastai's tabular models. The columns of codes
    come from `prepare: {categories: codes}`; without one, nothing is done.
    """

    name: ClassVar[str] = "embedding"
    sole: ClassVar[str | None] = "d_embedding"
    exact: ClassVar[bool] = True
    d_embedding: Annotated[
        Annotated[int, Field(ge=1, le=10_000)] | Literal["auto"],
        Either("a whole number or 'auto'"),
        Field(description="Numbers a code becomes; auto: more of them the more levels there are."),
    ] = "auto"

    def of_columns(self, shape: Shape, levels: Levels | None) -> Step:
        """Look each code up: nothing to compute."""
        if levels is None:
            return Step(call=Call("ffspec.Embedding"), input=shape, output=(None,), parameters=None)
        codes = tuple(column for column, level in enumerate(levels) if level > 1)
        if not codes:
            return Step(call=Call("nn.Identity"), input=shape, output=shape)
        counts = tuple(levels[column] for column in codes)
        dimensions = tuple(map(self.dimension, counts))
        return Step(
            call=Call(
                "ffspec.Embedding",
                {"num_features": shape[-1], "codes": codes, "levels": counts, "dimensions": dimensions},
            ),
            input=shape,
            output=(sum(dimensions) + len(levels) - len(codes),),
            parameters=sum(count * dimension for count, dimension in zip(counts, dimensions, strict=True)),
            initialisers={"weight": Normal()},
        )

    def levels_behind(self, levels: Levels) -> Levels:
        """Return what is behind: parts of codes, and the others."""
        parts = sum(self.dimension(level) for level in levels if level > 1)
        return (*(1,) * parts, *(level for level in levels if level < 2))

    def dimension(self, levels: int) -> int:
        """Return the numbers that a code among so many levels becomes."""
        return min(DIMENSIONS, round(1.6 * levels**0.56)) if self.d_embedding == "auto" else self.d_embedding


COLUMN_LAYERS: tuple[type[ColumnLayer], ...] = (Periodic, PiecewiseLinear, Embedding)


def _numbers(levels: Levels | None) -> tuple[int | None, int | None]:
    """Return how many columns are numbers, and how many are not."""
    if levels is None:
        return None, None
    numbers = levels.count(0)
    return numbers, len(levels) - numbers


def _chosen(levels: Levels | None) -> tuple[int, ...] | None:
    """Return the columns of numbers; None if they are all, or not known."""
    if levels is None or not any(levels):
        return None
    return tuple(column for column, level in enumerate(levels) if level == 0)


def _behind(levels: Levels, width: int) -> Levels:
    return (*(1,) * (levels.count(0) * width), *(level for level in levels if level))


def _linear(inputs: int) -> dict[str, Component]:
    """Return how weight and bias of a linear start in PyTorch: uniform within 1 / sqrt(inputs)."""
    bound = 1 / sqrt(inputs)
    return {name: Uniform(a=-bound, b=bound) for name in ("weight", "bias")}


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second
