"""To and from Euphonic's objects: force constants and spectra; and the files that Euphonic reads, CASTEP's among them.

Euphonic is an optional package: ``pip install 'inscape[euphonic]'``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray
from phonopy.structure.atoms import PhonopyAtoms

from inscape.errors import DataError, ForceConstantsError, MissingPackageError
from inscape.lattice.force_constants import COULOMB, ForceConstants, from_phonopy, new_phonopy
from inscape.spectra import check_edges, edges_around
from inscape.structures import Crystal

if TYPE_CHECKING:
    import euphonic

IntArray = NDArray[np.int64]

CASTEP_SUFFIXES = (".castep_bin", ".check")
CASTEP_MARK = b"CASTEP_BIN"
"""Near the start of a binary file of CASTEP."""

JSON_MARK = '"sc_matrix"'
"""In each file of force constants that Euphonic wrote."""

UNITS = {"1/meV": "1/meV", "barn sr⁻¹ meV⁻¹ per atom": "barn/sr/meV"}
"""Units of spectra of inscape, and what Euphonic calls them."""


def _euphonic() -> Any:
    """The package."""
    try:
        import euphonic
    except ImportError as error:
        raise MissingPackageError(
            "CASTEP files and Euphonic's objects need the package euphonic: pip install 'inscape[euphonic]'"
        ) from error
    return euphonic


# ---- files ----


def is_euphonic_file(path: Path) -> bool:
    """Whether a file is a binary one of CASTEP or force constants of Euphonic in JSON, by its suffix and content."""
    if not path.is_file():
        return False
    if path.suffix.lower() in CASTEP_SUFFIXES:
        return True
    if path.suffix.lower() == ".json":
        return JSON_MARK in path.read_text(encoding="utf-8", errors="replace")
    with path.open("rb") as file:
        return CASTEP_MARK in file.read(40)


def read_euphonic_file(path: Path) -> ForceConstants:
    """Force constants of a file for which `is_euphonic_file` holds.

    Raises
    ------
    MissingPackageError
        Euphonic is not installed.
    ForceConstantsError
        Force constants that make no sense.
    """
    reader = _euphonic().ForceConstants
    found = reader.from_json_file(path) if path.suffix.lower() == ".json" else reader.from_castep(path)
    return from_euphonic(found)


# ---- force constants ----


def to_euphonic(force_constants: ForceConstants) -> euphonic.ForceConstants:
    """Force constants as Euphonic's object, in the primitive cell.

    Z* is transposed: Euphonic, like CASTEP, contracts q with the other of its indices than phonopy does.

    Raises
    ------
    MissingPackageError
        Euphonic is not installed.
    """
    package, ph, crystal = _euphonic(), force_constants.phonopy, force_constants.crystal
    ureg, primitive = package.ureg, ph.primitive
    matrix = np.rint(ph.supercell.cell @ np.linalg.inv(primitive.cell)).astype(np.int64)
    atoms = np.array([primitive.p2p_map[s] for s in primitive.s2p_map])
    origins = _origins(ph.supercell, atoms, primitive)
    cells = origins[atoms == 0] - origins[atoms == 0][0]
    place = {key: index for index, key in enumerate(_residues(cells, matrix))}
    constants = np.zeros((len(cells), crystal.n_atoms, 3, crystal.n_atoms, 3))
    for first, own in enumerate(primitive.p2s_map):
        where = [place[key] for key in _residues(origins - origins[own], matrix)]
        constants[where, first, :, atoms, :] = force_constants.array[first]
    size = 3 * crystal.n_atoms
    total = constants.reshape(len(cells), size, size) * ureg("eV/angstrom**2")
    cell = package.Crystal(
        np.array(primitive.cell) * ureg("angstrom"),
        np.array(primitive.scaled_positions),
        np.array(primitive.symbols),
        np.array(crystal.masses) * ureg("amu"),
    )
    grid = matrix.astype(np.int32), cells.astype(np.int32)
    charges = ph.nac_params
    if charges is None:
        return package.ForceConstants(cell, total, *grid)
    dielectric = np.asarray(charges["dielectric"]) * (COULOMB / charges["factor"])
    born = np.ascontiguousarray(np.asarray(charges["born"]).transpose(0, 2, 1))
    tensors = born * ureg("e"), dielectric * ureg("e**2/(bohr*hartree)")
    dipoles = _total(package.ForceConstants(cell, 0 * total, *grid, *tensors))
    return package.ForceConstants(cell, total - dipoles, *grid, *tensors)


def from_euphonic(constants: euphonic.ForceConstants) -> ForceConstants:
    """Force constants of Euphonic's object; symmetrised, as all of them.

    Raises
    ------
    ForceConstantsError
        A cell or force constants that make no sense.
    """
    cell = constants.crystal
    lattice = cell.cell_vectors.to("angstrom").magnitude
    masses = cell.atom_mass.to("amu").magnitude
    numbers = [_atomic_number(str(name)) for name in cell.atom_type]
    crystal = Crystal.from_cell(lattice, cell.atom_r, numbers, masses=masses)
    unit = PhonopyAtoms(cell=lattice, scaled_positions=cell.atom_r, numbers=numbers, masses=masses)
    matrix = np.asarray(constants.sc_matrix, dtype=np.int64)
    matrix = matrix if np.linalg.det(matrix) > 0 else -matrix  # phonopy takes right-handed ones only
    ph = new_phonopy(unit, matrix.T, np.eye(3) if crystal.n_atoms == len(unit) else "auto")
    cells = _total(constants).to("eV/angstrom**2").magnitude.reshape(-1, len(unit), 3, len(unit), 3)
    atoms = np.array([ph.supercell.u2u_map[s] for s in ph.supercell.s2u_map])
    origins = _origins(ph.supercell, atoms, unit)
    place = {(int(atom), key): s for s, (atom, key) in enumerate(zip(atoms, _residues(origins, matrix), strict=True))}
    own_atoms = np.asarray(ph.primitive.p2s_map)
    compact = np.zeros((len(own_atoms), len(ph.supercell), 3, 3))
    for row, own in enumerate(own_atoms):
        keys = _residues(np.asarray(constants.cell_origins) + origins[own], matrix)
        for second in range(len(unit)):
            where = [place[second, key] for key in keys]
            compact[row, where] = cells[:, atoms[own], :, second, :]
    ph.force_constants = compact
    if constants.born is None:
        return from_phonopy(ph)
    born = constants.born.to("e").magnitude.transpose(0, 2, 1)[atoms[own_atoms]]
    dielectric = constants.dielectric.to("e**2/(bohr*hartree)").magnitude
    return from_phonopy(ph, charges={"born": born, "dielectric": dielectric, "factor": COULOMB})


def _total(constants: euphonic.ForceConstants) -> Any:
    """All force constants of an object of Euphonic, which keeps those without the interaction of dipoles.

    They follow from its dynamical matrices at the wave vectors that fit into the supercell, where nothing is
    interpolated: Φ(0i, nj) = √(M_i M_j)/N Σ_q D_ij(q) exp(−iq·R_n).

    Returns
    -------
    Quantity
        Shape (n_cells, 3 n_atoms, 3 n_atoms), hartree/bohr².
    """
    matrix, count = np.asarray(constants.sc_matrix), len(constants.cell_origins)
    q = np.unique(_commensurate(matrix), axis=0)
    assert len(q) == count
    modes = constants.calculate_qpoint_phonon_modes(q, asr=None, splitting=False, use_c=False)
    energies = modes.frequencies.to("hartree").magnitude
    vectors = modes.eigenvectors.reshape(count, energies.shape[1], -1)
    matrices = np.einsum("qm,qma,qmb->qab", energies * np.abs(energies), vectors, vectors.conj(), optimize=True)
    roots = np.sqrt(constants.crystal.atom_mass.to("m_e").magnitude).repeat(3)
    phases = np.exp(-2j * np.pi * np.asarray(constants.cell_origins) @ q.T) / count
    values = np.einsum("nq,qab->nab", phases, matrices, optimize=True).real * np.outer(roots, roots)
    return values * _euphonic().ureg("hartree/bohr**2")


def _commensurate(matrix: IntArray) -> NDArray[np.float64]:
    """Wave vectors that fit into a supercell, some of them several times, fractions of the reciprocal lattice."""
    volume = abs(round(np.linalg.det(matrix)))
    adjugate = np.rint(volume * np.linalg.inv(matrix)).astype(np.int64)
    periods = [volume // int(np.gcd.reduce([*adjugate[:, i], volume])) for i in range(3)]
    steps = np.stack(np.meshgrid(*[np.arange(n) for n in periods]), axis=-1).reshape(-1, 3)
    return np.asarray((steps @ adjugate.T % volume) / volume)


def _origins(supercell: PhonopyAtoms, atoms: IntArray, cell: PhonopyAtoms) -> IntArray:
    """Which cell each atom of a supercell lies in, shape (n, 3); ``atoms`` says as which atom of the cell."""
    fractions = supercell.positions @ np.linalg.inv(cell.cell) - cell.scaled_positions[atoms]
    return np.rint(fractions).astype(np.int64)


def _residues(vectors: IntArray, matrix: IntArray) -> list[tuple[int, ...]]:
    """Lattice vectors, shape (n, 3), as keys that are the same for two that differ by a vector of the supercell."""
    volume = round(np.linalg.det(matrix))
    adjugate = np.rint(volume * np.linalg.inv(matrix)).astype(np.int64)
    return [tuple(row) for row in (vectors @ adjugate % abs(volume)).tolist()]


def _atomic_number(name: str) -> int:
    """Of a name of CASTEP, which may go on after the symbol: ``Fe:up``."""
    symbol = re.match(r"[A-Za-z]+", name)
    if symbol is None or (number := atomic_numbers.get(symbol[0].capitalize())) is None:
        raise ForceConstantsError(f"an atom is called {name!r}, which is no element; expected a chemical symbol")
    return int(number)


# ---- spectra ----


def spectrum_to_euphonic(
    spectrum: xr.DataArray, edges: Mapping[str, ArrayLike] | None = None
) -> euphonic.Spectrum1D | euphonic.Spectrum2D:
    """A density of states as Euphonic's ``Spectrum1D``, a powder map as its ``Spectrum2D``.

    Parameters
    ----------
    spectrum
        Of dimensions (energy) or (q, energy), as in `inscape.Prediction`.
    edges
        Bin edges by dimension; around the centres unless given, which is exact for bins of one width.

    Raises
    ------
    DataError
        Other dimensions or units.
    """
    units = spectrum.attrs.get("units")
    if spectrum.dims not in {("energy",), ("q", "energy")} or units not in UNITS:
        raise DataError(
            f"the spectrum has dimensions {spectrum.dims} in {units}; expected ('energy',) or ('q', 'energy') in "
            f"{' or '.join(UNITS)}"
        )
    package = _euphonic()
    ureg, given = package.ureg, edges or {}
    found = {
        name: check_edges(given.get(name, edges_around(spectrum[name].values)), name=name) for name in spectrum.dims
    }
    axes = [found[name] * ureg({"energy": "meV", "q": "1/angstrom"}[str(name)]) for name in spectrum.dims]
    values = np.asarray(spectrum.values, dtype=float) * ureg(UNITS[units])
    metadata = {"name": str(spectrum.name or ""), "units": units}
    kind = package.Spectrum1D if spectrum.ndim == 1 else package.Spectrum2D
    return kind(*axes, values, metadata=metadata)


def spectrum_from_euphonic(spectrum: euphonic.Spectrum1D | euphonic.Spectrum2D) -> xr.DataArray:
    """A spectrum of Euphonic with axes as here: energy in meV, |Q| in 1/Å.

    Returns
    -------
    xr.DataArray
        Of dimensions (energy) or (q, energy), the bin edges in ``energy_edges`` and ``q_edges`` of its attributes.
        The unit is that of `spectrum_to_euphonic`, or, for spectra that Euphonic computed, 1/meV or barn/meV; the area
        stays as it is, so that a density of states of Euphonic's is an average over atoms.

    Raises
    ------
    DataError
        Axes or values in other units.
    """
    two = hasattr(spectrum, "z_data")
    names = ("q", "energy") if two else ("energy",)
    bins = [spectrum.get_bin_edges(bin_ax=axis) for axis in "xy"] if two else [spectrum.get_bin_edges()]
    values = spectrum.z_data if two else spectrum.y_data
    areas = values * bins[-1].units
    label = next((name for unit, name in (("", "1/meV"), ("barn", "barn/meV")) if areas.check(unit)), None)
    energies = bins[-1].check("[energy]") or bins[-1].check("1/[length]")
    if label is None or not energies or not (bins[0].check("1/[length]") or not two):
        raise DataError(
            f"the spectrum of Euphonic has axes in {', '.join(str(b.units) for b in bins)} and values in "
            f"{values.units}; expected energies (before them wave vectors), and numbers or cross sections per energy"
        )
    with np.errstate(divide="ignore"):  # 0 1/cm becomes 0 meV by way of a wavelength
        edges = [b.to(unit).magnitude for b, unit in zip(bins, ("1/angstrom", "meV")[-len(bins) :], strict=True)]
    per_mev = np.ptp(bins[-1].magnitude) / np.ptp(edges[-1])
    numbers = areas.to("barn" if "barn" in label else "").magnitude * per_mev
    unit = spectrum.metadata.get("units", label)
    attributes = {"units": unit, **{f"{name}_edges": e for name, e in zip(names, edges, strict=True)}}
    coordinates = {name: 0.5 * (e[1:] + e[:-1]) for name, e in zip(names, edges, strict=True)}
    data = xr.DataArray(numbers, coordinates, names, name=spectrum.metadata.get("name") or None, attrs=attributes)
    for name in names:
        data[name].attrs["units"] = "1/Å" if name == "q" else "meV"
    return data
