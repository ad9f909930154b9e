"""Pieces of healthy networks, as the field builds them.

A stage is a linear, an optional normalisation, an activation and an optional dropout, in this order or with the
normalisation behind the activation; a block repeats stages or adds its input to what they make of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.corpus.text import Tree

WIDTHS = (4, 8, 16, 24, 32, 64, 100, 128, 256)

RECTIFIERS: tuple[Tree, ...] = (
    "relu", "leaky_relu", {"leaky_relu": 0.1}, {"leaky_relu": {"negative_slope": 0.2}}, "prelu",
    {"prelu": {"init": 0.1}}, "elu", {"elu": 0.5}, "celu", {"celu": {"alpha": 1.5}}, "selu", "relu6", "rrelu",
    {"threshold": {"threshold": 0.0, "value": 0.0}}, "softplus", {"softplus": {"beta": 2.0}},
)  # fmt: skip
SMOOTH: tuple[Tree, ...] = ("gelu", {"gelu": "tanh"}, {"gelu": {"approximate": "tanh"}}, "silu", "mish", "hardswish")
BOUNDED: tuple[Tree, ...] = ("tanh", "softsign", "hardtanh", {"hardtanh": {"min_val": -2.0, "max_val": 2.0}})
SIGMOIDS: tuple[Tree, ...] = ("sigmoid", "hardsigmoid")
STEPS: tuple[Tree, ...] = (
    {"heaviside": "straight_through"},
    {"heaviside": {"surrogate": "straight_through", "value": 0.5}},
)
SILENT: tuple[Tree, ...] = ("identity", "flatten")

INITS: tuple[Tree, ...] = (
    "kaiming_normal", "kaiming_uniform", {"kaiming_normal": {"nonlinearity": "relu"}}, "xavier_uniform",
    {"xavier_normal": 1.0}, "orthogonal", {"orthogonal": {"gain": 1.4}}, {"normal": {"std": 0.05}},
    {"trunc_normal": {"std": 0.02}}, {"uniform": {"a": -0.1, "b": 0.1}}, {"sparse": 0.5},
    {"kaiming_uniform": {"mode": "fan_out", "nonlinearity": "relu"}},
)  # fmt: skip
BIASES: tuple[Tree, ...] = ("zeros", {"constant": 0.1}, {"constant": {"val": 0.01}}, {"normal": {"std": 0.01}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What the pieces of one network have in common."""

    norm: str | None = None
    dropout: float = 0.0
    quiet: bool = False
    """Whether even what is only worth an information is left out."""

    @classmethod
    def draw(cls, rng: Random, *, quiet: bool = False, norms: bool = True) -> Taste:
        """Draw a taste."""
        return cls(
            norm=rng.choice((None, None, "batch_norm", "layer_norm", "rms_norm")) if norms else None,
            dropout=rng.choice((0.0, 0.0, 0.1, 0.2, 0.3, 0.5, 0.6)),
            quiet=quiet,
        )


def named(rng: Random, name: str, sole: str, value: Tree, **arguments: Tree) -> Tree:
    """Write a component whose obvious argument may stand alone."""
    if not arguments and rng.random() < 0.6:
        return {name: value}
    pairs = [(sole, value), *arguments.items()]
    rng.shuffle(pairs)
    return {name: dict(pairs)}


def linear(rng: Random, width: Tree, *, bias: bool | None = None, plain: bool = False) -> Tree:
    """Draw a linear of a width; `plain` has no other argument than the bias that is asked for."""
    given: dict[str, Tree] = {} if bias is None else {"bias": bias}
    if not plain and rng.random() < 0.2:
        given["init"] = rng.choice(INITS)
    if not plain and bias is None and rng.random() < 0.1:
        given["bias_init"] = rng.choice(BIASES)
    return named(rng, "linear", "out_features", width, **given)


def activation(rng: Random, *, sigmoids: bool = False) -> Tree:
    """Draw an activation fit for hidden layers; sigmoids where there are few of them."""
    kinds = [RECTIFIERS, RECTIFIERS, SMOOTH, BOUNDED, *([SIGMOIDS] if sigmoids else [])]
    return rng.choice(rng.choice(kinds))


def norm(rng: Random, name: str) -> Tree:
    """Draw a normalisation of a kind."""
    options: dict[str, list[dict[str, Tree]]] = {
        "batch_norm": [{}, {}, {"eps": 1e-3}, {"momentum": 0.05}, {"affine": False}],
        "layer_norm": [{}, {}, {"eps": 1e-6}, {"bias": False}, {"elementwise_affine": False}],
        "rms_norm": [{}, {}, {"eps": 1e-6}, {"elementwise_affine": False}],
    }
    given = rng.choice(options[name])
    return {name: given} if given else name


def dropout(rng: Random, p: float) -> Tree:
    """Draw a dropout with a probability; alpha_dropout where it is for selu."""
    if p == 0.5 and rng.random() < 0.5:
        return "dropout"
    return named(rng, "dropout", "p", p)


