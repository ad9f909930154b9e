"""Faults of the first weights, the optimizer, the schedule and the loop."""

from __future__ import annotations

from random import Random
from typing import Any

from ffspec.diagnostics import Severity
from tests.corpus.data import Data
from tests.corpus.healthy import Sketch, sketch
from tests.corpus.layers import Taste, linear, named, norm, residual, stage
from tests.corpus.seeds.seeding import Fault, act, among, exact, normed, placed, plain, some_width
from tests.corpus.text import Mark, Tree

CONSTANTS: tuple[Tree, ...] = (
    "zeros", "ones", {"constant": 0.1}, {"constant": {"val": 0.5}}, {"normal": {"std": 0.0}}, {"xavier_normal": 0.0},
    {"normal": {"mean": 0.1, "std": 0.0}}, {"xavier_uniform": {"gain": 0.0}}, {"orthogonal": 0.0}, {"sparse": 1.0},
)  # fmt: skip
ADAMS = ("adam", "adamw", "nadam", "radam", "adamax", "rmsprop")
STEADY = ("adagrad", "adadelta", "asgd", "adafactor", "muon")


def normalised(rng: Random, **wanted: Any) -> Sketch:
    """Draw a sketch that surely has a batch_norm, somewhere."""
    taste, width = normed(rng), some_width(rng)
    made = sketch(rng, taste=taste, **wanted)
    made.body = placed(rng, taste, width, lambda: [linear(rng, width), norm(rng, "batch_norm"), act(rng)])
    return made


def lonely_row(rng: Random) -> Sketch:
    size = rng.choice((8, 16, 20, 32, 50))
    made = normalised(rng, rows=exact(rng, size * rng.randint(2, 6) + 1), loss="cross_entropy")
    made.training |= {"batch_size": Mark(size), "drop_last": False}
    return made


def batches_of_one(rng: Random) -> Sketch:
    made = normalised(rng, optimized=rng.choice(ADAMS))
    made.training |= {"batch_size": Mark(1), "drop_last": rng.random() < 0.5}
    return made


def lonely_row_in_the_usual_batches(rng: Random) -> Sketch:
    """Seed it where batch_size is left out: it would stand beside the other options of the loop."""
    rows = exact(rng, 32 * rng.randint(2, 9) + 1)
    made = normalised(rng, rows=rows, loss="cross_entropy", optimized="adam")
    made.training, made.training_key, made.scheduler = {"epochs": rng.randint(5, 50)}, Mark("training"), None
    return made


def lonely_row_without_a_loop(rng: Random) -> Sketch:
    """Seed it where even the loop is left out: it would stand beside the first key."""
    rows = exact(rng, 32 * rng.randint(2, 9) + 1)
    made = normalised(rng, rows=rows, loss="cross_entropy", optimized="adam")
    made.training, made.scheduler = {}, None
    return made


def small_batches(rng: Random) -> Sketch:
    made = normalised(rng, optimized=rng.choice(ADAMS))
    size = rng.choice([size for size in range(2, 8) if made.data.rows % size != 1])
    made.training |= {"batch_size": Mark(size), "drop_last": False}
    return made


def rated(rng: Random, name: str, key: str, rate: float) -> Tree:
    """Write an optimizer with a marked rate, alone or among others."""
    others: dict[str, Tree] = {"momentum": 0.9} if name == "sgd" and rng.random() < 0.4 else {}
    return named(rng, name, key, Mark(rate), **others)


def large_rate(rng: Random) -> Sketch:
    made = sketch(rng, optimized="adam")
    if rng.random() < 0.4:
        made.optimizer = rated(rng, "sgd", "lr", rng.choice((10.5, 20, 50.0, 100, 1000.0)))
    else:
        made.optimizer = rated(rng, rng.choice(ADAMS), "lr", rng.choice((0.11, 0.2, 0.5, 1, 3.0, 10.0)))
    return made


def tiny_rate(rng: Random) -> Sketch:
    made = sketch(rng, optimized="adam")
    name = rng.choice(("sgd", *ADAMS, *STEADY))
    made.optimizer = rated(rng, name, "lr", rng.choice((0, 0.0, 1e-8, 5e-8, 1e-10)))
    return made


