"""Paths through reciprocal space: the band structure and, at each of its points, the intensity of every mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import GridError
from inscape.scattering.coherent import reduced_intensities
from inscape.scattering.lengths import ScatteringLengths
from inscape.scattering.wave_vectors import modes_in_blocks
from inscape.spectra import check_edges
from inscape.structures import SYMPREC, Crystal

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants

Array = NDArray[np.floating]

GAMMA = "Γ"


@dataclass(frozen=True, eq=False)
class QPath:
    """Points along straight legs from stop to stop; a stop between two legs is there twice, once for each.

    Parameters
    ----------
    vectors
        Q, shape (n, 3), Cartesian, 1/Å.
    directions
        Unit vector along the leg of each point, shape (n, 3): from where a stop is approached.
    distance
        Length walked so far, shape (n,), 1/Å; jumps between parts of the path add nothing.
    stops
        Number of the point and label of each stop.
    """

    vectors: Array
    directions: Array
    distance: Array
    stops: tuple[tuple[int, str], ...]

    @property
    def legs(self) -> list[slice]:
        """The points of each leg; bands are continuous along it."""
        return [slice(first, last + 1) for (first, _), (last, _) in zip(self.stops[::2], self.stops[1::2], strict=True)]

    @property
    def ticks(self) -> list[tuple[int, str]]:
        """Number of the point and label of each place along ``distance``; where the path jumps, as ``U|K``."""
        found = [self.stops[0]]
        for (_, before), (first, label) in zip(self.stops[1::2], self.stops[2::2], strict=False):
            found.append((first, label if label == before else f"{before}|{label}"))
        return [*found, self.stops[-1]]


@dataclass(frozen=True, eq=False)
class PathSpectra:
    """Modes along a path: the band structure, and what each mode scatters.

    Parameters
    ----------
    path
        The points.
    energies
        Shape (n, 3 n_atoms), meV, sorted; an imaginary mode has a negative value.
    intensities
        Reduced intensity of each mode, of the same shape, barn sr⁻¹ meV per atom; 0 for imaginary modes.
    """

    path: QPath
    energies: Array
    intensities: Array

    def spectra(self, energy_edges: ArrayLike) -> Array:
        """Reduced spectra R(Q,E) along the path, shape (n, n_energy), barn sr⁻¹ per atom."""
        edges = check_edges(energy_edges, name="energies")
        pairs = zip(self.energies, self.intensities, strict=True)
        return np.array([np.histogram(e, edges, weights=r)[0] for e, r in pairs]) / np.diff(edges)


def special_points(crystal: Crystal) -> dict[str, Array]:
    """Labelled special points of the Brillouin zone, each of shape (3,), in r.l.u. of the conventional cell.

    References
    ----------
    Y. Hinuma, G. Pizzi, Y. Kumagai, F. Oba, I. Tanaka, Comput. Mater. Sci. 128, 140 (2017), by seekpath.
    """
    to_conventional = crystal.reciprocal @ np.linalg.inv(crystal.reciprocal_conventional)
    points = _seekpath(crystal)["point_coords"]
    return {_label(name): np.asarray(q) @ to_conventional for name, q in points.items()}


def special_path(
    crystal: Crystal,
    labels: Sequence[Sequence[str]] | None = None,
    *,
    zone: ArrayLike = (0, 0, 0),
    spacing: float = 0.02,
) -> QPath:
    """The path through labelled special points, in any Brillouin zone.

    Parameters
    ----------
    labels
        Parts of the path, each a sequence of names of `special_points`, as ``[["Γ", "X", "U"], ["K", "Γ", "L"]]``;
        the path recommended for the lattice unless given.
    zone
        Reciprocal-lattice vector added to all points, r.l.u. of the conventional cell. Phonons repeat from zone to
        zone, intensities do not; close to (0, 0, 0) there is hardly any.
    spacing
        Largest distance of neighbouring points, 1/Å.

    Raises
    ------
    GridError
        A label that the lattice does not have, or a zone that is no reciprocal-lattice vector.
    """
    points = special_points(crystal)
    parts = _recommended(crystal) if labels is None else [list(part) for part in labels]
    unknown = sorted({name for part in parts for name in part} - set(points))
    if unknown:
        raise GridError(f"special points {unknown} do not exist in {crystal.space_group}; it has {', '.join(points)}")
    offset = np.asarray(zone, dtype=float)
    if offset.shape != (3,) or not _is_reciprocal_vector(crystal, offset):
        raise GridError(
            f"zone {zone!r} is no reciprocal-lattice vector of {crystal.space_group}; give the three indices of a "
            "reflection that the lattice allows, such as (1, 1, 1) or (2, 0, 0) for a face-centred one"
        )
    return q_path(crystal, [[points[name] + offset for name in part] for part in parts], labels=parts, spacing=spacing)


def q_path(
    crystal: Crystal,
    parts: Sequence[ArrayLike],
    *,
    labels: Sequence[Sequence[str]] | None = None,
    spacing: float = 0.02,
) -> QPath:
    """A path through any points.

    Parameters
    ----------
    parts
        Each a sequence of at least two stops, shape (n_stops, 3), r.l.u. of the conventional cell.
    labels
        A name for each stop of each part; its indices, as in ``(1 1 0)``, unless given.
    spacing
        Largest distance of neighbouring points, 1/Å.
    """
    if not spacing > 0:
        raise GridError(f"spacing of a path is {spacing} 1/Å; it must be positive")
    vectors, directions, distance, stops = [], [], [], []
    walked, count = 0.0, 0
    for number, part in enumerate(parts):
        indices = _check_part(part)
        names = labels[number] if labels is not None else [_indices(h) for h in indices]
        for i, (start, stop) in enumerate(pairwise(indices @ crystal.reciprocal_conventional)):
            length = float(np.linalg.norm(stop - start))
            fractions = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / spacing - 1e-9)) + 1))
            vectors.append(start + fractions[:, None] * (stop - start))
            directions.append(np.broadcast_to((stop - start) / length, vectors[-1].shape))
            distance.append(walked + fractions * length)
            stops += [(count, names[i]), (count + len(fractions) - 1, names[i + 1])]
            walked += length
            count += len(fractions)
    return QPath(np.concatenate(vectors), np.concatenate(directions), np.concatenate(distance), tuple(stops))


def path_spectra(
    force_constants: ForceConstants, path: QPath, lengths: ScatteringLengths, displacement: Array
) -> PathSpectra:
    """Band structure and reduced one-phonon coherent intensities along a path.

    With Born charges Γ is the limit along each of the legs that meet there, so the bands may jump where it turns.

    Parameters
    ----------
    displacement
        Tensors at the temperature of the Debye–Waller factor, shape (n_atoms, 3, 3), Å².
    """
    shape = (len(path.vectors), 3 * force_constants.crystal.n_atoms)
    energies, intensities = np.empty(shape), np.empty(shape)
    blocks = modes_in_blocks(force_constants, path.vectors, lengths, path.directions)
    for modes, q_index, vectors, which in blocks:
        energies[which] = modes.energies[q_index]
        intensities[which] = reduced_intensities(modes, q_index, vectors, lengths, displacement)
    return PathSpectra(path, energies, intensities)


def _is_reciprocal_vector(crystal: Crystal, hkl: Array) -> bool:
    """Whether indices of the conventional cell are those of a reciprocal-lattice vector: centring forbids some."""
    fractional = hkl @ crystal.reciprocal_conventional @ np.linalg.inv(crystal.reciprocal)
    return bool(np.all(np.abs(fractional - np.rint(fractional)) < 1e-6))


def _seekpath(crystal: Crystal) -> Mapping[str, Any]:
    """Special points and the recommended path in fractions of the reciprocal lattice of ``crystal`` itself."""
    import seekpath

    cell = (crystal.lattice.tolist(), crystal.positions.tolist(), crystal.numbers.tolist())
    found: Mapping[str, Any] = seekpath.get_path_orig_cell(cell, symprec=SYMPREC)
    return found


def _recommended(crystal: Crystal) -> list[list[str]]:
    """Parts of the recommended path: pairs of labels joined where one starts at the end of another."""
    parts: list[list[str]] = []
    for start, stop in _seekpath(crystal)["path"]:
        if parts and parts[-1][-1] == _label(start):
            parts[-1].append(_label(stop))
        else:
            parts.append([_label(start), _label(stop)])
    return parts


def _label(name: str) -> str:
    return GAMMA if name == "GAMMA" else name


def _indices(hkl: Array) -> str:
    return "(" + " ".join(f"{x:.4g}" for x in hkl) + ")"


def _check_part(part: ArrayLike) -> Array:
    stops = np.asarray(part, dtype=float)
    if stops.ndim != 2 or stops.shape[0] < 2 or stops.shape[1] != 3 or not np.all(np.isfinite(stops)):
        raise GridError(f"each part of a path must be two or more stops of three numbers, in r.l.u.; got {part!r}")
    if np.any(np.linalg.norm(np.diff(stops, axis=0), axis=1) < 1e-9):
        raise GridError(f"two neighbouring stops of the path {stops.tolist()} are the same; leave one out")
    return stops
