"""The layers with parameters or state, and the two blocks."""

from typing import ClassVar, Literal, Self, TypeAlias, final

from pydantic import Field, model_validator

from ffspec.spec.activations import ACTIVATIONS
from ffspec.spec.base import Several, require
from ffspec.spec.calibration import Temperature
from ffspec.spec.ensembles import Ensemble
from ffspec.spec.inits import Normal
from ffspec.spec.kinds import AnyLayer, BiasInitialiser, Block, Initialiser, Layer
from ffspec.spec.numeric import COLUMN_LAYERS
from ffspec.spec.step import Call, Misfit, Shape, Step, fields_of, size, times

Elementwise: TypeAlias = Literal[
    "relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "sigmoid", "tanh", "softplus", "softsign",
    "hardtanh", "hardsigmoid", "hardswish", "relu6", "logsigmoid", "softshrink", "hardshrink", "tanhshrink",
]  # fmt: skip
"""Activations of each element alone that need no argument, by the names of torch.nn.functional."""

WIDTH_LIMIT = 1_000_000


@final
class Linear(Layer):
    """y = x W^T + b over the last axis (torch.nn.Linear); W has shape (out_features, in_features).

    With `parametrization: ntk`, y = x W^T / sqrt(in_features) + b, and W and b start from the standard normal
    distribution (Jacot et al. 2018, arXiv 1806.07572): the same function at the start as LeCun's initialisation gives,
    but one learning rate fits layers of any width.
    """

    name: ClassVar[str] = "linear"
    sole: ClassVar[str | None] = "out_features"
    out_features: int | None = Field(
        None, ge=1, le=WIDTH_LIMIT, description="Width. The last linear may leave it out: target and loss tell it."
    )
    in_features: int | None = Field(
        None, ge=1, le=WIDTH_LIMIT, description="The width received; inferred, and checked if written."
    )
    bias: bool = Field(True, description="Whether b is learnt.")
    init: Initialiser | None = Field(None, description="How W starts; if left out as in PyTorch, with ntk normal.")
    bias_init: BiasInitialiser | None = Field(
        None, description="How b starts; if left out as in PyTorch, with ntk normal."
    )
    parametrization: Literal["standard", "ntk"] = Field(
        "standard", description="Whether the sum is divided by sqrt(in_features), and W starts from normal numbers."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        require(self.bias or self.bias_init is None, "bias_init must not stand beside 'bias: false'")
        return self

    def as_step(self, shape: Shape) -> Step:
        """Change the last axis to out_features; a multiply-add for each weight."""
        width, out = shape[-1], self.out_features
        if self.in_features is not None and width is not None and self.in_features != width:
            raise Misfit(
                "FF112",
                f"in_features must be {width}, the width it receives, found {self.in_features}",
                argument="in_features",
                hint=f"write {width}, or leave it out: it is inferred",
                instead=width,
            )
        width = self.in_features if width is None else width
        weights = times(width, out)
        rows = size(shape[:-1])
        bias = (out or 0) if self.bias else 0
        tangent = self.parametrization == "ntk"
        usual = Normal() if tangent else None
        initialisers = {"weight": self.init or usual, "bias": (self.bias_init or usual) if self.bias else None}
        scaled = (width or 0) if tangent else 0
        target = "ffspec.NTKLinear" if tangent else "nn.Linear"
        return Step(
            call=Call(target, {"in_features": width, "out_features": out, "bias": self.bias}),
            input=(*shape[:-1], width),
            output=(*shape[:-1], out),
            parameters=None if weights is None else weights + bias,
            flops=times(None if weights is None else 2 * weights + bias + scaled, rows),
            initialisers={name: init for name, init in initialisers.items() if init is not None},
        )


@final
class Dropout(Layer):
    """Zeroes each element with probability p while training and scales the rest by 1 / (1 - p); off in eval mode."""

    name: ClassVar[str] = "dropout"
    sole: ClassVar[str | None] = "p"
    p: float = Field(0.5, ge=0, lt=1, description="The probability of dropping an element.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; nothing to compute in eval mode."""
        return Step(call=Call("nn.Dropout", fields_of(self)), input=shape, output=shape)


@final
class AlphaDropout(Layer):
    """Dropout that keeps mean and variance, made for selu (arXiv 1706.02515)."""

    name: ClassVar[str] = "alpha_dropout"
    sole: ClassVar[str | None] = "p"
    p: float = Field(0.5, ge=0, lt=1, description="The probability of dropping an element.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; nothing to compute in eval mode."""
        return Step(call=Call("nn.AlphaDropout", fields_of(self)), input=shape, output=shape)


@final
class BatchNorm(Layer):
    """Normalises each feature over the batch, in eval mode by running statistics (BatchNorm1d, arXiv 1502.03167)."""

    name: ClassVar[str] = "batch_norm"
    eps: float = Field(1e-5, gt=0, le=1, description="Added to the variance.")
    momentum: float | None = Field(
        0.1, ge=0, le=1, description="The weight of the newest batch in the running statistics."
    )
    affine: bool = Field(True, description="Whether a scale and a shift are learnt.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; a difference, a product, a scale and a shift an element."""
        if len(shape) != 1:
            raise Misfit(
                "FF112", f"batch_norm must receive flat rows, found {len(shape)} axes", hint="put flatten before it"
            )
        (width,) = shape
        return Step(
            call=Call("nn.BatchNorm1d", {"num_features": width, **fields_of(self)}),
            input=shape,
            output=shape,
            parameters=times(width, 2 if self.affine else 0),
            flops=times(width, 4 if self.affine else 2),
        )


@final
class LayerNorm(Layer):
    """Normalises each row over its features (arXiv 1607.06450); the same in train and eval mode."""

    name: ClassVar[str] = "layer_norm"
    eps: float = Field(1e-5, gt=0, le=1, description="Added to the variance.")
    elementwise_affine: bool = Field(True, description="Whether a scale (and a shift) are learnt.")
    bias: bool = Field(True, description="Whether the shift is learnt too.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; mean, variance, normalisation, scale and shift."""
        width = shape[-1]
        learnt = (2 if self.bias else 1) if self.elementwise_affine else 0
        return Step(
            call=Call("nn.LayerNorm", {"normalized_shape": width, **fields_of(self)}),
            input=shape,
            output=shape,
            parameters=times(width, learnt),
            flops=times(size(shape), 5 + learnt),
        )


@final
class RMSNorm(Layer):
    """Divides each row by its root mean square (arXiv 1910.07467)."""

    name: ClassVar[str] = "rms_norm"
    eps: float | None = Field(None, gt=0, le=1, description="Added to the mean square; PyTorch's own if left out.")
    elementwise_affine: bool = Field(True, description="Whether a scale is learnt.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; mean square, quotient and scale."""
        width = shape[-1]
        learnt = 1 if self.elementwise_affine else 0
        return Step(
            call=Call("nn.RMSNorm", {"normalized_shape": width, **fields_of(self)}),
            input=shape,
            output=shape,
            parameters=times(width, learnt),
            flops=times(size(shape), 3 + learnt),
        )


@final
class Flatten(Layer):
    """Turns each row into one axis (torch.nn.Flatten)."""

    name: ClassVar[str] = "flatten"

    def as_step(self, shape: Shape) -> Step:
        """Join all axes into one."""
        return Step(call=Call("nn.Flatten"), input=shape, output=(size(shape),))


@final
class Repeat(Block):
    """The same layers several times, each time with weights of their own."""

    name: ClassVar[str] = "repeat"
    times: int = Field(ge=1, le=1000, description="How often.")
    layers: Several[AnyLayer] = Field(min_length=1, max_length=1000, description="What is repeated.")


@final
class Residual(Block):
    """x + f(x), where f is the layers inside (He et al. 2015, arXiv 1512.03385); they must keep the width.

    With `shortcut: ridge` it is the output of a network: a linear model in place of x, which the layers correct.
    """

    name: ClassVar[str] = "residual"
    sole: ClassVar[str | None] = "layers"
    layers: Several[AnyLayer] = Field(min_length=1, max_length=1000, description="f.")
    shortcut: Literal["ridge"] | None = Field(
        None,
        description="What f(x) is added to: x if left out; ridge: the ridge regression of the target on x, fitted on "
        "the training rows before training, and fixed.",
    )


@final
class Scale(Layer):
    """y = x * w with a learnt factor for each feature, which starts at 1 (Holzmüller et al. 2024, arXiv 2407.04491).

    In front of the network it learns which features matter: a feature's weights shrink or grow together.
    """

    name: ClassVar[str] = "scale"

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; a product an element."""
        width = shape[-1]
        return Step(
            call=Call("ffspec.Scale", {"num_features": width}),
            input=shape,
            output=shape,
            parameters=width,
            flops=size(shape),
        )


@final
class TargetScale(Layer):
    """The last layer of a regression: the network learns standardised targets, and answers in the target's own units.

    Mean, standard deviation and range of the training targets are taken before training. While training, the output is
    compared with standardised targets; in eval mode it is turned back.
    """

    name: ClassVar[str] = "target_scale"
    sole: ClassVar[str | None] = "clamp"
    clamp: bool = Field(True, description="Whether predictions stay within the range of the training targets.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; a product and a sum an element, and two comparisons."""
        return Step(
            call=Call("ffspec.TargetScale", {"num_targets": shape[-1], "clamp": self.clamp}),
            input=shape,
            output=shape,
            flops=times(size(shape), 4 if self.clamp else 2),
        )


@final
class Parametric(Layer):
    """x + a (act(x) - x): an activation of which each feature learns its share a, which starts at 1 (arXiv 2407.04491).

    With a = 0 nothing is done to a feature, with a = 1 it is the activation itself.
    """

    name: ClassVar[str] = "parametric"
    sole: ClassVar[str | None] = "activation"
    activation: Elementwise = Field(description="The activation act, of each element alone and without arguments.")

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; the activation, a difference, a product and a sum an element."""
        width = shape[-1]
        return Step(
            call=Call("ffspec.Parametric", {"num_features": width, "activation": self.activation}),
            input=shape,
            output=shape,
            parameters=width,
            flops=times(size(shape), 4),
        )


LAYERS: tuple[type[Layer | Block], ...] = (
    Linear, *ACTIVATIONS, Parametric, Dropout, AlphaDropout, BatchNorm, LayerNorm, RMSNorm, Scale, TargetScale,
    Temperature, *COLUMN_LAYERS, Flatten, Repeat, Residual, Ensemble,
)  # fmt: skip
