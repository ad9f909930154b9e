"""Compiled trainings: what is compiled computes what autograd does, and code is made, kept and found again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

import ffspec
from ffspec import api, document, planner
from ffspec.builder.optimizer import state_of
from ffspec.builder.streams import untouched
from ffspec.cli import _exit_code
from ffspec.data import load_spec
from ffspec.export import eject
from ffspec.rules.compiling import longest
from ffspec.runner import compiling
from ffspec.runner.checkpoints import decode, put_back
from ffspec.runner.loop import Trainer
from ffspec.runner.setup import set_up, trainer_of
from ffspec.spec.root import Spec
from ffspec.written import gradients_of
from tests import test_components as tables
from tests.snippets import OPTIONAL
from tests.test_stepping import SETTINGS, Interrupting, assert_equal


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is compiled executed operation by operation: the graph alone, in no time."""
    import torch._inductor

    monkeypatch.setattr(torch._inductor, "compile", lambda graph, *given, **options: graph)  # noqa: ARG005


def trainer(spec: Spec, *, called: bool = False) -> Trainer:
    loaded = load_spec(spec)
    plan = planner.plan(spec, loaded.facts)
    return trainer_of(set_up(planner.settle(spec, loaded.facts), plan, loaded), called=called)


def assert_close(mine: Any, other: Any) -> None:
    """Compare values that may hold tensors, as two ways to round."""
    if isinstance(mine, dict):
        assert mine.keys() == other.keys()
        for key, value in mine.items():
            assert_close(value, other[key])
    else:
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6, equal_nan=True)


def assert_trained_alike(spec: Spec) -> None:
    """Train a spec compiled and by autograd, with the same dropout, and compare."""
    ours, theirs = trainer(spec), trainer(spec, called=True)
    assert ours.compiled
    assert not theirs.compiled
    histories = []
    for one in (ours, theirs):
        with untouched(5):
            histories.append(one.run(lambda row: None))  # noqa: ARG005
    for mine, other in zip(*histories, strict=True):
        assert_close(mine, other)
    assert_close(dict(ours.network.state_dict()), dict(theirs.network.state_dict()))


COMPONENTS = [row for row in tables.ROWS if row.values[0] in {"layer", "loss"} and "momentum: null" not in row.id]


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(("kind", "name", "text", "expected"), COMPONENTS)
def test_a_component_is_traced_as_it_is(kind: str, name: str, text: str, expected: object) -> None:
    assert_trained_alike(ffspec.load(text, overrides=["training.compile=true"], allow=OPTIONAL))


SPEC = """\
seed: 3
dataset: {blobs: {n_samples: {train: 50, validation: 20, test: 10}, n_features: 4, centers: 3, cluster_std: 3.0}}
layers: [{linear: 9}, tanh, {dropout: 0.2}, {linear: {out_features: 17, bias: false}}, batch_norm, relu, linear]
loss: cross_entropy
"""


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "fading"])
def test_settings_of_a_training_hold_for_compiled_code(name: str) -> None:
    optimizer, training, more = SETTINGS[name]
    size = "" if "batch_size" in training else ", batch_size: 16"
    text = f"{SPEC}optimizer: {{{optimizer}}}\ntraining: {{{training}{size}, compile: true}}\n{more}"
    assert_trained_alike(ffspec.load(text, allow=OPTIONAL))


@pytest.mark.usefixtures("traced")
def test_bf16_is_compiled_with_its_casts() -> None:
    text = f"{SPEC}optimizer: adam\ntraining: {{epochs: 2, batch_size: 16, compile: true, precision: bf16}}\n"
    assert_trained_alike(ffspec.load(text, allow=OPTIONAL))


@pytest.mark.usefixtures("traced")
def test_streamed_rows_are_compiled(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [0.1 * (number % 7) for number in range(60)], "y": [number % 2 for number in range(60)]})
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=20)
    (tmp_path / "spec.yaml").write_text(
        "dataset: {parquet: {path: rows.parquet, target: y, task: classification, streaming: {buffer_size: 30}}}\n"
        "layers: [{linear: 4}, tanh, linear]\nloss: cross_entropy\noptimizer: adam\n"
        "training: {epochs: 3, batch_size: 16, compile: true}\n",
        encoding="utf-8",
    )
    spec = ffspec.load(tmp_path / "spec.yaml", allow=OPTIONAL)
    assert spec.dataset.buffer is not None
    assert_trained_alike(spec)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("optimizer", ["lbfgs", "muon", "rprop"])
def test_any_optimizer_takes_compiled_gradients(optimizer: str) -> None:
    text = f"{SPEC}optimizer: {optimizer}\ntraining: {{epochs: 2, batch_size: 25, compile: true}}\n"
    assert_trained_alike(ffspec.load(text, allow=OPTIONAL))


