"""The points of a sweep: what they are, that they are checked, and what is said of axes that lead nowhere."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

import ffspec
from ffspec import api, document
from ffspec.cli import _exit_code
from ffspec.diagnostics import SpecError
from ffspec.points import Point, Space, told

REST = """\
dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}
layers: [{linear: 8}, relu, linear]
loss: cross_entropy
optimizer: {sgd: {lr: 0.01}}
"""


def space(text: str, *overrides: str) -> Space:
    opened = document.parse(text, overrides=overrides)
    assert opened.diagnostics == ()
    assert opened.spec is not None
    return document.space(opened, opened.spec)


def rendered(text: str) -> list[str]:
    """Return what is wrong, as it is printed, without the count."""
    opened = document.parse(text, "a.yaml")
    return opened.render(api.diagnose(opened)).splitlines()[:-1]


def test_a_grid_is_all_combinations_the_last_axis_fastest() -> None:
    axes = "{optimizer.sgd.lr: [0.1, 1.0], training.epochs: {int: [1, 3]}, seed: [5, 7]}"
    grid = space(f"{REST}sweep: {{axes: {axes}, method: grid}}\n")
    assert grid.size == grid.trials == 13
    assert grid.point(0) == {}
    points = [grid.point(number) for number in range(1, 13)]
    wanted = product([0.1, 1.0], [1, 2, 3], [5, 7])
    names = ("optimizer.sgd.lr", "training.epochs", "seed")
    assert points == [dict(zip(names, values, strict=True)) for values in wanted]


def test_random_points_depend_on_seed_and_number_alone() -> None:
    axes = "{optimizer.sgd.lr: {log_uniform: [0.0001, 1]}, layers.0.linear.out_features: {log_int: [4, 64]}}"
    text = f"{REST}sweep: {{axes: {axes}, trials: 9}}\n"
    one, other = space(text), space(text.replace("trials: 9", "seconds: 5"))
    assert [one.point(number) for number in (7, 3)] == [other.point(number) for number in (7, 3)]
    assert one.point(7) != one.point(3)
    assert space(text, "sweep.seed=1").point(7) != one.point(7)
    # Of each axis a stream of its own: a further axis changes no other.
    more = space(text.replace("{optimizer", "{seed: [0, 1, 2], optimizer"))
    assert {key: value for key, value in more.point(7).items() if key != "seed"} == one.point(7)


@pytest.mark.parametrize(
    ("axis", "middle"),
    [
        ("{uniform: [0.0, 0.5]}", (0.22, 0.28)),
        ("{log_uniform: [0.0001, 0.01]}", (0.0009, 0.0011)),
        ("{log_int: [1, 1000]}", (25, 40)),
        ("{int: [0, 100]}", (45, 55)),
    ],
)
def test_draws_fill_a_range(axis: str, middle: tuple[float, float]) -> None:
    drawn = space(f"{REST}sweep: {{axes: {{optimizer.sgd.weight_decay: {axis}}}, seconds: 9}}\n")
    values = sorted(drawn.point(number)["optimizer.sgd.weight_decay"] for number in range(1, 2001))
    low, high = drawn.axes["optimizer.sgd.weight_decay"].range  # type: ignore[union-attr]
    assert low <= values[0]
    assert values[-1] <= high
    assert middle[0] < values[1000] < middle[1]
    assert all(value == float(f"{value:.6g}") for value in values)


def test_all_values_of_a_list_are_drawn_alike() -> None:
    drawn = space(f"{REST}sweep: {{axes: {{seed: [3, 4, 5]}}, seconds: 9}}\n")
    counts = Counter(drawn.point(number)["seed"] for number in range(1, 3001))
    assert set(counts) == {3, 4, 5}
    assert min(counts.values()) > 900


def test_the_spec_of_a_point_is_what_overrides_make_of_it() -> None:
    axes = (
        "{layers: [[{linear: 4}, tanh, linear], [linear]], training.epochs: {int: [1, 9]}, dataset.split.test: [0.3]}"
    )
    text = f"{REST}sweep: {{axes: {axes}, trials: 9}}\n"
    drawn = space(text, "optimizer.sgd.momentum=0.5", "seed=4")
    point = drawn.point(1)
    layers = "layers=[linear]" if point["layers"] == ("linear",) else "layers=[{linear: 4}, tanh, linear]"
    overrides = [layers, f"training.epochs={point['training.epochs']}", "dataset.split.test=0.3"]
    wanted = ffspec.load(REST, overrides=[*overrides, "optimizer.sgd.momentum=0.5", "seed=4"])
    assert drawn.spec(point) == wanted
    assert drawn.spec({}) == ffspec.load(REST, overrides=["optimizer.sgd.momentum=0.5", "seed=4"])
    assert told({"layers": (), "seed": 3, "optimizer.sgd.lr": 0.25, "training.shuffle": True}) == (
        "layers=[], seed=3, optimizer.sgd.lr=0.25, training.shuffle=true"
    )


def test_a_key_that_a_recipe_fills_is_an_axis_like_any_other() -> None:
    text = "recipe: plain\ndataset: {iris: {}, split: {validation: 0.2, test: 0.2}}\n"
    filled = space(
        f"{text}sweep: {{axes: {{optimizer.adamw.lr: [0.1], layers.0.linear.out_features: [7]}}, method: grid}}"
    )
    wanted = ffspec.load(text, overrides=["optimizer.adamw.lr=0.1", "layers.0.linear.out_features=7"])
    assert filled.spec(filled.point(1)) == wanted
    axes = "{recipe: [tabular], layers: [[{linear: 4}, relu, linear]]}"
    layers = space(f"{text}sweep: {{axes: {axes}, method: grid}}")
    assert "scale" not in str(layers.spec(layers.point(1)).optimizer), "its groups are of layers that are there"
    recipes = space(f"{text}sweep: {{axes: {{recipe: [tabular], loss: [cross_entropy]}}, method: grid}}")
    assert recipes.spec(recipes.point(1)) == ffspec.load(text, overrides=["recipe=tabular", "loss=cross_entropy"])


def test_the_metric_of_a_sweep_is_measured() -> None:
    text = f"{REST}sweep: {{axes: {{seed: [1]}}, method: grid, metric: validation.f1}}\n"
    assert space(text).spec({}).metrics == ("accuracy", "f1")
    assert space(f"metrics: [log_loss]\n{text}").spec({}).metrics == ("log_loss", "f1")
    assert space(f"metrics: [f1]\n{text}").spec({}).metrics == ("f1",)
    assert space(text.replace("f1", "loss")).spec({}).metrics is None


def test_a_spec_made_in_python_has_the_points_of_its_text() -> None:
    text = f"{REST}sweep: {{axes: {{optimizer.sgd.lr: {{log_uniform: [0.001, 1]}}, seed: [1, 2]}}, trials: 5}}\n"
    spec = ffspec.load(text)
    assert ffspec.load(ffspec.dump(spec)) == spec
    made = document.space(document.of(spec), spec)
    assert [made.spec(made.point(number)) for number in range(5)] == [
        space(text).spec(space(text).point(number)) for number in range(5)
    ]


@pytest.mark.parametrize(
    ("axes", "standing"),
    [
        (
            "{optimizer.sgd.lr: {log_uniform: [0.001, 1]}, layers.0.linear.out_features: {int: [4, 16]}}",
            {"optimizer.sgd.lr": 0.01, "layers.0.linear.out_features": 8},
        ),
        ("{seed: [1, 0], layers.1: [tanh, relu]}", {"seed": 0, "layers.1": "relu"}),
        ("{training.epochs: [100, 20]}", {"training.epochs": 100}),  # a default
        ("{dataset.split.test: [0.1, 0.2]}", {"dataset.split.test": 0.2}),
        ("{optimizer.sgd.lr: [0.1, 1.0]}", None),
        ("{optimizer.sgd.lr: {uniform: [0.1, 1.0]}}", None),
        ("{scheduler: [cosine_annealing]}", None),
    ],
)
def test_the_spec_as_it_stands_may_be_a_point(axes: str, standing: Point | None) -> None:
    made = space(f"{REST}sweep: {{axes: {axes}, seconds: 9}}\n")
    assert made.standing == standing
    if standing is not None:
        assert made.spec(standing) == made.spec({})


AXES = """\
sweep:
  axes:
    optimizer.sgd.lrr: [0.1, 1]
    optimizer.adam.lr: [0.1, 1]
    optimiser.sgd.lr: [0.1, 1]
    optimizer.sgd.lr: [0.1, -1]
    layers.3.linear.out_features: [1, 2]
    layers.0.linear.out_features: {int: [0, 3]}
    layers: [[{linear: 8}, relu, linear], [{linear: 4}, rellu, linear]]
    recipe: [plain, tabular]
    scheduler.step.gamma: [0.1, 0.5]
  trials: 9
