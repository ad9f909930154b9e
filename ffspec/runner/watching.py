"""What is seen of a training while it runs, and at its end, at no cost that could be measured.

Shapes: B batch, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from statistics import median
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ffspec.builder.stacked import StackedLinear
from ffspec.builder.streams import untouched
from ffspec.planner import walk
from ffspec.rules.outcomes import Outcome
from ffspec.runner.evaluation import eval_mode, forward, undropped_copy
from ffspec.runner.probes import LINEAR_MODULES, linears_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffspec.data import Loaded
    from ffspec.diagnostics import Path
    from ffspec.planner import Plan
    from ffspec.rules.outcomes import Comparison
    from ffspec.runner.evaluation import Judge
    from ffspec.runner.loop import Row
    from ffspec.runner.setup import Setup

ROWS = 10_000
"""Training rows the two modes and dead units are looked at with, at most."""


@dataclass
class Watch:
    """Looks at the first step of epochs 1, 2, 4, 8, ...: how far it moves the weights of every linear."""

    network: nn.Module
    ratios: dict[str, list[float]] = field(default_factory=dict)
    _before: dict[str, Tensor] = field(default_factory=dict)

    def before_epoch(self, epoch: int) -> None:
        """Remember the weights, in epochs that are powers of two."""
        if epoch & (epoch - 1) == 0:
            self._before = {name: linear.weight.detach().clone() for name, linear in self._linears()}

    def after_step(self) -> None:
        """Compare the weights with those remembered, and forget them."""
        if not self._before:
            return
        for name, linear in self._linears():
            before = self._before[name]
            size = float(before.norm())
            if size > 0:
                self.ratios.setdefault(name, []).append(float((linear.weight.detach() - before).norm()) / size)
        self._before = {}

    def _linears(self) -> list[tuple[str, nn.Linear | StackedLinear]]:
        return [(name, module) for name, module in self.network.named_modules() if isinstance(module, LINEAR_MODULES)]


def outcome_of(setup: Setup, watch: Watch, rows: Sequence[Row], comparisons: tuple[Comparison, ...]) -> Outcome:
    """Return what a training showed. Nothing of the network or of any random state is changed."""
    network, plan, judge, train = setup.network, setup.plan, setup.judge, setup.splits["train"]
    places = linears_of(network, plan)
    part = slice(None, None, max(1, -(-train.rows // ROWS)))
    x_BF, target = train.x[part], train.target[part]
    # Of weights that start at zero, every early step is a large part.
    grown = {step.path for step in walk(plan.steps) if getattr(step.initialisers.get("weight"), "name", "") == "zeros"}
    train_mode, eval_mode_loss = _both_modes(setup, x_BF, target)
    return Outcome(
        losses=tuple(float(row["loss"]) for row in rows),
        chance=chance_of_constant(setup.loaded, judge),
        bounded=setup.loaded.classes is not None,
        dead=_dead_units(network, plan, x_BF, judge),
        ratios=tuple((places[name], median(all_)) for name, all_ in watch.ratios.items() if places[name] not in grown),
        train_mode=train_mode,
        eval_mode=eval_mode_loss,
        comparisons=comparisons,
    )


def chance_of_constant(loaded: Loaded, judge: Judge) -> float | None:
    """Return the training loss of the best constant prediction, where it is plain: an entropy, or a variance."""
    y, loss = loaded.splits["train"].y, judge.spec
    weighted = any(getattr(loss, name, None) is not None for name in ("weight", "pos_weight"))
    if loaded.classes is None:
        return float(y.var(axis=0).mean()) if loss.name == "mse" else None
    likelihood = loss.output in {"logits", "log_probabilities"} or (
        loss.name in {"bce", "bce_with_logits"} and len(loaded.classes) == 2
    )
    if weighted or getattr(loss, "label_smoothing", 0.0) > 0 or not likelihood:
        return None
    shares = [float((y == code).mean()) for code in range(len(loaded.classes))]
    return -sum(share * log(share) for share in shares if share > 0)


def _dead_units(network: nn.Module, plan: Plan, x_BF: Tensor, judge: Judge) -> tuple[tuple[Path, int, int], ...]:
    """Return, for every relu, its place, the units that are 0 for all rows, and all units."""
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    paths = [step.path for step in walk(plan.steps) if step.call.target == "nn.ReLU"]
    alive: dict[int, Tensor] = {}

    def look(module: nn.Module, given: object, output: Tensor) -> None:
        del given
        found = (output > 0).any(dim=-2)  # over the rows; every member of an ensemble has units of its own
        alive[id(module)] = alive[id(module)] | found if id(module) in alive else found

    hooks = [module.register_forward_hook(look) for module in relus]
    try:
        with eval_mode(network), torch.inference_mode():
            forward(network, x_BF, judge)
    finally:
        for hook in hooks:
            hook.remove()
    counts = [(int((~alive[id(module)]).sum()), alive[id(module)].numel()) for module in relus]
    return tuple((path, dead, units) for path, (dead, units) in zip(paths, counts, strict=True) if dead)


def _both_modes(setup: Setup, x_BF: Tensor, target: Tensor) -> tuple[float | None, float | None]:
    """Return the loss of some training rows in train mode and in eval mode; nothing without a batch_norm.

    Dropout is off in both: it makes train mode worse, and that is what it is for.
    """
    network, judge, batch_size = setup.network, setup.judge, setup.spec.training.batch_size
    if not any(step.call.target == "nn.BatchNorm1d" for step in walk(setup.plan.steps)):
        return None, None
    size = len(x_BF) if isinstance(batch_size, str) else min(batch_size, len(x_BF))
    copy = undropped_copy(network)
    whole = len(x_BF) // size * size if size > 1 else 0
    if not whole:
        return None, None
    with untouched(), torch.inference_mode(), judge.autocast():
        parts = zip(torch.split(x_BF[:whole], size), torch.split(target[:whole], size), strict=True)
        losses = [float(judge.train_loss(copy(part), wanted)) for part, wanted in parts]
    with eval_mode(network), torch.inference_mode(), judge.autocast():
        output = forward(network, x_BF[:whole], judge)
        output = output if judge.scale is None else judge.scale.standardise(output)
        evaluated = float(judge.loss(output, target[:whole]))
    return sum(losses) / len(losses) * judge.unit, evaluated * judge.unit
