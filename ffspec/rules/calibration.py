"""What is fitted after training needs rows that neither trained the network nor judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.planner import walk
from ffspec.rules.network import removal
from ffspec.rules.rule import StaticRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft

CHANCES = frozenset({"logits", "log_probabilities", "logit", "probability"})
"""What an output is taken for by a loss that makes it a probability, or takes it for one."""
SPLIT = "write split: {validation: 0.1, test: 0.2} under dataset"


@final
class TemperatureInPlace(StaticRule):
    """FF131: a temperature divides the scores that the loss takes."""

    about: ClassVar[Code] = Code(
        code="FF131",
        title="a temperature that cannot be fitted",
        reason="A temperature divides the scores that the softmax or the sigmoid inside the loss makes probabilities "
        "of. Log-probabilities or probabilities divided would not sum to 1 any more, and other losses have no "
        "probabilities. It is fitted after training on the validation split: training rows would say that the network "
        "may be surer than it should, and test rows could no longer judge it.",
        wrong="layers: [{linear: 8}, relu, linear, temperature]\n",
        right="dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}\n"
        "layers: [{linear: 8}, relu, linear, temperature]\n",
        source="Guo et al. 2017 (arXiv 1706.04599), section 4.2: fitted on the validation set, argmax unchanged",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for every temperature, and at what the last one divides."""
        loss, facts = draft.parts.get("loss"), draft.facts
        for step in walk(draft.steps):
            if step.call.target != "ffspec.Temperature":
                continue
            if step is not draft.steps[-1]:
                message = "temperature must be the last layer: it divides the scores that the loss takes"
                yield self.report(message, step.path, hint="leave it out here", edit=removal(step))
            elif loss is not None and loss.output not in {"logits", "logit"}:
                message = f"temperature divides scores, and {loss.name} takes none"
                hint = "write loss: cross_entropy or bce_with_logits, which has the softmax or the sigmoid inside"
                yield self.report(message, step.path, hint=hint)
            elif facts.rows and "validation" not in facts.rows:
                message = "temperature is fitted on the validation split, and the dataset has none"
                yield self.report(message, step.path, hint=SPLIT)


@final
class ThresholdOfTwoClasses(StaticRule):
    """FF133: a threshold divides the probabilities of two classes."""

    about: ClassVar[Code] = Code(
        code="FF133",
        title="a threshold that cannot be chosen",
        reason="From a threshold on, the second of two classes is predicted. It is chosen after training on the "
        "validation split, by probabilities: with three classes there is no single threshold, a margin is no "
        "probability, and a threshold chosen on the test split would fit it, so that its figures are no judgement.",
        wrong="dataset: breast_cancer\ntraining: {threshold: f1}\n",
        right="dataset: {breast_cancer: {}, split: {validation: 0.2, test: 0.2}}\ntraining: {threshold: f1}\n",
        source="Saito and Rehmsmeier 2015; scikit-learn, TunedThresholdClassifierCV: on held-out rows",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the target, the loss and the splits."""
        training, loss, facts = draft.parts.get("training"), draft.parts.get("loss"), draft.facts
        if training is None or training.threshold is None:
            return
        path = ("training", "threshold")
        if facts.target == "values" or (facts.target == "classes" and facts.outputs not in {None, 2}):
            found = f"{facts.outputs} classes" if facts.target == "classes" else "numbers"
            message = f"a threshold needs two classes, but the target of this data set is {found}"
            yield self.report(message, path, hint="leave it out: the likeliest class is predicted")
        elif loss is not None and loss.output not in CHANCES:
            message = f"a threshold needs probabilities, and {loss.name} has none"
            yield self.report(message, path, hint="write loss: bce_with_logits or cross_entropy, or leave it out")
        elif facts.rows and "validation" not in facts.rows:
            message = "a threshold is chosen on the validation split, and the dataset has none"
            yield self.report(message, path, hint=SPLIT)


@final
class RefitHasRows(StaticRule):
    """FF134: training again needs rows that the first training has left."""

    about: ClassVar[Code] = Code(
        code="FF134",
        title="nothing to train again with",
        reason="refit trains another network on the training and validation rows together, for as many epochs as the "
        "validation split found best. Without such a split it would train the same network twice.",
        wrong="dataset: {iris: {}, split: {test: 0.2}}\ntraining: {refit: true}\n",
        right="dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}\n"
        "training: {refit: true, early_stopping: {patience: 20}}\n",
        source="Goodfellow, Bengio and Courville 2016, algorithm 7.2; scikit-learn, GridSearchCV(refit=True)",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for the split."""
        training, facts = draft.parts.get("training"), draft.facts
        if training is not None and training.refit and facts.rows and "validation" not in facts.rows:
            message = "refit needs the rows of a validation split, and the dataset has none"
            yield self.report(message, ("training", "refit"), hint=SPLIT)
