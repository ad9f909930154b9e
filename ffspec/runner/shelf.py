"""The directories of networks that are trained from one spec: written as each is done, and read again to go on."""

from __future__ import annotations

import json
import re
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch

from ffspec import rundir
from ffspec.comparison import differences
from ffspec.diagnostics import DivergedError, StorageError
from ffspec.resolver import moved
from ffspec.rundir import RunDirectory
from ffspec.runner.checkpoints import newest
from ffspec.runner.keeper import Keeper, settings_of
from ffspec.runner.population import Trained
from ffspec.runner.record import (
    WEIGHTY,
    Record,
    as_bytes,
    check_files,
    environment,
    files_of,
    fingerprint,
    written_out,
)
from ffspec.runner.setup import set_up
from ffspec.spec.dataset import Split
from ffspec.spec.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ffspec.data import Loaded
    from ffspec.planner import Plan
    from ffspec.runner.checkpoints import State
    from ffspec.runner.population import Member
    from ffspec.runner.run import Request


class Shelf:
    """Keeps what becomes of members; `Keeping` says for whom.

    Args:
        owned: The run directory of all, open; None: nothing is kept, and only signals are heeded.
        members: The members.
        seeds: Whether there are several seeds, and directories are named after them.
        damaged: Told of what is damaged, and so not gone on from.
    """

    def __init__(
        self, owned: RunDirectory | None, members: Sequence[Member], *, seeds: bool, damaged: Callable[[str], None]
    ) -> None:
        self.owned = owned
        spec = members[0].spec
        table, settings = isinstance(spec.dataset.source, Table), settings_of(spec.training)
        self.keeper = Keeper(directory=owned, settings=settings, identity={}, table=table)
        self._members = members
        self._seeds = seeds
        self._damaged = damaged
        self._known: dict[int, Trained] = {}
        self._resolved: dict[int | None, tuple[Plan, str]] = {}
        """By the fold, the plan and the resolved spec of a seed; of others with this plan, only the seed differs."""
        self._environments: dict[int, bytes] = {}

    @property
    def done(self) -> int:
        """Of how many it was known from the start what has become of them."""
        return len(self._known)

    def known(self, index: int) -> Trained | None:
        """Return what became of a member, if it is done."""
        return self._known.get(index)

    def under_way(self, index: int) -> State | None:
        """Let the keeper be that of a member, and return the state its training goes on from, if there is one."""
        keeper = self.keeper
        # A checkpoint says what it belongs to as lines of a spec.
        keeper.steps, keeper.identity = 0, {"spec": [name_of(self._members[index], seeds=self._seeds)]}
        if self.owned is None:
            return None
        state, identity, damaged = newest(self.owned)
        if identity != keeper.identity:
            self._forget()
            return None
        for name in damaged:
            self._damaged(name)
        return state

    def begin(self, request: Request, how: Mapping[str, Any]) -> None:
        """Write what is known before training, and all it takes to go on."""
        owned = self.owned
        if owned is None:
            return
        owned.write(rundir.SPEC, request.text)
        owned.write_json(rundir.SEVERAL, how)
        owned.write(rundir.ENVIRONMENT, self._environment(self._members[0].loaded))
        owned.write_json(rundir.STATUS, {"status": "running"})
        base = moved(request.spec, owned.path)
        # Last but for what proves it: without it there is nothing to go on with.
        owned.write(rundir.RESOLVED, written_out(base, request.spec.allowed))
        owned.seal((rundir.SPEC, rundir.SEVERAL, rundir.ENVIRONMENT, rundir.RESOLVED))

    def go_on(self, *, force: bool) -> None:
        """Read what is there of a run directory.

        Raises:
            StorageError: It is damaged, or what the bits depend on is not what it was.
        """
        owned = self.owned
        if owned is None:
            return
        check_files(owned, force=force)
        known = _weighty(owned.read(rundir.ENVIRONMENT))
        changes = differences(known, _weighty(self._environment(self._members[0].loaded)))
        if changes and not force:
            listed = "".join(f"\n  {line}" for line in changes)
            raise StorageError(f"{owned.path} cannot go on to the same bits; --force goes on all the same:{listed}")
        owned.write_json(rundir.STATUS, {"status": "running"})
        for index, member in enumerate(self._members):
            found = self._read(owned, member)
            if found is not None:
                self._known[index] = found

    def add(self, one: Trained, more: Mapping[str, bytes]) -> None:
        """Write what became of a member into a directory of its own, unless it is there."""
        if self.owned is None or any(one is known for known in self._known.values()):
            return
        name = name_of(one.member, seeds=self._seeds)
        kept = {rundir.ENVIRONMENT: self._environment(one.member.loaded)}
        self.owned.put(name, {**files_of(one, self._text(one.member, self.owned)), **kept, **more})
        self._forget()

    def _text(self, member: Member, owned: RunDirectory) -> str:
        """Return the resolved spec of a member."""
        fold = fold_of(member)
        known = self._resolved.get(fold)
        if known is None or known[0] != member.plan:
            folder = RunDirectory(owned.path / name_of(member, seeds=self._seeds))
            record = Record(folder, member.spec, member.plan, member.loaded)
            known = self._resolved[fold] = (member.plan, record.resolved)
        return re.sub(r"^seed: \d+$", f"seed: {member.spec.seed}", known[1], count=1, flags=re.MULTILINE)

    def _environment(self, loaded: Loaded) -> bytes:
        """Return what the result on these rows depends on beside the spec, as the bytes of a file."""
        if id(loaded) not in self._environments:
            made = {**environment(self._members[0].spec), "data": fingerprint(loaded)}
            self._environments[id(loaded)] = as_bytes(made)
        return self._environments[id(loaded)]

    def _forget(self) -> None:
        """Let go of the state of a training that has ended."""
        if self.owned is not None and (self.owned.path / rundir.CHECKPOINTS).is_dir():
            rmtree(self.owned.path / rundir.CHECKPOINTS, ignore_errors=True)

    def _read(self, owned: RunDirectory, member: Member) -> Trained | None:
        """Return what became of a member, if its directory is there and whole."""
        folder = RunDirectory(owned.path / name_of(member, seeds=self._seeds))
        if folder.path.is_symlink():
            raise StorageError(f"{folder.path} must not be a link: it would lead out of the run directory")
        if not folder.path.exists():
            return None
        if not folder.damaged():
            try:
                return _trained(folder, member)
            except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, safetensors.SafetensorError):
                pass  # whole, but of something else
        self._damaged(folder.path.name)
        rmtree(folder.path)
        return None