@pytest.mark.usefixtures("traced")
def test_rows_with_weights_are_compiled_with_them(tmp_path: Path) -> None:
    rows = [f"{number % 7},{number % 3},{number % 2},{1 + number % 4}" for number in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(("a,b,y,w", *rows)), encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(
        "dataset: {csv: {path: rows.csv, target: y, weight: w}}\nlayers: [{linear: 4}, tanh, linear]\n"
        "loss: {cross_entropy: {weight: balanced}}\noptimizer: adam\ntraining: {epochs: 3, compile: true}\n",
        encoding="utf-8",
    )
    assert_trained_alike(ffspec.load(tmp_path / "spec.yaml", allow=OPTIONAL))


SHORT = f"{SPEC}optimizer: {{adamw: 0.01}}\ntraining: {{epochs: 4, batch_size: 16, compile: true}}\n"


@pytest.mark.usefixtures("traced")
def test_compiling_draws_nothing_and_leaves_the_network_as_it_was() -> None:
    one = trainer(ffspec.load(SHORT, allow=OPTIONAL))
    before, random = {name: tensor.clone() for name, tensor in one.network.state_dict().items()}, torch.get_rng_state()
    size = one.splits["train"].x[:16], one.splits["train"].target[:16], None
    compiling.compiled_gradients(one.network, one.judge, size)
    assert_equal(dict(one.network.state_dict()), before)
    assert torch.equal(random, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in one.network.parameters())


@pytest.mark.usefixtures("traced")
def test_nothing_is_compiled_for_a_training_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    one = trainer(ffspec.load(SHORT, allow=OPTIONAL))
    history = one.run(lambda row: None)  # noqa: ARG005
    monkeypatch.setattr(compiling, "compiled_gradients", None)
    assert one.run(lambda row: None) == history  # noqa: ARG005


needs_compiler = pytest.mark.skipif(compiling.compiler() is None, reason="there is no C++ compiler")


@needs_compiler
def test_compiled_code_has_the_same_bits_in_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiles once, and finds it again: for a second training, one that was interrupted, and a script."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(compiling.CACHE, raising=False)
    file = tmp_path / "spec.yaml"
    file.write_text(SHORT, encoding="utf-8")
    result = ffspec.run(file, out=tmp_path / "runs", allow=OPTIONAL)
    assert result.directory is not None
    kept = load_file(result.directory / "model.safetensors")
    assert_trained_alike(ffspec.load(file, allow=OPTIONAL))
    made = libraries(tmp_path)
    assert made

    spec, keeper = ffspec.load(file, allow=OPTIONAL), Interrupting(steps=6)
    with untouched(5), pytest.raises(KeyboardInterrupt):
        replace(trainer(spec), keeper=keeper).run(lambda row: None)  # noqa: ARG005
    again, whole = trainer(spec), trainer(spec)
    with untouched(6):
        put_back(again, decode(keeper.kept)[0])
        history = again.run(lambda row: None)  # noqa: ARG005
    with untouched(5):
        assert whole.run(lambda row: None) == history  # noqa: ARG005
    assert_equal(dict(again.network.state_dict()), dict(whole.network.state_dict()))
    assert_equal([*map(state_of, again.optimizers)], [*map(state_of, whole.optimizers)])

    script = tmp_path / "train.py"
    script.write_text(eject(spec), encoding="utf-8")
    folder = {compiling.CACHE: str(tmp_path / "cache" / "ffspec" / "inductor")}
    subprocess.run([sys.executable, script], check=True, capture_output=True, env={**os.environ, **folder})
    assert_equal(load_file(tmp_path / "model.safetensors"), kept)
    assert libraries(tmp_path) == made


def libraries(folder: Path) -> set[Path]:
    return set((folder / "cache" / "ffspec" / "inductor").rglob("*.so"))


def test_a_spec_that_wants_to_be_compiled_needs_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiling, "compiler", lambda: None)
    Path("spec.yaml").write_text(SHORT, encoding="utf-8")
    assert _exit_code(["run", "spec.yaml", "--out", "runs"]) == 2
    assert capsys.readouterr().err == (
        "spec.yaml:6:48: warning[FF130]: compiling takes 3 seconds at least, and the training not even 0.1\n"
        "    6 | training: {epochs: 4, batch_size: 16, compile: true}\n"
        "      |                                                ^^^^ leave it out\n"
        "spec.yaml:6:48: error[FF130]: compile needs a C++ compiler, and neither g++ nor clang++ is there\n"
        "    6 | training: {epochs: 4, batch_size: 16, compile: true}\n"
        "      |                                                ^^^^\n"
        "      = install one (on Debian: apt install g++ python3-dev), or leave compile out\n"
        "1 error, 1 warning\n"
    )
    assert not Path("runs").exists()


