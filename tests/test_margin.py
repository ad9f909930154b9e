"""How much better the best of a sweep is: the fast resampling beside a slow one, and what is within noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

import ffspec
from ffspec import api, document
from ffspec.runner.population import member_of, train_together
from ffspec.runner.sweeping.margin import Margin, Side, over_rows, over_seeds
from ffspec.seeds import derive

TEXT = """\
dataset: {moons: {n_samples: {train: 60, validation: 90, test: 40}, noise: 0.3}}
layers: [{linear: 6}, relu, linear]
loss: cross_entropy
optimizer: {adam: {lr: 0.01}}
training: {epochs: 6, batch_size: 20}
metrics: [accuracy, f1]
"""


def sides(metric: str, *overrides: str) -> list[Side]:
    made = []
    for text in ((), overrides):
        spec = ffspec.load(TEXT, overrides=text)
        loaded = ffspec.run(spec).data
        (one,) = train_together([member_of(spec, loaded)], splits=("validation",))
        made.append(Side(member=one.member, network=one.network, threshold=None, value=one.after["validation"][metric]))
    return made


def outputs(side: Side) -> tuple[np.ndarray, np.ndarray]:
    import torch

    split = side.member.loaded.splits["validation"]
    with torch.inference_mode():
        return side.network(torch.from_numpy(split.x)).double().numpy(), split.y


def slow(metric: str, one: Side, other: Side) -> tuple[float, float]:
    """Resample the rows one by one, and compute the measure of both networks on the same ones."""
    draw = np.random.default_rng(derive(0, "sweep/bootstrap"))
    rows = draw.integers(90, size=(1000, 90), dtype=np.uint32)
    gains = []
    whole = [outputs(side) for side in (one, other)]
    for chosen in rows:
        values = []
        for scores, truths in whole:
            score, truth = scores[chosen], truths[chosen]
            if metric == "loss":
                shifted = score - score.max(axis=1, keepdims=True)
                chance = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
                values.append(-chance[np.arange(90), truth].mean())
            else:
                said = score.argmax(axis=1)
                values.append(2 * (said * truth).sum() / max((said + truth).sum(), 1))
        gains.append(values[1] - values[0] if metric == "loss" else values[0] - values[1])
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(low), float(high)


@pytest.mark.parametrize("metric", ["loss", "f1"])
def test_the_interval_is_that_of_paired_resamples(metric: str) -> None:
    other, one = sides(metric, "optimizer.adam.lr=0.05")
    found = over_rows(f"validation.{metric}", one, other)
    assert found.interval == pytest.approx(slow(metric, one, other), rel=1e-4, abs=1e-6)
    assert found.gain == pytest.approx(abs(one.value - other.value))
    assert (found.best, found.default, found.by) == (one.value, other.value, "rows")


def test_the_same_network_is_within_noise_of_itself() -> None:
    one, _ = sides("loss")
    found = over_rows("validation.loss", one, one)
    assert (found.gain, found.interval, found.within_noise) == (0.0, (0.0, 0.0), True)


def test_on_other_rows_nothing_is_paired() -> None:
    one, other = sides("loss", "seed=1")
    found = over_rows("validation.loss", one, other)
    paired = over_rows("validation.loss", one, one)
    assert found.interval is not None
    assert paired.interval == (0.0, 0.0)
    assert found.interval[1] - found.interval[0] > 0.02


def test_over_seeds_it_is_students_t() -> None:
    best, default = [0.30, 0.28, 0.35, 0.31], [0.33, 0.29, 0.40, 0.30]
    found = over_seeds("validation.loss", best, default)
    wanted = ttest_rel(default, best).confidence_interval(0.95)
    assert found.interval == pytest.approx((wanted.low, wanted.high))
    assert found.gain == pytest.approx(0.02)
    assert found.within_noise
    assert over_seeds("validation.accuracy", best, default).gain == pytest.approx(-0.02)
    assert over_seeds("validation.loss", [0.1], [0.2]).interval is None


def margin(text: str) -> Margin:
    found = ffspec.sweep(text).margin
    assert found is not None
    return found


def test_a_sweep_says_whether_its_best_is_better() -> None:
    clear = margin(f"{TEXT}sweep: {{axes: {{optimizer.adam.lr: [0.1]}}, method: grid}}\n")
    assert not clear.within_noise
    trained = TEXT.replace("epochs: 6", "epochs: 30")
    same = margin(f"{trained}sweep: {{axes: {{layers.0.linear.bias: [false]}}, method: grid}}\n")
    assert same.gain > 0
    assert same.within_noise


def test_where_the_seed_is_an_axis_seeds_decide() -> None:
    found = margin(f"{TEXT}sweep: {{axes: {{seed: [0, 1, 2], optimizer.adam.lr: [0.01, 0.1]}}, method: grid}}\n")
    spec = ffspec.load(TEXT)
    best: list[float] = []
    default: list[float] = []
    for seed in range(3):
        for values, lr in ((best, 0.1), (default, 0.01)):
            overrides = [f"seed={seed}", f"optimizer.adam.lr={lr}"]
            values.append(ffspec.run(TEXT, overrides=overrides).after["validation"]["loss"])
    wanted = over_seeds("validation.loss", best, default)
    assert spec.seed == 0
    assert found.by == "seeds"
    assert found.gain == pytest.approx(wanted.gain, rel=1e-4)
    assert found.interval == pytest.approx(wanted.interval, rel=1e-3)


def test_a_best_that_is_fitted_anew_is_compared_as_it_was() -> None:
    text = TEXT.replace("epochs: 6", "refit: true, early_stopping: {patience: 3}, epochs: 6")
    found = ffspec.sweep(f"{text}sweep: {{axes: {{optimizer.adam.lr: [0.1]}}, method: grid}}\n")
    assert found.margin is not None
    assert found.best.value is not None
    assert found.margin.best == pytest.approx(found.best.value, rel=1e-5)
    assert document.parse(text).diagnostics == ()
    assert api.load(text).training.refit
