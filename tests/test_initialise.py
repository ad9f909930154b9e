"""First weights: torch's own distributions, the same bits on every CPU, each parameter from a stream of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ffspec
from ffspec.builder import initialise
from ffspec.builder.normal import quantile
from ffspec.spec import inits
from ffspec.spec.kinds import Init

ROOT = Path(__file__).parent.parent
SPEC = "dataset: {blobs: {n_features: 4, centers: 3}}\nloss: cross_entropy\noptimizer: adam\nlayers:\n"
SHAPE = (300, 200)
"""Of the drawn weights: 60,000 numbers, 300 outputs of 200 inputs."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(init: Init, shape: tuple[int, ...] = SHAPE, dtype: torch.dtype = torch.float64) -> Tensor:
    parameter = torch.full(shape, float("nan"), dtype=dtype)
    initialise.apply(init, parameter, generator())
    return parameter


def torchs(fill: Callable[..., Tensor], shape: tuple[int, ...] = SHAPE, **arguments: object) -> Tensor:
    return fill(torch.empty(shape, dtype=torch.float64), **arguments, generator=generator(1))


def assert_alike(ours: Tensor, theirs: Tensor) -> None:
    """Assert that two samples come from one distribution: first two moments, deciles, extremes."""
    scale = float(theirs.std())
    error = 5 * scale / sqrt(min(ours.numel(), theirs.numel()))
    assert abs(float(ours.mean() - theirs.mean())) < error
    assert abs(float(ours.std() - theirs.std())) < error
    levels = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    difference = ours.flatten().quantile(levels) - theirs.flatten().quantile(levels)
    assert float(difference.abs().max()) < 3 * error


def assert_uniform(ours: Tensor, bound: float) -> None:
    """Assert a uniform distribution on [-bound, bound): 60,000 numbers come nearer to its ends than a thousandth."""
    assert -bound <= float(ours.min()) < -0.999 * bound
    assert 0.999 * bound < float(ours.max()) < bound


NORMAL_LIKE: tuple[tuple[Init, Any, dict[str, Any]], ...] = (
    (inits.Uniform(a=-0.5, b=1.5), nn.init.uniform_, {"a": -0.5, "b": 1.5}),
    (inits.Normal(mean=0.3, std=2.0), nn.init.normal_, {"mean": 0.3, "std": 2.0}),
    (inits.TruncNormal(mean=0.2, std=0.7, a=-1.0), nn.init.trunc_normal_, {"mean": 0.2, "std": 0.7, "a": -1.0}),
    (inits.XavierUniform(gain=0.5), nn.init.xavier_uniform_, {"gain": 0.5}),
    (inits.XavierNormal(gain=0.5), nn.init.xavier_normal_, {"gain": 0.5}),
    (inits.KaimingUniform(), nn.init.kaiming_uniform_, {}),
    (inits.KaimingUniform(a=0.3, mode="fan_out"), nn.init.kaiming_uniform_, {"a": 0.3, "mode": "fan_out"}),
    (inits.KaimingNormal(nonlinearity="relu"), nn.init.kaiming_normal_, {"nonlinearity": "relu"}),
    (inits.KaimingNormal(a=0.3, nonlinearity="tanh"), nn.init.kaiming_normal_, {"a": 0.3, "nonlinearity": "tanh"}),
    (inits.KaimingNormal(nonlinearity="selu", mode="fan_out"), nn.init.kaiming_normal_,
     {"nonlinearity": "selu", "mode": "fan_out"}),
    (inits.Orthogonal(gain=0.5), nn.init.orthogonal_, {"gain": 0.5}),
    (inits.Sparse(sparsity=0.25, std=0.5), nn.init.sparse_, {"sparsity": 0.25, "std": 0.5}),
)  # fmt: skip
EXACT: tuple[tuple[Init, Any, dict[str, Any]], ...] = (
    (inits.Constant(val=0.3), nn.init.constant_, {"val": 0.3}),
    (inits.Ones(), nn.init.ones_, {}),
    (inits.Zeros(), nn.init.zeros_, {}),
    (inits.Eye(), nn.init.eye_, {}),
)


