"""The rules that read the rows: every code fires where its example says, and says so in full."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffspec import api, document
from ffspec.codes import Code
from ffspec.data import load_spec
from ffspec.diagnostics import Diagnostic, Severity
from ffspec.patches import apply
from ffspec.rules import inspect
from ffspec.rules.rows import DATA
from tests.snippets import whole

CODES = tuple(rule.about for rule in DATA if rule.about.spec and rule.about.code != "FF106")
"""FF106 is a rule of the spec too, and tested with those."""


def found(part: str) -> tuple[Diagnostic, ...]:
    return api.diagnose(document.parse(whole(part)), data=True)


def told(part: str, directory: Path = Path()) -> str:
    """Return what is said of a spec and its rows, as it is printed."""
    opened = document.parse(whole(part), "spec.yaml", directory=directory)
    return opened.render(api.diagnose(opened, data=True))


def of_arrays(part: str, x: Any, y: Any = None) -> list[tuple[str, str]]:
    """Return the codes and messages of what is found in arrays: `x` and `y`, or a mapping to such pairs."""
    spec = api.load(whole(part))
    loaded = load_spec(spec, x if y is None else (x, y))
    return [(item.code, item.message) for item in inspect(dict(spec), loaded) if item.severity is not Severity.INFO]


def mended(part: str, directory: Path = Path()) -> str:
    """Return a part of a spec after the edits of the rules that read rows, whether they are safe or not."""
    opened = document.parse(whole(part), "spec.yaml", directory=directory)
    patches = [item.patch for item in api.diagnose(opened, data=True) if item.patch is not None]
    return apply(opened.source.text, patches)[: len(apply(opened.source.text, patches)) - len(whole(part)) + len(part)]


def written(directory: Path, name: str, header: str, rows: Sequence[Sequence[Any]]) -> None:
    lines = [header, *(",".join(str(cell) for cell in row) for row in rows)]
    (directory / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
def test_the_wrong_example_has_this_fault_and_the_right_one_none(code: Code) -> None:
    assert {item.code for item in found(code.wrong)} == {code.code}
    assert found(code.right) == ()


def test_the_rules_stand_in_the_order_of_their_codes() -> None:
    codes = [rule.about.code for rule in DATA]
    assert codes == sorted(set(codes))
    assert all(rule.about.optional and rule.about.source for rule in DATA)


def test_features_of_the_wrong_size() -> None:
    assert told("dataset: {breast_cancer: {}, prepare: {missing: median}}\n") == (
        "spec.yaml:1:39: warning[FF201]: features should lie near 0 and vary by about 1, "
        "found worst area (mean 880.6, standard deviation 563.4) and mean area (mean 655.5, standard deviation 352.3)\n"
        "    1 | dataset: {breast_cancer: {}, prepare: {missing: median}}\n"
        "      |                                       ^^^^^^^^^^^^^^^^^ write prepare: standardize\n"
        "1 warning"
    )
    standardised = "dataset: {wine: {}, prepare: standardize}\n"
    for part in ("dataset: wine\n", "dataset: {wine: {}}\n", "dataset: {wine: {}, prepare: none}\n"):
        assert mended(part) == standardised
    assert mended("dataset:\n  wine: {}\n  split: {test: 9}\n") == (
        "dataset:\n  wine: {}\n  split: {test: 9}\n  prepare: standardize\n"
    )
    assert mended("dataset: {wine: {}, prepare: {missing: median}}\n") == (
        "dataset: {wine: {}, prepare: {missing: median, scale: standardize}}\n"
    )


def test_a_normalisation_in_front_gives_features_their_size() -> None:
    assert told("dataset: wine\nlayers: [identity, batch_norm, {linear: 8}, relu, linear]\n") == ""
    assert told("dataset: wine\nlayers: [layer_norm, {linear: 8}, relu, linear]\n") == ""


def test_a_column_of_years_and_one_without_variation() -> None:
    draw = np.random.default_rng(0)
    x = np.column_stack([2000 + draw.integers(0, 9, 60), np.ones(60), draw.normal(size=60)])
    part = "dataset: {arrays: {}, split: none}\nlayers: [linear]\nloss: mse\noptimizer: {adam: {lr: 0.1}}\n"
    spec = api.load(part)
    items = inspect(dict(spec), load_spec(spec, (x, x[:, 2] + draw.normal(size=60))))
    assert [(item.code, item.severity, item.message, item.hint) for item in items] == [
        (
            "FF201",
            Severity.INFO,
            "a column must vary to teach anything, but all training rows have the same number in 'x1'",
            None,
        ),
        (
            "FF201",
            Severity.WARNING,
            "features should lie near 0 and vary by about 1, found x0 (mean 2004, standard deviation 2.655)",
            "write prepare: standardize",
        ),
    ]


def test_a_column_that_is_nearly_always_one_is_no_column_of_years() -> None:
    x = np.column_stack([np.ones(100_000), np.random.default_rng(0).normal(size=100_000)])
    x[0, 0] = 0
    assert (
        of_arrays("dataset: {arrays: {}, split: none}\nloss: mse\noptimizer: {sgd: {lr: 0.1}}\n", x, x[::-1, 1]) == []
    )


def test_the_column_to_drop_and_the_categories_that_never_vary(tmp_path: Path) -> None:
    rows = [[index % 7, 5, "a", index % 2] for index in range(20)]
    written(tmp_path, "table.csv", "x,same,kind,y", rows)
    assert told("dataset: {csv: {path: table.csv, target: y}, split: none}\n", tmp_path) == (
        "spec.yaml:1:11: info[FF201]: a column must vary to teach anything, "
        "but all training rows have the same value in 'same' and 'kind'\n"
        "    1 | dataset: {csv: {path: table.csv, target: y}, split: none}\n"
        "      |           ^^^ leave them out with drop: [same, kind]\n"
        "1 info"
    )


REGRESSION = "dataset: {{inline: {{x: {x}, y: {y}}}, split: none}}\nloss: mse\noptimizer: {optimizer}\n"


def regression(scale: float, optimizer: str) -> str:
    x = list(range(10))
    return REGRESSION.format(x=x, y=[scale * (value % 4) for value in x], optimizer=optimizer)


@pytest.mark.parametrize(
    ("scale", "optimizer", "rate", "spread", "word"),
    [
        (1000.0, "adam", "0.001", "1300", "larger"),
        (1000.0, "sgd", "0.001", "1300", "smaller"),
        (0.001, "rmsprop", "0.01", "0.0011", "smaller"),
        (0.001, "sgd", "0.001", "0.0011", "larger"),
        (0.0, "adam", "0.001", "0", "smaller"),
    ],
)
def test_targets_of_another_size(scale: float, optimizer: str, rate: str, spread: str, word: str) -> None:
    (item,) = found(regression(scale, optimizer))
    assert item.code == "FF202"
    assert item.message == f"targets should be of a size of 0.01 to 100 for an lr of {rate}, found y ({spread})"
    assert item.hint == f"end the layers with target_scale, or write a {word} lr"
    assert item.path == ("optimizer", optimizer, "lr")


@pytest.mark.parametrize("optimizer", ["{adam: {lr: 0.1}}", "{sgd: 0.001}", "lbfgs", "rprop"])
def test_who_writes_a_learning_rate_has_thought_of_the_targets(optimizer: str) -> None:
    assert found(regression(1000.0, optimizer)) == ()


def test_a_learning_rate_of_adam_may_be_too_small_all_the_same() -> None:
    (item,) = found(regression(1000.0, "{adam: {lr: 0.01}}"))
    assert item.message == "targets should be of a size of 0.01 to 500 for an lr of 0.01, found y (1300)"


def test_a_schedule_or_a_first_guess_is_a_thought_too() -> None:
    assert found(regression(1000.0, "adam") + "scheduler: {one_cycle: {max_lr: 0.1}}\n") == ()
    assert found(regression(1000.0, "adam") + "layers: [{linear: {bias_init: {constant: 1500}}}]\n") == ()


def test_classes_and_counts_have_no_size() -> None:
    part = "dataset: {inline: {x: [0, 1, 2, 3], y: [0, 0, 1000, 1000]}, split: none}\n"
    assert found(part + "layers: [linear]\nloss: mse\nmetrics: [accuracy]\n") == ()
    assert {item.code for item in found(part + "loss: poisson_nll\n")} == {"FF210"}


def pairs(count: int, shared: int) -> dict[str, tuple[Any, Any]]:
    """Return 100 training rows and `count` test rows, of which `shared` are training rows."""
    draw = np.random.default_rng(0)
    x, other = draw.normal(size=(100, 3)), draw.normal(size=(count, 3))
    other[3 : 3 + shared] = x[:shared]
    return {"train": (x, x.sum(axis=1)), "test": (other, other.sum(axis=1))}


ARRAYS = "dataset: arrays\nlayers: [linear]\nloss: mse\noptimizer: {sgd: {lr: 0.1}}\n"


def test_training_rows_in_the_test_split() -> None:
    assert of_arrays(ARRAYS, pairs(60, 40)) == [
        (
            "FF204",
            (
                "test rows must be new to the network, but 40 of 60 are training rows too: "
                "rows 3, 4, 5 and 37 more of the test split"
            ),
        )
    ]


@pytest.mark.parametrize(
    ("count", "shared", "severity"),
    [(100, 0, None), (100, 2, None), (300, 40, Severity.ERROR), (1000, 60, Severity.WARNING), (10, 6, Severity.ERROR)],
)
def test_how_grave_training_rows_in_the_test_split_are(count: int, shared: int, severity: Severity | None) -> None:
    spec = api.load(ARRAYS)
    items = inspect(dict(spec), load_spec(spec, pairs(count, shared)))
    assert [item.severity for item in items] == ([] if severity is None else [severity])


def test_training_rows_in_another_file(tmp_path: Path) -> None:
    rows = [[index, index % 11, index % 2] for index in range(30)]
    written(tmp_path, "train.csv", "a,b,y", rows)
    written(tmp_path, "test.csv", "a,b,y", rows[::3])
    assert told("dataset:\n  csv:\n    path: train.csv\n    target: y\n    test: test.csv\n", tmp_path) == (
        "spec.yaml:5:11: error[FF204]: test rows must be new to the network, but 10 of 10 are training rows too: "
        "rows 0, 1, 2 and 7 more of the test split\n"
        "    5 |     test: test.csv\n"
        "      |           ^^^^^^^^ leave repeated rows out before splitting, or put them into one split\n"
        "1 error"
    )


def test_a_single_row_can_be_no_chance() -> None:
    x = np.random.default_rng(0).normal(size=(3000, 3))
    y = x.sum(axis=1)
    assert of_arrays(ARRAYS, {"train": (x, y), "test": (x[5:6], y[5:6])}) == [
        ("FF204", "test rows must be new to the network, but 1 of 1 are training rows too: row 0 of the test split")
    ]


def test_rows_that_repeat_themselves_everywhere_are_no_leak() -> None:
    x = np.array(list(product((0.0, 1.0), repeat=4)) * 10)
    assert of_arrays(ARRAYS, x, x.sum(axis=1)) == []


def test_another_target_makes_another_row() -> None:
    data = pairs(60, 40)
    assert of_arrays(ARRAYS, {**data, "test": (data["test"][0], data["test"][1] + 1)}) == []


def test_rows_that_contradict_each_other() -> None:
    x = np.random.default_rng(0).normal(size=(100, 2))
    both = np.concatenate([x, x[:5]])
    part = "dataset: {arrays: {}, split: none}\n"
    y = (x[:, 0] + x[:, 1] ** 3 > 0).astype(int)
    assert of_arrays(part, both, np.concatenate([y, 1 - y[:5]])) == [
        (
            "FF204",
            "rows with the same features should have the same class, but 10 of 105 training rows contradict another",
        )
    ]
    assert of_arrays(part, both, np.concatenate([y, y[:5]])) == []
    assert of_arrays(part, both[:102], np.concatenate([y, 1 - y[:2]])) == [], "4 % may be labels that are wrong"


def test_a_table_of_few_values_may_contradict_itself() -> None:
    draw = np.random.default_rng(0)
    x = draw.integers(0, 5, (40, 2)).astype(float)
    assert of_arrays("dataset: {arrays: {}, split: none}\n", x, (x[:, 0] + draw.normal(size=40) > 2).astype(int)) == []


def test_a_split_in_order_of_a_column(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    parts = ["train"] * 150 + ["validation"] * 50 + ["test"] * 50
    rows = [[i, draw.normal(), part, draw.normal()] for i, part in enumerate(parts)]
    written(tmp_path, "table.csv", "day,other,part,y", rows)
    text = "dataset: {csv: {path: table.csv, target: y, split_column: part}}\nloss: mse\n"
    assert told(text, tmp_path) == (
        "spec.yaml:1:59: warning[FF205]: validation rows should be like the training rows, "
        "but the distribution differs in day (D = 1.00)\n"
        "    1 | dataset: {csv: {path: table.csv, target: y, split_column: part}}\n"
        "      |                                                           ^^^^\n"
        "spec.yaml:1:59: warning[FF205]: test rows should be like the training rows, "
        "but the distribution differs in day (D = 1.00)\n"
        "    1 | dataset: {csv: {path: table.csv, target: y, split_column: part}}\n"
        "      |                                                           ^^^^\n"
        "2 warnings"
    )


def test_large_splits_are_compared_on_some_of_their_rows() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(30_000, 2))
    y = draw.normal(size=30_000)
    part = "dataset: {arrays: {}, split: {shuffle: false, test: 5000}}\nloss: mse\noptimizer: {sgd: {lr: 0.1}}\n"
    assert of_arrays(part, x, y) == []
    x[-5000:, 1] += 0.5
    assert of_arrays(part, x, y) == [
        (
            "FF205",
            (
                "test rows should be like the training rows, but the distribution differs in x1 (D = 0.21) "
                "(compared: 20,000 rows of a split at most)"
            ),
        )
    ]
    x[-5000:, 1] -= 0.45
    assert of_arrays(part, x, y) == [], "a difference that is sure, but small"


def test_wide_splits_are_compared_in_some_of_their_columns() -> None:
    x = np.random.default_rng(0).normal(size=(3_000, 1_001))
    x[-600:] += 1
    part = "dataset: {arrays: {}, split: {shuffle: false}}\nloss: mse\noptimizer: {sgd: {lr: 0.1}}\n"
    ((code, message),) = of_arrays(part, x, x[::-1, 0])
    assert code == "FF205"
    assert message.startswith("test rows should be like the training rows, but the distribution differs in x")
    assert message.endswith(" and 997 more (compared: 2,000 rows of a split at most and 1,000 of 1,001 columns)")


def test_rows_in_order_are_shuffled() -> None:
    rows = list(range(40))
    part = f"dataset: {{inline: {{x: {rows}, y: {[*rows[1:], 0]}}}, split: {{shuffle: false}}}}\nloss: mse\n"
    assert mended(part) == part.replace("false", "true")


def test_classes_that_only_the_test_split_has(tmp_path: Path) -> None:
    written(tmp_path, "train.csv", "x,y", [[i % 5, "ab"[i % 2]] for i in range(20)])
    written(tmp_path, "test.csv", "x,y", [[i % 5, "bcd"[i % 3]] for i in range(12)])
    text = "dataset: {csv: {path: train.csv, target: y, test: test.csv}}\n"
    assert told(text, tmp_path) == (
        "spec.yaml:1:51: error[FF206]: training must have rows of every class of the test split, "
        "but has none of 'c' and 'd'\n"
        "    1 | dataset: {csv: {path: train.csv, target: y, test: test.csv}}\n"
        "      |                                                   ^^^^^^^^\n"
        "      = divide the rows anew, with a share of every class in each split\n"
        "1 error"
    )


def test_a_split_without_a_class_that_chance_would_bring_in() -> None:
    x = np.random.default_rng(0).normal(size=(150, 2))
    y = np.repeat([0, 1, 2], 50)
    data = {"train": (x[:100], np.tile([0, 1], 50)), "test": (x[100:], y[:50])}
    assert of_arrays("dataset: arrays\n", data) == [
        ("FF206", "test must have rows of the training classes, but its 50 rows have none of 1")
    ]
    few = {"train": data["train"], "test": (x[100:112], y[:12])}
    assert of_arrays("dataset: arrays\n", few) == [], "12 rows may lack one of two classes by chance"
    assert "FF206" in {code for code, _ in of_arrays("dataset: {arrays: {}, split: {shuffle: false}}\n", x, y)}


def test_a_class_of_one_row_that_falls_into_the_test_split() -> None:
    y = [0, 1] * 10 + [2]
    part = f"dataset: {{inline: {{x: {list(range(21))}, y: {y}}}, split: {{test: 0.5}}}}\n"
    seeds = [seed for seed in range(20) if found(f"seed: {seed}\n{part}")]
    item = found(f"seed: {seeds[0]}\n{part}")[0]
    assert (item.code, item.severity) == ("FF206", Severity.ERROR)
    assert item.message == "training must have rows of every class of the test split, but has none of 2"
    assert item.hint == "leave the rows of such a class out, or gather more of them"
