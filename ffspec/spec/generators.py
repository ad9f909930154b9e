"""Data drawn at random: scikit-learn's generators under its own names, and the two classics it lacks."""

from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from ffspec.spec.base import Either, Several, require
from ffspec.spec.sources import (
    COLUMNS,
    NOISE,
    SAMPLES,
    SHUFFLE,
    STATE,
    Known,
    Numbers,
    Samples,
    Source,
    State,
    set_sizes,
    total,
)

Point = Several[float]
PerFeature = Annotated[
    float | Numbers | Literal["random"], Either("a number, a list with one for each feature, or 'random'")
]


class Generator(Source):
    """A data set drawn from one distribution, all splits together."""

    n_samples: Samples = Field(100, description=SAMPLES)
    random_state: State = Field(None, description=STATE)
    sole: ClassVar[str | None] = "n_samples"

    def sizes(self) -> dict[str, int] | None:
        """Return the sizes `n_samples` sets, if it does."""
        return set_sizes(self.n_samples)

    @property
    def rows(self) -> int:
        """The rows to draw for all splits."""
        return total(self.n_samples)


@final
class Blobs(Generator):
    """Gaussian clouds around centres, each centre a class, or as `labels` groups them."""

    name: ClassVar[str] = "blobs"
    n_features: int | None = Field(None, ge=1, le=COLUMNS, description="Features; 2, or as many as the centres have.")
    centers: Annotated[
        Annotated[int, Field(ge=1, le=10_000)] | Annotated[Several[Point], Field(min_length=1, max_length=10_000)],
        Either("a number of centres, or a list of points"),
    ] = Field(3, description="How many centres to draw, or the centres themselves.")
    cluster_std: Annotated[
        Annotated[float, Field(ge=0, le=1e6)] | Several[Annotated[float, Field(ge=0, le=1e6)]],
        Either("a number, or a list with one for each centre"),
    ] = Field(1.0, description="Standard deviation of the clouds, one for all or one for each.")
    center_box: Annotated[Numbers, Field(min_length=2, max_length=2)] = Field(
        (-10.0, 10.0), description="The interval the centres are drawn from."
    )
    labels: Several[Annotated[int, Field(ge=0, le=10_000)]] | None = Field(
        None, description="The class of each centre; by default each is its own."
    )
    shuffle: bool = Field(True, description=SHUFFLE)

    @model_validator(mode="after")
    def _check(self) -> Self:
        centres = self.n_centers
        if not isinstance(self.centers, int):
            for index, point in enumerate(self.centers):
                message = f"every centre must have {self.width} coordinates, found {len(point)}"
                require(len(point) == self.width and self.width > 0, message, "centers", index)
        if not isinstance(self.cluster_std, float):
            given = len(self.cluster_std)
            message = f"must have one number for each of the {centres} centres, found {given}"
            require(given == centres, message, "cluster_std")
        if self.labels is not None:
            given = len(self.labels)
            require(given == centres, f"must name the class of each of the {centres} centres, found {given}", "labels")
        low, high = self.center_box
        require(low <= high, f"must be an interval, found {low} and {high}", "center_box")
        return self

    @property
    def n_centers(self) -> int:
        """The number of centres."""
        return self.centers if isinstance(self.centers, int) else len(self.centers)

    @property
    def width(self) -> int:
        """The number of features."""
        if self.n_features is not None:
            return self.n_features
        return 2 if isinstance(self.centers, int) else len(self.centers[0])

    @property
    def classes(self) -> tuple[int, ...]:
        """The labels that can occur, in order."""
        return tuple(range(self.n_centers)) if self.labels is None else tuple(sorted(set(self.labels)))

    def known(self) -> Known:
        """Everything follows from the arguments."""
        return Known(features=self.width, target="classes", classes=len(self.classes), rows=self.rows)


@final
class Moons(Generator):
    """Two interleaving half circles."""

    name: ClassVar[str] = "moons"
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)
    shuffle: bool = Field(True, description=SHUFFLE)

    def known(self) -> Known:
        """Two features, two classes."""
        return Known(features=2, target="classes", classes=2, rows=self.rows)


