"""What a run writes down."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch

from ffspec import __version__, rundir
from ffspec.comparison import differences
from ffspec.diagnostics import DivergedError, InterruptedRunError, StorageError
from ffspec.resolver import resolve
from ffspec.writer import dump

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from torch import nn

    from ffspec.data import Loaded
    from ffspec.diagnostics import FfspecError
    from ffspec.planner import Plan
    from ffspec.rundir import RunDirectory
    from ffspec.runner.loop import Row
    from ffspec.runner.population import Trained
    from ffspec.runner.result import Result
    from ffspec.spec.root import Spec

PACKAGES = ("torch", "numpy", "scikit-learn", "polars", "pydantic", "safetensors")

WEIGHTY = ("python", "cpu_capability", "threads", "packages")
"""What of the environment the bits may depend on."""

UNSEALED = (rundir.LOCK, rundir.MANIFEST, rundir.CHECKPOINTS)
"""What the manifest leaves out: checkpoints carry their digest in their names."""


class Record:
    """Writes the files of one run directory; they appear whole, in the order of the run."""

    def __init__(self, directory: RunDirectory, spec: Spec, plan: Plan, loaded: Loaded) -> None:
        self.directory = directory
        self._spec = spec
        self._plan = plan
        self._loaded = loaded

    @property
    def path(self) -> Path:
        """The directory."""
        return self.directory.path

    def begin(self, text: str) -> None:
        """Write what is known before training: the spec, as written and resolved, the environment, the preparation."""
        self.directory.write(rundir.SPEC, text)
        self.go_on()

    def go_on(self) -> None:
        """Write what is known before training goes on; the spec as written stays.

        The manifest lets go of a file before it is written anew: killed in between, a run is not taken for damaged.
        """
        self.directory.seal((rundir.SPEC,))
        self.directory.write(rundir.RESOLVED, self.resolved)
        self.directory.write_json(rundir.ENVIRONMENT, {**environment(self._spec), "data": self._data})
        self.directory.write(rundir.PREPARE, self._loaded.preparation.to_json())
        self.directory.write_json(rundir.STATUS, {"status": "running"})
        self.directory.seal((rundir.SPEC, rundir.RESOLVED, rundir.ENVIRONMENT, rundir.PREPARE))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint belongs to: how long the training is may change, and when it is kept."""
        lines = self.resolved.splitlines()
        kept = [line for line in lines if not line.lstrip().startswith(("epochs:", "max_steps:", "checkpoint:"))]
        made = environment(self._spec)
        return {"spec": kept, **{name: made[name] for name in WEIGHTY}, "data": self._data}

    def check_identity(self, saved: dict[str, Any], *, force: bool) -> None:
        """Compare what a checkpoint belongs to with what is there now.

        Raises:
            StorageError: They differ; the message says in what.
        """
        changes = differences(saved, self.identity) if saved else []
        if changes and not force:
            listed = "".join(f"\n  {line}" for line in changes)
            raise StorageError(f"{self.path} cannot go on to the same bits; --force goes on all the same:{listed}")

    def finish(self, result: Result) -> None:
        """Write the history, the checks and the weights of a run that ended well."""
        self.directory.write_lines(rundir.HISTORY, list(result.history))
        self.directory.write_json(rundir.CHECKS, checks_of(result))
        self.directory.write(rundir.MODEL, weights_of(result.model))
        self.directory.write_json(rundir.STATUS, {"status": "done", "expectations_met": result.ok})
        self.directory.seal(sorted(entry.name for entry in self.path.iterdir() if entry.name not in UNSEALED))

    def fail(self, rows: list[Row], error: FfspecError) -> None:
        """Write how far a run came that did not end well, as far as the disk lets."""
        with suppress(StorageError):
            self.directory.write_lines(rundir.HISTORY, rows)
            self.directory.write_json(rundir.STATUS, status_of(error))

    @cached_property
    def resolved(self) -> str:
        """The spec with everything inferred written out."""
        return written_out(resolve(self._spec, self._plan, self.path), self._spec.allowed)

    @cached_property
    def _data(self) -> dict[str, Any]:
        # Once: of a large table, a digest takes as long as some epochs.
        return fingerprint(self._loaded)


