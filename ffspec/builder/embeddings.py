"""Layers that embed columns: numbers as waves or as pieces of a line, codes as vectors.

Shapes: M members, B batch, F features, K columns of numbers, E numbers of an embedding. What is
embedded stands first in the output, a column after the other, and what is not behind it. As a layer
of an ensemble, each has weights of its own for every member, and rows with an axis of members in
front. An ejected script holds these classes as they are written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, prod

import torch
from torch import Tensor, nn


def picked(x: Tensor, index: Tensor | None) -> Tensor:
    """Return some of the columns; all of them without an index."""
    return x if index is None else x.index_select(-1, index)


def joined(embedded: Tensor, x: Tensor, others: Tensor | None) -> Tensor:
    """Return embeddings, (B, K, E), flat, and the other columns of x behind them."""
    flat = embedded.flatten(-2)
    return flat if others is None else torch.cat([flat, x.index_select(-1, others)], dim=-1)


def indices(total: int, columns: Sequence[int] | None) -> tuple[Tensor | None, Tensor | None]:
    """Return the indices of some columns and those of the others; None for each if they are all."""
    if columns is None:
        return None, None
    others = [column for column in range(total) if column not in set(columns)]
    return torch.tensor(columns), torch.tensor(others) if others else None


def along(weight: Tensor, members: int | None) -> Tensor:
    """Return weights of columns as they meet rows: of members, with an axis of rows behind theirs."""
    return weight if members is None else weight.unsqueeze(1)


def mixed(x: Tensor, weight: Tensor, bias: Tensor, members: int | None) -> Tensor:
    """Return a linear of each column's numbers, (B, K, W) to (B, K, E).

    Args:
        x: The numbers.
        weight: Of shape (K, W, E), or (W, E) for all columns together.
        bias: Of shape (K, E), or (E).
        members: Where there are members, all have an axis of them in front.
    """
    if members is None:
        shared = weight.dim() == 2
        return torch.einsum("bkw,we->bke" if shared else "bkw,kwe->bke", x, weight) + bias
    if weight.dim() == 3:
        return torch.einsum("mbkw,mwe->mbke", x, weight) + bias[:, None, None]
    return torch.einsum("mbkw,mkwe->mbke", x, weight) + bias.unsqueeze(1)


class PLR(nn.Module):
    """Numbers as cosines and sines, then a linear for each column and relu (arXiv 2203.05556).

    relu(W [cos(2 pi c x), sin(2 pi c x)] + b), where c is learnt too.

    Args:
        num_features: Columns in all.
        d_embedding: Numbers of each embedding.
        n_frequencies: Waves of each column.
        lite: Whether all columns share W and b.
        numbers: The columns of numbers; all if None.
        members: Members of the ensemble it is part of.

    Shape: (B, F) to (B, K E + F - K).
    """

    numbers: Tensor | None
    others: Tensor | None

    def __init__(
        self,
        num_features: int,
        d_embedding: int,
        n_frequencies: int,
        *,
        lite: bool = False,
        numbers: Sequence[int] | None = None,
        members: int | None = None,
    ) -> None:
        super().__init__()
        count = num_features if numbers is None else len(numbers)
        columns = () if lite else (count,)
        front = () if members is None else (members,)
        chosen, others = indices(num_features, numbers)
        self.register_buffer("numbers", chosen, persistent=False)
        self.register_buffer("others", others, persistent=False)
        self.frequencies = nn.Parameter(torch.zeros(*front, count, n_frequencies))
        self.weight = nn.Parameter(torch.zeros(*front, *columns, 2 * n_frequencies, d_embedding))
        self.bias = nn.Parameter(torch.zeros(*front, *columns, d_embedding))
        self.members = members

    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings of the numbers, and the other columns as they are."""
        number = picked(x, self.numbers).unsqueeze(-1)
        angle = 2 * pi * along(self.frequencies, self.members) * number
        waves = torch.cat([angle.cos(), angle.sin()], dim=-1)
        embedded = mixed(waves, self.weight, self.bias, self.members)
        return joined(embedded.relu(), x, self.others)


