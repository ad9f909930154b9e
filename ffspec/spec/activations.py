"""The activation functions of torch.nn: elementwise, except glu and the softmax family."""

from typing import ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from ffspec.spec.base import ordered
from ffspec.spec.kinds import Layer
from ffspec.spec.step import Call, Misfit, Shape, Step, fields_of, size, times


class Activation(Layer):
    """A function of each element alone; its arguments are those of the torch class it names."""

    torch: ClassVar[str]

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; one operation an element."""
        return Step(call=Call(f"nn.{self.torch}", fields_of(self)), input=shape, output=shape, flops=size(shape))


class Normaliser(Layer):
    """A function over the last axis whose results sum to one (or their logarithms do)."""

    torch: ClassVar[str]

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; an exponential, a sum and a quotient an element, and two more for a stable maximum."""
        return Step(call=Call(f"nn.{self.torch}", {"dim": -1}), input=shape, output=shape, flops=times(size(shape), 5))


@final
class Identity(Activation):
    """x: changes nothing."""

    name: ClassVar[str] = "identity"
    torch: ClassVar[str] = "Identity"


@final
class ReLU(Activation):
    """max(0, x)."""

    name: ClassVar[str] = "relu"
    torch: ClassVar[str] = "ReLU"


@final
class LeakyReLU(Activation):
    """x where x > 0, else negative_slope * x."""

    name: ClassVar[str] = "leaky_relu"
    torch: ClassVar[str] = "LeakyReLU"
    sole: ClassVar[str | None] = "negative_slope"
    negative_slope: float = Field(0.01, ge=0, le=1e6, description="Slope where x is negative.")


