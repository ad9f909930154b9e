"""The order of the layers: what stands beside what."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, final

from ffspec.codes import Code
from ffspec.diagnostics import Edit, Severity
from ffspec.planner import UNKNOWN
from ffspec.rules.heads import (
    LogSoftmaxBeforeCrossEntropy,
    SigmoidBeforeLogits,
    SoftmaxBeforeCrossEntropy,
    SqueezedScores,
)
from ffspec.rules.network import (
    ACTIVATIONS,
    DROPOUTS,
    NORMALISERS,
    NORMS,
    PARAMETRIC,
    SIGMOIDS,
    SILENT,
    chains,
    effective,
    is_linear,
    layer_at,
    learns,
    name_of,
    removal,
)
from ffspec.rules.rule import StaticRule
from ffspec.spec.step import LINEARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Draft
    from ffspec.spec.step import Step

DEEP = 5
"""Sigmoids in a row behind which, measured, no gradient is left to learn from."""


@final
class HiddenSoftmax(StaticRule):
    """FF108: a softmax inside the network."""

    about: ClassVar[Code] = Code(
        code="FF108",
        title="a softmax between two layers",
        reason="A softmax makes its outputs compete: they sum to 1, so that of 100 units each has 0.01 on average, and "
        "the next layer sees nearly constant numbers with small gradients. Between layers stands an activation of each "
        "unit alone, such as relu.",
        wrong="layers: [{linear: 8}, softmax, linear]\n",
        right="layers: [{linear: 8}, relu, linear]\n",
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/52575271",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for a softmax behind which something learns."""
        yield from self._look(draft, draft.steps, learnt=False)

    def _look(self, draft: Draft, chain: Sequence[Step], *, learnt: bool) -> Iterator[Diagnostic]:
        """Go through a chain backwards; `learnt` says whether something behind the whole of it learns."""
        found: list[Diagnostic] = []
        for step in reversed(chain):
            if step.steps:
                found += self._look(draft, step.steps, learnt=learnt)
            elif learnt and step.call.target in NORMALISERS and step.output[-1] != 1:
                found.append(self._found(draft, step))
            learnt = learnt or learns(step)
        yield from reversed(found)

    def _found(self, draft: Draft, step: Step) -> Diagnostic:
        name = name_of(draft.parts, step)
        return self.report(
            f"{name} makes all units of the layer compete; between layers an activation must act on each",
            step.path,
            hint="write relu, or keep it for the output",
            edit=Edit(action="rename", path=(*step.path, name), value="relu", safe=False),
        )