class PBLD(nn.Module):
    """Numbers as cosines, then a linear for each column, and the number itself (arXiv 2407.04491).

    [W cos(2 pi c x + p) + b, x], where the frequency c and the phase p are learnt too.

    Args:
        num_features: Columns in all.
        d_embedding: Numbers of each embedding, x among them.
        n_frequencies: Waves of each column.
        numbers: The columns of numbers; all if None.
        members: Members of the ensemble it is part of.

    Shape: (B, F) to (B, K E + F - K).
    """

    numbers: Tensor | None
    others: Tensor | None

    def __init__(
        self,
        num_features: int,
        d_embedding: int,
        n_frequencies: int,
        *,
        numbers: Sequence[int] | None = None,
        members: int | None = None,
    ) -> None:
        super().__init__()
        count = num_features if numbers is None else len(numbers)
        front = () if members is None else (members,)
        chosen, others = indices(num_features, numbers)
        self.register_buffer("numbers", chosen, persistent=False)
        self.register_buffer("others", others, persistent=False)
        self.frequencies = nn.Parameter(torch.zeros(*front, count, n_frequencies))
        self.phases = nn.Parameter(torch.zeros(*front, count, n_frequencies))
        self.weight = nn.Parameter(torch.zeros(*front, count, n_frequencies, d_embedding - 1))
        self.bias = nn.Parameter(torch.zeros(*front, count, d_embedding - 1))
        self.members = members

    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings of the numbers, and the other columns as they are."""
        number = picked(x, self.numbers).unsqueeze(-1)
        frequencies = along(self.frequencies, self.members)
        waves = (2 * pi * frequencies * number + along(self.phases, self.members)).cos()
        embedded = mixed(waves, self.weight, self.bias, self.members)
        return joined(torch.cat([embedded, number], dim=-1), x, self.others)


class PiecewiseLinear(nn.Module):
    """Numbers by how far they reach through bins, then a linear for each column (arXiv 2203.05556).

    Bins below the number count 1 and those above it 0; in its own bin it counts as far as it
    reaches. The first and the last bin go on to infinity. As many training rows lie in each bin.

    Args:
        num_features: Columns in all.
        d_embedding: Numbers of each embedding.
        n_bins: Bins of each column; fewer where the rows repeat values, or are few.
        activation: Whether a relu follows.
        skip: Whether a linear of the number itself is added.
        numbers: The columns of numbers; all if None.
        members: Members of the ensemble it is part of.

    Shape: (B, F) to (B, K E + F - K).
    """

    numbers: Tensor | None
    others: Tensor | None
    left: Tensor
    slope: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        num_features: int,
        d_embedding: int,
        n_bins: int,
        *,
        activation: bool = False,
        skip: bool = False,
        numbers: Sequence[int] | None = None,
        members: int | None = None,
    ) -> None:
        super().__init__()
        count = num_features if numbers is None else len(numbers)
        chosen, others = indices(num_features, numbers)
        self.register_buffer("numbers", chosen, persistent=False)
        self.register_buffer("others", others, persistent=False)
        self.register_buffer("left", torch.zeros(count, n_bins))
        self.register_buffer("slope", torch.zeros(count, n_bins))
        self.register_buffer("low", torch.zeros(count, n_bins))
        self.register_buffer("high", torch.ones(count, n_bins))
        front = () if members is None else (members,)
        self.weight = nn.Parameter(torch.zeros(*front, count, n_bins, d_embedding))
        self.bias = nn.Parameter(torch.zeros(*front, count, d_embedding))
        self.direct = nn.Parameter(torch.zeros(*front, count, d_embedding)) if skip else None
        self.activation = activation
        self.members = members

    def fit(self, x: Tensor) -> None:
        """Take the quantiles of the training rows, (N, F), as the edges; 20 rows for a bin at least."""
        n_bins = max(1, min(self.left.shape[1], len(x) // 20))
        levels = torch.linspace(0, 1, n_bins + 1, dtype=torch.float64)
        for row, column in enumerate(picked(x, self.numbers).double().T):
            edges = column.quantile(levels.to(column.device)).unique()
            count = len(edges) - 1
            self.left[row, :count] = edges[:-1]
            self.slope[row, :count] = 1 / edges.diff()
            if count:  # no bounds, but as numbers that are finite
                self.low[row, 0] = torch.finfo(self.low.dtype).min
                self.high[row, count - 1] = torch.finfo(self.high.dtype).max

    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings of the numbers, and the other columns as they are."""
        number = picked(x, self.numbers).unsqueeze(-1)
        reach = (number - self.left) * self.slope
        encoded = torch.maximum(torch.minimum(reach, self.high), self.low)
        embedded = mixed(encoded, self.weight, self.bias, self.members)
        if self.direct is not None:
            embedded = embedded + number * along(self.direct, self.members)
        return joined(embedded.relu() if self.activation else embedded, x, self.others)


class Embedding(nn.Module):
    """A learnt vector for each level of each column of codes, as nn.Embedding.

    The tables of all columns are one parameter, each behind the other.

    Args:
        num_features: Columns in all.
        codes: The columns of codes.
        levels: The codes there are in each of them.
        dimensions: Numbers of the embedding of each of them.
        members: Members of the ensemble it is part of.

    Shape: (B, F) to (B, sum of the dimensions + F - number of codes).
    """

    others: Tensor | None

    def __init__(
        self,
        num_features: int,
        *,
        codes: Sequence[int],
        levels: Sequence[int],
        dimensions: Sequence[int],
        members: int | None = None,
    ) -> None:
        super().__init__()
        self.codes = list(codes)
        self.shapes = list(zip(levels, dimensions, strict=True))
        _, others = indices(num_features, codes)
        self.register_buffer("others", others, persistent=False)
        front = () if members is None else (members,)
        self.weight = nn.Parameter(torch.zeros(*front, sum(map(prod, self.shapes))))
        self.members = members

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors of the codes, and the other columns as they are."""
        parts = torch.split(self.weight, [prod(shape) for shape in self.shapes], dim=-1)
        found = []
        for column, part, (count, width) in zip(self.codes, parts, self.shapes, strict=True):
            code = x[..., column].long()
            if self.members is not None:  # a table behind the other
                code = code + count * torch.arange(self.members, device=x.device).unsqueeze(1)
            found.append(nn.functional.embedding(code, part.reshape(-1, width)))
        if self.others is not None:
            found.append(x.index_select(-1, self.others))
        return torch.cat(found, dim=-1)
