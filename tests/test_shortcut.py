"""A ridge regression beside the layers: against scikit-learn's, and in whole runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn

import ffspec
from ffspec import api, document
from ffspec.builder.shortcut import PENALTIES, RidgeResidual, ridge

SPEC = """
dataset: {diabetes: {}, split: {validation: 0.2, test: 0.2}}
layers: [{residual: {shortcut: ridge, layers: [{linear: 8}, relu, {linear: {init: zeros, bias_init: zeros}}]}},
  target_scale]
loss: mse
optimizer: adam
training: {epochs: 2}
"""


def drawn(rows: int, features: int, noise: float, outputs: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    x = torch.randn(rows, features, generator=generator) * torch.arange(1.0, features + 1) + 3
    true = torch.randn(features, outputs, generator=generator)
    return x, x @ true + noise * torch.randn(rows, outputs, generator=generator)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("rows", "noise"), [(60, 0.1), (60, 30.0), (9, 3.0), (70_000, 1.0)])
def test_it_is_the_ridge_regression_of_the_best_penalty(rows: int, noise: float, weighted: bool) -> None:
    x, y = drawn(rows, 6, noise, 2)
    weight = torch.rand(rows, generator=torch.Generator().manual_seed(1)) if weighted else None
    share = np.full(rows, 1.0) if weight is None else (weight / weight.sum() * rows).double().numpy()
    wide, wanted = x.double().numpy(), y.double().numpy()
    center = np.average(wide, axis=0, weights=share)
    z = (wide - center) / np.sqrt(np.average((wide - center) ** 2, axis=0, weights=share))
    errors = []
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty * rows).fit(z, wanted, share)
        root = np.sqrt(share)[:, None] * z
        hat = np.trace(np.linalg.solve(root.T @ root + penalty * rows * np.eye(6), root.T @ root))
        left = np.average((wanted - model.predict(z)) ** 2, axis=0, weights=share)
        spread = np.average((wanted - np.average(wanted, axis=0, weights=share)) ** 2, axis=0, weights=share)
        errors.append(((left / spread).sum() / (1 - (1 + hat) / rows) ** 2, model, left))
    _, best, left = min(errors, key=lambda one: one[0])
    slope, shift, scale = ridge(x, y, weight)
    np.testing.assert_allclose(
        x.double().numpy() @ slope.T.numpy() + shift.numpy(), best.predict(z), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(scale.numpy(), np.sqrt(left), rtol=1e-6)


def test_columns_that_say_nothing_and_targets_that_are_lines() -> None:
    x, y = drawn(50, 3, 0.0)
    x = torch.cat([x, torch.full((50, 1), 7.0), x[:, :1]], dim=1)  # a constant, and a column twice
    module = RidgeResidual(nn.Linear(5, 1), in_features=5, out_features=1).double()
    nn.init.zeros_(module[0].weight)  # type: ignore[arg-type]
    nn.init.zeros_(module[0].bias)  # type: ignore[arg-type]
    module.fit(x, y)
    torch.testing.assert_close(module(x.double()).float(), y, atol=1e-3, rtol=1e-3)
    assert float(module.weight[0, 3]) == 0
    module.fit(x, torch.full((50, 1), 4.0))
    assert module(x.double()).detach().flatten().tolist() == pytest.approx([4.0] * 50)
    assert float(module.scale) == 1


def test_a_network_begins_as_the_linear_model() -> None:
    result = ffspec.run(SPEC)
    (linear,) = (item for item in result.baselines if item.name == "linear model")
    assert result.before["test"]["r2"] == pytest.approx(linear.measures["r2"], abs=0.02)
    module = result.model[0]
    assert isinstance(module, RidgeResidual)
    again = ffspec.load(api.dump_resolved(ffspec.load(SPEC)))
    assert ffspec.run(again).after == result.after


def test_members_share_it_and_learn_each_their_own_rest() -> None:
    inner = SPEC[SPEC.index("{residual") : SPEC.index(",\n  target_scale")]
    text = SPEC.replace(inner, f"{{ensemble: {{members: 3, layers: [{inner}]}}}}")
    result, alone = ffspec.run(text), ffspec.run(SPEC)
    assert result.before["test"]["loss"] == pytest.approx(alone.before["test"]["loss"])
    module, single = result.model[0][0], alone.model[0]  # type: ignore[index]
    assert torch.equal(module.weight, single.weight)  # type: ignore[arg-type]
    assert module[0].weight.shape == (3, 8, 10)


ALONE = "a residual with shortcut: ridge predicts the target of the rows as they are: it must be the only layer"
RIDGE = "{residual: {shortcut: ridge, layers: [linear]}}"


@pytest.mark.parametrize(
    ("layers", "loss", "path", "message"),
    [
        (f"[scale, {RIDGE}]", "mse", ("layers", 1), ALONE),
        (f"[{RIDGE}, relu]", "mse", ("layers", 0), ALONE),
        (f"[{{repeat: {{times: 2, layers: [{RIDGE}]}}}}]", "mse", ("layers", 0, "repeat", "layers", 0), ALONE),
        (f"[{RIDGE}]", "poisson_nll", ("layers", 0), "a ridge regression predicts numbers, found poisson_nll"),
    ],
)
def test_where_it_may_stand(layers: str, loss: str, path: tuple[str | int, ...], message: str) -> None:
    text = f"dataset: diabetes\nlayers: {layers}\nloss: {loss}\noptimizer: adam\n"
    found = [item for item in api.diagnose(document.parse(text)) if item.code == "FF127"]
    assert [(item.path, item.message) for item in found] == [(path, message)]