def test_what_a_compiler_says_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch._inductor

    def fail(*given: object, **options: object) -> None:
        raise RuntimeError(
            "C++ compile error\n\nCommand:\ng++ x.cpp\n\nx.cpp:1:10: fatal error: Python.h: no such file\n"
        )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch._inductor, "compile", fail)
    monkeypatch.setattr(compiling, "compiler", lambda: "g++")
    Path("spec.yaml").write_text(SHORT, encoding="utf-8")
    assert _exit_code(["run", "spec.yaml", "--allow", "FF130"]) == 2
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == (
        "  compiling, which takes some seconds; what is made is kept for the next time"
    )
    assert said.err.splitlines()[-1] == (
        "spec.yaml: error[FF130]: training.compile: x.cpp:1:10: fatal error: Python.h: no such file; see that there is "
        "a C++ compiler with the headers of Python, or write compile: false"
    )


PATHS = {
    "{batch_size: 25, compile: true}": (
        "compiled, forward and backward as one; the last bits may differ from autograd's"
    ),
    "{batch_size: 16, compile: true}": (
        "compiled, forward and backward as one, but for the last step of an epoch, of 2 rows; "
        "the last bits may differ from autograd's"
    ),
    "{device: cuda, compile: true}": (
        "by autograd: cuda computes while Python runs ahead; "
        "not compiled: only what a CPU computes is, and the device is cuda"
    ),
    "{schedules: {dropout: linear}, compile: true}": (
        "without autograd, to the same bits; "
        "not compiled: a dropout that changes would be another function in every step"
    ),
    "{batch_size: 16}": "without autograd, to the same bits",
}


@pytest.mark.parametrize("training", PATHS)
def test_show_says_what_is_compiled(training: str) -> None:
    spec = ffspec.load(f"{SPEC}optimizer: adam\ntraining: {training}\n", allow=OPTIONAL)
    assert str(gradients_of(spec.training, ffspec.plan(spec))) == PATHS[training]


def test_a_batch_norm_that_counts_is_not_compiled() -> None:
    layers = "[{linear: 9}, {batch_norm: {momentum: null}}, linear]"
    text = "\n".join(f"layers: {layers}" if line.startswith("layers") else line for line in SPEC.splitlines())
    text += "\noptimizer: adam\ntraining: {compile: true}\n"
    assert [item.message for item in api.diagnose(document.parse(text)) if item.code == "FF130"] == [
        "compile has no effect here: a batch_norm with momentum: null is another function in every step"
    ]
    assert not trainer(ffspec.load(text, allow=OPTIONAL)).compiled


@pytest.mark.parametrize(("epochs", "expected"), [(100, True), (200_000, False)])
def test_only_what_is_over_at_once_is_warned_of(epochs: int, *, expected: bool) -> None:
    text = f"{SPEC}optimizer: adam\ntraining: {{epochs: {epochs}, compile: true}}\n"
    found = api.diagnose(document.parse(text))
    assert [item.code for item in found] == ["FF130"] * expected


def test_the_longest_a_training_takes_is_more_than_it_takes() -> None:
    import time

    spec = ffspec.load(f"{SPEC}optimizer: adam\ntraining: {{epochs: 50, batch_size: 16}}\n")
    one, plan = trainer(spec), ffspec.plan(spec)
    start = time.process_time()
    one.run(lambda row: None)  # noqa: ARG005
    most = longest(plan, 50, 16)
    assert most is not None
    assert time.process_time() - start < most


def test_code_is_kept_in_the_users_cache_unless_it_is_said_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(compiling.CACHE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with compiling.keeping():
        assert os.environ[compiling.CACHE] == str(tmp_path / "ffspec" / "inductor")
    assert compiling.CACHE not in os.environ
    assert (tmp_path / "ffspec" / "inductor").stat().st_mode & 0o077 == 0
    monkeypatch.setenv(compiling.CACHE, "elsewhere")
    with compiling.keeping():
        assert os.environ[compiling.CACHE] == "elsewhere"
    monkeypatch.delenv(compiling.CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with compiling.keeping():
        assert compiling.CACHE not in os.environ


@pytest.mark.usefixtures("traced")
def test_seeds_that_train_as_one_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each equals its single run all the same; those that train one after another are compiled."""
    calls: list[int] = []
    made = compiling.compiled_gradients

    def counted(*given: Any) -> Any:
        calls.append(1)
        return made(*given)

    monkeypatch.setattr(compiling, "compiled_gradients", counted)
    text = f"{SPEC}optimizer: adam\ntraining: {{epochs: 3, batch_size: 16, compile: true}}\n"
    ffspec.repeat(ffspec.load(text, allow=OPTIONAL), seeds=4, allow=OPTIONAL)
    assert calls == []
    alone = text.replace("optimizer: adam", "optimizer: muon")
    ffspec.repeat(ffspec.load(alone, allow=OPTIONAL), seeds=2, allow=OPTIONAL)
    assert calls == [1, 1]
