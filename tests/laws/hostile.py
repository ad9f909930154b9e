"""What a stranger may hand over: specs, data files and run directories, changed with ill will or by accident."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

ROOT = Path(__file__).parents[2]
BAD = tuple(path.read_bytes() for path in sorted((ROOT / "tests" / "bad").glob("*.yaml")))
SHIPPED = tuple(path for path in sorted((ROOT / "specs").glob("*.yaml")) if path.stem not in {"diamonds", "deep_mlp"})

TABLE = """\
name: net
dataset:
  csv: {path: a.csv, target: y, drop: [t], null_values: [none], validation: below/b.csv}
  split: {test: 0.3}
  prepare: {scale: standardize, missing: median}
layers: [{linear: 6}, batch_norm, relu, {dropout: 0.2}, {residual: [{linear: 6}, gelu]}, linear]
loss: cross_entropy
optimizer: {adam: {lr: 0.01}}
scheduler: {warmup: {total_iters: 1, then: cosine_annealing}}
training: {epochs: 3, batch_size: 8, early_stopping: {patience: 1}}
checks: {improves: test.loss}
"""
PARQUET = """\
dataset: {parquet: {path: a.parquet, target: z}, prepare: {scale: quantile, smooth_clip: 3}}
layers: [{linear: 4}, tanh, linear]
loss: mse
optimizer: {sgd: {lr: 0.01, momentum: 0.9}}
training: {epochs: 1}
"""
REST = "layers: [{linear: 4}, relu, linear]\noptimizer: adamw\ntraining: {epochs: 1}\n"
GOOD = (
    TABLE,
    PARQUET,
    *(f"dataset: {{{name}: {{}}}}\nloss: cross_entropy\n{REST}" for name in ("classification", "spirals", "iris")),
    *(f"dataset: {{{name}: {{}}}}\nloss: huber\n{REST}" for name in ("friedman1", "regression", "diabetes")),
    f"dataset: {{inline: {{x: [0, 1, 2, 3, 4], y: [a, b, a, b, a]}}, split: none}}\nloss: hinge_embedding\n{REST}",
    *(path.read_text("utf-8") for path in SHIPPED),
)

WORDS = (
    "!!python/object/apply:os.system ['id']", "!!python/name:os.system", "os.system", "__import__('os')", "${HOME}",
    "{{ 7 * 7 }}", "{_target_: os.system, command: id}", "{class_path: evil.Evil}", "evil", "evil.Evil", "evil.py",
    "torch.nn.Linear", "&a x", "*a", "<<: {}", "a.pkl", "a.csv", "a.parquet", "below/b.csv", "penguins.csv",
    "../secret.csv", "link.csv", "out/secret.csv", "/etc/passwd", "/proc/self/mem", "/dev/zero", "~/.netrc", "*.csv",
    "pipe", "..", ".", "../../x", "http://127.0.0.1:9/a.csv", "https://127.0.0.1:9/a.parquet", "s3://bucket/a.parquet",
    "file:///etc/passwd", "hf://datasets/a/b.csv", "//127.0.0.1/share/a.csv", "''", "[]", "{}", "null", "true", "-1",
    "0", "1", "3", "0.5", "1e300", "1e-300", "99999999999", "relu", "linear", "adam", "mse", "bce_with_logits",
    "iris", "{xor: 100}", "{inline: {x: [0, 1, 2], y: [0, 1, 0]}}", "x", "y", "t", "z", "auto", "cuda",
)  # fmt: skip
"""What may stand in the place of a value."""
PATHS = (
    "../secret.csv", "link.csv", "out/secret.csv", "/etc/passwd", "/proc/self/mem", "/proc/self/environ", "pipe",
    "below", "http://127.0.0.1:9/a.csv", "s3://bucket/a.csv", "~/.netrc", "*.csv", "a.pkl", "evil.py", "no such file",
)  # fmt: skip
PRIVATE = "x,t,y\n1,u,0\n2,v,1\n3,u,0\n4,v,1\n"
OTHERS = (".a.tmp-1-b", "1-a.safetensors", "2-b.safetensors", "3-c.safetensors")
"""Files of somebody else, named as a run might name its own."""


def furnish(folder: Path) -> Path:
    """Make a folder of data, with traps in it and a secret beside it; return it."""
    specs = folder / "specs"
    (specs / "below").mkdir(parents=True)
    lay_out(folder)
    (specs / "evil.py").write_text("open('imported', 'w')\n")
    (specs / "a.pkl").write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    (specs / "link.csv").symlink_to(folder / "secret.csv")
    (specs / "out").symlink_to(folder)
    os.mkfifo(specs / "pipe")
    shutil.copy(ROOT / "specs" / "penguins.csv", specs)
    for name, shift in (("a.csv", 0.0), ("below/b.csv", 0.05)):
        rows = (f"{row / 7 + shift:.3f},{'uv'[row % 2]},{row % 3 == 0},{int(row % 7 > 3)}\n" for row in range(40))
        (specs / name).write_text("x,t,b,y\n" + "".join(rows))
    frame = pl.DataFrame({"x": list(range(30)), "t": ["u", "v", "v"] * 10, "z": [1.5, 0.5, 2.0] * 10})
    frame.write_parquet(specs / "a.parquet")
    return specs


def changed(text: str, chance: random.Random) -> str:
    """Change a text in a few places: a word for another one, a line moved or lost, a character."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        kind = chance.random()
        words = list(re.finditer(r"[^\s,:\[\]{}]+", text))
        if kind < 0.7 and words:
            start, end = chance.choice(words).span()
            text = text[:start] + chance.choice(WORDS) + text[end:]
        elif kind < 0.85 and text:
            lines = text.splitlines(keepends=True)
            line = lines.pop(chance.randrange(len(lines)))
            text = "".join([*lines, line] if chance.random() < 0.5 else lines)
        else:
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice("{}[]:,'\"#&*!|>-\t\x00\u202e0") + text[at + chance.randint(0, 1) :]
    return text


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes of a file, or cut it short."""
    if chance.random() < 0.2:
        return data[: chance.randrange(len(data))]
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def lay_out(folder: Path) -> None:
    """Put what is private beside the specs."""
    shutil.rmtree(folder / "other", ignore_errors=True)
    (folder / "other").mkdir()
    for name in ("secret.csv", *(f"other/{name}" for name in OTHERS)):
        (folder / name).write_text(PRIVATE)


def is_untouched(folder: Path) -> bool:
    """Return whether what lies outside is as it was."""
    others = folder / "other"
    names = {path.name for path in others.iterdir()}
    return names == set(OTHERS) and all(
        path.read_text() == PRIVATE for path in (folder / "secret.csv", *(others / name for name in OTHERS))
    )


def tamper(directory: Path, folder: Path, chance: random.Random) -> str:
    """Change a run directory in one way, and say which: other bytes, other words, or what leads out of it."""
    victim = chance.choice(sorted(path for path in directory.rglob("*") if path.is_file()))
    checkpoints = sorted((directory / "checkpoints").glob("*.safetensors"))
    way = chance.choice(("bytes", "words", "link", "folder", "names", "state"))
    if way == "bytes":
        victim.write_bytes(damaged(victim.read_bytes() or b"0", chance))
    elif way == "words" and victim.suffix != ".safetensors":
        victim.write_text(changed(victim.read_text("utf-8"), chance), "utf-8")
    elif way == "link":
        victim.unlink()
        victim.symlink_to(folder / "secret.csv")
    elif way == "folder":
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)
        (directory / "checkpoints").symlink_to(folder / "other")
    elif way == "names":
        for path in directory.glob("*.json"):
            path.write_text(path.read_text("utf-8").replace("prepare.json", "../../../secret.csv"), "utf-8")
    elif way == "state" and checkpoints:
        _restate(checkpoints[-1], chance)
    return f"{way} {victim.name}"


def _restate(checkpoint: Path, chance: random.Random) -> None:
    """Change the description a checkpoint begins with, and give it the name that goes with its new bytes."""
    data = checkpoint.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    key = chance.choice(sorted(header["__metadata__"]))
    header["__metadata__"][key] = json.dumps(_misstated(json.loads(header["__metadata__"][key]), chance))
    text = json.dumps(header).encode()
    made = len(text).to_bytes(8, "little") + text + data[8 + size :]
    checkpoint.unlink()
    name = f"{checkpoint.name.partition('-')[0]}-{sha256(made).hexdigest()[:32]}.safetensors"
    (checkpoint.parent / name).write_bytes(made)


def _misstated(value: Any, chance: random.Random) -> Any:
    """Return a value of JSON that says something else somewhere."""
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        made: Any = value.copy()
        key = chance.choice(sorted(value)) if isinstance(value, dict) else chance.randrange(len(value))
        made[key] = _misstated(value[key], chance)
        return made
    return chance.choice((None, 0, -1, 10**30, 1e308, "x", "__class__", "../../../secret.csv", [], {}, True))
