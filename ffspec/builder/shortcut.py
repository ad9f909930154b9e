"""A linear model beside the layers, which then learn what it leaves.

Shapes: N training rows, F features, O targets. An ejected script holds these definitions as they
are written here: they use no more than torch and the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

PENALTIES = tuple(10.0**exponent for exponent in range(-7, 3))
"""What is tried, as parts of the number of rows."""
AT_ONCE = 65_536
"""Rows added up at a time."""


class RidgeResidual(nn.Sequential):
    """A ridge regression of the target, plus what the modules inside make of the row.

    The regression is fitted on the training rows before training, and fixed: weight (O, F), bias (O). The modules
    answer in units of what it leaves, its standard deviation: scale (O). Until it is fitted, it is 0 and they are 1.

    Args:
        modules: What learns the rest.
        in_features: F.
        out_features: O.

    Shape: (..., F) to (..., O).
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def __init__(self, *modules: nn.Module, in_features: int, out_features: int) -> None:
        super().__init__(*modules)
        self.register_buffer("weight", torch.zeros(out_features, in_features))
        self.register_buffer("bias", torch.zeros(out_features))
        self.register_buffer("scale", torch.ones(out_features))

    def fit(self, x: Tensor, y: Tensor, weight: Tensor | None = None) -> None:
        """Fit the regression.

        Args:
            x: Training rows, (N, F).
            y: What the network is compared with, (N, O).
            weight: How much each row counts, (N,); all the same if None.
        """
        found = ridge(x.cpu(), y.cpu(), None if weight is None else weight.cpu())
        for buffer, value in zip((self.weight, self.bias, self.scale), found, strict=True):
            buffer.copy_(value)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both."""
        inner = x
        for module in self:
            inner = module(inner)
        return nn.functional.linear(x, self.weight, self.bias) + self.scale * inner


def ridge(x: Tensor, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Return slope (O, F) and shift (O) of the ridge regression of y on standardised features, in float64.

    And what it leaves: the standard deviation of its errors, (O), 1 where there are none.

    Of some penalties the one with the least generalised cross-validation error is taken (Golub, Heath and Wahba 1979),
    the same for all targets.

    Args:
        x: (N, F).
        y: (N, O).
        weight: How much each row counts, (N,); all the same if None.
    """
    share = torch.full((len(x),), 1 / len(x), dtype=torch.float64)
    share = share if weight is None else weight.double() / weight.double().sum()
    center, level = _mean(x, share), _mean(y, share)
    spread = _mean(x, share, center).sqrt()
    scale = torch.where(spread > 1e-12 * (1 + center.abs()), 1 / spread, 0.0)
    gram = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    product = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64)
    for part in _parts(len(x)):
        z = (x[part].double() - center) * scale
        weighted = z.T * share[part]
        gram += weighted @ z
        product += weighted @ (y[part].double() - level)
    variance = _mean(y, share, level)
    found, left = _least(gram, product, variance, len(x))
    slope = found.T * scale
    noticeable = left > 1e-12 * variance + 1e-24 * level**2  # more than rounding leaves
    return slope, level - slope @ center, torch.where(noticeable, left, 1.0).sqrt()


def _least(gram: Tensor, product: Tensor, variance: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Return coefficients (F, O) and mean squares of errors (O), of the least generalised cross-validation error."""
    values, vectors = torch.linalg.eigh(gram)
    values, turned = values.clamp(min=0), vectors.T @ product
    found: list[tuple[float, Tensor, Tensor]] = []
    for penalty in PENALTIES:
        kept = (1 / (values + penalty)).unsqueeze(1) * turned
        explained = (2 * kept * turned).sum(dim=0)
        left = variance - explained + (kept**2 * values.unsqueeze(1)).sum(dim=0)
        freedom = 1 - (1 + float((values / (values + penalty)).sum())) / rows
        error = float((left / variance.clamp(min=1e-300)).sum()) / max(freedom, 1e-9) ** 2
        found.append((error, torch.mm(vectors, kept), left))
    return min(found, key=lambda one: one[0])[1:]


def _mean(x: Tensor, share: Tensor, center: Tensor | None = None) -> Tensor:
    """Return the mean of each column, or of its squared distances from `center`."""
    total = torch.zeros(x.shape[1], dtype=torch.float64)
    for part in _parts(len(x)):
        given = x[part].double()
        total += share[part] @ (given if center is None else (given - center) ** 2)
    return total


def _parts(rows: int) -> Iterator[slice]:
    """Yield the rows some at a time, for they are held in float64."""
    return (slice(start, start + AT_ONCE) for start in range(0, rows, AT_ONCE))
