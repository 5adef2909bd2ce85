"""What the network of force constants learns from: the lattice dynamics of each crystal at some wave vectors.

An error of predicted force constants matters by what it does to the modes. To first order it shifts the energy of a
mode by the error of the dynamical matrix in the mode's own polarisation, and mixes modes by the rest; so errors are
judged in the true modes, where nothing has to be differentiated but a matrix product.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inscape.errors import LibraryError
from inscape.files import write_arrays
from inscape.lattice import DynamicsTargets, read_force_constants
from inscape.library import Library
from inscape.potentials import NequixFeatures, neighbours
from inscape.potentials.nequix import CUTOFF
from inscape.structure_model.geometry import Geometry, geometry
from inscape.structure_model.network import gather
from inscape.structure_model.pair_images import PairImages
from inscape.structure_model.pairs import Pairs, Ranked, dynamical_matrices
from inscape.units import MODE_ENERGY

DERIVED = "dynamics-2"
N_Q = 6
"""Wave vectors of each crystal, Γ among them."""

ENERGY_FLOOR = 3.0
"""Added to the sum of two modes' energies, meV, where an error is divided by it."""

SOFTENING = 0.02
"""Added to squared errors, meV², so that small ones weigh by their square."""

KEPT = 8000
"""Crystals kept in memory."""

RELATIVE, FALLING = 0.03, 0.01
"""Errors of modes at an energy E count less by 1 + 0.03 E/meV, distances of energies by 1 + 0.01 E/meV."""

N_DRAWN = 3
"""Wave vectors of each crystal whose energies are compared in a step."""

ROUNDED, STILL, IMAGINARY = 2.0, 0.3, 2.0
"""Energies are rounded below 2 meV; modes above −0.3 meV are real; weight of such that come out imaginary."""


TARGETS = ("features", *(f.name for f in fields(DynamicsTargets)))
"""What of a `Dynamics` is stored as it is."""


@dataclass(frozen=True)
class Dynamics:
    """One crystal as the networks of this module see it.

    ``features`` (n_atoms, n_features) and ``tensors`` of `AtomFeatures`; ``images``, the pairs within 6 Å, with their
    ``targets`` (n_pairs, 3, 3), eV/Å², where they are ``known``; at wave vectors ``q`` (n_q, 3), 1/Å: ``energies`` of
    the modes (n_q, n_modes), meV, negative if imaginary, ``modes`` (n_q, n_modes, n_modes) in columns, and the
    dynamical matrices ``short``, without dipoles where there are charges: ``born`` (n_atoms, 3, 3), ``dielectric``
    (3, 3), else empty.
    """

    id: str
    geometry: Geometry
    features: Tensor
    tensors: Ranked
    images: PairImages
    targets: Tensor
    known: Tensor
    q: Tensor
    energies: Tensor
    modes: Tensor
    short: Tensor
    born: Tensor
    dielectric: Tensor

    @property
    def pairs(self) -> Pairs:
        """All pairs."""
        return self.images.every

    @property
    def is_polar(self) -> bool:
        """Whether there are Born charges."""
        return len(self.born) > 0


def find_archives(folder: str | Path) -> dict[str, Path]:
    """Archives of the phonondb by the id of their crystal.

    Raises
    ------
    LibraryError
        There is none.
    """
    found = {}
    for path in sorted(Path(folder).glob("*.tar.*")):
        if match := re.search(r"materials-id-(\d+)-", path.name):
            found[f"mp-{match[1]}"] = path
    if not found:
        raise LibraryError(f"{folder} holds no archive materials-id-….tar.lzma; give the folder of the phonondb")
    return found


