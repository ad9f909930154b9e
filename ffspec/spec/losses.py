"""Losses: torch.nn's that fit a feedforward network, and Rosenblatt's criterion."""

from typing import Annotated, ClassVar, Literal, final

from pydantic import Field

from ffspec.spec.base import Either, Several
from ffspec.spec.kinds import Loss, OutputForm, TargetForm

Weights = Annotated[
    Literal["balanced"] | Several[float] | None,
    Either("'balanced' or a list with one weight for each class"),
    Field(description="A weight for each class; balanced: rows / (classes * rows of it)."),
]


@final
class BCE(Loss):
    """Binary cross-entropy of probabilities (torch.nn.BCELoss); the network ends with a sigmoid."""

    name: ClassVar[str] = "bce"
    torch: ClassVar[str] = "nn.BCELoss"
    target: ClassVar[TargetForm] = "probability"
    output: ClassVar[OutputForm] = "probability"


@final
class BCEWithLogits(Loss):
    """Binary cross-entropy of scores (torch.nn.BCEWithLogitsLoss); the sigmoid is inside the loss."""

    name: ClassVar[str] = "bce_with_logits"
    torch: ClassVar[str] = "nn.BCEWithLogitsLoss"
    target: ClassVar[TargetForm] = "probability"
    output: ClassVar[OutputForm] = "logit"
    pos_weight: Annotated[
        Literal["balanced"] | float | None,
        Either("'balanced' or a number"),
        Field(description="The weight of the positive class; balanced: negatives per positive in the training split."),
    ] = None


@final
class CrossEntropy(Loss):
    """Cross-entropy of one score for each class (torch.nn.CrossEntropyLoss); the softmax is inside the loss."""

    name: ClassVar[str] = "cross_entropy"
    torch: ClassVar[str] = "nn.CrossEntropyLoss"
    target: ClassVar[TargetForm] = "index"
    output: ClassVar[OutputForm] = "logits"
    weight: Weights = None
    label_smoothing: float = Field(
        0.0, ge=0, le=1, description="The share of every label spread evenly over all classes."
    )


@final
class NLL(Loss):
    """Negative log-likelihood of log-probabilities (torch.nn.NLLLoss); the network ends with log_softmax."""

    name: ClassVar[str] = "nll"
    torch: ClassVar[str] = "nn.NLLLoss"
    target: ClassVar[TargetForm] = "index"
    output: ClassVar[OutputForm] = "log_probabilities"
    weight: Weights = None


@final
class MSE(Loss):
    """Mean squared error (torch.nn.MSELoss)."""

    name: ClassVar[str] = "mse"
    torch: ClassVar[str] = "nn.MSELoss"
    target: ClassVar[TargetForm] = "value"
    output: ClassVar[OutputForm] = "value"


@final
class L1(Loss):
    """Mean absolute error (torch.nn.L1Loss)."""

    name: ClassVar[str] = "l1"
    torch: ClassVar[str] = "nn.L1Loss"
    target: ClassVar[TargetForm] = "value"
    output: ClassVar[OutputForm] = "value"


@final
class SmoothL1(Loss):
    """Squared below beta, absolute above (torch.nn.SmoothL1Loss)."""

    name: ClassVar[str] = "smooth_l1"
    torch: ClassVar[str] = "nn.SmoothL1Loss"
    target: ClassVar[TargetForm] = "value"
    output: ClassVar[OutputForm] = "value"
    sole: ClassVar[str | None] = "beta"
    beta: float = Field(1.0, ge=0, le=1e12, description="Where the squared part ends.")


@final
class Huber(Loss):
    """Squared below delta, delta times the absolute error above (torch.nn.HuberLoss, Huber 1964)."""

    name: ClassVar[str] = "huber"
    torch: ClassVar[str] = "nn.HuberLoss"
    target: ClassVar[TargetForm] = "value"
    output: ClassVar[OutputForm] = "value"
    sole: ClassVar[str | None] = "delta"
    delta: float = Field(1.0, gt=0, le=1e12, description="Where the squared part ends.")


@final
class PoissonNLL(Loss):
    """Negative log-likelihood of a Poisson count (torch.nn.PoissonNLLLoss); the output is the log of its rate."""

    name: ClassVar[str] = "poisson_nll"
    torch: ClassVar[str] = "nn.PoissonNLLLoss"
    target: ClassVar[TargetForm] = "value"
    output: ClassVar[OutputForm] = "log_rate"
    full: bool = Field(False, description="Whether Stirling's term is added.")


@final
class SoftMargin(Loss):
    """log(1 + exp(-y f(x))), y = -1 or +1 (torch.nn.SoftMarginLoss)."""

    name: ClassVar[str] = "soft_margin"
    torch: ClassVar[str] = "nn.SoftMarginLoss"
    target: ClassVar[TargetForm] = "sign"
    output: ClassVar[OutputForm] = "margin"


@final
class HingeEmbedding(Loss):
    """f(x) where y = +1, max(0, margin - f(x)) where y = -1 (torch.nn.HingeEmbeddingLoss); f(x) is a distance."""

    name: ClassVar[str] = "hinge_embedding"
    torch: ClassVar[str] = "nn.HingeEmbeddingLoss"
    target: ClassVar[TargetForm] = "sign"
    output: ClassVar[OutputForm] = "distance"
    sole: ClassVar[str | None] = "margin"
    margin: float = Field(1.0, ge=-1e6, le=1e6, description="How far apart the negatives should be.")


@final
class MultiMargin(Loss):
    """The multi-class hinge loss of one score for each class (torch.nn.MultiMarginLoss, Crammer and Singer 2001)."""

    name: ClassVar[str] = "multi_margin"
    torch: ClassVar[str] = "nn.MultiMarginLoss"
    target: ClassVar[TargetForm] = "index"
    output: ClassVar[OutputForm] = "scores"
    p: Literal[1, 2] = Field(1, description="The power of the margin's violation.")
    margin: float = Field(1.0, ge=0, le=1e6, description="How far the right class must be ahead.")
    weight: Weights = None


@final
class MultiLabelSoftMargin(Loss):
    """One-against-rest binary cross-entropy of one score for each class (torch.nn.MultiLabelSoftMarginLoss)."""

    name: ClassVar[str] = "multi_label_soft_margin"
    torch: ClassVar[str] = "nn.MultiLabelSoftMarginLoss"
    target: ClassVar[TargetForm] = "probability"
    output: ClassVar[OutputForm] = "logit"


@final
class Perceptron(Loss):
    """Rosenblatt's criterion, max(0, -y f(x)), y = -1 or +1: only rows on the wrong side count (Rosenblatt 1958)."""

    name: ClassVar[str] = "perceptron"
    torch: ClassVar[str] = "ffspec.PerceptronLoss"
    target: ClassVar[TargetForm] = "sign"
    output: ClassVar[OutputForm] = "margin"


LOSSES: tuple[type[Loss], ...] = (
    BCE, BCEWithLogits, CrossEntropy, NLL, MSE, L1, SmoothL1, Huber, PoissonNLL,
    SoftMargin, HingeEmbedding, MultiMargin, MultiLabelSoftMargin, Perceptron,
)  # fmt: skip
