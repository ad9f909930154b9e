"""target_scale: a regression learns standardised targets, and is judged in the target's own units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ffspec
from ffspec import api, document
from ffspec.builder.scaling import TargetScale
from ffspec.diagnostics import Severity

DATA = "dataset: {friedman1: {n_samples: 120, noise: 0.5}, split: {validation: 0.2, test: 0.2}}\n"
REST = "optimizer: {adam: 0.01}\ntraining: {epochs: 5, batch_size: 16}\nmetrics: [r2, rmse]\n"
LAYERS = "layers: [{linear: 16}, relu, linear, target_scale]\n"
FREE = LAYERS.replace("target_scale", "{target_scale: {clamp: false}}")
TWO = "dataset: {inline: {x: [0, 1, 2, 3, 4, 5], y: [[1, 100], [2, 300], [3, 200], [4, 100], [5, 400], [6, 100]]}}\n"


def scale_of(result: ffspec.Result) -> TargetScale:
    scale = result.model[-1]
    assert isinstance(scale, TargetScale)
    return scale


def faults(text: str) -> list[tuple[str, str, str | None]]:
    return [(item.code, item.message, item.hint) for item in api.diagnose(document.parse(text))]


def test_it_knows_the_training_targets_and_nothing_else() -> None:
    result = ffspec.run(DATA + FREE + "loss: mse\n" + REST)
    y, scale = result.data.splits["train"].y, scale_of(result)
    found = [float(buffer) for buffer in (scale.center, scale.scale, scale.low, scale.high)]
    assert found == pytest.approx([y.mean(), y.std(), y.min(), y.max()], rel=1e-6)


def test_evaluations_are_in_the_units_of_the_target() -> None:
    result = ffspec.run(DATA + FREE + "loss: mse\n" + REST)
    split = result.data.splits["test"]
    with torch.inference_mode():
        predicted = result.model(torch.from_numpy(split.x).float()).double().numpy()
    error = float(((predicted - split.y) ** 2).mean())
    assert result.after["test"]["loss"] == pytest.approx(error, rel=1e-5)
    assert result.after["test"]["rmse"] == pytest.approx(error**0.5, rel=1e-5)
    # A network that starts near zero starts near the mean.
    variance = float(split.y.var())
    assert 0.5 * variance < result.before["test"]["loss"] < 2 * variance


@pytest.mark.parametrize("loss", ["mse", "l1", "huber", "smooth_l1"])
def test_the_loss_of_an_epoch_is_in_the_same_units(loss: str) -> None:
    # Full batches: the loss of the first epoch is that of the untrained network.
    training = "optimizer: sgd\ntraining: {epochs: 1, batch_size: all}\n"
    result = ffspec.run(f"{DATA}{FREE}loss: {loss}\n{training}")
    assert result.history[0]["loss"] == pytest.approx(result.before["train"]["loss"], rel=1e-5)


def test_training_is_that_of_standardised_targets(tmp_path: Path) -> None:
    result = ffspec.run(DATA + FREE + "loss: mse\n" + REST)
    scale = scale_of(result)
    x, y = (np.concatenate([getattr(split, name) for split in result.data.splits.values()]) for name in "xy")
    y = scale.standardise(torch.from_numpy(y)).numpy()
    parts = [name for name, split in result.data.splits.items() for _ in range(len(split))]
    columns = [*(f"x{index}" for index in range(x.shape[1])), "y", "part"]
    rows = [",".join([*(repr(float(cell)) for cell in row), repr(float(target)), part])
            for row, (target,), part in zip(x, y, parts, strict=True)]  # fmt: skip
    (tmp_path / "rows.csv").write_text("\n".join([",".join(columns), *rows]), encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(
        "dataset: {csv: {path: rows.csv, target: y, split_column: part}}\n"
        + LAYERS.replace(", target_scale", "")
        + "loss: mse\n"
        + REST,
        encoding="utf-8",
    )
    plain = ffspec.run(tmp_path / "spec.yaml")
    for ours, theirs in zip(result.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_predictions_stay_within_the_range_of_the_training_targets() -> None:
    result = ffspec.run(DATA + LAYERS + "loss: mse\n" + REST)
    y, scale = result.data.splits["train"].y, scale_of(result)
    with torch.inference_mode():
        far = result.model(torch.full((1, 10), 1e4))
    assert float(far) in {float(scale.low), float(scale.high)}
    assert float(scale.high) == pytest.approx(float(y.max()))


def test_each_target_column_has_units_of_its_own() -> None:
    result = ffspec.run(TWO + "layers: [linear, target_scale]\nloss: mse\n" + REST.replace("16", "2"), allow=["FF305"])
    scale, y = scale_of(result), result.data.splits["train"].y
    assert scale.center.tolist() == pytest.approx(y.mean(axis=0).tolist())
    assert scale.scale.tolist() == pytest.approx(y.std(axis=0).tolist())


def test_a_constant_target_and_an_unfitted_layer_keep_their_numbers() -> None:
    scale = TargetScale(2).eval()
    x = torch.tensor([[1.0, -1e9], [2.0, 3.0]])
    assert torch.equal(scale(x), x)
    scale.fit(torch.tensor([[5.0, 1.0], [5.0, 3.0]], dtype=torch.float64))
    assert scale.scale.tolist() == [1.0, 1.0]
    assert repr(scale) == "TargetScale(2, clamp=True)"


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
def test_it_is_the_same_after_a_checkpoint(precision: str, tmp_path: Path) -> None:
    text = (
        DATA
        + LAYERS
        + "loss: mse\n"
        + REST.replace("}", f", precision: {precision}}}", 2).replace(f"0.01, precision: {precision}", "0.01")
    )
    first, again = ffspec.run(text, out=tmp_path), ffspec.run(text)
    assert first.history == again.history
    assert first.directory is not None
    assert ffspec.run(first.directory / "resolved.yaml").after == first.after


def test_it_must_stand_last_and_before_a_loss_of_numbers() -> None:
    assert faults(DATA + "layers: [target_scale, linear]\nloss: mse\noptimizer: adam\n") == [
        (
            "FF127",
            "target_scale must be the last layer: what stands behind it would see numbers in other units",
            "put it at the end",
        )
    ]
    assert faults("dataset: iris\nlayers: [linear, target_scale]\nloss: cross_entropy\noptimizer: adam\n") == [
        ("FF127", "target_scale needs a loss that compares numbers, found cross_entropy", "leave it out")
    ]
    moons = "dataset: moons\nlayers: [{linear: 4}, relu, linear, target_scale]\nloss: mse\noptimizer: adam\n"
    assert faults(moons + "metrics: [accuracy]\n") == [
        ("FF127", "target_scale needs a target of numbers, found classes", "leave it out")
    ]


def test_it_is_what_large_targets_need() -> None:
    data = "dataset: {inline: {x: [0, 1, 2, 3], y: [1000000, 2000000, 1500000, 1800000]}, split: none}\n"
    rest = "layers: [linear]\nloss: mse\noptimizer: adam\n"
    opened = document.parse(data + rest)
    (told,) = [item for item in api.diagnose(opened, data=True) if item.code == "FF202"]
    assert told.hint == "end the layers with target_scale, or write a larger lr"
    mended = document.parse(data + rest.replace("[linear]", "[linear, target_scale]"))
    assert [item for item in api.diagnose(mended, data=True) if item.code == "FF202"] == []


def test_what_cannot_reach_a_standardised_target_is_told() -> None:
    # As they are, relu could reach these targets; standardised, half of them are negative.
    data = "dataset: {inline: {x: [0, 1, 2, 3, 4, 5], y: [1, 2, 3, 4, 5, 6]}, split: none}\n"
    text = data + "layers: [{linear: 4}, tanh, linear, relu, target_scale]\nloss: mse\noptimizer: adam\n"
    told = [(item.code, item.severity, item.message) for item in api.diagnose(document.parse(text), data=True)]
    message = "the output must reach the targets, but relu returns at least 0, and 3 of 6 targets are not"
    assert told == [("FF106", Severity.ERROR, message)]
