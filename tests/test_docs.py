"""Every block of README and docs runs, and shows what it says; generated tables are fresh."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import ffspec
from ffspec import document
from ffspec.cli import _exit_code, command
from tests import generate_docs

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
SET_UP = ("python", ".venv/bin/", "pip ", "sudo ", "bash ", "git ", "ruff ", "pre-commit ")
"""What sets up an environment, and is run by CI in a fresh one."""

REQUIRED = {"dataset": "arrays", "layers": "[linear]", "loss": "mse", "optimizer": "sgd"}
"""The keys without which there is no spec, as short as can be."""
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string and its text."""

    info: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [Block(info.strip(), text) for info, text in found]


def whole(fragment: str) -> str:
    """Return a fragment of a spec with the keys it leaves out, so that it can be read as one."""
    written = yaml.safe_load(fragment)
    return fragment + "".join(f"{key}: {value}\n" for key, value in REQUIRED.items() if key not in written)


def run_console(text: str) -> None:
    for line in text.splitlines():
        if line.startswith("ffspec "):
            arguments = shlex.split(line, comments=True)[1:]
            assert _exit_code(arguments) == 0, line
        else:
            assert line.startswith(SET_UP), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs Python blocks in one namespace, in a folder with the specs; compares `output` blocks to the letter."""
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    printed = io.StringIO()
    for block in blocks(page):
        if block.info == "output":
            assert printed.getvalue().rstrip() == block.text.rstrip()
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.info == "python":
                exec(compile(block.text, page.name, "exec"), namespace)  # noqa: S102 - our own pages
            elif block.info == "console":
                run_console(block.text)
            elif block.info == "yaml":
                assert ffspec.check(block.text) == ()
            elif block.info == "yaml fragment":
                assert document.parse(whole(block.text)).diagnostics == ()
            else:
                assert block.info == "text", block.info


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_generated_tables_are_fresh(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert generate_docs.updated(page) == page, "run python -m tests.generate_docs"


def test_the_readmes_spec_is_the_shipped_one() -> None:
    (shown,) = [block.text for block in blocks(ROOT / "README.md") if block.info == "yaml"]
    assert ffspec.load(shown) == ffspec.load(ROOT / "specs" / "feedforward.yaml")


def test_a_fragment_with_a_fault_is_found() -> None:
    (fault,) = document.parse(whole("scheduler: {warmup: {total_iter: 5}}\n")).diagnostics
    assert fault.code == "FF012"


def test_the_readmes_run_ends_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compares text to the letter, figures to three digits: another processor may round the last differently."""
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    shown = next(block.text for block in blocks(ROOT / "README.md") if block.info == "text").splitlines()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        run_console("ffspec run specs/feedforward.yaml")
    found = printed.getvalue().splitlines()[-len(shown) :]
    assert [NUMBER.sub("#", line).split() for line in found] == [NUMBER.sub("#", line).split() for line in shown]
    figures = [[float(one) for one in NUMBER.findall("\n".join(lines))] for lines in (found, shown)]
    assert figures[0] == pytest.approx(figures[1], rel=2e-3)


def test_the_readmes_mistake_is_reported_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "specs" / "feedforward.yaml").read_text(encoding="utf-8")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "feedforward.yaml").write_text(text.replace("- relu", "- rellu"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    shown = [block.text for block in blocks(ROOT / "README.md") if block.info == "text"][1]
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        assert _exit_code(["check", "specs/feedforward.yaml"]) == 2
    assert printed.getvalue() == shown


SOFTMAX = """\
# Handwritten digits.
dataset:
  digits: {}
  prepare: standardize
layers:
  - linear: 64
  - relu
  - linear
  - softmax
loss: cross_entropy
optimizer: adam
"""


def test_the_readmes_network_is_refused_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "digits.yaml").write_text(SOFTMAX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    shown = [block.text for block in blocks(ROOT / "README.md") if block.info == "text"][2]
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        assert _exit_code(["check", "specs/digits.yaml"]) == 1
    assert printed.getvalue() == shown


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`ffspec {name}" in text for name in command.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target
