"""Faults in the order of the layers."""

from __future__ import annotations

from random import Random

from ffspec.diagnostics import Severity
from tests.corpus.healthy import Sketch, sketch
from tests.corpus.layers import Taste, dropout, linear, named, norm, repeated, residual, stage
from tests.corpus.seeds.seeding import Fault, act, among, flat, normed, one_of, placed, plain, silent, some_width
from tests.corpus.text import Mark, Tree

SOFTMAXES: tuple[Tree, ...] = ("softmax", "softmax", "softmin", "log_softmax")
STEPS: tuple[Tree, ...] = ("heaviside", {"heaviside": {"value": 0.5}}, {"heaviside": {"value": 0.0}})


def hidden_softmax(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)
    made.body = placed(rng, taste, width, lambda: [linear(rng, width), one_of(rng, *SOFTMAXES)])
    return made


def softmax_in_a_branch(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)
    inside = [linear(rng, some_width(rng)), one_of(rng, *SOFTMAXES), linear(rng, width)]
    made.body = among(rng, taste, [*stage(rng, width, taste), residual(rng, inside)])
    return made


def two_linears(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)

    def pair() -> list[Tree]:
        between = [*silent(rng), *([dropout(rng, 0.2)] if rng.random() < 0.3 else [])]
        return [linear(rng, some_width(rng)), *between, Mark(linear(rng, width)), act(rng)]

    made.body = placed(rng, taste, width, pair)
    return made


def two_linears_and_a_batch_norm(rng: Random) -> Sketch:
    taste = normed(rng)
    made = sketch(rng, taste=taste)
    first = [linear(rng, some_width(rng)), norm(rng, "batch_norm")]
    made.body = among(rng, taste, [*first, Mark(linear(rng, some_width(rng))), act(rng)])
    return made


def two_linears_at_the_end(rng: Random) -> Sketch:
    taste = plain(rng)
    made = sketch(rng, taste=taste)
    made.body = [*among(rng, taste, []), linear(rng, some_width(rng)), *silent(rng)]
    made.head = [Mark(made.head[0]), *made.head[1:]]
    return made


def linear_in_front_of_a_repeat(rng: Random) -> Sketch:
    taste = plain(rng)
    made = sketch(rng, taste=taste)
    inside = [Mark(linear(rng, some_width(rng))), act(rng)]
    made.body = among(rng, taste, [linear(rng, some_width(rng)), repeated(rng, inside)])
    return made


def two_activations(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)

    def pair() -> list[Tree]:
        between = [*silent(rng), *([dropout(rng, 0.2)] if rng.random() < 0.2 else [])]
        return [linear(rng, width), act(rng), *between, Mark(act(rng))]

    made.body = placed(rng, taste, width, pair)
    return made


def two_activations_between_turns(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)
    inside = [Mark(act(rng)), linear(rng, width), act(rng)]
    made.body = among(rng, taste, [linear(rng, width), repeated(rng, inside, times=rng.randint(2, 4))])
    return made


def dropout_on_the_output(rng: Random) -> Sketch:
    loss = rng.choice(("cross_entropy", "nll", "bce_with_logits", "regression", "mse", "multi_margin", "soft_margin"))
    made = sketch(rng, loss=loss)
    name = rng.choice(("dropout", "dropout", "alpha_dropout"))
    made.head = [*made.head, Mark(named(rng, name, "p", rng.choice((0.1, 0.2, 0.5))))]
    return made


def large_dropout(rng: Random) -> Sketch:
    taste, width = Taste(), some_width(rng)
    made = sketch(rng, taste=taste)
    name, p = rng.choice(("dropout", "dropout", "alpha_dropout")), rng.choice((0.81, 0.85, 0.9, 0.95, 0.99))
    made.body = placed(rng, taste, width, lambda: [linear(rng, width), act(rng), named(rng, name, "p", Mark(p))])
    return made


def hidden_inputs(rng: Random) -> Sketch:
    made = sketch(rng, taste=Taste())
    p = rng.choice((0.55, 0.6, 0.7, 0.8))
    made.body = [*silent(rng), named(rng, "dropout", "p", Mark(p)), *among(rng, Taste(), [])]
    return made


def two_dropouts(rng: Random) -> Sketch:
    taste, width = Taste(), some_width(rng)
    made = sketch(rng, taste=taste)

    def pair() -> list[Tree]:
        second = named(rng, rng.choice(("dropout", "alpha_dropout")), "p", rng.choice((0.1, 0.3, 0.5)))
        return [linear(rng, width), act(rng), dropout(rng, 0.2), *silent(rng), Mark(second)]

    made.body = placed(rng, taste, width, pair)
    return made


def two_dropouts_between_turns(rng: Random) -> Sketch:
    taste, width = Taste(), some_width(rng)
    made = sketch(rng, taste=taste)
    inside = [Mark(dropout(rng, 0.2)), linear(rng, width), act(rng), dropout(rng, 0.2)]
    made.body = [*stage(rng, width, taste), repeated(rng, inside, times=rng.randint(2, 4)), *silent(rng)]
    return made


