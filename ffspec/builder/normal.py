"""The inverse of the normal distribution function, the same bits on every CPU.

torch.special.ndtri and torch.log round differently with and without fused multiply-add. Here every operation is one
that IEEE 754 rounds correctly (+, -, *, /, sqrt), in a kernel of its own, so that none can be fused with the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import log

import torch
from torch import Tensor

# Numerator and denominator of each of the three rational functions, highest power first (Wichura 1988).
_MIDDLE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip

_SMALLEST, _LARGEST = 2.0**-1022, 1 - 2.0**-53
_SERIES = tuple(1 / (2 * power + 1) for power in reversed(range(12)))
"""Of atanh(s) / s in powers of s squared: enough where |s| < 0.172."""


def quantile(chance: Tensor) -> Tensor:
    """Return the number that a standard normal one is below with this chance (algorithm AS 241, PPND16).

    Args:
        chance: float64, any shape; 0 and 1 stand for the nearest numbers between them.
    """
    chance = chance.clamp(_SMALLEST, _LARGEST)
    centred = chance - 0.5
    middle = centred * _ratio(_MIDDLE, 0.180625 - centred * centred)
    depth = (-_logarithm(torch.minimum(chance, 1 - chance))).sqrt()
    tail = torch.where(depth <= 5, _ratio(_TAIL, depth - 1.6), _ratio(_FAR_TAIL, depth - 5))
    return torch.where(centred.abs() <= 0.425, middle, tail * centred.sign())


def _ratio(polynomials: tuple[Sequence[float], Sequence[float]], x: Tensor) -> Tensor:
    above, below = polynomials
    return _polynomial(above, x) / _polynomial(below, x)


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Return the polynomial at x by Horner's rule, highest power first."""
    return reduce(
        lambda value, coefficient: value * x + coefficient, coefficients[1:], torch.full_like(x, coefficients[0])
    )


def _logarithm(x: Tensor) -> Tensor:
    """Return log(x) for positive x: of the mantissa, by the series of atanh, and of the power of two."""
    mantissa, exponent = torch.frexp(x)
    small = mantissa < 0.5**0.5
    mantissa = torch.where(small, mantissa * 2, mantissa)
    exponent = torch.where(small, exponent - 1, exponent)
    s = (mantissa - 1) / (mantissa + 1)
    return _polynomial(_SERIES, s * s) * s * 2 + exponent.to(s.dtype) * log(2)
