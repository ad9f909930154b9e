"""The codes of what does not fit together in a spec: shapes, target and loss, measures and splits."""

from __future__ import annotations

from ffspec.codes import Code

CODES: tuple[Code, ...] = (
    Code(
        code="FF020",
        title="the network is too large",
        reason="Repeats are written out before anything is built, so a short spec can ask for more layers than any "
        "machine holds. A bound on them, and on the parameters, keeps a slip of the finger from taking the memory.",
        wrong="layers:\n  - repeat: {times: 1000, layers: [{repeat: {times: 1000, layers: [relu]}}]}\n  - linear\n",
        right="layers:\n  - repeat: {times: 4, layers: [{linear: 16}, relu]}\n  - linear\n",
    ),
    Code(
        code="FF021",
        title="a width cannot be inferred",
        reason="Only the last linear may leave out its out_features: there the target and the loss tell it. How wide "
        "the others are is the design of the network, and yours.",
        wrong="layers: [linear, relu, linear]\n",
        right="layers: [{linear: 16}, relu, linear]\n",
    ),
    Code(
        code="FF022",
        title="a residual must keep the width",
        reason="A residual adds its input to what its layers make of it, and numbers can only be added one to one.",
        wrong="layers: [{linear: 8}, {residual: [{linear: 16}, relu]}, linear]\n",
        right="layers: [{linear: 8}, {residual: [{linear: 16}, relu, {linear: 8}]}, linear]\n",
    ),
    Code(
        code="FF023",
        title="there is nothing to learn",
        reason="Activations and dropout have no parameters, so the optimizer would have nothing to change. A linear, a "
        "normalisation and a prelu have some.",
        wrong="dataset: {regression: {n_features: 1, n_informative: 1}}\nlayers: [relu]\nloss: mse\n",
        right="dataset: {regression: {n_features: 1, n_informative: 1}}\nlayers: [linear, relu]\nloss: mse\n",
    ),
    Code(
        code="FF024",
        title="the loss does not fit the target",
        reason="Cross-entropy, hinge and perceptron losses tell classes apart; a target that is a number, such as a "
        "price, has none. Squared, absolute and Huber errors measure how far a number is off.",
        wrong="dataset: diabetes\nloss: cross_entropy\n",
        right="dataset: diabetes\nloss: mse\n",
    ),
    Code(
        code="FF025",
        title="not a measure",
        reason="A measure is a split of the dataset, a dot, and the loss or a metric: test.loss, validation.accuracy. "
        "A check of something that is never measured would always pass, or always fail.",
        wrong="checks: {improves: test.acuracy}\n",
        right="checks: {improves: test.accuracy}\n",
    ),
    Code(
        code="FF026",
        title="training watches what it must not, or what is not there",
        reason="Early stopping and schedules choose weights by what they watch. Chosen by the test split, the weights "
        "fit it, and its figures are no longer a judgement; so there must be a validation split for that.",
        wrong="training: {early_stopping: {monitor: test.loss}}\n",
        right="dataset: {iris: {}, split: {validation: 0.2, test: 0.2}}\n"
        "training: {early_stopping: {monitor: validation.loss}}\n",
    ),
    Code(
        code="FF027",
        title="the metric does not fit the target",
        reason="Accuracy counts right classes, and r2 explains variance: one has no meaning for numbers, the other "
        "none for classes.",
        wrong="metrics: [r2]\n",
        right="metrics: [accuracy, log_loss]\n",
    ),
    Code(
        code="FF028",
        title="a weight for each class",
        reason="The weights of a loss stand in the order of the classes. With more or fewer of them than classes, "
        "nobody can tell which is whose.",
        wrong="loss: {cross_entropy: {weight: [1.0, 2.0]}}\n",
        right="loss: {cross_entropy: {weight: [1.0, 2.0, 1.0]}}\n",
    ),
    Code(
        code="FF104",
        title="bce needs probabilities",
        reason="Binary cross-entropy takes the logarithm of the output, which must lie between 0 and 1; PyTorch stops "
        "where it does not. bce_with_logits applies the sigmoid itself, and is the more exact of the two.",
        wrong="dataset: breast_cancer\nlayers: [{linear: 8}, relu, linear]\nloss: bce\n",
        right="dataset: breast_cancer\nlayers: [{linear: 8}, relu, linear, sigmoid]\nloss: bce\n",
    ),
    Code(
        code="FF112",
        title="a layer cannot take the width it receives",
        reason="A layer's input is as wide as the output before it. in_features is inferred; written, it is checked. "
        "glu halves its input, so that must be even.",
        wrong="layers: [{linear: 16}, relu, {linear: {in_features: 8, out_features: 3}}]\n",
        right="layers: [{linear: 16}, relu, {linear: 3}]\n",
    ),
    Code(
        code="FF113",
        title="one output for each class",
        reason="Cross-entropy and its relatives compare a score for each class. With fewer, a label points outside the "
        "output; with more, the network spends itself on classes that do not exist.",
        wrong="layers: [{linear: 16}, relu, {linear: 10}]\n",
        right="layers: [{linear: 16}, relu, linear]\n",
    ),
    Code(
        code="FF114",
        title="the output must have the target's shape",
        reason="PyTorch broadcasts shapes that differ: a column against a row compares every prediction with every "
        "target, and the loss still falls. Squared error trained so explains nothing (R2 0.00001 instead of 0.546).",
        wrong="dataset: diabetes\nlayers: [{linear: 16}, relu, {linear: 2}]\nloss: mse\n",
        right="dataset: diabetes\nlayers: [{linear: 16}, relu, linear]\nloss: mse\n",
    ),
    Code(
        code="FF119",
        title="batch_norm needs two rows",
        reason="While training, batch_norm subtracts the mean of the batch: of a single row nothing would be left, and "
        "PyTorch stops. The last batch of an epoch holds what the others leave, and that may be one row.",
        wrong="layers: [{linear: 8}, batch_norm, relu, linear]\ntraining: {batch_size: 17}\n",
        right="layers: [{linear: 8}, batch_norm, relu, linear]\ntraining: {batch_size: 17, drop_last: true}\n",
    ),
    Code(
        code="FF124",
        title="an epoch without a step",
        reason="drop_last leaves out a last batch that is not full. Where the training rows do not fill a single "
        "batch, that is all of them.",
        wrong="training: {batch_size: 500, drop_last: true}\n",
        right="training: {batch_size: all}\n",
    ),
)
