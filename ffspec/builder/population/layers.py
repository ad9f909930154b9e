"""The layers of many networks computed as one, forward and backward, features in front of rows.

With the rows last, the products of small matrices are several times as fast as with the features last, and the sum over
the rows, which every bias needs, runs along memory. Backward, each does what autograd would do, into tensors that are
used again; a layer without a form of its own is differentiated by autograd.

Shapes: M members, B batch, F features, O outputs. Rows that all members share may come as (F, B).
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ffspec.builder.backward.table import LAYERS, OVERWRITING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ffspec.builder.backward.pair import Pair

ALPHA = 1.7580993408473766
"""Minus the value that alpha dropout sets elements to (arXiv 1706.02515)."""


class Layer(Protocol):
    """What a network is made of."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output in train mode, (M, F, B) to (M, O, B)."""

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Write the gradients of the parameters, and return that of the input if it is wanted; g is used up."""

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the output in eval mode, a new tensor."""


class Buffers:
    """A tensor for each number of rows, used again."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self._shape, self._dtype = shape, dtype
        self._known: dict[int, Tensor] = {}

    def of(self, rows: int) -> Tensor:
        """Return the one for so many rows, with whatever is in it."""
        if rows not in self._known:
            self._known[rows] = torch.empty(*self._shape, rows, dtype=self._dtype)
        return self._known[rows]


class Linear:
    """y = W x + b for each member; with `factor`, y = factor W x + b.

    Args:
        weight: (M, O, F).
        bias: (M, O), or None.
        gradients: Where the gradients of both are written.
        factor: 1 / sqrt(F) for an NTK parametrisation.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, gradients: Sequence[Tensor], factor: float = 1.0) -> None:
        members, outputs, features = weight.shape
        self._weight, self._bias, self._factor = weight, bias, factor
        self._gradients = gradients
        self._outputs = Buffers((members, outputs), weight.dtype)
        self._inputs = Buffers((members, features), weight.dtype)
        self._x = weight

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sums; of rows that all share, by one product of matrices."""
        self._x = x
        return self._sums(x, self._outputs.of(x.shape[-1]))

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the weighted sums."""
        members, outputs, _ = self._weight.shape
        return self._sums(x, self._weight.new_empty(members, outputs, x.shape[-1]))

    def _sums(self, x: Tensor, out: Tensor) -> Tensor:
        weight, bias = self._weight, self._bias
        if x.dim() == 2:
            flat, weight = out.view(-1, x.shape[-1]), weight.flatten(0, 1)
            if bias is None:
                torch.mm(weight, x, out=flat)
            else:
                torch.addmm(bias.view(-1, 1), weight, x, alpha=self._factor, out=flat)
                return out
        elif bias is None:
            torch.bmm(weight, x, out=out)
        else:
            return torch.baddbmm(bias.unsqueeze(2), weight, x, alpha=self._factor, out=out)
        return out if self._factor == 1.0 else out.mul_(self._factor)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return W^T g; the gradients are g x^T, and the sum of g."""
        x = self._x if self._x.dim() == 3 else self._x.expand(len(g), -1, -1)
        if self._bias is not None:
            torch.sum(g, dim=2, out=self._gradients[1])
        if self._factor != 1.0:
            g = g.mul_(self._factor)
        torch.bmm(g, x.transpose(1, 2), out=self._gradients[0])
        if not wanted:
            return None
        weight, above = self._weight.transpose(1, 2), self._inputs.of(g.shape[-1])
        # Of one output there is nothing to sum.
        return torch.mul(weight, g, out=above) if g.shape[1] == 1 else torch.bmm(weight, g, out=above)


ELEMENTWISE: tuple[type[nn.Module], ...] = (
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus,
    nn.Hardtanh, nn.ReLU6, nn.Hardsigmoid, nn.Hardswish, nn.LogSigmoid, nn.Softshrink, nn.Hardshrink, nn.Threshold,
)  # fmt: skip
"""The modules that do not care which axes there are, and whose two directions are written out."""


class Activation:
    """A function of each element alone.

    Args:
        module: One of ELEMENTWISE.
        over: Whether it may overwrite its input, which is always the same buffer.
    """

    def __init__(self, module: nn.Module, *, over: bool) -> None:
        self._module = module
        kind = type(module)
        self._make = OVERWRITING.get(kind, LAYERS[kind]) if over else LAYERS[kind]
        self._pairs: dict[torch.Size, Pair] = {}
        self._pair: Pair | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the function of every element."""
        pair = self._pairs.get(x.shape)
        if pair is None:
            pair = self._pairs[x.shape] = self._make(self._module, x, True)
        self._pair = pair
        return pair.forward(x)

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the same, as a new tensor."""
        y: Tensor = self._module(x)
        return y

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the gradient times the derivative."""
        return self._pair.backward(g) if wanted and self._pair is not None else None


