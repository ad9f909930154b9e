"""What a training is compiled with, where its code is kept, and what is said where that fails."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from ffspec.diagnostics import CompilerError
from ffspec.rules.compiling import Compiling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from ffspec.diagnostics import Diagnostic
    from ffspec.runner.batches import Rows
    from ffspec.runner.evaluation import Judge
    from ffspec.spec.root import Spec

CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""Names the folder compiled code is kept in, to PyTorch."""


def find_missing(spec: Spec) -> Iterator[Diagnostic]:
    """Yield FF130 where a spec wants to be compiled and there is no C++ compiler."""
    if spec.training.compile and compiler() is None:
        yield Compiling().missing()


def compiler() -> str | None:
    """Return the C++ compiler TorchInductor would call, if it is there."""
    return next((found for found in map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++")) if found), None)


class Objective(nn.Module):
    """A network and its loss: rows, targets and perhaps weights of the rows in, the loss out, ()."""

    def __init__(self, network: nn.Module, judge: Judge) -> None:
        super().__init__()
        self.network = network
        self.loss = judge.loss if judge.weighted is None else judge.weighted
        self._judge = judge

    def forward(self, x_BF: Tensor, target: Tensor, *weight: Tensor) -> Tensor:
        """Return the loss."""
        with self._judge.autocast():
            return self._judge.train_loss(self.network(x_BF), target, *weight)


def compiled_gradients(network: nn.Module, judge: Judge, rows: Rows) -> Callable[..., Any]:
    """Return what computes the loss of as many rows and all gradients; see `compile_gradients`.

    Raises:
        CompilerError: There is no compiler, or it failed.
    """
    from ffspec.builder.compiled import compile_gradients

    factor = float(judge.members) if judge.independent else 1.0
    given = [tensor for tensor in rows if tensor is not None]
    with keeping(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of its own use of itself
        try:
            return compile_gradients(Objective(network, judge), *given, factor=factor)
        except Exception as error:  # whatever compiling raises, it is no reason for a traceback
            raise CompilerError(
                f"training.compile: {_told(error)}; see that there is a C++ compiler with the headers of Python, or "
                "write compile: false"
            ) from error


@contextmanager
def keeping() -> Iterator[None]:
    """Have compiled code kept in the user's cache for a block, unless it is said where."""
    folder = folder_of_cache()
    if CACHE in os.environ or folder is None:
        yield
        return
    os.environ[CACHE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(CACHE, None)


def folder_of_cache() -> Path | None:
    """Return the folder compiled code is kept in; None where it cannot be made, so that PyTorch takes a temporary one.

    It holds what is executed later, so nobody else may write there.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
    folder = Path(base) / "ffspec" / "inductor"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _told(error: Exception) -> str:
    """Return the line of an error that says most: that of the compiler, if it has one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return next((line for line in lines if re.search(r"\berror\b:", line)), first)[:300]