def idle_dropout(rng: Random) -> Sketch:
    taste, width = Taste(quiet=True), some_width(rng)
    made = sketch(rng, taste=taste, quiet=True)
    name = rng.choice(("dropout", "alpha_dropout"))
    made.body = placed(rng, taste, width, lambda: [linear(rng, width), act(rng), Mark(named(rng, name, "p", 0.0))])
    return made


def dropout_in_front_of_batch_norm(rng: Random) -> Sketch:
    taste, width = Taste(norm="batch_norm", quiet=True), some_width(rng)
    made = sketch(rng, taste=taste, quiet=True)

    def stretch() -> list[Tree]:
        return [linear(rng, width), act(rng), Mark(dropout(rng, 0.2)), *silent(rng), norm(rng, "batch_norm")]

    made.body = placed(rng, taste, width, stretch)
    return made


def bias_in_front_of_batch_norm(rng: Random) -> Sketch:
    taste, width = normed(rng, quiet=True), some_width(rng)
    made = sketch(rng, taste=taste, quiet=True)

    def biased() -> list[Tree]:
        affine = rng.choice(("batch_norm", {"batch_norm": {"eps": 1e-3}}, {"batch_norm": {"momentum": 0.05}}))
        return [Mark(linear(rng, width)), *silent(rng), affine, act(rng)]

    made.body = placed(rng, taste, width, biased)
    return made


def batch_norm_on_the_output(rng: Random) -> Sketch:
    loss = rng.choice(("cross_entropy", "bce_with_logits", "regression", "multi_margin", "soft_margin"))
    made = sketch(rng, loss=loss, taste=normed(rng))
    made.head = [made.head[0], Mark(norm(rng, "batch_norm")), *silent(rng)]
    return made


def step(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = sketch(rng, taste=taste)
    made.body = placed(rng, taste, width, lambda: [linear(rng, width), one_of(rng, *STEPS)])
    return made


def step_at_the_end(rng: Random) -> Sketch:
    made = sketch(rng, loss="mse", task="binary")
    made.head = [made.head[0], one_of(rng, *STEPS), *silent(rng)]
    return made


def many_sigmoids(rng: Random) -> Sketch:
    made = sketch(rng, taste=Taste())
    count, width = rng.randint(5, 8), some_width(rng)
    if rng.random() < 0.4:
        inside = [linear(rng, width), one_of(rng, "sigmoid", "hardsigmoid")]
        middle: list[Tree] = [*silent(rng), repeated(rng, inside, times=count)]
    else:
        first, *rest = (stage(rng, some_width(rng), Taste(), act=rng.choice(SIGMOIDS)) for _ in range(count))
        middle = [first[0], Mark(first[1]), *flat(rest)]
    behind = stage(rng, width, Taste(), act="tanh") if rng.random() < 0.3 else []
    made.body = [*middle, *behind]
    return made


def many_sigmoids_behind_a_norm(rng: Random) -> Sketch:
    """Seed them where only the inputs are normalised, which lets no more gradient through."""
    made = sketch(rng, taste=Taste())
    inside = [linear(rng, some_width(rng)), one_of(rng, *SIGMOIDS)]
    made.body = [rng.choice(("layer_norm", "rms_norm")), repeated(rng, inside, times=rng.randint(6, 8))]
    return made


SIGMOIDS: tuple[Tree, ...] = ("sigmoid", "sigmoid", "hardsigmoid")

FAULTS = (
    Fault("FF108", hidden_softmax, Severity.WARNING),
    Fault("FF108", softmax_in_a_branch, Severity.WARNING),
    Fault("FF110", two_linears, Severity.WARNING),
    Fault("FF110", two_linears_and_a_batch_norm, Severity.WARNING),
    Fault("FF110", two_linears_at_the_end, Severity.WARNING),
    Fault("FF110", linear_in_front_of_a_repeat, Severity.WARNING),
    Fault("FF111", two_activations, Severity.WARNING),
    Fault("FF111", two_activations_between_turns, Severity.WARNING),
    Fault("FF116", dropout_on_the_output, Severity.WARNING),
    Fault("FF117", large_dropout, Severity.WARNING),
    Fault("FF117", hidden_inputs, Severity.WARNING),
    Fault("FF117", two_dropouts, Severity.WARNING),
    Fault("FF117", two_dropouts_between_turns, Severity.WARNING),
    Fault("FF117", idle_dropout, Severity.INFO),
    Fault("FF117", dropout_in_front_of_batch_norm, Severity.INFO),
    Fault("FF118", bias_in_front_of_batch_norm, Severity.INFO),
    Fault("FF120", batch_norm_on_the_output, Severity.WARNING),
    Fault("FF121", step),
    Fault("FF121", step_at_the_end),
    Fault("FF122", many_sigmoids, Severity.WARNING),
    Fault("FF122", many_sigmoids_behind_a_norm, Severity.WARNING),
)
