"""Cross-validation: every fold is what its own run would be, and together they speak of every row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, r2_score

import ffspec
from ffspec.cli import main
from ffspec.runner.several import of_fold

TEXT = """\
name: small
dataset: {wine: {}, split: {validation: 0.2, test: 0.3}, prepare: standardize}
layers: [{linear: 8}, relu, linear]
loss: cross_entropy
optimizer: {adam: 0.02}
training: {epochs: 12}
metrics: [accuracy, log_loss]
checks: {test.accuracy: {min: 0.5}, test.loss: {max: 1.0e-9}}
"""


def outputs(result: Any) -> np.ndarray[Any, Any]:
    """Return what the network of a fold makes of the rows it is tested on."""
    with torch.inference_mode():
        found = result.model(torch.from_numpy(result.data.splits["test"].x).float())
    return np.asarray(found.double())


def test_metrics_are_those_of_all_rows_each_predicted_by_a_network_that_has_not_seen_it() -> None:
    found = ffspec.cross_validate(TEXT, folds=4)
    score = np.concatenate([outputs(one) for one in found.results])
    truth = np.concatenate([one.data.splits["test"].y for one in found.results])
    assert sorted(np.bincount(truth)) == [48, 59, 71], "every row of the data, once"
    chance = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    assert found.after["test"]["accuracy"] == accuracy_score(truth, score.argmax(axis=1))
    assert found.after["test"]["log_loss"] == pytest.approx(log_loss(truth, chance), rel=1e-12)
    losses = [one.after["test"]["loss"] for one in found.results]
    rows = [len(one.data.splits["test"]) for one in found.results]
    assert found.after["test"]["loss"] == pytest.approx(np.average(losses, weights=rows), rel=1e-12)
    assert found.spread["test"]["loss"] == pytest.approx(np.std(losses, ddof=1), rel=1e-12)
    assert found.before["test"]["loss"] > found.after["test"]["loss"]


def test_numbers_are_taken_together_too() -> None:
    text = TEXT.replace("wine", "diabetes").replace("cross_entropy", "mse")
    text = text[: text.index("metrics")] + "training: {epochs: 1, batch_size: 64}\n"
    text = text.replace("training: {epochs: 12}\n", "")
    found = ffspec.cross_validate(text, folds=3)
    values = np.concatenate([outputs(one) for one in found.results])
    truth = np.concatenate([one.data.splits["test"].y for one in found.results])
    assert found.after["test"]["r2"] == pytest.approx(r2_score(truth, values), rel=1e-9)


def test_a_fold_is_a_run_of_its_own(tmp_path: Path) -> None:
    found = ffspec.cross_validate(TEXT, folds=3, seed=5, out=tmp_path)
    assert found.directory == tmp_path / "small" / "001"
    for number, one in enumerate(found.results, start=1):
        alone = ffspec.run(of_fold(ffspec.load(TEXT).model_copy(update={"seed": 5}), 3, number))
        assert alone.after == one.after
        assert one.directory == found.directory / f"fold-{number}"
        replayed = ffspec.run(one.directory / "resolved.yaml")
        assert replayed.after == one.after
    written = json.loads((found.directory / "folds.json").read_text(encoding="utf-8"))
    assert written["after"] == found.after
    assert written["each"] == [one.after for one in found.results]
    assert (found.directory / "spec.yaml").read_text(encoding="utf-8") == TEXT


def test_folds_of_equal_size_are_trained_as_one_network(tmp_path: Path) -> None:
    found = ffspec.cross_validate(TEXT, folds=9, out=tmp_path)
    assert found.directory is not None
    together, rows = [], []
    for number, one in enumerate(found.results, start=1):
        folder = found.directory / f"fold-{number}"
        alone = ffspec.run(folder / "resolved.yaml")
        assert alone.before == one.before, "the same rows and the same first weights"
        assert [*alone.after] == [*one.after]
        for split, measures in alone.after.items():
            assert one.after[split] == pytest.approx(measures, rel=1e-4)
        states = zip(one.model.state_dict().values(), alone.model.state_dict().values(), strict=True)
        assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in states)
        assert [(item.text, item.met) for item in one.expectations] == [
            (item.text, item.met) for item in alone.expectations
        ]
        assert {*one.intervals} == {*alone.intervals}
        assert one.baselines == alone.baselines
        checks = json.loads((folder / "checks.json").read_text(encoding="utf-8"))
        assert checks["after"] == one.after
        assert checks["confusion"] == one.confusion.tolist()
        history = [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]
        assert history == list(one.history)
        together.append(json.loads((folder / "status.json").read_text(encoding="utf-8"))["together"])
        rows.append(len(one.data.splits["test"]))
    assert rows == [20] * 7 + [19] * 2, "one row more where 9 does not divide them"
    assert together == [7] * 7 + [1] * 2


def test_a_fold_that_diverges_ends_it_and_says_where() -> None:
    text = TEXT.replace("wine", "diabetes").replace("cross_entropy", "mse").replace("adam: 0.02", "sgd: 1.0e+9")
    with pytest.raises(ffspec.DivergedError) as error:
        ffspec.cross_validate(text[: text.index("metrics")], folds=8)
    assert str(error.value).startswith("fold 1: the training loss is ")
    assert "; first, in epoch 1, step " in str(error.value)


def test_checks_are_of_all_rows() -> None:
    found = ffspec.cross_validate(TEXT, folds=2)
    assert [(item.text, item.met) for item in found.expectations] == [
        ("test.accuracy >= 0.5", True),
        ("test.loss <= 1e-09", False),
    ]
    assert not found.ok


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(TEXT, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--folds", "3", "a.yaml"])
    assert ended.value.code == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "small: 139 parameters; 3 folds; rows: 94 train, 24 validation, 60 test",
        "  one after another: as one network they would be no faster",
    ]
    assert printed[2].split("  ")[1] == "split"
    assert printed[-1] == f"  run directory: {Path('runs/small/001')}"
    with pytest.raises(SystemExit):
        main(["run", "--folds", "3", "a.yaml", "--format", "json", "--set", "training.epochs=1"])
    assert json.loads(capsys.readouterr().out)[0]["folds"] == 3


def test_folds_and_stability_are_two_questions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--folds", "3", "--stability", "a.yaml"])
    assert ended.value.code == 2
    assert "--stability is of one training: leave out --folds" in capsys.readouterr().err


def test_intervals_are_of_all_rows() -> None:
    found = ffspec.cross_validate(TEXT, folds=4)
    low, high = found.intervals["accuracy"]
    assert low < found.after["test"]["accuracy"] <= high
    # Those of one fold speak of a quarter of the rows, and are wider.
    alone = [one.intervals["accuracy"] for one in found.results]
    assert all(high - low < above - below for below, above in alone if below < 1)