def large_peak(rng: Random) -> Sketch:
    made = sketch(rng, optimized="adam")
    name = rng.choice(("sgd", "adam", "adamw"))
    rate = rng.choice((20, 50.0)) if name == "sgd" else rng.choice((0.2, 0.5, 1))
    made.optimizer = name
    made.scheduler = named(rng, "one_cycle", "max_lr", Mark(rate))
    return made


def large_rate_of_the_other_half(rng: Random) -> Sketch:
    """Seed it into the rate of the parameters that muon leaves to adamw."""
    made = sketch(rng, optimized="adam")
    made.optimizer = {"muon": {"lr": 0.02, "adamw_lr": Mark(rng.choice((0.2, 0.5, 1)))}}
    return made


def heavy_momentum(rng: Random) -> Sketch:
    made = sketch(rng, optimized="adam")
    name = rng.choice(("sgd", "rmsprop"))
    made.optimizer = {name: {"lr": 1e-3, "momentum": Mark(rng.choice((1, 1.0, 1.1, 9, 90)))}}
    return made


def heavy_decay(rng: Random) -> Sketch:
    made = sketch(rng, optimized="adam")
    name = rng.choice(("sgd", *ADAMS))
    made.optimizer = {name: {"weight_decay": Mark(rng.choice((1, 1.5, 10, 50.0))), "lr": rng.choice((1e-3, 1e-4))}}
    return made


def turning_decay(rng: Random) -> Sketch:
    made = sketch(rng, optimized="adam")
    name, rate = rng.choice((("sgd", 0.5), ("sgd", 1), ("adadelta", 1.0), ("adadelta", 0.5)))
    made.optimizer = {name: {"lr": rate, "weight_decay": Mark(rng.choice((2, 5.0, 10)))}}
    return made


def unfilled_batch(rng: Random) -> Sketch:
    made = sketch(rng, taste=Taste(), optimized="adam")
    made.training |= {"batch_size": made.data.rows + rng.randint(1, 500), "drop_last": Mark(value=True)}
    made.scheduler = None
    return made


def larger_batch_than_rows(rng: Random) -> Sketch:
    made = sketch(rng, optimized="adam")
    made.training |= {"batch_size": Mark(made.data.rows + rng.choice((1, 7, 100, 5000)))}
    made.training.pop("drop_last", None)
    return made


def no_epochs(rng: Random) -> Sketch:
    made = sketch(rng)
    made.training["epochs"] = Mark(0)
    made.scheduler = None
    return made


def random_end(made: Sketch) -> Sketch:
    """Let the last linear start at random: behind it, units that start equal drift apart."""
    made.head = ["linear" if layer == {"linear": {"init": "zeros"}} else layer for layer in made.head]
    return made


