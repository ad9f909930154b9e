"""What really gets imported: reading, checking and showing a spec must not wait for the numerical libraries."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ffspec.runner.signals import heeding

ROOT = Path(__file__).parent.parent
SPEC = "specs/feedforward.yaml"

HEAVY = frozenset({"matplotlib", "numpy", "polars", "sklearn", "torch"})

COMMANDS = (
    ("--help",),
    ("--version",),
    ("check", SPEC),
    ("show", SPEC),
    ("schema",),
    ("explain", "FF012"),
)

# Runs the code given as the first argument, with the others as the command line, and lists what was imported.
PROBE = """
import atexit, sys
atexit.register(lambda: print("imported:", *sys.modules, file=sys.stderr))
code = sys.argv.pop(1)
exec(code)
"""


def imported(code: str, *arguments: str) -> set[str]:
    """Run code in a new process and return the modules it imported.

    Raises:
        AssertionError: the process failed, or ended without saying what it imported.
    """
    child = subprocess.run(
        [sys.executable, "-c", PROBE, code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout + child.stderr
    label, *modules = child.stderr.splitlines()[-1].split()
    assert label == "imported:", child.stderr
    return set(modules)


def test_the_probe_sees_a_heavy_import() -> None:
    assert HEAVY & imported("import importlib; importlib.import_module('numpy')") == {"numpy"}


def test_importing_the_package_is_light() -> None:
    modules = imported("import ffspec")
    assert "ffspec" in modules
    assert HEAVY & modules == set()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_that_trains_nothing_is_light(arguments: tuple[str, ...]) -> None:
    modules = imported("import runpy; runpy.run_module('ffspec', run_name='__main__')", *arguments)
    assert "ffspec.cli" in modules
    assert HEAVY & modules == set()


def test_a_small_run_imports_only_what_it_needs(tmp_path: Path) -> None:
    """The first optimizer of PyTorch would bring its compiler, and a metric of scikit-learn most of scipy."""
    code = "import runpy; runpy.run_module('ffspec', run_name='__main__')"
    modules = imported(code, "run", SPEC, "--out", str(tmp_path))
    assert {"numpy", "torch"} <= modules
    assert {"scipy", "sklearn", "polars", "pandas", "torch._dynamo", "torch._inductor", "sympy"} & modules == set()


# A finder that is interrupted where the command wants click.
INTERRUPTED = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from ffspec.__main__ import main
main()
"""


def test_an_interrupt_while_the_command_is_imported_is_no_traceback() -> None:
    child = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (130, "", "interrupted\n")


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeding(lambda *_: None):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) not in {signal.SIG_IGN, signal.SIG_DFL}
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
