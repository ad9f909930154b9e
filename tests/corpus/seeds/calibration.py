"""Faults of what is fitted after training: it is out of place, or there are no rows to fit it on."""

from __future__ import annotations

from random import Random

from tests.corpus.healthy import Sketch, sketch
from tests.corpus.seeds.seeding import Fault, one_of
from tests.corpus.text import Mark, Tree

SCORING = ("cross_entropy", "bce_with_logits")


def marked(rng: Random) -> Mark:
    return one_of(rng, "temperature")


def temperature_without_rows(rng: Random) -> Sketch:
    loss = rng.choice(SCORING)
    made = sketch(rng, loss=loss)
    while made.data.validation:
        made = sketch(rng, loss=loss)
    made.head = [*made.head, marked(rng)]
    return made


def temperature_of_no_scores(rng: Random) -> Sketch:
    loss, *last = rng.choice((("nll", "log_softmax"), ("bce", "sigmoid"), ("soft_margin",), ("mse",)))
    made = sketch(rng, loss=loss)
    layers: list[Tree] = [made.head[0], *last, marked(rng)]
    made.head = layers
    return made


def temperature_before_the_end(rng: Random) -> Sketch:
    made = sketch(rng, loss=rng.choice(SCORING))
    place = rng.randint(0, len(made.body))
    made.body = [*made.body[:place], marked(rng), *made.body[place:]]
    return made


def threshold(rng: Random, made: Sketch) -> Sketch:
    made.training["threshold"] = Mark(rng.choice(("accuracy", "balanced_accuracy", "f1", "matthews_corrcoef")))
    return made


def threshold_of_many(rng: Random) -> Sketch:
    return threshold(rng, sketch(rng, task=rng.choice(("multi", "values"))))


def threshold_of_margins(rng: Random) -> Sketch:
    return threshold(rng, sketch(rng, task="binary", loss=rng.choice(("soft_margin", "perceptron"))))


def threshold_without_rows(rng: Random) -> Sketch:
    made = sketch(rng, task="binary", loss=rng.choice(SCORING))
    while made.data.validation:
        made = sketch(rng, task="binary", loss=rng.choice(SCORING))
    return threshold(rng, made)


def refit_without_rows(rng: Random) -> Sketch:
    made = sketch(rng)
    while made.data.validation:
        made = sketch(rng)
    made.training["refit"] = Mark(value=True)
    return made


FAULTS = (
    Fault("FF131", temperature_without_rows),
    Fault("FF131", temperature_of_no_scores),
    Fault("FF131", temperature_before_the_end),
    Fault("FF133", threshold_of_many),
    Fault("FF133", threshold_of_margins),
    Fault("FF133", threshold_without_rows),
    Fault("FF134", refit_without_rows),
)
