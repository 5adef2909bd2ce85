"""Codes that hardly move when a sample does: the squared norm of the encoder's Jacobian.

References
----------
S. Rifai, P. Vincent, X. Muller, X. Glorot and Y. Bengio, Contractive auto-encoders, ICML (2011).
M. F. Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990): the estimate of a trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inscape.autoencoders.networks import Network
from inscape.autoencoders.penalties.base import Pass, Penalty


@dataclass(frozen=True)
class Contractive(Penalty):
    """``weight`` · ‖J‖², the squared Frobenius norm of the derivatives of the code by the standardised sample.

    Of an encoder of one layer it is exact. Of a deeper one it is estimated, without forming J, by ‖Jᵀv‖² with random
    signs v, ``probes`` of them, whose expectation it is; ``probes`` = None takes the unit vectors instead, which is
    exact and costs a backward pass for each element of the code. An encoder can also contract by making codes small,
    if the decoder makes up for it: join it with `Tied`.
    """

    weight: float = 0.1
    probes: int | None = 1

    def cost(self, batch: Pass) -> Tensor:
        return self.weight * batch.per_value(jacobian_norm(batch.network, batch.entered, self.probes))


def jacobian_norm(network: Network, rows: Tensor, probes: int | None) -> Tensor:
    """Squared Frobenius norm of ∂code/∂row at standardised rows, shape (m,), exact or estimated."""
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        matrix = only_matrix(network)
        if matrix is not None:
            numbers = network.numbers(rows)
            code = network.bottleneck(numbers)
            slope = torch.autograd.grad(code.sum(), numbers, create_graph=keep)[0]
            return slope.square() @ matrix.square().sum(dim=1)
        rows = rows.detach().requires_grad_()
        code = network.encode(rows)
        if probes is None:
            vectors = torch.eye(code.shape[1], dtype=code.dtype, device=code.device)[:, None].expand(-1, len(code), -1)
        else:
            vectors = 2.0 * torch.randint(0, 2, (probes, *code.shape), device=code.device).to(code.dtype) - 1
        total = torch.zeros(len(rows), dtype=code.dtype, device=code.device)
        for vector in vectors:
            pulled = torch.autograd.grad((code * vector).sum(), rows, create_graph=keep, retain_graph=True)[0]
            total = total + pulled.square().sum(dim=1)
        return total if probes is None else total / probes


def only_matrix(network: Network) -> Tensor | None:
    """The matrix of an encoder of one layer, shape (n_components, size), linear path included; None if it is deeper."""
    weighted = [m for m in network.encoder.modules() if list(m.parameters(recurse=False))]
    if len(weighted) != 1 or not isinstance(weighted[0], nn.Linear) or not network.bottleneck.elementwise:
        return None
    matrix: Tensor = weighted[0].weight
    return matrix + network.axes / network.code_scale if network.linear else matrix
