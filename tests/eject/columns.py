"""Specs whose first layers treat columns as what they are: numbers or codes."""

from __future__ import annotations

PARTS = ("train", "train", "train", "validation", "test")

SPECIAL = {
    "embedded_columns": """
dataset:
  csv: {path: mixed.csv, target: b, task: regression, split_column: part}
  prepare: {categories: codes, scale: standardize}
layers:
  - embedding: auto
  - dropout: 0.1
  - scale
  - piecewise_linear: {d_embedding: 3, n_bins: 4, skip: true}
  - linear: 6
  - parametric: silu
  - linear: {init: zeros, bias_init: zeros}
  - target_scale
loss: l1
optimizer: {adam: 0.01}
training: {epochs: 3, batch_size: 8}
""",
    "waves_and_codes": """
dataset:
  csv: {path: mixed.csv, target: flag, split_column: part}
  prepare: {categories: codes}
layers: [{periodic: pbld}, {embedding: 2}, {linear: {out_features: 6, parametrization: ntk}}, {parametric: elu}, linear]
loss: bce_with_logits
optimizer: {adam: 0.01}
training: {epochs: 3, precision: float64, batch_size: 8}
""",
}
"""Each a spec as text, by a name for it."""

FILES = {
    "mixed.csv": "a,kind,b,flag,part\n"
    + "".join(
        f"{index % 7 / 3:.2f},{'xyz'[index % 3]},{index * index % 11},{'ny'[index % 2]},{PARTS[index % 5]}\n"
        for index in range(60)
    ),
}
"""What the table above is read from."""
