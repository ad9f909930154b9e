"""Faults of shapes: widths that do not fit together, or not with the target and the loss."""

from __future__ import annotations

from random import Random

from tests.corpus.data import Data
from tests.corpus.healthy import Sketch, sketch
from tests.corpus.layers import Taste, linear, named, repeated, residual, stage
from tests.corpus.seeds.heads import width_of
from tests.corpus.seeds.seeding import Fault, act, among, one_of, placed, plain, silent, some_width
from tests.corpus.text import Mark, Tree

UNCOUNTED: tuple[Tree, ...] = ("linear", {"linear": {"bias": False}}, {"linear": {"init": "kaiming_normal"}})


def too_many_layers(rng: Random) -> Sketch:
    made = sketch(rng, taste=Taste())
    inner = repeated(rng, [one_of(rng, "relu", "identity", "tanh")], times=rng.randint(900, 1000))
    made.body = [linear(rng, some_width(rng)), repeated(rng, [inner], times=rng.randint(20, 1000))]
    return made


def too_many_parameters(rng: Random) -> Sketch:
    made = sketch(rng, taste=Taste())
    first, second = rng.randint(20_000, 900_000), rng.randint(10_000, 900_000)
    made.body = [linear(rng, first), act(rng), Mark(linear(rng, second)), act(rng)]
    if rng.random() < 0.3:
        made.body = [linear(rng, second), act(rng), repeated(rng, [Mark(linear(rng, first)), act(rng)], times=1)]
    return made


def no_width(rng: Random) -> Sketch:
    taste = plain(rng)
    made = sketch(rng, taste=taste)
    uncounted = [one_of(rng, *UNCOUNTED), act(rng)]
    middle = [repeated(rng, uncounted)] if rng.random() < 0.3 else uncounted
    made.body = among(rng, taste, middle)
    return made


def no_width_in_a_repeat_at_the_end(rng: Random) -> Sketch:
    made = sketch(rng, loss="cross_entropy", taste=Taste())
    made.body = stage(rng, some_width(rng), Taste())[:1]
    made.head = [repeated(rng, [act(rng), one_of(rng, *UNCOUNTED)])]
    return made


def another_width_in_a_residual(rng: Random) -> Sketch:
    taste, width = plain(rng), rng.choice((8, 16, 32, 64))
    made = sketch(rng, taste=taste)
    other = rng.choice((width // 2, width + 1, 2 * width))
    inside = rng.choice((
        [linear(rng, other), act(rng)],
        [linear(rng, 2 * width), act(rng), linear(rng, other)],
        [linear(rng, width), "glu"],
    ))  # fmt: skip
    block = Mark(residual(rng, inside))
    first = [linear(rng, width), act(rng)]
    made.body = among(rng, taste, [*first, repeated(rng, [block]) if rng.random() < 0.3 else block])
    return made


def classes_wanted(rng: Random) -> Sketch:
    made = sketch(rng, task="values")
    name = rng.choice(
        (
            "cross_entropy",
            "nll",
            "bce",
            "bce_with_logits",
            "soft_margin",
            "perceptron",
            "multi_margin",
            "hinge_embedding",
        )
    )
    end = rng.choice(("linear", named(rng, "linear", "out_features", made.data.columns)))
    behind = {"nll": ["log_softmax"], "bce": ["sigmoid"], "hinge_embedding": ["softplus"]}
    made.head = [end, *behind.get(name, [])]
    if name == "nll":  # of one output it would be a softmax of one
        made.head[0] = rng.choice(("linear", {"linear": 3}))
    made.loss = one_of(rng, name)
    return made


def other_inputs(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)
    given = {"in_features": Mark(width + rng.choice((-1, 1, 10))), "out_features": some_width(rng)}

    def pair() -> list[Tree]:
        return [linear(rng, width), act(rng), {"linear": given}, act(rng), linear(rng, width), act(rng)]

    made.body = placed(rng, taste, width, pair)
    return made


def other_features(rng: Random) -> Sketch:
    made = sketch(rng)
    wrong = (made.data.features or 1) + rng.choice((1, 2, 100))
    made.body = [{"linear": {"in_features": Mark(wrong), "out_features": some_width(rng)}}, act(rng)]
    return made


def odd_gate(rng: Random) -> Sketch:
    taste = plain(rng)
    made = sketch(rng, taste=taste)
    made.body = among(rng, taste, [linear(rng, rng.choice((9, 15, 33, 101))), Mark("glu")])
    return made


def other_slopes(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)
    wrong = Mark(width + rng.choice((1, 2, 50)))
    made.body = placed(rng, taste, width, lambda: [linear(rng, width), {"prelu": {"num_parameters": wrong}}])
    return made


def other_number_of_classes(rng: Random) -> Sketch:
    loss = rng.choice(("cross_entropy", "cross_entropy", "nll", "multi_margin"))
    made = sketch(rng, loss=loss)
    wrong = _other(rng, made.data.classes, least=2 if loss == "nll" else 1)
    made.head = [named(rng, "linear", "out_features", Mark(wrong)), *made.head[1:]]
    return made


def classes_behind_a_gate(rng: Random) -> Sketch:
    made = sketch(rng, loss=rng.choice(("cross_entropy", "multi_margin")))
    made.head = [linear(rng, 2 * _other(rng, made.data.classes, least=2)), Mark("glu")]
    return made


def other_columns(rng: Random) -> Sketch:
    loss = rng.choice(("regression", "regression", "bce", "bce_with_logits", "soft_margin", "perceptron", "mse"))
    made = sketch(rng, loss=loss)
    wrong = _other(rng, width_of(made.data, loss), least=1)
    made.head = [named(rng, "linear", "out_features", Mark(wrong)), *(["sigmoid"] if loss == "bce" else silent(rng))]
    return made


def columns_behind_an_activation(rng: Random) -> Sketch:
    """Seed a network without a last linear: its features are taken for the target."""
    width = rng.randint(4, 12)
    tree = {"regression": {"n_features": width, "n_informative": 3}}
    rows = Data(tree=tree, features=width, train=80, validation=False)
    made = sketch(rng, rows=rows, loss="regression", taste=Taste())
    made.head = [rng.choice(("layer_norm", "rms_norm")), Mark(rng.choice(("leaky_relu", "prelu")))]
    made.body = [] if rng.random() < 0.5 else ["identity"]
    return made


def _other(rng: Random, right: int, *, least: int) -> int:
    return rng.choice(
        [width for width in (right - 1, right + 1, right + 2, 1, 100) if width >= least and width != right]
    )


FAULTS = (
    Fault("FF020", too_many_layers),
    Fault("FF020", too_many_parameters),
    Fault("FF021", no_width),
    Fault("FF021", no_width_in_a_repeat_at_the_end),
    Fault("FF022", another_width_in_a_residual),
    Fault("FF024", classes_wanted),
    Fault("FF112", other_inputs),
    Fault("FF112", other_features),
    Fault("FF112", odd_gate),
    Fault("FF112", other_slopes),
    Fault("FF113", other_number_of_classes),
    Fault("FF113", classes_behind_a_gate),
    Fault("FF114", other_columns),
    Fault("FF114", columns_behind_an_activation),
)
