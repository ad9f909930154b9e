"""Optimizers: those of torch.optim that train a feedforward network on a CPU, with PyTorch's arguments and bounds."""

from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from ffspec.spec.base import refuse, require
from ffspec.spec.grouping import Groups
from ffspec.spec.kinds import Optimizer
from ffspec.spec.step import Call, fields_of

Fraction = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[
    tuple[Fraction, Fraction], Field(description="The decay of the running means of the gradient and of its square.")
]
Positive = Annotated[float, Field(gt=0, le=1e12)]
Decay = Annotated[float, Field(ge=0, le=1e6, description="The factor of the L2 penalty.")]
LearningRate = Annotated[float, Field(ge=0, le=1e12, description="The learning rate.")]
Epsilon = Annotated[float, Field(ge=0, le=1, description="Added to the denominator.")]
Decoupled = Annotated[bool, Field(description="Whether the decay acts on the weights themselves, as in adamw.")]


@final
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked."""

    name: ClassVar[str] = "sgd"
    torch: ClassVar[str] = "SGD"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-3
    momentum: float = Field(0.0, ge=0, le=1e6, description="The share of the last step kept.")
    dampening: float = Field(0.0, ge=-1e6, le=1e6, description="The share of the gradient left out of the momentum.")
    weight_decay: Decay = 0.0
    nesterov: bool = Field(False, description="Nesterov's momentum; needs momentum > 0 and no dampening.")
    groups: Groups = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        holds = not self.nesterov or (self.momentum > 0 and self.dampening == 0)
        require(holds, "nesterov needs a momentum above 0 and no dampening")
        return self


@final
class Adam(Optimizer):
    """Steps scaled by running moments of the gradient (Kingma and Ba 2014, arXiv 1412.6980)."""

    name: ClassVar[str] = "adam"
    torch: ClassVar[str] = "Adam"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    amsgrad: bool = Field(False, description="Keep the largest second moment (Reddi et al. 2018).")
    groups: Groups = ()


@final
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv 1711.05101)."""

    name: ClassVar[str] = "adamw"
    torch: ClassVar[str] = "AdamW"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.01
    amsgrad: bool = Field(False, description="Keep the largest second moment (Reddi et al. 2018).")
    groups: Groups = ()


@final
class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    name: ClassVar[str] = "nadam"
    torch: ClassVar[str] = "NAdam"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    momentum_decay: float = Field(4e-3, ge=0, le=1e6, description="How the momentum is warmed up.")
    decoupled_weight_decay: Decoupled = False
    groups: Groups = ()


@final
class RAdam(Optimizer):
    """Adam with a rectified start (Liu et al. 2019, arXiv 1908.03265)."""

    name: ClassVar[str] = "radam"
    torch: ClassVar[str] = "RAdam"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    decoupled_weight_decay: Decoupled = False
    groups: Groups = ()


@final
class RMSprop(Optimizer):
    """Steps scaled by a running mean of the squared gradient (Hinton 2012)."""

    name: ClassVar[str] = "rmsprop"
    torch: ClassVar[str] = "RMSprop"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-2
    alpha: float = Field(0.99, ge=0, le=1, description="The decay of the running mean.")
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    momentum: float = Field(0.0, ge=0, le=1e6, description="The share of the last step kept.")
    centered: bool = Field(False, description="Whether to divide by the gradient's variance instead of its square.")
    groups: Groups = ()


@final
class Adagrad(Optimizer):
    """Steps scaled by the sum of all squared gradients (Duchi et al. 2011)."""

    name: ClassVar[str] = "adagrad"
    torch: ClassVar[str] = "Adagrad"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-2
    lr_decay: float = Field(0.0, ge=0, le=1e6, description="How the learning rate falls with the steps.")
    weight_decay: Decay = 0.0
    initial_accumulator_value: float = Field(0.0, ge=0, le=1e12, description="What the sum starts from.")
    eps: Epsilon = 1e-10
    groups: Groups = ()


@final
class Adadelta(Optimizer):
    """Adagrad with a window, in units of the weights (Zeiler 2012, arXiv 1212.5701)."""

    name: ClassVar[str] = "adadelta"
    torch: ClassVar[str] = "Adadelta"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1.0
    rho: float = Field(0.9, ge=0, le=1, description="The decay of the running mean.")
    eps: Epsilon = 1e-6
    weight_decay: Decay = 0.0
    groups: Groups = ()


