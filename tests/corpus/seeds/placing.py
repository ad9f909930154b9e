"""Faults of places: layers on columns that are mixed, units that are no answer's, members that do not answer."""

from __future__ import annotations

from random import Random

from tests.corpus.healthy import Sketch, sketch
from tests.corpus.layers import Taste, linear
from tests.corpus.seeds.seeding import Fault, act, one_of, plain, silent, some_width
from tests.corpus.text import Mark


def columns_that_are_mixed(rng: Random) -> Sketch:
    """Seed a layer on columns behind a linear."""
    made = sketch(rng, taste=plain(rng))
    layer = one_of(rng, "periodic", {"periodic": "pbld"}, {"piecewise_linear": 4}, "embedding")
    made.body = [linear(rng, some_width(rng)), act(rng), layer, linear(rng, some_width(rng)), act(rng)]
    return made


def codes_that_are_changed(rng: Random) -> Sketch:
    """Seed an embedding behind what multiplies its codes."""
    made = sketch(rng, taste=plain(rng))
    made.body = ["scale", one_of(rng, "embedding", {"embedding": 3}), *made.body]
    return made


def units_of_a_hidden_layer(rng: Random) -> Sketch:
    """Seed a target_scale that is not the last layer."""
    made = sketch(rng, loss="regression", taste=plain(rng))
    made.body = [*made.body, linear(rng, some_width(rng)), one_of(rng, "target_scale"), act(rng)]
    return made


def units_of_classes(rng: Random) -> Sketch:
    """Seed a target_scale behind the scores of classes."""
    made = sketch(rng, loss=rng.choice(("cross_entropy", "bce_with_logits", "soft_margin")))
    made.head = [*made.head, Mark({"target_scale": False} if rng.random() < 0.5 else "target_scale")]
    return made


def members_in_front(rng: Random) -> Sketch:
    """Seed an ensemble that is not the end of the network."""
    made = sketch(rng, taste=Taste(), optimized="adam")  # muon is for networks without members
    inside = [linear(rng, some_width(rng)), act(rng), linear(rng, some_width(rng))]
    made.body = [*silent(rng), Mark({"ensemble": {"members": rng.randint(2, 5), "layers": inside}}), act(rng)]
    return made


FAULTS = (
    Fault("FF127", columns_that_are_mixed),
    Fault("FF127", codes_that_are_changed),
    Fault("FF127", units_of_a_hidden_layer),
    Fault("FF127", units_of_classes),
    Fault("FF128", members_in_front),
)
