"""What becomes of a finding: ignored by a comment, allowed on the command line, told once, stopping what it must."""

from __future__ import annotations

from pathlib import Path

import pytest

import ffspec
from ffspec import api, document
from ffspec.cli import _exit_code
from ffspec.diagnostics import SpecError

SOFTMAX = """\
dataset: iris
layers:
  - linear: 8
  - relu
  - linear
  - softmax
loss: cross_entropy
optimizer: adam
training: {epochs: 1}
"""
IGNORED = SOFTMAX.replace("- softmax", "- softmax  # ffspec: ignore[FF101] to see what it costs")
FOUND = "error[FF101]: cross_entropy needs scores, but the layers end with softmax: with 3 classes the loss cannot fall"


def rendered(text: str, *allow: str) -> str:
    opened = document.parse(text, "spec.yaml")
    return opened.render(api.diagnose(opened, allow))


def test_a_finding_is_shown_in_its_line() -> None:
    assert rendered(SOFTMAX) == (
        f"spec.yaml:6:5: {FOUND} below 0.551\n"
        "    6 |   - softmax\n"
        "      |     ^^^^^^^ leave softmax out: it is inside the loss\n"
        "1 error"
    )


@pytest.mark.parametrize(
    "text",
    [
        IGNORED,
        SOFTMAX.replace("- softmax", "- softmax #ffspec:ignore[FF101]"),
        SOFTMAX.replace("- softmax", "- softmax  # ffspec: ignore[FF110, FF101]").replace("- relu", "- identity"),
        "# ffspec: ignore[FF101] the whole file\n" + SOFTMAX,
        "---\n" + IGNORED,
    ],
)
def test_a_comment_lets_it_through(text: str) -> None:
    found = [item for item in api.diagnose(document.parse(text)) if item.code == "FF101"]
    assert found == []


def test_an_option_lets_it_through() -> None:
    assert rendered(SOFTMAX, "FF101") == ""


UNUSED = [
    ("  - relu  # ffspec: ignore[FF110]", 4, 28, "nothing on this line is FF110"),
    ("  - relu  # ffspec: ignore[FF999]", 4, 28, "there is no code 'FF999' to ignore"),
    ("  - relu  # ffspec: ignore[FF112] why", 4, 28, "FF112 cannot be ignored: nothing could be trained"),
    ("  - relu  # ffspec: ignore", 4, 11, "an ignore must name a code"),
    ("  - relu  # ffspec: ignore[]", 4, 11, "an ignore must name a code"),
]


@pytest.mark.parametrize(("line", "number", "column", "message"), UNUSED)
def test_a_comment_that_ignores_nothing_is_reported(line: str, number: int, column: int, message: str) -> None:
    text = IGNORED.replace("  - relu", line)
    (found,) = api.diagnose(document.parse(text))
    assert found.span is not None
    assert (found.code, found.message) == ("FF017", message)
    assert (found.span.start.line, found.span.start.column) == (number, column)


def test_of_a_rule_that_was_not_tried_nothing_is_said() -> None:
    text = IGNORED.replace("dataset: iris", "dataset: iris  # ffspec: ignore[FF204] flowers repeat themselves")
    assert api.diagnose(document.parse(text)) == ()
    (found,) = api.diagnose(document.parse(text), data=True)
    assert found.message == "nothing on this line is FF204"


@pytest.mark.parametrize(
    "text",
    [
        f"description: '# ffspec: ignore[FF101]'\n{SOFTMAX}",
        f"description: |\n  # ffspec: ignore[FF101]\n{SOFTMAX}",
        f'description: "a\n  # ffspec: ignore[FF101]"\n{SOFTMAX}',
    ],
)
def test_what_only_looks_like_a_comment_is_none(text: str) -> None:
    assert [item.code for item in api.diagnose(document.parse(text))] == ["FF101"]


def test_a_run_goes_through_and_can_be_repeated(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="FF101"):
        ffspec.run(SOFTMAX)
    first = ffspec.run(IGNORED, out=tmp_path)
    assert first.directory is not None
    resolved = first.directory / "resolved.yaml"
    assert resolved.read_text().startswith("# ffspec: ignore[FF101] let through in this run\n")
    again = ffspec.run(resolved)
    assert [row["loss"] for row in again.history] == [row["loss"] for row in first.history]
    assert ffspec.run(ffspec.load(IGNORED)).history == first.history
    assert ffspec.run(SOFTMAX, allow=["FF101"]).history == first.history


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SOFTMAX, encoding="utf-8")
    assert _exit_code(["check", str(path)]) == 1
    assert _exit_code(["check", "--allow", "ff101", str(path)]) == 0
    assert _exit_code(["run", "--allow", "FF101,FF110", "--out", str(tmp_path), "--quiet", str(path)]) == 0
    assert _exit_code(["show", "--allow", "FF101", str(path)]) == 0
    capsys.readouterr()
    assert _exit_code(["check", "--allow", "FF112", str(path)]) == 2
    assert "FF112 cannot be let through" in capsys.readouterr().err
    assert _exit_code(["check", "--allow", "FF1O1", str(path)]) == 2
    assert "unknown code FF1O1; did you mean FF101" in capsys.readouterr().err


def test_warnings_of_a_run_are_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SOFTMAX.replace("  - relu\n", "").replace("  - softmax\n", ""), encoding="utf-8")
    assert _exit_code(["run", "--out", str(tmp_path), str(path)]) == 0
    assert capsys.readouterr().err.count("FF110") == 1


def test_information_is_shown_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SOFTMAX.replace("- softmax", "- log_softmax"), encoding="utf-8")
    assert _exit_code(["check", str(path)]) == 0
    assert "no problems found" in capsys.readouterr().out
    assert _exit_code(["check", "-v", str(path)]) == 0
    assert "info[FF102]" in capsys.readouterr().err


def test_fix_mends_the_file_and_diff_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SOFTMAX.replace("optimizer: adam", "optimizer: Adam  # mine"), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert _exit_code(["check", "--diff", str(path)]) == 2
    assert "-  - softmax" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == before
    assert _exit_code(["check", "--fix", str(path)]) == 0
    mended = path.read_text(encoding="utf-8")
    assert mended == before.replace("  - softmax\n", "").replace("Adam", "adam")
    assert _exit_code(["check", "--fix", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == mended
    assert f"{path}: mended FF014: unknown optimizer 'Adam'\n{path}: mended FF101: " in capsys.readouterr().err


def test_half_a_network_is_not_mended(tmp_path: Path) -> None:
    """A slip in one place must not cost layers in another."""
    path = tmp_path / "spec.yaml"
    text = SOFTMAX.replace("- linear\n  - softmax", "-linear: 3")
    path.write_text(text, encoding="utf-8")
    assert _exit_code(["check", "--fix", str(path)]) == 2
    assert path.read_text(encoding="utf-8") == text


def test_a_missing_output_layer_is_no_excess_of_hidden_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spec.yaml"
    text = SOFTMAX.replace("  - linear\n  - softmax\n", "")
    path.write_text(text, encoding="utf-8")
    assert _exit_code(["check", "--fix", str(path)]) == 1
    assert path.read_text(encoding="utf-8") == text
    assert "FF113" in (told := capsys.readouterr().err)
    assert "end the layers with linear: 3" in told
    assert "FF107" not in told
