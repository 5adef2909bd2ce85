"""What the structure model can learn: for each kind, its targets, its network, and what is small if it is good."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from inscape.autoencoders import load
from inscape.library import Library
from inscape.metrics import HIGH_Q, LOW_Q
from inscape.potentials import N_FEATURES
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model import dataset, dynamics
from inscape.structure_model.charges import ChargeNetwork
from inscape.structure_model.dataset import Sample, Samples, atoms_of
from inscape.structure_model.dynamics import Dynamics, DynamicsSamples
from inscape.structure_model.e3nn import E3nnNetwork
from inscape.structure_model.field import FieldNetwork
from inscape.structure_model.network import DosNetwork
from inscape.structure_model.objectives import (
    cut_cosine,
    dos_loss,
    heat_capacity_matrix,
    smoothing_matrix,
    total_dos_loss,
)
from inscape.structure_model.pairs import ForceConstantNetwork
from inscape.structure_model.powder import PowderNetwork
from inscape.structure_model.representation import N_LEVELS
from inscape.training import WEIGHTS

Archives = str | Path | None
Progress = Callable[[int, int, str], None]


class Task(ABC):
    """What is learned: targets, a network, and what is small if it is good."""

    parameters: dict[str, Any]

    @abstractmethod
    def network(self) -> Any:
        """A network to train."""

    def standardise(self, network: Any, training: Any) -> None:
        """Take from the training crystals what the network has to know of them before it learns."""
        network.trunk.standardise(s.features for s in training)

    @abstractmethod
    def loss(self, network: nn.Module, samples: Any) -> Tensor:
        """How far the network is from the targets of some samples."""

    @abstractmethod
    def prepare(self, library: Library, names: Sequence[str], archives: Archives, progress: Progress | None) -> None:
        """Derive features and targets that are not there yet."""

    @abstractmethod
    def samples(self, library: Library, names: Sequence[str]) -> Samples | DynamicsSamples:
        """Prepared crystals."""


class SpectraTask(Task):
    """Something that is learned from the spectra in the library."""

    kind: ClassVar[str]

    def prepare(self, library: Library, names: Sequence[str], archives: Archives, progress: Progress | None) -> None:
        """Derive features and targets that are not there yet."""
        dataset.prepare(library, names, progress)

    def samples(self, library: Library, names: Sequence[str]) -> Samples:
        """Prepared crystals."""
        return Samples(library, names, self.kind)


class DosTask(SpectraTask):
    """Atom-resolved density of states."""

    kind = "dos"

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        edges = native_energy_edges()
        self.parameters: dict[str, Any] = {
            "n_features": N_FEATURES, "n_energy": len(edges) - 1, "width": width, "depth": depth,
        }  # fmt: skip
        self.widths = torch.tensor(np.diff(edges), dtype=torch.float32)
        self.smoothing = smoothing_matrix(edges, 1.0)
        self.heat_capacities = heat_capacity_matrix(edges)

    def network(self) -> nn.Module:
        """A network to train."""
        return DosNetwork(**self.parameters)

    def loss(self, network: nn.Module, samples: list[Sample]) -> Tensor:
        """Distance of predicted from true densities of states."""
        atoms = atoms_of(samples)
        true = torch.cat([s.partial_dos for s in samples]) * self.widths
        true = true / true.sum(dim=1, keepdim=True)
        shares: Tensor = network(atoms)
        return dos_loss(shares, true, atoms, self.widths, self.smoothing, self.heat_capacities)


class Reference(SpectraTask):
    """Something that the network of Chen et al. learns, which needs no features of a potential."""

    def network(self) -> E3nnNetwork:
        """A network to train."""
        return E3nnNetwork(**self.parameters)

    def standardise(self, network: E3nnNetwork, training: Samples) -> None:
        """Take the mean number of neighbours."""
        network.standardise(s.geometry for s in training)


class ReferenceDosTask(Reference, DosTask):
    """Density of states of the whole crystal."""

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        super().__init__(width, depth, n_components, folder)
        self.parameters = {"n_outputs": len(self.widths), "width": width, "depth": depth}

    def loss(self, network: nn.Module, samples: list[Sample]) -> Tensor:
        """Distance of predicted from true densities of states."""
        true = torch.stack([s.partial_dos.sum(dim=0) for s in samples]) * self.widths
        true = true / true.sum(dim=1, keepdim=True)
        shares: Tensor = network(atoms_of(samples))
        return total_dos_loss(shares, true, self.widths, self.smoothing, self.heat_capacities)


class PowderTask(SpectraTask):
    """Code of the powder map, judged by the map that the autoencoder's decoder makes of it."""

    kind = "powder"

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        self.autoencoder: Any = load(folder / "autoencoder-powder.safetensors")
        self.q = centres(native_q_edges())
        self.parameters: dict[str, Any] = {
            "n_features": N_FEATURES, "n_levels": N_LEVELS, "n_components": self.autoencoder.n_components,
            "q": self.q.tolist(), "width": width,
        }  # fmt: skip
        self.rows = torch.from_numpy((self.q > LOW_Q) & (self.q < HIGH_Q))
        self.codes: dict[str, Tensor] = {}

    def network(self) -> nn.Module:
        """A network to train."""
        return PowderNetwork(**self.parameters)

    def loss(self, network: nn.Module, samples: list[Sample]) -> Tensor:
        """Three times 1 − cosine of the decoded cuts, and a little of the squared error of the code."""
        decoder = self.autoencoder.network_
        true = torch.stack([s.powder for s in samples]).float()
        kernels = torch.stack([s.kernel for s in samples])
        code = self.code(network, samples, kernels)
        decoded = decoder.restore(decoder.decode(code)).view_as(true)
        missing = [i for i, s in enumerate(samples) if s.id not in self.codes]
        if missing:
            found = self.autoencoder.transform(true[missing].flatten(1).numpy())
            self.codes |= {samples[i].id: torch.from_numpy(z) for i, z in zip(missing, found, strict=True)}
        error = ((code - torch.stack([self.codes[s.id] for s in samples])) ** 2).mean()
        cosine = cut_cosine(decoded[:, self.rows], true[:, self.rows], kernels)
        loss: Tensor = 3 * (1 - cosine.mean()) + 0.05 * error
        return loss

    def code(self, network: Any, samples: list[Sample], kernels: Tensor) -> Tensor:
        """Predicted codes, shape (n_samples, n_components)."""
        found: Tensor = network(atoms_of(samples), [s.geometry for s in samples], kernels)
        return found


