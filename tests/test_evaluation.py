"""The eval-mode check: each thing it asserts is seen to fail where it is broken."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ffspec.diagnostics import DivergedError, EvaluationError
from ffspec.runner.evaluation import Batch, Judge, check, forward
from ffspec.spec.losses import MSE, CrossEntropy
from ffspec.spec.metrics import find_metric

AUTOCAST = partial(torch.autocast, "cpu", torch.bfloat16, enabled=False)
R2 = find_metric("r2")
JUDGE = Judge(spec=MSE(), loss=nn.MSELoss(), classes=None, metrics=(R2,) if R2 else (), autocast=AUTOCAST)


def batch(rows: int = 32) -> dict[str, Batch]:
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    y = x.sum(dim=1, keepdim=True)
    return {"test": Batch(x=x, y=y, target=y)}


class Stubborn(nn.Dropout):
    """Stays in train mode, whatever it is told."""

    def train(self, mode: bool = True) -> Stubborn:  # noqa: ARG002, FBT002
        return super().train(True)


class Counting(nn.Module):
    """Changes a buffer in eval mode."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return x


class Rolling(nn.Module):
    """Draws random numbers in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Wasting(nn.Module):
    """Draws random numbers in eval mode, and throws them away."""

    def forward(self, x: Tensor) -> Tensor:
        torch.rand(1)
        return x


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Stubborn(0.5), "these modules stay in train mode: 0"),
        (Counting(), "evaluating changed the network's parameters or buffers"),
        (Rolling(), "two eval-mode passes over the test split differ"),
        (Wasting(), "evaluating drew random numbers"),
    ],
    ids=["train_mode", "buffer", "random_output", "random_state"],
)
def test_what_an_evaluation_must_not_do(module: nn.Module, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        check(nn.Sequential(module, nn.Linear(4, 1)), batch(), JUDGE)
    assert str(caught.value) == message


def test_a_broadcast_is_refused() -> None:
    (split,) = batch().values()
    wrong = {"test": Batch(x=split.x, y=split.y, target=split.target.squeeze(1))}
    with pytest.raises(EvaluationError) as caught:
        check(nn.Sequential(nn.Linear(4, 1)), wrong, JUDGE)
    message = "the output for the test split has shape (32, 1), its target needs (32,)"
    assert str(caught.value) == message


def test_an_output_too_few_is_refused() -> None:
    (split,) = batch().values()
    judge = Judge(spec=CrossEntropy(), loss=nn.CrossEntropyLoss(), classes=3, metrics=(), autocast=AUTOCAST)
    labels = torch.zeros(32, dtype=torch.long)
    with pytest.raises(EvaluationError, match=r"has shape \(32, 2\), its target needs \(32, 3\)"):
        check(nn.Sequential(nn.Linear(4, 2)), {"test": Batch(x=split.x, y=labels, target=labels)}, judge)


def test_an_output_that_is_not_finite_is_refused() -> None:
    network = nn.Sequential(nn.Linear(4, 1))
    nn.init.constant_(network[0].weight, float("nan"))  # type: ignore[arg-type]
    with pytest.raises(DivergedError, match="the network's output on the test split is not finite"):
        check(network, batch(), JUDGE)


def test_modes_state_and_random_numbers_are_left_as_they_were() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)).train()
    network[1].eval()
    modes = [module.training for module in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random = torch.get_rng_state()
    assert check(network, batch(), JUDGE) == check(network, batch(), JUDGE)
    assert modes == [module.training for module in network.modules()]
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_dropout_is_live_in_train_mode() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 1)).train()
    x = batch()["test"].x
    assert not torch.equal(network(x), network(x))


def test_many_rows_are_evaluated_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).eval()
    x: Any = batch(1000)["test"].x
    whole = forward(network, x, JUDGE)
    monkeypatch.setattr("ffspec.runner.evaluation.ROWS_AT_ONCE", 64)
    torch.testing.assert_close(forward(network, x, JUDGE), whole, rtol=1e-4, atol=1e-6)


class Hidden(Counting):
    """Changes a buffer that no state_dict shows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()), persistent=False)


def test_a_buffer_that_is_not_saved_is_watched_too() -> None:
    with pytest.raises(EvaluationError, match="evaluating changed the network's parameters or buffers"):
        check(nn.Sequential(Hidden(), nn.Linear(4, 1)), batch(), JUDGE)


def test_a_loss_that_is_not_finite_is_refused() -> None:
    network = nn.Sequential(nn.Linear(4, 1))
    nn.init.constant_(network[0].weight, 1e30)  # type: ignore[arg-type]
    with pytest.raises(DivergedError, match="the loss on the test split is inf"):
        check(network, batch(), JUDGE)
