"""Small crystals from the literature with phonons from springs, and archives of them like those of the phonon database.

Each pair of atoms closer than `CUTOFF` is joined by a spring that resists stretching and, weaker, sliding, so that all
modes are real. Forces on a displaced supercell follow exactly, and no fetched data are needed.
"""

import io
import tarfile
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal
from phonopy import Phonopy
from phonopy.interface.vasp import get_vasp_structure_lines
from phonopy.structure.atoms import PhonopyAtoms

from inscape.lattice import ForceConstants, from_phonopy
from inscape.potentials import N_FEATURES, AtomFeatures

CUTOFF = 3.9
"""Longest spring, Å; less than half of every supercell here."""

SLIDING = 0.15
"""Stiffness against sliding over that against stretching."""

FACE_CENTRED = "0 1/2 1/2 1/2 0 1/2 1/2 1/2 0"


@dataclass(frozen=True)
class Material:
    """A crystal of the tests: cell, the name and number of its archive, supercell, Born charges by element."""

    name: str
    number: int
    atoms: Atoms = field(repr=False)
    dim: tuple[int, int, int]
    primitive: str = "1 0 0 0 1 0 0 0 1"
    charges: dict[str, float] = field(default_factory=dict)
    stiffness: float = 1.0

    @property
    def id(self):
        """Its id in a library."""
        return f"mp-{self.number}"

    @property
    def archive(self):
        """Name of its archive."""
        return f"materials-id-{self.number}-{self.name}.tar.lzma"


def rock_salt(number, cation, anion, a, charge=0.0, **options):
    """A crystal of the NaCl structure, lattice parameter ``a`` in Å."""
    atoms = crystal([cation, anion], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[a, a, a, 90, 90, 90])
    name = f"{cation}{anion}-fm-3m-225".lower()
    charges = {cation: charge, anion: -charge} if charge else {}
    return Material(name, number, atoms, (2, 2, 2), FACE_CENTRED, charges, **options)


NACL = rock_salt(1001, "Na", "Cl", 5.6402, 0.6)
SILICON = Material(
    "si-fd-3m-227",
    1002,
    crystal(["Si"], [(0, 0, 0)], spacegroup=227, cellpar=[5.431] * 3 + [90] * 3),
    (2, 2, 2),
    FACE_CENTRED,
)
ZINC_OXIDE = Material(  # Kisi and Elcombe, Acta Cryst. C 45, 1867 (1989)
    "zno-p6-3mc-186", 1003,
    crystal(
        ["Zn", "O"], [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.3821)],
        spacegroup=186, cellpar=[3.2501, 3.2501, 5.2071, 90, 90, 120],
    ),
    (3, 3, 2), charges={"Zn": 0.9, "O": -0.9},
)  # fmt: skip
QUARTZ = Material(  # Levien, Prewitt and Weidner, Am. Mineral. 65, 920 (1980)
    "sio2-p3-221-154", 1004,
    crystal(
        ["Si", "O"], [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)],
        spacegroup=154, cellpar=[4.916, 4.916, 5.4054, 90, 90, 120],
    ),
    (2, 2, 2),
)  # fmt: skip
BRUCITE = Material(  # Catti et al., Phys. Chem. Minerals 22, 200 (1995)
    "mgh2o2-p-3m1-164", 1005,
    crystal(
        ["Mg", "O", "H"], [(0, 0, 0), (1 / 3, 2 / 3, 0.2203), (1 / 3, 2 / 3, 0.4130)],
        spacegroup=164, cellpar=[3.14979, 3.14979, 4.7702, 90, 90, 120],
    ),
    (3, 3, 2),
)  # fmt: skip
SIMPLE_CUBIC = Material(  # antimony under pressure; springs reach the six nearest neighbours only
    "sb-pm-3m-221", 1006, crystal(["Sb"], [(0, 0, 0)], spacegroup=221, cellpar=[2.99] * 3 + [90] * 3), (3, 3, 3)
)
MATERIALS = (NACL, SILICON, ZINC_OXIDE, QUARTZ, BRUCITE)
SALTS = (
    ("Li", "F", 4.03), ("Mg", "O", 4.21), ("K", "Cl", 6.29), ("Ca", "S", 5.69), ("Li", "H", 4.08), ("Ti", "N", 4.24),
)  # fmt: skip
FEW = tuple(rock_salt(2000 + i, *salt) for i, salt in enumerate(SALTS))
UNSTABLE = rock_salt(1011, "Na", "Br", 5.97, 1.6, stiffness=0.3)
"""Its dipoles are too strong for its springs."""

SPLITS = {m.id: "train" for m in FEW} | {m.id: "val" for m in (SILICON, ZINC_OXIDE, QUARTZ)} | {BRUCITE.id: "test"}
"""Split of each; titanium nitride is for tuning by its chemical system, and sodium chloride is in none."""

SPECTRA = {"mesh_spacing": 0.6, "per_shell": 20, "n_points": 60}
"""Settings of rough spectra."""


class ElementFeatures:
    """In place of the features of a universal potential: random numbers by element and nearest distance."""

    def load(self):
        """Nothing to load."""

    def __call__(self, crystals):
        """Features of each crystal, shape (n_atoms, n_features)."""
        return [self.of(c) for c in crystals]

    def of(self, c):
        """Features of one crystal."""
        first, lengths = neighbor_list("id", c.to_ase(), CUTOFF)
        nearest = [lengths[first == i].min() for i in range(c.n_atoms)]
        rows = [np.random.default_rng(int(z)).normal(size=(2, N_FEATURES)) for z in c.numbers]
        found = np.array([a + d * b for (a, b), d in zip(rows, nearest, strict=True)], dtype=np.float32)
        tensors = tuple(torch.zeros(c.n_atoms, 2 * rank + 1, n) for rank, n in ((1, 128), (2, 64), (3, 64)))
        return AtomFeatures(torch.from_numpy(found), tensors)


