"""Training once more, on the rows of training and validation together, when these have said for how long.

What validation rows can choose they have chosen by then: the epoch, the temperature, the threshold. The second training
begins as the first did, with the same weights, and has nothing left to choose by (scikit-learn's `refit`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ffspec.builder.calibration import Temperature
from ffspec.builder.streams import untouched
from ffspec.data.loaded import Split
from ffspec.data.memory import unfilled
from ffspec.planner import replan
from ffspec.runner.setup import set_up, trainer_of
from ffspec.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable

    from ffspec.data import Loaded
    from ffspec.runner.keeper import Keeper
    from ffspec.runner.loop import Row, Trainer
    from ffspec.runner.setup import Setup


@dataclass(frozen=True, slots=True)
class _Interruptible:
    """Lets a signal end the training. Nothing is kept: a run that goes on begins to train again anew."""

    keeper: Keeper

    def after_step(self, trainer: Trainer) -> None:
        """Stop if a signal asked for it."""
        del trainer
        self.keeper.heed()

    def after_epoch(self, trainer: Trainer) -> None:
        """Do nothing."""


def refit(
    setup: Setup, epochs: int, temperature: float | None, keeper: Keeper, observe: Callable[[Row], None]
) -> Setup:
    """Train another network on all rows but those of the test split, and return what is around it.

    Args:
        setup: The first training, which is left as it is.
        epochs: Passes to make, of as many as the schedule is made for.
        temperature: What the first network's scores are divided by; None without such a layer.
        keeper: Knows of signals.
        observe: Called with each row of this training's history.

    Raises:
        DivergedError: A loss was not finite.
        InterruptedRunError: A signal has come.
    """
    loaded = together(setup.loaded)
    spec, plan = replan(setup.spec, setup.plan, loaded.facts.rows)
    with untouched(derive(spec.seed, "dropout")):
        again = set_up(spec, plan, loaded)
        again = replace(again, judge=replace(again.judge, metrics=setup.judge.metrics))
        replace(trainer_of(again, keeper=_Interruptible(keeper)), epochs=epochs).run(observe)
    last = again.network[-1]
    if temperature is not None and isinstance(last, Temperature):
        last.temperature.fill_(temperature)
    return again


def together(loaded: Loaded) -> Loaded:
    """Return data whose training split has the rows for validation too, behind its own; there is no other for them."""
    parts = [loaded.splits[name] for name in ("train", "validation")]
    weights = [part.weight for part in parts if part.weight is not None]
    x = parts[0].x
    train = Split(
        x=np.concatenate([part.x for part in parts], out=unfilled((sum(map(len, parts)), x.shape[1]), x.dtype)),
        y=np.concatenate([part.y for part in parts]),
        weight=np.concatenate(weights) if weights else None,
    )
    rest = {name: split for name, split in loaded.splits.items() if name not in {"train", "validation"}}
    splits = {"train": train, **rest}
    facts = replace(loaded.facts, rows={name: len(split) for name, split in splits.items()})
    return replace(loaded, splits=splits, facts=facts)
