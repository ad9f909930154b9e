"""Training once more on all rows but the test split: against training on those rows at once."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ffspec
from ffspec import Result, api, document, rundir
from ffspec.diagnostics import InterruptedRunError
from ffspec.runner.run import Silent

SPEC = """
name: again
dataset: arrays
layers: [{linear: 16}, relu, {dropout: 0.1}, linear, temperature]
loss: cross_entropy
optimizer: {adam: 0.01}
scheduler: {cosine_annealing: {interval: step}}
training: {epochs: 30, batch_size: 16, refit: true, early_stopping: {patience: 3}}
metrics: [accuracy, log_loss]
"""
ONCE = SPEC.replace("refit: true, ", "")
ROWS = {"train": 90, "validation": 40, "test": 40}


def rows() -> dict[str, tuple[Any, Any]]:
    random = np.random.default_rng(3)
    found = {}
    for name, count in ROWS.items():
        x = random.normal(size=(count, 5))
        found[name] = x, (x[:, 0] > 0).astype(int) + (x[:, 1] + random.normal(size=count) > 0)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return ffspec.run(SPEC, data=rows(), out=tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def once() -> Result:
    return ffspec.run(ONCE, data=rows())


def test_it_is_the_network_that_all_rows_would_have_trained_at_once(whole: Result) -> None:
    given, best = rows(), whole.best_epoch
    assert best is not None
    assert 0 < best < len(whole.history)
    both = tuple(np.concatenate([given["train"][part], given["validation"][part]]) for part in (0, 1))
    text = ONCE.replace(", early_stopping: {patience: 3}", "").replace(", temperature", "").replace("30", str(best))
    text = text.replace("interval: step", "interval: step, T_max: 270")  # as of 30 epochs of 130 rows
    at_once = ffspec.run(text, data={"train": both, "test": given["test"]})
    for name, parameter in at_once.model.named_parameters():
        assert torch.equal(whole.model.get_parameter(name), parameter)
    for split in ("train", "test"):
        assert whole.after[split]["accuracy"] == at_once.after[split]["accuracy"]
    assert whole.baselines == at_once.baselines


def test_what_was_chosen_and_what_validation_rows_say_is_of_the_first_training(whole: Result, once: Result) -> None:
    assert whole.history == once.history
    assert (whole.before, whole.temperature) == (once.before, once.temperature)
    assert list(whole.after) == ["train", "validation", "test"]
    assert whole.after["validation"] == once.after["validation"]
    assert whole.after["test"] != once.after["test"]
    assert float(whole.model[-1].temperature) == whole.temperature  # type: ignore[arg-type]


def test_without_a_test_split_the_first_network_is_judged() -> None:
    given = {name: part for name, part in rows().items() if name != "test"}
    again, once = (ffspec.run(text, data=given) for text in (SPEC, ONCE))
    assert again.after["validation"] == once.after["validation"]
    assert again.confusion.tolist() == once.confusion.tolist()
    assert again.baselines == once.baselines
    assert not torch.equal(again.model.get_parameter("0.weight"), once.model.get_parameter("0.weight"))


def test_it_is_replayed_to_the_same_bits(whole: Result) -> None:
    assert whole.directory is not None
    replayed = ffspec.run(whole.directory / rundir.RESOLVED, data=rows())
    assert replayed.after == whole.after


DRAWN = SPEC.replace(
    "arrays", "{blobs: {n_samples: {train: 90, validation: 40, test: 40}, centers: 3, n_features: 5, cluster_std: 4}}"
)


class Interrupting(Silent):
    """Asks for an end in the third epoch of the second training."""

    told: tuple[int, int] | None = None

    def on_refit(self, epochs: int, rows: int) -> None:
        self.told = epochs, rows

    def on_epoch(self, row: dict[str, Any]) -> None:
        if self.told and row["epoch"] == 3:
            signal.raise_signal(signal.SIGINT)


def test_interrupted_it_trains_again_from_the_end_of_the_first_training(tmp_path: Path) -> None:
    observer = Interrupting()
    with pytest.raises(InterruptedRunError):
        api.run_document(document.parse(DRAWN), out=tmp_path, observer=observer, signals=True)
    (directory,) = tmp_path.glob("again/001")
    assert json.loads((directory / rundir.STATUS).read_text(encoding="utf-8"))["status"] == "interrupted"
    resumed, whole = ffspec.resume(directory), ffspec.run(DRAWN, out=tmp_path)
    assert observer.told == (whole.best_epoch, 130)
    assert resumed.after == whole.after
    assert whole.directory is not None
    assert (directory / rundir.MODEL).read_bytes() == (whole.directory / rundir.MODEL).read_bytes()


def test_there_must_be_rows_to_choose_by() -> None:
    text = "dataset: {iris: {}, split: {test: 0.2}}\nlayers: [linear]\nloss: cross_entropy\noptimizer: adam\n"
    (found,) = api.diagnose(document.parse(f"{text}training: {{refit: true}}\n"))
    message = "refit needs the rows of a validation split, and the dataset has none"
    assert (found.code, found.message, found.path) == ("FF134", message, ("training", "refit"))
    assert found.hint == "write split: {validation: 0.1, test: 0.2} under dataset"


WATCHED = """
dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}
layers: [{linear: 8}, relu, linear]
loss: cross_entropy
optimizer: {sgd: 0.02}
training: {epochs: 6, refit: true, early_stopping: {monitor: validation.log_loss, patience: 5}}
metrics: [accuracy]
"""


def test_both_networks_are_measured_alike() -> None:
    after = ffspec.run(WATCHED).after
    assert [list(after[name]) for name in ROWS] == [["loss", "accuracy", "log_loss"]] * 3


def test_without_validation_rows_a_plateau_is_one_of_the_training_loss() -> None:
    rate = "scheduler: {reduce_on_plateau: {patience: 0, factor: 0.1%s}}\n"
    named, own = (ffspec.run(WATCHED + rate % text) for text in (", monitor: validation.accuracy", ""))
    assert [row["lr"] for row in named.history] != [row["lr"] for row in own.history]
    assert (named.best_epoch, own.best_epoch) == (6, 6)
    assert named.after["test"] == own.after["test"]