def stage(rng: Random, width: Tree, taste: Taste, *, act: Tree = None) -> list[Tree]:
    """Draw a stage of a width."""
    if act is None and rng.random() < 0.06:
        return [linear(rng, 2 * width), "glu"]
    act = _activation_of(rng, width) if act is None else act
    late = taste.norm is not None and not taste.quiet and rng.random() < 0.25
    early = taste.norm is not None and not late
    norms = [norm(rng, taste.norm)] if taste.norm is not None else []
    bias = False if early and taste.norm == "batch_norm" and (taste.quiet or rng.random() < 0.5) else None
    layers = [linear(rng, width, bias=bias), *(norms if early else []), act, *(norms if late else [])]
    if taste.dropout and rng.random() < 0.8:
        selu = act == "selu" and rng.random() < 0.7
        layers.append(named(rng, "alpha_dropout", "p", 0.1) if selu else dropout(rng, taste.dropout))
    if rng.random() < 0.03:
        layers.append(rng.choice(SILENT))
    return layers


def _activation_of(rng: Random, width: int) -> Tree:
    """Draw an activation; a prelu may have a slope for each unit."""
    return {"prelu": {"num_parameters": width}} if rng.random() < 0.03 else activation(rng)


def repeated(rng: Random, layers: list[Tree], times: int | None = None) -> Tree:
    """Write layers as a repeat."""
    pairs: list[tuple[str, Tree]] = [("times", times or rng.randint(1, 4)), ("layers", layers)]
    if rng.random() < 0.2:
        pairs.reverse()
    return {"repeat": dict(pairs)}


def residual(rng: Random, layers: list[Tree]) -> Tree:
    """Write layers as a residual."""
    return {"residual": layers} if rng.random() < 0.7 else {"residual": {"layers": layers}}


def branch(rng: Random, width: int, taste: Taste) -> list[Tree]:
    """Draw the inside of a residual: one linear and an activation, or two linears with one between, a norm in front."""
    front = [norm(rng, taste.norm)] if taste.norm is not None else []
    drop = [dropout(rng, taste.dropout)] if taste.dropout else []
    act = activation(rng)
    if rng.random() < 0.4:
        return [*front, linear(rng, width), act, *([] if taste.quiet else drop)]
    zero = rng.random() < 0.2  # the identity at first (Goyal et al. 2017, Zhang et al. 2019)
    last = named(rng, "linear", "out_features", width, init="zeros") if zero else linear(rng, width)
    return [*front, linear(rng, rng.choice(WIDTHS)), act, *drop, last, *([] if taste.quiet else drop)]


def stages(rng: Random, taste: Taste, count: int) -> list[list[Tree]]:
    """Draw so many stages, of falling width or of any."""
    widths = [rng.choice(WIDTHS) for _ in range(count)]
    if rng.random() < 0.5:
        widths.sort(reverse=True)
    return [stage(rng, width, taste) for width in widths]


def body(rng: Random, taste: Taste) -> list[Tree]:
    """Draw everything in front of the last linear; it ends with an activation, or is empty: a linear model."""
    kind = rng.randrange(10)
    front = _front(rng, taste)
    if kind == 0:
        return front
    if kind == 1:
        sigmoids = [stage(rng, rng.choice(WIDTHS), taste, act=rng.choice(SIGMOIDS)) for _ in range(rng.randint(1, 3))]
        return [*front, *(layer for one in sigmoids for layer in one)]
    if kind == 2:
        return [*front, *stage(rng, rng.choice(WIDTHS), Taste(), act=rng.choice(STEPS))]
    if kind == 3:
        return [*front, *stage(rng, 16, taste), repeated(rng, stage(rng, rng.choice(WIDTHS), taste))]
    if kind in {4, 5}:
        return [*front, *_residuals(rng, taste)]
    if kind == 6:
        return [*front, *_activated_first(rng, taste)]
    return [*front, *(layer for one in stages(rng, taste, rng.randint(1, 5)) for layer in one)]


def _front(rng: Random, taste: Taste) -> list[Tree]:
    """Draw what may stand in front of the first linear."""
    kind = rng.randrange(12)
    if kind == 0:
        return ["flatten"]
    if kind == 1 and not taste.quiet:
        return [named(rng, "dropout", "p", rng.choice((0.1, 0.2)))]
    if kind == 2 and taste.norm is not None:
        return [norm(rng, taste.norm)]
    return []


def _activated_first(rng: Random, taste: Taste) -> list[Tree]:
    """Draw layers that each activate what they receive (He et al. 2016, arXiv 1603.05027)."""
    front = [norm(rng, taste.norm)] if taste.norm is not None else []
    drop = [dropout(rng, taste.dropout)] if taste.dropout else []
    act, width = activation(rng), rng.choice(WIDTHS)
    bias = False if taste.quiet and taste.norm == "batch_norm" else None
    inside = [*front, act, *drop, linear(rng, width, bias=bias)]
    return [linear(rng, width, bias=bias), repeated(rng, inside), *front, act]


def _residuals(rng: Random, taste: Taste) -> list[Tree]:
    """Draw a stem and residual blocks of its width, and the activation behind them, as in a pre-activation network."""
    width = rng.choice(WIDTHS)
    if rng.random() < 0.5:
        blocks = [repeated(rng, [residual(rng, branch(rng, width, taste))])]
    else:
        blocks = [residual(rng, branch(rng, width, taste)) for _ in range(rng.randint(1, 3))]
    behind = [norm(rng, taste.norm)] if taste.norm is not None else []
    stem = stage(rng, width, Taste(quiet=taste.quiet)) if rng.random() < 0.5 else [linear(rng, width)]
    return [*stem, *blocks, *behind, activation(rng)]
