"""`ffspec eject`: where the script goes, and what it is written from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffspec.cli import _exit_code
from tests.test_imports import imported

SPEC = str(Path(__file__).parents[1] / "specs" / "feedforward.yaml")


def test_it_prints_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["eject", SPEC]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith('"""Train the network of feedforward.yaml, 41 parameters, without ffspec.\n')
    assert "    python train.py\n" in printed
    compile(printed, "train.py", "exec")


def test_it_writes_a_file_and_never_over_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.py"
    assert _exit_code(["eject", SPEC, "-o", str(file)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"wrote {file}\n")
    text = file.read_text(encoding="utf-8")
    assert "    python net.py\n" in text
    assert _exit_code(["eject", SPEC, "-o", str(file), "--set", "training.epochs=7"]) == 4
    assert capsys.readouterr().err == f"error: {file} is there already; --force overwrites it\n"
    assert file.read_text(encoding="utf-8") == text
    assert _exit_code(["eject", SPEC, "--out", str(file), "--set", "training.epochs=7", "--force"]) == 0
    assert file.read_text(encoding="utf-8") == text.replace("EPOCHS = 20", "EPOCHS = 7")


def test_a_folder_that_is_not_there_is_an_error_of_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "none" / "net.py"
    assert _exit_code(["eject", SPEC, "-o", str(file)]) == 4
    assert capsys.readouterr().err.startswith(f"error: cannot write {file}: ")


def test_the_seed_can_be_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["eject", SPEC, "--seed", "5"]) == 0
    assert "\nSEED = 5\n" in capsys.readouterr().out


def test_a_refusal_shows_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gpu.yaml"
    path.write_text(
        "dataset: iris\nlayers: [linear]\nloss: cross_entropy\noptimizer: sgd\ntraining: {device: cuda}\n", "utf-8"
    )
    assert _exit_code(["eject", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"{path}:5:20: error[FF018]: a script computes the same bits on the CPU only, found device: cuda\n"
        "    5 | training: {device: cuda}\n"
        "      |                    ^^^^ write it for the CPU: --set training.device=cpu\n"
        "1 error\n"
    )


def test_a_script_is_written_without_torch() -> None:
    modules = imported("import runpy; runpy.run_module('ffspec', run_name='__main__')", "eject", SPEC)
    assert "ffspec.export" in modules
    assert {"torch", "matplotlib"} & modules == set()
