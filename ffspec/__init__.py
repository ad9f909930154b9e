"""ffspec: a short YAML file becomes a trained feedforward network.

Every name is imported when it is first used: `import ffspec` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffspec.api import build, check, dump, load, plan, resume, run
    from ffspec.diagnostics import (
        Diagnostic,
        DivergedError,
        EvaluationError,
        FfspecError,
        InterruptedRunError,
        SpecError,
        StorageError,
    )
    from ffspec.planner import Plan
    from ffspec.proposal import propose
    from ffspec.repeating import cross_validate, repeat
    from ffspec.runner.result import Result
    from ffspec.spec.root import Spec
    from ffspec.sweeps import sweep

__version__ = "0.1.0"

__all__ = [
    "Diagnostic",
    "DivergedError",
    "EvaluationError",
    "FfspecError",
    "InterruptedRunError",
    "Plan",
    "Result",
    "Spec",
    "SpecError",
    "StorageError",
    "build",
    "check",
    "cross_validate",
    "dump",
    "load",
    "plan",
    "propose",
    "repeat",
    "resume",
    "run",
    "sweep",
]

_HOMES = {
    **dict.fromkeys(("build", "check", "dump", "load", "plan", "resume", "run"), "ffspec.api"),
    **dict.fromkeys(("cross_validate", "repeat"), "ffspec.repeating"),
    **dict.fromkeys(
        (
            "Diagnostic",
            "DivergedError",
            "EvaluationError",
            "FfspecError",
            "InterruptedRunError",
            "SpecError",
            "StorageError",
        ),
        "ffspec.diagnostics",
    ),
    "Plan": "ffspec.planner",
    "propose": "ffspec.proposal",
    "Result": "ffspec.runner.result",
    "Spec": "ffspec.spec.root",
    "sweep": "ffspec.sweeps",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ffspec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]
