"""What models learn from: features and targets of library crystals, derived once and kept beside the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.errors import LibraryError
from inscape.files import write_arrays
from inscape.library import Library
from inscape.potentials import NequixFeatures
from inscape.scattering import PlaneGrid, scattering_lengths, self_part
from inscape.scattering.plane import HK0
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model.geometry import Geometry, geometry
from inscape.structure_model.network import Atoms, gather
from inscape.structure_model.objectives import cut_kernel
from inscape.structure_model.representation import N_LEVELS, relative_density
from inscape.structures import Crystal

Array = NDArray[np.floating]
DERIVED = "derived-7"
MADE_UP = "made-up-"
BATCH = 32
KEPT_BYTES = 4_000_000_000
"""Of samples that stay in memory."""


@dataclass(frozen=True)
class Sample:
    """One crystal as models see it; targets that were not asked for are empty.

    ``features`` (n_atoms, n_features); ``partial_dos`` (n_atoms, n_energy) 1/meV; ``kernel`` of `cut_kernel`; and
    ρ(Q,u) of ``powder`` (n_q, n_levels), ``plane`` (n, n_levels) at ``plane_vectors`` (n, 3), 1/Å, and ``points``
    (m, n_levels) at ``point_vectors`` (m, 3).
    """

    id: str
    geometry: Geometry
    features: Tensor
    partial_dos: Tensor
    kernel: Tensor
    powder: Tensor
    plane: Tensor
    plane_vectors: Tensor
    points: Tensor
    point_vectors: Tensor

    @property
    def n_bytes(self) -> int:
        """Memory that the arrays take."""
        tensors = [getattr(part, f.name) for part in (self, self.geometry) for f in fields(part)]
        return sum(t.nbytes for t in tensors if isinstance(t, Tensor))


TARGETS = {
    "dos": ("partial_dos",),
    "powder": ("kernel", "powder"),
    "crystal": ("kernel", "plane", "plane_vectors", "points", "point_vectors"),
}
"""What has to be read to learn each kind of spectrum."""


def folder_of(library: Library) -> Path:
    """The folder of what is derived from the crystals of a library."""
    return library.path / DERIVED


def place_of(library: Library, name: str) -> Path:
    """The file of what is derived from a crystal."""
    return folder_of(library) / f"{name}.npz"


def made_up(number: int) -> str:
    """Name of a crystal that was made up (`inscape.pseudo_labels`), which has a density of states alone."""
    return f"{MADE_UP}{number:06d}"


def all_made_up(library: Library) -> list[str]:
    """Names of the made-up crystals that are there, sorted."""
    return sorted(path.stem for path in folder_of(library).glob(f"{MADE_UP}*.npz"))


def derive(library: Library, name: str, crystal: Crystal, features: Tensor) -> dict[str, NDArray[Any]]:
    """Inputs and targets of one crystal: its maps as relative densities."""
    a = library.arrays(
        name, "partial_dos", "displacements", "powder", "crystal", "points", "point_vectors", "h_edges", "k_edges"
    )
    edges, q = native_energy_edges(), centres(native_q_edges())
    lengths = scattering_lengths(crystal)
    plane_vectors = PlaneGrid(np.array(HK0, dtype=float), a["h_edges"], a["k_edges"]).centres(crystal).reshape(-1, 3)
    atoms = geometry(crystal)

    def density(reduced_over_q2: Array, moduli: Array) -> NDArray[np.float16]:
        own = self_part(a["partial_dos"], crystal.masses, lengths.coherent_square, moduli, a["displacements"][0])
        return relative_density(reduced_over_q2.astype(float), own, edges).astype(np.float16)

    return {
        **atoms.arrays(),
        "features": features.numpy(),
        "partial_dos": a["partial_dos"],
        "kernel": cut_kernel(a["partial_dos"], atoms.weights.numpy(), edges, N_LEVELS),
        "powder": density(a["powder"], q),
        "plane": density(a["crystal"].reshape(len(plane_vectors), -1), np.linalg.norm(plane_vectors, axis=-1)),
        "plane_vectors": plane_vectors.astype(np.float32),
        "points": density(a["points"], np.linalg.norm(a["point_vectors"], axis=-1)),
        "point_vectors": a["point_vectors"].astype(np.float32),
    }


def prepare(library: Library, names: Sequence[str], progress: Callable[[int, int, str], None] | None = None) -> None:
    """Derive what is not there yet; it can be interrupted, and goes on where it stopped."""
    folder_of(library).mkdir(exist_ok=True)
    missing = [n for n in names if not place_of(library, n).exists()]
    potential = NequixFeatures()
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        crystals = [library.crystal(n) for n in batch]
        for count, (name, crystal, features) in enumerate(
            zip(batch, crystals, potential(crystals), strict=True), start=start + 1
        ):
            write_arrays(place_of(library, name), derive(library, name, crystal, features.invariants))
            if progress is not None:
                progress(count, len(missing), name)


class Samples(Sequence[Sample]):
    """Prepared crystals with the targets of one kind of spectrum, each read when it is asked for.

    Those read first stay in memory, as many as fit in `KEPT_BYTES`: a library of thousands is read once, and a larger
    one needs no more memory.
    """

    def __init__(self, library: Library, names: Sequence[str], kind: str) -> None:
        self.library, self.names, self.kind = library, list(names), kind
        self._kept: dict[int, Sample] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index in self._kept:
            return self._kept[index]
        sample = _load(self.library, self.names[index], TARGETS[self.kind])
        if self._bytes + sample.n_bytes <= KEPT_BYTES:
            self._kept[index] = sample
            self._bytes += sample.n_bytes
        return sample


def _load(library: Library, name: str, wanted: Sequence[str]) -> Sample:
    path = place_of(library, name)
    if not path.exists():
        raise LibraryError(f"{name} has not been prepared; call prepare(library, [{name!r}]) first")
    with np.load(path) as stored:
        atoms = Geometry(**{f.name: torch.from_numpy(stored[f.name]) for f in fields(Geometry)})
        targets = {key: torch.from_numpy(stored[key]) for key in ("features", *wanted)}
    empty = {f.name: torch.empty(0) for f in fields(Sample)[2:]}
    return Sample(name, atoms, **(empty | targets))


def atoms_of(samples: Sequence[Sample]) -> Atoms:
    """The atoms of a few crystals, one after the other."""
    return gather([s.features for s in samples], [s.geometry for s in samples])
