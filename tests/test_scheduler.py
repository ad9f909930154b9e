"""Learning rates over a whole training: warm-ups, what follows them, and what holds at the end."""

from __future__ import annotations

from math import cos, log2, pi

import pytest
import torch
import yaml
from torch import nn, optim
from torch.optim import lr_scheduler

import ffspec
from ffspec import api, document

SPEC = """\
dataset: {blobs: {n_samples: {train: 50, validation: 20, test: 10}, n_features: 4, centers: 3, cluster_std: 3.0}}
layers: [{linear: 8}, tanh, linear]
loss: cross_entropy
"""


def rates(scheduler: str, epochs: int = 6, optimizer: str = "{sgd: 0.1}") -> list[float]:
    """Return the learning rate at the start of every epoch of four steps."""
    training = f"training: {{epochs: {epochs}, batch_size: 13}}\n"
    result = ffspec.run(f"{SPEC}optimizer: {optimizer}\n{training}scheduler: {scheduler}\n")
    return [float(row["lr"]) for row in result.history]


def test_a_warm_up_rises_to_the_learning_rate_itself_and_gives_way() -> None:
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    rise, cosine = lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 2), lr_scheduler.CosineAnnealingLR(optimizer, 4)
    schedule = lr_scheduler.SequentialLR(optimizer, [rise, cosine], [2])
    expected = []
    for _ in range(6):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    found = rates("{warmup: {total_iters: 2, start_factor: 0.1, then: cosine_annealing}}")
    assert found == pytest.approx(expected)
    assert found[2] == 0.1


def test_a_warm_up_alone_ends_at_the_learning_rate_itself() -> None:
    assert rates("{warmup: {total_iters: 3}}")[3:] == [0.1, 0.1, 0.1]
    assert rates("{warmup: {total_iters: 7, interval: step}}")[2:] == [0.1, 0.1, 0.1, 0.1]


def test_an_epoch_in_which_a_schedule_begins_is_not_one_of_its_own() -> None:
    halves = pytest.approx([0.1, 0.05, 0.025, 0.0125])
    assert rates("{warmup: {total_iters: 2, then: {exponential: 0.5}}}")[2:] == halves
    assert rates("{warmup: {total_iters: 8, interval: step, then: {exponential: 0.5}}}")[2:] == halves
    assert rates("{warmup: {total_iters: 6, interval: step, then: {exponential: 0.5}}}")[2:] == halves


def test_one_cycle_holds_what_it_has_reached() -> None:
    short = "{one_cycle: {max_lr: 0.3, total_steps: 8, anneal_strategy: linear}}"
    last = 0.3 / 25 / 1e4
    assert rates(short)[2:] == pytest.approx([last] * 4)
    assert rates("{one_cycle: {max_lr: 0.3, pct_start: 1.0}}")[0] == pytest.approx(0.3 / 25)
    assert rates("{one_cycle: {max_lr: 0.3, total_steps: 10, pct_start: 0.1}}")[0] == pytest.approx(0.3 / 25)


def test_a_plateau_behind_a_warm_up_is_looked_for_in_its_own_measure() -> None:
    plateau = "{reduce_on_plateau: {monitor: validation.accuracy, patience: 0, threshold: 0.9, factor: 0.5}}"
    # Accuracy never rises by nine tenths, so every epoch but the first under the schedule halves the rate.
    found = rates(f"{{warmup: {{total_iters: 2, then: {plateau}}}}}", epochs=7)
    assert found[2:] == pytest.approx([0.1, 0.1, 0.05, 0.025, 0.0125])


def test_coslog4_rises_and_falls_four_times_each_time_twice_as_long() -> None:
    def wave(t: float) -> float:
        return 0.05 * (1 - cos(2 * pi * log2(1 + 15 * t)))

    assert rates("{coslog4: {interval: epoch}}", 15) == pytest.approx(
        [wave(epoch / 15) for epoch in range(15)], abs=1e-12
    )
    # A wave ends where 1 + 15 t is a power of two.
    zeros = [epoch for epoch, rate in enumerate(rates("{coslog4: {interval: epoch}}", 15)) if rate < 1e-9]
    assert zeros == [0, 1, 3, 7]
    assert rates("coslog4", 3) == pytest.approx([wave(epoch / 3) for epoch in range(3)])
    assert rates("{coslog4: {total_iters: 8}}", 4)[2:] == pytest.approx([0, 0], abs=1e-12)


def test_flat_cos_holds_for_half_of_the_training() -> None:
    fall = [0.05 * (1 + cos(pi * (2 * epoch / 6 - 1))) for epoch in range(3, 6)]
    assert rates("flat_cos") == pytest.approx([0.1, 0.1, 0.1, *fall])
    assert rates("{flat_cos: {total_iters: 4, interval: epoch}}") == pytest.approx([0.1, 0.1, 0.1, 0.05, 0, 0])
    assert rates("{warmup: {total_iters: 2, start_factor: 0.5, then: flat_cos}}", 4) == pytest.approx(
        [0.05, 0.075, 0.1, 0.1]
    )


def test_the_length_of_a_curve_is_written_out() -> None:
    text = f"{SPEC}optimizer: sgd\ntraining: {{epochs: 5, batch_size: 13}}\nscheduler: coslog4\n"
    assert yaml.safe_load(api.dump_resolved(ffspec.load(text)))["scheduler"] == {
        "coslog4": {"interval": "step", "total_iters": 20}
    }


def test_a_curve_that_begins_at_zero_needs_two_steps() -> None:
    text = f"{SPEC}optimizer: sgd\ntraining: {{epochs: 1, batch_size: all}}\nscheduler: coslog4\n"
    opened = document.parse(text, "spec.yaml")
    assert opened.render([item for item in api.diagnose(opened) if item.code == "FF126"]) == (
        "spec.yaml:6:12: warning[FF126]: coslog4 begins with a rate of 0, and only one step is left to train\n"
        "    6 | scheduler: coslog4\n"
        "      |            ^^^^^^^ train for longer, or leave it out\n"
        "1 warning"
    )


@pytest.mark.parametrize(
    "optimizer", ["sgd", "rmsprop", "{rmsprop: {momentum: 0.5}}", "adam", "adagrad", "rprop", "muon"]
)
def test_one_cycle_behind_a_warm_up_changes_a_momentum_where_there_is_one(optimizer: str) -> None:
    cycle = "{warmup: {total_iters: 2, interval: step, then: {one_cycle: 0.02}}}"
    assert rates(cycle, 3, optimizer)[1] > 0