class ReferencePowderTask(Reference, PowderTask):
    """The code of the powder map that ships, wherever its own weights go."""

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        super().__init__(width, depth, n_components, WEIGHTS)
        self.parameters = {"n_outputs": self.parameters["n_components"], "width": width, "depth": depth}

    def code(self, network: E3nnNetwork, samples: list[Sample], kernels: Tensor) -> Tensor:
        """Predicted codes, shape (n_samples, n_components)."""
        return network.pooled(atoms_of(samples))


class CrystalTask(SpectraTask):
    """Autoencoder of single-crystal spectra and prediction of its codes, together."""

    kind = "crystal"

    n_rows = 64
    from_plane = 40

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        self.parameters: dict[str, Any] = {
            "n_features": N_FEATURES, "n_levels": N_LEVELS, "n_components": n_components,
            "width": width, "depth": depth,
        }  # fmt: skip

    def network(self) -> FieldNetwork:
        """A network to train."""
        return FieldNetwork(**self.parameters)

    def loss(self, network: nn.Module, samples: list[Sample]) -> Tensor:
        """Cuts at random wave vectors, decoded from the true code (half of them encoded) and from the predicted one."""
        assert isinstance(network, FieldNetwork)
        springs = network.springs(atoms_of(samples), [s.geometry for s in samples])
        losses = []
        for sample, own in zip(samples, springs, strict=True):
            vectors, density = self.draw(sample)
            local = network.local_features(sample.geometry, own, vectors)
            half = len(vectors) // 2
            code, guess = network.encode(local[:half], density[:half]), network.predict_code(own)
            for z in (code, guess):
                log_density = network.decode(local, own, z)
                cosine = cut_cosine(log_density.exp(), density, sample.kernel).mean()
                entropy = -(density / N_LEVELS * log_density).sum(-1).mean()
                losses.append(2 * (1 - cosine) + 0.3 * (entropy - np.log(N_LEVELS)))
            losses.append(0.1 * ((code.detach() - guess) ** 2).mean() + 1e-3 * (code**2).mean())
        return torch.stack(losses).sum() / len(samples)

    def draw(self, sample: Sample) -> tuple[Tensor, Tensor]:
        """Wave vectors (n, 3) below `HIGH_Q` and their ρ (n, n_levels), of the plane and from everywhere, shuffled."""
        found_q, found = [], []
        counts = (self.from_plane, self.n_rows - self.from_plane)
        pairs = ((sample.plane_vectors, sample.plane), (sample.point_vectors, sample.points))
        for count, (vectors, density) in zip(counts, pairs, strict=True):
            near = torch.nonzero(vectors.norm(dim=1) < HIGH_Q)[:, 0]
            pick = near[torch.randint(len(near), (count,))]
            found_q.append(vectors[pick])
            found.append(density[pick].float())
        order = torch.randperm(self.n_rows)
        return torch.cat(found_q)[order], torch.cat(found)[order]


