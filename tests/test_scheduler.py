"""Learning rates over a whole training: warm-ups, what follows them, and what holds at the end."""

from __future__ import annotations

import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler

import ffspec

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


@pytest.mark.parametrize(
    "optimizer", ["sgd", "rmsprop", "{rmsprop: {momentum: 0.5}}", "adam", "adagrad", "rprop", "muon"]
)
def test_one_cycle_behind_a_warm_up_changes_a_momentum_where_there_is_one(optimizer: str) -> None:
    cycle = "{warmup: {total_iters: 2, interval: step, then: {one_cycle: 0.02}}}"
    assert rates(cycle, 3, optimizer)[1] > 0
