"""`threads: auto`: as many as pay, by the operations of a step."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import ffspec
from ffspec import api, planner
from ffspec.cli import _exit_code

SPEC = """
name: net
dataset: {regression: {n_samples: ROWS, n_features: 100}}
layers: [{linear: WIDTH}, relu, linear]
loss: mse
optimizer: sgd
training: {epochs: 1, batch_size: SIZE, threads: THREADS}
"""


def spec(*, rows: int = 1000, width: int = 1000, size: str = "100", threads: str = "auto") -> str:
    text = SPEC.replace("ROWS", str(rows)).replace("WIDTH", str(width))
    return text.replace("SIZE", size).replace("THREADS", threads)


@pytest.mark.parametrize(
    ("text", "cores", "threads"),
    [
        (spec(), 8, 1),  # 3 * 100 rows * 205 thousand operations: 61 million
        (spec(size="200"), 8, 2),
        (spec(size="200"), 1, 1),
        (spec(size="all"), 4, 4),  # 800 training rows
        (spec(size="all"), 64, 9),
        (spec(size="900"), 64, 9),
        (spec(size="auto"), 64, 1),  # 64 rows
        (spec(width=10), 64, 1),
        (spec(width=10, threads="3"), 64, 3),
    ],
)
def test_a_thread_has_fifty_million_operations_of_a_step(
    text: str, cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "cores", lambda: cores)
    made = api.load(text)
    assert planner.settle(made, planner.plan(made).facts).training.threads == threads


def test_a_run_writes_down_how_many_there_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "cores", lambda: 2)
    result = ffspec.run(spec(size="200"), out=tmp_path)
    assert result.spec.training.threads == 2
    resolved = yaml.safe_load((tmp_path / "net" / "001" / "resolved.yaml").read_text())
    assert resolved["training"]["threads"] == 2


@pytest.mark.parametrize(("threads", "said"), [("1", "on cpu"), ("2", "on cpu, 2 threads"), ("auto", "on cpu")])
def test_show_says_how_many_there_will_be(
    threads: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(planner, "cores", lambda: 1)
    (tmp_path / "net.yaml").write_text(spec(threads=threads))
    assert _exit_code(["show", str(tmp_path / "net.yaml")]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  training"))
    assert line.endswith(said)


def test_as_long_as_the_rows_are_unknown_so_are_the_threads() -> None:
    text = spec().replace("regression: {n_samples: 1000, n_features: 100}", "csv: {path: a.csv, target: y}")
    made = api.load(text)
    assert planner.settle(made, planner.plan(made).facts).training.threads == "auto"
