"""Faults at the end of the network: what the loss takes its output for is something else."""

from __future__ import annotations

from random import Random

from ffspec.diagnostics import Severity
from tests.corpus.data import Data, data, written
from tests.corpus.healthy import Sketch, sketch
from tests.corpus.layers import named, repeated
from tests.corpus.seeds.seeding import Fault, among, one_of, plain, silent
from tests.corpus.text import Mark, Tree

RECTIFIED: tuple[Tree, ...] = ("relu", "relu6", {"threshold": {"threshold": 0.0, "value": 0.0}})
SQUASHED: tuple[Tree, ...] = ("tanh", "softsign", "hardtanh", "sigmoid", "hardsigmoid")
BELOW: tuple[Tree, ...] = ("softplus", "elu", "selu", "silu", "gelu", "mish", "hardswish", {"celu": 1.0})
"""Bounded below, and often not far below 0."""


def ended(rng: Random, made: Sketch, width: int, *layers: Tree) -> Sketch:
    """End a network with its last linear and some layers, now and then inside a block that is run through once."""
    if rng.random() < 0.15:
        inside = [named(rng, "linear", "out_features", width), *layers]
        made.head = [repeated(rng, inside, times=1)]
    else:
        made.head = [made.head[0], *layers, *silent(rng)]
    return made


def width_of(rows: Data, loss: str) -> int:
    """Return the width a loss needs on a data set."""
    if not rows.classes:
        return rows.columns
    scores = loss in {"cross_entropy", "nll", "multi_margin"}
    return rows.classes if scores or rows.classes > 2 else 1


def closing(rng: Random, loss: str, *layers: Tree, task: str | None = None, quiet: bool = False) -> Sketch:
    """Draw a healthy spec with a loss, and put other layers behind its last linear."""
    made = sketch(rng, loss=loss, task=task, quiet=quiet)
    return ended(rng, made, width_of(made.data, loss), *layers)


def softmax_and_cross_entropy(rng: Random) -> Sketch:
    return closing(rng, "cross_entropy", one_of(rng, "softmax", "softmax", "softmin"))


def log_softmax_and_cross_entropy(rng: Random) -> Sketch:
    return closing(rng, "cross_entropy", one_of(rng, "log_softmax"), quiet=True)


def sigmoid_and_logits(rng: Random) -> Sketch:
    loss = rng.choice(("bce_with_logits", "bce_with_logits", "multi_label_soft_margin"))
    return closing(rng, loss, one_of(rng, "sigmoid", "sigmoid", "hardsigmoid"))


def softmax_and_logits(rng: Random) -> Sketch:
    loss = rng.choice(("bce_with_logits", "multi_label_soft_margin"))
    return closing(rng, loss, one_of(rng, "softmax", "softmin"), task="multi")


def no_probabilities(rng: Random) -> Sketch:
    made = sketch(rng, loss="bce")
    made.head = [Mark(made.head[0])]
    return made


def other_than_probabilities(rng: Random) -> Sketch:
    made = sketch(rng, loss="bce")
    layer = one_of(rng, "relu", "tanh", "softplus", "leaky_relu", "hardtanh", "logsigmoid", "softsign", "gelu")
    if rng.random() < 0.15:
        inside = [named(rng, "linear", "out_features", width_of(made.data, "bce")), layer]
        made.head = [repeated(rng, inside, times=1)]
    else:
        made.head = [made.head[0], layer]
    return made


def dropped_probabilities(rng: Random) -> Sketch:
    made = sketch(rng, loss="bce")
    made.head = [made.head[0], "sigmoid", Mark(named(rng, "dropout", "p", rng.choice((0.1, 0.2, 0.5))))]
    return made


def scores_for_nll(rng: Random) -> Sketch:
    made = sketch(rng, loss="nll")
    made.head = [Mark(made.head[0]), *silent(rng)]
    return made


def other_than_log_probabilities(rng: Random) -> Sketch:
    layer = one_of(rng, "softmax", "softmax", "softmin", "sigmoid", "relu", "tanh", "logsigmoid")
    return closing(rng, "nll", layer)


