"""Ensembles that ask of a script what the generated ones ask rarely or never."""

from __future__ import annotations

from tests.eject.common import PAIR, REST

MEMBERS = {
    "members": PAIR
    + """
layers:
  - scale
  - ensemble:
      members: 3
      layers:
        - linear: {out_features: 4, init: {sparse: 0.5}, bias_init: {constant: 0.1}}
        - residual: [prelu, {linear: {out_features: 4, init: eye, bias: false}}, {batch_norm: {momentum: null}}]
        - {heaviside: straight_through}
        - linear: {out_features: 4, init: orthogonal, parametrization: ntk}
        - {layer_norm: {bias: false}}
        - {dropout: 0.5}
        - scale
        - rms_norm
        - flatten
        - linear
  - temperature
"""
    + REST
    + "training: {epochs: 3, batch_size: 8, clip_grad_norm: 0.5}\n",
    "members_in_common": PAIR
    + "layers: [{ensemble: {members: 3, share: hidden, layers: [{linear: 4}, batch_norm, relu, linear]}}]\n"
    + "loss: cross_entropy\noptimizer: {lbfgs: {max_iter: 3}}\ntraining: {epochs: 2, batch_size: 8}\n",
    "members_of_lbfgs": "dataset: {regression: {n_samples: {train: 40, test: 20000}, n_features: 9}}\n"
    "layers: [{ensemble: {members: 3, layers: [{linear: 4}, tanh, linear]}}, target_scale]\nloss: l1\n"
    "optimizer: {lbfgs: {max_iter: 3}}\ntraining: {epochs: 2, batch_size: 8, precision: float64}\n",
    "changing_ensemble": PAIR
    + "layers: [scale, {ensemble: {members: 3, layers: [{linear: 4}, batch_norm, relu, {dropout: 0.3}, linear]}}]\n"
    + "loss: bce_with_logits\noptimizer: {adamw: {groups: [{layers: ensemble, lr: 2}, {parameters: bias, lr: 0.1},"
    + " {layers: batch_norm, weight_decay: 0}]}}\nscheduler: flat_cos\ntraining: {epochs: 4, batch_size: 8,"
    + " schedules: {weight_decay: flat_cos, dropout: flat_cos}, ema: 0.9, clip_grad_norm: 1}\n",
    "members_of_columns": """
dataset:
  csv: {path: mixed.csv, target: kind, split_column: part}
  prepare: {categories: codes}
layers:
  - ensemble:
      members: 2
      layers: [embedding, {periodic: {n_frequencies: 3}}, scale, {linear: 5}, {parametric: selu}, linear]
loss: cross_entropy
optimizer: {adam: 0.01}
training: {epochs: 2, batch_size: 8}
""",
}
