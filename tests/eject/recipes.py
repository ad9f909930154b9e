"""Recipes, and what they ask of a script: a ridge regression beside the layers, and a second training."""

from __future__ import annotations

THREE = "split: {validation: 0.2, test: 0.2}"

RECIPES = {
    "recipe_of_numbers": "dataset: diabetes\nrecipe: tabular\ntraining: {epochs: 3}\n",
    "recipe_of_classes": "dataset: iris\nrecipe: tabular\ntraining: {epochs: 3}\n",
    "corrected": f"""
dataset: {{regression: {{n_samples: 60, n_features: 4, n_targets: 2, noise: 0.1}}, {THREE}}}
layers: [{{residual: {{shortcut: ridge, layers: [{{linear: 3}}, {{dropout: 0.2}}, tanh, linear]}}}}]
loss: {{huber: 0.5}}
optimizer: sgd
training: {{epochs: 2, batch_size: 8, precision: float64}}
""",
    "corrected_pieces": f"""
dataset: {{diabetes: {{}}, {THREE}}}
layers:
  - residual:
      shortcut: ridge
      layers: [{{piecewise_linear: {{d_embedding: 3, n_bins: 4}}}}, {{linear: 8}}, relu, linear]
  - target_scale: false
loss: l1
optimizer: adam
training: {{epochs: 2, batch_size: 32}}
""",
    "refitted": f"""
dataset: {{wine: {{}}, {THREE}, prepare: standardize}}
layers: [{{linear: 8}}, batch_norm, relu, {{dropout: 0.3}}, linear, temperature]
loss: {{cross_entropy: {{weight: balanced}}}}
optimizer: {{adam: 0.01}}
scheduler: {{warmup: {{total_iters: 3, interval: step, then: {{cosine_annealing: {{interval: step}}}}}}}}
training:
  epochs: 5
  batch_size: 16
  drop_last: true
  refit: true
  early_stopping: {{monitor: validation.log_loss, patience: 0}}
metrics: [accuracy]
""",
    "refitted_without_test": """
dataset: {breast_cancer: {}, split: {validation: 0.2}, prepare: standardize}
layers: [{linear: 4}, relu, {linear: 4}, tanh, linear]
loss: {bce_with_logits: {pos_weight: balanced}}
optimizer: muon
scheduler: {reduce_on_plateau: {patience: 0, factor: 0.5, monitor: validation.f1}}
training: {epochs: 4, batch_size: 400, refit: true, threshold: f1, precision: float64, clip_grad_norm: 0.1}
metrics: [accuracy, f1]
""",
    "refitted_in_whole": f"""
dataset: {{diabetes: {{}}, {THREE}}}
layers: [{{piecewise_linear: {{d_embedding: 3, n_bins: 4}}}}, {{linear: 8}}, relu, linear, target_scale]
loss: l1
optimizer: {{lbfgs: {{max_iter: 3}}}}
training: {{epochs: 3, batch_size: all, ema: 0.5, refit: true}}
checks: {{test.loss: {{max: 80}}, improves: [train.loss, validation.loss]}}
""",
    "refitted_in_batches": """
dataset: {csv: {path: late.csv, target: class, split_column: part}}
layers: [{linear: 3}, tanh, {dropout: 0.5}, linear]
loss: {cross_entropy: {weight: balanced}}
optimizer: {sgd: 0.1}
training: {epochs: 3, batch_size: 6, refit: true, precision: bf16}
metrics: [accuracy, roc_auc, cohen_kappa]
""",
}
"""In the last, the training split has all of its rows in a batch, and no row of the third class."""

FILES = {
    "late.csv": "a,class,part\n1,x,train\n2,x,train\n3,y,train\n4,z,test\n5,y,test\n6,x,test\n7,x,validation\n"
    "8,y,validation\n9,z,validation\n10,z,validation\n",
}
