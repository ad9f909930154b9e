"""The nearest valid name for one that is not: a slip of the keyboard, or another library's word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

ALIASES: dict[str, tuple[str, ...]] = {
    # Arguments, as Keras, scikit-learn, JAX or habit have them.
    "units": ("out_features",),
    "hidden": ("out_features",),
    "hiddensize": ("out_features",),
    "neurons": ("out_features",),
    "nodes": ("out_features",),
    "size": ("out_features", "n_samples"),
    "width": ("out_features",),
    "dim": ("out_features",),
    "out": ("out_features",),
    "outputs": ("out_features",),
    "outputsize": ("out_features",),
    "inputsize": ("in_features",),
    "inputs": ("in_features",),
    "usebias": ("bias",),
    "prob": ("p",),
    "probability": ("p",),
    "rate": ("p", "lr"),
    "dropoutrate": ("p",),
    "alpha": ("negative_slope", "alpha", "weight_decay"),
    "slope": ("negative_slope",),
    "epsilon": ("eps",),
    "learningrate": ("lr",),
    "stepsize": ("lr", "step_size"),
    "decay": ("weight_decay",),
    "l2": ("weight_decay",),
    "wd": ("weight_decay",),
    "beta1": ("betas",),
    "beta2": ("betas",),
    "bfloat16": ("bf16",),
    "bayes": ("tpe",),
    "bayesian": ("tpe",),
    "optuna": ("tpe",),
    "asha": ("hyperband",),
    "halving": ("hyperband",),
    "nepochs": ("epochs",),
    "numepochs": ("epochs",),
    "maxepochs": ("epochs",),
    "maxiter": ("epochs",),
    "iterations": ("epochs",),
    "bs": ("batch_size",),
    "batch": ("batch_size",),
    "gradclip": ("clip_grad_norm",),
    "clipnorm": ("clip_grad_norm",),
    "clipvalue": ("clip_grad_value",),
    "earlystop": ("early_stopping",),
    "dtype": ("precision",),
    "nfeatures": ("n_features",),
    "features": ("n_features", "columns", "out_features"),
    "samples": ("n_samples",),
    "rows": ("n_samples",),
    "std": ("cluster_std", "std"),
    "clusters": ("centers",),
    "centres": ("centers",),
    "classes": ("n_classes", "centers"),
    "n": ("times", "n_samples"),
    "count": ("times",),
    "y": ("target",),
    "label": ("target",),
    "file": ("path",),
    "filename": ("path",),
    "randomstate": ("seed", "random_state"),
    "randomseed": ("seed", "random_state"),
    # Sections.
    "data": ("dataset",),
    "model": ("layers",),
    "network": ("layers",),
    "net": ("layers",),
    "architecture": ("layers",),
    "hiddenlayers": ("layers",),
    "criterion": ("loss",),
    "objective": ("loss",),
    "lossfunction": ("loss",),
    "optim": ("optimizer",),
    "solver": ("optimizer",),
    "optimiser": ("optimizer",),
    "lrscheduler": ("scheduler",),
    "schedule": ("scheduler",),
    "train": ("training",),
    "trainer": ("training",),
    "fit": ("training",),
    "expect": ("checks",),
    "asserts": ("checks",),
    "title": ("name",),
    "preprocessing": ("prepare",),
    "scaler": ("prepare", "scale"),
    "scaling": ("prepare", "scale"),
    # Components.
    "dense": ("linear",),
    "fc": ("linear",),
    "fullyconnected": ("linear",),
    "affine": ("linear",),
    "logistic": ("sigmoid",),
    "logit": ("sigmoid",),
    "swish": ("silu",),
    "leaky": ("leaky_relu",),
    "lrelu": ("leaky_relu",),
    "step": ("heaviside", "step"),
    "sign": ("heaviside",),
    "skip": ("residual",),
    "norm": ("layer_norm", "batch_norm"),
    "bn": ("batch_norm",),
    "batchnormalization": ("batch_norm",),
    "layernormalization": ("layer_norm",),
    "ln": ("layer_norm",),
    "crossentropy": ("cross_entropy",),
    "categoricalcrossentropy": ("cross_entropy",),
    "sparsecategoricalcrossentropy": ("cross_entropy",),
    "ce": ("cross_entropy",),
    "xent": ("cross_entropy",),
    "binarycrossentropy": ("bce",),
    "bcelogits": ("bce_with_logits",),
    "negativeloglikelihood": ("nll",),
    "meansquarederror": ("mse",),
    "squarederror": ("mse",),
    "l2loss": ("mse",),
    "meanabsoluteerror": ("l1", "mae"),
    "mae": ("l1",),
    "poisson": ("poisson_nll",),
    "momentum": ("sgd",),
    "gd": ("sgd",),
    "gradientdescent": ("sgd",),
    "cosine": ("cosine_annealing",),
    "cosinedecay": ("cosine_annealing",),
    "exponentialdecay": ("exponential",),
    "plateau": ("reduce_on_plateau",),
    "reducelronplateau": ("reduce_on_plateau",),
    "onecycle": ("one_cycle",),
    "warmuprestarts": ("cosine_annealing_warm_restarts",),
    "makeblobs": ("blobs",),
    "breastcancerwisconsin": ("breast_cancer",),
    "mnist": ("digits",),
    "acc": ("accuracy",),
    "auc": ("roc_auc",),
    "standard": ("standardize",),
    "standardscaler": ("standardize",),
    "zscore": ("standardize",),
    "minmaxscaler": ("minmax",),
    "robustscaler": ("robust",),
    "onehot": ("one_hot",),
    "float": ("float32",),
    "double": ("float64",),
    "gpu": ("cuda",),
    "full": ("all",),
    "fullbatch": ("all",),
    # Initialisers.
    "xavier": ("xavier_uniform", "xavier_normal"),
    "glorot": ("xavier_uniform", "xavier_normal"),
    "glorotuniform": ("xavier_uniform",),
    "glorotnormal": ("xavier_normal",),
    "he": ("kaiming_normal",),
    "kaiming": ("kaiming_uniform", "kaiming_normal"),
    "henormal": ("kaiming_normal",),
    "heuniform": ("kaiming_uniform",),
    "zero": ("zeros",),
    "one": ("ones",),
}
"""Other libraries' words, in lower case without `_` and `-`, and ours, the likeliest first."""