@final
class NoActivation(StaticRule):
    """FF110: linears without an activation between them are one linear."""

    about: ClassVar[Code] = Code(
        code="FF110",
        title="two linears with no activation between them",
        reason="A linear map of a linear map is a linear map: W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2). However "
        "many follow each other, the network can say no more than with one, it only takes longer. Dropout, flatten and "
        "(in eval mode) batch_norm between them change nothing about that.",
        wrong="layers: [{linear: 16}, linear]\n",
        right="layers: [{linear: 16}, relu, linear]\n",
        severity=Severity.WARNING,
        optional=True,
        source="stackoverflow.com/q/46181692, /q/53138899; NeuraLint's MissingReLU (arXiv 2105.08095); UMLAUT (CHI "
        "2021)",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Follow every chain from one linear to the next."""
        for chain in chains(draft.steps):
            first: Step | None = None
            for step in chain:
                if not is_linear(step):
                    first = None
                elif learns(step):
                    if first is not None:
                        yield self._found(first, step)
                    first = step

    def _found(self, first: Step, second: Step) -> Diagnostic:
        place = second.path[-1]
        edit = None
        if isinstance(place, int) and place > 0 and first.path[:-1] == second.path[:-1] and first.path != second.path:
            edit = Edit(action="insert", path=(*second.path[:-1], place - 1), value="relu", safe=False)
        widths = [first.input[-1], first.output[-1], second.output[-1]]
        what = "two linears with no activation between them are one linear"
        if None not in widths:
            what += f": {widths[0]} to {widths[1]} to {widths[2]} says no more than {widths[0]} to {widths[2]}"
        return self.report(what, second.path, hint="put relu, or another activation, between them", edit=edit)


@final
class TwoActivations(StaticRule):
    """FF111: an activation of an activation."""

    about: ClassVar[Code] = Code(
        code="FF111",
        title="two activations in a row",
        reason="One activation is enough to make the network nonlinear. A second one behind it cuts more away: a "
        "relu of "
        "a relu does nothing at all, a relu of a sigmoid neither, and a tanh of a relu loses the negative half of "
        "tanh.",
        wrong="layers: [{linear: 8}, relu, tanh, linear]\n",
        right="layers: [{linear: 8}, tanh, linear]\n",
        severity=Severity.WARNING,
        optional=True,
        source="NeuraLint's DoubleActivation (arXiv 2105.08095)",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for neighbours; what another rule says of one of the two is enough."""
        told = {item.path for rule in _SPEAKERS for item in rule.find(draft)}
        for chain in chains(draft.steps):
            before: Step | None = None
            for step in chain:
                if step.call.target in SILENT | DROPOUTS:
                    continue
                acts = step.call.target in ACTIVATIONS | PARAMETRIC | NORMALISERS
                if acts and before is not None and told.isdisjoint({before.path, step.path}):
                    yield self._found(draft, before, step)
                before = step if acts else None

    def _found(self, draft: Draft, before: Step, step: Step) -> Diagnostic:
        first, second = name_of(draft.parts, before), name_of(draft.parts, step)
        same = first == second == "relu"
        message = f"{second} follows {first}: one activation between two layers is enough"
        return self.report(message, step.path, hint="leave one of them out", edit=removal(step, safe=same))


_SPEAKERS = (
    SoftmaxBeforeCrossEntropy(),
    LogSoftmaxBeforeCrossEntropy(),
    SigmoidBeforeLogits(),
    SqueezedScores(),
    HiddenSoftmax(),
)


@final
class BiasBeforeBatchNorm(StaticRule):
    """FF118: batch_norm takes the bias away again."""

    about: ClassVar[Code] = Code(
        code="FF118",
        title="a bias in front of batch_norm",
        reason="batch_norm subtracts the mean of each feature, and with it the bias of the linear in front; its own "
        "shift takes over. The bias costs memory and time and learns nothing. Its gradient is rounding, of which Adam "
        "and its like make steps as large as any: the means kept for eval mode follow behind, and two trainings that "
        "differ in rounding alone then differ in per cents. So seeds, folds and points of a sweep are trained one "
        "after another, and not as one network.",
        wrong="layers: [{linear: 8}, batch_norm, relu, linear]\n",
        right="layers: [{linear: {out_features: 8, bias: false}}, batch_norm, relu, linear]\n",
        severity=Severity.INFO,
        optional=True,
        source="PyTorch's performance tuning guide; milesial/Pytorch-UNet#325, dmlc/dgl#4071",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for a linear with its bias right in front of a batch_norm with a shift."""
        for chain in chains(draft.steps):
            steps = [step for step in chain if step.call.target not in SILENT]
            for step, behind in pairwise(steps):
                norm = behind.call.target == "nn.BatchNorm1d" and behind.call.arguments["affine"]
                if norm and step.call.target in LINEARS and step.call.arguments["bias"]:
                    bias = (*step.path, "linear", "bias")
                    edit = (
                        None
                        if layer_at(draft.parts, step.path).bias_init
                        else Edit(action="set", path=bias, value=False)
                    )
                    message = "batch_norm takes the bias of the linear in front of it away again"
                    yield self.report(message, step.path, hint="write bias: false", edit=edit)


@final
class BatchNormOutOfPlace(StaticRule):
    """FF120: batch_norm on the output, or on batches of a few rows."""

    about: ClassVar[Code] = Code(
        code="FF120",
        title="batch_norm on the output, or on small batches",
        reason="On the output, batch_norm makes every answer depend on the other rows of the batch and fixes the "
        "spread "
        "of all answers together. On batches of fewer than 8 rows, mean and variance are guesses: what the network "
        "sees "
        "while training is far from what it sees in eval mode. layer_norm looks at one row alone.",
        wrong="layers: [{linear: 8}, relu, linear, batch_norm]\n",
        right="layers: [{linear: 8}, batch_norm, relu, linear]\n",
        severity=Severity.WARNING,
        optional=True,
        source="Wu and He 2018 (arXiv 1803.08494) on small batches",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look at the last layer, and at the size of the batches."""
        steps = effective(draft.steps)
        if steps and steps[-1].call.target == "nn.BatchNorm1d" and any(map(learns, steps)):
            message = "batch_norm is the last layer: every answer would depend on the other rows of its batch"
            yield self.report(message, steps[-1].path, hint="put it before the activation", edit=removal(steps[-1]))
        training = draft.parts.get("training")
        size = None if training is None else training.batch_size
        normed = any(step.call.target == "nn.BatchNorm1d" for chain in chains(draft.steps) for step in chain)
        if normed and isinstance(size, int) and 1 < size < 8:
            message = f"batch_norm needs batches of 8 rows or more to know mean and variance, found {size}"
            yield self.report(message, ("training", "batch_size"), hint="write a larger batch_size, or layer_norm")


@final
class NoGradient(StaticRule):
    """FF121: the Heaviside step has no gradient."""

    about: ClassVar[Code] = Code(
        code="FF121",
        title="a step without a gradient",
        reason="The Heaviside step is flat, so its derivative is 0 wherever it exists: no gradient passes through, and "
        "nothing in front of it learns. The accuracy need not show it: with a random first layer, digits still reach "
        "0.87. A surrogate passes the gradient on as if the step were the identity (arXiv 1308.3432).",
        wrong="layers: [{linear: 8}, heaviside, linear]\n",
        right="layers: [{linear: 8}, {heaviside: straight_through}, linear]\n",
        optional=True,
        source="stackoverflow.com/q/41780344, /q/52142287; measured: the first layer's gradient is 0",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Look for a step behind something that learns."""
        for chain in chains(draft.steps):
            count = 0
            for step in chain:
                if step.call.target == "ffspec.Heaviside" and step.call.arguments["surrogate"] is None and count:
                    layers = "the layer" if count == 1 else f"the {count} layers"
                    message = f"heaviside has no gradient: {layers} in front of it can learn nothing"
                    path = (*step.path, "heaviside", "surrogate")
                    edit = Edit(action="set", path=path, value="straight_through", safe=False)
                    hint = "write heaviside: straight_through, or sigmoid"
                    yield self.report(message, step.path, hint=hint, edit=edit)
                count += learns(step)


@final
class SaturatingDepth(StaticRule):
    """FF122: many sigmoids on top of each other."""

    about: ClassVar[Code] = Code(
        code="FF122",
        title="too many sigmoids on top of each other",
        reason="The derivative of a sigmoid is at most 1/4. Five of them leave the first layer less than a "
        "thousandth of "
        "the gradient. Of 36 architectures tried, only those with six sigmoids and no normalisation could not learn a "
        "single batch by heart. relu, or a batch_norm or layer_norm in between, lets the gradient through.",
        wrong="layers:\n  - repeat: {times: 6, layers: [{linear: 16}, sigmoid]}\n  - linear\n",
        right="layers:\n  - repeat: {times: 6, layers: [{linear: 16}, relu]}\n  - linear\n",
        severity=Severity.WARNING,
        optional=True,
        source="Glorot and Bengio 2010; stackoverflow.com/q/50209981; measured",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Count the hidden sigmoids that follow each other without a normalisation or a shortcut between them."""
        for chain in chains(draft.steps):
            row: list[Step] = []
            longest: list[Step] = []
            for step in _hidden(chain):
                if step.call.target in NORMS or step.steps or step.call is UNKNOWN:
                    row = []
                elif step.call.target in SIGMOIDS:
                    row.append(step)
                    longest = max(longest, row, key=len)
            if len(longest) >= DEEP:
                message = f"{len(longest)} sigmoids in a row leave the first layer hardly any gradient"
                yield self.report(message, longest[0].path, hint="write relu, or put layer_norm before each")


def _hidden(chain: Sequence[Step]) -> Sequence[Step]:
    """Return the steps in front of the last one that learns."""
    last = max((index for index, step in enumerate(chain) if learns(step)), default=0)
    return chain[:last]
