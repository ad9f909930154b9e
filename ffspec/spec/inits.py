"""Initialisers of a layer's parameters: torch.nn.init's, by its names without the underscore.

All are drawn portably by the builder (float64 uniforms, then scaled and cast), so a seed gives the same weights on
every CPU.
"""

from typing import ClassVar, Literal, Self, TypeAlias, final

from pydantic import Field, model_validator

from ffspec.spec.base import ordered
from ffspec.spec.kinds import Init

Nonlinearity: TypeAlias = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
Fan: TypeAlias = Literal["fan_in", "fan_out"]


@final
class Uniform(Init):
    """Uniform on [a, b)."""

    name: ClassVar[str] = "uniform"
    a: float = Field(0.0, description="The lower bound.")
    b: float = Field(1.0, description="The upper bound.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        ordered(self.a, self.b, "a and b")
        return self


@final
class Normal(Init):
    """The normal distribution."""

    name: ClassVar[str] = "normal"
    mean: float = Field(0.0, description="The mean.")
    std: float = Field(1.0, ge=0, le=1e6, description="The standard deviation.")


@final
class TruncNormal(Init):
    """The normal distribution between a and b."""

    name: ClassVar[str] = "trunc_normal"
    mean: float = Field(0.0, description="The mean of the untruncated distribution.")
    std: float = Field(1.0, gt=0, le=1e6, description="The standard deviation of the untruncated distribution.")
    a: float = Field(-2.0, description="The smallest value.")
    b: float = Field(2.0, description="The largest value.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        ordered(self.a, self.b, "a and b")
        return self


@final
class Constant(Init):
    """One value everywhere. On a weight with several inputs this keeps all units of the layer equal for ever."""

    name: ClassVar[str] = "constant"
    sole: ClassVar[str | None] = "val"
    val: float = Field(description="The value.")


@final
class Ones(Init):
    """1 everywhere."""

    name: ClassVar[str] = "ones"


@final
class Zeros(Init):
    """0 everywhere."""

    name: ClassVar[str] = "zeros"


@final
class Eye(Init):
    """The identity matrix."""

    name: ClassVar[str] = "eye"


@final
class XavierUniform(Init):
    """Uniform within gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""

    name: ClassVar[str] = "xavier_uniform"
    sole: ClassVar[str | None] = "gain"
    gain: float = Field(1.0, ge=0, le=1e6, description="The scale.")


@final
class XavierNormal(Init):
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""

    name: ClassVar[str] = "xavier_normal"
    sole: ClassVar[str | None] = "gain"
    gain: float = Field(1.0, ge=0, le=1e6, description="The scale.")


@final
class KaimingUniform(Init):
    """Uniform within gain * sqrt(3 / fan) (He et al. 2015, arXiv 1502.01852)."""

    name: ClassVar[str] = "kaiming_uniform"
    a: float = Field(0.0, ge=0, le=1e6, description="The negative slope, with leaky_relu.")
    mode: Fan = Field("fan_in", description="Keep the variance of the forward pass (fan_in) or the backward (fan_out).")
    nonlinearity: Nonlinearity = Field("leaky_relu", description="The activation that follows: it sets the gain.")


@final
class KaimingNormal(Init):
    """Normal with standard deviation gain / sqrt(fan) (He et al. 2015, arXiv 1502.01852)."""

    name: ClassVar[str] = "kaiming_normal"
    a: float = Field(0.0, ge=0, le=1e6, description="The negative slope, with leaky_relu.")
    mode: Fan = Field("fan_in", description="Keep the variance of the forward pass (fan_in) or the backward (fan_out).")
    nonlinearity: Nonlinearity = Field("leaky_relu", description="The activation that follows: it sets the gain.")


@final
class Orthogonal(Init):
    """A random orthogonal matrix (Saxe et al. 2013, arXiv 1312.6120)."""

    name: ClassVar[str] = "orthogonal"
    sole: ClassVar[str | None] = "gain"
    gain: float = Field(1.0, ge=0, le=1e6, description="The scale.")


@final
class Sparse(Init):
    """Normal, with a fraction of every column set to zero (Martens 2010)."""

    name: ClassVar[str] = "sparse"
    sole: ClassVar[str | None] = "sparsity"
    sparsity: float = Field(ge=0, le=1, description="The fraction of each column that is zero.")
    std: float = Field(0.01, ge=0, le=1e6, description="The standard deviation of the others.")


INITS: tuple[type[Init], ...] = (
    Uniform, Normal, TruncNormal, Constant, Ones, Zeros, Eye, XavierUniform, XavierNormal,
    KaimingUniform, KaimingNormal, Orthogonal, Sparse,
)  # fmt: skip
VECTOR_INITS: tuple[type[Init], ...] = (Uniform, Normal, TruncNormal, Constant, Ones, Zeros)
"""Those that need no fan: what a bias can start from."""