@final
class Adamax(Optimizer):
    """Adam by the infinity norm (Kingma and Ba 2014, arXiv 1412.6980)."""

    name: ClassVar[str] = "adamax"
    torch: ClassVar[str] = "Adamax"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    groups: Groups = ()


@final
class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992)."""

    name: ClassVar[str] = "asgd"
    torch: ClassVar[str] = "ASGD"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-2
    lambd: float = Field(1e-4, ge=0, le=1e6, description="The decay term.")
    alpha: float = Field(0.75, ge=0, le=1e6, description="The power of the learning rate's fall.")
    t0: float = Field(1e6, ge=0, le=1e12, description="The step at which averaging begins.")
    weight_decay: Decay = 0.0
    groups: Groups = ()


@final
class Rprop(Optimizer):
    """Resilient backpropagation: only the gradient's sign counts (Riedmiller and Braun 1993); for the whole batch."""

    name: ClassVar[str] = "rprop"
    torch: ClassVar[str] = "Rprop"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-2
    etas: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1, le=1e6)]] = Field(
        (0.5, 1.2), description="The factors of a step that changed its sign, and of one that did not."
    )
    step_sizes: tuple[Positive, Positive] = Field((1e-6, 50.0), description="The smallest and the largest step.")
    groups: Groups = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for index, group in enumerate(self.groups):
            if group.weight_decay != 1:
                refuse("rprop has no weight_decay to multiply", "groups", index, "weight_decay")
        return self


@final
class Adafactor(Optimizer):
    """Adam with a factored second moment (Shazeer and Stern 2018, arXiv 1804.04235)."""

    name: ClassVar[str] = "adafactor"
    torch: ClassVar[str] = "Adafactor"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-2
    beta2_decay: float = Field(-0.8, ge=-1e6, le=0, description="The power of the second moment's decay.")
    d: float = Field(1.0, ge=1, le=1e6, description="Where an update is clipped.")
    weight_decay: Decay = 0.0
    groups: Groups = ()


@final
class Muon(Optimizer):
    """Orthogonalised momentum for the weight matrices between hidden layers (Jordan 2024); AdamW for all else.

    Biases, normalisations, and the weights of the first and the last linear go to AdamW with `adamw_lr`, as its
    author advises.
    """

    name: ClassVar[str] = "muon"
    torch: ClassVar[str] = "Muon"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1e-3
    weight_decay: Decay = 0.1
    momentum: float = Field(0.95, ge=0, lt=1, description="The share of the last step kept.")
    nesterov: bool = Field(True, description="Whether the momentum is Nesterov's.")
    eps: Epsilon = 1e-7
    ns_steps: int = Field(5, ge=1, le=99, description="Newton-Schulz iterations.")
    adjust_lr_fn: Literal["original", "match_rms_adamw"] | None = Field(
        None, description="How lr is adjusted to a matrix's shape."
    )
    adamw_lr: LearningRate = 1e-3
    groups: Groups = ()

    def call(self) -> Call:
        """Return the torch call of the matrices' part."""
        other = {"adamw_lr", "groups"}
        own = {name: value for name, value in fields_of(self).items() if name not in other and value is not None}
        return Call("optim.Muon", own)


@final
class LBFGS(Optimizer):
    """Limited-memory BFGS: a quasi-Newton method for the whole batch (Liu and Nocedal 1989)."""

    name: ClassVar[str] = "lbfgs"
    torch: ClassVar[str] = "LBFGS"
    sole: ClassVar[str | None] = "lr"
    lr: LearningRate = 1.0
    max_iter: int = Field(20, ge=1, le=100_000, description="Iterations of one step.")
    max_eval: int | None = Field(
        None, ge=1, le=1_000_000, description="Evaluations of one step; 5/4 max_iter if left out."
    )
    tolerance_grad: float = Field(1e-7, ge=0, le=1e6, description="The gradient at which it stops.")
    tolerance_change: float = Field(1e-9, ge=0, le=1e6, description="The change at which it stops.")
    history_size: int = Field(100, ge=1, le=10_000, description="The updates remembered.")
    line_search_fn: Literal["strong_wolfe"] | None = Field(None, description="The line search; none if left out.")


OPTIMIZERS: tuple[type[Optimizer], ...] = (
    SGD, Adam, AdamW, NAdam, RAdam, RMSprop, Adagrad, Adadelta, Adamax, ASGD, Rprop, Adafactor, Muon, LBFGS,
)  # fmt: skip
