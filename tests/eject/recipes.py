"""Recipes, and what they ask of a script: a ridge regression beside the layers."""

from __future__ import annotations

THREE = "split: {validation: 0.2, test: 0.2}"

RECIPES = {
    "recipe_of_numbers": """
dataset: diabetes
recipe: tabular
training: {epochs: 3, refit: false}
""",
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
}
