"""Which pair belongs to which layer, and to which loss; all others are differentiated by autograd."""

from __future__ import annotations

from torch import nn

from ffspec.builder import calibration, embeddings, scaling, shortcut, stacked
from ffspec.builder.backward import activations, chance, linear, losses, norms
from ffspec.builder.backward import embeddings as columns
from ffspec.builder.backward import stacked as members
from ffspec.builder.backward.losses import MakeLoss
from ffspec.builder.backward.pair import Make

LAYERS: dict[type[nn.Module], Make] = {
    nn.Linear: linear.linear,
    scaling.NTKLinear: linear.ntk_linear,
    scaling.Scale: linear.scale,
    nn.ReLU: activations.relu,
    nn.LeakyReLU: activations.leaky_relu,
    nn.ELU: activations.elu,
    nn.SELU: activations.selu,
    nn.CELU: activations.celu,
    nn.GELU: activations.gelu,
    nn.SiLU: activations.silu,
    nn.Mish: activations.mish,
    nn.Sigmoid: activations.sigmoid,
    nn.Tanh: activations.tanh,
    nn.Softplus: activations.softplus,
    nn.Hardtanh: activations.hardtanh,
    nn.ReLU6: activations.hardtanh,
    nn.Hardsigmoid: activations.hardsigmoid,
    nn.Hardswish: activations.hardswish,
    nn.LogSigmoid: activations.log_sigmoid,
    nn.Softshrink: activations.softshrink,
    nn.Hardshrink: activations.hardshrink,
    nn.Threshold: activations.threshold,
    nn.GLU: activations.glu,
    nn.Softmax: activations.softmax,
    nn.LogSoftmax: activations.log_softmax,
    nn.Identity: activations.nothing,
    nn.Flatten: activations.flatten,
    nn.Softmin: activations.softmin,
    nn.Softsign: activations.softsign,
    nn.Tanhshrink: activations.tanhshrink,
    nn.PReLU: activations.prelu,
    nn.Dropout: chance.dropout,
    nn.AlphaDropout: chance.alpha_dropout,
    nn.RReLU: chance.rrelu,
    nn.BatchNorm1d: norms.batch_norm,
    nn.LayerNorm: norms.layer_norm,
    nn.RMSNorm: norms.rms_norm,
    stacked.StackedLinear: members.linear,
    stacked.StackedNTKLinear: members.ntk_linear,
    stacked.StackedScale: members.scale,
    stacked.MemberScale: members.scale,
    scaling.TargetScale: activations.nothing,
    calibration.Temperature: activations.nothing,
    embeddings.Embedding: columns.embedding,
    embeddings.PiecewiseLinear: columns.piecewise_linear,
}

STRIDED = frozenset(
    {
        stacked.StackedLinear,
        stacked.StackedNTKLinear,
        stacked.StackedScale,
        stacked.MemberScale,
        embeddings.Embedding,
        embeddings.PiecewiseLinear,
        shortcut.RidgeResidual,
    }
)
"""The layers whose pair is right for rows that do not lie one behind the other, as those that members share."""

OVERWRITING: dict[type[nn.Module], Make] = {
    nn.ReLU: activations.relu_over,
    nn.Sigmoid: activations.sigmoid_over,
    nn.Tanh: activations.tanh_over,
}
"""The pairs of layers that need not their input but their output, where the input may be overwritten."""

LOSSES: dict[type[nn.Module], MakeLoss] = {
    nn.BCELoss: losses.bce,
    nn.BCEWithLogitsLoss: losses.bce_with_logits,
    nn.CrossEntropyLoss: losses.cross_entropy,
    nn.NLLLoss: losses.nll,
    nn.MSELoss: losses.mse,
    nn.L1Loss: losses.l1,
    nn.SmoothL1Loss: losses.smooth_l1,
    nn.HuberLoss: losses.huber,
    nn.PoissonNLLLoss: losses.poisson_nll,
    nn.SoftMarginLoss: losses.soft_margin,
    nn.MultiMarginLoss: losses.multi_margin,
}
