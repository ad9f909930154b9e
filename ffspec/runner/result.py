"""What a run leaves in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ffspec.runner.patience import best_epoch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from ffspec.data import Loaded
    from ffspec.diagnostics import Diagnostic
    from ffspec.planner import Plan
    from ffspec.runner.baselines import Baseline
    from ffspec.runner.bootstrap import Interval
    from ffspec.runner.evaluation import Measures
    from ffspec.runner.expectations import Expectation
    from ffspec.runner.judgement import Judgement
    from ffspec.runner.loop import Row
    from ffspec.spec.root import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A trained network and its record. Printed, it is what it has reached."""

    spec: Spec = field(repr=False)
    plan: Plan = field(repr=False)
    data: Loaded = field(repr=False)
    model: nn.Sequential = field(repr=False)
    """The trained network, in eval mode."""
    before: dict[str, Measures]
    """Loss and metrics of every split in eval mode before training: `before["test"]["loss"]`."""
    after: dict[str, Measures]
    """The same after training. With `refit`, validation measures are those of the network that chose the epoch, the
    others those of the one that was trained again, and the training split is all rows it was trained on."""
    history: tuple[Row, ...] = field(repr=False)
    """One row an epoch: epoch, lr, loss, and validation measures where there is a validation split."""
    expectations: tuple[Expectation, ...]
    """The spec's checks and whether they held."""
    temperature: float | None = None
    """What the network's scores are divided by, fitted on the validation split; None without such a layer."""
    threshold: float | None = None
    """The probability from which on the second of two classes is predicted, after training; None: the likelier one."""
    judgement: Judgement = field(repr=False)
    """What the network makes of the split that judges it, and how sure that is."""
    baselines: tuple[Baseline, ...] = field(default=(), repr=False)
    """What simpler models reach on the test split, or on the last there is."""
    findings: tuple[Diagnostic, ...] = field(default=(), repr=False)
    """What the rules found before, while and after training, of the kind that does not stop a run."""
    directory: Path | None
    """The run directory, if one was asked for."""

    @property
    def intervals(self) -> dict[str, Interval]:
        """The 95 % intervals of the measures of the test split after training: `intervals["accuracy"]`."""
        return self.judgement.intervals

    @property
    def confusion(self) -> Any:
        """How many rows of each class are predicted to be of each, (C, C): true classes first. None for numbers."""
        return self.judgement.confusion

    @property
    def best_epoch(self) -> int | None:
        """The epoch early stopping went back to; None without it."""
        stopping = self.spec.training.early_stopping
        return None if stopping is None else best_epoch(self.history, stopping)

    @property
    def ok(self) -> bool:
        """Whether every expectation was met."""
        return all(expectation.met for expectation in self.expectations)
