"""The rules about classes and what tells them: majorities, columns that are the answer, and planes."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_rows import found, mended, of_arrays, told, written

RARE = "dataset: {inline: {x: [" + ", ".join(map(str, range(60))) + "], y: [" + "yes, " * 57 + "no, no, no]}"
RARE += ", split: none}\n"


def test_one_class_is_nearly_all_there_is() -> None:
    (item,) = found(RARE)
    assert item.code == "FF207"
    assert item.path == ("loss", "cross_entropy")
    assert item.message == (
        "accuracy says little here: always answering 'yes' would be right in 95 % of the training rows"
    )
    assert item.hint == "write weight: balanced, or metrics: [accuracy, balanced_accuracy]"
    assert mended(RARE + "loss: cross_entropy\n") == RARE + "loss: {cross_entropy: {weight: balanced}}\n"
    assert mended(RARE + "loss: bce_with_logits\n") == RARE + "loss: {bce_with_logits: {pos_weight: balanced}}\n"
    (item,) = found(RARE + "layers: [linear, sigmoid]\nloss: bce\n")
    assert (item.hint, item.edit) == ("write metrics: [accuracy, balanced_accuracy]", None)


@pytest.mark.parametrize(
    "rest",
    [
        "loss: {cross_entropy: {weight: balanced}}\n",
        "loss: {cross_entropy: {weight: [9, 1]}}\n",
        "loss: {bce_with_logits: {pos_weight: 0.1}}\n",
        "metrics: [accuracy, f1]\n",
        "checks: {train.roc_auc: {min: 0.9}}\n",
        "checks: {improves: train.recall}\n",
    ],
)
def test_who_minds_the_rare_class_is_not_told(rest: str) -> None:
    assert found(RARE + rest) == ()


def test_a_truth_table_may_be_unequal() -> None:
    rows = [list(row) for row in product((0, 1), repeat=5)]
    y = [int(all(row)) for row in rows]
    assert found(f"dataset: {{inline: {{x: {rows}, y: {y}}}, split: none}}\nlayers: [linear]\n") == ()


def table(directory: Path, *, target: str) -> None:
    """Write a table of 90 rows: noise, a level and a code that follow the kind, and another unit of the amount."""
    draw = np.random.default_rng(0)
    rows = []
    for index in range(90):
        kind, amount = index // 30, draw.lognormal()
        targets = {"flag": "no" if kind < 2 else "yes", "kind": "abc"[kind], "amount": amount}
        columns = [draw.normal(), draw.normal(), kind + draw.uniform(0, 0.5), "uvw"[kind], 2 * amount + 1]
        rows.append([*(round(c, 6) if isinstance(c, float) else c for c in columns), targets[target]])
    written(directory, "table.csv", "noise,more,level,code,double,y", rows)


CSV = "dataset:\n  csv: {path: table.csv, target: y}\n  split: none\n"


def test_columns_that_tell_two_classes(tmp_path: Path) -> None:
    table(tmp_path, target="flag")
    assert told(CSV, tmp_path) == (
        "spec.yaml:2:3: warning[FF208]: does column 'level' know the answer? By itself it tells the target: "
        "an area under the ROC curve of 1.0000\n"
        "    2 |   csv: {path: table.csv, target: y}\n"
        "      |   ^^^ if it is not known before the target is, write drop: [level]\n"
        "spec.yaml:2:3: warning[FF208]: does column 'code' know the answer? By itself it tells the target: "
        "an area under the ROC curve of 1.0000\n"
        "    2 |   csv: {path: table.csv, target: y}\n"
        "      |   ^^^ if it is not known before the target is, write drop: [code]\n"
        "2 warnings"
    )


def test_columns_that_tell_three_classes(tmp_path: Path) -> None:
    table(tmp_path, target="kind")
    items = [item for item in found_in(CSV, tmp_path) if item.code == "FF208"]
    assert [item.message for item in items] == [
        "does column 'code' know the answer? By itself it tells the target: 100 % of each class on average",
    ]
    cut = CSV.replace("target: y", "target: y, drop: [level]")
    assert mended(cut, tmp_path) == cut.replace("[level]", "[level, code]")
    chosen = CSV.replace("target: y", "target: y, columns: [noise, code]")
    assert [item.edit for item in found_in(chosen, tmp_path)] == [None]


def found_in(part: str, directory: Path) -> Any:
    from ffspec import api, document
    from tests.snippets import whole

    return api.diagnose(document.parse(whole(part), directory=directory), data=True)


def test_a_column_that_is_another_unit_of_the_target(tmp_path: Path) -> None:
    table(tmp_path, target="amount")
    items = found_in(CSV + "loss: mse\n", tmp_path)
    assert [(item.code, item.message) for item in items] == [
        (
            "FF208",
            "does column 'double' know the answer? By itself it tells the target: a rank correlation of 1.0000",
        )
    ]
    assert mended(CSV + "loss: mse\n", tmp_path) == CSV.replace("target: y", "target: y, drop: [double]") + (
        "loss: mse\n"
    )


def test_a_large_table_is_tried_on_some_of_its_rows() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(30_000, 2))
    part = "dataset: {arrays: {}, split: none}\nlayers: [{linear: 8}, relu, linear]\n"
    assert of_arrays(part, x, (x[:, 1] > 0).astype(int)) == [
        (
            "FF208",
            (
                "does column 'x1' know the answer? By itself it tells the target: an area under the ROC curve of "
                "1.0000 on 20,000 of 30,000 training rows"
            ),
        )
    ]
    assert of_arrays(part, x, (x[:, 1] + draw.normal(size=30_000) > 0).astype(int)) == []


def test_where_half_of_the_columns_tell_the_target_it_is_easy() -> None:
    draw = np.random.default_rng(0)
    y = draw.integers(0, 2, 200)
    x = np.column_stack([(y + draw.uniform(0, 0.5, (2, 200))).T, draw.normal(size=(200, 2))])
    assert of_arrays("dataset: {arrays: {}, split: none}\n", x, y) == []
    more = np.column_stack([x, draw.normal(size=200)])
    assert [code for code, _ in of_arrays("dataset: {arrays: {}, split: none}\n", more, y)] == ["FF208", "FF208"]


def test_a_wide_table_is_tried_on_some_of_its_columns() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 1001))
    part = "dataset: {arrays: {}, split: none}\nlayers: [{linear: 8}, relu, linear]\n"
    assert of_arrays(part, x, (x[:, 1] > 0).astype(int)) == [
        (
            "FF208",
            (
                "does column 'x1' know the answer? By itself it tells the target: an area under the ROC curve of "
                "1.0000, of 1,000 columns that were tried"
            ),
        )
    ]


def test_few_rows_one_column_and_rare_classes_prove_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(200, 2))
    part = "dataset: {arrays: {}, split: none}\nlayers: [{linear: 8}, relu, linear]\n"
    y = (x[:, 1] > 0).astype(int)
    assert of_arrays(part, x[:49], y[:49]) == []
    assert of_arrays(part, x[:, 1:], y) == []
    nine = (x[:, 1] >= np.sort(x[:, 1])[-9]).astype(int)
    assert of_arrays(part + "metrics: [f1]\n", x, nine) == []


BITS = "dataset: {{inline: {{x: {x}, y: {y}}}, split: none}}\nlayers: [linear]\nloss: {loss}\n"


def bits(function: Any, width: int = 3, loss: str = "bce_with_logits") -> str:
    rows = [list(row) for row in product((0, 1), repeat=width)]
    return BITS.format(x=rows, y=[function(row) for row in rows], loss=loss)


def test_a_function_of_bits_that_no_plane_divides() -> None:
    (item,) = found(bits(lambda row: sum(row) % 2))
    assert (item.code, item.path, item.hint) == (
        "FF209",
        ("layers", 0),
        "put a hidden layer in front: linear: 8, then relu",
    )
    assert item.message == "a linear network cannot learn these 8 rows: no plane divides their classes"
    classes = bits(lambda row: "abcd"[2 * (row[0] ^ row[1]) + row[2]], loss="cross_entropy")
    assert [item.code for item in found(classes)] == ["FF209"]


@pytest.mark.parametrize("function", [all, any, lambda row: sum(row) > 1, max], ids=["and", "or", "majority", "max"])
def test_a_function_of_bits_that_a_plane_divides(function: Any) -> None:
    assert found(bits(lambda row: int(function(row)))) == ()
    assert found(bits(lambda row: int(function(row)), loss="cross_entropy")) == ()


def test_a_hidden_layer_needs_no_plane() -> None:
    assert found(bits(lambda row: sum(row) % 2).replace("[linear]", "[{linear: 8}, relu, linear]")) == ()


def test_a_contradiction_is_no_matter_of_planes() -> None:
    part = BITS.format(x=[[0, 0], [0, 0], [1, 0], [0, 1], [1, 1]], y=[0, 1, 1, 1, 0], loss="bce_with_logits")
    assert found(part) == ()


def test_classes_that_a_quadric_divides_and_no_plane() -> None:
    circles = "dataset: {circles: {n_samples: 200, noise: 0.05}}\n"
    (item,) = found(circles + "layers: [batch_norm, linear, sigmoid]\nloss: bce\n")
    assert (item.code, item.path) == ("FF209", ("layers", 1))
    assert item.message == (
        "a linear network cannot tell these classes apart: on the training rows a linear classifier is right in 50 % "
        "of cases, one with squares and products of the features in 94 %"
    )
    (item,) = found("dataset: {gaussian_quantiles: {n_samples: 4000}}\nlayers: [linear]\n")
    assert item.message == (
        "a linear network cannot tell these classes apart: on 2,000 of 3,200 training rows a linear classifier is "
        "right in 34 % of cases, one with squares and products of the features in 89 %"
    )
    assert found(circles + "layers: [{linear: 8}, relu, linear]\nloss: bce_with_logits\n") == ()


COUNTS = "dataset: {inline: {x: [0, 1, 2, 3], y: [290, 310, 305, 295]}, split: none}\n"


def test_large_counts_without_a_first_guess() -> None:
    assert told(COUNTS + "layers:\n- linear: 8\n- relu\n- linear\nloss: poisson_nll\n") == (
        "spec.yaml:5:3: warning[FF210]: the first prediction of poisson_nll is about 1, "
        "but the mean of the training targets is 300\n"
        "    5 | - linear\n"
        "      |   ^^^^^^ write bias_init: {constant: 5.7} for the last linear: exp(5.7) is about that\n"
        "1 warning"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[{linear: 8}, relu, linear]", "[{linear: 8}, relu, {linear: {bias_init: {constant: 5.7}}}]"),
        ("[{linear: 1}]", "[{linear: {out_features: 1, bias_init: {constant: 5.7}}}]"),
        ("[{linear: {bias: false}}]", "[{linear: {bias: false}}]"),
    ],
)
def test_the_first_guess_is_proposed(before: str, after: str) -> None:
    text = COUNTS + "layers: {}\nloss: poisson_nll\n"
    assert mended(text.replace("{}", before)) == text.replace("{}", after)


def test_small_counts_and_those_with_a_first_guess() -> None:
    assert found(COUNTS.replace("290, 310, 305, 295", "19, 21, 20, 19") + "loss: poisson_nll\n") == ()
    assert found(COUNTS + "layers: [{linear: {bias_init: {constant: 1}}}]\nloss: poisson_nll\n") == ()
