"""The published mistakes behind the rules, rebuilt as specs: each found, in its place, with the fix that was given.

The first lines of a file say where the mistake can be read, what was wrong and what was said. Then each finding
has two lines, `# expect: FF101 at 8:5` and `# fix: words of the message or of the hint`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ffspec
from tests.corpus.faults import place_of

MISTAKES = sorted((Path(__file__).parent / "published").glob("*.yaml"))
EXPECTED = re.compile(r"^# expect: (FF\d{3}) at (\d+):(\d+)\n# fix: (.+)$", re.MULTILINE)
HEAD = re.compile(r"# Source: .+\n# Wrong: .+\n# Said: .+\n# expect: ")


def test_there_are_mistakes() -> None:
    assert len(MISTAKES) >= 25


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_published_mistake_is_found_with_its_fix(path: Path) -> None:
    text = path.read_text("utf-8")
    assert HEAD.match(text)
    expected = [(code, (int(line), int(column)), fix) for code, line, column, fix in EXPECTED.findall(text)]
    assert expected or "# expect: nothing\n" in text
    found = ffspec.check(path)
    assert [(item.code, place_of(item)) for item in found] == [wanted[:2] for wanted in expected]
    for item, (_, _, fix) in zip(found, expected, strict=True):
        assert fix in f"{item.message}; {item.hint}"
