"""Replaying, comparing, and how far a result may be relied on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ffspec
from ffspec import rundir
from ffspec.cli import _exit_code
from ffspec.runner.stability import stable_digits

ROOT = Path(__file__).parents[1]
FEEDFORWARD = ROOT / "specs" / "feedforward.yaml"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    result = ffspec.run(FEEDFORWARD, out=tmp_path)
    assert result.directory is not None
    return result.directory


def test_a_replay_says_that_the_bits_agree(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["run", str(run / rundir.RESOLVED), "--out", str(run.parents[1])]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-2:] == [f"  run directory: {run.parent / '002'}", f"  the same bits as {run}"]


def test_a_replay_says_what_changed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(run / rundir.RESOLVED), "--out", str(run.parents[1]), "--set", "optimizer.sgd.lr=0.02"]
    assert _exit_code(arguments) == 0
    told = capsys.readouterr().out
    assert f"  not the same bits as {run}:\n  spec:        different\n    -" in told
    assert "lr: 0.02" in told
    assert (
        "\n  data:        the same\n  environment: the same\n  result:      different\n    the weights differ\n" in told
    )


def test_a_replay_of_one_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained alone it has the bits of its run; trained with others it is the same but for rounding."""
    for seeds in (2, 4):
        several = ffspec.repeat(FEEDFORWARD, seeds=seeds, out=tmp_path / str(seeds)).directory
        assert several is not None
        member = several / "seed-1"
        assert _exit_code(["run", str(member / rundir.RESOLVED), "--out", str(tmp_path)]) == 0
        told = capsys.readouterr().out
        if seeds == 2:
            assert told.endswith(f"\n  the same bits as {member}\n")
        else:
            same = (
                "  spec:        the same\n  data:        the same\n  environment: the same\n  result:      different\n"
            )
            assert f"\n  not the same bits as {member}, one of 4 that were trained as one network:\n{same}" in told
        assert _exit_code(["run", str(several / rundir.RESOLVED), "--out", str(tmp_path)]) == 0
        assert "same bits" not in capsys.readouterr().out, "there is no run of it to be compared with"


def test_diff(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = ffspec.run(FEEDFORWARD, out=run.parents[1]).directory
    assert _exit_code(["diff", str(run), str(other)]) == 0
    same = "spec:        the same\ndata:        the same\nenvironment: the same\nresult:      the same\n"
    assert capsys.readouterr().out == same
    longer = ffspec.run(FEEDFORWARD, out=run.parents[1], overrides=["training.epochs=21"]).directory
    assert _exit_code(["diff", str(run), str(longer)]) == 1
    assert capsys.readouterr().out.startswith(
        "spec:        different\n  -  epochs: 20\n  +  epochs: 21\n"
        "data:        the same\nenvironment: the same\nresult:      different\n"
        "  the weights differ\n  the histories are alike up to epoch 20\n"
    )


def test_a_damaged_run_is_not_compared(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = run / rundir.MODEL
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    assert _exit_code(["diff", str(run), str(run)]) == 4
    assert capsys.readouterr().err == f"error: {run}: model.safetensors was damaged or changed since the run\n"


def test_a_run_that_did_not_end_well_is_told_in_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = FEEDFORWARD.read_text(encoding="utf-8").replace("relu", "rellu")
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    assert _exit_code(["run", str(path), str(FEEDFORWARD), "--format", "json", "--out", str(tmp_path)]) == 2
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["file"], told["ok"], told["error"]["exit_code"]) == (str(path), False, 2)
    assert [item["code"] for item in told["findings"]] == ["FF014"]


def test_stable_digits() -> None:
    one = {"test": {"loss": 1.0, "accuracy": 0.5, "r2": 2.0}}
    other = {"test": {"loss": 1.0001, "accuracy": 0.5, "r2": -2.0}}
    found = stable_digits(one, other)
    assert found == {"test.loss": pytest.approx(4.0, abs=1e-3), "test.accuracy": None, "test.r2": 0.0}


def test_stability_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["run", str(FEEDFORWARD), "--out", str(tmp_path), "--stability"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5] == "  from weights one unit in the last place away  digits that stay"
    rows = dict(line.split() for line in lines[-4:])
    assert list(rows) == ["train.loss", "train.accuracy", "test.loss", "test.accuracy"]
    assert all(digits == "all" or float(digits) > 4 for digits in rows.values())


CHILD = """
import json, sys, ffspec
found = {}
for name, changes in json.loads(sys.argv[1]).items():
    result = ffspec.run(f"specs/{name}.yaml", overrides=["training.precision=float64", *changes])
    found[name] = {split: measures for split, measures in result.after.items()}
print(json.dumps(found))
"""
SPECS = {
    "feedforward": [],
    "perceptron": [],
    "linear_regression": [],
    "logistic_regression": [],
    "xor": [],
    "penguins": ["training.epochs=10"],
    "deep_mlp": ["training.epochs=2"],
}
SETTINGS: list[tuple[int, dict[str, str]]] = [
    (1, {}),
    (2, {"OMP_WAIT_POLICY": "PASSIVE"}),
    (1, {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}),
    (1, {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
]


def measured(threads: int, environment: dict[str, str]) -> dict[str, dict[str, dict[str, float]]]:
    changes = {name: [*given, f"training.threads={threads}"] for name, given in SPECS.items()}
    child = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(changes)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, dict[str, float]]] = json.loads(child.stdout)
    return found


def test_float64_gives_nine_digits_on_every_kind_of_cpu_and_number_of_threads() -> None:
    with ThreadPoolExecutor(2) as pool:  # each is a process of its own
        first, *others = pool.map(lambda setting: measured(*setting), SETTINGS)
    for other in others:
        for name, splits in first.items():
            for measure, digits in stable_digits(splits, other[name]).items():
                assert digits is None or digits >= 9, f"{name}, {measure}: {digits:.1f} digits"
