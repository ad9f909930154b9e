"""What a training shows. The runner watches it; these rules judge it at its end, without torch."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Severity
from ffspec.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ffspec.diagnostics import Diagnostic, Path

LEAST_RATIO, LARGEST_RATIO = 1e-5, 1e-1
"""Between these, a step changes weights by a healthy part of themselves; about 1e-3 is usual."""
STUCK, WILD = 0.95, 1.5
"""Between these times the cross-entropy of a constant nothing is learnt; beyond, the network is only too sure. A
squared error has no such upper bound: what is above the variance is worse than the mean."""
LINEAR = "linear model"
FEW_EPOCHS = 5
"""With fewer epochs it is too early to say that nothing was learnt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The network beside a baseline, on one split."""

    baseline: str
    """ "linear model", or what ignores the features altogether: "majority class", "mean"."""
    split: str
    measure: str
    maximize: bool
    network: float
    other: float
    noise: float = 0.0
    """A difference so small may be chance: a standard error, or a hundredth."""

    @property
    def lead(self) -> float:
        """How much better the network is."""
        return self.network - self.other if self.maximize else self.other - self.network


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen of a training."""

    losses: tuple[float, ...]
    """The training loss of every epoch."""
    chance: float | None = None
    """The training loss of a constant prediction, where it can be known."""
    bounded: bool = True
    """Whether a loss far above that may be of a network that has learnt: it is a cross-entropy."""
    dead: tuple[tuple[Path, int, int], ...] = ()
    """For every relu with units that are 0 for every training row: its place, how many, of how many."""
    ratios: tuple[tuple[Path, float], ...] = ()
    """For every linear, the median of how far a step moved its weights, as a part of them."""
    train_mode: float | None = None
    """The training loss in train mode after training; None where the modes cannot differ for the worse."""
    eval_mode: float | None = None
    comparisons: tuple[Comparison, ...] = ()


class RunRule(Rule):
    """A rule that judges a training."""

    @abstractmethod
    def judge(self, outcome: Outcome) -> Iterable[Diagnostic]:
        """Yield what the training shows."""


@final
class BeatsBaselines(RunRule):
    """FF305: a network must be worth its trouble."""

    about: ClassVar[Code] = Code(
        code="FF305",
        title="a simpler model is better",
        reason="On the same split, answering the majority class (or the mean) and a linear model of scikit-learn are "
        "fitted beside the network. A network that does not beat the first has learnt nothing; one that does not "
        "beat the "
        "second is not worth its trouble, or not yet trained as it should be.",
        wrong="test accuracy 0.93 beside 0.96 of a logistic regression",
        right="test accuracy 0.98 beside 0.96",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="Karpathy, 'A Recipe for Training Neural Networks', human baseline and input-independent baseline",
    )

    def judge(self, outcome: Outcome) -> Iterator[Diagnostic]:
        """Compare, and tell the worst; what may be chance is no warning, unless the other ignores the features."""
        for item in sorted(outcome.comparisons, key=lambda item: item.lead):
            if item.lead > 0:
                return
            simple = item.baseline != LINEAR
            relation = "better than" if item.lead < 0 else "as good as"
            numbers = f"{item.split} {item.measure} {item.network:.4g} beside {item.other:.4g}"
            yield self.report(
                f"the {item.baseline} is {relation} the network: {numbers}",
                ("layers",),
                hint="train longer, try another lr, or use the simpler model",
                severity=Severity.WARNING if simple or item.lead < -item.noise else Severity.INFO,
            )
            return


@final
class StaysFinite(RunRule):
    """FF306: training must stay finite. The loop stops at once; there is nothing left to judge."""

    about: ClassVar[Code] = Code(
        code="FF306",
        title="training diverged",
        reason="A loss, an output or a learning rate was no finite number. What follows would be NaN in every "
        "weight, so "
        "training stops with exit code 3. A smaller learning rate, scaled inputs or clip_grad_norm prevent it.",
        wrong="optimizer: {sgd: {lr: 1000.0}}\n",
        right="optimizer: {sgd: {lr: 0.1}}\n",
        spec=False,
        source="Lightning-AI/pytorch-lightning#1097, #12553, #20708: a training of NaN that ends as finished",
    )

    def judge(self, outcome: Outcome) -> Iterable[Diagnostic]:
        """Say nothing: a training that diverged has no outcome."""
        del outcome
        return ()