def prepare(
    library: Library,
    names: Sequence[str],
    archives: str | Path | None,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Derive what is not there yet from the archives; it can be interrupted, and goes on where it stopped."""
    folder = library.path / DERIVED
    folder.mkdir(exist_ok=True)
    missing = [n for n in names if not (folder / f"{n}.npz").exists()]
    if not missing:
        return
    if archives is None:
        raise LibraryError(f"force constants of {len(missing)} crystals are not there yet; name the folder of archives")
    paths = find_archives(archives)
    potential = NequixFeatures()
    for count, name in enumerate(missing, start=1):
        if name not in paths:
            raise LibraryError(f"{archives} holds no archive of {name}, which is in {library.path}")
        force_constants = read_force_constants(paths[name])
        crystal = force_constants.crystal
        atoms = geometry(crystal)
        (features,) = potential([crystal])
        pairs, ways = neighbours(crystal, CUTOFF)
        found = DynamicsTargets.of(force_constants, pairs, ways, N_Q, seed=zlib.crc32(name.encode()))
        images = PairImages.by_symmetry(crystal, Pairs.of(torch.from_numpy(pairs), torch.from_numpy(ways)))
        arrays = {
            **atoms.arrays(),
            **found.arrays(),
            "neighbours": pairs.astype(np.int16),
            "ways": ways.astype(np.float32),
            "source": images.source.numpy().astype(np.int32),
            "by": images.by.numpy().astype(np.uint8),
            "rotations": images.rotations.numpy(),
            "features": features.invariants.numpy(),
            **{f"rank_{rank}": x.half().numpy() for rank, x in enumerate(features.tensors, 1)},
        }
        write_arrays(folder / f"{name}.npz", arrays)
        if progress is not None:
            progress(count, len(missing), name)


def load(library: Library, name: str) -> Dynamics:
    """A prepared crystal."""
    with np.load(library.path / DERIVED / f"{name}.npz") as stored:
        arrays = {key: torch.from_numpy(stored[key]) for key in stored.files}
    return Dynamics(
        id=name,
        geometry=Geometry(**{f.name: arrays[f.name] for f in fields(Geometry)}),
        tensors=(arrays["rank_1"], arrays["rank_2"], arrays["rank_3"]),
        images=PairImages(
            Pairs.of(arrays["neighbours"].long(), arrays["ways"]),
            arrays["source"].long(),
            arrays["by"].long(),
            arrays["rotations"],
        ),
        **{key: arrays[key] for key in TARGETS},
    )


class DynamicsSamples(Sequence[Dynamics]):
    """Prepared crystals, each read when it is first asked for and kept as long as memory allows."""

    def __init__(self, library: Library, names: Sequence[str]) -> None:
        self.library, self.names = library, list(names)
        self._load = lru_cache(maxsize=KEPT)(lambda name: load(library, name))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Dynamics:  # type: ignore[override]
        return self._load(self.names[index])


def tensors_of(samples: Sequence[Dynamics]) -> Ranked:
    """Vectors and tensors of the atoms of several crystals, one after the other, in single precision."""
    first, second, third = (torch.cat([s.tensors[rank].float() for s in samples]) for rank in range(3))
    return first, second, third


def force_constants_loss(network: nn.Module, samples: Sequence[Dynamics], energies: float = 1.0) -> Tensor:
    """Errors of modes to first order, of their energies, which count ``energies`` times, and of force constants where
    they are known; mean over crystals."""
    counts = [len(s.geometry.masses) for s in samples]
    found = network(
        gather([s.features for s in samples], [s.geometry for s in samples]),
        tensors_of(samples),
        Pairs.joined([s.images.few for s in samples], counts),
        torch.tensor([float(s.is_polar) for s in samples]),
    ).float()
    parts = torch.split(found, [len(s.images.few) for s in samples])
    with torch.autocast(found.device.type, enabled=False):  # phases of waves need all their digits
        errors = [_errors(s, s.images(part), energies) for s, part in zip(samples, parts, strict=True)]
        return torch.stack(errors).mean()


def _errors(sample: Dynamics, tensors: Tensor, energies: float) -> Tensor:
    elements = mode_elements(sample, tensors)
    return mode_errors(sample, elements) + energies * energy_errors(sample, elements) + pair_error(sample, tensors)


def mode_elements(sample: Dynamics, tensors: Tensor) -> Tensor:
    """Errors of the dynamical matrices as matrices between the true modes, (n_q, n_modes, n_modes), eV/Å²/u."""
    difference = dynamical_matrices(tensors, sample.pairs, sample.geometry.masses, sample.q) - sample.short
    return sample.modes.mH @ difference @ sample.modes


def mode_errors(sample: Dynamics, elements: Tensor) -> Tensor:
    """Mean over the modes ν of √Σ_μ |⟨ν|ΔD|μ⟩|²/(E_ν + E_μ + 3 meV)², meV: to first order, how far each is off."""
    energy = sample.energies.abs()
    to_shift = MODE_ENERGY**2 / (energy[:, :, None] + energy[:, None] + ENERGY_FLOOR)
    square = torch.view_as_real(elements).square().sum(dim=-1) * to_shift.square()
    return ((square.sum(dim=2) + SOFTENING).sqrt() / (1 + RELATIVE * energy)).mean()


def energy_errors(sample: Dynamics, elements: Tensor) -> Tensor:
    """Mean distance of the energies in their order at wave vectors drawn anew, and twice that by which modes that are
    real are imaginary, meV.

    Errors of the matrix push the lowest modes down and the highest up, which no sum over first orders sees. Energies
    are differentiated by their eigenvectors held fixed (Hellmann and Feynman), which is exact and stable.
    """
    drawn = torch.randperm(len(elements))[:N_DRAWN]
    energies = sample.energies[drawn]
    true = energies.sign() * (energies / MODE_ENERGY).square()
    matrices = elements[drawn] + torch.diag_embed(true).to(elements.dtype)
    vectors = torch.linalg.eigh(matrices.detach()).eigenvectors
    found = _root((vectors.conj() * (matrices @ vectors)).sum(dim=1).real)
    target = _root(true)
    distance = ((found - target).square() + SOFTENING).sqrt() / (1 + FALLING * target.abs())
    return distance.mean() + IMAGINARY * (functional.relu(-found) * (energies > -STILL)).mean()


def _root(square: Tensor) -> Tensor:
    """Energies, meV, of squared frequencies, eV/Å²/u; negative if imaginary; without a cusp at 0."""
    return MODE_ENERGY * square / (square.square() + (ROUNDED / MODE_ENERGY) ** 4).pow(0.25)


def pair_error(sample: Dynamics, tensors: Tensor) -> Tensor:
    """Root of the summed squares of errors of Φ_ij/√(M_i M_j), by atom, over the mean square energy of the modes."""
    root = sample.geometry.masses.rsqrt()
    first, second = sample.pairs.atoms
    error = (tensors - sample.targets) * (root[first] * root[second])[:, None, None]
    size = error[sample.known].square().sum() / len(root)
    return (size + 1e-12).sqrt() / (sample.energies / MODE_ENERGY).square().mean()


def charges_loss(network: nn.Module, samples: Sequence[Dynamics]) -> Tensor:
    """Errors of Born charges, elementary charges, and of the dielectric tensor as a share of it; mean over crystals."""
    atoms = gather([s.features for s in samples], [s.geometry for s in samples])
    charges, dielectric = network(atoms, torch.cat([s.tensors[1].float() for s in samples]))
    square = (charges - torch.cat([s.born for s in samples])).square().sum(dim=(1, 2))
    error = (atoms.sum(square[:, None]) / atoms.counts[:, None])[:, 0]
    true = torch.stack([s.dielectric for s in samples])
    share = (torch.linalg.inv(dielectric) @ true - torch.eye(3)).square().sum(dim=(1, 2))
    loss: Tensor = ((error + 1e-3).sqrt() + (share + 1e-3).sqrt()).mean()
    return loss
