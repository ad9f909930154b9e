"""Laws of the patches: the text then says what the edit says, and nothing else is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ffspec import document
from ffspec.diagnostics import Edit, Patch, Path
from ffspec.patches import apply, patch
from ffspec.scalars import notation
from ffspec.source import Source, Value, parse
from ffspec.writer import dump
from tests.laws import specs
from tests.laws.test_reader import mutated, yamlish

WORDS = ("relu", "linear", "a b", "no", "1e-3", "", "#", "it's", "a: b", "[x", "-", "1:30", "x\ny", "ä", "lr", "~")
ACTIONS: tuple[Literal["remove", "replace", "rename", "insert", "set"], ...] = (
    "remove", "replace", "rename", "insert", "set",
)  # fmt: skip
COMMENT = re.compile(r"#c\d+")

T = TypeVar("T")

words = st.sampled_from(WORDS)
keys = st.sampled_from(("a", "lr", "out_features", "test.loss", "yes", "x y", "1", "ä"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)
mappings = st.dictionaries(keys, values, min_size=1, max_size=4)


class Layout:
    """Writes a value in a style that is drawn anew at every node."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.comments = 0

    def pick(self, *choices: T) -> T:
        return self.draw(st.sampled_from(choices))

    def comment(self, ahead: str = "  ") -> str:
        if self.pick(True, False):
            return ""
        self.comments += 1
        return f"{ahead}#c{self.comments}"

    def above(self, indent: int) -> str:
        """Write the lines above an entry."""
        line = self.comment(" " * indent)
        return self.pick("", "", "\n") + (f"{line}\n" if line else "")

    def block(self, value: Value, indent: int) -> str:
        """Write what follows a colon or a dash, to the end of its last line."""
        if isinstance(value, tuple | dict) and value and self.pick(True, True, False):
            return f"{self.comment()}\n{self.entries(value, indent)}"
        if isinstance(value, str) and value.endswith("y") and self.pick(True, False):
            lines = value.replace("\n", f"\n{' ' * indent}")
            return (
                f" {self.pick('|-', '>-') if chr(10) not in value else '|-'}{self.comment()}\n{' ' * indent}{lines}\n"
            )
        if value is None and self.pick(True, False):
            return f"{self.comment()}\n"
        return f" {self.flow(value, indent)}{self.comment()}\n"

    def entries(self, value: Value, indent: int) -> str:
        """Write the entries of a list or a mapping as lines."""
        return "".join(f"{self.above(indent)}{' ' * indent}{entry}" for entry in self.lines(value, indent))

    def lines(self, value: Value, indent: int) -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield f"{notation(key)}:{self.block(item, indent + self.pick(1, 2, 4))}"
        elif isinstance(value, tuple):
            for item in value:
                compact = isinstance(item, dict | tuple) and item and self.pick(True, True, False)
                if compact:
                    first, *rest = self.lines(item, indent + 2)
                    yield "- " + first + "".join(f"{self.above(indent + 2)}{' ' * (indent + 2)}{line}" for line in rest)
                else:
                    yield f"-{self.block(item, indent + 2)}"

    def flow(self, value: Value, indent: int) -> str:
        """Write a value with brackets, over several lines or not."""
        if not isinstance(value, dict | tuple):
            return self.pick(notation(value), f'"{value}"') if value in ("relu", "lr") else notation(value)
        pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        items = [self.flow(item, indent) if key is None else self.pair(key, item, indent) for key, item in pairs]
        left, right = "{}" if isinstance(value, dict) else "[]"
        if not items:
            return left + right
        blank = f"\n{' ' * (indent + 2)}"
        if self.pick(True, False):  # each on its line
            comma = self.pick(",", "")
            texts = [f"{item}{',' if item is not items[-1] else comma}{self.comment()}" for item in items]
            return f"{left}{self.comment()}{blank}{blank.join(texts)}\n{' ' * (indent + 1)}{right}"
        text = items[0]
        for item in items[1:]:
            text += f",{self.pick(' ', ' ', blank, self.comment() + blank)}{item}"
        return f"{left}{self.pick('', ' ')}{text}{self.pick('', ' ', ',')}{right}"

    def pair(self, key: str, item: Value, indent: int) -> str:
        if item is None and self.pick(True, False):
            return self.pick(f"{notation(key)}:", notation(key))
        return f"{notation(key)}: {self.flow(item, indent)}"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw a text: a mapping in any style, with comments, or a spec as ffspec writes it."""
    if draw(st.integers(0, 3)) == 0:
        text = dump(draw(specs.whole()), full=draw(st.booleans()))
    else:
        layout = Layout(draw)
        text = layout.entries(draw(mappings), draw(st.sampled_from((0, 0, 2)))) + layout.above(0)
    text = text[:-1] if draw(st.integers(0, 3)) == 0 else text
    return text.replace("\n", draw(st.sampled_from(("\n", "\n", "\r\n", "\r"))))


@st.composite
def edited(draw: st.DrawFn) -> tuple[Source, Edit, Value]:
    """Draw a text, an edit of it, and the value it must then have."""
    source = parse(draw(texts()), "x")
    assume(not source.diagnostics)
    path = draw(st.sampled_from(sorted((path for path in source.places if path), key=repr)))
    action = draw(st.sampled_from(ACTIONS))
    new: Any = draw(keys if action == "rename" else values)
    if action == "set" and isinstance(at(source.value, path), dict | None):
        path = (*path, draw(keys))
        if path not in source.places and draw(st.booleans()):
            path = (*path, draw(keys))
    edit = Edit(action=action, path=path, value=new)
    return source, edit, change(source.value, edit)


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def change(value: Any, edit: Edit) -> Value:
    """Make an edit in memory."""
    return _change(value, edit.path, edit)


def _change(value: Any, path: Path, edit: Edit) -> Value:
    key, *rest = path
    if value is None:
        value = {}
    if rest and edit.action == "set" and isinstance(value, dict) and key not in value:
        value = {**value, key: {}}
    items: list[Any] = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    names = [name for name, _ in items]
    index = names.index(key) if key in names else len(names)
    if rest:
        items[index] = (key, _change(items[index][1], tuple(rest), edit))
    elif edit.action == "remove":
        del items[index]
    elif edit.action == "insert":
        items.insert(index + 1, (None, edit.value))
    elif edit.action == "rename":
        items[index] = (edit.value, items[index][1]) if isinstance(value, dict) else (key, edit.value)
    else:
        items[index : index + 1] = [(key, edit.value)]
    return dict(items) if isinstance(value, dict) else tuple(item for _, item in items)


def possible(source: Source, edit: Edit) -> bool:
    """Return whether an edit makes sense, and leaves no list or mapping empty."""
    if edit.action == "set":
        return True
    above = at(source.value, edit.path[:-1])
    if edit.action == "remove":
        return len(above) > 1
    if edit.action == "rename":
        return edit.value not in above if isinstance(above, dict) else isinstance(at(source.value, edit.path), str)
    return edit.action == "replace" or isinstance(above, tuple)


def taken(source: Source, made: Patch) -> tuple[int, int]:
    """Return the offsets of the stretch a patch takes out."""
    text = source.text
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
    places = (made.span.start, made.span.end)
    start, end = (starts[place.line - 1] + place.column - 1 for place in places)
    return start, end


@given(edited())
@settings(max_examples=400)
def test_a_patched_text_says_what_the_edit_says(drawn: tuple[Source, Edit, Value]) -> None:
    source, edit, expected = drawn
    made = patch(source, edit)
    if made is None:
        assert not possible(source, edit), f"{source.text}\n{edit}"
        return
    patched = apply(source.text, [made])
    read = parse(patched, "x")
    assert read.diagnostics == (), patched
    assert repr(read.value) == repr(expected), patched


@given(edited())
@settings(max_examples=400)
def test_a_patch_takes_out_no_more_than_it_must(drawn: tuple[Source, Edit, Value]) -> None:
    source, edit, _ = drawn
    made = patch(source, edit)
    if made is None:
        return
    start, end = taken(source, made)
    if edit.action == "insert":
        assert start == end
    if edit.path not in source.places:
        assert not COMMENT.search(source.text[start:end])
        return
    place = source.places[edit.path]
    keyed = place.key is not None and edit.action in {"remove", "rename"}
    first = place.key.start if place.key is not None and keyed else place.value.start
    last = place.key.end if place.key is not None and edit.action == "rename" else place.value.end
    if edit.action != "insert":
        ahead, behind = source.text[start : max(start, first)], source.text[min(last, end) : end]
        comment = r"(?: *#c\d+)?" if edit.action == "remove" else ""
        # A comment between the dash and its item goes with them.
        assert re.fullmatch(r"[\s,]*(?:-(?:\s|#c\d+)*)?", ahead), source.text
        assert re.fullmatch(rf"[ ,]*{comment}\s*", behind), source.text


@given(edited())
@settings(max_examples=200)
def test_a_line_keeps_the_ending_of_the_file(drawn: tuple[Source, Edit, Value]) -> None:
    source, edit, _ = drawn
    made = patch(source, edit)
    if made is not None:
        endings = set(re.findall(r"\r\n|\r|\n", source.text)) or {"\n"}
        assert set(re.findall(r"\r\n|\r|\n", apply(source.text, [made]))) <= endings


@given(mutated() | yamlish)
@settings(max_examples=300)
def test_a_patch_of_a_fault_leaves_a_text_that_reads_no_worse(text: str) -> None:
    opened = document.parse(text)
    for item in opened.diagnostics:
        if item.patch is not None:
            patched = parse(apply(text, [item.patch]), "x")
            assert len(patched.diagnostics) <= len(opened.source.diagnostics)
            assert (patched.value is None) == (opened.source.value is None)
