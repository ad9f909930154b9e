"""Networks of the same layers computed as one: modules with an axis of members in front, weights and rows alike.

One product of stacks of matrices does what a product for each member would, in a fraction of the calls. Every member
has its own weights, its own statistics and its own gradient; nothing passes from one to another.

Shapes: M members, B batch, F features, O outputs. An ejected script holds these classes as they are written here: each
uses no more than torch.
"""

from __future__ import annotations

from math import log, sqrt

import torch
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """y = x W^T + b for each member (torch.nn.Linear); W has shape (M, O, F), b has shape (M, O).

    Shape: (M, B, F) to (M, B, O).
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        members: int,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.members, self.in_features, self.out_features = members, in_features, out_features
        self.weight = nn.Parameter(torch.zeros(members, out_features, in_features))
        shift = nn.Parameter(torch.zeros(members, out_features)) if bias else None
        self.register_parameter("bias", shift)

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sums; of the ways to say it, baddbmm is as fast as any."""
        if self.bias is None:
            return torch.bmm(x, self.weight.transpose(1, 2))
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.transpose(1, 2))

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        shape = f"{self.members}, {self.in_features}, {self.out_features}"
        return f"{shape}, bias={self.bias is not None}"


class StackedNTKLinear(StackedLinear):
    """x W^T / sqrt(in_features) + b for each member.

    Shape: (M, B, F) to (M, B, O).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sums of the scaled inputs."""
        return super().forward(x * (1 / sqrt(self.in_features)))


