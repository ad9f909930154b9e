"""Faults of what a table's columns become."""

from __future__ import annotations

from random import Random

from ffspec.diagnostics import Severity
from tests.corpus.data import handed
from tests.corpus.healthy import Sketch, sketch
from tests.corpus.seeds.seeding import Fault
from tests.corpus.text import Mark, Tree


def codes_without_embedding(rng: Random) -> Sketch:
    made = sketch(rng, rows=handed(rng))
    prepare: dict[Tree, Tree] = {"categories": Mark("codes")}
    if rng.random() < 0.5:
        prepare |= {"scale": rng.choice(("standardize", "quantile")), "min_rows": 5}
    made.dataset = {"arrays": {}, "prepare": prepare}
    return made


FAULTS = (Fault("FF132", codes_without_embedding, Severity.WARNING),)
