"""What would stop PyTorch in the middle of a training, found before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit
from ffspec.planner import walk
from ffspec.rules.rule import StaticRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft


@final
class NothingToLearn(StaticRule):
    """FF023: no parameters."""

    about: ClassVar[Code] = Code(
        code="FF023",
        title="there is nothing to learn",
        reason="Activations and dropout have no parameters, so the optimizer would have nothing to change. A linear, a "
        "normalisation and a prelu have some.",
        wrong="dataset: {regression: {n_features: 1, n_informative: 1}}\nlayers: [tanhshrink]\nloss: mse\n",
        right="dataset: {regression: {n_features: 1, n_informative: 1}}\nlayers: [linear]\nloss: mse\n",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Count the parameters."""
        if draft.plan is not None and draft.plan.parameters == 0 and not draft.problems:
            message = "the layers must have something to learn, found no parameter in them"
            yield self.report(message, ("layers",), hint="add a linear")


@final
class WeightsOfClasses(StaticRule):
    """FF028: more or fewer weights than classes."""

    about: ClassVar[Code] = Code(
        code="FF028",
        title="a weight for each class",
        reason="The weights of a loss stand in the order of the classes. With more or fewer of them than classes, "
        "nobody can tell which is whose.",
        wrong="loss: {cross_entropy: {weight: [1.0, 2.0]}}\n",
        right="loss: {cross_entropy: {weight: [1.0, 2.0, 1.0]}}\n",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Count the weights."""
        loss, classes = draft.parts.get("loss"), draft.facts.outputs
        weight = getattr(loss, "weight", None)
        if loss is not None and isinstance(weight, tuple) and classes is not None and len(weight) != classes:
            path = ("loss", loss.name, "weight")
            yield self.report(
                f"weight must have one number for each of the {classes} classes, found {len(weight)}",
                path,
                hint="balanced computes them from the training rows",
                edit=Edit(action="replace", path=path, value="balanced", safe=False),
            )


@final
class LonelyRow(StaticRule):
    """FF119: batch_norm and a batch of one row."""

    about: ClassVar[Code] = Code(
        code="FF119",
        title="batch_norm needs two rows",
        reason="While training, batch_norm subtracts the mean of the batch: of a single row nothing would be left, and "
        "PyTorch stops. The last batch of an epoch holds what the others leave, and that may be one row.",
        wrong="layers: [{linear: 8}, batch_norm, relu, linear]\ntraining: {batch_size: 17}\n",
        right="layers: [{linear: 8}, batch_norm, relu, linear]\ntraining: {batch_size: 17, drop_last: true}\n",
        source="pytorch/pytorch#7716, #4534; fastai#970, #1095",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the batches, as far as their sizes are known."""
        training, rows = draft.parts.get("training"), draft.facts.rows.get("train")
        normed = any(step.call.target == "nn.BatchNorm1d" for step in walk(draft.steps))
        if training is None or not normed:
            return
        size = training.batch_size if isinstance(training.batch_size, int) else rows
        if size is None or size == 0 or (training.drop_last and rows is not None and rows < size):
            return
        here = ("training", "batch_size")
        if size == 1:
            message = "batch_norm needs two rows or more in every training batch, found batches of one row"
            yield self.report(message, here, hint="write another batch_size, or layer_norm")
        elif rows is not None and not training.drop_last and rows % size == 1:
            found = f"one left over from {rows} rows in batches of {size}"
            message = f"batch_norm needs two rows or more in every training batch, found {found}"
            edit = Edit(action="set", path=("training", "drop_last"), value=True, safe=False)
            yield self.report(message, here, hint="write drop_last: true, or another batch_size", edit=edit)


@final
class Streamed(StaticRule):
    """FF129: a training that needs all rows at hand, of rows that are streamed."""

    about: ClassVar[Code] = Code(
        code="FF129",
        title="all rows at once, where they are streamed",
        reason="Rows that are streamed are never all in memory: a step cannot be of all of them, and training again on "
        "the training and validation rows together (refit) would need another division of the file.",
        wrong="dataset: {parquet: {path: rides.parquet, target: fare, streaming: true}}\ntraining: {batch_size: all}\n",
        right="dataset: {parquet: {path: rides.parquet, target: fare, streaming: true}}\n"
        "training: {batch_size: auto}\n",
        source="Bottou and Bousquet 2008, The Tradeoffs of Large Scale Learning",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the loop."""
        dataset, training = draft.parts.get("dataset"), draft.parts.get("training")
        if dataset is None or training is None or dataset.buffer is None:
            return
        if training.batch_size == "all":
            message = "a step must be of so many rows where rows are streamed, found batch_size: all"
            yield self.report(message, ("training", "batch_size"), hint="write batch_size: auto, say")
        if training.refit:
            message = "refit needs the training and validation rows in memory, but they are streamed"
            yield self.report(message, ("training", "refit"), hint="write, under training, refit: false")
