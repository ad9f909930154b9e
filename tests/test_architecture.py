"""The rules about the code itself: short files, short functions, docstrings, imports that run one way."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE + TESTS
    }
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


def test_functions_stay_under_40_lines() -> None:
    lengths = dict(function for path in PACKAGE for function in functions(path))
    assert {name: length for name, length in lengths.items() if length >= 40} == {}


def test_every_module_has_a_docstring() -> None:
    silent = [str(path.relative_to(ROOT)) for path in PACKAGE + TESTS if ast.get_docstring(parse(path)) is None]
    assert silent == []


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


def test_the_changelog_begins_with_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = [
        line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line.startswith("## ")
    ]
    assert headings[0].split()[1] == project["version"]