def test_every_initialiser_is_compared_with_torchs() -> None:
    assert {type(init) for init, _, _ in (*NORMAL_LIKE, *EXACT)} == set(inits.INITS)


@pytest.mark.parametrize(("init", "fill", "arguments"), NORMAL_LIKE, ids=lambda value: getattr(value, "__name__", None))
def test_a_random_initialiser_has_torchs_distribution(
    init: Init, fill: Callable[..., Tensor], arguments: dict[str, Any]
) -> None:
    assert_alike(drawn(init), torchs(fill, **arguments))


@pytest.mark.parametrize(("init", "fill", "arguments"), EXACT, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_a_constant_initialiser_is_torchs(
    init: Init, fill: Callable[..., Tensor], arguments: dict[str, object], shape: tuple[int, int]
) -> None:
    assert torch.equal(drawn(init, shape, torch.float32), fill(torch.empty(shape), **arguments))


@pytest.mark.parametrize(
    ("init", "bound"),
    [
        (inits.Uniform(a=-2.0, b=2.0), 2.0),
        (inits.XavierUniform(gain=0.5), 0.5 * sqrt(6 / 500)),
        (inits.KaimingUniform(nonlinearity="relu"), sqrt(6 / 200)),
        (inits.KaimingUniform(nonlinearity="linear", mode="fan_out"), sqrt(3 / 300)),
    ],
)
def test_uniform_bounds(init: Init, bound: float) -> None:
    assert_uniform(drawn(init), bound)


def test_the_quantile_is_the_inverse_of_the_normal_distribution_function() -> None:
    uniform = torch.rand(1000, dtype=torch.float64, generator=generator())
    chances = torch.cat([uniform, uniform * 1e-9, uniform * 1e-290, 1 - uniform * 1e-9])
    expected = torch.tensor([NormalDist().inv_cdf(chance) for chance in chances.tolist()], dtype=torch.float64)
    torch.testing.assert_close(quantile(chances), expected, rtol=4e-15, atol=0)
    assert quantile(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)).isfinite().all()


def test_truncation() -> None:
    values = drawn(inits.TruncNormal(a=-1.0, b=0.5))
    assert -1.0 <= float(values.min()) < -0.999
    assert 0.499 < float(values.max()) <= 0.5
    beyond = drawn(inits.TruncNormal(a=40.0, b=50.0))
    assert bool(((beyond >= 40.0) & (beyond <= 50.0)).all())


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (1, 6)])
def test_orthogonality(shape: tuple[int, int]) -> None:
    weight = drawn(inits.Orthogonal(gain=2.0), shape)
    small = weight if shape[0] <= shape[1] else weight.T
    torch.testing.assert_close(small @ small.T, 4 * torch.eye(min(shape), dtype=torch.float64))


def test_rotations_and_reflections_are_equally_likely() -> None:
    signs = []
    for seed in range(40):
        weight = torch.empty(2, 2, dtype=torch.float64)
        initialise.apply(inits.Orthogonal(), weight, generator(seed))
        signs.append(float(torch.linalg.det(weight)) > 0)
    assert 8 < sum(signs) < 32


@pytest.mark.parametrize(("sparsity", "zeros"), [(0.0, 0), (0.1, 1), (0.25, 3), (0.35, 4), (1.0, 10)])
def test_sparsity_of_every_column(sparsity: float, zeros: int) -> None:
    weight = drawn(inits.Sparse(sparsity=sparsity), (10, 50))
    assert (weight == 0).sum(dim=0).tolist() == [zeros] * 50
    assert ((nn.init.sparse_(torch.empty(10, 50), sparsity) == 0).sum(dim=0) == zeros).all()
    assert zeros in {0, 10} or len({tuple(column.tolist()) for column in (weight == 0).T}) > 1


def test_the_default_is_torchs_own() -> None:
    layer = nn.Linear(200, 300, dtype=torch.float64)
    theirs = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    for name, parameter in layer.named_parameters():
        initialise.start(layer, parameter, generator())
        assert not torch.equal(parameter, theirs[name])
    assert_alike(layer.weight.detach(), theirs["weight"])
    assert_uniform(layer.weight.detach(), 1 / sqrt(200))
    assert float(layer.bias.detach().abs().max()) < 1 / sqrt(200)
    assert abs(float(layer.bias.detach().std()) - 1 / sqrt(600)) < 0.2 / sqrt(600)