def spring_matrix(atoms, stiffness=1.0):
    """Force constants of all atoms of a supercell, shape (n, n, 3, 3), eV/Å²."""
    first, second, vectors = neighbor_list("ijD", atoms, CUTOFF)
    r = np.linalg.norm(vectors, axis=1)
    along = stiffness * 195 * np.exp(-r / 0.56) * (1 - (r / CUTOFF) ** 2)
    projector = vectors[:, :, None] * vectors[:, None, :] / r[:, None, None] ** 2
    springs = along[:, None, None] * ((1 - SLIDING) * projector + SLIDING * np.eye(3))
    matrix = np.zeros((len(atoms), len(atoms), 3, 3))
    np.add.at(matrix, (first, second), -springs)
    np.add.at(matrix, (first, first), springs)
    return matrix


def phonopy_of(material, *, born=True, forces=True, dim=None):
    """A phonopy object with force constants from springs."""
    atoms = material.atoms
    cell = PhonopyAtoms(
        atoms.get_chemical_symbols(), cell=atoms.cell.array, scaled_positions=atoms.get_scaled_positions()
    )
    axes = np.array([eval_fraction(x) for x in material.primitive.split()]).reshape(3, 3)
    ph = Phonopy(cell, supercell_matrix=np.diag(dim or material.dim), primitive_matrix=axes, log_level=0)
    big = ph.supercell
    matrix = spring_matrix(
        Atoms(big.symbols, cell=big.cell, scaled_positions=big.scaled_positions, pbc=True), material.stiffness
    )
    if forces:
        ph.generate_displacements(distance=0.01)
        for entry in ph.dataset["first_atoms"]:
            entry["forces"] = -np.einsum("iab,b->ia", matrix[:, entry["number"]], entry["displacement"])
    ph.force_constants = matrix[ph.primitive.p2s_map].copy()
    if born and material.charges:
        charges = [material.charges[s] * np.eye(3) for s in ph.primitive.symbols]
        ph.nac_params = {"born": np.array(charges), "dielectric": 2.5 * np.eye(3), "factor": 14.399652}
    return ph


def eval_fraction(text):
    """A number written as 1/2."""
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def force_constants_of(material, *, born=True, dim=None) -> ForceConstants:
    """Force constants as inscape holds them."""
    return from_phonopy(phonopy_of(material, born=born, forces=False, dim=dim))


def members_of(material, *, unit_factor=True):
    """The files of a calculation, name to text."""
    ph = phonopy_of(material)
    cell = ph.unitcell
    dim = " ".join(str(x) for x in np.diag(material.dim).ravel())
    files = {
        "POSCAR-unitcell": "\n".join(get_vasp_structure_lines(cell)),
        "FORCE_SETS": force_sets(ph),
        "phonopy.conf": f"DIM = {dim}\nPRIMITIVE_AXIS = {material.primitive}",
    }
    if material.charges:
        files["BORN"] = born_file(ph, unit_factor=unit_factor)
    return files


def force_sets(ph):
    """Text of FORCE_SETS."""
    lines = [f"{len(ph.supercell)}", f"{len(ph.dataset['first_atoms'])}"]
    for entry in ph.dataset["first_atoms"]:
        lines += ["", f"{entry['number'] + 1}", row(entry["displacement"]), *(row(f) for f in entry["forces"])]
    return "\n".join(lines) + "\n"


def born_file(ph, *, unit_factor):
    """Text of BORN: unit factor or a comment, dielectric tensor, charges of the independent atoms."""
    from phonopy.structure.symmetry import Symmetry

    independent = Symmetry(ph.primitive).get_independent_atoms()
    tensors = [ph.nac_params["dielectric"], *(ph.nac_params["born"][i] for i in independent)]
    first = "14.399652" if unit_factor else "# epsilon and Z* of atoms 1 5"
    return "\n".join([first, *(row(np.ravel(t)) for t in tensors)]) + "\n"


def row(numbers):
    """Numbers on a line, as precise as they are."""
    return " ".join(f"{x:.16e}" for x in numbers)


def pack_archive(folder, material, *, leave_out=(), change=None, name=None, **options):
    """Write an archive like those of the phonon database; its path.

    ``leave_out`` names members that are missing, ``change`` maps others to functions of their text.
    """
    path = folder / (name or material.archive)
    with tarfile.open(path, "w:xz", preset=0) as tar:
        for member, text in members_of(material, **options).items():
            if member in leave_out:
                continue
            data = (change or {}).get(member, str)(text).encode()
            info = tarfile.TarInfo(f"{material.id}-20180417/{member}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def write_folder(folder, material, **options):
    """Write the files of a calculation into a folder."""
    folder.mkdir()
    for member, text in members_of(material, **options).items():
        (folder / member).write_text(text)
    return folder


def stiffer(material, factor, number):
    """The same crystal with other springs, under another number."""
    return replace(material, stiffness=material.stiffness * factor, number=number)


def contents(library):
    """Everything in a library but the seconds it took, bit by bit."""
    return {
        name: (
            {f.name: getattr(entry, f.name) for f in fields(entry) if f.name != "seconds"},
            {key: (value.dtype.str, value.shape, value.tobytes()) for key, value in library.arrays(name).items()},
        )
        for name, entry in library.entries.items()
    }
