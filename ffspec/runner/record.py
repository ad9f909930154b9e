"""What a run writes down."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch

from ffspec import __version__, rundir
from ffspec.resolver import resolve
from ffspec.writer import dump

if TYPE_CHECKING:
    from pathlib import Path

    from ffspec.data import Loaded
    from ffspec.planner import Plan
    from ffspec.rundir import RunDirectory
    from ffspec.runner.loop import Row
    from ffspec.runner.result import Result
    from ffspec.spec.root import Spec

PACKAGES = ("torch", "numpy", "scikit-learn", "polars", "pydantic", "safetensors")


class Record:
    """Writes the files of one run directory; they appear whole, in the order of the run."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory

    @property
    def path(self) -> Path:
        """The directory."""
        return self._directory.path

    def begin(self, text: str, spec: Spec, plan: Plan, loaded: Loaded) -> None:
        """Write what is known before training: the spec, as written and resolved, the environment, the preparation."""
        ignored = (
            f"# ffspec: ignore[{', '.join(sorted(spec.allowed))}] let through in this run\n" if spec.allowed else ""
        )
        self._directory.write(rundir.SPEC, text)
        self._directory.write(rundir.RESOLVED, ignored + dump(resolve(spec, plan, self.path), full=True))
        self._directory.write_json(rundir.ENVIRONMENT, {**environment(spec), "data": fingerprint(loaded)})
        self._directory.write(rundir.PREPARE, loaded.preparation.to_json())
        self._directory.write_json(rundir.STATUS, {"status": "running"})

    def finish(self, result: Result) -> None:
        """Write the history, the checks and the weights of a run that ended well."""
        self._directory.write_lines(rundir.HISTORY, list(result.history))
        met = [asdict(expectation) for expectation in result.expectations]
        checks = {"before": result.before, "after": result.after, "expectations": met}
        self._directory.write_json(rundir.CHECKS, checks)
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in result.model.state_dict().items()}
        self._directory.write(rundir.MODEL, safetensors.torch.save(weights))
        self._directory.write_json(rundir.STATUS, {"status": "done", "expectations_met": result.ok})

    def fail(self, rows: list[Row], status: str, message: str) -> None:
        """Write how far a run came that did not end well."""
        self._directory.write_lines(rundir.HISTORY, rows)
        self._directory.write_json(rundir.STATUS, {"status": status, "message": message})


def environment(spec: Spec) -> dict[str, Any]:
    """Return what a result depends on beside the spec: versions, the machine's abilities, threads."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": spec.training.threads,
        "packages": {"ffspec": __version__, **{name: version(name) for name in PACKAGES}},
        "variables": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(("MKL_", "OMP_", "ATEN_"))
        },
    }


def fingerprint(loaded: Loaded) -> dict[str, Any]:
    """Return what identifies the data: columns, classes, and rows and content hash of every split."""
    splits = {}
    for name, split in loaded.splits.items():
        digest = hashlib.sha256()
        for array in (split.x, split.y):
            digest.update(np.ascontiguousarray(array).data)
        splits[name] = {"rows": len(split), "sha256": digest.hexdigest()}
    classes = None if loaded.classes is None else list(loaded.classes)
    return {"features": list(loaded.features), "targets": list(loaded.targets), "classes": classes, "splits": splits}
