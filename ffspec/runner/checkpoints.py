"""The whole state of a training as one file, and back: safetensors and JSON, no pickle.

Everything the bits depend on is in it: weights and buffers, their moving average, the optimizers, the schedule, early
stopping with its best weights, the history, the place in the epoch, and both random streams that training draws from.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch

from ffspec.builder.optimizer import load_state, state_of
from ffspec.diagnostics import DivergedError, StorageError
from ffspec.runner.packing import pack, unpack

if TYPE_CHECKING:
    from ffspec.rundir import RunDirectory
    from ffspec.runner.loop import Trainer

State = dict[str, Any]
"""All that changes while training, as `state_of_trainer` returns it."""

VERSION = 1
HEADER = 100_000_000
"""The longest description a file may begin with; safetensors' own bound."""


def state_of_trainer(trainer: Trainer, steps: int) -> State:
    """Return all that changes while training, after so many steps."""
    cursor = {field.name: getattr(trainer.cursor, field.name) for field in fields(trainer.cursor)}
    return {
        "version": VERSION,
        "steps": steps,
        "cursor": cursor,
        "network": dict(trainer.network.state_dict()),
        "optimizers": [state_of(optimizer) for optimizer in trainer.optimizers],
        "schedule": trainer.schedule.state(),
        "patience": None if trainer.patience is None else trainer.patience.state(),
        "average": None if trainer.average is None else trainer.average.state(),
        "random": torch.get_rng_state(),
        "order": trainer.order.get_state(),
    }


def put_back(trainer: Trainer, state: State) -> int:
    """Let a trainer go on where `state` was taken, and return the steps it has taken.

    Raises:
        StorageError: It is the state of another network, or none at all.
    """
    try:
        return _put_back(trainer, state)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RuntimeError) as error:
        raise StorageError(f"the checkpoint is of another training: {error!r}") from error


def _put_back(trainer: Trainer, state: State) -> int:
    own = {name: (tensor.shape, tensor.dtype) for name, tensor in trainer.network.state_dict().items()}
    saved = {name: (tensor.shape, tensor.dtype) for name, tensor in state["network"].items()}
    if own != saved:
        strange = sorted(name for name in {*own, *saved} if own.get(name) != saved.get(name))
        raise StorageError(f"the checkpoint is of another network: {', '.join(strange[:3])} differ")
    trainer.network.load_state_dict(state["network"])
    trainer.schedule.load(state["schedule"])
    for optimizer, one in zip(trainer.optimizers, state["optimizers"], strict=True):
        load_state(optimizer, one)
    if trainer.patience is not None and state["patience"] is not None:
        trainer.patience.load(state["patience"])
    if trainer.average is not None:
        trainer.average.load(state["average"])
    for field in fields(trainer.cursor):
        setattr(trainer.cursor, field.name, state["cursor"][field.name])
    torch.set_rng_state(state["random"])
    trainer.order.set_state(state["order"])
    return int(state["steps"])


def encode(state: State, identity: dict[str, Any]) -> bytes:
    """Return a state as the bytes of a file; `identity` says what it belongs to.

    Raises:
        DivergedError: A number of the network or of an optimizer is not finite: such a state is worth nothing.
    """
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(pack(state, tensors), allow_nan=False)
    wild = next((name for name, one in tensors.items() if one.is_floating_point() and not one.isfinite().all()), None)
    if wild is not None:
        raise DivergedError(f"{_plain(wild)} is not finite in epoch {state['cursor']['epoch']}")
    metadata = {"state": text, "identity": json.dumps(identity, allow_nan=False, sort_keys=True)}
    return safetensors.torch.save(tensors, metadata)


def decode(content: bytes) -> tuple[State, dict[str, Any]]:
    """Return the state and the identity a file holds.

    Raises:
        ValueError: It is no checkpoint.
    """
    try:
        size = int.from_bytes(content[:8], "little")
        if not 0 < size <= min(HEADER, len(content) - 8):
            raise ValueError("its header is damaged")
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        state = unpack(json.loads(metadata["state"]), safetensors.torch.load(content))
        identity = json.loads(metadata["identity"])
        lines = identity["spec"]
        if (
            state["version"] != VERSION
            or not isinstance(lines, list)
            or not all(isinstance(line, str) for line in lines)
        ):
            raise ValueError("it is of another version")
    except (KeyError, TypeError, AttributeError, RecursionError, safetensors.SafetensorError) as error:
        raise ValueError(f"it is no checkpoint: {error!r}") from error
    return state, identity


def newest(directory: RunDirectory) -> tuple[State | None, dict[str, Any], list[str]]:
    """Return the newest state that is whole, what it belongs to, and the names of damaged ones passed over."""
    damaged: list[str] = []
    for path in directory.checkpoints():
        content = directory.whole(path)
        if content is not None:
            with suppress(ValueError):
                return (*decode(content), damaged)
        damaged.append(path.name)
    return None, {}, damaged


def _plain(name: str) -> str:
    """Return the name of a tensor as people know it."""
    return name.removeprefix("state.").replace("network.", "parameter ")