"""


def test_what_is_wrong_with_an_axis_is_shown_where_it_stands() -> None:
    assert rendered(REST + AXES) == [
        "a.yaml:7:5: error[FF012]: unknown key 'lrr'",
        "    7 |     optimizer.sgd.lrr: [0.1, 1]",
        "      |     ^^^^^^^^^^^^^^^^^ did you mean 'lr'?",
        "a.yaml:8:5: error[FF019]: the optimizer is 'sgd', not 'adam'",
        "    8 |     optimizer.adam.lr: [0.1, 1]",
        "      |     ^^^^^^^^^^^^^^^^^ set the optimizer itself to 'adam' first, or write 'sgd'",
        "a.yaml:9:5: error[FF019]: unknown key 'optimiser'",
        "    9 |     optimiser.sgd.lr: [0.1, 1]",
        "      |     ^^^^^^^^^^^^^^^^ did you mean 'optimizer'?",
        "a.yaml:10:29: error[FF015]: lr must be at least 0, found -1",
        "   10 |     optimizer.sgd.lr: [0.1, -1]",
        "      |                             ^^",
        "a.yaml:11:5: error[FF019]: there is no item 3: the numbers here go from 0 to 2",
        "   11 |     layers.3.linear.out_features: [1, 2]",
        "      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "a.yaml:12:35: error[FF015]: out_features must be at least 1, found 0",
        "   12 |     layers.0.linear.out_features: {int: [0, 3]}",
        "      |                                   ^^^^^^^^^^^^^",
        "a.yaml:13:57: error[FF014]: unknown layer 'rellu'",
        "   13 |     layers: [[{linear: 8}, relu, linear], [{linear: 4}, rellu, linear]]",
        "      |                                                         ^^^^^ did you mean 'relu'?",
        "a.yaml:14:5: error[FF019]: there must be a recipe in the spec for another to take its place",
        "   14 |     recipe: [plain, tabular]",
        "      |     ^^^^^^ write the recipe as the file has it",
        "a.yaml:15:5: error[FF011]: with scheduler.step.gamma=0.5: 'step' needs 'step_size'",
        "   15 |     scheduler.step.gamma: [0.1, 0.5]",
        "      |     ^^^^^^^^^^^^^^^^^^^^ add 'step_size: ...'",
    ]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (
            "{axes: {optimizer.sgd.lr: {log_uniform: [0.01, 1]}}, method: grid}",
            (
                "optimizer.sgd.lr must be a list of values in a grid: "
                "write [0.01, 0.0316228, 0.1, 0.316228, 1], or method: random"
            ),
        ),
        ("{axes: {seed: [1]}}", "'random' has no end of its own: add trials: 50, or seconds: 600"),
        (
            "{axes: {seed: [1, 2], optimizer.sgd.lr: [0.1, 1.0]}, trials: 6}",
            "method must be grid: there are only 5 points, and others would be tried twice",
        ),
        ("{axes: {}, trials: 3}", "axes must name at least one path, such as optimizer.sgd.lr"),
        ("{axes: {seed: [1, 2, 1]}, trials: 3}", "seed must be different values, found 1 twice"),
        ("{axes: {name: [a]}, trials: 3}", "name must be a path of what is trained, and name is none"),
        (
            "{axes: {training.epochs: [1, 2]}, trials: 3, method: hyperband}",
            "training.epochs must not be an axis of hyperband, which compares trainings epoch by epoch",
        ),
        (
            "{axes: {seed: [1]}, trials: 3, metric: train.loss}",
            (
                "metric must be of the validation split, found 'train.loss': it would choose what learns by heart; "
                "write validation.loss"
            ),
        ),
        (
            "{axes: {seed: [1]}, trials: 3, metric: loss}",
            (
                "metric must be validation.loss or a metric of the validation split, found 'loss'; "
                "did you mean validation.loss?"
            ),
        ),
    ],
)
def test_a_sweep_must_make_sense(sweep: str, message: str) -> None:
    (found,) = document.parse(f"{REST}sweep: {sweep}\n").diagnostics
    assert (found.code, found.message) == ("FF015", message)


@pytest.mark.parametrize(
    ("sweep", "printed"),
    [
        (
            "axes: {layers: [{linear: 8}, relu, linear]}, method: grid",
            (
                "error[FF013]: 'layers' must be a list of lists, each of which is tried\n"
                "    5 | sweep: {axes: {layers: [{linear: 8}, relu, linear]}, method: grid}\n"
                "      |                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^ write [[...], [...]]"
            ),
        ),
        (
            "axes: {training.epochs: {uniform: [1, 9.5]}}, trials: 4",
            (
                "error[FF013]: 'training.epochs' must be whole numbers, and uniform draws any\n"
                "    5 | sweep: {axes: {training.epochs: {uniform: [1, 9.5]}}, trials: 4}\n"
                "      |                                 ^^^^^^^^^^^^^^^^^^^ write {int: [1, 9]}"
            ),
        ),
        (
            "axes: {training.epochs: {log_uniform: [1.5, 900]}}, trials: 4",
            (
                "error[FF013]: 'training.epochs' must be whole numbers, and log_uniform draws any\n"
                "    5 | sweep: {axes: {training.epochs: {log_uniform: [1.5, 900]}}, trials: 4}\n"
                "      |                                 ^^^^^^^^^^^^^^^^^^^^^^^^^ write {log_int: [2, 900]}"
            ),
        ),
        (
            "axes: {training.batch_size: {log_uniform: [1, 64]}}, trials: 4",
            (
                "error[FF013]: 'training.batch_size' must be whole numbers, and log_uniform draws any\n"
                "    5 | sweep: {axes: {training.batch_size: {log_uniform: [1, 64]}}, trials: 4}\n"
                "      |                                     ^^^^^^^^^^^^^^^^^^^^^^ write {log_int: [1, 64]}"
            ),
        ),
        (
            "axes: {'layers[0].linear': [8, 16]}, trials: 3",
            (
                "error[FF019]: an item of a list is named by its number behind a dot, found 'layers[0]'\n"
                "    5 | sweep: {axes: {'layers[0].linear': [8, 16]}, trials: 3}\n"
                "      |                ^^^^^^^^^^^^^^^^^^ write layers.0.linear"
            ),
        ),
        (
            "axes: {seed: {int: [4, 4]}}, trials: 4",
            (
                "error[FF015]: the bounds must be an interval, found 4 and 4; for one value, write a list of it\n"
                "    5 | sweep: {axes: {seed: {int: [4, 4]}}, trials: 4}\n"
                "      |                            ^^^^^^"
            ),
        ),
        (
            "axes: {training.epochs: {int: [1, 9]}}, method: bayesian, trials: 4",
            (
                "error[FF015]: method must be 'grid', 'random', 'tpe' or 'hyperband', found 'bayesian'\n"
                "    5 | sweep: {axes: {training.epochs: {int: [1, 9]}}, method: bayesian, trials: 4}\n"
                "      |                                                         ^^^^^^^^ did you mean 'tpe'?"
            ),
        ),
        (
            "axes: {training.epochs: {int: [1, 9]}}, metric: validation.r2, trials: 4",
            (
                "error[FF027]: r2 measures numbers, but the target is classes\n"
                "    5 | sweep: {axes: {training.epochs: {int: [1, 9]}}, metric: validation.r2, trials: 4}\n"
                "      |                                                         ^^^^^^^^^^^^^\n"
                "      = metrics of classes: accuracy, balanced_accuracy, precision, recall, f1, matthews_corrcoef, "
                "cohen_kappa, roc_auc, average_precision, log_loss, brier, ece"
            ),
        ),
    ],
)
def test_a_sweep_that_can_come_to_nothing_is_refused_with_what_to_write(sweep: str, printed: str) -> None:
    found = "\n".join(rendered(f"{REST}sweep: {{{sweep}}}\n"))
    assert found.partition(": ")[2] == printed


def test_a_metric_is_judged_by_the_rows_where_the_spec_does_not_say_what_they_are() -> None:
    text = REST.replace("{iris: {}, split: {validation: 0.2, test: 0.2}}", "arrays").replace("cross_entropy", "mse")
    text += "sweep: {axes: {training.epochs: [1, 2]}, metric: validation.accuracy, method: grid}\n"
    rows = {name: ([[0.0], [1.0], [2.5]], [0.5, 1.0, 2.0]) for name in ("train", "validation")}
    with pytest.raises(SpecError) as failure:
        ffspec.sweep(text, rows)
    assert [item.message for item in failure.value.diagnostics] == [
        "accuracy measures classes, but the target is numbers"
    ]


def test_corners_are_judged_as_any_spec_is() -> None:
    text = """\
dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}
layers: [{linear: 8}, relu, {residual: [{linear: 8}, relu]}, linear]
loss: cross_entropy
optimizer: {adam: {lr: 0.01}}
sweep:
  axes: {optimizer.adam.lr: {log_uniform: [0.001, 1]}, layers.0.linear.out_features: [8, 16]}
  trials: 5
"""
    opened = document.parse(text, "a.yaml")
    error, hint = api.diagnose(opened)
    message = (
        "with optimizer.adam.lr=0.001, layers.0.linear.out_features=16: "
        "the layers of a residual must keep the width: they receive 16 and return 8"
    )
    assert opened.render([error]).splitlines()[:-1] == [
        f"a.yaml:6:3: error[FF022]: {message}",
        "    6 |   axes: {optimizer.adam.lr: {log_uniform: [0.001, 1]}, layers.0.linear.out_features: [8, 16]}",
        "      |   ^^^^ end them with linear: 16",
    ]
    assert hint.severity.value == "info"


def test_there_must_be_rows_to_choose_by() -> None:
    text = REST.replace("validation: 0.2, ", "") + "sweep: {axes: {seed: [1]}, method: grid}\n"
    assert rendered(text) == [
        "a.yaml:5:1: error[FF019]: 'validation.loss' needs a validation split, and the dataset has none",
        "    5 | sweep: {axes: {seed: [1]}, method: grid}",
        "      | ^^^^^ write split: {validation: 0.2, test: 0.2} under dataset",
    ]


def test_other_commands_leave_a_sweep_alone(capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{REST}training: {{epochs: 2}}\nsweep: {{axes: {{seed: [1]}}, method: grid}}\n"
    alone = ffspec.run(text.partition("sweep")[0])
    beside = ffspec.run(text)
    assert beside.spec.sweep is None
    assert beside.after == alone.after
    assert "sweep" not in api.dump_resolved(text)
    assert _exit_code(["schema"]) == 0
    assert '"sweep"' in capsys.readouterr().out