@final
class DeadUnits(RunRule):
    """FF307: relu units that are 0 for every row."""

    about: ClassVar[Code] = Code(
        code="FF307",
        title="most units of a layer are dead",
        reason="A relu unit whose sum is negative for every training row returns 0 for all of them and gets no "
        "gradient: "
        "it is dead. At the start hardly any is (at most 6 % in trials); a learning rate of 10 killed 95 to 97 %.",
        wrong="optimizer: {sgd: {lr: 10.0}}\n",
        right="optimizer: {sgd: {lr: 0.1}}\n",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/49891163, /q/54688502; measured",
    )

    def judge(self, outcome: Outcome) -> Iterator[Diagnostic]:
        """Name the layers with more dead units than live ones."""
        told = set()
        for path, dead, units in outcome.dead:
            if 2 * dead > units and path not in told:
                told.add(path)
                message = f"{dead:,} of {units:,} units are 0 for every training row: they learn nothing any more"
                yield self.report(message, path, hint="write a smaller lr, leaky_relu, or scale the inputs")


@final
class UpdateRatios(RunRule):
    """FF308: steps that hardly move the weights, or throw them about."""

    about: ClassVar[Code] = Code(
        code="FF308",
        title="steps out of proportion to the weights",
        reason="A step of about a thousandth of the weights is usual. Where it is below a hundred-thousandth, training "
        "would take for ever; above a tenth, each step forgets the one before.",
        wrong="optimizer: {adam: {lr: 1e-7}}\n",
        right="optimizer: {adam: {lr: 1e-3}}\n",
        spec=False,
        severity=Severity.INFO,
        optional=True,
        source="Karpathy, CS231n, 'ratio of weights:updates'; TheDeepChecker (arXiv 2204.00694)",
    )

    def judge(self, outcome: Outcome) -> Iterator[Diagnostic]:
        """Name the layers whose median step is out of bounds."""
        told = set()
        for path, ratio in outcome.ratios:
            if path not in told and ratio and not LEAST_RATIO <= ratio <= LARGEST_RATIO:
                told.add(path)
                larger = "smaller" if ratio > LARGEST_RATIO else "larger"
                message = f"a step moves these weights by {ratio:.1e} of themselves; about 1e-3 is usual"
                yield self.report(message, path, hint=f"try a {larger} lr")


@final
class ModesAgree(RunRule):
    """FF309: batch_norm's running statistics must have caught up."""

    about: ClassVar[Code] = Code(
        code="FF309",
        title="worse in eval mode than in train mode",
        reason="In train mode batch_norm uses the batch's own statistics, in eval mode running ones. After few "
        "steps, with "
        "small batches or rows that come in an order, those lag behind, and the same rows get a much higher loss.",
        wrong="layers: [{linear: 8}, batch_norm, relu, linear]\ntraining: {epochs: 2, batch_size: all}\n",
        right="layers: [{linear: 8}, batch_norm, relu, linear]\ntraining: {epochs: 100, batch_size: all}\n",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/52279892, /q/59076114; TheDeepChecker (arXiv 2204.00694)",
    )

    def judge(self, outcome: Outcome) -> Iterator[Diagnostic]:
        """Compare the loss of the training rows in both modes."""
        train, evaluated = outcome.train_mode, outcome.eval_mode
        if train is None or evaluated is None or not outcome.losses:
            return
        if evaluated > 1.5 * train and evaluated - train > 0.05 * max(outcome.losses):
            message = f"the training rows' loss is {train:.3g} in train mode, but {evaluated:.3g} in eval mode"
            hint = "batch_norm's running statistics lag behind: train longer, or use larger batches or layer_norm"
            yield self.report(message, ("layers",), hint=hint)


@final
class MakesProgress(RunRule):
    """FF310: the loss must leave where it would be by chance."""

    about: ClassVar[Code] = Code(
        code="FF310",
        title="nothing was learnt",
        reason="A network that ignores its input has the loss of a constant: the entropy of the classes (ln 10 = "
        "2.303 for "
        "ten equal ones), or the variance of the target. A training loss that is still there after a fifth of the "
        "epochs, "
        "and at the end, has learnt nothing.",
        wrong="a training loss of 2.302 in every epoch",
        right="another lr, scaled inputs, an activation with a gradient",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/47822099, 'stuck at 2.302'",
    )

    def judge(self, outcome: Outcome) -> Iterator[Diagnostic]:
        """Look at the loss after a fifth of the epochs, and at the end."""
        losses, chance = outcome.losses, outcome.chance
        if chance is None or len(losses) < FEW_EPOCHS:
            return
        early, last = losses[len(losses) // 5], losses[-1]
        if early < STUCK * chance or not STUCK * chance <= last or (outcome.bounded and last > WILD * chance):
            return
        message = f"the training loss is {last:.4g}, and would be {chance:.4g} if the network ignored its input"
        hint = "try another lr, scaled inputs, or another activation"
        if last > 2 * losses[0]:
            message, hint = f"the training loss rose from {losses[0]:.4g} to {last:.4g}", "write a smaller lr"
        yield self.report(message, ("training",), hint=hint)


OUTCOMES: tuple[RunRule, ...] = (
    BeatsBaselines(),
    StaysFinite(),
    DeadUnits(),
    UpdateRatios(),
    ModesAgree(),
    MakesProgress(),
)
"""In the order of their codes."""
