"""The codes the planner reports: shapes that do not fit together, or not with the target and the loss."""

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
        code="FF024",
        title="the loss does not fit the target",
        reason="Cross-entropy, hinge and perceptron losses tell classes apart; a target that is a number, such as a "
        "price, has none. Squared, absolute and Huber errors measure how far a number is off.",
        wrong="dataset: diabetes\nloss: cross_entropy\n",
        right="dataset: diabetes\nloss: mse\n",
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
        code="FF127",
        title="a layer out of place",
        reason="periodic, piecewise_linear and embedding treat each column of the data as what it is. So they stand in "
        "front, where the columns are still apart, and embedding where codes are still codes. target_scale turns "
        "standardised predictions back into the units of the target. So it stands behind everything else, and only "
        "where the loss compares numbers: mse, l1, smooth_l1 or huber. Classes have no units.",
        wrong="dataset: diabetes\nlayers: [target_scale, linear]\nloss: mse\n",
        right="dataset: diabetes\nlayers: [linear, target_scale]\nloss: mse\n",
    ),
    Code(
        code="FF128",
        title="an ensemble out of place",
        reason="The members of an ensemble learn each on its own, and answer together: behind them nothing can learn. "
        "All are computed by the same operations, so each of their layers must have a form with an axis of members. "
        "Only temperature, target_scale and identity may stand behind an ensemble; in front of it, what all members "
        "share.",
        wrong="layers: [{ensemble: {members: 4, layers: [{linear: 8}, relu]}}, linear]\n",
        right="layers: [{ensemble: {members: 4, layers: [{linear: 8}, relu, linear]}}]\n",
    ),
)
