"""Specs that ask of a script what the generated ones ask rarely or never."""

from __future__ import annotations

from tests.eject import columns, recipes
from tests.eject.common import HEAD, PAIR, REST
from tests.eject.members import MEMBERS

THREE = "split: {validation: 0.2, test: 0.2}"
NUMBERS = ", ".join(f"[{index / 7:.3f}, {index % 5}]" for index in range(120))
WORDS = ", ".join(("'it''s'", "'a \"b\"'", "c\\d")[index % 3] for index in range(120))
FLAT = (2, 2, 2, 2, 2, 2, 9, -1)
"""Numbers of which half are equal."""

SPECIAL = {
    **MEMBERS,
    **columns.SPECIAL,
    **recipes.RECIPES,
    "long_inline": f"""
description: |
  Labels with "quotes", a backslash \\ and three of them: \"\"\".
dataset: {{inline: {{x: [{NUMBERS}], y: [{WORDS}]}}, prepare: robust}}
layers: [{{linear: 4}}, relu, linear]
loss: {{cross_entropy: {{weight: [1, 2, 0.5]}}}}
optimizer: sgd
training: {{epochs: 2, batch_size: 16}}
""",
    "booleans": f"""
dataset:
  inline: {{x: [-2, -1.5, -0.0, 1, 2, 3, 4, 5], y: [false, false, true, true, false, true, true, false]}}
  split: none
{HEAD}{REST}training: {{epochs: 2}}
""",
    "labels": f"""
dataset: {{inline: {{x: [1, 2, 3, 4, 5, 6, 7, 8], y: [3, 3, 8, 8, 3, 8, 8, 3]}}, split: {{test: 2}}}}
{HEAD}{REST}training: {{epochs: 2}}
""",
    "temperature": f"""
dataset: {{digits: {{}}, {THREE}, prepare: standardize}}
layers: [{{linear: 8}}, batch_norm, relu, linear, temperature]
loss: {{cross_entropy: {{label_smoothing: 0.1}}}}
optimizer: {{adam: 0.01}}
training: {{epochs: 4, batch_size: 100, early_stopping: {{monitor: validation.log_loss, patience: 0}}}}
metrics: [accuracy, log_loss]
""",
    "threshold": f"""
dataset: {{breast_cancer: {{}}, {THREE}, prepare: standardize}}
layers: [{{linear: 4}}, tanh, linear, temperature]
loss: bce_with_logits
optimizer: {{adam: 0.01}}
training: {{epochs: 2, batch_size: 100, threshold: balanced_accuracy}}
metrics: [accuracy, f1, roc_auc, ece]
""",
    "threshold_of_two_scores": """
dataset: {xor: {n_samples: {train: 60, validation: 40, test: 20}, noise: 0.3}}
layers: [{linear: 4}, tanh, linear]
loss: {cross_entropy: {weight: [1, 3]}}
optimizer: {adam: 0.01}
training: {epochs: 3, threshold: matthews_corrcoef}
""",
    "threshold_of_probabilities": """
dataset: {circles: {n_samples: {train: 60, validation: 40, test: 20}, noise: 0.3}}
layers: [{linear: 4}, tanh, linear, sigmoid]
loss: bce
optimizer: {adam: 0.01}
training: {epochs: 3, threshold: f1, precision: float64}
metrics: [log_loss]
""",
    "temperature_of_many_rows": """
dataset: {moons: {n_samples: {train: 100, validation: 20000, test: 10}, noise: 0.1}}
layers: [{linear: 8}, tanh, linear, temperature]
loss: bce_with_logits
optimizer: {adam: 0.01}
training: {epochs: 2, precision: bf16}
""",
    "folds_by_class": """
dataset: {wine: {}, split: {folds: 5, fold: 2, validation: 0.2}, prepare: standardize}
layers: [{linear: 4}, relu, linear]
loss: cross_entropy
optimizer: {adam: 0.01}
training: {epochs: 2}
""",
    "folds_of_numbers": """
dataset: {diabetes: {}, split: {folds: 3, fold: 3, validation: 30}, prepare: standardize}
layers: [{linear: 4}, relu, linear]
loss: mse
optimizer: {adam: 0.01}
training: {epochs: 2}
""",
    "folds_in_order": """
dataset: {diabetes: {}, split: {folds: 3, fold: 2, shuffle: false}, prepare: standardize}
layers: [{linear: 4}, relu, linear]
loss: mse
optimizer: {adam: 0.01}
training: {epochs: 2}
""",
    "few_steps": """
dataset: {diabetes: {}, prepare: standardize}
layers: [{linear: 4}, relu, linear]
loss: mse
optimizer: {adam: 0.01}
scheduler: {cosine_annealing: {interval: step}}
training: {epochs: 9, batch_size: auto, max_steps: 17}
""",
    "many_centres": f"""
dataset: {{blobs: {{n_samples: 160, centers: 40, labels: [{", ".join(str(index % 3) for index in range(40))}]}}}}
layers: [{{linear: 4}}, relu, linear]
loss: {{multi_margin: {{weight: balanced}}}}
optimizer: {{sgd: 0.01}}
training: {{epochs: 2}}
""",
    "numbers_of_classes": """
dataset: {blobs: {n_samples: 30, centers: 3, labels: [1, 5, 5]}, split: {train: 0.5}}
layers: [{linear: 4}, relu, linear]
loss: mse
optimizer: {sgd: 0.01}
training: {epochs: 2}
""",
    "nested": PAIR
    + """
layers:
  - linear: 4
  - repeat: {times: 2, layers: [{residual: [{linear: 4}, {residual: [tanh, {linear: {out_features: 4, init: ones}}]}]}]}
  - heaviside: straight_through
  - linear: {out_features: 4, bias_init: {constant: 1.0e-05}}
  - heaviside: {surrogate: straight_through, value: 0}
  - linear: {out_features: 4, bias: false, init: {sparse: 0.5}}
  - linear
"""
    + REST
    + "training: {epochs: 3, batch_size: 8}\n",
    "deep_muon": PAIR
    + "layers: [{linear: 4}, relu, {residual: [{linear: 4}, relu]}, {linear: 4}, relu, linear]\n"
    + "loss: bce_with_logits\noptimizer: muon\n"
    + "scheduler: {warmup: {total_iters: 2, interval: step, then: {one_cycle: {max_lr: 0.01, total_steps: 5}}}}\n"
    + "training: {epochs: 3, batch_size: 8, clip_grad_norm: 1}\n",
    "groups": PAIR
    + """
layers:
  - scale
  - linear: 4
  - batch_norm
  - residual: [{linear: 4}, relu]
  - repeat: {times: 2, layers: [{linear: 4}, tanh]}
  - linear
loss: bce_with_logits
optimizer:
  adamw:
    groups:
      - {layers: scale, lr: 6}
      - {parameters: bias, lr: 0.1, weight_decay: 0}
      - {layers: [residual, batch_norm], lr: 0.5}
      - {parameters: weight, weight_decay: 2}
      - {lr: 0.9}
training: {epochs: 3, batch_size: 8}
scheduler: {one_cycle: 0.01}
""",
    "groups_of_muon": PAIR
    + "layers: [{linear: 4}, relu, {linear: 4}, relu, {linear: 4}, relu, linear]\nloss: bce_with_logits\n"
    + "optimizer: {muon: {groups: [{parameters: bias, lr: 0}, {layers: linear, lr: 2, weight_decay: 0.5}]}}\n"
    + "scheduler: {reduce_on_plateau: {patience: 0, threshold: 0.5, factor: 0.5, min_lr: 0.0004}}\n"
    + "training: {epochs: 5, batch_size: 8}\n",
    "changing": PAIR
    + "layers: [{linear: 4}, batch_norm, relu, {dropout: 0.4}, {linear: 4}, selu, {alpha_dropout: 0.2}, linear]\n"
    + "loss: bce_with_logits\noptimizer: {adamw: {groups: [{parameters: bias, lr: 0.5, weight_decay: 0.5}]}}\n"
    + "training: {epochs: 6, batch_size: 8, clip_grad_norm: 1, schedules: {weight_decay: cosine, dropout: coslog4},"
    + " ema: 0.7, early_stopping: {patience: 1}}\nscheduler: coslog4\n",
    "changing_in_whole": PAIR
    + "layers: [{linear: 4}, relu, {dropout: 0.4}, {linear: 4}, relu, {linear: 4}, relu, linear]\n"
    + "loss: bce_with_logits\noptimizer: muon\ntraining: {epochs: 5, batch_size: all, schedules: {weight_decay: linear,"
    + " dropout: flat_cos}, ema: 0.5}\n",
    "averaged_lbfgs": PAIR + HEAD + "loss: bce_with_logits\noptimizer: {lbfgs: {max_iter: 3}}\n"
    "training: {epochs: 4, batch_size: 8, ema: 0.5, schedules: {dropout: constant}}\n",
    "shallow_muon": PAIR + "layers: [{linear: 4}, relu, linear]\nloss: bce_with_logits\noptimizer: muon\n"
    "training: {epochs: 2, batch_size: 8}\n",
    "three_phases": PAIR + HEAD + REST + "training: {epochs: 12, batch_size: 8}\n"
    "scheduler: {warmup: {total_iters: 2, then: {warmup: {total_iters: 3, interval: step,"
    " then: {warmup: {total_iters: 3, then: {reduce_on_plateau: {patience: 0}}}}}}}}\n",
    "held": PAIR + HEAD + REST + "training: {epochs: 5, batch_size: 8}\nscheduler: {warmup: {total_iters: 2}}\n",
    "plateau_of_accuracy": PAIR + HEAD + REST + "training: {epochs: 5, batch_size: all}\nscheduler: "
    "{warmup: {total_iters: 2, then: {reduce_on_plateau: {monitor: validation.accuracy, patience: 0}}}}\n",
    "short_cycle": PAIR + HEAD + "loss: bce_with_logits\noptimizer: {rmsprop: 0.01}\n"
    "scheduler: {one_cycle: {max_lr: 0.1, total_steps: 4, pct_start: 0.25}}\ntraining: {epochs: 8, batch_size: all}\n",
    "steps_of_all_rows": PAIR + HEAD + REST + "training: {epochs: 6, batch_size: all}\nscheduler: "
    "{warmup: {total_iters: 2, interval: step, then: {exponential: 0.5}}}\n",
    "best_epoch": PAIR + HEAD + REST + "training: {epochs: 30, batch_size: 8, early_stopping: "
    "{monitor: validation.roc_auc, patience: 1}}\nchecks: {improves: [test.loss, train.accuracy], "
    "test.roc_auc: {min: 0.1, max: 1}}\n",
    "unmet": PAIR + HEAD + REST + "training: {epochs: 1}\nchecks: {train.loss: {max: 0.001}}\n",
    "no_epoch": PAIR + HEAD + REST + "training: {epochs: 0}\n",
    "without_batches": PAIR + HEAD + REST + "training: {epochs: 2, batch_size: 8, shuffle: false, drop_last: true}\n",
    "double": "dataset: {regression: {n_samples: {train: 45, test: 33}, n_features: 9}, prepare: standardize}\n"
    + HEAD
    + "loss: mse\noptimizer: {lbfgs: {max_iter: 3}}\ntraining: {epochs: 2, batch_size: 7, precision: float64}\n",
    "autocast": PAIR + "layers: [{linear: 4}, rms_norm, relu, {dropout: 0.5}, linear]\nloss: bce_with_logits\n"
    "optimizer: {adagrad: 0.1}\ntraining: {epochs: 3, batch_size: 8, precision: bf16}\n",
    "undefined_somewhere": """
dataset: {blobs: {n_samples: 30, centers: 3}, split: {validation: 2, test: 1}}
layers: [{linear: 4}, relu, linear]
loss: cross_entropy
optimizer: sgd
metrics: [roc_auc, matthews_corrcoef, log_loss]
training: {epochs: 2}
""",
    "one_row_to_test_on": """
dataset: {regression: {n_samples: {train: 20, test: 1}, n_features: 10}}
layers: [linear]
loss: mse
optimizer: {sgd: 0.01}
metrics: [r2, max_error]
training: {epochs: 2}
""",
    "many_rows": """
dataset: {moons: {n_samples: {train: 100, test: 20000}, noise: 0.1}}
layers: [{linear: 32}, relu, linear]
loss: bce_with_logits
optimizer: sgd
training: {epochs: 2}
""",
    "threads": PAIR + HEAD + REST + "training: {epochs: 1, batch_size: all, threads: 2}\n",
    "constant_column": """
dataset: {inline: {x: [[1, 0.1, 3], [2, 0.1, 4], [3, 0.1, 3], [4, 0.1, 9], [5, 0.1, 2], [6, 0.1, 1]],
  y: [1, 2, 3, 4, 5, 6.5]}, split: none, prepare: minmax}
layers: [linear]
loss: mse
optimizer: {sgd: 0.1}
training: {epochs: 2}
""",
    "missing_class": """
dataset: {csv: {path: rare.csv, target: class, split_column: part}}
layers: [linear]
loss: {cross_entropy: {weight: balanced}}
optimizer: {sgd: 0.1}
training: {epochs: 2}
""",
    "separated": """
dataset:
  csv: {path: semicolons.csv, target: 'the y''s', separator: ';', categorical: [code]}
  split: {test: 3}
  prepare: {scale: minmax, missing: mean}
layers: [linear]
loss: mse
optimizer: {sgd: 0.1}
training: {epochs: 2}
""",
    "quantile": """
dataset:
  csv: {path: semicolons.csv, target: 'the y''s', separator: ';'}
  split: {test: 3, shuffle: false}
  prepare: {scale: quantile, missing: median, missing_indicator: true, smooth_clip: 2.5, min_rows: 2}
layers: [{linear: 3}, tanh, linear]
loss: mse
optimizer: {sgd: 0.1}
training: {epochs: 2}
""",
    "codes": """
dataset:
  csv: {path: semicolons.csv, target: 'the y''s', separator: ';', categorical: [code]}
  split: {test: 2}
  prepare: {categories: codes, min_rows: 2, missing: mean, missing_indicator: true, smooth_clip: 1}
layers: [{linear: 3}, tanh, linear]
loss: mse
optimizer: {sgd: 0.1}
training: {epochs: 2}
""",
    "flat_columns": f"""
dataset:
  inline:
    x: [{", ".join(f"[{value}, {index}, 0.5, {value / 1e20}]" for index, value in enumerate(FLAT))}]
    y: [1, 2, 3, 4, 5, 6.5, 8, 3]
  prepare: {{scale: robust, smooth_clip: 3}}
  split: none
layers: [{{linear: 3}}, tanh, linear]
loss: mse
optimizer: {{sgd: 0.1}}
training: {{epochs: 2}}
""",
    "ranks": f"""
dataset:
  inline:
    x: [{", ".join(f"[{value}, {index}, 0.5]" for index, value in enumerate(FLAT))}]
    y: [1, 2, 3, 4, 5, 6.5, 8, 3]
  prepare: quantile
  split: none
layers: [{{linear: 3}}, tanh, linear]
loss: mse
optimizer: {{sgd: 0.1}}
training: {{epochs: 2}}
""",
    "sales": """
dataset:
  csv: {path: sales.csv, target: price, ordered: {grade: [poor, fair, good]}, dates: [sold, paid]}
  split: {test: 3, shuffle: false}
  prepare: {missing: median, missing_indicator: true, scale: standardize}
layers: [{linear: 3}, tanh, linear]
loss: mse
optimizer: {sgd: 0.1}
training: {epochs: 2}
""",
    "sales_with_texts": """
dataset:
  csv: {path: sales.csv, target: price, dates: [paid], columns: [grade, paid]}
  split: none
  prepare: {missing: mean}
layers: [{linear: 3}, tanh, linear]
loss: mse
optimizer: {sgd: 0.1}
training: {epochs: 2}
""",
    "clipped": """
dataset: {moons: {n_samples: 40, noise: 0.1}, prepare: {smooth_clip: 1}}
layers: [{linear: 4}, tanh, linear]
loss: bce_with_logits
optimizer: {adam: 0.01}
training: {epochs: 2}
""",
}