def name_of(member: Member, *, seeds: bool) -> str:
    """Return the name of a member's directory."""
    fold = fold_of(member)
    parts = [*([f"seed-{member.spec.seed}"] if seeds else []), *([] if fold is None else [f"fold-{fold}"])]
    return "-".join(parts)


def fold_of(member: Member) -> int | None:
    """Return which part of the rows a member is tested on, if they are divided into folds."""
    split = member.spec.dataset.split
    return (split.fold or 1) if isinstance(split, Split) and split.folds is not None else None


def _weighty(content: bytes) -> dict[str, Any]:
    """Return what the bits depend on, of an environment."""
    made = json.loads(content)
    return {name: made.get(name) for name in (*WEIGHTY, "data")}


def _trained(folder: RunDirectory, member: Member) -> Trained:
    """Read what became of a member."""
    status, checks = (json.loads(folder.read(name)) for name in (rundir.STATUS, rundir.CHECKS))
    history = [json.loads(line) for line in folder.read(rundir.HISTORY).splitlines()]
    network = set_up(member.spec, member.plan, member.loaded).network
    diverged = status["status"] == "diverged"
    if not diverged:
        network.load_state_dict(safetensors.torch.load(folder.read(rundir.MODEL)))
    return Trained(
        member=member,
        network=network.eval(),
        before=checks["before"],
        after=checks["after"],
        history=tuple(history),
        temperature=checks.get("temperature"),
        threshold=checks.get("threshold"),
        error=DivergedError(status["message"]) if diverged else None,
        together=status["together"],
    )