def equal_units(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = random_end(sketch(rng, taste=taste))

    def equal() -> list[Tree]:
        init = Mark(rng.choice(CONSTANTS))
        return [{"linear": {"out_features": some_width(rng), "init": init}}, act(rng), linear(rng, width), act(rng)]

    made.body = placed(rng, taste, width, equal)
    return made


def equal_units_in_front_of_the_end(rng: Random) -> Sketch:
    taste = plain(rng)
    made = random_end(sketch(rng, taste=taste))
    equal = {"linear": {"init": Mark(rng.choice(CONSTANTS)), "out_features": some_width(rng)}}
    made.body = [*among(rng, taste, []), equal, act(rng)]
    return made


def equal_units_for_ever(rng: Random) -> Sketch:
    """Seed a layer whose units stay equal: the last one is constant too, or a relu of zeros passes nothing on."""
    taste = plain(rng)
    made = sketch(rng, taste=taste)
    dead = rng.random() < 0.5
    if dead:
        made = random_end(made)
        equal: Tree = {"linear": {"init": Mark("zeros"), "out_features": some_width(rng), "bias_init": "zeros"}}
    else:
        made.head = [{"linear": {"init": "zeros"}}, *made.head[1:]]
        equal = {"linear": {"init": Mark(rng.choice(CONSTANTS)), "out_features": some_width(rng)}}
    made.body = [*among(rng, taste, []), equal, "relu" if dead else act(rng)]
    return made


def equal_units_in_a_branch(rng: Random) -> Sketch:
    taste, width = plain(rng), some_width(rng)
    made = random_end(sketch(rng, taste=taste))
    equal = {"linear": {"out_features": some_width(rng), "init": Mark(rng.choice(CONSTANTS))}}
    made.body = [*stage(rng, width, taste), residual(rng, [equal, act(rng), linear(rng, width)])]
    return made


def trained(rng: Random) -> tuple[Sketch, int]:
    """Draw a sketch with a known number of epochs."""
    made = sketch(rng, optimized="adam")
    return made, made.epochs


def idle_steps(rng: Random) -> Sketch:
    made, epochs = trained(rng)
    late = Mark(epochs + rng.choice((0, 1, 10, 1000)))
    made.scheduler = named(rng, "step", "step_size", late, **({"gamma": 0.5} if rng.random() < 0.5 else {}))
    return made


def idle_milestones(rng: Random) -> Sketch:
    made, epochs = trained(rng)
    first = epochs + rng.choice((0, 1, 20))
    made.scheduler = named(rng, "multi_step", "milestones", Mark([first, first + 10][: rng.randint(1, 2)]))
    return made


def idle_plateau(rng: Random) -> Sketch:
    made, epochs = trained(rng)
    made.scheduler = {"reduce_on_plateau": {"patience": Mark(epochs + rng.choice((0, 1, 50))), "factor": 0.5}}
    return made


def idle_behind_a_warmup(rng: Random) -> Sketch:
    made, epochs = trained(rng)
    rise = rng.randint(1, epochs - 1)
    late = Mark(epochs - rise + rng.choice((0, 1, 10)))
    made.scheduler = {"warmup": {"total_iters": rise, "then": named(rng, "step", "step_size", late)}}
    return made


def endless_warmup(rng: Random) -> Sketch:
    """Seed a rise that is as long as the training, or longer: what should follow it never begins."""
    made, epochs = trained(rng)
    then = rng.choice(("cosine_annealing", {"polynomial": {"power": 2.0}}, {"exponential": 0.9}))
    made.scheduler = {"warmup": {"total_iters": Mark(epochs + rng.choice((0, 1, 10))), "then": then}}
    return made


def idle_batches(rng: Random) -> Sketch:
    rows = exact(rng, 32 * rng.randint(2, 9))
    made = sketch(rng, rows=rows, loss="cross_entropy", optimized="adam")
    made.training = {"epochs": 10, "batch_size": 32}
    late = Mark(_steps(rows) * 10 + rng.choice((0, 1, 500)))
    made.scheduler = {"step": {"interval": "step", "step_size": late}}
    return made


def _steps(rows: Data) -> int:
    return rows.rows // 32


def compiled_for_nothing(rng: Random) -> Sketch:
    made = sketch(rng, rows=exact(rng, 32 * rng.randint(2, 9)), optimized="adam")
    made.scheduler = None
    made.training = {"epochs": rng.randint(5, 20), "batch_size": 32, "compile": Mark(value=True)}
    return made


FAULTS = (
    Fault("FF119", lonely_row),
    Fault("FF119", batches_of_one),
    Fault("FF119", lonely_row_in_the_usual_batches),
    Fault("FF119", lonely_row_without_a_loop),
    Fault("FF120", small_batches, Severity.WARNING),
    Fault("FF123", large_rate, Severity.WARNING),
    Fault("FF123", tiny_rate, Severity.WARNING),
    Fault("FF123", large_peak, Severity.WARNING),
    Fault("FF123", large_rate_of_the_other_half, Severity.WARNING),
    Fault("FF124", heavy_momentum),
    Fault("FF124", heavy_decay, Severity.WARNING),
    Fault("FF124", turning_decay),
    Fault("FF124", unfilled_batch),
    Fault("FF124", larger_batch_than_rows, Severity.WARNING),
    Fault("FF124", no_epochs, Severity.WARNING),
    Fault("FF125", equal_units, Severity.WARNING),
    Fault("FF125", equal_units_in_front_of_the_end, Severity.WARNING),
    Fault("FF125", equal_units_in_a_branch, Severity.WARNING),
    Fault("FF125", equal_units_for_ever),
    Fault("FF126", idle_steps, Severity.WARNING),
    Fault("FF126", idle_milestones, Severity.WARNING),
    Fault("FF126", idle_plateau, Severity.WARNING),
    Fault("FF126", idle_behind_a_warmup, Severity.WARNING),
    Fault("FF126", endless_warmup, Severity.WARNING),
    Fault("FF126", idle_batches, Severity.WARNING),
    Fault("FF130", compiled_for_nothing, Severity.WARNING),
)
