"""The shipped models of force constants: a crystal in; the force constants of its pairs and Born charges out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.lattice.force_constants import COULOMB
from inscape.potentials import AtomFeatures, NequixFeatures, neighbours
from inscape.potentials.nequix import CUTOFF
from inscape.structure_model.charges import ChargeNetwork
from inscape.structure_model.doubts import CALIBRATIONS, Doubts
from inscape.structure_model.geometry import geometry
from inscape.structure_model.model import networks_in
from inscape.structure_model.network import gather
from inscape.structure_model.pair_images import PairImages
from inscape.structure_model.pairs import ForceConstantNetwork, Pairs, dynamical_matrices
from inscape.structures import Crystal, averaged_tensors
from inscape.training import WEIGHTS, load_weights
from inscape.units import MODE_ENERGY


@dataclass(frozen=True, eq=False)
class PairForceConstants:
    """What the models say of one crystal.

    ``pairs`` (2, n_pairs) and ``ways`` (n_pairs, 3), Å, of `neighbours`; ``members`` (n_networks, n_pairs, 3, 3),
    eV/Å², of each network; ``mean_energy``, meV, of the modes at two wave vectors, and ``disagreement``, meV, how far
    the networks' energies there are from their mean; ``charges`` as phonopy has them, None in a crystal of one element,
    where there are none.
    """

    pairs: NDArray[np.int64]
    ways: NDArray[np.float64]
    members: NDArray[np.float64]
    mean_energy: float
    disagreement: float
    charges: Mapping[str, Any] | None

    @property
    def tensors(self) -> NDArray[np.float64]:
        """Force constants of the first network, which learned longest, shape (n_pairs, 3, 3), eV/Å²."""
        return np.asarray(self.members[0])


class ForceConstantModel:
    """Networks of force constants and charges, loaded once.

    Parameters
    ----------
    folder
        Where ``structure-force-constants.safetensors`` and ``structure-charges.safetensors`` lie.

    Raises
    ------
    WeightsError
        A file is missing, damaged or foreign.
    """

    def __init__(self, folder: str | Path = WEIGHTS) -> None:
        names = ("structure-force-constants", "structure-charges")
        pairs, charges = (load_weights(Path(folder) / f"{name}.safetensors", class_name=name) for name in names)
        self.features = NequixFeatures()
        self.pairs = networks_in(*pairs, ForceConstantNetwork)
        self.charges = networks_in(*charges, ChargeNetwork)
        self.digests = {"force_constants": pairs[1].digest, "charges": charges[1].digest}
        self.doubts = Doubts.read(Path(folder) / CALIBRATIONS["force-constants"])

    @torch.inference_mode()
    def __call__(
        self, crystal: Crystal, features: AtomFeatures | None = None, polar: bool | None = None
    ) -> PairForceConstants:
        """Force constants of a crystal.

        Parameters
        ----------
        features
            What ``self.features`` says of it, where it is known already.
        polar
            Whether dipoles are taken apart, with Born charges; so in a compound unless said otherwise.

        Raises
        ------
        StructureError
            An element that the potential behind the features does not know.
        """
        known = features or self.features([crystal])[0]
        pairs, ways = neighbours(crystal, CUTOFF)
        atoms = gather([known.invariants], [geometry(crystal)])
        polar = len(set(crystal.numbers.tolist())) > 1 if polar is None else polar
        of_atoms = Pairs.of(torch.from_numpy(pairs), torch.tensor(ways, dtype=torch.float32))
        flag = torch.tensor([float(polar)])
        images = PairImages.by_symmetry(crystal, of_atoms)
        members = torch.stack([images(network(atoms, known.tensors, images.few, flag)) for network in self.pairs])
        charges = None
        if polar:
            both = [network(atoms, known.tensors[1]) for network in self.charges]
            born, dielectric = (torch.stack(parts).mean(dim=0).double().numpy() for parts in zip(*both, strict=True))
            _, rotations, permutations = crystal.operations
            born = averaged_tensors(born, rotations, permutations)  # single precision breaks their symmetry
            charges = {"born": born, "dielectric": dielectric[0], "factor": COULOMB}
        energies = mode_energies(members, of_atoms, atoms.masses, _two_waves(crystal))
        apart = (energies - energies.mean(dim=0)).abs().mean()
        return PairForceConstants(pairs, ways, members.double().numpy(), float(energies.mean()), float(apart), charges)


def mode_energies(members: Tensor, pairs: Pairs, masses: Tensor, q: Tensor) -> Tensor:
    """Energies of modes in their order, without dipoles, (n_networks, n_q, n_modes), meV, negative if imaginary.

    Parameters
    ----------
    members
        Force constants of each network, shape (n_networks, n_pairs, 3, 3), eV/Å².
    q
        Wave vectors, shape (n_q, 3), Cartesian, 1/Å.
    """
    square = torch.stack([torch.linalg.eigvalsh(dynamical_matrices(one, pairs, masses, q)) for one in members])
    energies: Tensor = square.sign() * square.abs().sqrt() * MODE_ENERGY
    return energies


def _two_waves(crystal: Crystal) -> Tensor:
    """Γ and the far corner of the Brillouin zone, shape (2, 3), 1/Å."""
    return torch.tensor(np.array([[0, 0, 0], [0.5, 0.5, 0.5]]) @ crystal.reciprocal, dtype=torch.float32)


@lru_cache(maxsize=1)
def shipped_force_constant_model() -> ForceConstantModel:
    """The models whose weights ship with the package, loaded at first use and kept."""
    return ForceConstantModel()
