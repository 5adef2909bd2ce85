"""Pseudo-labels: crystals made up from training crystals, with densities of states by force constants.

The road of codes is fast and wants more crystals than there are calculations; the road of force constants errs half as
much. So the slower one teaches the faster (distillation; Hinton, Vinyals and Dean, arXiv:1503.02531, 2015): elements of
training crystals are replaced by their neighbours in the periodic table, and what force constants say of the new
crystals is learned beside what calculations say of the real ones. The teacher learned from training crystals alone, so
no held-out crystal has a part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray
from scipy.optimize import nnls

from inscape.errors import DataError, StructureError
from inscape.files import write_arrays
from inscape.lattice import COARSE_MESH, modes_on_mesh
from inscape.library import Library
from inscape.library.cluster import Cluster
from inscape.library.render import CLEAN_SHARE
from inscape.scattering import density_of_states
from inscape.simulation.direct import folded
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.dataset import folder_of, made_up, place_of
from inscape.structure_model.force_constants import shipped_force_constant_model
from inscape.structure_model.geometry import geometry
from inscape.structure_model.network import gather
from inscape.structure_model.novelty import THRESHOLD
from inscape.structure_model.train import training_ids
from inscape.structures import Crystal

Array = NDArray[np.floating]
IntArray = NDArray[np.int64]

SERIES = (
    "Li Na K Rb Cs",
    "Be Mg Ca Sr Ba",
    "Sc Y Lu Yb Tm Er Ho Dy Tb Gd Eu Sm Pm Nd Pr Ce La",
    "Ti Zr Hf",
    "V Nb Ta",
    "Cr Mo W",
    "Mn Tc Re",
    "Fe Ru Os",
    "Co Rh Ir",
    "Ni Pd Pt",
    "Cu Ag Au",
    "Zn Cd Hg",
    "B Al Ga In Tl",
    "C Si Ge Sn Pb",
    "N P As Sb Bi",
    "O S Se Te",
    "F Cl Br I",
)
"""Elements that replace their neighbours in the row: those of one valence, by radius."""

TWO = 0.4
"""Share of crystals in which two elements are replaced; in the others one is."""

LEAST_SCALE, MOST_SCALE = 0.87, 1.15
"""How much lengths may change; more is no longer the same kind of crystal."""

SEED = 0
"""With the number of a crystal, what its random choices start from."""

TRIALS = 20
"""Crystals tried for each number before it is left out."""


def replacements() -> dict[int, tuple[int, ...]]:
    """Atomic numbers that may stand for each."""
    found: dict[int, tuple[int, ...]] = {}
    for series in SERIES:
        numbers = [atomic_numbers[symbol] for symbol in series.split()]
        for place, number in enumerate(numbers):
            found[number] = tuple(numbers[max(0, place - 1) : place] + numbers[place + 1 : place + 2])
    return found


def atomic_volumes(numbers: Sequence[IntArray], volumes: Array) -> Array:
    """Volume that an atom of each element takes, shape (119,), Å³, by least squares of relative errors; 0: not there.

    Parameters
    ----------
    numbers, volumes
        Atomic numbers, and volumes of the cells, Å³.
    """
    counts = np.array([np.bincount(own, minlength=119) for own in numbers])
    return np.asarray(nnls(counts / volumes[:, None], np.ones(len(volumes)))[0])


def volumes_in(library: Library, names: Sequence[str]) -> Array:
    """`atomic_volumes` of crystals in a library."""
    cells = [library.arrays(name, "lattice", "numbers") for name in names]
    return atomic_volumes([c["numbers"] for c in cells], np.array([abs(np.linalg.det(c["lattice"])) for c in cells]))


def substituted(crystal: Crystal, volumes: Array, rng: np.random.Generator) -> Crystal | None:
    """The crystal with one or two elements replaced at random, lengths scaled by `atomic_volumes`; None if that fails.

    Fractional positions stay.
    """
    may = {z: [n for n in near if volumes[n] > 0] for z, near in replacements().items()}
    kinds = [z for z in np.unique(crystal.numbers).tolist() if may.get(z)]
    if not kinds:
        return None
    chosen = rng.permutation(kinds)[: 1 + (rng.random() < TWO)]
    numbers = crystal.numbers.copy()
    for z in chosen:
        numbers[crystal.numbers == z] = rng.choice(may[z])
    scale = (volumes[numbers].sum() / volumes[crystal.numbers].sum()) ** (1 / 3)
    if not LEAST_SCALE < scale < MOST_SCALE:
        return None
    try:
        return Crystal.from_cell(crystal.lattice * scale, crystal.positions, numbers)
    except StructureError:
        return None


def labelled(crystal: Crystal) -> Mapping[str, NDArray[np.generic]] | None:
    """Features, geometry and density of states by force constants, as `Samples` have them.

    None where force constants are not to be trusted: the crystal is foreign, or has imaginary modes.
    """
    model = shipped_force_constant_model()
    (features,) = model.features([crystal])
    own = geometry(crystal)
    if float(shipped_model().novelty(gather([features.invariants], [own]))) > THRESHOLD:
        return None
    found = model(crystal, features)
    made = folded(crystal, found, found.tensors)
    if made.share > CLEAN_SHARE:
        return None
    density = density_of_states(modes_on_mesh(made.force_constants, COARSE_MESH), native_energy_edges())[0]
    return {**own.arrays(), "features": features.invariants.numpy(), "partial_dos": density.astype(np.float32)}


@dataclass(frozen=True)
class Work:
    """What a worker does with a number: a crystal, which depends on nothing but the number, made up and written."""

    path: Path
    parents: Sequence[str]
    formulas: frozenset[str]
    volumes: Array

    def __call__(self, number: int) -> bool:
        """Whether a crystal was found that is new, familiar and stable."""
        library, rng = Library(self.path), np.random.default_rng([SEED, number])
        for _ in range(TRIALS):
            parent = self.parents[int(rng.integers(len(self.parents)))]
            crystal = substituted(library.crystal(parent), self.volumes, rng)
            if crystal is None or crystal.formula in self.formulas:
                continue
            arrays = labelled(crystal)
            if arrays is not None:
                write_arrays(place_of(library, made_up(number)), arrays)
                return True
        return False


def make_up(
    library: str | Path,
    number: int,
    *,
    max_atoms: int = 20,
    cluster: Cluster | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> int:
    """Make crystals up and keep them beside a library, for densities of states to be learned from; how many there are.

    None has a formula that a crystal of the library has. It can be interrupted, and goes on where it stopped. What is
    there stays, until its files are removed, whatever force constants the package has by then.

    Parameters
    ----------
    number
        How many, but for those that fail in `TRIALS` trials.
    max_atoms
        Of the crystals that they are made from.
    cluster
        Where to work; two processes of this machine unless given.

    Raises
    ------
    LibraryError
        There is no library, or no crystals to learn from in it.
    DataError
        The number is not positive.
    """
    if number < 1:
        raise DataError(f"number is {number}; expected how many crystals to make up, such as 10000")
    source = Library(library)
    learn, _ = training_ids(source, max_atoms)
    folder_of(source).mkdir(exist_ok=True)
    todo = [n for n in range(number) if not place_of(source, made_up(n)).exists()]
    if todo:
        from inscape.library.dispatch import connect, run

        work = Work(
            source.path.absolute(),
            learn,
            frozenset(entry.formula for entry in source.entries.values()),
            volumes_in(source, learn),
        )
        with connect(cluster or Cluster()) as client:
            for count, (item, _) in enumerate(run(client, work, todo), start=1):
                if progress is not None:
                    progress(count, len(todo), made_up(item))
    return sum(place_of(source, made_up(n)).exists() for n in range(number))
