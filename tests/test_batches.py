"""batch_size: auto, and when its size is settled; and how shuffled rows are gathered."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import ffspec
from ffspec.api import dump_resolved
from ffspec.limits import GATHERED, gathers_by_step
from ffspec.planner import settle
from ffspec.runner import batches
from ffspec.runner.batches import Batches, Rows
from ffspec.runner.evaluation import Batch
from ffspec.spec.training import Training


@pytest.mark.parametrize(("rows", "size"), [(1999, 64), (2000, 256)])
def test_batches_of_auto_depend_on_the_rows(rows: int, size: int) -> None:
    text = f"dataset: {{moons: {{n_samples: {{train: {rows}, test: 10}}}}}}\n{AUTO}"
    spec = ffspec.load(text)
    facts = ffspec.plan(spec).facts
    assert settle(spec, facts).training.batch_size == size
    assert ffspec.plan(spec).steps_per_epoch == -(-rows // size)
    assert ffspec.load(dump_resolved(spec)).training.batch_size == size
    assert ffspec.run(spec).spec.training.batch_size == size


def test_batches_of_auto_are_open_where_the_rows_are() -> None:
    spec = ffspec.load(f"dataset: {{csv: {{path: a, target: y}}}}\n{AUTO}")
    assert settle(spec, ffspec.plan(spec).facts).training.batch_size == "auto"
    assert ffspec.plan(spec).steps_per_epoch is None


AUTO = "layers: [linear]\nloss: bce_with_logits\noptimizer: sgd\ntraining: {epochs: 1, batch_size: auto}\n"


def epochs_of(training: Training, weight: Tensor | None, taken: int) -> list[list[Rows]]:
    """Return a copy of the rows of every step of three epochs, of the first without those taken already."""
    x = torch.arange(46.0).view(23, 2)
    train = Batch(x=x, target=x[:, :1] * 10, y=x[:, 0], weight=weight)
    found = Batches(train, training, torch.Generator().manual_seed(3))
    return [
        [(x.clone(), target.clone(), None if weight is None else weight.clone()) for x, target, weight in epoch]
        for epoch in map(found.epoch, (taken, 0, 0))
    ]


@pytest.mark.parametrize("taken", [0, 2, 4])
@pytest.mark.parametrize("weight", [None, torch.arange(23.0)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_rows_are_the_same_gathered_by_epoch_or_by_step(
    taken: int, weight: Tensor | None, drop_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(batch_size=5, epochs=3, drop_last=drop_last)
    by_epoch = epochs_of(training, weight, taken)
    monkeypatch.setattr(batches, "gathers_by_step", lambda *_: True)
    by_step = epochs_of(training, weight, taken)
    assert [len(epoch) for epoch in by_epoch] == [5 - drop_last - taken, 5 - drop_last, 5 - drop_last]
    for one, other in zip(by_epoch, by_step, strict=True):
        for rows, same in zip(one, other, strict=True):
            for mine, theirs in zip(rows, same, strict=True):
                assert (mine is None and theirs is None) or torch.equal(mine, theirs)  # type: ignore[arg-type]


def test_large_tables_are_gathered_by_step() -> None:
    assert not gathers_by_step(rows=1280, row=64)
    assert not gathers_by_step(rows=GATHERED // 64, row=64)
    assert gathers_by_step(rows=GATHERED // 64 + 1, row=64)
