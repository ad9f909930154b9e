"""batch_size: auto, and when its size is settled."""

from __future__ import annotations

import pytest

import ffspec
from ffspec.api import dump_resolved
from ffspec.planner import settle


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
