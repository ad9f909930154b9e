"""Recipes: what they fill, what they leave, and that nothing of them is hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import ffspec
from ffspec import api, document
from ffspec.cli import main
from ffspec.spec.expansion import expand, fill
from ffspec.spec.recipes import RECIPES, Case
from ffspec.spec.root import Spec

CSV = {"csv": {"path": "t.csv", "target": "y"}}
CASES = [Case(task=task, validation=there, loss=None) for task in ("classes", "values") for there in (True, False)]


def dataset(value: dict[str, Any]) -> Any:
    """Return the dataset of the values a recipe leaves."""
    return expand(value)["dataset"]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("data", ["iris", "diabetes", "digits"])
def test_a_recipe_and_a_dataset_are_a_spec_without_findings(name: str, data: str) -> None:
    text = f"recipe: {name}\ndataset: {data}\n"
    assert api.check(text) == ()
    assert ffspec.load(text).recipe is None


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_what_is_written_out_runs_to_the_same_bits(name: str, data: str) -> None:
    short = ["training.epochs=2"]
    text = f"recipe: {name}\ndataset: {data}\n"
    spec = ffspec.load(text, overrides=short)
    written = api.dump_resolved(spec)
    assert "recipe" not in written
    again = ffspec.load(written)
    first, second = ffspec.run(spec), ffspec.run(again)
    assert first.after == second.after
    assert first.history == second.history


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("name", RECIPES)
def test_every_key_a_recipe_fills_may_be_written(name: str, case: Case) -> None:
    made = RECIPES[name](case)
    assert set(made) <= set(Spec.model_fields) - {"recipe"}
    assert fill({}, made) == made


def test_what_the_author_writes_stays() -> None:
    value = {
        "recipe": "plain",
        "dataset": {"iris": {}, "split": {"test": 0.3}, "prepare": "robust"},
        "layers": ("linear",),
        "loss": {"multi_margin": {}},
        "optimizer": {"sgd": {"lr": 0.1}},
        "training": {"epochs": 3},
    }
    made = expand(value)
    assert made["layers"] == ("linear",)
    assert made["loss"] == {"multi_margin": {}}
    assert made["optimizer"] == {"sgd": {"lr": 0.1}}
    assert made["dataset"] == {"iris": {}, "split": {"test": 0.3, "validation": 0.2}, "prepare": "robust"}
    assert made["training"]["epochs"] == 3
    assert made["training"]["batch_size"] == RECIPES["plain"](CASES[0])["training"]["batch_size"]


def test_the_same_component_is_filled_and_another_is_not() -> None:
    mine = {"optimizer": {"adamw": {"lr": 0.1}}, "loss": "mse", "scheduler": {"step": {"step_size": 2}}}
    others = {"optimizer": {"adamw": {"lr": 1, "eps": 0.5}}, "loss": {"mse": {}}, "scheduler": {"linear": {"a": 1}}}
    assert fill(mine, others) == {
        "optimizer": {"adamw": {"lr": 0.1, "eps": 0.5}},
        "loss": "mse",
        "scheduler": {"step": {"step_size": 2}},
    }


@pytest.mark.parametrize(
    ("given", "split"),
    [
        ("iris", {"test": 0.2, "validation": 0.2}),
        ({"iris": {}, "split": {"validation": 10}}, {"validation": 10}),
        ({"iris": {}, "split": {"test": 30, "shuffle": True}}, {"test": 30, "validation": 0.2}),
        ({"iris": {}, "split": {"train": 0.5}}, {"train": 0.5}),
        ({"iris": {}, "split": "none"}, "none"),
        ({"csv": {"path": "a", "target": "y", "task": "regression", "test": "b"}}, {"validation": 0.2}),
    ],
    ids=str,
)
def test_a_validation_split_is_added_where_it_is_left_open(given: Any, split: Any) -> None:
    assert dataset({"recipe": "plain", "dataset": given})["split"] == split


@pytest.mark.parametrize(
    "given",
    [
        {"moons": {"n_samples": {"train": 40, "test": 10}}},
        {"csv": {"path": "a", "target": "y", "task": "regression", "split_column": "s"}},
        {"csv": {"path": "a", "target": "y", "task": "regression", "validation": "b"}},
    ],
    ids=str,
)
def test_no_split_is_added_where_the_source_says_it(given: Any) -> None:
    assert "split" not in dataset({"recipe": "plain", "dataset": given})


def test_without_validation_rows_no_epoch_is_chosen() -> None:
    chosen = expand({"recipe": "plain", "dataset": "iris"})["training"]
    made = expand({"recipe": "plain", "dataset": {"moons": {"n_samples": {"train": 40, "test": 10}}}})["training"]
    assert "early_stopping" in chosen
    assert "early_stopping" not in made


def test_the_loss_tells_what_the_target_is() -> None:
    made = ffspec.load("recipe: plain\ndataset: {csv: {path: a.csv, target: y}}\nloss: huber\n")
    assert made.loss.name == "huber"


def test_a_table_must_say_its_task() -> None:
    opened = document.parse("recipe: plain\ndataset: {csv: {path: a.csv, target: y}}\n", "a.yaml")
    assert opened.render(opened.diagnostics) == (
        "a.yaml:1:9: error[FF015]: recipe must know whether the target is classes or numbers: write 'task: "
        "classification' or 'task: regression' in the table, or a loss\n"
        "    1 | recipe: plain\n"
        "      |         ^^^^^\n"
        "1 error"
    )


def test_a_misspelt_recipe_is_one_fault() -> None:
    opened = document.parse("recipe: tabluar\ndataset: iris\n", "a.yaml")
    assert [item.message for item in opened.diagnostics] == [
        "recipe must be 'plain', 'tabular', 'tabular_embedded' or 'tabular_ensemble', found 'tabluar'"
    ]


def test_a_misspelt_dataset_is_one_fault() -> None:
    opened = document.parse("recipe: plain\ndataset: irsi\n", "a.yaml")
    assert [item.message for item in opened.diagnostics] == ["unknown dataset 'irsi'"]


def test_a_fault_in_what_a_recipe_says_is_shown_at_the_recipe() -> None:
    opened = document.parse("dataset: diabetes\nrecipe: plain\nloss: cross_entropy\n", "a.yaml")
    shown = opened.render(api.diagnose(opened))
    assert "a.yaml:3:7: error[FF024]" in shown


def test_overrides_reach_into_what_a_recipe_says() -> None:
    text = "recipe: plain\ndataset: iris\n"
    changed = ffspec.load(text, overrides=["layers.0.linear.out_features=7", "optimizer.adamw.lr=0.5"])
    assert changed.layers[0] == ffspec.load(text.replace("plain", "plain")).layers[0].model_copy(
        update={"out_features": 7}
    )
    assert changed.optimizer.lr == 0.5  # type: ignore[attr-defined]
    assert ffspec.load(text.replace("iris", "wine"), overrides=["dataset=diabetes"]).loss.name == "mse"


def test_a_spec_made_in_python_is_expanded_too() -> None:
    made = Spec.model_validate({"recipe": "plain", "dataset": "iris"})
    assert made == ffspec.load("recipe: plain\ndataset: iris\n")
    with pytest.raises(ValidationError, match="must know whether the target is classes or numbers"):
        Spec.model_validate({"recipe": "plain", "dataset": CSV})


def test_show_resolved_prints_a_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["show", *arguments])
        assert ended.value.code == 0
        return capsys.readouterr().out

    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("recipe: plain\ndataset: iris\n", encoding="utf-8")
    Path("b.yaml").write_text(shown("--resolved", "a.yaml"), encoding="utf-8")
    assert shown("--resolved", "b.yaml") == Path("b.yaml").read_text(encoding="utf-8")
    assert json.loads(shown("--format", "json", "b.yaml"))[0]["parameters"] == 17539
