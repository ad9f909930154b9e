"""What is fitted after training, on the validation split: against the slow way to find it, and in a whole run."""

from __future__ import annotations

import json
from math import log
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
import torch
from torch import nn

import ffspec
from ffspec import api, document, rundir
from ffspec.builder.calibration import Temperature, best_threshold

SPLIT = "split: {validation: 0.2, test: 0.2}"
SMOOTHED = f"""
name: smoothed
dataset: {{digits: {{}}, {SPLIT}, prepare: standardize}}
layers: [{{linear: 32}}, relu, {{dropout: 0.2}}, linear, temperature]
loss: {{cross_entropy: {{label_smoothing: 0.1}}}}
optimizer: {{adam: 0.01}}
training: {{epochs: 6, batch_size: 128, early_stopping: {{monitor: validation.log_loss, patience: 2}}}}
metrics: [accuracy, log_loss]
"""


def drawn(rows: int, classes: int, spread: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw scores that are surer than they are right, or less sure, by the factor `spread`."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * 2
    classes_N = torch.multinomial(scores.softmax(dim=1), 1, generator=generator).squeeze(1)
    return scores * spread, classes_N


def fitted(scores: torch.Tensor, target: torch.Tensor) -> float:
    layer = Temperature().double()
    layer.fit(scores, target)
    return float(layer.temperature)


@pytest.mark.parametrize("spread", [0.02, 0.3, 1.0, 4.0, 60.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_no_other_temperature_has_less_log_loss(classes: int, spread: float) -> None:
    scores, target = drawn(300, classes, spread)
    sure = 301 / 302  # as sure as so many rows make a label

    def loss(temperature: float) -> float:
        each = nn.functional.cross_entropy(scores / temperature, target)
        even = -(scores / temperature).log_softmax(dim=1).mean()
        return float(sure * each + (1 - sure) * even)

    slow = min((0.01 * 1e4 ** (step / 2000) for step in range(2001)), key=loss)
    assert fitted(scores, target) == pytest.approx(slow, rel=0.01)
    assert loss(fitted(scores, target)) <= loss(slow)


def test_one_column_is_two_classes() -> None:
    scores, target = drawn(200, 2, 3.0)
    column = (scores[:, 1] - scores[:, 0]).unsqueeze(1)
    assert fitted(column, target.double().unsqueeze(1)) == pytest.approx(fitted(scores, target), rel=1e-9)
    apart = nn.functional.one_hot(target, 2).double()
    both = torch.cat([scores[:, :1], scores[:, 1:]]), torch.cat([apart[:, :1], apart[:, 1:]])
    assert fitted(scores, apart) == pytest.approx(fitted(*both), rel=1e-9)


def test_the_temperature_has_bounds() -> None:
    scores, target = drawn(200, 3, 1.0)
    assert fitted(scores, (scores.argmin(dim=1))) == pytest.approx(100)
    assert fitted(scores * 1e-6, target) == pytest.approx(0.01)
    assert fitted(torch.zeros(20, 3), target[:20]) == 1


def test_rows_that_are_all_right_make_the_network_as_sure_as_their_number_allows() -> None:
    chances = []
    for rows in (4, 40, 400):
        scores = torch.eye(2, dtype=torch.float64).repeat(rows // 2, 1)
        temperature = fitted(scores, scores.argmax(dim=1))
        chances.append(float((scores / temperature).softmax(dim=1).max(dim=1).values.mean()))
    assert chances == [pytest.approx(1 - 0.5 / (rows + 2)) for rows in (4, 40, 400)]


def test_one_wrong_row_of_few_does_not_decide_alone() -> None:
    scores = torch.eye(2, dtype=torch.float64).repeat(10, 1) * 8
    target = scores.argmax(dim=1)
    assert fitted(scores, target) == pytest.approx(8 / log(43), rel=1e-6)  # each label is right by 43 to 1
    target[0] = 1 - target[0]
    assert fitted(scores, target) == pytest.approx(8 / log((19 * 43 + 1) / (19 + 43)), rel=1e-6)


def test_it_divides_in_eval_mode_only_and_changes_no_prediction() -> None:
    scores, target = drawn(500, 4, 5.0)
    layer = Temperature()
    assert torch.equal(layer.eval()(scores), scores)
    layer.fit(scores, target)
    assert float(layer.temperature) > 3
    assert torch.equal(layer.train()(scores), scores)
    assert torch.equal(layer.eval()(scores), scores / layer.temperature)
    assert torch.equal(layer(scores).argmax(dim=1), scores.argmax(dim=1))


def test_a_run_is_as_without_but_for_how_sure_it_is() -> None:
    result, without = ffspec.run(SMOOTHED), ffspec.run(SMOOTHED.replace(", temperature", ""))
    assert without.temperature is None
    assert result.temperature is not None
    assert 0.2 < result.temperature < 0.9  # smoothed labels leave a network less sure than it is right
    assert result.before == without.before
    assert result.history == without.history
    for one, other in zip(result.model.parameters(), without.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert float(result.model[-1].temperature) == result.temperature  # type: ignore[arg-type]
    for split, measures in result.after.items():
        assert measures["accuracy"] == without.after[split]["accuracy"]
        assert measures["log_loss"] < without.after[split]["log_loss"]


def test_a_resumed_and_a_replayed_run_fit_the_same(tmp_path: Path) -> None:
    whole = ffspec.run(SMOOTHED, out=tmp_path)
    short = ffspec.run(SMOOTHED, overrides=["training.epochs=3"], out=tmp_path)
    assert whole.directory is not None
    assert short.directory is not None
    resumed = ffspec.resume(short.directory, epochs=6)
    replayed = ffspec.run(whole.directory / rundir.RESOLVED)
    for other in (resumed, replayed):
        assert (other.temperature, other.after) == (whole.temperature, whole.after)
    weights = [(one.directory / rundir.MODEL).read_bytes() for one in (whole, resumed) if one.directory]
    assert weights[0] == weights[1]
    checks = json.loads((whole.directory / rundir.CHECKS).read_text(encoding="utf-8"))
    assert checks["temperature"] == whole.temperature


HEAD = f"dataset: {{iris: {{}}, {SPLIT}}}\noptimizer: adam\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            HEAD + "loss: cross_entropy\nlayers: [{linear: 3}, temperature, identity]\n",
            (
                "s:4:23: error[FF131]: temperature must be the last layer: it divides the scores that the loss takes\n"
                "    4 | layers: [{linear: 3}, temperature, identity]\n"
                "      |                       ^^^^^^^^^^^ leave it out here\n"
                "1 error"
            ),
        ),
        (
            HEAD + "loss: nll\nlayers: [linear, log_softmax, temperature]\n",
            (
                "s:4:31: error[FF131]: temperature divides scores, and nll takes none\n"
                "    4 | layers: [linear, log_softmax, temperature]\n"
                "      |                               ^^^^^^^^^^^\n"
                "      = write loss: cross_entropy or bce_with_logits, which has the softmax or the sigmoid inside\n"
                "1 error"
            ),
        ),
        (
            "dataset: iris\noptimizer: adam\nloss: cross_entropy\nlayers: [linear, temperature]\n",
            (
                "s:4:18: error[FF131]: temperature is fitted on the validation split, and the dataset has none\n"
                "    4 | layers: [linear, temperature]\n"
                "      |                  ^^^^^^^^^^^ write split: {validation: 0.1, test: 0.2} under dataset\n"
                "1 error"
            ),
        ),
    ],
)
def test_where_it_cannot_stand(text: str, found: str) -> None:
    opened = document.parse(text, "s")
    assert opened.render(api.diagnose(opened)) == found


MEASURES = {
    "accuracy": sklearn.metrics.accuracy_score,
    "balanced_accuracy": sklearn.metrics.balanced_accuracy_score,
    "f1": sklearn.metrics.f1_score,
    "matthews_corrcoef": sklearn.metrics.matthews_corrcoef,
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("digits", [1, 6])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_is_better(measure: str, digits: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(60, generator=generator, dtype=torch.float64).round(decimals=digits)
    truth = (torch.rand(60, generator=generator) < chance * 0.4).long()
    threshold = best_threshold(chance, truth, measure)
    score = MEASURES[measure]

    def value(at: float) -> float:
        return float(score(truth.numpy(), (chance >= at).long().numpy()))

    best = max(value(at) for at in (*set(chance.tolist()), 1.0))
    assert value(threshold) == pytest.approx(best, abs=1e-12)


def test_a_half_is_kept_where_nothing_is_better() -> None:
    chance, truth = torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=torch.float64), torch.tensor([0, 0, 1, 1])
    assert [best_threshold(chance, truth, measure) for measure in MEASURES] == [0.5] * 4
    assert best_threshold(chance / 4, truth, "accuracy") == 0.125
    assert best_threshold(chance, torch.ones(4), "f1") == 0.05


UNEVEN = f"""
dataset: {{classification: {{n_samples: 400, n_features: 4, weights: [0.9], flip_y: 0.1}}, {SPLIT}}}
layers: [{{linear: 8}}, relu, linear, temperature]
loss: bce_with_logits
optimizer: {{adam: 0.01}}
training: {{epochs: 8, batch_size: 32, threshold: f1, early_stopping: {{monitor: validation.loss, patience: 3}}}}
metrics: [f1, balanced_accuracy, log_loss, roc_auc, ece]
"""


def test_a_threshold_changes_what_labels_are_measured_by_and_nothing_else(tmp_path: Path) -> None:
    result, without = ffspec.run(UNEVEN, out=tmp_path), ffspec.run(UNEVEN.replace("threshold: f1, ", ""))
    assert without.threshold is None
    assert result.threshold is not None
    assert result.threshold < 0.5
    assert (result.before, result.history) == (without.before, without.history)
    assert result.after["validation"]["f1"] > without.after["validation"]["f1"]
    for split, measures in result.after.items():
        for name in ("loss", "log_loss", "roc_auc", "ece"):
            assert measures[name] == without.after[split][name]
    model, test = result.model, result.data.splits["test"]
    predicted = model(torch.from_numpy(test.x).float()).detach().double().sigmoid().squeeze(1) >= result.threshold
    assert result.after["test"]["f1"] == sklearn.metrics.f1_score(test.y, predicted.long().numpy())
    assert result.confusion.tolist() == sklearn.metrics.confusion_matrix(test.y, predicted.long().numpy()).tolist()
    assert result.directory is not None
    checks = json.loads((result.directory / rundir.CHECKS).read_text(encoding="utf-8"))
    assert checks["threshold"] == result.threshold
    replayed = ffspec.run(result.directory / rundir.RESOLVED)
    assert (replayed.threshold, replayed.after) == (result.threshold, result.after)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "dataset: wine\nloss: cross_entropy\n",
            "a threshold needs two classes, but the target of this data set is 3 classes",
        ),
        ("dataset: diabetes\nloss: mse\n", "a threshold needs two classes, but the target of this data set is numbers"),
        ("dataset: breast_cancer\nloss: soft_margin\n", "a threshold needs probabilities, and soft_margin has none"),
        (
            "dataset: breast_cancer\nloss: bce_with_logits\n",
            "a threshold is chosen on the validation split, and the dataset has none",
        ),
    ],
)
def test_where_no_threshold_can_be_chosen(text: str, message: str) -> None:
    (found,) = api.diagnose(document.parse(f"{text}layers: [linear]\noptimizer: adam\ntraining: {{threshold: f1}}\n"))
    assert (found.code, found.message, found.path) == ("FF133", message, ("training", "threshold"))


def test_the_test_rows_decide_nothing_but_what_is_measured_on_them() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 5))
    y = (x @ generator.normal(size=5) + generator.normal(size=300) > 1).astype(int)
    parts = {"train": slice(0, 180), "validation": slice(180, 240), "test": slice(240, 300)}
    text = f"dataset: {{arrays: {{}}, prepare: {{scale: robust}}}}\n{UNEVEN.partition('}}' + chr(10))[2]}"
    text = text.replace("linear: 8}, relu", "linear: 8}, batch_norm, relu, {dropout: 0.2}")
    given = {name: (x[rows], y[rows]) for name, rows in parts.items()}
    strange = generator.normal(3, 10, size=(60, 5)), generator.integers(2, size=60)
    first, other = ffspec.run(text, data=given), ffspec.run(text, data={**given, "test": strange})
    assert first.after["test"] != other.after["test"]
    assert None not in (first.temperature, first.threshold)
    for one in (first, other):
        del one.before["test"], one.after["test"]
    for name in ("before", "after", "history", "temperature", "threshold"):
        assert getattr(first, name) == getattr(other, name)
    for before, now in zip(first.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(before, now)
