"""Faults of parameter groups: names that no layer has, and factors that hold for nothing."""

from __future__ import annotations

from random import Random

from ffspec.diagnostics import Severity
from tests.corpus.healthy import Sketch, sketch
from tests.corpus.seeds.seeding import Fault
from tests.corpus.text import Mark, Tree

RATES = ("sgd", "adam", "adamw", "rmsprop")


def unknown_layer(rng: Random) -> Sketch:
    """Seed a name that is misspelt, of PyTorch's, or of a layer that is not there."""
    name = Mark(rng.choice(("linears", "Linear", "lienar", "conv", "rms_norms", "group_norm")))
    layers: Tree = name if rng.random() < 0.5 else ["linear", name]
    return _grouped(rng, {"layers": layers, "lr": rng.choice((0.1, 2, 6))})


def factors_for_nothing(rng: Random) -> Sketch:
    """Seed factors for the bias of a scale, which has none."""
    made = _grouped(rng, Mark({"layers": "scale", "parameters": "bias", "lr": 0.5}))
    made.body = ["scale", *made.body]
    return made


def _grouped(rng: Random, wrong: Tree) -> Sketch:
    made = sketch(rng, optimized="adam")
    right: Tree = {"parameters": "weight", "weight_decay": 0.5}
    groups = [wrong] if rng.random() < 0.5 else [right, wrong]
    made.optimizer = {rng.choice(RATES): {"lr": 1e-3, "groups": groups}}
    made.scheduler = None
    return made


FAULTS = (
    Fault("FF040", unknown_layer),
    Fault("FF040", factors_for_nothing, Severity.WARNING),
)
