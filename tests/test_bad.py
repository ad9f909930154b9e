"""Broken input of every kind, each with the whole of what the reader says about it.

`tests/bad/<name>.yaml` is the input, `tests/bad/<name>.txt` the output; inputs too large to keep are made here. After a
change of wording, write the outputs anew and read the difference:

    FFSPEC_REGENERATE=1 python -m pytest tests/test_bad.py
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from ffspec import document

BAD = Path(__file__).parent / "bad"
FILES = sorted(path.stem for path in BAD.glob("*.yaml"))
GENERATED: dict[str, bytes] = {
    name: text.encode()
    for name, text in {
        "deep_lists": "[" * 100_000 + "]" * 100_000,
        "deep_mappings": "{a: " * 100_000,
        "deep_blocks": "- " * 100_000,
        "deep_lines": "".join(f"{' ' * depth}a:\n" for depth in range(1000)),
        "long_integer": f"seed: {'9' * 5000}\n",
        "long_float": f"seed: 0.{'9' * 5000}\n",
        "long_key": f"{'k' * 1_000_000}: 1\n",
        "long_text": 'description: "' + "a ä\\n" * 20_000 + '"\n',
        "long_sexagesimal": f"seed: {'1:' * 100_000}1\n",
        "many_values": f"layers: [{'relu, ' * 100_000}linear]\n",
        "many_keys": "".join(f"k{number}: 1\n" for number in range(15_000)),
        "many_lines": "\n" * 1_000_000,
        "many_faults": "dataset: iris\nloss: cross_entropy\noptimizer: adam\nlayers:\n" + "- rellu\n" * 1200,
        "many_tags": f"layers: [{'!x relu, ' * 1500}]\n",
        "too_large": "#" * (2**20 + 1),
        "nul_bytes": "a: b\n" + "\0" * 1000,
        "quotes": '"' * 500_000,
        "unclosed_quote_far": "name: '" + "a b " * 250_000,
    }.items()
}


def test_every_output_belongs_to_an_input() -> None:
    assert {path.stem for path in BAD.glob("*.txt")} == {*FILES, *GENERATED}


def render(path: str) -> str:
    opened = document.load(path)
    return opened.render(opened.diagnostics)


@pytest.mark.parametrize("name", [*FILES, *GENERATED])
def test_output(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path if name in GENERATED else BAD)
    if name in GENERATED:
        Path(f"{name}.yaml").write_bytes(GENERATED[name])
    start = time.process_time()
    text = render(f"{name}.yaml") + "\n"
    assert time.process_time() - start < 1
    if os.environ.get("FFSPEC_REGENERATE"):
        (BAD / f"{name}.txt").write_text(text, encoding="utf-8")
    assert re.match(rf"{name}\.yaml(:\d+:\d+)?: error\[FF\d{{3}}\]: \S", text)
    assert text == (BAD / f"{name}.txt").read_text(encoding="utf-8")


def test_a_directory_is_no_spec(tmp_path: Path) -> None:
    message = "cannot read the spec: it is a directory"
    assert render(str(tmp_path)) == f"{tmp_path}: error[FF001]: {message}\n1 error"


def test_a_missing_file_is_no_spec(tmp_path: Path) -> None:
    path = tmp_path / "xor.yaml"
    message = "cannot read the spec: no such file or directory"
    assert render(str(path)) == f"{path}: error[FF001]: {message}\n1 error"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no FIFOs")
def test_a_fifo_is_no_spec(tmp_path: Path) -> None:
    path = tmp_path / "xor.yaml"
    os.mkfifo(path)
    assert render(str(path)) == f"{path}: error[FF001]: cannot read the spec: it is no regular file\n1 error"


def test_a_device_is_no_spec() -> None:
    assert render(os.devnull) == f"{os.devnull}: error[FF001]: cannot read the spec: it is no regular file\n1 error"


def test_a_path_with_a_nul_is_no_spec() -> None:
    assert render("a\0b") == "ab: error[FF001]: cannot read the spec: embedded null byte\n1 error"
