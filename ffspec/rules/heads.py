"""The end of the network and the loss: what the output must be for the loss to mean what it says."""

from __future__ import annotations

from math import exp, inf
from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.planner import UNKNOWN
from ffspec.rules.network import (
    DROPOUTS,
    NORMALISERS,
    SIGMOIDS,
    SILENT,
    effective,
    floor,
    in_words,
    name_of,
    range_of,
    removal,
)
from ffspec.rules.rule import StaticRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft
    from ffspec.spec.step import Step

SOFTMAXES = NORMALISERS - {"nn.LogSoftmax"}
WIDE = 8.0
"""Scores that can lie this far apart can be as sure as exp(-8) allows, and are no hindrance."""
UNSURE = 2.0
"""A score that cannot pass this bound leaves a probability of sigmoid(-2) = 0.12 or more to the wrong class."""


def head(draft: Draft) -> Step | None:
    """Return the last step that changes numbers."""
    steps = effective(draft.steps)
    return steps[-1] if steps else None


@final
class SoftmaxBeforeCrossEntropy(StaticRule):
    """FF101: cross_entropy has the softmax inside."""

    about: ClassVar[Code] = Code(
        code="FF101",
        title="softmax in front of cross_entropy",
        reason="cross_entropy applies the softmax itself. Of probabilities, which lie between 0 and 1, it takes a "
        "second "
        "one: even for a perfect prediction the loss stays above ln(e + K - 1) - 1, which is 0.313 for 2 classes and "
        "1.461 for 10, and its gradients are small. With SGD, digits are then told apart in 84 % of cases instead of "
        "97.",
        wrong="layers: [{linear: 8}, relu, linear, softmax]\nloss: cross_entropy\n",
        right="layers: [{linear: 8}, relu, linear]\nloss: cross_entropy\n",
        optional=True,
        source="torch.nn.CrossEntropyLoss, 'unnormalized logits'; confirmed by maintainers in Lightning-Universe/"
        "lightning-bolts#654, Safe-DS/Library#581, tflearn#562",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the last layer."""
        loss, last = draft.parts.get("loss"), head(draft)
        if loss is None or loss.name != "cross_entropy" or last is None or last.call.target not in SOFTMAXES:
            return
        name, classes = name_of(draft.parts, last), _classes(draft, last)
        cost = "" if classes is None else f": with {classes} classes the loss cannot fall below {floor(classes):.3f}"
        yield self.report(
            f"cross_entropy needs scores, but the layers end with {name}{cost}",
            last.path,
            hint=f"leave {name} out: it is inside the loss",
            edit=removal(last, safe=name == "softmax"),
        )


@final
class LogSoftmaxBeforeCrossEntropy(StaticRule):
    """FF102: a second log_softmax changes nothing."""

    about: ClassVar[Code] = Code(
        code="FF102",
        title="log_softmax in front of cross_entropy",
        reason="cross_entropy begins with a log_softmax, and a second one changes nothing: log-probabilities are "
        "scores "
        "whose exponentials already sum to 1. It only costs time. Such a network and nll, or the network without it "
        "and "
        "cross_entropy, say what happens.",
        wrong="layers: [{linear: 8}, relu, linear, log_softmax]\nloss: cross_entropy\n",
        right="layers: [{linear: 8}, relu, linear, log_softmax]\nloss: nll\n",
        severity=Severity.INFO,
        optional=True,
        source="measured: the same losses to the last digits",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the last layer."""
        loss, last = draft.parts.get("loss"), head(draft)
        if loss is None or loss.name != "cross_entropy" or last is None or last.call.target != "nn.LogSoftmax":
            return
        message = "cross_entropy applies log_softmax itself: a second one changes nothing"
        yield self.report(message, last.path, hint="leave log_softmax out", edit=removal(last))


@final
class SigmoidBeforeLogits(StaticRule):
    """FF103: bce_with_logits has the sigmoid inside."""

    about: ClassVar[Code] = Code(
        code="FF103",
        title="sigmoid in front of bce_with_logits",
        reason="bce_with_logits applies the sigmoid itself. Of a probability it takes a second one, which lies between "
        "0.5 and 0.731: the loss stays above 0.313 where y = 1 and above 0.693 where y = 0, and nothing is ever judged "
        "unlikely. multi_label_soft_margin has the sigmoid inside too.",
        wrong="dataset: breast_cancer\nlayers: [{linear: 8}, relu, linear, sigmoid]\nloss: bce_with_logits\n",
        right="dataset: breast_cancer\nlayers: [{linear: 8}, relu, linear]\nloss: bce_with_logits\n",
        optional=True,
        source="torch.nn.BCEWithLogitsLoss; NVIDIA-Merlin/models#1175, Lightning's own example in "
        "Lightning-AI/pytorch-lightning#7096 and #18272",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the last layer."""
        loss, last = draft.parts.get("loss"), head(draft)
        if loss is None or last is None or loss.output != "logit" or last.call.target not in SIGMOIDS | SOFTMAXES:
            return
        name = name_of(draft.parts, last)
        yield self.report(
            f"{loss.name} needs scores, but the layers end with {name}: "
            "the loss cannot fall below 0.313 where y = 1, nor below 0.693 where y = 0",
            last.path,
            hint=f"leave {name} out: the sigmoid is inside the loss",
            edit=removal(last, safe=name == "sigmoid"),
        )


@final
class ProbabilitiesForBCE(StaticRule):
    """FF104: bce takes logarithms of probabilities."""

    about: ClassVar[Code] = Code(
        code="FF104",
        title="bce needs probabilities",
        reason="Binary cross-entropy takes the logarithm of the output, which must lie between 0 and 1; PyTorch stops "
        "where it does not. bce_with_logits applies the sigmoid itself, and is the more exact of the two.",
        wrong="dataset: breast_cancer\nlayers: [{linear: 8}, relu, linear]\nloss: bce\n",
        right="dataset: breast_cancer\nlayers: [{linear: 8}, relu, linear, sigmoid]\nloss: bce\n",
        source="torch.nn.BCELoss, 'all elements of input should be between 0 and 1'; stackoverflow.com/q/34886605",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the last layer; a dropout there scales probabilities up, beyond 1, while training."""
        loss = draft.parts.get("loss")
        last = next((step for step in reversed(draft.steps) if not _silent(step)), None)
        if loss is None or loss.output != "probability" or last is None or last.call is UNKNOWN:
            return
        low, high = range_of(last)
        if low >= 0 and high <= 1:
            return
        message = f"{loss.name} needs probabilities, but the layers end with {name_of(draft.parts, last)}"
        if last.call.target in DROPOUTS:
            yield self.report(message, last.path, hint="leave it out", edit=removal(last))
        else:
            hint = "add a sigmoid, or write loss: bce_with_logits, which has it inside"
            edit = Edit(action="rename", path=("loss", loss.name), value="bce_with_logits")
            yield self.report(message, last.path, hint=hint, edit=edit)


def _silent(step: Step) -> bool:
    """Return whether a step changes no number in train mode either."""
    return step.call.target in SILENT or step.call.arguments.get("p") == 0


@final
class LogProbabilitiesForNLL(StaticRule):
    """FF105: nll takes log-probabilities as they come."""

    about: ClassVar[Code] = Code(
        code="FF105",
        title="nll needs log-probabilities",
        reason="nll takes minus the output of the right class and asks no more. Of log-probabilities that is the "
        "cross-entropy. Of plain scores it can be driven down for ever, and of probabilities it runs from 0 to -1 "
        "without the logarithm that makes a wrong certainty expensive.",
        wrong="layers: [{linear: 8}, relu, linear]\nloss: nll\n",
        right="layers: [{linear: 8}, relu, linear, log_softmax]\nloss: nll\n",
        optional=True,
        source="torch.nn.NLLLoss, 'expected to contain log-probabilities of each class'",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the last layer."""
        loss, last = draft.parts.get("loss"), head(draft)
        if loss is None or loss.output != "log_probabilities" or last is None:
            return
        if last.call is UNKNOWN or last.call.target == "nn.LogSoftmax":
            return
        name = name_of(draft.parts, last)
        if last.call.target in SOFTMAXES:
            edit = Edit(action="rename", path=(*last.path, name), value="log_softmax", safe=name == "softmax")
            hint = "write log_softmax in its place, or leave it out and write loss: cross_entropy"
        else:
            edit = Edit(action="rename", path=("loss", "nll"), value="cross_entropy")
            hint = "write loss: cross_entropy, which applies log_softmax itself, or end the layers with log_softmax"
        message = f"nll needs log-probabilities, but the layers end with {name}: the loss would run below 0"
        yield self.report(message, last.path, hint=hint, edit=edit)


@final
class SqueezedScores(StaticRule):
    """FF107: scores must be free to take any value."""

    about: ClassVar[Code] = Code(
        code="FF107",
        title="an activation on the scores",
        reason="A score becomes a probability by a sigmoid or a softmax, in the last layer or inside the loss, and "
        "must "
        "be free for that. After a relu it is never negative, so the sigmoid of it is never below 0.5; after a tanh it "
        "stays between -1 and 1, so no class can become likely. A relu in front of cross_entropy gives a class whose "
        "score is negative for every row no gradient any more: 87.6 % of digits right instead of 97.8.",
        wrong="layers: [{linear: 8}, relu, linear, relu]\nloss: cross_entropy\n",
        right="layers: [{linear: 8}, relu, linear]\nloss: cross_entropy\n",
        optional=True,
        source="measured on scikit-learn's digits; the 'useless ReLU' of many questions, such as stackoverflow.com/q/"
        "46181692",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Find the layer that returns the scores, and see what it can return."""
        step, kind = _scores(draft)
        # What is no output layer yet has no scores.
        if step is None or any(item.code in {"FF113", "FF114"} for item in draft.problems):
            return
        # A step without a gradient has a rule of its own.
        if step.call is UNKNOWN or step.call.arguments.get("surrogate", "") is None:
            return
        name = name_of(draft.parts, step)
        cost = _cost(step, kind, name, _classes(draft, step))
        if cost is not None:
            hint = f"leave {name} out: scores must be free to take any value"
            yield self.report(cost, step.path, hint=hint, edit=removal(step))


def _scores(draft: Draft) -> tuple[Step | None, str]:
    """Return the step whose output is taken for scores, and what they are: logit, margin, logits or scores."""
    loss, steps = draft.parts.get("loss"), effective(draft.steps)
    if loss is None or not steps:
        return None, ""
    last = steps[-1].call.target
    before = steps[-2] if len(steps) > 1 else None
    if last in SIGMOIDS and loss.output in {"probability", "value"}:
        return before, "logit"
    if last in NORMALISERS and loss.output in {"probability", "log_probabilities", "value"}:
        return before, "logits"
    inside = last in NORMALISERS or (last in SIGMOIDS and loss.output == "logit")
    if loss.output not in {"logit", "logits", "margin", "scores"} or inside:
        return None, ""
    return steps[-1], loss.output if loss.name != "perceptron" else "sign"


def _classes(draft: Draft, step: Step) -> int | None:
    """Return the number of classes: as the data has it, or else as the layer has outputs; None if it makes no sense."""
    classes = draft.facts.outputs if draft.facts.target == "classes" else step.output[-1]
    return classes if classes is None or classes > 1 else None


def _cost(step: Step, kind: str, name: str, classes: int | None) -> str | None:
    """Say what it costs that the scores cannot be any number; None if nothing."""
    low, high = range_of(step)
    if (low, high) == (-inf, inf):
        return None
    message = f"the scores must be free, but {name} returns {in_words(low, high)}"
    if kind in {"logit", "margin"} and (low > -UNSURE or high < UNSURE):
        chances = in_words(_sigmoid(low), _sigmoid(high) if high < inf else inf)
        return f"{message}: the probability of class 1 is always {chances}"
    if kind == "sign" and (low >= 0 or high <= 0):
        return f"{message}: every row is put on the same side"
    if kind == "logits" and high - low < WIDE:
        if classes is None:
            return f"{message}: no class can become likely"
        return f"{message}: with {classes} classes the loss cannot fall below {floor(classes, high - low):.3f}"
    if kind in {"logits", "scores"} and step.call.target in {"nn.ReLU", "nn.ReLU6", "nn.Threshold"}:
        return f"{message}: a class whose score is lower for every row gets no gradient"
    return None


def _sigmoid(score: float) -> float:
    return 0.0 if score == -inf else round(1 / (1 + exp(-score)), 2)


@final
class OneClass(StaticRule):
    """FF109: one class alone is always certain."""

    about: ClassVar[Code] = Code(
        code="FF109",
        title="a softmax over one output",
        reason="A softmax divides by the sum over all outputs. Of one output that is 1, whatever the input, so the "
        "gradient is 0; and cross_entropy over one output is 0 from the start. Two classes need two outputs and "
        "cross_entropy, or one output and bce_with_logits.",
        wrong="dataset: breast_cancer\nlayers: [{linear: 8}, relu, {linear: 1}, softmax]\nloss: bce\n",
        right="dataset: breast_cancer\nlayers: [{linear: 8}, relu, {linear: 1}, sigmoid]\nloss: bce\n",
        optional=True,
        source="stackoverflow.com/q/59129802, /q/49931055, /q/53971451",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at every softmax, and at the output of a loss on classes; what the planner said of it is enough."""
        loss, last = draft.parts.get("loss"), head(draft)
        if any(item.code in {"FF024", "FF113", "FF114"} for item in draft.problems):
            return
        for step in draft.steps:
            inside = step is last and loss is not None and loss.output == "logit"  # FF103 says to leave it out
            if step.call.target in NORMALISERS and step.output[-1] == 1 and not inside:
                name = name_of(draft.parts, step)
                constant = "0" if name == "log_softmax" else "1"
                fits = loss is not None and loss.output == "probability" and step is last
                yield self.report(
                    f"{name} needs two outputs or more: of one it is always {constant}, and nothing is learnt",
                    step.path,
                    hint="sigmoid is the softmax of two classes with one output",
                    edit=Edit(action="rename", path=(*step.path, name), value="sigmoid") if fits else None,
                )
                return
        if loss is not None and last is not None and loss.target == "index" and last.output[-1] == 1:
            message = f"{loss.name} needs two outputs or more: over one class it is always 0, and nothing is learnt"
            yield self.report(message, last.path, hint="write linear: 2, or loss: bce_with_logits for two classes")
