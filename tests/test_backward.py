"""Gradients that are written out against those of autograd, to the last bit: every layer, every loss, and stacks."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ffspec import written
from ffspec.builder.backward.blocks import ACTIVATIONS, BLOCKS
from ffspec.builder.backward.passes import Pass
from ffspec.builder.backward.table import LAYERS, LOSSES
from ffspec.builder.embeddings import Embedding, PiecewiseLinear
from ffspec.builder.modules import PerceptronLoss, Residual
from ffspec.builder.scaling import NTKLinear, Parametric, Scale
from ffspec.builder.shortcut import RidgeResidual
from ffspec.builder.stacked import (
    Ensemble,
    MemberScale,
    SharedEnsemble,
    StackedBatchNorm,
    StackedLayerNorm,
    StackedLinear,
    StackedNTKLinear,
    StackedPReLU,
    StackedScale,
)
from ffspec.builder.streams import untouched
from tests import test_components as tables

WIDTH, WIDE = 4, 6
MEAN: Any = {"members": 3, "combine": "mean"}
ROWS = (32, 32, 7, 1)
"""The batches of a test: the buffers of the second are those of the first, and then come smaller ones."""


def assert_same_gradients(network: nn.Sequential, loss: nn.Module, batches: Sequence[tuple[Tensor, ...]]) -> None:
    """Take plain steps of gradient descent on some batches, once by autograd, and compare every bit."""
    network.train()
    plain, passes = copy.deepcopy(network), dict[int, Pass]()
    for seed, (x, *compared) in enumerate(batches):
        torch.manual_seed(seed)
        ours = passes.setdefault(len(x), Pass(network, loss))(x, *compared)
        random_state = torch.get_rng_state()
        torch.manual_seed(seed)
        plain.zero_grad()
        theirs: Tensor = loss(plain(x), *compared)
        theirs.backward()  # type: ignore[no-untyped-call]
        assert torch.equal(ours, theirs.detach())
        assert torch.equal(random_state, torch.get_rng_state())
        for (name, mine), other in zip(network.named_parameters(), plain.parameters(), strict=True):
            assert mine.grad is not None, name
            assert other.grad is not None, name
            assert torch.equal(mine.grad, other.grad), name
            with torch.no_grad():
                mine.sub_(mine.grad, alpha=0.1)
                other.sub_(other.grad, alpha=0.1)
        for kept, expected in zip(network.buffers(), plain.buffers(), strict=True):
            assert torch.equal(kept, expected)


def rows_of(count: int, width: int, dtype: torch.dtype) -> Tensor:
    """Return rows as they come out of a training: a part of what was gathered for an epoch."""
    gathered = torch.randn(count + 3, width, dtype=dtype)
    gathered[0, 0] = 0.0
    return gathered[3:] if count == 7 else gathered[:count]


def batches_of(width: int, outputs: int, dtype: torch.dtype) -> list[tuple[Tensor, ...]]:
    return [(rows_of(rows, width, dtype), torch.randn(rows, outputs, dtype=dtype)) for rows in ROWS]


def outputs_of(module: nn.Module, width: int) -> int:
    with untouched(), torch.no_grad():
        return int(copy.deepcopy(module).eval()(torch.zeros(2, width)).shape[-1])


MODULES = [
    *((text, nn.Sequential(*copy.deepcopy(modules))) for text, modules in tables.LAYERS),
    ("hardtanh", nn.Hardtanh(-0.5, 0.5)),
    ("gelu", nn.GELU()),
    ("layer_norm", nn.LayerNorm(WIDTH)),
    ("batch_norm", nn.BatchNorm1d(WIDTH)),
    ("rms_norm", nn.RMSNorm(WIDTH)),
    ("prelu", nn.PReLU()),
    *((f"parametric: {name}", Parametric(WIDTH, name)) for name in (*ACTIVATIONS, "softsign") if name != "selu"),
    ("residual, nested", Residual(nn.Tanh(), Residual(nn.Linear(4, 4), nn.Identity()), nn.ReLU())),
    ("residual without weights", Residual(nn.ReLU())),
    ("dropout: 0", nn.Dropout(0.0)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("text", "module"), MODULES, ids=[text for text, _ in MODULES])
def test_a_layer_has_the_gradients_of_autograd(text: str, module: nn.Module, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    width = outputs_of(module, WIDTH)
    first = nn.Sequential(copy.deepcopy(module), nn.Linear(width, 2)).to(dtype)
    behind = nn.Sequential(nn.Linear(3, WIDTH), copy.deepcopy(module), nn.Linear(width, 2)).to(dtype)
    last = nn.Sequential(nn.Linear(3, WIDTH), nn.Tanh(), copy.deepcopy(module)).to(dtype)
    single = slice(0, 3) if "batch_norm" in text else slice(None)
    for network, outputs in ((first, 2), (behind, 2), (last, width)):
        given = WIDTH if network is first else 3
        assert_same_gradients(network, nn.MSELoss(), batches_of(given, outputs, dtype)[single])


ENSEMBLES: dict[str, list[nn.Module]] = {
    "independent": [Ensemble(StackedLinear(3, 4, 9), nn.Tanh(), StackedLinear(3, 9, 2, bias=False), **MEAN)],
    "ntk": [
        Scale(4),
        Ensemble(StackedNTKLinear(3, 4, 8), nn.SiLU(), nn.Dropout(0.2), StackedNTKLinear(3, 8, 2), **MEAN),
    ],
    "activation first": [Ensemble(nn.ReLU(), nn.Dropout(0.5), StackedScale(3, 4), StackedLinear(3, 4, 2), **MEAN)],
    "normalised": [
        Ensemble(
            StackedLinear(3, 4, 8),
            StackedBatchNorm(3, 8),
            StackedPReLU(3),
            Residual(StackedLinear(3, 8, 8), nn.GELU(), StackedLayerNorm(3, 8)),
            nn.Flatten(2),
            StackedLinear(3, 8, 2),
            **MEAN,
        )
    ],
    "parametric": [
        Ensemble(StackedLinear(3, 4, 8), Parametric(8, "mish", members=3), StackedLinear(3, 8, 2), **MEAN),
    ],
    "pieces": [
        Ensemble(
            RidgeResidual(
                PiecewiseLinear(4, 5, 6, skip=True, members=3),
                StackedScale(3, 20),
                StackedNTKLinear(3, 20, 2),
                in_features=4,
                out_features=2,
            ),
            **MEAN,
        )
    ],
    "pieces of some columns": [
        Ensemble(
            PiecewiseLinear(4, 5, 3, activation=True, numbers=(0, 2), members=3),
            nn.Tanh(),
            StackedLinear(3, 12, 2),
            **MEAN,
        )
    ],
    "pieces, behind": [
        Scale(4),
        Ensemble(PiecewiseLinear(4, 5, 3, skip=True, members=3), StackedLinear(3, 20, 2), **MEAN),
    ],
    "shared": [
        SharedEnsemble(
            MemberScale(3, 4),
            nn.Linear(4, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(0.1),
            StackedLinear(3, 8, 2),
            **MEAN,
        )
    ],
    "shared, behind": [
        nn.Linear(4, 4),
        SharedEnsemble(MemberScale(3, 4), NTKLinear(4, 8), nn.Tanh(), StackedLinear(3, 8, 2), **MEAN),
    ],
}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_an_ensemble_has_the_gradients_of_autograd(name: str) -> None:
    torch.manual_seed(2)
    network = nn.Sequential(*ENSEMBLES[name])
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    for module in network.modules():
        if isinstance(module, PiecewiseLinear):
            module.fit(torch.randn(200, 4))
        if isinstance(module, RidgeResidual):
            module.fit(torch.randn(200, 4), torch.randn(200, 2))
    batches = [(x, target.repeat(3, 1)) for x, target in batches_of(4, 2, torch.float32)[:3]]
    assert_same_gradients(network, nn.MSELoss(), batches)


TABLES: Any = {"codes": (1, 3), "levels": (5, 3), "dimensions": (4, 2)}
"""The columns of codes, of four."""


@pytest.mark.parametrize("members", [None, 3])
def test_vectors_of_codes_have_the_gradients_of_autograd(members: int | None) -> None:
    torch.manual_seed(4)
    embedding = Embedding(4, **TABLES, members=members)
    behind = nn.Linear(8, 2) if members is None else StackedLinear(members, 8, 2)
    network = nn.Sequential(embedding, behind)
    if members is not None:
        network = nn.Sequential(Ensemble(*network, **MEAN))
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    batches = []
    for x, target in batches_of(4, 2, torch.float32):
        for column, levels in zip(TABLES["codes"], TABLES["levels"], strict=True):
            x[:, column] = torch.randint(0, levels, (len(x),))
        batches.append((x, target.repeat(members or 1, 1)))
    assert_same_gradients(network, nn.MSELoss(), batches)
    assert_same_gradients(
        nn.Sequential(Embedding(2, codes=(0, 1), levels=(5, 3), dimensions=(4, 2))),
        nn.MSELoss(),
        [(torch.randint(0, 3, (rows, 2)).float(), torch.randn(rows, 6)) for rows in ROWS],
    )


def test_a_single_number_has_the_gradients_of_autograd() -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.Linear(1, 33), nn.Tanh(), nn.Linear(33, 1), nn.Linear(1, 17))
    assert_same_gradients(network, nn.MSELoss(), [(torch.randn(rows, 1), torch.randn(rows, 17)) for rows in (1, 2, 1)])


CRITERIA: dict[str, tuple[str, nn.Module]] = {
    "bce": ("share", nn.BCELoss()),
    "bce_with_logits": ("probability", nn.BCEWithLogitsLoss()),
    "bce_with_logits, pos_weight": ("probability", nn.BCEWithLogitsLoss(pos_weight=torch.tensor([0.5, 2.0, 3.0]))),
    "cross_entropy": ("index", nn.CrossEntropyLoss()),
    "cross_entropy, weight": ("index", nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 0.5]))),
    "cross_entropy, label_smoothing": ("index", nn.CrossEntropyLoss(label_smoothing=0.1)),
    "cross_entropy, both": ("index", nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 0.5]), label_smoothing=0.1)),
    "nll": ("logarithm", nn.NLLLoss()),
    "nll, weight": ("logarithm", nn.NLLLoss(torch.tensor([1.0, 2.0, 0.5]))),
    "mse": ("value", nn.MSELoss()),
    "l1": ("value", nn.L1Loss()),
    "smooth_l1": ("value", nn.SmoothL1Loss(beta=0.5)),
    "smooth_l1, 0": ("value", nn.SmoothL1Loss(beta=0.0)),
    "huber": ("value", nn.HuberLoss(delta=0.5)),
    "poisson_nll": ("value", nn.PoissonNLLLoss()),
    "poisson_nll, full": ("value", nn.PoissonNLLLoss(full=True)),
    "soft_margin": ("sign", nn.SoftMarginLoss()),
    "hinge_embedding": ("sign", nn.HingeEmbeddingLoss(0.5)),
    "multi_margin": ("index", nn.MultiMarginLoss(2, 0.5, torch.tensor([1.0, 2.0, 3.0]))),
    "multi_label_soft_margin": ("probability", nn.MultiLabelSoftMarginLoss()),
    "perceptron": ("sign", PerceptronLoss()),
}
"""Every loss, and the form its target has."""


@pytest.mark.parametrize("name", CRITERIA)
def test_a_loss_has_the_gradients_of_autograd(name: str) -> None:
    torch.manual_seed(1)
    form, loss = CRITERIA[name]
    end = {"share": nn.Sigmoid(), "logarithm": nn.LogSoftmax(-1)}.get(form, nn.Identity())
    network = nn.Sequential(nn.Linear(3, WIDE), nn.Tanh(), nn.Linear(WIDE, 3), end)
    batches = []
    for rows in ROWS:
        drawn = torch.rand(rows, 3)
        target = {
            "index": drawn.argmax(dim=1),
            "logarithm": drawn.argmax(dim=1),
            "sign": (drawn > 0.5).float() * 2 - 1,
            "value": (drawn * 5).round(),
        }.get(form, (drawn > 0.5).float())
        batches.append((rows_of(rows, 3, torch.float32), target))
    assert_same_gradients(network, loss, batches)


def test_every_loss_is_compared() -> None:
    assert {name.partition(",")[0] for name in CRITERIA} == {text.partition(":")[0] for text, *_ in tables.LOSSES}


SIMPLE = (nn.ReLU, nn.Tanh, nn.Dropout, nn.SELU, nn.Mish, nn.Identity, nn.GELU, nn.LogSigmoid)


@pytest.mark.parametrize("seed", range(20))
def test_any_stack_has_the_gradients_of_autograd(seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 - a test must be repeatable
    torch.manual_seed(seed)
    width = drawn.choice((1, 2, 5, 16, 33))
    layers, now = list[nn.Module](), width
    for _ in range(drawn.randint(1, 6)):
        if drawn.random() < 0.5:
            following = drawn.choice((1, 3, 8, 17, 64))
            layers.append(nn.Linear(now, following, bias=drawn.random() < 0.8))
            now = following
        else:
            layers.append(drawn.choice(SIMPLE)())
    network = nn.Sequential(*layers, nn.Linear(now, 2))
    sizes = (drawn.choice((2, 40, 128)), 5)
    assert_same_gradients(
        network, nn.HuberLoss(), [(torch.randn(n, width), torch.randn(n, 2)) for n in (*sizes, *sizes)]
    )


def test_what_is_written_out_has_a_name_without_torch() -> None:
    def named(kinds: Any) -> set[str]:
        return {f"{'nn' if kind.__module__.startswith('torch.nn') else 'ffspec'}.{kind.__name__}" for kind in kinds}

    assert named(LAYERS) == written.LAYERS
    assert named(BLOCKS) == written.BLOCKS
    assert named(LOSSES) == written.LOSSES