def written_out(spec: Spec, allowed: Collection[str]) -> str:
    """Return a spec with every default, and a comment that lets through what was let through."""
    named = ", ".join(sorted(allowed))
    ignored = f"# ffspec: ignore[{named}] let through in this run\n" if named else ""
    return ignored + dump(spec, full=True)


def status_of(error: FfspecError) -> dict[str, str]:
    """Return the status of a run that did not end well."""
    kinds = {DivergedError: "diverged", InterruptedRunError: "interrupted"}
    return {"status": kinds.get(type(error), "failed"), "message": str(error)}


def weights_of(network: nn.Sequential) -> bytes:
    """Return the parameters and buffers of a network as the bytes of a file."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return safetensors.torch.save(weights)


def as_bytes(value: Any) -> bytes:
    """Return a value as JSON; a number that is not finite is an error, for JSON has none."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def files_of(trained: Trained, resolved: str) -> dict[str, bytes]:
    """Return the files of a member of a population, which has been trained with others.

    Args:
        trained: What became of it.
        resolved: Its spec with everything inferred written out.
    """
    fitted = {"temperature": trained.temperature, "threshold": trained.threshold}
    known = {name: value for name, value in fitted.items() if value is not None}
    status: dict[str, Any] = {"status": "done"} if trained.error is None else status_of(trained.error)
    status["together"] = trained.together
    history = "".join(json.dumps(row, allow_nan=False) + "\n" for row in trained.history)
    files = {
        rundir.RESOLVED: resolved,
        rundir.PREPARE: trained.member.loaded.preparation.to_json(),
        rundir.HISTORY: history,
    }
    made = {name: text.encode() for name, text in files.items()}
    made[rundir.CHECKS] = as_bytes({"before": trained.before, "after": trained.after, **known})
    made[rundir.STATUS] = as_bytes(status)
    return made if trained.error is not None else {**made, rundir.MODEL: weights_of(trained.network)}


def checks_of(result: Result) -> dict[str, Any]:
    """Return what was measured before and after a training, and how sure that is."""
    met = [asdict(expectation) for expectation in result.expectations]
    return {"before": result.before, "after": result.after, "expectations": met, **judged(result)}


WIDE = 100
"""Of more classes, a confusion matrix is not written down."""


def judged(result: Result) -> dict[str, Any]:
    """Return what was fitted after training, and how sure the figures of the split are that judges the network."""
    fitted = {"temperature": result.temperature, "threshold": result.threshold}
    judgement = result.judgement
    found: dict[str, Any] = {name: value for name, value in fitted.items() if value is not None}
    found["intervals"] = {name: list(pair) for name, pair in judgement.intervals.items()}
    if judgement.classes:
        found["judged"] = judgement.split
        found["classes"] = [asdict(one) for one in judgement.classes]
        if len(judgement.classes) <= WIDE:
            found["confusion"] = judgement.confusion.tolist()
    return found


def check_files(directory: RunDirectory, *, force: bool) -> None:
    """Compare the files of a run with its manifest.

    Raises:
        StorageError: One is damaged, or was changed.
    """
    damaged = directory.damaged()
    if damaged and not force:
        names = ", ".join(damaged)
        message = f"{names} was damaged or changed since the run; --force goes on all the same"
        raise StorageError(f"{directory.path}: {message}")


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
    splits: dict[str, dict[str, Any]] = {}
    for name, split in loaded.splits.items():
        digest = hashlib.sha256()
        for array in (split.x, split.y, *([] if split.weight is None else [split.weight])):
            digest.update(np.ascontiguousarray(array).data)
        splits[name] = {"rows": len(split), "sha256": digest.hexdigest()}
    classes = None if loaded.classes is None else list(loaded.classes)
    found = {"features": list(loaded.features), "targets": list(loaded.targets), "classes": classes, "splits": splits}
    # Of rows that are streamed the hashes above are those of samples.
    return found if loaded.stream is None else {**found, "files": loaded.stream.digests(), "rows": loaded.stream.rows}
