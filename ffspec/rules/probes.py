"""What one cheap trial shows before training. The runner makes the trial; these rules judge it, without torch."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Severity
from ffspec.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ffspec.diagnostics import Diagnostic, Path
    from ffspec.spec.kinds import Loss

HIGH = 3.0
"""How many times the loss of a network that knows nothing the first loss may be."""
LEARNT = 0.6
"""The share of the first loss that a network which learns at all brings one batch below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was measured on the untrained network, and on a copy that trained on one batch."""

    loss: float
    """The loss of the training rows in eval mode."""
    chance: float | None
    """What it would be if every class were as likely; None where the loss has no such number."""
    unreached: tuple[Path, ...] = ()
    """The linears whose weights got no gradient in any of the steps."""
    broken: tuple[Path, ...] = ()
    """Those whose gradient was not finite."""
    rows: int = 0
    """The rows of the batch; 0 where none was tried."""
    steps: int = 0
    left: float | None = None
    """The share of the batch's first loss that was left; None where it was not tried, or could not be 0."""
    mixed: bool = False
    """Whether the output of one row depends on another in eval mode."""


def chance_of(loss: Loss, classes: int | None) -> float | None:
    """Return the loss of a network that gives every class the same probability: ln K, or ln 2 for each output."""
    if classes is None or getattr(loss, "pos_weight", None) is not None:
        return None
    if loss.output in {"logits", "log_probabilities"}:
        return log(classes)
    return log(2) if loss.name in {"bce", "bce_with_logits", "multi_label_soft_margin"} else None


class ProbeRule(Rule):
    """A rule that judges a trial."""

    @abstractmethod
    def judge(self, trial: Trial) -> Iterable[Diagnostic]:
        """Yield what the trial shows."""


@final
class FirstLoss(ProbeRule):
    """FF301: an untrained network knows nothing."""

    about: ClassVar[Code] = Code(
        code="FF301",
        title="the first loss is not that of a network that knows nothing",
        reason="Before training, every class should look about as likely as any other, and the loss be ln K. 540 "
        "random "
        "networks on standardised inputs had 0.99 to 1.17 times that. Far above it, the network is sure of nonsense: "
        "its inputs are not scaled, or its first weights too large. The first epochs then only undo that.",
        wrong="inputs in the thousands, a relu network, cross_entropy: the first loss is 80 instead of 2.3",
        right="the same with prepare: standardize",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="Karpathy, 'A Recipe for Training Neural Networks', verify loss at init; measured",
    )

    def judge(self, trial: Trial) -> Iterator[Diagnostic]:
        """Compare the first loss with chance."""
        if trial.chance is not None and trial.loss > HIGH * trial.chance:
            message = f"the loss before training should be about {trial.chance:.3g}, found {trial.loss:.3g}"
            hint = "write prepare: standardize under dataset, or smaller first weights"
            yield self.report(message, ("layers",), hint=hint)


@final
class GradientReaches(ProbeRule):
    """FF302: every weight must get a gradient."""

    about: ClassVar[Code] = Code(
        code="FF302",
        title="weights that get no gradient",
        reason="In the first steps on a batch, the gradient of these weights was 0 in every number, or not finite: "
        "they "
        "will never change. A relu behind them may be 0 for every row, a step may have no gradient, or numbers "
        "overflow.",
        wrong="one relu unit whose weighted sum is negative for every row",
        right="the same with another seed, more units, or leaky_relu",
        spec=False,
        optional=True,
        source="TheDeepChecker (arXiv 2204.00694), untrained parameters",
    )

    def judge(self, trial: Trial) -> Iterator[Diagnostic]:
        """Name the layers."""
        for path in dict.fromkeys(trial.unreached):
            message = "the weights must get a gradient, but in the first steps it was 0: they learn nothing"
            hint = "the activation behind them may be 0 for every row: try leaky_relu, scaled inputs or another seed"
            yield self.report(message, path, hint=hint)
        for path in dict.fromkeys(trial.broken):
            message = "the gradient must be finite, but in the first steps it was not"
            yield self.report(message, path, hint="write prepare: standardize under dataset, or smaller first weights")


@final
class LearnsOneBatch(ProbeRule):
    """FF303: a network must be able to learn one batch by heart."""

    about: ClassVar[Code] = Code(
        code="FF303",
        title="one batch cannot be learnt by heart",
        reason="A network with a few thousand weights can fit 32 rows perfectly: 102 of 108 healthy ones needed 7 to "
        "107 "
        "steps of adam. One that keeps more than half of its first loss after 300 will hardly learn the whole data.",
        wrong="layers:\n  - repeat: {times: 9, layers: [{linear: 16}, sigmoid]}\n  - linear\n",
        right="layers:\n  - repeat: {times: 9, layers: [{linear: 16}, relu]}\n  - linear\n",
        spec=False,
        severity=Severity.WARNING,
        optional=True,
        source="Karpathy, 'A Recipe for Training Neural Networks', overfit one batch; measured",
    )

    def judge(self, trial: Trial) -> Iterator[Diagnostic]:
        """Look at what is left of the loss."""
        if trial.left is not None and trial.left > LEARNT and not trial.unreached and not trial.broken:
            message = f"{trial.rows} rows should be learnt by heart, but after {trial.steps} steps {trial.left:.0%} of "
            hint = "fewer sigmoids, layer_norm, other first weights or scaled inputs help"
            yield self.report(message + "the loss was left", ("layers",), hint=hint)


@final
class RowsAreIndependent(ProbeRule):
    """FF304: in eval mode, a prediction depends on its own row."""

    about: ClassVar[Code] = Code(
        code="FF304",
        title="rows that depend on each other",
        reason="In eval mode the output of a row must not depend on the rows beside it, or a prediction would change "
        "with "
        "the batch it is made in. batch_norm sees to that by its running statistics.",
        wrong="a module that averages over the batch in eval mode too",
        right="batch_norm, which does so only while training",
        spec=False,
        source="Karpathy, 'A Recipe for Training Neural Networks', use backprop to chart dependencies",
    )

    def judge(self, trial: Trial) -> Iterator[Diagnostic]:
        """Say so."""
        if trial.mixed:
            yield self.report("in eval mode a prediction must depend on its own row alone", ("layers",))


PROBES: tuple[ProbeRule, ...] = (FirstLoss(), GradientReaches(), LearnsOneBatch(), RowsAreIndependent())
"""In the order of their codes."""
