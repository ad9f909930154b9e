"""The feedforward network as a PyTorch tutorial writes it: the yardstick for `ffspec run specs/feedforward.yaml`."""

import torch
from sklearn.datasets import make_blobs
from torch import nn


class Feedforward(nn.Module):
    """One hidden layer: input_size - hidden_size - 1, ReLU then sigmoid."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_size, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the probability of class 1: (batch, input_size) -> (batch, 1)."""
        hidden = self.relu(self.fc1(x))
        output: torch.Tensor = self.sigmoid(self.fc2(hidden))
        return output


torch.manual_seed(0)

# One draw, then a split: two calls of make_blobs would put the test points around other centres.
x, y = make_blobs(n_samples=50, n_features=2, centers=3, cluster_std=1.5, shuffle=True, random_state=0)
y = (y != 0).astype("float32")  # centre 0 is class 0, the others are class 1
x_train, x_test = torch.FloatTensor(x[:40]), torch.FloatTensor(x[40:])
y_train, y_test = torch.FloatTensor(y[:40]), torch.FloatTensor(y[40:])

model = Feedforward(2, 10)
criterion = torch.nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

model.eval()
with torch.no_grad():
    before = criterion(model(x_test).squeeze(), y_test)
print("Test loss before training", before.item())

model.train()
epochs = 20
for epoch in range(epochs):
    optimizer.zero_grad()
    y_pred = model(x_train)
    loss = criterion(y_pred.squeeze(), y_train)
    print(f"Epoch {epoch}: train loss: {loss.item()}")
    loss.backward()
    optimizer.step()

model.eval()
with torch.no_grad():
    after = criterion(model(x_test).squeeze(), y_test)
print("Test loss after training", after.item())
