"""What would stop PyTorch in the middle of a training, found before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import Diagnostic
from ffspec.planner import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ffspec.planner import Plan

CHANCES = frozenset({"nn.Sigmoid", "nn.Hardsigmoid", "nn.Softmax", "nn.Softmin", "ffspec.Heaviside"})
"""What returns numbers between 0 and 1."""

SILENT = frozenset({"nn.Identity", "nn.Flatten"})
"""What changes no number."""


def obstacles(parts: Mapping[str, Any], plan: Plan) -> Iterator[Diagnostic]:
    """Yield what PyTorch would stop at: nothing to learn, weights of other classes, batches of no row or one.

    Args:
        parts: The top-level values of a spec by key.
        plan: What has been planned of it.
    """
    if plan.parameters == 0:
        message = "the layers must have something to learn, found no parameter in them"
        yield Diagnostic(code="FF023", message=message, path=("layers",), hint="add a linear")
    yield from _weight_problems(parts, plan)
    yield from _chance_problems(parts, plan)
    yield from _batch_problems(parts, plan)


def _weight_problems(parts: Mapping[str, Any], plan: Plan) -> Iterator[Diagnostic]:
    loss, classes = parts["loss"], plan.facts.outputs
    weight = getattr(loss, "weight", None)
    if isinstance(weight, tuple) and classes is not None and len(weight) != classes:
        yield Diagnostic(
            code="FF028",
            message=f"weight must have one number for each of the {classes} classes, found {len(weight)}",
            path=("loss", loss.name, "weight"),
            hint="balanced computes them from the training rows",
        )


def _chance_problems(parts: Mapping[str, Any], plan: Plan) -> Iterator[Diagnostic]:
    last = next((step.call for step in reversed(plan.steps) if step.call.target not in SILENT), None)
    if parts["loss"].output != "probability" or last is None or last.target in CHANCES:
        return
    if last.target == "nn.Hardtanh" and last.arguments["min_val"] >= 0 and last.arguments["max_val"] <= 1:
        return
    yield Diagnostic(
        code="FF104",
        message=f"{parts['loss'].name} needs probabilities, but the layers end with {parts['layers'][-1].name}",
        path=("layers", len(parts["layers"]) - 1),
        hint="add a sigmoid, or write loss: bce_with_logits, which has it inside",
    )


def _batch_problems(parts: Mapping[str, Any], plan: Plan) -> Iterator[Diagnostic]:
    training, rows = parts["training"], plan.facts.rows.get("train")
    size = rows if training.batch_size == "all" else training.batch_size
    if plan.steps_per_epoch == 0:
        yield Diagnostic(
            code="FF124",
            message=f"drop_last must leave a batch, but the {rows} training rows do not fill one of {size}",
            path=("training", "drop_last"),
            hint="write a smaller batch_size, or batch_size: all",
        )
        return
    if size is None or not any(step.call.target == "nn.BatchNorm1d" for step in walk(plan.steps)):
        return
    alone = size == 1 or (rows is not None and not training.drop_last and rows % size == 1)
    if alone:
        found = "batches of one row" if size == 1 else f"one left over from {rows} rows in batches of {size}"
        yield Diagnostic(
            code="FF119",
            message=f"batch_norm needs two rows or more in every training batch, found {found}",
            path=("training", "batch_size"),
            hint="write another batch_size, or layer_norm"
            if size == 1
            else "write drop_last: true, or another batch_size",
        )
