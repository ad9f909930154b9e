"""Ejected scripts: they say what ffspec does, to the last bit, and as one would write it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import ffspec
from ffspec.diagnostics import SpecError
from ffspec.export import eject
from ffspec.schema import FAMILIES
from ffspec.spec.metrics import METRICS
from tests.eject.agreement import Case, disagreements, make, run_alone, run_together
from tests.eject.generated import run_generated
from tests.eject.special import FILES, SPECIAL
from tests.snippets import OPTIONAL
from tests.test_specs import NEEDED

SPECS = Path(__file__).parents[1] / "specs"
SHIPPED = tuple(sorted(path.stem for path in SPECS.glob("*.yaml") if path.stem not in NEEDED))
EPOCHS = {"deep_mlp": 3}
"""The epochs of a shipped spec that takes long."""
COUNT = 24
"""Generated specs: enough for every component; `python -m tests.bench.eject` tries 200."""
SEED = 0
PARTS: set[str] = set()
"""What the generated specs hold."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eject")


@pytest.fixture(scope="module")
def cases(folder: Path) -> dict[str, Case]:
    """Run the shipped, the special and the generated specs, and after them all their scripts in one process."""
    made = dict(_cases(folder))
    run_together(made.values())
    return made


def _cases(folder: Path) -> Iterator[tuple[str, Case]]:
    for name in SHIPPED:
        changed = [f"training.epochs={EPOCHS[name]}"] if name in EPOCHS else []
        yield name, make(folder / name, SPECS / f"{name}.yaml", overrides=changed)
    for name, text in SPECIAL.items():
        yield name, _written(folder / name, text, FILES)
    for one, case in run_generated(COUNT, SEED, folder, Counter()):
        PARTS.update(one.parts)
        yield case.folder.name, case


def _written(folder: Path, text: str, files: dict[str, str]) -> Case:
    folder.mkdir(exist_ok=True)
    for name, content in {**files, "spec.yaml": text}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return make(folder, folder / "spec.yaml", allow=OPTIONAL)


def test_scripts_print_the_same_numbers_and_save_the_same_bits(cases: dict[str, Case]) -> None:
    faults = {name: found for name, case in cases.items() if (found := disagreements(case))}
    assert not faults, "\n".join(f"{name}: {fault}" for name, found in faults.items() for fault in found)


def test_an_unmet_check_fails_the_script_too(cases: dict[str, Case]) -> None:
    failed = (cases["unmet"].folder / "failed.txt").read_text(encoding="utf-8")
    assert not cases["unmet"].result.ok
    assert failed.splitlines()[-3:] == [
        '    assert after["train"]["loss"] <= 0.001',
        "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "AssertionError",
    ]


def test_the_generated_specs_hold_every_component(cases: dict[str, Case]) -> None:
    assert len([name for name in cases if name.startswith("generated")]) == COUNT
    kinds = [family for family in FAMILIES if family.kind not in {"dataset", "range"}]
    wanted = {f"{family.kind} {name}" for family in kinds for name in family.names}
    assert wanted - PARTS == set()
    assert {f"metric {metric.name}" for metric in METRICS} - PARTS <= {"metric max_error"}


def test_a_script_is_clean_and_formatted(cases: dict[str, Case], folder: Path) -> None:
    scripts = [str(case.folder / "train.py") for case in cases.values()]
    for arguments in (["check", "--output-format=concise"], ["format", "--diff", "--line-length=100"]):
        ruff = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", *scripts]
        child = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, check=False)
        assert child.returncode == 0, child.stdout + child.stderr


def test_a_script_imports_only_what_its_first_lines_say(cases: dict[str, Case]) -> None:
    for case in cases.values():
        tree = ast.parse(case.text)
        found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        found |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        packages = {name.partition(".")[0] for name in found} - sys.stdlib_module_names
        (line,) = [line for line in case.text.splitlines() if line.startswith("    pip install ")]
        assert line.split()[2:] == sorted({"sklearn": "scikit-learn"}.get(name, name) for name in packages)
        assert "ffspec" not in packages


@pytest.mark.parametrize("name", ["feedforward", "penguins", "deep_mlp"])
def test_a_script_agrees_in_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    changed = [f"training.epochs={EPOCHS[name]}"] if name in EPOCHS else []
    case = make(tmp_path, SPECS / f"{name}.yaml", overrides=[*changed, "checks={}"], trial=True)
    run_alone(case)
    assert disagreements(case) == []


def test_the_page_shows_the_script_as_it_is() -> None:
    page = (SPECS.parent / "docs" / "eject.md").read_text(encoding="utf-8")
    shown = page.partition("```text\n")[2].partition("```\n")[0]
    spec = ffspec.load(SPECS / "feedforward.yaml")
    assert shown == eject(spec, name="feedforward.yaml", file=Path("train.py"))


def test_diamonds_agree_where_they_are(tmp_path: Path) -> None:
    if not NEEDED["diamonds"].exists():
        pytest.skip("diamonds.parquet is not there; the spec says how to fetch it")
    case = make(tmp_path, SPECS / "diamonds.yaml", overrides=["training.epochs=1", "checks={}"])
    run_together([case])
    assert disagreements(case) == []


SPEC = "dataset: {source}\nlayers: [linear]\nloss: {loss}\noptimizer: sgd\n"
UNDEFINED = "metrics: [roc_auc]\nchecks: {test.roc_auc: {min: 0.5}}\n"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            SPEC.format(source="arrays", loss="mse"),
            "a script has no arrays handed over: its rows must be in a file, in the spec, or drawn",
            "write them to a file, and name it: csv: {path: rows.csv, target: y}",
        ),
        (
            SPEC.format(source="iris", loss="cross_entropy") + "training: {device: auto}\n",
            "a script computes the same bits on the CPU only, found device: auto",
            "write it for the CPU: --set training.device=cpu",
        ),
        (
            SPEC.format(source="{xor: 4, split: {test: 1}}", loss="bce_with_logits") + UNDEFINED,
            "a script cannot say test.roc_auc: roc_auc is undefined on the rows of test",
            None,
        ),
    ],
)
def test_what_a_script_cannot_say_is_refused(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(SpecError) as error:
        eject(ffspec.load(text, allow=OPTIONAL))
    (found,) = error.value.diagnostics
    assert (found.code, found.message, found.hint) == ("FF018", message, hint)


def test_a_path_is_written_as_it_is_seen_from_the_script(tmp_path: Path) -> None:
    spec = ffspec.load(SPECS / "penguins.yaml")
    assert 'pl.read_csv(HERE / "penguins.csv"' in eject(spec)
    assert 'pl.read_csv(HERE / "specs/penguins.csv"' in eject(spec, file=SPECS.parent / "train.py")
    text = eject(spec, file=SPECS.parent / "train.py")
    assert "The rows are read from specs/penguins.csv; paths begin at the folder of this file." in text
