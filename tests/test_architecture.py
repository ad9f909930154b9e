"""The rules about the code itself: short files, short functions, docstrings, imports that run one way."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import ffspec

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "ffspec").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every function of a file, methods and inner ones too: where it stands and its lines, docstring included."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_there_is_code_to_look_at() -> None:
    assert ROOT / "ffspec" / "diagnostics.py" in PACKAGE
    assert Path(__file__) in TESTS


def test_files_stay_under_400_lines() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE + TESTS}
    long = [f"{path}: {length} lines" for path, length in lengths.items() if length >= 400]
    assert not long, "\n".join(long)


def test_functions_stay_under_40_lines() -> None:
    long = [f"{name}: {length} lines" for path in PACKAGE for name, length in functions(path) if length >= 40]
    assert not long, "\n".join(long)


def test_every_module_has_a_docstring() -> None:
    silent = [str(path.relative_to(ROOT)) for path in PACKAGE + TESTS if ast.get_docstring(parse(path)) is None]
    assert not silent, "\n".join(silent)


def test_imports_run_one_way() -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    linter = subprocess.run(
        [sys.executable, "-c", command, "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if linter.returncode:
        pytest.fail(linter.stdout + linter.stderr, pytrace=False)
    assert " 0 broken." in linter.stdout


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    newest = next(line for line in changes if line.startswith("## "))
    assert newest.split()[1] == project["version"] == ffspec.__version__
