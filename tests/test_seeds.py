"""Training from several seeds: mean, spread and interval, and every seed the run it would be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import safetensors.torch
from scipy import stats

import ffspec
from ffspec.cli import main
from ffspec.diagnostics import Diagnostic
from ffspec.runner.repeats import estimate
from ffspec.runner.several import of_seed, once

TEXT = """\
name: small
dataset: {wine: {}, split: {validation: 0.2, test: 0.3}, prepare: standardize}
layers: [{linear: 8}, relu, linear]
loss: cross_entropy
optimizer: {adam: 0.02}
training: {epochs: 12}
metrics: [accuracy]
checks: {test.accuracy: {min: 0.5}, test.loss: {max: 1.0e-9}}
"""
DRAWN = "dataset: {blobs: {n_samples: {train: 30, test: 10}}}\n" + TEXT[TEXT.index("layers") : TEXT.index("checks")]


def test_an_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0]
    found = estimate(values)
    assert found.mean == np.mean(values)
    assert found.deviation == pytest.approx(np.std(values, ddof=1))
    wanted = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert found.interval == pytest.approx(wanted, rel=1e-12)
    assert estimate([3.0]).interval is None


def test_figures_are_those_of_the_seeds() -> None:
    found = ffspec.repeat(TEXT, seeds=4, seed=5)
    assert found.seeds == (5, 6, 7, 8)
    assert [one.together for one in found.members] == [4] * 4
    for side in ("before", "after"):
        each = [getattr(one, side)["test"]["loss"] for one in found.members]
        assert getattr(found, side)["test"]["loss"] == estimate(each)
    assert found.before["test"]["loss"].mean > found.after["test"]["loss"].mean
    assert [(item.text, item.met) for item in found.expectations] == [
        ("test.accuracy >= 0.5", True),
        ("test.loss <= 1e-09", False),
    ]
    assert not found.ok


@pytest.mark.parametrize("text", [TEXT, DRAWN])
@pytest.mark.parametrize("resplit", [False, True])
def test_every_seed_is_a_run_of_its_own(text: str, resplit: bool, tmp_path: Path) -> None:
    found = ffspec.repeat(text, seeds=4, resplit=resplit, out=tmp_path)
    assert found.directory is not None
    rows = {one.member.loaded.splits["train"].x.tobytes() for one in found.members}
    assert len(rows) == (4 if resplit else 1)
    assert [one.together for one in found.members] == [4] * 4
    for seed, one in enumerate(found.members):
        folder = found.directory / f"seed-{seed}"
        alone = ffspec.run(folder / "resolved.yaml")
        assert one.before == alone.before, "the same rows and the same first weights"
        assert one.after["test"]["loss"] == pytest.approx(alone.after["test"]["loss"], rel=1e-4)
        history = [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]
        assert history == list(one.history)
        weights = safetensors.torch.load_file(folder / "model.safetensors")
        assert all(bool((weights[name] == own).all()) for name, own in one.network.state_dict().items())
        checks = json.loads((folder / "checks.json").read_text(encoding="utf-8"))
        assert (checks["before"], checks["after"]) == (one.before, one.after)
    plain = ffspec.run(text)
    assert found.members[0].before == plain.before, "the first seed is the spec's"


@pytest.mark.parametrize("resplit", [False, True])
def test_with_folds_a_seed_is_the_mean_over_them(resplit: bool, tmp_path: Path) -> None:
    found = ffspec.repeat(TEXT, seeds=4, folds=3, resplit=resplit, out=tmp_path)
    assert (found.seeds, found.folds, len(found.members)) == ((0, 1, 2, 3), 3, 12)
    tested = {one.member.loaded.splits["test"].x.tobytes() for one in found.members}
    assert len(tested) == (12 if resplit else 3)
    losses = []
    for seed in found.seeds:
        parts = found.of(seed)
        rows = [len(one.member.loaded.splits["test"]) for one in parts]
        assert sum(rows) == 178, "every row is tested on once"
        losses.append(np.average([one.after["test"]["loss"] for one in parts], weights=rows))
    assert found.after["test"]["loss"].mean == pytest.approx(np.mean(losses), rel=1e-12)
    assert found.after["test"]["loss"].deviation == pytest.approx(np.std(losses, ddof=1), rel=1e-9)
    assert found.directory is not None
    one = found.of(2)[1]
    alone = ffspec.run(found.directory / "seed-2-fold-2" / "resolved.yaml")
    assert one.before == alone.before
    assert one.after["test"]["loss"] == pytest.approx(alone.after["test"]["loss"], rel=1e-4)
    first = ffspec.cross_validate(TEXT, folds=3)
    assert [part.before for part in found.of(0)] == [fold.before for fold in first.results]


def test_the_command_with_folds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(TEXT, encoding="utf-8")
    assert command("--seeds", "4", "--folds", "3", "a.yaml") == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "small: 139 parameters; 4 seeds of 3 folds each; rows: 94 train, 24 validation, 60 test",
        "  up to 8 at a time are trained as one network",
    ]
    assert (
        "  means over the seeds, which draw first weights and the order of the rows; --resplit draws the folds too"
        in printed
    )
    assert command("--seeds", "2", "--folds", "3", "--resplit", "a.yaml", "--format", "json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert [(one["seed"], one["fold"]) for one in found["each"]] == [
        (seed, fold) for seed in (0, 1) for fold in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    "dataset",
    [
        "{iris: {}, split: none}",
        "{iris: {}, split: {test: 0.2, shuffle: false}}",
        "{iris: {}, split: {test: 0.2, seed: 3}}",
        "{csv: {path: a.csv, target: c, test: b.csv}}",
        "{csv: {path: a.csv, target: c, split_column: s}}",
    ],
)
def test_rows_that_are_not_drawn_have_no_seed(dataset: str, tmp_path: Path) -> None:
    lines = ["x,c,s", *(f"{row},{row % 3},{'test' if row > 9 else 'train'}" for row in range(30))]
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = tmp_path / "spec.yaml"
    path.write_text(f"dataset: {dataset}\n{TEXT[TEXT.index('layers') : TEXT.index('metrics')]}", encoding="utf-8")
    spec = ffspec.load(path)
    assert of_seed(spec, 7).dataset == spec.dataset
    assert of_seed(spec, 7).seed == 7


def test_a_seed_that_diverges_is_left_out() -> None:
    text = TEXT.replace("wine", "diabetes").replace("cross_entropy", "mse").replace("adam: 0.02", "sgd: 0.0035")
    text = text[: text.index("metrics")]
    found = ffspec.repeat(text, seeds=12)
    assert 0 < len(found.diverged) < 12, "a learning rate at which some seeds diverge"
    left = [one.after["test"]["loss"] for one in found.members if one.error is None]
    assert found.after["test"]["loss"] == estimate(left)
    assert not found.ok
    with pytest.raises(ffspec.DivergedError) as error:
        ffspec.repeat(text.replace("0.0035", "1.0e+9"), seeds=2)
    assert str(error.value).startswith("the training of every seed diverged; of the first, the training loss is ")


def command(*words: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(["run", *words])
    return ended.value.code


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(TEXT.replace("epochs: 12", "epochs: 0"), encoding="utf-8")
    assert command("--seeds", "2", "a.yaml") == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "small: 139 parameters; 2 seeds; rows: 88 train, 36 validation, 54 test",
        "  one after another: as one network they would be no faster",
        "  split       measure   before      ±            95 %   after      ±            95 %",
        "  train       loss        1.06  0.073   [0.405, 1.71]    1.06  0.073   [0.405, 1.71]",
        "  train       accuracy  0.3352  0.088  [-0.459, 1.13]  0.3352  0.088  [-0.459, 1.13]",
        "  validation  loss       1.081  0.093   [0.249, 1.91]   1.081  0.093   [0.249, 1.91]",
        "  validation  accuracy  0.2639   0.18   [-1.32, 1.85]  0.2639   0.18   [-1.32, 1.85]",
        "  test        loss       1.078    0.1   [0.162, 1.99]   1.078    0.1   [0.162, 1.99]",
        "  test        accuracy  0.2685   0.14   [-1.03, 1.56]  0.2685   0.14   [-1.03, 1.56]",
        "  means over the seeds, which draw first weights and the order of the rows; --resplit draws the split too",
        "  ±: the standard deviation from seed to seed; 95 %: where the mean of all seeds there are lies",
        "  on test         accuracy",
        "  these networks    0.2685",
        "  linear model           1",
        "  majority class    0.3889",
        "  FAIL  mean test.accuracy >= 0.5: 0.2685",
        "  FAIL  mean test.loss <= 1e-09: 1.078",
        f"  run directory: {Path('runs/small/001')}",
    ]
    assert command("--seeds", "4", "a.yaml") == 1
    assert capsys.readouterr().out.splitlines()[1] == "  all are trained as one network"
    assert command("--seeds", "2", "a.yaml", "--set", "optimizer=lbfgs") == 1
    told = capsys.readouterr().out.splitlines()
    assert told[1] == "  one after another: lbfgs has no form for many networks at once"
    assert command("--seeds", "2", "a.yaml", "--format", "json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["seeds"] == [0, 1]
    assert found["after"]["test"]["loss"] == found["before"]["test"]["loss"]
    assert [one["seed"] for one in found["each"]] == [0, 1]
    assert command("--seeds", "2", "-q", "a.yaml") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[0] == "a.yaml:"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resplit",), "--resplit is of several seeds: write --seeds 10, say"),
        (("--seeds", "2", "--stability"), "--stability is of one training: leave out --seeds"),
        (("--seeds", "2", "--details"), "--details is of one training: leave out --seeds"),
    ],
)
def test_what_does_not_go_together(words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*words, "a.yaml") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ffspec.repeat(TEXT, seeds=1), "seeds must be a whole number from 2 to 10000, found 1"),
        (
            lambda: ffspec.repeat(TEXT, seeds=cast("Any", [3, 4])),
            "seeds must be a whole number from 2 to 10000, found [3, 4]",
        ),
        (lambda: ffspec.repeat(TEXT, seeds=2, folds=1), "folds must be a whole number from 2 to 1000, found 1"),
        (lambda: ffspec.cross_validate(TEXT, folds=0), "folds must be a whole number from 2 to 1000, found 0"),
    ],
)
def test_how_many_must_be_at_least_two(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number") as error:
        call()
    assert str(error.value) == message


def test_printed_they_are_what_they_have_reached() -> None:
    repeated, crossed = ffspec.repeat(TEXT, seeds=2), ffspec.cross_validate(TEXT, folds=2)
    trained, result = repeated.members[0], crossed.results[0]
    for one in (repeated, crossed, trained, result):
        text = repr(one)
        assert f"after={one.after!r}" in text
        assert "Linear(" not in text
        assert "array(" not in text
        assert len(text) < 2500


def test_figures_of_a_finding_are_said_to_be_of_the_first_where_others_differ() -> None:
    def found(message: str, code: str = "FF305") -> Diagnostic:
        return Diagnostic(code=code, message=message, path=("layers",))

    every = [[found("0.4 beside 0.5"), found("half are dead", "FF307")], [found("0.3 beside 0.5")]]
    assert [item.message for item in once(every, "seed")] == [
        "0.4 beside 0.5 (in every seed; the figures are of the first)",
        "half are dead (in 1 of 2 seeds)",
    ]
    assert [item.message for item in once([[found("0.4 beside 0.5")]] * 3, "fold")] == [
        "0.4 beside 0.5 (in every fold)"
    ]
