"""What is fitted after training, on the validation split: against the slow way to find it, and in a whole run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import ffspec
from ffspec import api, document, rundir
from ffspec.builder.calibration import Temperature

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

    def loss(temperature: float) -> float:
        return float(nn.functional.cross_entropy(scores / temperature, target))

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