@final
class Circles(Generator):
    """A circle inside another."""

    name: ClassVar[str] = "circles"
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)
    factor: float = Field(0.8, ge=0, lt=1, description="The inner radius as a part of the outer.")
    shuffle: bool = Field(True, description=SHUFFLE)

    def known(self) -> Known:
        """Two features, two classes."""
        return Known(features=2, target="classes", classes=2, rows=self.rows)


@final
class Classification(Generator):
    """Clusters at the corners of a hypercube, with redundant, repeated and useless features (Guyon 2003, Madelon)."""

    name: ClassVar[str] = "classification"
    n_features: int = Field(20, ge=1, le=COLUMNS, description="Features in all.")
    n_informative: int = Field(2, ge=1, le=COLUMNS, description="Features that carry the class.")
    n_redundant: int = Field(2, ge=0, le=COLUMNS, description="Random combinations of the informative features.")
    n_repeated: int = Field(0, ge=0, le=COLUMNS, description="Copies of informative and redundant features.")
    n_classes: int = Field(2, ge=2, le=10_000, description="Classes.")
    n_clusters_per_class: int = Field(2, ge=1, le=10_000, description="Clusters of each class.")
    weights: Several[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        None, description="The share of each class; the last may be left out."
    )
    flip_y: float = Field(0.01, ge=0, le=1, description="The share of rows whose class is drawn at random.")
    class_sep: float = Field(1.0, gt=0, le=1e6, description="The size of the hypercube: the larger, the easier.")
    hypercube: bool = Field(True, description="Clusters at the corners of a hypercube, or of a random polytope.")
    shift: PerFeature = Field(0.0, description="Added to the features.")
    scale: PerFeature = Field(1.0, description="Multiplies the features.")
    shuffle: bool = Field(True, description=SHUFFLE)

    @model_validator(mode="after")
    def _check(self) -> Self:
        useful = self.n_informative + self.n_redundant + self.n_repeated
        message = f"must be at least n_informative + n_redundant + n_repeated = {useful}, found {self.n_features}"
        require(self.n_features >= useful, message, "n_features")
        clusters = self.n_classes * self.n_clusters_per_class
        message = (
            f"must be large enough for n_classes * n_clusters_per_class = {clusters} corners: "
            f"at least {(clusters - 1).bit_length()}, found {self.n_informative}"
        )
        require((clusters - 1).bit_length() <= self.n_informative, message, "n_informative")
        if self.weights is not None:
            given, share = len(self.weights), sum(self.weights)
            message = f"must have one share for each of the {self.n_classes} classes, found {given}"
            require(given in (self.n_classes, self.n_classes - 1), message, "weights")
            require(share <= 1 + 1e-9, f"must not sum to more than 1, found {share:g}", "weights")
        for name in ("shift", "scale"):
            given = getattr(self, name)
            if isinstance(given, tuple):
                message = f"must have one number for each of the {self.n_features} features, found {len(given)}"
                require(len(given) == self.n_features, message, name)
        scales = self.scale if isinstance(self.scale, tuple) else (1.0 if self.scale == "random" else self.scale,)
        require(all(scale > 0 for scale in scales), "must be greater than 0", "scale")
        return self

    def known(self) -> Known:
        """Everything follows from the arguments."""
        return Known(features=self.n_features, target="classes", classes=self.n_classes, rows=self.rows)


@final
class Regression(Generator):
    """A random linear model of few informative features, with noise."""

    name: ClassVar[str] = "regression"
    n_features: int = Field(100, ge=1, le=COLUMNS, description="Features in all.")
    n_informative: int = Field(10, ge=0, le=COLUMNS, description="Features the target depends on.")
    n_targets: int = Field(1, ge=1, le=10_000, description="Target columns.")
    bias: float = Field(0.0, description="The constant term.")
    effective_rank: int | None = Field(None, ge=1, le=COLUMNS, description="Correlate the features: about this rank.")
    tail_strength: float = Field(0.5, ge=0, le=1, description="How much lies beyond effective_rank.")
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)
    shuffle: bool = Field(True, description=SHUFFLE)

    def known(self) -> Known:
        """Everything follows from the arguments."""
        return Known(features=self.n_features, target="values", columns=self.n_targets, rows=self.rows)


