"""The layer that is fitted after training."""

from typing import ClassVar, final

from ffspec.spec.kinds import Layer
from ffspec.spec.step import Call, Shape, Step, size


@final
class Temperature(Layer):
    """Scores divided by a temperature T (Guo et al. 2017, arXiv 1706.04599); it stands behind all other layers.

    T is 1 while the network is trained. Afterwards the T with the least log-loss on the validation split is kept: no
    prediction changes, but probabilities become as sure as they are right.
    """

    name: ClassVar[str] = "temperature"

    def as_step(self, shape: Shape) -> Step:
        """Keep the shape; a quotient an element."""
        return Step(call=Call("ffspec.Temperature"), input=shape, output=shape, flops=size(shape))
