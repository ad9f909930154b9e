"""A plan made real: the network, its first weights, the loss, the optimizers, the schedule."""
