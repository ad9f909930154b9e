"""Many networks of one architecture computed as one: layers, losses and optimizers with an axis of members in front."""
