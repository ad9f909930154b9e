"""What a stranger may hand over: specs, data files and run directories, changed with ill will or by accident."""

from __future__ import annotations

import os
import random
import re
import shutil
from pathlib import Path

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
dataset: {parquet: {path: a.parquet, target: z}}
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


def furnish(folder: Path) -> Path:
    """Make a folder of data, with traps in it and a secret beside it; return it."""
    specs = folder / "specs"
    (specs / "below").mkdir(parents=True)
    (folder / "secret.csv").write_text("x,t,y\n1,u,0\n2,v,1\n3,u,0\n4,v,1\n")
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
