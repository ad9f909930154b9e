"""Faults between the parts of a spec: measures, splits, weights of classes, nothing to learn."""

from __future__ import annotations

from random import Random

from tests.corpus.data import Data
from tests.corpus.healthy import Sketch, sketch
from tests.corpus.seeds.seeding import Fault
from tests.corpus.text import Mark, Tree

MISSPELT = ("test.acuracy", "tset.loss", "loss", "accuracy", "train.los", "test", "train.mse_loss", "testing.loss")
PASSIVE: tuple[Tree, ...] = (
    "identity", "flatten", {"layer_norm": {"elementwise_affine": False}}, {"rms_norm": {"elementwise_affine": False}},
    "dropout", {"dropout": 0.2},
)  # fmt: skip


def unlearning(rng: Random) -> Sketch:
    width = rng.randint(2, 8)
    if rng.random() < 0.5:
        tree: Tree = {"blobs": {"n_features": width, "centers": width}}
        rows = Data(tree=tree, features=width, classes=width, train=80, validation=False)
        made = sketch(rng, rows=rows, loss="cross_entropy" if width > 2 else "multi_margin")
    else:
        tree = {"regression": {"n_features": width, "n_informative": 1, "n_targets": width}}
        rows = Data(tree=tree, features=width, columns=width, train=80, validation=False)
        made = sketch(rng, rows=rows, loss="regression")
    passive = [rng.choice(PASSIVE[:4]), *rng.sample(("leaky_relu", "tanhshrink", "softshrink"), rng.randint(0, 1))]
    made.layers = Mark([*([rng.choice(PASSIVE[4:])] if rng.random() < 0.3 else []), *passive])
    return made


def with_validation(rng: Random, task: str | None = None) -> Sketch:
    """Draw a healthy spec with a validation split."""
    made = sketch(rng, task=task)
    while not made.data.validation:
        made = sketch(rng, task=task)
    return made


def without_validation(rng: Random, task: str | None = None) -> Sketch:
    """Draw a healthy spec without a validation split."""
    made = sketch(rng, task=task)
    while made.data.validation:
        made = sketch(rng, task=task)
    return made


def watched(rng: Random, made: Sketch, measure: Tree) -> Sketch:
    """Let early stopping, the schedule, or the one behind a warm-up watch a measure."""
    kind = rng.randrange(3)
    plateau = {"reduce_on_plateau": {"monitor": measure, "patience": 2}}
    if kind == 0:
        made.training["early_stopping"] = {"monitor": measure}
        return made
    made.training.pop("early_stopping", None)
    made.scheduler = plateau if kind == 1 else {"warmup": {"total_iters": 2, "then": plateau}}
    return made


def measured(rng: Random, made: Sketch, measure: str) -> Sketch:
    """Check a measure: that it improves, alone or among others, or that it keeps a bound."""
    kind = rng.randrange(3)
    if kind == 0:
        made.checks["improves"] = Mark(measure)
    elif kind == 1:
        made.checks["improves"] = ["train.loss", Mark(measure)]
    else:
        made.checks[Mark(measure)] = {"max": 0.5}
    return made


def unmeasured(rng: Random) -> Sketch:
    return measured(rng, sketch(rng), rng.choice(MISSPELT))


def measure_of_a_missing_split(rng: Random) -> Sketch:
    return measured(rng, without_validation(rng), "validation.loss")


def watching_nothing(rng: Random) -> Sketch:
    return watched(rng, with_validation(rng), Mark(rng.choice(("validation.los", "val.loss", "validation", "train.x"))))


def watching_the_test(rng: Random) -> Sketch:
    made = sketch(rng)
    return watched(rng, made, Mark("test.loss" if made.data.task == "values" else "test.accuracy"))


def watching_a_missing_split(rng: Random) -> Sketch:
    return watched(rng, without_validation(rng), Mark("validation.loss"))


def stopping_by_a_missing_split(rng: Random) -> Sketch:
    """Seed it by what is left out: early stopping watches validation.loss unless told otherwise."""
    made = without_validation(rng)
    made.training[Mark("early_stopping")] = {"patience": 5} if rng.random() < 0.7 else {}
    return made


def metric_of_the_other_task(rng: Random) -> Sketch:
    made = sketch(rng, task=rng.choice(("binary", "multi", "values")))
    while made.data.task == "values" and "inline" in str(made.dataset):  # where a metric may decide what the target is
        made = sketch(rng, task="values")
    other = rng.choice(("accuracy", "f1", "log_loss") if made.data.task == "values" else ("r2", "rmse", "mae"))
    if rng.random() < 0.5:
        fitting = made.metrics or ["r2" if made.data.task == "values" else "accuracy"]
        place = rng.randint(0, len(fitting))
        made.metrics = [*fitting[:place], Mark(other), *fitting[place:]]
        return made
    return measured(rng, made, f"train.{other}")


def watching_the_other_task(rng: Random) -> Sketch:
    made = with_validation(rng, rng.choice(("binary", "multi")))
    return watched(rng, made, Mark(rng.choice(("validation.r2", "train.rmse"))))


def other_weights(rng: Random) -> Sketch:
    loss = rng.choice(("cross_entropy", "nll", "multi_margin"))
    made = sketch(rng, loss=loss)
    wrong = rng.choice(
        [count for count in (1, made.data.classes - 1, made.data.classes + 1) if count != made.data.classes]
    )
    given: dict[str, Tree] = {"weight": Mark([round(rng.uniform(0.5, 3), 1) for _ in range(wrong)])}
    if loss == "cross_entropy" and rng.random() < 0.3:
        given = {"label_smoothing": 0.1, **given}
    made.loss = {loss: given}
    return made


FAULTS = (
    Fault("FF023", unlearning),
    Fault("FF025", unmeasured),
    Fault("FF025", measure_of_a_missing_split),
    Fault("FF025", watching_nothing),
    Fault("FF026", watching_the_test),
    Fault("FF026", watching_a_missing_split),
    Fault("FF026", stopping_by_a_missing_split),
    Fault("FF027", metric_of_the_other_task),
    Fault("FF027", watching_the_other_task),
    Fault("FF028", other_weights),
)
