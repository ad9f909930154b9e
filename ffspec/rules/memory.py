"""Whether a training fits into memory, as far as the plan tells: from below, so that what is refused cannot fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from ffspec.codes import Code
from ffspec.limits import gathers_by_step, shortage, shown
from ffspec.rules.rule import DataRule, StaticRule
from ffspec.spec.ensembles import members_of
from ffspec.spec.step import LINEARS
from ffspec.spec.training import settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic, Path
    from ffspec.planner import Draft, Plan
    from ffspec.spec.step import Step

STATES = {
    "adam": 2, "adamw": 2, "nadam": 2, "radam": 2, "adamax": 2, "adadelta": 2, "rprop": 2, "adagrad": 1, "rmsprop": 1,
    "asgd": 1, "muon": 1,
}  # fmt: skip
"""The numbers an optimizer keeps for each parameter, beside those that an argument asks for; none where not listed."""
EVALUATED = 16_384
"""The rows of which an evaluation computes the output at once; those of all members of an ensemble count."""


PARAMETERS, STATE, ROWS, ACTIVATIONS = "parameters", "optimizer state", "rows", "activations"
SAMPLE, PIECE = 100_000, 262_144
"""Of rows that are streamed, those of each split that are kept, and those that are read at a time, at most."""


@final
class TooLarge(StaticRule, DataRule):
    """FF029: a training that the memory has no room for."""

    about: ClassVar[Code] = Code(
        code="FF029",
        title="the training does not fit into memory",
        reason="A training holds the weights, their gradients and what the optimizer keeps of each (two numbers in "
        "adam, two hundred in lbfgs), the rows as tensors, and what every layer returns for a batch. That is estimated "
        "from below, and compared with what this machine, or its container, can still give; on another machine the "
        "answer may be another. Only for training on the CPU.",
        wrong="layers: [{linear: 5000}, relu, {linear: 5000}, relu, linear]\n"
        "optimizer: {lbfgs: {history_size: 10000}}\ntraining: {epochs: 1000, batch_size: all}\n",
        right="layers: [{linear: 500}, relu, {linear: 500}, relu, linear]\noptimizer: adam\n",
        optional=True,
        source="docs.pytorch.org, torch.optim: the state of each algorithm",
    )

    def find(self, draft: Draft) -> Iterator[Diagnostic]:
        """Add up what is known."""
        yield from self._judge(draft, loaded=False)

    def inspect(self, draft: Draft, loaded: Loaded) -> Iterator[Diagnostic]:
        """Add up what there must be beside the rows that have been loaded."""
        del loaded
        yield from self._judge(draft, loaded=True)

    def _judge(self, draft: Draft, *, loaded: bool) -> Iterator[Diagnostic]:
        if draft.plan is None or draft.problems or draft.parts["training"].device != "cpu":
            return
        parts = needs(draft.plan, draft.parts, loaded=loaded)
        lack = shortage(sum(parts.values()))
        if lack is not None:
            path, hint = _mend(parts, draft)
            message = f"a training must fit into memory, but this one {lack} ({told(parts)})"
            yield self.report(message, path, hint=hint)


def _mend(parts: Mapping[str, int], draft: Draft) -> tuple[Path, str]:
    """Return where the most is taken, and what to write instead."""
    largest = max(parts, key=lambda name: parts[name])
    if largest == ACTIVATIONS:
        return ("training", "batch_size"), "write a smaller batch_size"
    if largest != ROWS:
        narrower = "make the layers narrower"
        return ("optimizer",), f"{narrower}, or take sgd" if parts[STATE] else narrower
    dataset = draft.parts.get("dataset")
    if dataset is None:
        return ("dataset",), "take fewer rows or columns"
    if dataset.buffer is not None:
        return ("dataset", dataset.source.name, "streaming"), "write a smaller buffer_size"
    if dataset.source.name == "parquet":
        return ("dataset", "parquet"), "write streaming: true beside its path, or take fewer rows or columns"
    if dataset.source.name == "csv":
        return ("dataset", "csv"), "take fewer rows or columns, or write the rows as Parquet and stream them"
    return ("dataset",), "take fewer rows or columns"


def told(parts: Mapping[str, int]) -> str:
    """Say what takes how much."""
    return ", ".join(f"{name} {shown(size)}" for name, size in parts.items() if size)


def needs(plan: Plan, parts: Mapping[str, Any], *, loaded: bool = False) -> dict[str, int]:
    """Return the bytes that a training takes at least; what is unknown counts as 0.

    Args:
        plan: The plan.
        parts: The parts of the spec.
        loaded: Whether the rows have been loaded, and do not count.
    """
    training, facts = parts["training"], plan.facts
    number = 8 if training.precision == "float64" else 4
    # The weights, their gradients, and a copy to see how far the first step of an epoch moves them.
    kept = 3 + (training.early_stopping is not None) + (training.ema is not None)
    rows = {name: count or 0 for name, count in facts.rows.items()}
    asked = settled(training, rows.get("train", 0)).batch_size
    size = min(asked, rows.get("train", 0)) if isinstance(asked, int) else rows.get("train", 0)
    leaves = [*_leaves(plan.steps)]
    widest = max((count * (step.output[-1] or 0) for step, count in leaves), default=0)
    # Until its gradient is known, a linear keeps what it received; the first one's are rows.
    inputs = [count * (step.input[-1] or 0) for step, count in leaves if step.call.target in LINEARS]
    trained = size * (sum(inputs[1:]) + widest)
    evaluated = min(EVALUATED // members_of(plan.steps), max(rows.values(), default=0)) * widest
    parameters = plan.parameters or 0
    row = number * (facts.features or 0)
    return {
        ROWS: row * _rows(parts, rows, size, row, loaded=loaded),
        PARAMETERS: number * parameters * kept,
        STATE: number * parameters * _states(plan, parts),
        ACTIVATIONS: number * max(trained, evaluated),
    }


def _rows(parts: Mapping[str, Any], rows: Mapping[str, int], size: int, row: int, *, loaded: bool) -> int:
    """Return how many rows, of so many bytes, are in memory at once, those of a batch not counted again."""
    train, dataset = rows.get("train", 0), parts.get("dataset")
    buffer: int | None = None if dataset is None else dataset.buffer
    if buffer is not None:  # a window and the one before it, what is read and prepared, and the samples
        window = min(max(buffer, PIECE), train)
        sampled = 0 if loaded else sum(min(count, SAMPLE) for count in rows.values())
        return 2 * window + 2 * min(PIECE, window) + sampled
    shuffled = parts["training"].shuffle and size < train
    gathered = (size if gathers_by_step(train, row) else train) if shuffled else 0
    return gathered + (0 if loaded else sum(rows.values()))


def _leaves(steps: Sequence[Step], count: int = 1) -> Iterator[tuple[Step, int]]:
    """Yield the steps that are no blocks, and how many rows each makes of one."""
    for step in steps:
        if step.steps:
            yield from _leaves(step.steps, count * step.call.arguments.get("members", 1))
        else:
            yield step, count


def _states(plan: Plan, parts: Mapping[str, Any]) -> int:
    """Return how many numbers the optimizer keeps for each parameter."""
    optimizer = parts["optimizer"]
    if optimizer.name == "lbfgs":  # a direction and a step of every iteration, up to its history
        iterations: int = plan.epochs * (plan.steps_per_epoch or 0) * optimizer.max_iter
        return 2 * min(iterations, int(optimizer.history_size))
    asked = [getattr(optimizer, name, False) for name in ("amsgrad", "centered")]
    if optimizer.name in {"sgd", "rmsprop"}:
        asked.append(optimizer.momentum > 0)
    return STATES.get(optimizer.name, 0) + sum(map(bool, asked))
