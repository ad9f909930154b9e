"""Many networks of one plan as one: their parameters in blocks, their layers with an axis of members.

Shapes: M members, B batch, F features, C outputs.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from ffspec.builder.embeddings import PiecewiseLinear
from ffspec.builder.network import construct
from ffspec.builder.population import layers as computing
from ffspec.builder.population.blocks import Blocks
from ffspec.builder.population.chance import RRelu
from ffspec.builder.population.ensembles import Ensemble, SharedEnsemble
from ffspec.builder.population.layers import ELEMENTWISE, Activation, Differentiated, Dropout, Linear, Residual
from ffspec.builder.population.norm import BatchNorm
from ffspec.builder.population.pieces import Pieces
from ffspec.builder.population.shortcut import Shortcut
from ffspec.builder.streams import untouched
from ffspec.populations import ENDS, UNCHANGING
from ffspec.spec.ensembles import stacked
from ffspec.spec.step import LINEARS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ffspec.builder.population.layers import Layer
    from ffspec.spec.step import Step

BUFFERS = ("weight", "bias", "scale", "left", "slope", "low", "high")
"""What layers fit on rows."""


class Network:
    """The networks of some members as one, to be computed without gradients.

    Args:
        steps: The steps of one of them.
        networks: The network of each, whose parameters and buffers are taken over.
        generators: What each draws its dropout from.
    """

    def __init__(
        self, steps: Sequence[Step], networks: Sequence[nn.Sequential], generators: Sequence[torch.Generator]
    ) -> None:
        self._networks, self._generators = networks, generators
        ends = next((place for place, step in enumerate(steps) if step.call.target in ENDS), len(steps))
        self.heads = [nn.Sequential(*[*network][ends:]).eval() for network in networks] if ends < len(steps) else []
        """What each member does to its outputs in eval mode, (B, C) to the same; nothing if empty."""
        self._own = _tensors(networks)
        first = dict(networks[0].named_parameters())
        self.blocks = Blocks({name: one.shape for name, one in first.items()}, len(networks))
        dtype = next((one.dtype for one in first.values()), torch.get_default_dtype())
        self.flat, self.gradient = self.blocks.empty(dtype), self.blocks.empty(dtype)
        self._parameters, self._gradients = self.blocks.views(self.flat), self.blocks.views(self.gradient)
        heads = {name for place in range(ends, len(steps)) for name in _names(networks[0], str(place))}
        self._buffers = {
            name: torch.stack([own[name] for own in self._own])
            for name, one in networks[0].named_buffers()
            if name not in heads and name in networks[0].state_dict()
        }
        for name, parameter in self._parameters.items():
            torch.stack([own[name].detach() for own in self._own], out=parameter)
        self._layers = self._made(steps[:ends], "")

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Everything that training changes, (M, ...), by the names it has in a network."""
        return {**self._parameters, **self._buffers}

    def put(self, tensors: Mapping[str, Tensor], places: Sequence[int]) -> None:
        """Give members' own networks what they have learnt, out of tensors with an axis of members."""
        parts = {name: tensor.unbind() for name, tensor in tensors.items()}
        pairs = [(self._own[place][name], part[place]) for place in places for name, part in parts.items()]
        if pairs:
            with torch.no_grad():
                torch._foreach_copy_([one for one, _ in pairs], [other for _, other in pairs])

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs in train mode, (M, C, B)."""
        return computing.forward(self._layers, x)

    def backward(self, g: Tensor) -> None:
        """Write the gradients, from those of the outputs; they are used up."""
        computing.backward(self._layers, g, wanted=False)

    def evaluate(self, x: Tensor) -> Tensor:
        """Return the outputs in eval mode, (M, B, C), without what the heads do."""
        y = computing.evaluate(self._layers, x)
        return (y if y.dim() == 3 else y.expand(len(self._networks), -1, -1)).transpose(1, 2)

    def _made(self, steps: Sequence[Step], prefix: str) -> list[Layer]:
        made: list[Layer] = []
        for place, step in enumerate(steps):
            # What a linear has made it does not look at again.
            layer = self._layer(step, f"{prefix}{place}", spare=bool(made) and isinstance(made[-1], Linear))
            made += [] if layer is None else [layer]
        return made

    def _layer(self, step: Step, name: str, *, spare: bool) -> Layer | None:
        call = step.call
        if call.target in UNCHANGING:
            return None
        if step.steps:
            return self._block(step, name)
        if call.target in LINEARS:
            factor = 1 / sqrt(call.arguments["in_features"]) if call.target == "ffspec.NTKLinear" else 1.0
            own = self._tensors_of(step, name, self._parameters)
            return Linear(own["weight"], own.get("bias"), self._gradients_of(step, name), factor)
        if call.target in {"nn.Dropout", "nn.AlphaDropout"}:
            modules = [network.get_submodule(name) for network in self._networks]
            return Dropout(modules, self._generators, step.input[-1] or 0, self.flat.dtype, step.members or 1)
        if call.target == "nn.BatchNorm1d":
            tensors = self._tensors_of(step, name, self.tensors)
            arguments = call.arguments["eps"], call.arguments["momentum"]
            return BatchNorm(tensors, self._gradients_of(step, name), *arguments)
        return self._other(step, name, spare=spare)

    def _block(self, step: Step, name: str) -> Layer:
        """Return what computes a block."""
        arguments, prefix = step.call.arguments, f"{name}."
        if step.call.target == "ffspec.Residual":
            return Residual(self._made(step.steps, prefix))
        if step.call.target == "ffspec.RidgeResidual":
            fitted = self._fitted(step, name)
            return Shortcut(self._made(step.steps, prefix), *(fitted[key] for key in ("weight", "bias", "scale")))
        shape = (len(self._networks), arguments["members"], arguments["combine"])
        if step.call.target == "ffspec.Ensemble":
            return Ensemble(self._made(step.steps, prefix), *shape)
        made = ((self._layer(inner, f"{prefix}{place}", spare=False), inner) for place, inner in enumerate(step.steps))
        return SharedEnsemble([(layer, bool(inner.members)) for layer, inner in made if layer is not None], *shape)

    def _tensors_of(self, step: Step, name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a layer by their own names; of one in an ensemble, each of its members is a member."""
        own = {key.rpartition(".")[2]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
        return {key: one.flatten(0, 1) if step.members and one.dim() > 1 else one for key, one in own.items()}

    def _gradients_of(self, step: Step, name: str) -> list[Tensor]:
        """Return where the gradients of a layer's parameters are written, in their order."""
        return [*self._tensors_of(step, name, self._gradients).values()]

    def _fitted(self, step: Step, name: str) -> dict[str, Tensor]:
        """Return the buffers of a layer that is fitted on the rows of each network: of its members all the same."""
        known = {key: self._buffers[f"{name}.{key}"] for key in BUFFERS if f"{name}.{key}" in self._buffers}
        return {key: one.repeat_interleave(step.members or 1, dim=0) for key, one in known.items()}

    def _other(self, step: Step, name: str, *, spare: bool) -> Layer:
        members = len(self._networks) * (step.members or 1)
        call = stacked(step.call, members)
        if call is None:
            raise TypeError(step.call)  # such members are not grouped
        with untouched():
            module = construct(call).to(self.flat.dtype)
        if isinstance(module, ELEMENTWISE):
            return Activation(module, over=spare)
        if isinstance(module, nn.RReLU):
            return RRelu(module, self._generators)
        if isinstance(module, PiecewiseLinear):
            tensors = {**self._tensors_of(step, name, self._parameters), **self._fitted(step, name)}
            return Pieces(module, tensors, self._tensors_of(step, name, self._gradients))
        gradients = {}
        for key, parameter in module.named_parameters():
            parameter.data = self._parameters[f"{name}.{key}"].view_as(parameter)
            gradients[key] = self._gradients[f"{name}.{key}"]
        return Differentiated(module, gradients, members)


def _names(network: nn.Module, place: str) -> list[str]:
    return [name for name, _ in network.named_buffers() if name.startswith(f"{place}.")]


def _tensors(networks: Sequence[nn.Module]) -> list[dict[str, Tensor]]:
    """Return the parameters and buffers of each, by name.

    All have the same: of many small networks, named_parameters takes as long as their steps.
    """
    found: list[dict[str, Tensor]] = [{} for _ in networks]
    for prefix, module in networks[0].named_modules():
        alike = [*networks]
        for name in prefix.split(".") if prefix else ():
            alike = [cast("nn.Module", one._modules[name]) for one in alike]  # noqa: SLF001 - what get_submodule reads
        for kind in ("_parameters", "_buffers"):
            for name in [name for name, one in getattr(module, kind).items() if one is not None]:
                path = f"{prefix}.{name}" if prefix else name
                for own, one in zip(found, alike, strict=True):
                    own[path] = getattr(one, kind)[name]
    return found
