"""A child process that watches itself at work on what a stranger may have made: `python -m tests.laws.closed`.

It first does everything with good specs, so that all there is to import has been imported. From then on nothing may be
imported, run, started, connected or opened but what a run needs. What happened instead is printed as JSON.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import os
import pickle
import random
import shutil
import socket
import subprocess
import sys
import sysconfig
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import ffspec
from ffspec import document
from ffspec.cli import _exit_code, command
from ffspec.data import Preparation
from ffspec.planner import draft
from tests.laws.hostile import BAD, GOOD, PATHS, ROOT, changed, damaged, furnish, is_untouched, lay_out, tamper

QUIET = frozenset({
    "object.__getattr__", "object.__setattr__", "object.__delattr__", "sys._getframe", "sys._getframemodulename",
    "builtins.id", "os.listdir", "os.scandir", "pathlib.Path.glob", "fcntl.flock",
    "socket.gethostname",
})  # fmt: skip
"""Events that change nothing and reach nothing: looking at objects, at names in a folder, at the machine's own name."""
WRITING = {"os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.link": 2}
"""Events whose first arguments, so many, are paths that are written to: in the folder of run directories alone."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


ACTIONS = {
    "check": ["check", "--data"],
    "probe": ["check", "--probe"],
    "eject": ["eject"],
    "run": ["run", "--set", "training.epochs=3"],
}
EJECTED = frozenset({
    "copy", "datetime", "hashlib", "math", "pathlib", "numpy", "polars", "safetensors.torch", "scipy.special",
    "sklearn.datasets", "sklearn.metrics", "torch", "warnings",
})  # fmt: skip
"""The modules that an ejected script may import."""
POWERS = frozenset({"exec", "eval", "compile", "open", "getattr", "globals", "vars", "__import__", "__builtins__"})
"""What a script needs none of."""


class Watch:
    """An audit hook; it cannot be taken out again, so it lives in a process of its own.

    Args:
        specs: The folder that may be read.
        out: The folder that may be read and written.
    """

    def __init__(self, specs: Path, out: Path) -> None:
        libraries = (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), str(ROOT / "ffspec"))
        self._written = _inside(str(out))
        self._read = (*map(_inside, libraries), _inside(str(specs)), self._written, "/proc/meminfo", "/sys/fs/cgroup/")
        self._on = self._started = False
        self.case = ""
        self.found: list[str] = []
        self.seen: Counter[str] = Counter()
        sys.addaudithook(self._hook)

    def start(self) -> None:
        """Watch from now on; before, everything may happen."""
        self._started = True

    def __enter__(self) -> None:
        self._on = self._started

    def __exit__(self, *error: object) -> None:
        self._on = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or event in QUIET:
            return
        self._on = False  # what the hook itself does is not looked at
        try:
            self.seen[event] += 1
            if not self._allowed(event, arguments):
                stack = "".join(traceback.format_stack(limit=8)[:-1])
                self.found.append(f"{self.case}: {event} {arguments!r:.300}\n{stack}")
        finally:
            self._on = True

    def _allowed(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event in WRITING:
            return all(self._lies_in(path, self._written, link=False) for path in arguments[: WRITING[event]])
        if event != "open":
            return False
        path, mode, flags = arguments
        writes = bool(flags & WRITES) if mode is None else any(letter in mode for letter in "wax+")
        return self._lies_in(path, self._written if writes else self._read)

    @staticmethod
    def _lies_in(path: Any, allowed: str | tuple[str, ...], *, link: bool = True) -> bool:
        """Whether a path lies in a folder; a last link is followed where it would be, and not where it is removed."""
        if isinstance(path, int):  # a file that is open already
            return True
        name = os.fsdecode(path)
        return os.path.realpath(name if link else Path(name).parent / "x").startswith(allowed)


def _inside(folder: str) -> str:
    return os.path.realpath(folder) + os.sep


class Stranger:
    """Does with specs, data and run directories all that there is to do; only ffspec's part is watched.

    Args:
        folder: An empty folder.
        chance: What decides how things are changed.
    """

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._folder, self._chance = folder, chance
        self._specs, self._out = furnish(folder), folder / "out"
        self._out.mkdir()
        self._files = {name: (self._specs / name).read_bytes() for name in ("a.csv", "a.parquet")}
        self.watch = Watch(self._specs, self._out)

    def warm_up(self) -> None:
        """Do it all with what is good, and with what is wrong in known ways."""
        for text in GOOD:
            for action in ("run", "eject"):
                self._command(action, text)
            self._library(text)
        for action in ("check", "probe"):
            self._command(action, GOOD[0])
        for data in BAD:
            self._command("check", data)
        self._directories = sorted(path.parent for path in self._out.rglob("model.safetensors"))
        if len(self._directories) != len(GOOD):
            raise AssertionError(f"{len(self._directories)} of {len(GOOD)} good specs ran")
        for directory in self._directories:
            self._preparation((directory / "prepare.json").read_text("utf-8"))
        self._several = [self._repeated(GOOD[0], "--seeds"), self._repeated(GOOD[1], "--folds")]
        self.watch.start()

    def _repeated(self, text: str, option: str) -> Path:
        """Train a spec several times, go on with it, and return its run directory."""
        path = self._specs / "spec.yaml"
        path.write_text(text, encoding="utf-8")
        self._call(["run", str(path), option, "2", "--out", str(self._out / option)])
        (directory,) = {found.parent for found in (self._out / option).rglob("several.json")}
        self._call(["resume", str(directory)])
        return directory

    def cases(self, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield the name of each case, and what does it."""
        for number, data in enumerate(BAD):
            yield f"bad {number}", partial(self._command, "check", data)
        for number in range(count):
            text = changed(self._chance.choice(GOOD), self._chance)
            yield f"spec {number}", partial(self._command, ("check", "run", "eject", "run", "probe")[number % 5], text)
            yield f"text {number}", partial(self._library, text)
        for path in PATHS:
            for kind, good in (("csv", "a.csv"), ("csv", "below/b.csv"), ("parquet", "a.parquet")):
                text = next(text for text in GOOD if f"{kind}:" in text).replace(good, f"'{path}'")
                yield f"path {path}", partial(self._command, "run", text)
        for number in range(count // 4):
            yield f"table {number}", self._damaged_table
            yield f"directory {number}", self._changed_directory
        for number in range(count // 2 if "resume" in command.commands else 0):
            yield f"resumed {number}", self._resumed

    def _command(self, action: str, text: str | bytes) -> None:
        path = self._specs / "spec.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
        self._run(action, path)

    def _run(self, action: str, path: Path) -> None:
        """Run a command over a spec, or only check it if it would take long."""
        arguments = ["check"]
        if is_light(document.load(path)):
            arguments = ACTIONS[action]
        if action == "run" and arguments != ["check"]:
            arguments = [*arguments, "--out", str(self._out)]
        printed = self._call([*arguments, str(path)])
        if arguments == ["eject"] and (strange := strangers_in(printed)):
            raise AssertionError(f"the script uses {strange}")

    def _call(self, arguments: list[str]) -> str:
        """Call the command, and return what it prints if all is well."""
        out, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), self.watch:
            code = _exit_code(["--debug", *arguments])
        if code not in {0, 1, 2, 3, 4}:
            raise AssertionError(f"exit code {code}: {said.getvalue()}")
        return "" if code else out.getvalue()

    def _library(self, text: str) -> None:
        with self.watch:
            opened = document.parse(text, directory=self._specs)
            ffspec.check(text, data=is_light(opened))
            if opened.spec is not None and is_light(opened):
                ffspec.build(opened.spec.at(self._specs))

    def _preparation(self, text: str) -> None:
        with self.watch, contextlib.suppress(ValueError):
            Preparation.from_json(text)

    def _damaged_table(self) -> None:
        name = self._chance.choice(sorted(self._files))
        (self._specs / name).write_bytes(damaged(self._files[name], self._chance))
        try:
            self._command("check", next(text for text in GOOD if name in text))
        finally:
            (self._specs / name).write_bytes(self._files[name])

    def _changed_directory(self) -> None:
        directory = self._chance.choice(self._directories)
        kept = (directory / "resolved.yaml").read_text("utf-8")
        try:
            (directory / "resolved.yaml").write_text(changed(kept, self._chance), "utf-8")
            self._run("run", directory / "resolved.yaml")
        finally:
            (directory / "resolved.yaml").write_text(kept, "utf-8")
        self._preparation(changed((directory / "prepare.json").read_text("utf-8"), self._chance))

    def _resumed(self) -> None:
        """Go on with a run directory that was tampered with."""
        chosen = self._chance.choice([*self._directories, *self._several])
        directory = self._out / "tampered" / "001"
        shutil.copytree(chosen, directory)
        more = [] if chosen in self._several else ["--epochs", "5"]
        try:
            self.watch.case += " " + tamper(directory, self._folder, self._chance)
            if is_light(document.load(directory / "resolved.yaml")):
                force = self._chance.choice(([], ["--force"], ["--force"]))
                self._call(["resume", str(directory), *more, *force])
        finally:
            shutil.rmtree(directory)


def proofs(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what no input may bring about, and how it is brought about on purpose."""
    yield "imported", partial(importlib.import_module, "wave")
    yield "run", partial(exec, "1 + 1")
    yield "started", partial(subprocess.run, ["true"], check=True)
    yield "told the shell", partial(os.system, "true")
    yield "connected", partial(socket.getaddrinfo, "127.0.0.1", 9)
    yield "unpickled", partial(pickle.loads, b"cbuiltins\nlen\n.")
    yield "read outside", partial((folder / "specs" / "link.csv").read_bytes)
    yield "written outside", partial((folder / "specs" / "written").write_bytes, b"")
    yield "removed outside", partial((folder / "secret.csv").unlink)


def strangers_in(script: str) -> set[str]:
    """Return what an ejected script imports or names that no spec should bring into it."""
    nodes = list(ast.walk(ast.parse(script)))
    modules = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return (modules - EJECTED) | ({node.id for node in nodes if isinstance(node, ast.Name)} & POWERS)


def is_light(opened: document.Document) -> bool:
    """Whether a spec can be worked on in a moment, as far as it can be told beforehand."""
    if opened.spec is None:
        return False
    drafted = draft(dict(opened.spec))
    rows = [count or 0 for count in drafted.facts.rows.values()]
    parameters = drafted.plan.parameters or 0 if drafted.plan else 0
    spec = opened.spec
    return (
        sum(rows) * (drafted.facts.features or 1) < 100_000
        and parameters < 100_000
        and spec.training.threads == 1
        and spec.optimizer.name != "lbfgs"
    )


def main() -> None:
    """Warm up, watch what a stranger can do, show that the watch sees, and print it all."""
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    stranger = Stranger(folder, random.Random(seed))  # noqa: S311 - nothing here is secret
    os.chdir(folder / "specs")
    stranger.warm_up()
    watch = stranger.watch
    crashes: list[str] = []
    done: Counter[str] = Counter()
    for name, act in stranger.cases(count):
        watch.case = name
        done[name.partition(" ")[0]] += 1
        try:
            act()
        except ffspec.SpecError:
            pass
        except BaseException:  # noqa: BLE001 - whatever it is, it is a bug
            crashes.append(f"{watch.case}: {traceback.format_exc(limit=-6)}")
        if not is_untouched(folder):
            crashes.append(f"{watch.case}: a file outside was changed")
            lay_out(folder)
    found, watch.found, events = watch.found, [], sorted(watch.seen)
    for name, act in proofs(folder):
        watch.case = name
        with watch:
            act()
    proven = sorted({item.partition(":")[0] for item in watch.found})
    print(json.dumps({"found": found, "crashes": crashes, "events": events, "done": done, "proven": proven}))  # noqa: T201


if __name__ == "__main__":
    main()
