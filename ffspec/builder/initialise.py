"""First values of parameters, drawn portably: float64 uniforms, then arithmetic in float64, then one cast.

torch.randn and Tensor.uniform_ differ in the last bit from one CPU kind to another; torch.rand in float64 does not.
So every distribution here is made from it (the normal one by the inverse of its distribution function). Only the last
bits of an orthogonal matrix, before the cast, are those of the machine's LAPACK.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor, nn

from ffspec.builder.normal import quantile
from ffspec.builder.stacked import MemberScale, StackedLinear
from ffspec.spec import inits
from ffspec.spec.kinds import Init

Draw = Callable[..., Tensor]


def start(module: nn.Module, parameter: Tensor, generator: torch.Generator) -> None:
    """Give a parameter PyTorch's own default distribution.

    Linear: uniform within 1 / sqrt(in_features), weight and bias (torch.nn.Linear.reset_parameters); a member's part
    of a stacked one too. MemberScale: -1 or 1. All others start from constants, which their constructor has set.
    """
    if isinstance(module, MemberScale):
        _fill(parameter, torch.where(_uniform(parameter, generator) < 0.5, -1.0, 1.0))
    if isinstance(module, nn.Linear | StackedLinear):
        bound = 1 / sqrt(module.in_features) if module.in_features else 0.0
        _fill(parameter, _symmetric(parameter, generator) * bound)


def apply(init: Init, parameter: Tensor, generator: torch.Generator) -> None:
    """Fill a parameter as `init` says; shapes (out_features, in_features) or (features,)."""
    drawn = _draw(init, parameter, generator)
    _fill(parameter, drawn)


def _draw(init: Init, like: Tensor, generator: torch.Generator) -> Tensor:
    match init:
        case inits.Uniform():
            return _uniform(like, generator) * (init.b - init.a) + init.a
        case inits.Normal():
            return _normal(like, generator) * init.std + init.mean
        case inits.TruncNormal():
            return _truncated(init, like, generator)
        case inits.XavierUniform() | inits.KaimingUniform():
            return _symmetric(like, generator) * (sqrt(3) * _deviation(init, like))
        case inits.XavierNormal() | inits.KaimingNormal():
            return _normal(like, generator) * _deviation(init, like)
        case inits.Orthogonal():
            return _orthogonal(like, generator) * init.gain
        case inits.Sparse():
            return _sparse(init, like, generator)
    return _constant(init, like)


def _constant(init: Init, like: Tensor) -> Tensor:
    match init:
        case inits.Constant():
            return torch.full(like.shape, init.val, dtype=torch.float64)
        case inits.Ones():
            return torch.ones(like.shape, dtype=torch.float64)
        case inits.Zeros():
            return torch.zeros(like.shape, dtype=torch.float64)
        case inits.Eye():
            return torch.eye(*like.shape, dtype=torch.float64)
    raise TypeError(init)


def _fill(parameter: Tensor, values: Tensor) -> None:
    with torch.no_grad():
        parameter.copy_(values)


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, dtype=torch.float64, generator=generator)


def _symmetric(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw from [-1, 1); in two operations, for a fused one may round differently."""
    return (_uniform(like, generator) * 2).sub_(1)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    # The middle of each of 2**53 cells, so that neither 0 nor 1 is met, where the inverse is infinite.
    return quantile(_uniform(like, generator) * (1 - 2**-53) + 2**-54)


def _truncated(init: inits.TruncNormal, like: Tensor, generator: torch.Generator) -> Tensor:
    """Invert the distribution function between its values at a and b (as torch.nn.init.trunc_normal_ does)."""
    bounds = torch.tensor([init.a, init.b], dtype=torch.float64)
    low, high = torch.special.ndtr((bounds - init.mean) / init.std)
    values = quantile(_uniform(like, generator) * (high - low) + low) * init.std + init.mean
    return values.clamp_(init.a, init.b)


def _fans(like: Tensor) -> tuple[int, int]:
    """Return fan_in and fan_out of a weight of shape (out_features, in_features)."""
    fan_out, fan_in = like.shape
    return fan_in, fan_out


def _deviation(
    init: inits.XavierUniform | inits.XavierNormal | inits.KaimingUniform | inits.KaimingNormal, like: Tensor
) -> float:
    """Return the standard deviation that keeps the signal's variance from layer to layer."""
    fan_in, fan_out = _fans(like)
    if isinstance(init, inits.XavierUniform | inits.XavierNormal):
        return init.gain * sqrt(2 / (fan_in + fan_out))
    slope = init.a if init.nonlinearity == "leaky_relu" else None
    gain = nn.init.calculate_gain(init.nonlinearity, slope)
    return gain / sqrt(fan_in if init.mode == "fan_in" else fan_out)


def _orthogonal(like: Tensor, generator: torch.Generator) -> Tensor:
    """QR of a normal matrix, signs made unique (as torch.nn.init.orthogonal_ does)."""
    rows, columns = like.shape
    normal = _normal(like, generator)
    q, r = torch.linalg.qr(normal.T if rows < columns else normal)
    signed: Tensor = q * torch.diagonal(r).sign()
    return signed.T if rows < columns else signed


def _sparse(init: inits.Sparse, like: Tensor, generator: torch.Generator) -> Tensor:
    """Normal values; in every column the same number of rows, chosen anew, is zero (as torch.nn.init.sparse_ does)."""
    rows = like.shape[0]
    values = _normal(like, generator) * init.std
    zeros = -int(-init.sparsity * rows // 1)
    order = _uniform(like, generator).argsort(dim=0)
    values.scatter_(0, order[:zeros], 0.0)
    return values