NETWORK = SPEC + "  - {linear: 16}\n  - batch_norm\n  - prelu: {init: 0.1}\n  - layer_norm\n  - rms_norm\n"


def test_what_starts_constant_stays_as_its_class_made_it() -> None:
    network = ffspec.build(NETWORK + "  - linear\n")
    for module, kind in zip(
        [*network][1:5], (nn.BatchNorm1d(16), nn.PReLU(1, 0.1), nn.LayerNorm(16), nn.RMSNorm(16)), strict=True
    ):
        for name, tensor in kind.state_dict().items():
            assert torch.equal(tensor, module.state_dict()[name])


def test_a_layer_more_changes_no_other_layers_weights() -> None:
    short = ffspec.build(NETWORK + "  - linear: 8\n  - linear\n")
    long = ffspec.build(NETWORK + "  - linear: 8\n  - residual: [{linear: 8}]\n  - linear: 9\n  - linear\n")
    for name, tensor in short[:6].state_dict().items():
        assert torch.equal(tensor, long.state_dict()[name])


def test_every_parameter_has_a_stream_of_its_own() -> None:
    network = ffspec.build(
        SPEC + "  - repeat: {times: 3, layers: [{residual: [{linear: 4}, {linear: 4}]}]}\n  - linear\n"
    )
    weights = [tuple(tensor.flatten().tolist()) for tensor in network.state_dict().values()]
    assert len(weights) == 14
    assert len(set(weights)) == len(weights)


def test_another_seed_gives_other_weights_and_a_wider_type_the_same() -> None:
    first, other, wide = (
        ffspec.build(f"seed: {seed}\ntraining: {{precision: {precision}}}\n{NETWORK}  - linear\n")
        for seed, precision in ((0, "float32"), (1, "float32"), (0, "float64"))
    )
    assert not torch.equal(first[0].weight, other[0].weight)  # type: ignore[arg-type]
    for one, wider in zip(first.parameters(), wide.parameters(), strict=True):
        assert wider.dtype is torch.float64
        assert torch.equal(one, wider.float())


def test_building_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    ffspec.build(NETWORK + "  - dropout\n  - linear\n")
    assert torch.equal(before, torch.get_rng_state())


# Every random initialiser but `orthogonal`, whose QR is LAPACK's: it differs in the last bits of a float64.
PORTABLE = (
    "uniform", "normal", "trunc_normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal",
    "{sparse: 0.5}", "null",
)  # fmt: skip
HASH = """
import hashlib, sys, torch, ffspec
torch.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
for tensor in ffspec.build(sys.stdin.read()).state_dict().values():
    digest.update(tensor.numpy().tobytes())
print(torch.backends.cpu.get_cpu_capability(), digest.hexdigest())
"""


def weights_in_child(text: str, capability: str, threads: int) -> tuple[str, str]:
    """Build a spec in a new process; return the abilities of the CPU it was built with, and a hash of the weights."""
    child = subprocess.run(
        [sys.executable, "-c", HASH, str(threads)],
        env={**os.environ, "ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": str(threads)},
        input=text, capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    used, digest = child.stdout.split()
    return used, digest


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_every_cpu_draws_the_same_bits(precision: str) -> None:
    if (
        "AVX2" not in torch.backends.cpu.get_cpu_capability()
        and "AVX512" not in torch.backends.cpu.get_cpu_capability()
    ):
        pytest.skip("this CPU has no AVX2 to compare with")
    lines = "".join(f"  - linear: {{out_features: 200, init: {init}}}\n" for init in PORTABLE)
    text = f"{SPEC}{lines}  - linear\ntraining: {{precision: {precision}}}\n"
    digest = hashlib.sha256()
    for tensor in ffspec.build(text).state_dict().values():
        digest.update(tensor.numpy().tobytes())
    assert weights_in_child(text, "default", 2) == ("DEFAULT", digest.hexdigest())
    assert weights_in_child(text, "avx2", 1) == ("AVX2", digest.hexdigest())
