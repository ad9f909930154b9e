"""Healthy specs, drawn at random: what the field holds for sound, and nothing else.

Written from that knowledge, not from the rules: a finding here is a false alarm, or this file is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.corpus import heads
from tests.corpus.data import Data, data, handed
from tests.corpus.layers import Taste, body
from tests.corpus.text import Tree, Written, write
from tests.corpus.training import WHOLE, optimizer, scheduler, training

METRICS = {
    "binary": ("accuracy", "balanced_accuracy", "f1", "roc_auc", "matthews_corrcoef"),
    "multi": ("accuracy", "balanced_accuracy", "f1", "cohen_kappa"),
    "values": ("r2", "rmse", "mae", "explained_variance"),
}
DESCRIPTIONS = ("a sound network", "größer ≠ besser", "深い網: {no, fault}", "Why so small? 🙂")

ADJUSTED = ("adam", "adamw", "adam", "adamw", "rmsprop", "nadam", "radam", "adagrad", "adamax", "adafactor", "muon")
"""Optimizers whose steps do not grow with the size of the target."""


@dataclass(slots=True, kw_only=True)
class Sketch:
    """A spec in parts, before it is written; a fault is seeded into one of them."""

    data: Data
    dataset: Tree
    body: list[Tree]
    """Everything in front of the last linear."""
    head: list[Tree]
    """The last linear and what follows."""
    loss: Tree
    optimizer: Tree
    epochs: int
    scheduler: Tree = None
    training: dict[Tree, Tree] = field(default_factory=dict)
    metrics: list[Tree] = field(default_factory=list)
    checks: dict[Tree, Tree] = field(default_factory=dict)
    layers: Tree = None
    """All layers, if not body and head."""
    training_key: Tree = "training"

    def write(self, rng: Random) -> Written:
        """Write the spec: its keys in their order, or in any."""
        tree: dict[Tree, Tree] = {
            "dataset": self.dataset,
            "layers": [*self.body, *self.head] if self.layers is None else self.layers,
            "loss": self.loss,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            self.training_key: self.training,
            "metrics": self.metrics,
            "checks": self.checks,
            "name": f"spec_{rng.randrange(1000)}" if rng.random() < 0.5 else None,
            "description": rng.choice(DESCRIPTIONS) if rng.random() < 0.3 else None,
            "seed": rng.randrange(1000) if rng.random() < 0.5 else None,
        }
        pairs = [(key, value) for key, value in tree.items() if value not in (None, [], {})]
        if rng.random() < 0.5:
            rng.shuffle(pairs)
        return write(dict(pairs), rng)


def sketch(  # noqa: PLR0913 - what a fault may need of the spec it is seeded into
    rng: Random,
    *,
    task: str | None = None,
    loss: str | None = None,
    rows: Data | None = None,
    taste: Taste | None = None,
    optimized: str | None = None,
    quiet: bool = False,
) -> Sketch:
    """Draw a healthy spec in parts.

    Args:
        rng: What everything is drawn from.
        task: binary, multi or values; any that the loss fits, if left out.
        loss: The name of a head.
        rows: The data set; drawn if left out.
        taste: What the layers have in common.
        optimized: The name of the optimizer.
        quiet: Whether to leave out even what is only worth an information.
    """
    if task is None:
        task = rng.choice([name for name, fitting in heads.HEADS.items() if loss is None or loss in fitting])
    rows = data(rng, task) if rows is None else rows
    head = heads.head(rng, rows, loss)
    taste = taste or Taste.draw(rng, quiet=quiet)
    adjusted = optimized or rng.choice(ADJUSTED if task == "values" else ("sgd", *ADJUSTED, *sorted(WHOLE)))
    whole = adjusted in WHOLE
    if whole:  # what they follow must not change from step to step
        taste = Taste(quiet=quiet)
    loop, epochs = training(rng, rows, normed=taste.norm == "batch_norm", whole=whole)
    made = Sketch(
        data=rows,
        dataset=rows.tree,
        body=_calm(body(rng, taste), whole=whole),
        head=[*head.layers, *heads.silent(rng)],
        loss=head.loss,
        optimizer=optimizer(rng, adjusted),
        epochs=epochs,
        training=loop,
    )
    if rng.random() < 0.4 and not whole:
        made.scheduler = scheduler(rng, epochs, validation=rows.validation)
    _measure(rng, made, counted=head.counted)
    return made


def healthy(rng: Random) -> str:
    """Return the text of a healthy spec."""
    if rng.random() < 0.03:
        return sketch(rng, rows=handed(rng)).write(rng).text
    if rng.random() < 0.08:
        return _one_cycle(rng).write(rng).text
    return sketch(rng).write(rng).text


def _one_cycle(rng: Random) -> Sketch:
    """Draw a spec with a rate that rises and falls once (Smith and Topin 2017)."""
    made = sketch(rng, task=rng.choice(("binary", "multi")), optimized=rng.choice(("sgd", "adam")))
    rate = 0.1 if "sgd" in made.optimizer else 0.01
    made.optimizer = {"sgd": {"momentum": 0.9}} if "sgd" in made.optimizer else "adam"
    made.scheduler = {"one_cycle": rate} if rng.random() < 0.5 else {"one_cycle": {"max_lr": rate, "pct_start": 0.2}}
    return made


def _calm(layers: list[Tree], *, whole: bool) -> list[Tree]:
    """Leave the dropout in front out for an optimizer that follows one function."""
    return [layer for layer in layers if not (whole and isinstance(layer, dict) and "dropout" in layer)]


def _measure(rng: Random, made: Sketch, *, counted: bool) -> None:
    """Add metrics and checks that fit the target."""
    task, fitting = made.data.task, METRICS[made.data.task]
    if rng.random() < 0.4 or counted:
        made.metrics = rng.sample(fitting, rng.randint(1, len(fitting)))
    if rng.random() < 0.3:
        made.checks["improves"] = rng.choice(("train.loss", ["train.loss"]))
    if rng.random() < 0.2 and task != "values":
        made.checks["train.accuracy"] = {"min": 0.3}
    if rng.random() < 0.2 and task == "values":
        made.checks["train.rmse"] = {"max": 1000.0}