class Dropout:
    """torch.nn.Dropout and AlphaDropout: what a member drops is drawn from its own stream, as if it were alone.

    Args:
        modules: The module of each member, which knows its probability.
        generators: The stream of each member.
        features: The features of a row.
        dtype: The type of the numbers.
        times: How many rows of numbers each has for every row of the batch: one for each member of an ensemble.
    """

    def __init__(
        self,
        modules: Sequence[Any],
        generators: Sequence[torch.Generator],
        features: int,
        dtype: torch.dtype,
        times: int = 1,
    ) -> None:
        self._modules, self._generators, self._times = modules, generators, times
        self._alpha = isinstance(modules[0], nn.AlphaDropout)
        self._features, self._dtype = features, dtype
        self._noise: dict[int, Tensor] = {}
        self._shift: dict[int, Tensor] = {}
        self._factor = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return what is left of x."""
        rows = x.shape[-1]
        if rows not in self._noise:
            shape = (
                len(self._modules) * self._times,
                rows,
                self._features,
            )  # rows first: the order in which a single run draws
            self._noise[rows] = torch.empty(shape, dtype=self._dtype)
            self._shift[rows] = torch.zeros(shape if self._alpha else (0, 0, 0), dtype=self._dtype)
        noise, shift = self._noise[rows], self._shift[rows]
        apart = (len(self._modules), self._times * rows, self._features)
        own, shifts = noise.view(apart), shift.view(apart) if self._alpha else shift
        for place, (module, generator) in enumerate(zip(self._modules, self._generators, strict=True)):
            p, part = float(module.p), own[place]
            if p == 0:
                part.fill_(1)
                continue
            part.bernoulli_(1 - p, generator=generator)
            if self._alpha:
                a = 1 / sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
                torch.add(part, -1, out=shifts[place]).mul_(ALPHA * a).add_(ALPHA * a * p)
                part.mul_(a)
            else:
                part.div_(1 - p)
        self._factor = noise.transpose(1, 2)
        return x * self._factor + shift.transpose(1, 2) if self._alpha else x * self._factor

    def evaluate(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the gradient of what is left."""
        return g.mul_(self._factor) if wanted else None


class Residual:
    """x + f(x)."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers

    def forward(self, x: Tensor) -> Tensor:
        """Return x + f(x)."""
        return x + forward(self._layers, x)

    def evaluate(self, x: Tensor) -> Tensor:
        """Return x + f(x)."""
        return x + evaluate(self._layers, x)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return the gradient of both."""
        inner = backward(self._layers, g.clone(), wanted=wanted)
        return None if inner is None else inner + g


class Differentiated:
    """A stacked module, rows in front of features, that autograd differentiates.

    Args:
        module: The module, its parameters those of the population.
        gradients: Where the gradients of its parameters are written, by their names.
        members: The number of members.
    """

    def __init__(self, module: nn.Module, gradients: Mapping[str, Tensor], members: int) -> None:
        self._module, self._members = module, members
        named = dict(module.named_parameters())
        self._parameters, self._gradients = [*named.values()], [gradients[name] for name in named]
        self._x = self._y = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output."""
        self._x = self._stacked(x).detach().requires_grad_()
        with torch.enable_grad():
            self._y = self._module.train()(self._x)
        return self._y.detach().transpose(1, 2).contiguous()

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the output."""
        y: Tensor = self._module.eval()(self._stacked(x))
        return y.transpose(1, 2).contiguous()

    def _stacked(self, x: Tensor) -> Tensor:
        return (x if x.dim() == 3 else x.expand(self._members, -1, -1)).transpose(1, 2)

    def backward(self, g: Tensor, *, wanted: bool) -> Tensor | None:
        """Return what autograd finds; where nothing depends on an argument, zeros."""
        wanted_of = [*self._parameters, self._x] if wanted else self._parameters
        if not self._y.requires_grad or not wanted_of:
            found: tuple[Tensor | None, ...] = (None,) * len(wanted_of)
        else:
            found = torch.autograd.grad(self._y, wanted_of, g.transpose(1, 2), allow_unused=True)
        for target, gradient in zip(self._gradients, found, strict=False):
            target.zero_() if gradient is None else target.copy_(gradient.view_as(target))
        if not wanted:
            return None
        last = found[-1]
        return torch.zeros_like(self._x.transpose(1, 2)) if last is None else last.transpose(1, 2).contiguous()


def forward(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Return the output of layers one after another in train mode."""
    for layer in layers:
        x = layer.forward(x)
    return x


def evaluate(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Return their output in eval mode."""
    for layer in layers:
        x = layer.evaluate(x)
    return x


def backward(layers: Sequence[Layer], g: Tensor, *, wanted: bool) -> Tensor | None:
    """Write the gradients of their parameters, from the last layer to the first."""
    made: Tensor | None = g
    for place in reversed(range(len(layers))):
        if made is None:
            break
        made = layers[place].backward(made, wanted=wanted or place > 0)
    return made