for name, split in {
    "by_customer": "{by: customer, validation: 0.2, test: 0.2}",
    "by_customer_in_part": "{by: customer, train: 0.4, test: 0.2}",
    "by_day": "{by: day, validation: 0.2, test: 0.2, shuffle: false}",
    "by_fold": "{by: customer, folds: 3, fold: 2}",
    "by_fold_and_validation": "{by: day, folds: 3, fold: 1, validation: 0.2}",
    "by_fold_in_order": "{by: day, folds: 3, fold: 2, validation: 0.3, shuffle: false}",
    "by_grade": "{by: grade, test: 0.3}",
}.items():
    SPECIAL[name] = f"""
dataset:
  csv: {{path: orders.csv, target: price, ordered: {{grade: [poor, fair, good]}}, drop: [part]}}
  split: {split}
  prepare: {{categories: codes}}
layers: [{{linear: 3}}, tanh, linear]
loss: mse
optimizer: {{sgd: 0.01}}
training: {{epochs: 2}}
"""
SPECIAL["by_day_beside_a_file"] = """
dataset:
  csv: {path: orders.csv, target: price, columns: [customer, day], dates: [day], test: orders.csv}
  split: {by: day, validation: 0.2, shuffle: false}
layers: [{linear: 3}, tanh, linear]
loss: mse
optimizer: {sgd: 0.0001}
training: {epochs: 2}
"""
ORDERS = "".join(
    f"{index * index % 11},2024-{1 + index % 4:02}-{1 + index * 7 % 5:02},{('poor', 'fair', 'good')[index % 3]},"
    f"{index % 2},{index % 7}.5\n"
    for index in range(40)
)

FILES = {
    "orders.csv": "customer,day,grade,part,price\n" + ORDERS,
    "sales.csv": "grade,sold,paid,price\ngood,2024-02-29,2024-03-01T10:00:00Z,3\nfair,2025-01-01,2025-01-01 09:30,2\n"
    "poor,2025-01-02,,1\n,2025-12-31,2026-01-01T00:30+02:00,2.5\ngood,2026-06-15,2026-06-15 23:59:59.5,4\n"
    "unheard,2026-07-01,2026-07-02,3\nfair,2026-07-04,2026-07-04,2\n",
    **columns.FILES,
    **recipes.FILES,
    "rare.csv": "a,class,part\n1,x,train\n2,x,train\n3,y,train\n4,z,test\n5,y,test\n6,x,validation\n",
    "semicolons.csv": "\ufeffit's;the y's;code;sure\n1.5;1;1.0;TRUE\n2.5;2;2.0;false\n 3 ;3;1.0;True\n"
    ";4;2.0;true\n6;5;1.0;false\n7;6;1.0;true\n8;7;2.0;true\n\n9;8;2.0;false\n",
}
"""What the tables above are read from."""
