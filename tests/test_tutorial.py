"""The seed material, made executable: what a PyTorch tutorial teaches, beside what ffspec does with it."""

from __future__ import annotations

from pathlib import Path

import torch
from sklearn.datasets import make_blobs
from torch import Tensor, nn

import ffspec

SPECS = Path(__file__).parents[1] / "specs"


class Feedforward(nn.Module):
    """The published network: 2-10-1, ReLU, then sigmoid."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_size, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.fc1(x))
        output: Tensor = self.sigmoid(self.fc2(hidden))
        return output


def test_a_gradient_is_there_only_after_backward() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    assert x.grad is None
    z = 2 * (x + 2) ** 2
    z.sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(x.grad, torch.full((2, 2), 12.0))  # type: ignore[arg-type]


def test_relu_of_five_numbers() -> None:
    relu = ffspec.build("dataset: diabetes\nlayers: [relu, linear]\nloss: mse\noptimizer: sgd\n")[0]
    assert relu(torch.tensor([-1.0, 0, 4, -5, 6])).tolist() == [0, 0, 4, 0, 6]


def test_the_published_network_has_the_same_twenty_losses() -> None:
    result = ffspec.run(SPECS / "feedforward.yaml")
    start = ffspec.build(SPECS / "feedforward.yaml")
    model = Feedforward(2, 10)
    model.fc1.load_state_dict(start[0].state_dict())
    model.fc2.load_state_dict(start[2].state_dict())
    train = result.data.splits["train"]
    x, y = torch.FloatTensor(train.x), torch.FloatTensor(train.y)
    criterion, optimizer = nn.BCELoss(), torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = criterion(model(x).squeeze(), y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    ours = [row["loss"] for row in result.history]
    # PyTorch's plain SGD and its fused kernel may round the last bit of a step differently; nothing else does.
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(losses), rtol=1e-6, atol=0)
    assert ours[0] == losses[0]


def test_a_step_of_the_heaviside_perceptron_is_rosenblatts_rule() -> None:
    for row, target, start in (([1.0, 2.0], 0, 0.5), ([1.0, -2.0], 1, 0.5), ([1.0, 2.0], 1, 0.5)):
        text = f"""
dataset: {{inline: {{x: [{row}, {row}], y: [{target}, {1 - target}]}}, split: {{train: 1, test: 1, shuffle: false}}}}
layers:
  - linear: {{out_features: 1, init: {{constant: {start}}}, bias_init: zeros}}
  - heaviside: straight_through
loss: mse
optimizer: {{sgd: 0.5}}
training: {{epochs: 1, batch_size: 1}}
metrics: [accuracy]
"""
        result = ffspec.run(text, allow=["FF206"])  # the row to test on is the other class
        x = torch.tensor(row)
        fired = float(x.sum() * start >= 0)
        expected = torch.full((2,), start) + (target - fired) * x
        linear = result.model[0]
        assert isinstance(linear, nn.Linear)
        assert torch.equal(linear.weight.detach()[0], expected)
        assert linear.bias.item() == target - fired


def test_the_test_set_must_come_from_the_same_distribution() -> None:
    """Two calls of make_blobs put their centres at different places: the test loss then measures nothing."""
    text = """
dataset: arrays
layers: [{linear: 10}, relu, linear, sigmoid]
loss: bce
optimizer: {adam: 0.05}
training: {epochs: 100, batch_size: all}
"""
    together, apart = [], []
    for seed in range(5):
        x, y = make_blobs(n_samples=200, centers=3, cluster_std=1.5, random_state=seed)
        other, labels = make_blobs(n_samples=100, centers=3, cluster_std=1.5, random_state=seed + 100)
        one = {"train": (x[:100], y[:100] > 0), "test": (x[100:], y[100:] > 0)}
        two = {"train": (x[:100], y[:100] > 0), "test": (other, labels > 0)}
        together.append(ffspec.run(text, data=one).after["test"]["loss"])
        apart.append(ffspec.run(text, data=two).after["test"]["loss"])
    assert max(together) < 0.7
    assert sum(apart) > 5 * sum(together)
