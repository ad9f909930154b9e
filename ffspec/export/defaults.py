"""What PyTorch itself takes for an argument that is left out: what a script need not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ffspec.export.text import literal

if TYPE_CHECKING:
    from ffspec.spec.step import Call

ADAM: dict[str, Any] = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}

DEFAULTS: dict[str, dict[str, Any]] = {
    "nn.Linear": {"bias": True},
    "ffspec.NTKLinear": {"bias": True},
    "ffspec.TargetScale": {"clamp": True},
    "ffspec.Parametric": {"members": None},
    "ffspec.PLR": {"lite": False, "numbers": None, "members": None},
    "ffspec.PBLD": {"numbers": None, "members": None},
    "ffspec.Embedding": {"members": None},
    "ffspec.PiecewiseLinear": {"activation": False, "skip": False, "numbers": None},
    "nn.LeakyReLU": {"negative_slope": 0.01},
    "nn.PReLU": {"num_parameters": 1, "init": 0.25},
    "nn.ELU": {"alpha": 1.0},
    "nn.CELU": {"alpha": 1.0},
    "nn.GELU": {"approximate": "none"},
    "nn.Softplus": {"beta": 1.0, "threshold": 20.0},
    "nn.Hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "nn.RReLU": {"lower": 0.125, "upper": 1 / 3},
    "nn.Softshrink": {"lambd": 0.5},
    "nn.Hardshrink": {"lambd": 0.5},
    "nn.GLU": {"dim": -1},
    "nn.BatchNorm1d": {"eps": 1e-5, "momentum": 0.1, "affine": True},
    "nn.LayerNorm": {"eps": 1e-5, "elementwise_affine": True, "bias": True},
    "nn.RMSNorm": {"eps": None, "elementwise_affine": True},
    "nn.CrossEntropyLoss": {"label_smoothing": 0.0},
    "nn.SmoothL1Loss": {"beta": 1.0},
    "nn.HuberLoss": {"delta": 1.0},
    "nn.PoissonNLLLoss": {"full": False},
    "nn.HingeEmbeddingLoss": {"margin": 1.0},
    "nn.MultiMarginLoss": {"p": 1, "margin": 1.0},
    "optim.SGD": {"momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False},
    "optim.Adam": {**ADAM, "amsgrad": False},
    "optim.AdamW": {**ADAM, "weight_decay": 0.01, "amsgrad": False},
    "optim.NAdam": {**ADAM, "momentum_decay": 0.004, "decoupled_weight_decay": False},
    "optim.RAdam": {**ADAM, "decoupled_weight_decay": False},
    "optim.RMSprop": {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0, "centered": False},
    "optim.Adagrad": {"lr_decay": 0, "weight_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10},
    "optim.Adadelta": {"rho": 0.9, "eps": 1e-6, "weight_decay": 0},
    "optim.Adamax": ADAM,
    "optim.ASGD": {"lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0},
    "optim.Rprop": {"etas": (0.5, 1.2), "step_sizes": (1e-6, 50)},
    "optim.Adafactor": {"beta2_decay": -0.8, "d": 1.0, "weight_decay": 0.0},
    "optim.Muon": {"weight_decay": 0.1, "momentum": 0.95, "nesterov": True, "eps": 1e-7, "ns_steps": 5},
    "optim.LBFGS": {"max_iter": 20, "tolerance_grad": 1e-7, "tolerance_change": 1e-9, "history_size": 100},
    "lr_scheduler.LinearLR": {"end_factor": 1.0},
    "lr_scheduler.CosineAnnealingLR": {"eta_min": 0.0},
    "lr_scheduler.CosineAnnealingWarmRestarts": {"T_mult": 1, "eta_min": 0.0},
    "lr_scheduler.PolynomialLR": {"power": 1.0},
    "lr_scheduler.OneCycleLR": {
        "pct_start": 0.3, "anneal_strategy": "cos", "cycle_momentum": True, "base_momentum": 0.85,
        "max_momentum": 0.95, "div_factor": 25.0, "final_div_factor": 1e4, "three_phase": False,
    },
    "lr_scheduler.ReduceLROnPlateau": {
        "mode": "min", "threshold": 1e-4, "threshold_mode": "rel", "cooldown": 0, "min_lr": 0, "eps": 1e-8,
    },
}  # fmt: skip
"""By the call of a plan. A learning rate, a schedule's length and a dropout's probability are always said."""

STACKED = {
    "ffspec.StackedLinear": "nn.Linear", "ffspec.StackedNTKLinear": "ffspec.NTKLinear",
    "ffspec.StackedScale": "ffspec.Scale", "ffspec.MemberScale": "ffspec.Scale", "ffspec.StackedPReLU": "nn.PReLU",
    "ffspec.StackedBatchNorm": "nn.BatchNorm1d", "ffspec.StackedLayerNorm": "nn.LayerNorm",
    "ffspec.StackedRMSNorm": "nn.RMSNorm",
}  # fmt: skip
"""The classes that have the arguments of another behind the number of members."""

POSITIONAL = {
    "nn.Linear": ("in_features", "out_features"),
    "ffspec.NTKLinear": ("in_features", "out_features"),
    "ffspec.Scale": ("num_features",),
    "ffspec.TargetScale": ("num_targets",),
    "ffspec.Parametric": ("num_features", "activation"),
    "ffspec.PLR": ("num_features", "d_embedding", "n_frequencies"),
    "ffspec.PBLD": ("num_features", "d_embedding", "n_frequencies"),
    "ffspec.PiecewiseLinear": ("num_features", "d_embedding", "n_bins"),
    "ffspec.Embedding": ("num_features",),
    "nn.PReLU": ("num_parameters",),
    "nn.Dropout": ("p",),
    "nn.AlphaDropout": ("p",),
    "nn.BatchNorm1d": ("num_features",),
    "nn.LayerNorm": ("normalized_shape",),
    "nn.RMSNorm": ("normalized_shape",),
}
"""Arguments that go without saying their names, as everyone writes them."""

FUSED = frozenset({"SGD", "Adam", "AdamW", "Adagrad"})
"""The optimizers PyTorch has one kernel for, on the CPU."""

MOMENTUM = frozenset({"SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Muon"})
"""The optimizers with a momentum that a schedule can change; RMSprop has one where it is not zero."""

PAIRS = frozenset({"betas", "etas", "step_sizes"})
"""Arguments that are tuples."""


def arguments_of(call: Call) -> list[str]:
    """Return the arguments of a call as text, without those that PyTorch takes anyway."""
    target = STACKED.get(call.target, call.target)
    defaults = DEFAULTS.get(target, {})
    given = {
        name: value
        for name, value in call.arguments.items()
        if name not in defaults or defaults[name] != value or (value is None) != (defaults[name] is None)
    }
    positional = (*(("members",) if target != call.target else ()), *POSITIONAL.get(target, ()))
    return [
        _argument(value, name) if name in positional else f"{name}={_argument(value, name)}"
        for name, value in given.items()
    ]


def _argument(value: Any, name: str) -> str:
    if name in PAIRS:
        return f"({', '.join(map(literal, value))})"
    return literal(value)
