"""The first values of the weights: each parameter from a stream of its own, in float64 and then cast."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from ffspec.export import ensembles
from ffspec.export.text import comment, filled, literal
from ffspec.spec import inits
from ffspec.spec.step import LINEARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ffspec.export.script import Script
    from ffspec.export.subject import Subject
    from ffspec.spec.kinds import Init
    from ffspec.spec.step import Step

UNIFORM = '''\
def uniform(parameter, name):
    """Draw from [0, 1) in float64: the same bits on every CPU, unlike torch.nn.init."""
    generator = torch.Generator().manual_seed(derive(f"init/{name}"))
    return torch.rand(parameter.shape, dtype=torch.float64, generator=generator)'''
STREAMED = '''\
def stream(name):
    """Return the random stream that the parameter called `name` starts from."""
    return torch.Generator().manual_seed(derive(f"init/{name}"))


def uniform(parameter, generator):
    """Draw from [0, 1) in float64: the same bits on every CPU, unlike torch.nn.init."""
    return torch.rand(parameter.shape, dtype=torch.float64, generator=generator)'''
NORMAL = '''\
def normal(parameter, {stream}):
    """Draw from the standard normal distribution: the middle of each of 2**53 cells, inverted."""
    return quantile(uniform(parameter, {stream}) * (1 - 2**-53) + 2**-54)'''
TABLES = """\
# Numerator and denominator of the three rational functions of algorithm AS 241 (Wichura 1988).
MIDDLE = [
    [2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080],
    [5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0],
]  # fmt: skip
TAIL = [
    [7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
     4.63033784615654529590, 1.42343711074968357734],
    [1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940,
     2.05319162663775882187, 1.0],
]  # fmt: skip
FAR_TAIL = [
    [2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
     5.46378491116411436990, 6.65790464350110377720],
    [2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0],
]  # fmt: skip
# The series of atanh(s) / s in powers of s squared, highest first.
SERIES = [1 / (2 * power + 1) for power in reversed(range(12))]"""
POLYNOMIAL = '''\
def polynomial(coefficients, x):
    """Return the polynomial at x by Horner's rule, highest power first."""
    value = torch.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value'''
LOGARITHM = '''\
def logarithm(x):
    """Return log(x) of operations that every CPU rounds alike, as it does not torch.log."""
    mantissa, exponent = torch.frexp(x)
    small = mantissa < 0.5**0.5
    mantissa = torch.where(small, mantissa * 2, mantissa)
    exponent = torch.where(small, exponent - 1, exponent)
    s = (mantissa - 1) / (mantissa + 1)
    return polynomial(SERIES, s * s) * s * 2 + exponent.double() * math.log(2)'''
QUANTILE = '''\
def quantile(chance):
    """Return the number that a standard normal one is below with this chance."""
    chance = chance.clamp(2.0**-1022, 1 - 2.0**-53)
    centred = chance - 0.5
    depth = (-logarithm(torch.minimum(chance, 1 - chance))).sqrt()
    middle, tail, far_tail = (
        polynomial(above, x) / polynomial(below, x)
        for (above, below), x in (
            (MIDDLE, 0.180625 - centred * centred),
            (TAIL, depth - 1.6),
            (FAR_TAIL, depth - 5),
        )
    )
    outer = torch.where(depth <= 5, tail, far_tail) * centred.sign()
    return torch.where(centred.abs() <= 0.425, centred * middle, outer)'''
ORTHOGONAL = '''\
def orthogonal(parameter, {stream}):
    """Return a random orthogonal matrix: QR of a normal one, its signs made unique."""
    drawn = normal(parameter, {stream})
    wide = drawn.shape[0] < drawn.shape[1]
    q, r = torch.linalg.qr(drawn.T if wide else drawn)
    q = q * torch.diagonal(r).sign()
    return q.T if wide else q'''


@dataclass(frozen=True, slots=True)
class Formula:
    """How a parameter starts: a call of torch.nn.init, or lines that make `values`, drawn by a helper."""

    told: str
    helper: str
    lines: tuple[str, ...]
    uses_math: bool = False
    streamed: bool = False
    """Whether it draws twice, so that it has to hold the stream."""


def add_weights(script: Script, subject: Subject) -> None:
    """Add what gives the weights their first values; parameters that are not named start as constructed."""
    usual, written = _sorted(subject.plan.steps)
    signs = [*ensembles.signs(subject.plan.steps)]
    if not usual and not written and not signs:
        return
    constants = {key: names for key, names in written.items() if _constant(key[0]) is not None}
    drawn = {key: names for key, names in written.items() if key not in constants}
    formulas = {key: _formula(key[0]) for key in drawn}
    streamed = any(formula.streamed for formula in formulas.values())
    helpers = {formula.helper for formula in formulas.values()} | ({"uniform"} if usual or signs else set())
    _add_helpers(script, helpers, streamed=streamed)
    if any(formula.uses_math for formula in formulas.values()) or usual:
        script.use("math")
    lines = ["with torch.no_grad():", *signs]
    if usual:
        lines += _usual(usual, rewritten=bool(written))
    for key, names in drawn.items():
        lines += _block(names, formulas[key], members=key[1])
    if not streamed:
        lines = [re.sub(r"stream\(([^()]*)\)", r"\1", line) for line in lines]
    script.add(comment("The first weights: each parameter has a random stream of its own, so that none shifts another.")
               if usual or drawn or signs else "# The first weights.",
               *(lines if usual or drawn or signs else []),
               *[_filled(name, *key) for key, names in constants.items() for name in names])  # fmt: skip


Key: TypeAlias = "tuple[Init, bool]"
"""An initialiser, and whether each member of an ensemble has a part of the parameter."""


def _sorted(steps: Sequence[Step]) -> tuple[set[bool], dict[Key, list[str]]]:
    """Return whether parameters start as PyTorch starts them (of members: True), and the others by initialiser."""
    usual: set[bool] = set()
    written: dict[Key, list[str]] = {}
    for name, step in _drawn(steps, ""):
        parts = [*step.initialisers]
        if step.call.target in LINEARS:
            parts = ["weight", "bias"] if step.call.arguments["bias"] else ["weight"]
        for part in parts:
            init = step.initialisers.get(part)
            if init is None:
                usual.add(step.members is not None)
            else:
                written.setdefault((cast("Init", init), step.members is not None), []).append(f"{name}.{part}")
    return usual, written


def _drawn(steps: Sequence[Step], prefix: str) -> Iterator[tuple[str, Step]]:
    """Yield the steps with weights that are drawn, and their names."""
    for position, step in enumerate(steps):
        if step.call.target in LINEARS or step.initialisers:
            yield f"{prefix}{position}", step
        yield from _drawn(step.steps, f"{prefix}{position}.")


def _add_helpers(script: Script, helpers: set[str], *, streamed: bool) -> None:
    if not helpers:
        return
    stream = "generator" if streamed else "name"
    script.add(STREAMED if streamed else UNIFORM)
    if helpers & {"normal", "orthogonal", "quantile"}:
        script.use("math")
        script.add(TABLES)
        for helper in (POLYNOMIAL, LOGARITHM, QUANTILE):
            script.add(helper)
    if helpers & {"normal", "orthogonal"}:
        script.add(NORMAL.format(stream=stream))
    if "orthogonal" in helpers:
        script.add(ORTHOGONAL.format(stream=stream))


def _usual(kinds: set[bool], *, rewritten: bool) -> list[str]:
    """Return the loop that starts all linear layers as PyTorch starts them, plain ones and those of members."""
    told = "; some are written over below" if rewritten else ""
    plain = [
        "        if isinstance(layer, nn.Linear):",
        "            for part, parameter in layer.named_parameters():",
        '                drawn = uniform(parameter, stream(f"{name}.{part}")) * 2 - 1',
        "                parameter.copy_(drawn * (1 / math.sqrt(layer.in_features)))",
    ]
    return [
        f"    # As torch.nn.Linear starts: uniform within 1 / sqrt(in_features), weight and bias{told}.",
        "    for name, layer in model.named_modules():",
        *(plain if False in kinds else []),
        *(ensembles.USUAL if True in kinds else []),
    ]


def _loop(names: list[str], *, members: bool) -> list[str]:
    inner = ["        parameter = model.get_parameter(name)"]
    if members:
        inner = ["        for member, parameter in enumerate(model.get_parameter(name)):"]
    line = filled("for name in (", map(literal, names), ",):" if len(names) == 1 else "):", indent=4)
    if line.endswith("fmt: skip"):  # a loop's head cannot be skipped alone
        return [filled("names = [", map(literal, names), "]", indent=4), "    for name in names:", *inner]
    return [line, *inner]


def _block(names: list[str], formula: Formula, *, members: bool) -> list[str]:
    lines = [f"        {line}" for line in formula.lines]
    if members:
        lines = [f"    {line}".replace("stream(name)", 'stream(f"{member}/{name}")') for line in lines]
    return [f"    # {formula.told}", *_loop(names, members=members), *lines]


def _constant(init: Init) -> str | None:
    """Return the call of torch.nn.init for an initialiser without chance, with a gap for the parameter."""
    match init:
        case inits.Constant():
            return f"nn.init.constant_({{}}, {literal(init.val)})"
        case inits.Ones() | inits.Zeros() | inits.Eye():
            return f"nn.init.{init.name}_({{}})"
    return None


def _filled(name: str, init: Init, members: bool) -> str:  # noqa: FBT001 - the parts of a key
    place, _, part = name.rpartition(".")
    layer = "model" + "".join(f"[{index}]" for index in place.split("."))
    if members and isinstance(init, inits.Eye):  # a matrix for each
        return f"for member in {layer}.{part}.detach():\n    nn.init.eye_(member)"
    return (_constant(init) or "").format(f"{layer}.{part}")


def _formula(init: Init) -> Formula:
    """Return how an initialiser draws; the arithmetic is done in the order that gives the same bits."""
    draw = "drawn = uniform(parameter, stream(name))"
    gauss = "drawn = normal(parameter, stream(name))"
    match init:
        case inits.Uniform():
            told = f"Uniform on [{literal(init.a)}, {literal(init.b)})."
            scaled = f"parameter.copy_(drawn * {literal(init.b - init.a)}{_plus(init.a)})"
            return Formula(told, "uniform", (draw, scaled))
        case inits.Normal():
            told = f"Normal with mean {literal(init.mean)} and deviation {literal(init.std)}."
            return Formula(told, "normal", (gauss, f"parameter.copy_(drawn * {literal(init.std)}{_plus(init.mean)})"))
        case inits.TruncNormal():
            return _truncated(init)
        case inits.Orthogonal():
            line = f"parameter.copy_(orthogonal(parameter, stream(name)) * {literal(init.gain)})"
            return Formula(f"Orthogonal, times {literal(init.gain)}.", "orthogonal", (line,))
        case inits.Sparse():
            return _sparse(init)
    return _scaled(init)


def _plus(value: float) -> str:
    if not value:
        return ""
    return f" - {literal(-value)}" if value < 0 else f" + {literal(value)}"


def _truncated(init: inits.TruncNormal) -> Formula:
    mean, std, a, b = (literal(value) for value in (init.mean, init.std, init.a, init.b))
    bounds = f"torch.tensor([{a}, {b}], dtype=torch.float64)"
    return Formula(
        f"Normal with mean {mean} and deviation {std}, cut off at {a} and {b}.",
        "quantile",
        (
            f"bounds = ({bounds}{_plus(-init.mean)}) / {std}" if init.mean else f"bounds = {bounds} / {std}",
            "low, high = torch.special.ndtr(bounds)",
            "drawn = quantile(uniform(parameter, stream(name)) * (high - low) + low)",
            f"parameter.copy_((drawn * {std}{_plus(init.mean)}).clamp({a}, {b}))",
        ),
    )


def _sparse(init: inits.Sparse) -> Formula:
    return Formula(
        f"Normal with deviation {literal(init.std)}; {literal(init.sparsity)} of every column is zero.",
        "normal",
        (
            "generator = stream(name)",
            f"drawn = normal(parameter, generator) * {literal(init.std)}",
            f"zeros = math.ceil({literal(init.sparsity)} * len(parameter))",
            "order = uniform(parameter, generator).argsort(dim=0)",
            "parameter.copy_(drawn.scatter(0, order[:zeros], 0.0))",
        ),
        uses_math=True,
        streamed=True,
    )


def _scaled(init: Init) -> Formula:
    """Return the formula of Glorot's and He's initialisers, which keep the variance from layer to layer."""
    fans = "fan_out, fan_in = parameter.shape"
    match init:
        case inits.XavierUniform() | inits.XavierNormal():
            told, deviation = "Xavier", f"{literal(init.gain)} * math.sqrt(2 / (fan_in + fan_out))"
        case inits.KaimingUniform() | inits.KaimingNormal():
            slope = f", {literal(init.a)}" if init.nonlinearity == "leaky_relu" else ""
            gain = f"nn.init.calculate_gain({literal(init.nonlinearity)}{slope})"
            fans = fans.replace("fan_out" if init.mode == "fan_in" else "fan_in", "_")
            told, deviation = "Kaiming", f"{gain} / math.sqrt({init.mode})"
        case _:
            raise TypeError(init)
    if isinstance(init, inits.XavierUniform | inits.KaimingUniform):
        helper, drawn, factor = "uniform", "uniform(parameter, stream(name)) * 2 - 1", "(math.sqrt(3) * deviation)"
    else:
        helper, drawn, factor = "normal", "normal(parameter, stream(name))", "deviation"
    lines = (fans, f"deviation = {deviation}", f"drawn = {drawn}", f"parameter.copy_(drawn * {factor})")
    return Formula(f"{told} {helper}: the signal keeps its variance.", helper, lines, uses_math=True)