@final
class GaussianQuantiles(Generator):
    """One Gaussian cloud, cut into classes of equal size by nested spheres."""

    name: ClassVar[str] = "gaussian_quantiles"
    mean: Numbers | None = Field(None, description="The middle of the cloud; the origin by default.")
    cov: float = Field(1.0, ge=0, le=1e6, description="The variance of each feature.")
    n_features: int = Field(2, ge=1, le=COLUMNS, description="Features.")
    n_classes: int = Field(3, ge=2, le=10_000, description="Classes.")
    shuffle: bool = Field(True, description=SHUFFLE)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mean is not None:
            message = f"must have one number for each of the {self.n_features} features, found {len(self.mean)}"
            require(len(self.mean) == self.n_features, message, "mean")
        message = f"must be at least n_classes = {self.n_classes}, found {self.rows}"
        require(self.rows >= self.n_classes, message, "n_samples")
        return self

    def known(self) -> Known:
        """Everything follows from the arguments."""
        return Known(features=self.n_features, target="classes", classes=self.n_classes, rows=self.rows)


@final
class Friedman1(Generator):
    """10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4; further features mean nothing (Friedman 1991)."""

    name: ClassVar[str] = "friedman1"
    n_features: int = Field(10, ge=5, le=COLUMNS, description="Features; the first five matter.")
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)

    def known(self) -> Known:
        """One value."""
        return Known(features=self.n_features, target="values", rows=self.rows)


@final
class Friedman2(Generator):
    """sqrt(x0^2 + (x1 x2 - 1 / (x1 x3))^2), features of very different size (Friedman 1991)."""

    name: ClassVar[str] = "friedman2"
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)

    def known(self) -> Known:
        """Four features, one value."""
        return Known(features=4, target="values", rows=self.rows)


@final
class Friedman3(Generator):
    """arctan((x1 x2 - 1 / (x1 x3)) / x0) (Friedman 1991)."""

    name: ClassVar[str] = "friedman3"
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)

    def known(self) -> Known:
        """Four features, one value."""
        return Known(features=4, target="values", rows=self.rows)


@final
class SCurve(Generator):
    """A sheet bent into an S; the target is the position along the curve."""

    name: ClassVar[str] = "s_curve"
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)

    def known(self) -> Known:
        """Three features, one value."""
        return Known(features=3, target="values", rows=self.rows)


@final
class SwissRoll(Generator):
    """A rolled sheet; the target is the position along the curve."""

    name: ClassVar[str] = "swiss_roll"
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)
    hole: bool = Field(False, description="Leave a hole in the sheet.")

    def known(self) -> Known:
        """Three features, one value."""
        return Known(features=3, target="values", rows=self.rows)


@final
class Xor(Generator):
    """The corners of the unit square in turn, the class their exclusive or: without noise, a truth table."""

    name: ClassVar[str] = "xor"
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)

    def known(self) -> Known:
        """Two features, two classes."""
        return Known(features=2, target="classes", classes=2, rows=self.rows)


@final
class Spirals(Generator):
    """Arms of a spiral around the origin, each a class (Lang and Witbrock 1988)."""

    name: ClassVar[str] = "spirals"
    n_classes: int = Field(2, ge=2, le=1_000, description="Arms.")
    turns: float = Field(1.5, gt=0, le=100, description="Turns of each arm around the origin.")
    noise: float = Field(0.0, ge=0, le=1e6, description=NOISE)

    def known(self) -> Known:
        """Two features, a class for each arm."""
        return Known(features=2, target="classes", classes=self.n_classes, rows=self.rows)
