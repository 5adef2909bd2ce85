"""What every penalty is: an object that may shape the code, change the layers, and cost something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from inscape.autoencoders.networks import Bottleneck, Network
from inscape.autoencoders.parts import Part
from inscape.errors import DataError


@dataclass(frozen=True)
class Pass:
    """A batch on its way through a network: what penalties look at.

    Parameters
    ----------
    network
        The network.
    entered, true
        Standardised rows, shape (m, size): as the encoder saw them (corrupted), and as they should come out.
    numbers, code, decoded
        What entered the bottleneck, what left it, shape (m, n_components), and the decoder's standardised rows.
    error
        The cost of reconstruction of any other decoded rows, a scalar.
    mask, weights
        True where a value was measured, None if all were; what samples count, shape (m,), None if all count 1.
    share
        Share of the training that is done, 0 to 1.
    """

    network: Network
    entered: Tensor
    true: Tensor
    numbers: Tensor
    code: Tensor
    decoded: Tensor
    error: Callable[[Tensor], Tensor]
    mask: Tensor | None
    weights: Tensor | None
    share: float

    def per_value(self, cost: Tensor) -> Tensor:
        """Weighted mean over samples of a cost of each, shape (m,), divided by the number of values in a sample.

        The loss is a mean over values, so sums over a sample, as books write Ω(h), enter it with this divisor.
        """
        return (cost if self.weights is None else cost * self.weights).mean() / self.true.shape[1]


@dataclass(frozen=True)
class Penalty(Part):
    """Abstract: Ω, what is asked of a code or of weights besides a small error of reconstruction.

    A penalty that ``shapes`` the code makes a bottleneck, and there can be only one; one that is ``sparse`` leaves
    elements at exactly 0. ``from_pca`` says whether a network can begin as PCA under it.
    """

    shapes: ClassVar[bool] = False
    sparse: ClassVar[bool] = False
    from_pca: ClassVar[bool] = True

    def bottleneck(self, n_components: int) -> Bottleneck:
        """The module that makes the code of what the encoder gives."""
        return Bottleneck(n_components)

    def constrain(self, network: Network) -> None:
        """Change layers of a new network."""

    def cost(self, batch: Pass) -> Tensor:
        """What to add to the loss, a scalar."""
        return batch.code.new_zeros(())


def bottleneck_of(penalties: Sequence[Penalty], n_components: int) -> Bottleneck:
    """The bottleneck of the one penalty that shapes the code, or a plain one; `DataError` if there are two."""
    shaping = [p for p in penalties if p.shapes]
    if len(shaping) > 1:
        names = " and ".join(type(p).__name__ for p in shaping)
        raise DataError(f"penalties {names} each decide what the code is: give one of them")
    return shaping[0].bottleneck(n_components) if shaping else Bottleneck(n_components)
