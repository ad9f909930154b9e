"""A population: each member is what its single run would be."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import ffspec
from ffspec import populations
from ffspec.builder.population import optimizers
from ffspec.cli import _exit_code
from ffspec.data import load_spec
from ffspec.runner.metrics import measure
from ffspec.runner.population import Member, groups, member_of, train_together
from ffspec.runner.population.measuring import metrics_of
from ffspec.spec.losses import LOSSES
from ffspec.spec.metrics import find_metric

TEXT = """\
dataset: {classification: {n_samples: 90, n_features: 5}, split: {validation: 0.2, test: 0.2}}
layers: [{linear: 8}, relu, linear]
loss: bce_with_logits
optimizer: {adam: 0.02}
training: {epochs: 3, batch_size: 16}
"""


FORM = "no form for many networks at once"
NONE = f"has {FORM}"


def member(*overrides: str, text: str = TEXT) -> Member:
    spec = ffspec.load(text, overrides=overrides)
    return member_of(spec, load_spec(spec))


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_member_alone_is_its_run() -> None:
    (found,) = train_together([member()])
    alone = ffspec.run(TEXT)
    assert (found.before, found.after, found.history) == (alone.before, alone.after, alone.history)
    assert same(found.network, alone.model)
    assert not found.network.training
    assert found.error is None


def test_only_the_splits_asked_for_are_evaluated() -> None:
    (found,) = train_together([member()], splits=("train", "validation"))
    assert [*found.before] == [*found.after] == ["train", "validation"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_lean_training_looks_at_nothing_that_nothing_needs(seeds: int) -> None:
    members = [member(f"seed={seed}") for seed in range(seeds)]
    found, lean = [*train_together(members)], [*train_together(members, lean=True)]
    for one, other in zip(found, lean, strict=True):
        assert same(one.network, other.network)
        assert (other.before, other.after) == ({}, one.after)
        assert [[*row] for row in other.history] == [["epoch", "lr", "loss"]] * 3
    stopping = member("training.early_stopping={patience: 1, monitor: validation.loss}")
    (watched,) = train_together([stopping], lean=True)
    assert "validation.loss" in watched.history[0]


def test_whoever_observes_can_end_a_member() -> None:
    text = TEXT.replace("epochs: 3", "epochs: 9, early_stopping: {patience: 9}")
    seen = []

    def observe(index: int, row: dict[str, Any]) -> bool:
        seen.append((index, row["epoch"]))
        return index == 0 and row["epoch"] == 2

    members = [member(f"seed={seed}", text=text) for seed in range(5)]
    found = [*train_together(members, observe=observe)]
    assert [len(one.history) for one in found] == [2, 9, 9, 9, 9]
    assert sorted(seen) == [(index, row["epoch"]) for index, one in enumerate(found) for row in one.history]


def test_a_member_that_diverges_carries_its_error() -> None:
    text = (
        TEXT.replace("bce_with_logits", "mse")
        .replace("adam: 0.02", "sgd: 1.0e+12")
        .replace("classification", "regression")
    )
    found = [*train_together([member(text=text), *[member("optimizer.sgd.lr=0.0001", text=text)] * 4])]
    assert [one.together for one in found] == [5] * 5
    assert str(found[0].error).startswith("the training loss is ")
    assert found[0].after == {}
    assert found[1].error is None
    alone = ffspec.run(text, overrides=["optimizer.sgd.lr=0.0001"]).after
    assert found[1].after["test"] == pytest.approx(alone["test"], rel=1e-5)


@pytest.mark.parametrize(
    ("overrides", "together"),
    [
        (("seed=1",), True),
        (("optimizer.adam.lr=0.5",), True),
        (("optimizer.adam.betas=[0.5, 0.9]",), True),
        (("layers.0.linear.init=zeros",), True),
        (("training.epochs=4",), True),
        (("scheduler={step: 2}",), True),
        (("layers.0.linear.out_features=9",), False),
        (("layers.1=tanh",), False),
        (("optimizer={sgd: 0.1}",), False),
        (("optimizer.adam.amsgrad=true",), False),
        (("optimizer.adam.groups=[{parameters: bias, lr: 0.1}]",), False),
        (("training.batch_size=8",), False),
        (("training.clip_grad_norm=1",), False),
        (("dataset.split.test=0.3",), False),
        (("training.precision=float64",), False),
    ],
)
def test_members_that_differ_in_numbers_only_train_as_one(overrides: tuple[str, ...], together: bool) -> None:
    alone = "no other has the same layers, optimizer, batches and numbers of rows"
    found = [(group.indices, group.reason) for group in groups([member(), member(*overrides)])]
    assert found == ([((0, 1), None)] if together else [((0,), alone), ((1,), alone)])


ROUNDED = (
    "the gradient of a bias in front of a batch_norm is rounding, of which {} makes whole steps; write bias: false"
)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("optimizer=lbfgs", "training.batch_size=all"), f"lbfgs {NONE}"),
        (("training.precision=bf16",), f"bf16 {NONE}"),
        (
            ("layers=[{ensemble: {members: 2, layers: [{linear: 4}, relu, linear]}}]", "training.clip_grad_norm=1"),
            f"clip_grad_norm of an ensemble {NONE}",
        ),
        (
            ("layers=[{ensemble: {members: 2, layers: [{linear: 4}, batch_norm, relu, {dropout: 0.1}, linear]}}]",),
            f"dropout behind a batch_norm in an ensemble {NONE}",
        ),
        (
            ("layers=[{ensemble: {members: 2, layers: [{residual: [{linear: 5}, batch_norm]}, rrelu, linear]}}]",),
            f"rrelu behind a batch_norm in an ensemble {NONE}",
        ),
        (("optimizer=adam", "layers=[{linear: 4}, identity, batch_norm, relu, linear]"), ROUNDED.format("adam")),
        (("optimizer=rprop", "layers=[{residual: [{linear: 5}, batch_norm]}, linear]"), ROUNDED.format("rprop")),
        (("training.device=auto",), "only a CPU trains many networks as one, and the device is auto"),
    ],
)
def test_what_cannot_be_one_network_says_why(overrides: tuple[str, ...], reason: str) -> None:
    found = groups([member(*overrides), member("seed=1", *overrides)])
    assert [(group.indices, group.reason) for group in found] == [((0, 1), reason)]


def test_an_optimizer_has_a_form_if_and_only_if_a_spec_is_told_so() -> None:
    assert populations.OPTIMIZERS == {*optimizers.UPDATES} == {*optimizers.ARGUMENTS}


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("same", [True, False])
def test_metrics_of_all_members_are_those_of_each(columns: int, same: bool) -> None:
    random = torch.Generator().manual_seed(0)
    for loss, names in (
        ("mse", ["max_error", "r2", "mse", "rmse", "mae"]),
        ("cross_entropy", ["f1", "accuracy"]),
        ("bce_with_logits", ["accuracy", "roc_auc"]),
    ):
        spec = next(kind for kind in LOSSES if kind.name == loss)()
        classes = None if loss == "mse" else max(columns, 2)
        shape = (4, 20, columns if loss != "cross_entropy" else max(columns, 2))
        output = torch.randn(shape, generator=random)
        truth = torch.randn(shape, generator=random).double()
        if classes is not None:
            truth = torch.randint(0, classes, (4, 20), generator=random)
        truths = [truth[0 if same else place] for place in range(4)]
        wanted = names if columns == 1 else names[1:]
        chosen = [metric for metric in map(find_metric, wanted) if metric is not None]
        judge: Any = SimpleNamespace(spec=spec, classes=classes, metrics=chosen)
        found = metrics_of(output, truths, truth[:1] if same else truth, judge)
        for place, one in enumerate(found):
            expected = measure(output[place], truths[place], spec, classes, chosen)
            assert [*one] == [*expected]
            assert one == pytest.approx(expected, rel=1e-12)


def test_a_target_that_is_always_the_same_has_no_share_of_variance() -> None:
    (r2,) = (metric for metric in [find_metric("r2")] if metric is not None)
    spec = next(kind for kind in LOSSES if kind.name == "mse")()
    judge: Any = SimpleNamespace(spec=spec, classes=None, metrics=[r2])
    truth = torch.ones(5, 1).double()
    assert metrics_of(torch.ones(1, 5, 1), [truth], truth.unsqueeze(0), judge) == [{"r2": 1.0}]


def test_members_are_divided_into_equal_parts_that_fit_the_cache() -> None:
    assert populations.divided(10, 4) == [(0, 3), (3, 6), (6, 10)]
    assert populations.divided(4, 100) == [(0, 4)]
    assert populations.divided(3, 100) == populations.divided(3, 1) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize(
    ("overrides", "most"),
    [
        # Of 16 rows 5 features, and 8, 8 and 1 numbers with their gradients; 4 times 57 parameters.
        ((), 8_000_000 // (4 * (16 * (5 + 2 * 17) + 4 * 57))),
        (("training.precision=float64",), 8_000_000 // (8 * (16 * (5 + 2 * 17) + 4 * 57))),
        (("training.batch_size=all",), 8_000_000 // (4 * (54 * (5 + 2 * 17) + 4 * 57))),
        (("optimizer={sgd: 0.1}",), 8_000_000 // (4 * (16 * (5 + 2 * 17) + 3 * 57))),
        (("layers.0.linear.out_features=1000000",), 1),
    ],
)
def test_the_plan_says_how_many_are_computed_at_once(overrides: tuple[str, ...], most: int) -> None:
    one = member(*overrides)
    assert populations.members_at_once(one.plan, one.spec.training, one.spec.optimizer.name) == most


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ((), "up to 2,347 seeds, folds or points of a sweep are trained as one network"),
        (("optimizer=lbfgs", "training.batch_size=all"), f"one after another: lbfgs {NONE}"),
        (("layers.0.linear.out_features=1000000",), "one after another: one alone fills the cache"),
        (("dataset={csv: {path: none.csv, target: y}}",), "known once the data is read"),
    ],
)
def test_show_says_how_many_are_computed_at_once(
    overrides: tuple[str, ...], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(TEXT, encoding="utf-8")
    assert _exit_code(["show", str(path), *(word for item in overrides for word in ("--set", item))]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"  members    {line}"
    assert _exit_code(["show", str(path), "--format", "json", *(w for item in overrides for w in ("--set", item))]) == 0
    assert json.loads(capsys.readouterr().out)[0]["members"] == line


def test_a_plateau_is_looked_for_where_a_run_looks_even_if_nothing_else_is() -> None:
    text = TEXT.replace("epochs: 3", "epochs: 12") + "scheduler: {reduce_on_plateau: {patience: 0, threshold: 0.1}}\n"
    for members in (1, 4):
        found = next(train_together([member(text=text)] * members, lean=True))
        assert found.together == members
        alone = ffspec.run(text)
        rates = [row["lr"] for row in alone.history]
        assert rates[-1] < rates[0]
        assert [row["lr"] for row in found.history] == rates