def bounded_regression(rng: Random) -> Sketch:
    rows = data(rng, "values")
    while rows.sign != "any" or not {"regression", "s_curve"} & set(rows.tree if isinstance(rows.tree, dict) else ()):
        rows = data(rng, "values")
    made = sketch(rng, rows=rows, loss="regression")
    some = [*RECTIFIED, *SQUASHED, "logsigmoid", {"heaviside": "straight_through"}]
    layer = one_of(rng, *some, *(["softmax"] if rows.columns > 1 else []))
    return ended(rng, made, rows.columns, layer)


def targets_out_of_reach(rng: Random) -> Sketch:
    made = sketch(rng, rows=written(rng, sign="any"), loss="regression")
    return ended(rng, made, 1, one_of(rng, *RECTIFIED, *SQUASHED, *BELOW))


def bounded_scores(rng: Random) -> Sketch:
    return closing(rng, "cross_entropy", one_of(rng, *RECTIFIED, *SQUASHED))


def bounded_logits(rng: Random) -> Sketch:
    loss = rng.choice(("bce_with_logits", "soft_margin"))
    some = [*RECTIFIED, *BELOW, "tanh", "softsign", "hardtanh", *(["sigmoid"] if loss == "soft_margin" else [])]
    return closing(rng, loss, one_of(rng, *some))


def bounded_margins(rng: Random) -> Sketch:
    if rng.random() < 0.5:
        return closing(rng, "multi_margin", one_of(rng, *RECTIFIED))
    return closing(rng, "perceptron", one_of(rng, *RECTIFIED, "sigmoid", "hardsigmoid", "softplus"))


def bounded_before_the_end(rng: Random) -> Sketch:
    loss, last = rng.choice((("nll", "log_softmax"), ("bce", "sigmoid"), ("mse", "sigmoid")))
    layer = one_of(rng, *RECTIFIED, "tanh", "softsign", "hardtanh")
    return closing(rng, loss, layer, last)


def softmax_of_one(rng: Random) -> Sketch:
    return closing(rng, rng.choice(("bce", "mse")), one_of(rng, "softmax", "softmin"), task="binary")


def softmax_of_one_number(rng: Random) -> Sketch:
    rows = data(rng, "values")
    while rows.columns > 1:
        rows = data(rng, "values")
    return ended(rng, sketch(rng, rows=rows, loss="regression"), 1, one_of(rng, "softmax", "softmin"))


def softmax_of_one_unit(rng: Random) -> Sketch:
    taste = plain(rng)
    made = sketch(rng, taste=taste)
    made.body = among(rng, taste, [{"linear": 1}, one_of(rng, "softmax", "softmin", "log_softmax")])
    return made


def one_class(rng: Random) -> Sketch:
    rows = Data(tree="arrays", features=None, classes=3, train=None, validation=False)
    loss = rng.choice(("cross_entropy", "multi_margin", "nll"))
    made = sketch(rng, rows=rows, loss="cross_entropy")
    made.loss = loss
    end = named(rng, "linear", "out_features", 1)
    made.head = [end, one_of(rng, "log_softmax")] if loss == "nll" else [Mark(end), *silent(rng)]
    return made


FAULTS = (
    Fault("FF101", softmax_and_cross_entropy),
    Fault("FF102", log_softmax_and_cross_entropy, Severity.INFO),
    Fault("FF103", sigmoid_and_logits),
    Fault("FF103", softmax_and_logits),
    Fault("FF104", no_probabilities),
    Fault("FF104", other_than_probabilities),
    Fault("FF104", dropped_probabilities),
    Fault("FF105", scores_for_nll),
    Fault("FF105", other_than_log_probabilities),
    Fault("FF106", bounded_regression, Severity.WARNING),
    Fault("FF106", targets_out_of_reach),
    Fault("FF107", bounded_scores),
    Fault("FF107", bounded_logits),
    Fault("FF107", bounded_margins),
    Fault("FF107", bounded_before_the_end),
    Fault("FF109", softmax_of_one),
    Fault("FF109", softmax_of_one_number),
    Fault("FF109", softmax_of_one_unit),
    Fault("FF109", one_class),
)
