"""Writing a spec: what is read back is what was written, down to texts that look like something else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ffspec
from ffspec import document
from ffspec.spec.root import Spec
from ffspec.writer import dump

LOOKALIKES = (
    "1e-3", "1E5", "-1.5e+3", ".5", "5.", "+1", "-0", "010", "0x10", "0o17", "0b1", "1_000", "1:30", "2024-01-01",
    "1.2.3", "no", "No", "yes", "on", "off", "y", "n", "true", "True", "FALSE", "null", "Null", "~", "", " ", "nan",
    ".nan", ".inf", "-.INF", "=", "<<", "*a", "&a", "!t", "%x", "@x", "`x", "- a", "-", "?", "? a", ": ", ":", "a: b",
    "a:", "a #b", "#b", "'", '"', "it's", '"quoted"', "\\", "\\n", "[a", "{a", "a]", "a}", "a,b", "|", ">", "---",
    "...", "--- a", "9" * 500, "1e999",
)  # fmt: skip
TEXTS = (
    "ä", "日本語", "😀", "e\u0301", "\u202e", "\ufeff", "a\u00a0b", "\x85", "a\u2028b\u2029c", "\x00", "\x1b[31m",
    "\x7f", "\t", "a\tb", "\ta", "a\n", "\na", "a\nb", "a\n\nb\n", " a\n  b\n c ", "a\rb", "a\r\nb", "a \nb",
    "# a\n- b\n", "\ud7ff", "\ue000", "word " * 60, "w" * 300, "line of some words\n" * 20,
)  # fmt: skip


def spec_with(text: str) -> Spec:
    return Spec.model_validate(
        {
            "description": text,
            "dataset": {"csv": {"path": text.replace("\0", "0") or "a", "target": text or "b"}},
            "layers": ("linear",),
            "loss": "mse",
            "optimizer": "sgd",
        }
    )


@pytest.mark.parametrize("text", [*LOOKALIKES, *TEXTS], ids=repr)
def test_a_text_stays_the_text_it_is(text: str) -> None:
    written = dump(spec_with(text))
    read = document.parse(written)
    assert read.diagnostics == (), written
    assert read.spec == spec_with(text)


@given(text=st.text(max_size=200) | st.text(alphabet="0123456789abcefnotruxy.+-_:~'\"\n #", max_size=12))
@example(text="a\n b")
def test_any_text_stays_the_text_it_is(text: str) -> None:
    assert document.parse(dump(spec_with(text))).spec == spec_with(text)


WRITTEN = """\
name: net
description: it's 10:30
seed: 3
dataset:
  blobs:
    n_samples: {train: 40, test: 10}
    labels: [0, 1, 1]
layers:
  - linear: {out_features: 10, init: {kaiming_normal: {nonlinearity: relu}}}
  - relu
  - repeat:
      times: 2
      layers:
        - linear: 4
        - {dropout: 0.25}
  - linear
loss: bce_with_logits
optimizer: {sgd: 0.01}
training: {epochs: 20, batch_size: all}
checks: {improves: test.loss}
"""


def test_how_a_spec_is_written() -> None:
    spec = ffspec.load(WRITTEN)
    text = dump(spec)
    assert text == dump(ffspec.load(text))
    assert text == (
        "name: net\n"
        "description: it's 10:30\n"
        "seed: 3\n"
        "dataset:\n"
        "  blobs:\n"
        "    n_samples: {train: 40, test: 10}\n"
        "    labels: [0, 1, 1]\n"
        "layers:\n"
        "  - linear:\n"
        "      out_features: 10\n"
        "      init:\n"
        "        kaiming_normal: {nonlinearity: relu}\n"
        "  - relu\n"
        "  - repeat:\n"
        "      times: 2\n"
        "      layers:\n"
        "        - {linear: 4}\n"
        "        - {dropout: 0.25}\n"
        "  - linear\n"
        "loss: bce_with_logits\n"
        "optimizer: {sgd: 0.01}\n"
        "training: {epochs: 20, batch_size: all}\n"
        "checks: {improves: test.loss}\n"
    )


def test_in_full_every_default_is_written() -> None:
    text = dump(ffspec.load(WRITTEN), full=True)
    for line in ("lr: 0.01", "momentum: 0.0", "dampening: 0.0", "weight_decay: 0.0", "nesterov: false", "groups: []"):
        assert f"    {line}\n" in text
    assert "shuffle: true" in text
    assert "ffspec: 1\n" in text
    assert "null" not in text
    assert ffspec.load(text) == ffspec.load(WRITTEN)


@pytest.mark.parametrize("number", [5e-324, 1e-5, 0.1, 1e5, 1e16, 1.7976931348623157e308, -1e22, 1 / 3])
def test_a_number_stays_the_number_it_is(number: float) -> None:
    bound = {"max": number} if number > 0 else {"min": number}
    value = {
        "dataset": "iris",
        "layers": ("linear",),
        "loss": "mse",
        "optimizer": "sgd",
        "checks": {"test.loss": bound},
    }
    spec = Spec.model_validate(value)
    assert document.parse(dump(spec)).spec == spec