class StackedScale(nn.Module):
    """x times a learnt factor of each member for each feature.

    Shape: (M, B, F) to the same.
    """

    def __init__(self, members: int, num_features: int) -> None:
        super().__init__()
        self.members, self.num_features = members, num_features
        self.weight = nn.Parameter(torch.ones(members, num_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled features."""
        return x * self.weight.unsqueeze(1)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"{self.members}, {self.num_features}"


class MemberScale(StackedScale):
    """StackedScale whose factors start as -1 or 1 at random: so members that share the rest differ."""


class StackedPReLU(nn.Module):
    """x where x > 0, else a learnt slope of each member times x (torch.nn.PReLU).

    Shape: (M, B, F) to the same.
    """

    def __init__(self, members: int, num_parameters: int = 1, *, init: float = 0.25) -> None:
        super().__init__()
        self.members, self.num_parameters = members, num_parameters
        self.weight = nn.Parameter(torch.full((members, num_parameters), init))

    def forward(self, x: Tensor) -> Tensor:
        """Return the function of every element."""
        return torch.where(x > 0, x, self.weight.unsqueeze(1) * x)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"{self.members}, {self.num_parameters}"


class StackedBatchNorm(nn.Module):
    """Normalises each feature of each member over the batch (torch.nn.BatchNorm1d).

    Shape: (M, B, F) to the same.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        members: int,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.members, self.num_features = members, num_features
        self.eps, self.momentum = eps, momentum
        shape = (members, num_features)
        self.register_parameter("weight", nn.Parameter(torch.ones(shape)) if affine else None)
        self.register_parameter("bias", nn.Parameter(torch.zeros(shape)) if affine else None)
        self.register_buffer("running_mean", torch.zeros(shape))
        self.register_buffer("running_var", torch.ones(shape))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised rows: a feature of a member is a feature like any other."""
        share = 0.0 if self.momentum is None else self.momentum
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the mean of all batches
                share = 1.0 / float(self.num_batches_tracked)
        normalised = nn.functional.batch_norm(
            x.transpose(0, 1).flatten(1),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            None if self.weight is None else self.weight.view(-1),
            None if self.bias is None else self.bias.view(-1),
            training=self.training,
            momentum=share,
            eps=self.eps,
        )
        return normalised.view(-1, self.members, self.num_features).transpose(0, 1)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        options = f"eps={self.eps}, momentum={self.momentum}, affine={self.weight is not None}"
        return f"{self.members}, {self.num_features}, {options}"


class StackedLayerNorm(nn.Module):
    """Normalises each row over its features; scale and shift are each member's (torch.nn.LayerNorm).

    Shape: (M, B, F) to the same.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(
        self,
        members: int,
        normalized_shape: int,
        *,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.members, self.normalized_shape, self.eps = members, normalized_shape, eps
        scale, shift = torch.ones(members, normalized_shape), torch.zeros(members, normalized_shape)
        shifted = elementwise_affine and bias
        self.register_parameter("weight", nn.Parameter(scale) if elementwise_affine else None)
        self.register_parameter("bias", nn.Parameter(shift) if shifted else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised rows."""
        y = nn.functional.layer_norm(x, (self.normalized_shape,), eps=self.eps)
        if self.weight is not None:
            y = y * self.weight.unsqueeze(1)
        return y if self.bias is None else y + self.bias.unsqueeze(1)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"{self.members}, {self.normalized_shape}, eps={self.eps}"


class StackedRMSNorm(nn.Module):
    """Divides each row by its root mean square; the scale is each member's (torch.nn.RMSNorm).

    Shape: (M, B, F) to the same.
    """

    weight: nn.Parameter | None

    def __init__(
        self,
        members: int,
        normalized_shape: int,
        *,
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        super().__init__()
        self.members, self.normalized_shape, self.eps = members, normalized_shape, eps
        scale = torch.ones(members, normalized_shape)
        self.register_parameter("weight", nn.Parameter(scale) if elementwise_affine else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised rows."""
        y = nn.functional.rms_norm(x, (self.normalized_shape,), eps=self.eps)
        return y if self.weight is None else y * self.weight.unsqueeze(1)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"{self.members}, {self.normalized_shape}, eps={self.eps}"


def combined(outputs: Tensor, how: str) -> Tensor:
    """Return one output for each row out of those of the members, (M, B, O) to (B, O).

    Args:
        outputs: The members' outputs.
        how: What they are: "mean" numbers, "probabilities" scores of classes, "sigmoid" scores of a
            class against all others, "rates" logarithms of rates. Of all but numbers, the mean is
            taken of what the scores stand for, and its logarithm, or logit, is returned.
    """
    if how == "mean":
        return outputs.mean(dim=0)
    if how == "sigmoid":
        yes, no = nn.functional.logsigmoid(outputs), nn.functional.logsigmoid(-outputs)
        return torch.logsumexp(yes, dim=0) - torch.logsumexp(no, dim=0)
    logarithms = outputs.log_softmax(dim=-1) if how == "probabilities" else outputs
    return torch.logsumexp(logarithms, dim=0) - log(len(outputs))


class Ensemble(nn.Sequential):
    """Members with nothing in common, made of modules that have an axis of members in front.

    Shape: (B, F) to (B, O) in eval mode; in train mode to (M * B, O), member after member.
    """

    def __init__(self, *modules: nn.Module, members: int, combine: str) -> None:
        super().__init__(*modules)
        self.members, self.combine = members, combine

    def forward(self, x: Tensor) -> Tensor:
        """Return every member's output, or in eval mode the combined one."""
        x = x.expand(self.members, *x.shape)
        for module in self:
            x = module(x)
        return x.flatten(0, 1) if self.training else combined(x, self.combine)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"members={self.members}, combine={self.combine!r}"


class SharedEnsemble(nn.Sequential):
    """Members that share all but the factors in front and the last linear (arXiv 2410.24210).

    Shape: (B, F) to (B, O) in eval mode; in train mode to (M * B, O), member after member.
    """

    def __init__(self, *modules: nn.Module, members: int, combine: str) -> None:
        super().__init__(*modules)
        self.members, self.combine = members, combine

    def forward(self, x: Tensor) -> Tensor:
        """Return every member's output, or in eval mode the combined one."""
        x = x.expand(self.members, *x.shape)
        for module in self:
            if isinstance(module, StackedLinear | StackedScale):
                x = module(x)
            else:  # shared: the rows of all members are rows like any others
                y = module(x.flatten(0, 1))
                x = y.view(self.members, -1, *y.shape[1:])
        return x.flatten(0, 1) if self.training else combined(x, self.combine)

    def extra_repr(self) -> str:
        """Return the arguments, as printing the network shows them."""
        return f"members={self.members}, combine={self.combine!r}"


def clip_members(network: nn.Sequential, most: float) -> None:
    """Bound the norm of each member's gradient, as clip_grad_norm_ would if it were alone.

    What stands in front of the ensemble is bounded together.

    Args:
        network: One with an ensemble in it.
        most: The largest norm.
    """
    (ensemble,) = (module for module in network if isinstance(module, Ensemble))
    ids = {id(parameter) for parameter in ensemble.parameters()}
    nn.utils.clip_grad_norm_([one for one in network.parameters() if id(one) not in ids], most)
    found = [one.grad for one in ensemble.parameters() if one.grad is not None]
    if found:
        norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in found]).norm(dim=0)
        factors = (most / (norms + 1e-6)).clamp(max=1.0)
        for gradient in found:
            gradient.mul_(factors.reshape(-1, *[1] * (gradient.dim() - 1)))
