"""Documents: valid parts, places of faults, and what callers get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ffspec import document
from ffspec.diagnostics import Diagnostic, Severity, SpecError
from ffspec.document import Document
from ffspec.review import Review
from ffspec.spec import grammar
from ffspec.spec.activations import ReLU
from ffspec.spec.layers import Linear
from ffspec.spec.root import Spec

GOOD = """\
seed: 3
dataset: iris
layers:
  - linear: 8
  - relu
  - residual: [{linear: 8}, relu]
  - linear: {bias: false}
loss: cross_entropy
optimizer: {sgd: 0.1}
training:
  epochs: 5
"""


def place(opened: Document, *path: str | int, at_key: bool = False) -> str:
    """Return the text that a diagnostic at a path underlines, with its line."""
    found = opened.locate(Diagnostic(code="FF999", message="m", path=path, at_key=at_key))
    assert found.span is not None
    line = opened.source.text.splitlines()[found.span.start.line - 1]
    end = found.span.end.column - 1 if found.span.end.line == found.span.start.line else None
    return f"{found.span.start.line}: {line[found.span.start.column - 1 : end]}"


def codes(opened: Document) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(item.code, item.path) for item in opened.diagnostics]


def test_a_good_spec() -> None:
    opened = document.parse(GOOD)
    assert opened.diagnostics == ()
    assert isinstance(opened.spec, Spec)
    assert opened.spec.seed == 3
    assert opened.parts == {name: getattr(opened.spec, name) for name in Spec.model_fields}
    assert opened.render(()) == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("seed",), "1: 3"),
        (("layers",), "4: - linear: 8"),
        (("layers", 0), "4: linear: 8"),
        (("layers", 0, "linear"), "4: 8"),
        (("layers", 0, "linear", "out_features"), "4: 8"),  # the argument standing alone
        (("layers", 0, "linear", "in_features"), "4: linear"),  # would stand beside it
        (("layers", 1), "5: relu"),
        (("layers", 2, "residual", "layers", 0, "linear", "out_features"), "6: 8"),
        (("layers", 2, "residual", "layers", 1), "6: relu"),
        (("layers", 3, "linear", "out_features"), "7: linear"),
        (("layers", 3, "linear", "bias"), "7: false"),
        (("loss", "cross_entropy", "weight"), "8: cross_entropy"),
        (("optimizer", "sgd", "lr"), "9: 0.1"),
        (("optimizer", "sgd", "momentum"), "9: sgd"),
        (("training", "batch_size"), "10: training"),
        (("scheduler",), "1: seed"),
        ((), "1: seed: 3"),
    ],
)
def test_places(path: tuple[str | int, ...], expected: str) -> None:
    assert place(document.parse(GOOD), *path) == expected


def test_places_of_keys() -> None:
    opened = document.parse(GOOD)
    assert place(opened, "seed", at_key=True) == "1: seed"
    assert place(opened, "layers", 3, "linear", "bias", at_key=True) == "7: bias"
    assert place(opened, "layers", 1, at_key=True) == "5: relu"


def test_a_located_diagnostic_stays_where_it_is() -> None:
    opened = document.parse(GOOD)
    located = opened.locate(Diagnostic(code="FF999", message="m", path=("seed",)))
    assert opened.locate(located) is located


def test_the_valid_parts_of_a_broken_spec() -> None:
    text = GOOD.replace("  - relu\n", "  - rellu\n").replace("epochs: 5", "epochs: x").replace("dataset: iris\n", "")
    opened = document.parse(text)
    assert codes(opened) == [
        ("FF011", ("dataset",)), ("FF014", ("layers", 1)), ("FF013", ("training", "epochs")),
    ]  # fmt: skip
    assert opened.spec is None
    assert set(Spec.model_fields) - set(opened.parts) == {"dataset", "training"}
    assert opened.parts["layers"][:2] == (Linear(out_features=8), None)
    assert len(opened.parts["layers"]) == 4
    assert opened.parts["seed"] == 3
    assert opened.parts["scheduler"] is None


def test_parts_stay_strict() -> None:
    opened = document.parse("layers: [relu]\nseed: 1.0\nloss: x\n")
    assert opened.parts["layers"] == (ReLU(),)
    assert not {"seed", "loss"} & set(opened.parts)


def test_a_value_that_could_not_be_read_is_no_part() -> None:
    opened = document.parse(GOOD.replace("linear: 8\n", "linear: 08\n").replace("sgd: 0.1", "sgd: .nan"))
    assert codes(opened) == [("FF008", ("layers", 0, "linear")), ("FF008", ("optimizer", "sgd"))]
    assert opened.parts["layers"][0] is None
    assert "optimizer" not in opened.parts


def test_a_list_that_is_wrong_as_a_whole_is_no_part() -> None:
    assert "layers" not in document.parse(GOOD.replace("layers:", "layers: []\nx:")).parts
    assert document.parse("- 1\n").parts == {}


def test_one_fault_is_one_diagnostic() -> None:
    text = GOOD.replace("optimizer:", "optimiser:").replace("loss: cross_entropy", "losss: CrossEntropyLoss")
    assert codes(document.parse(text)) == [("FF012", ("losss",)), ("FF012", ("optimiser",))]
    assert codes(document.parse("layers: [rellu]\ndataset: iris\nloss: bce\noptimizer: adam\n")) == [
        ("FF014", ("layers", 0))
    ]


def test_a_fault_of_the_text_hides_no_fault_of_the_spec() -> None:
    text = GOOD.replace("seed: 3", "seed: 3\nseed: 4\nname: &a x").replace("relu\n", "rellu\n", 1)
    assert codes(document.parse(text)) == [("FF004", ("seed",)), ("FF005", ("name",)), ("FF014", ("layers", 1))]


def test_file_order() -> None:
    opened = document.parse("training: {epochs: x, lr: 1}\nseed: y\nlayers: [rellu]\nname: 3\nlos: bce\n")
    found = [item.span for item in opened.diagnostics if item.span is not None]
    assert found == sorted(found)
    assert len(found) == len(opened.diagnostics) == 8


def test_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.yaml").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    opened = document.load("sub/x.yaml")
    assert opened.spec == document.parse(GOOD).spec
    assert opened.directory == Path("sub")
    assert opened.source.name == "sub/x.yaml"
    assert document.load(tmp_path / "no.yaml").spec is None
    assert document.parse(GOOD, directory="data").directory == Path("data")


def test_raising() -> None:
    opened = document.parse(GOOD)
    warning = Diagnostic(
        code="FF123", message="lr is large", path=("optimizer", "sgd", "lr"), severity=Severity.WARNING
    )
    fault = Diagnostic(code="FF112", message="widths differ", path=("layers", 3))
    review = Review(opened)
    assert [item.code for item in review.take((warning,))] == ["FF123"]
    review.stop()
    assert review.take((warning, replace(warning, severity=Severity.INFO, message="a hint"))) != ()
    review.take((fault,))
    with pytest.raises(SpecError) as caught:
        review.stop()
    assert [item.code for item in caught.value.diagnostics] == ["FF112", "FF123"]
    assert str(caught.value) == (
        "<text>:7:5: error[FF112]: widths differ\n"
        "    7 |   - linear: {bias: false}\n"
        "      |     ^^^^^^^^^^^^^^^^^^^^^\n"
        "<text>:9:18: warning[FF123]: lr is large\n"
        "    9 | optimizer: {sgd: 0.1}\n"
        "      |                  ^^^\n"
        "1 error, 1 warning"
    )


def test_the_shipped_specs_have_no_fault() -> None:
    specs = sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))
    assert specs
    assert {path.name: document.load(path).diagnostics for path in specs} == {path.name: () for path in specs}


def test_every_place_of_the_language_is_found() -> None:
    assert grammar.node_of(grammar.at(())) is Spec
    assert grammar.node_of(grammar.at(("layers", 7, "repeat", "layers", 0, "linear"))) is Linear
    assert grammar.family_of(grammar.at(("layers", 0, "linear", "init"))) is not None
    assert "blobs" in grammar.keys_of(grammar.at(("dataset",)))
    assert "source" not in grammar.keys_of(grammar.at(("dataset",)))
    assert grammar.keys_of(grammar.at(("checks", "test.loss"))) == ("min", "max")
    assert grammar.at(("optimizer", "adam", "betas", 1)) != ()
    assert grammar.at(("optimizer", "adam", "betas", 2)) == ()
    assert grammar.at(("layers", "linear")) == grammar.at(("seed", "x")) == grammar.at(("nonsense", 0)) == ()