class DynamicsTask(Task):
    """Something that is learned from the force constants in the archives."""

    def prepare(self, library: Library, names: Sequence[str], archives: Archives, progress: Progress | None) -> None:
        """Derive features and targets that are not there yet."""
        dynamics.prepare(library, names, archives, progress)

    def samples(self, library: Library, names: Sequence[str]) -> DynamicsSamples:
        """Prepared crystals."""
        return DynamicsSamples(library, names)


class ForceConstantsTask(DynamicsTask):
    """Force constants of all pairs of atoms, judged by modes; ``energies`` is the weight of their energies."""

    energies = 1.0

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        self.parameters = {"n_features": N_FEATURES, "width": width, "depth": depth}

    def network(self) -> ForceConstantNetwork:
        """A network to train."""
        return ForceConstantNetwork(**self.parameters)

    def loss(self, network: nn.Module, samples: list[Dynamics]) -> Tensor:
        """Errors of modes and of force constants."""
        return dynamics.force_constants_loss(network, samples, self.energies)


class ChargesTask(DynamicsTask):
    """Born charges and dielectric tensors, of the crystals that have them."""

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        self.parameters = {"n_features": N_FEATURES, "width": width, "depth": depth}

    def network(self) -> ChargeNetwork:
        """A network to train."""
        return ChargeNetwork(**self.parameters)

    def samples(self, library: Library, names: Sequence[str]) -> DynamicsSamples:
        """Prepared crystals that have charges."""
        return DynamicsSamples(library, [name for name in names if library.entries[name].has_born])

    def loss(self, network: nn.Module, samples: list[Dynamics]) -> Tensor:
        """Errors of charges and dielectric tensors."""
        return dynamics.charges_loss(network, samples)


TASKS: dict[str, Callable[[int, int, int, Path], Task]] = {
    "dos": DosTask,
    "dos-e3nn": ReferenceDosTask,
    "powder": PowderTask,
    "powder-e3nn": ReferencePowderTask,
    "crystal": CrystalTask,
    "force-constants": ForceConstantsTask,
    "charges": ChargesTask,
}
"""What can be trained, by its kind, and by kind and backbone where the backbone is another than the features."""