@final
class PReLU(Layer):
    """Leaky ReLU with a learnt slope (He et al. 2015, arXiv 1502.01852)."""

    name: ClassVar[str] = "prelu"
    num_parameters: int = Field(1, ge=1, le=10_000_000, description="One slope for all, or one for each feature.")
    init: float = Field(0.25, description="The slope to start from.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; two operations an element."""
        width = shape[0]
        if self.num_parameters != 1 and width is not None and self.num_parameters != width:
            raise Misfit(
                "FF112",
                f"num_parameters must be 1 or the {width} features it receives, found {self.num_parameters}",
                argument="num_parameters",
                instead=width,
            )
        return Step(
            call=Call("nn.PReLU", fields_of(self)),
            input=shape,
            output=shape,
            parameters=self.num_parameters,
            flops=times(size(shape), 2),
        )


@final
class ELU(Activation):
    """x where x > 0, else alpha * (exp(x) - 1)."""

    name: ClassVar[str] = "elu"
    torch: ClassVar[str] = "ELU"
    sole: ClassVar[str | None] = "alpha"
    alpha: float = Field(1.0, ge=0, le=1e6, description="The limit for very negative x is -alpha.")


@final
class SELU(Activation):
    """The self-normalising ELU (Klambauer et al. 2017, arXiv 1706.02515)."""

    name: ClassVar[str] = "selu"
    torch: ClassVar[str] = "SELU"


@final
class CELU(Activation):
    """The continuously differentiable ELU: max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""

    name: ClassVar[str] = "celu"
    torch: ClassVar[str] = "CELU"
    sole: ClassVar[str | None] = "alpha"
    alpha: float = Field(1.0, gt=0, le=1e6, description="The limit for very negative x is -alpha.")


@final
class GELU(Activation):
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016, arXiv 1606.08415)."""

    name: ClassVar[str] = "gelu"
    torch: ClassVar[str] = "GELU"
    sole: ClassVar[str | None] = "approximate"
    approximate: Literal["none", "tanh"] = Field("none", description="Exact, or by a hyperbolic tangent.")


@final
class SiLU(Activation):
    """x * sigmoid(x), also called swish."""

    name: ClassVar[str] = "silu"
    torch: ClassVar[str] = "SiLU"


@final
class Mish(Activation):
    """x * tanh(softplus(x)) (Misra 2019, arXiv 1908.08681)."""

    name: ClassVar[str] = "mish"
    torch: ClassVar[str] = "Mish"


@final
class Sigmoid(Activation):
    """1 / (1 + exp(-x)): any number to a probability."""

    name: ClassVar[str] = "sigmoid"
    torch: ClassVar[str] = "Sigmoid"


@final
class Tanh(Activation):
    """The hyperbolic tangent: any number to (-1, 1)."""

    name: ClassVar[str] = "tanh"
    torch: ClassVar[str] = "Tanh"


@final
class Softplus(Activation):
    """log(1 + exp(beta * x)) / beta: a smooth ReLU, always positive."""

    name: ClassVar[str] = "softplus"
    torch: ClassVar[str] = "Softplus"
    sole: ClassVar[str | None] = "beta"
    beta: float = Field(1.0, gt=0, le=1e6, description="The larger, the nearer to ReLU.")
    threshold: float = Field(20.0, ge=0, le=1e6, description="Above threshold / beta it is x itself.")


@final
class Softsign(Activation):
    """x / (1 + |x|)."""

    name: ClassVar[str] = "softsign"
    torch: ClassVar[str] = "Softsign"


@final
class Hardtanh(Activation):
    """x clipped to [min_val, max_val]."""

    name: ClassVar[str] = "hardtanh"
    torch: ClassVar[str] = "Hardtanh"
    min_val: float = Field(-1.0, description="The lower bound.")
    max_val: float = Field(1.0, description="The upper bound.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        ordered(self.min_val, self.max_val, "min_val and max_val")
        return self


@final
class Hardsigmoid(Activation):
    """A piecewise linear sigmoid: x / 6 + 1 / 2 clipped to [0, 1]."""

    name: ClassVar[str] = "hardsigmoid"
    torch: ClassVar[str] = "Hardsigmoid"


@final
class Hardswish(Activation):
    """x * hardsigmoid(x) (Howard et al. 2019, arXiv 1905.02244)."""

    name: ClassVar[str] = "hardswish"
    torch: ClassVar[str] = "Hardswish"


@final
class ReLU6(Activation):
    """min(max(0, x), 6)."""

    name: ClassVar[str] = "relu6"
    torch: ClassVar[str] = "ReLU6"


@final
class RReLU(Activation):
    """Leaky ReLU with a random slope while training, their mean in eval mode (Xu et al. 2015, arXiv 1505.00853)."""

    name: ClassVar[str] = "rrelu"
    torch: ClassVar[str] = "RReLU"
    lower: float = Field(0.125, ge=0, le=1e6, description="The smallest slope.")
    upper: float = Field(1 / 3, ge=0, le=1e6, description="The largest slope.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        ordered(self.lower, self.upper, "lower and upper")
        return self


@final
class LogSigmoid(Activation):
    """log(sigmoid(x)), computed stably."""

    name: ClassVar[str] = "logsigmoid"
    torch: ClassVar[str] = "LogSigmoid"


@final
class Softshrink(Activation):
    """x moved towards 0 by lambd, and 0 within it."""

    name: ClassVar[str] = "softshrink"
    torch: ClassVar[str] = "Softshrink"
    sole: ClassVar[str | None] = "lambd"
    lambd: float = Field(0.5, ge=0, le=1e6, description="Half the width of the flat part.")


@final
class Hardshrink(Activation):
    """x outside [-lambd, lambd], else 0."""

    name: ClassVar[str] = "hardshrink"
    torch: ClassVar[str] = "Hardshrink"
    sole: ClassVar[str | None] = "lambd"
    lambd: float = Field(0.5, ge=0, le=1e6, description="Half the width of the flat part.")


@final
class Tanhshrink(Activation):
    """x - tanh(x)."""

    name: ClassVar[str] = "tanhshrink"
    torch: ClassVar[str] = "Tanhshrink"


@final
class Threshold(Activation):
    """x where x > threshold, else value."""

    name: ClassVar[str] = "threshold"
    torch: ClassVar[str] = "Threshold"
    threshold: float = Field(description="Above it x passes.")
    value: float = Field(description="What stands in for the rest.")


@final
class GLU(Layer):
    """The gated linear unit: the first half of the features times the sigmoid of the second (arXiv 1612.08083)."""

    name: ClassVar[str] = "glu"

    def as_step(self, shape: Shape) -> Step:
        """Halve the last axis."""
        width = shape[-1]
        if width is not None and width % 2:
            raise Misfit("FF112", f"glu must receive an even number of features, found {width}")
        half = None if width is None else width // 2
        return Step(
            call=Call("nn.GLU", {"dim": -1}),
            input=shape,
            output=(*shape[:-1], half),
            flops=times(size((*shape[:-1], half)), 2),
        )


@final
class Heaviside(Layer):
    """The perceptron's step: 0 below zero, 1 above, `value` at zero (Rosenblatt 1958).

    Its derivative is zero, so nothing before it learns, unless a surrogate stands in for it while training.
    """

    name: ClassVar[str] = "heaviside"
    sole: ClassVar[str | None] = "surrogate"
    surrogate: Literal["straight_through"] | None = Field(
        None, description="straight_through: pass the gradient on as if the step were the identity (arXiv 1308.3432)."
    )
    value: float = Field(1.0, ge=0, le=1, description="The result at exactly zero.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; one operation an element."""
        return Step(call=Call("ffspec.Heaviside", fields_of(self)), input=shape, output=shape, flops=size(shape))


@final
class Softmax(Normaliser):
    """exp(x) over its sum: scores to probabilities."""

    name: ClassVar[str] = "softmax"
    torch: ClassVar[str] = "Softmax"


@final
class LogSoftmax(Normaliser):
    """The logarithm of softmax, computed stably; what `nll` expects."""

    name: ClassVar[str] = "log_softmax"
    torch: ClassVar[str] = "LogSoftmax"


@final
class Softmin(Normaliser):
    """The softmax of -x."""

    name: ClassVar[str] = "softmin"
    torch: ClassVar[str] = "Softmin"


ACTIVATIONS: tuple[type[Layer], ...] = (
    ReLU, LeakyReLU, PReLU, ELU, SELU, CELU, GELU, SiLU, Mish, Sigmoid, Tanh, Softplus, Softsign,
    Hardtanh, Hardsigmoid, Hardswish, ReLU6, RReLU, LogSigmoid, Softshrink, Hardshrink, Tanhshrink, Threshold,
    GLU, Identity, Softmax, LogSoftmax, Softmin, Heaviside,
)  # fmt: skip