SYNONYMS = frozenset({
    "units", "usebias", "prob", "dropoutrate", "epsilon", "learningrate", "nepochs", "numepochs", "maxepochs",
    "randomseed", "criterion", "lossfunction", "optim", "optimiser", "lrscheduler",
    "dense", "fc", "fullyconnected", "logistic", "swish", "batchnormalization", "layernormalization", "crossentropy",
    "categoricalcrossentropy", "sparsecategoricalcrossentropy", "binarycrossentropy", "bcelogits",
    "negativeloglikelihood", "meansquarederror", "meanabsoluteerror", "reducelronplateau", "makeblobs",
    "breastcancerwisconsin", "acc", "standardscaler", "minmaxscaler", "robustscaler", "double", "glorotuniform",
    "glorotnormal", "henormal", "heuniform",
})  # fmt: skip
"""The words of `ALIASES` that mean exactly what ours mean; the others are guesses (`norm`, `decay`, `size`)."""

_AFFIXES = ("loss", "1d", "2d", "lr", "layer", "activation", "optimizer", "score")
"""What class names carry behind the name: BatchNorm1d, CrossEntropyLoss, StepLR."""

_LONGEST = 40

_PASTED = re.compile(r"^(?:torch\.)?(?:nn\.|optim\.)?(?:lr_scheduler\.)?(\w+)(?:\(.*\))?$")
"""A name as it stands in a PyTorch program: nn.ReLU(), torch.optim.Adam."""


def suggest(found: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was most likely meant, if any is near.

    In this order: the same name in another spelling (`LeakyReLU`, `CrossEntropyLoss`), another library's word
    (`units`, `learning_rate`), and the fewest slips of the keyboard (a letter too many, too few, wrong, or two
    swapped).
    """
    names: dict[str, str] = {}
    for choice in choices:
        names.setdefault(_bare(choice), choice)
    bare = _bare(_PASTED.sub(r"\1", found))
    if len(bare) > _LONGEST:
        return None
    for stem in _stems(bare):
        if stem in names:
            return names[stem]
        for alias in ALIASES.get(stem, ()):
            if _bare(alias) in names:
                return names[_bare(alias)]
    ranked = [(rank, name) for name in names if (rank := _rank(bare, name)) is not None]
    # Of names as near as each other, the first one listed: lists begin with what is used most.
    return names[min(ranked, key=lambda pair: pair[0])[1]] if ranked else None


def surely(found: str, near: str, choices: Iterable[str]) -> bool:
    """Return whether `near`, which was suggested for `found`, was meant beyond doubt.

    It is another spelling or another library's word for the same thing, or, of four letters or more, one slip away
    from this choice and no other.
    """
    bare, meant, names = _bare(_PASTED.sub(r"\1", found)), _bare(near), {_bare(choice) for choice in choices}
    for stem in _stems(bare):
        if stem == meant:
            return not bare.endswith("2d")  # of images, not of features
        if stem in ALIASES:
            aliases = names.intersection(map(_bare, ALIASES[stem]))
            return stem in SYNONYMS and aliases == {meant}
    alike = [name for name in names if distance(bare, name) <= 1]
    # A number is another thing, not a slip: beta1 is not betas, and smooth_l2 not smooth_l1.
    return len(bare) >= 4 and alike == [meant] and _digits(bare) == _digits(meant)


def _stems(bare: str) -> tuple[str, ...]:
    return bare, *(bare.removesuffix(affix) for affix in _AFFIXES if bare.endswith(affix) and bare != affix)


def _digits(name: str) -> list[str]:
    return [character for character in name if character.isdigit()]


def _bare(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _rank(found: str, name: str) -> tuple[float, bool] | None:
    """Return how far a name is from what was found, or None if it is too far to have been meant."""
    longest = max(len(found), len(name))
    allowed = 1 if longest <= 4 else 2 if longest <= 8 else 3
    begun = len(found) > 2 and name.startswith(found)
    if not found or (abs(len(found) - len(name)) > allowed and not begun):
        return None
    slips: float = distance(found, name)
    if slips > 1 and begun:
        return 1.5, False
    if slips > allowed or slips >= longest > 1:
        return None
    return slips, found[0] != name[0]


@lru_cache(maxsize=4096)
def distance(left: str, right: str) -> int:
    """Return the fewest insertions, deletions, substitutions and swaps of neighbours from one text to the other.

    Damerau 1964, in the form that edits no place twice.
    """
    before: list[int] = []
    above = list(range(len(right) + 1))
    for i, a in enumerate(left):
        row = [i + 1]
        for j, b in enumerate(right):
            best = min(above[j + 1] + 1, row[j] + 1, above[j] + (a != b))
            if before and j and a == right[j - 1] and b == left[i - 1]:
                best = min(best, before[j - 1] + 1)
            row.append(best)
        before, above = above, row
    return above[-1]
