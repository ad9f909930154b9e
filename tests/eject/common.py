"""Parts that the special specs share."""

PAIR = "dataset: {moons: {n_samples: {train: 24, validation: 8, test: 8}, noise: 0.1}}\n"
REST = "loss: bce_with_logits\noptimizer: {adam: 0.01}\n"
HEAD = "layers: [{linear: 4}, tanh, {linear: 4}, tanh, linear]\n"
