"""Structure → density of states and codes → spectra on the user's grids: no lattice dynamics, milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from inscape.errors import DataError
from inscape.results import Prediction, check_kinds, make_prediction
from inscape.scattering import (
    PlaneGrid,
    ScatteringLengths,
    check_plane,
    check_temperature,
    mean_square_displacements,
    native_plane,
    scattering_lengths,
    self_part,
    to_scattering,
)
from inscape.scattering.plane import HK0
from inscape.spectra import NATIVE_ENERGY_MAX, centres, native_energy_edges, native_q_edges, uniform_edges
from inscape.structure_model import Structure, shipped_model
from inscape.structure_model.model import KINDS
from inscape.structure_model.novelty import THRESHOLD
from inscape.structure_model.representation import from_relative_density
from inscape.structures import Crystal, read_structure
from inscape.threads import numpy_alone

Array = NDArray[np.floating]

CAPTURED = 0.999
"""The default energy grid ends 10 % above the energy that holds this share of the density of states."""


def predict(structure: Any, temperature: float = 300.0, plane: ArrayLike = HK0, **options: Any) -> Prediction:
    """Predict the neutron spectra of a crystal from its structure alone.

    Parameters
    ----------
    structure
        A path (CIF, POSCAR, extxyz, anything ASE reads), ASE ``Atoms``, pymatgen ``Structure`` or `Crystal`.
    temperature
        Of the maps, K.
    plane
        Two vectors of the conventional reciprocal lattice that span the plane of the single-crystal map.
    options
        Those of `predict_many`.

    Returns
    -------
    Prediction
        Density of states, powder map, single-crystal map, heat capacity.
    """
    return predict_many([read_structure(structure)], temperature=temperature, plane=plane, **options)[0]


@numpy_alone()
def predict_many(
    crystals: Sequence[Crystal],
    *,
    temperature: float = 300.0,
    plane: ArrayLike = HK0,
    kinds: Sequence[str] = KINDS,
    emax: float | None = None,
    de: float = 0.5,
    qmax: float = 10.0,
    dq: float = 0.1,
) -> list[Prediction]:
    """Predict several crystals in one batch.

    Parameters
    ----------
    kinds
        Which of "dos", "powder", "crystal" to give.
    emax, de
        Top and step of the energy grid, meV; the top is 10 % above the energy that holds 99.9 % of the density of
        states of each crystal unless given. The heat capacity does not depend on it.
    qmax, dq
        Top (at most 10) and step of |Q|, 1/Å.

    Raises
    ------
    GridError, DataError
        Grids, planes, temperatures or kinds that make no sense.
    """
    temperature, axes = check_temperature(temperature), check_plane(plane)
    check_kinds(kinds)
    if qmax > native_q_edges()[-1]:
        raise DataError(f"qmax is {qmax} 1/Å; the powder model reaches {native_q_edges()[-1]:g}, choose no more")
    q_edges = uniform_edges(qmax, dq, name="|Q|")
    if emax is not None:
        uniform_edges(emax, de, name="energy")
    model = shipped_model()
    found = []
    for crystal, structure in zip(crystals, model(crystals, kinds), strict=True):
        energy_edges = uniform_edges(emax or default_top(structure.partial_dos), de, name="energy")
        spectra = _Spectra(crystal, structure, energy_edges, temperature)
        found.append(
            make_prediction(
                crystal=crystal,
                energy_edges=energy_edges,
                temperature=temperature,
                **(spectra.dos() if "dos" in kinds else {}),
                **(spectra.powder(q_edges) if "powder" in kinds else {}),
                **(spectra.plane(native_plane(crystal, axes)) if "crystal" in kinds else {}),
                codes={kind: code for kind, code in structure.codes.items() if kind in kinds},
                novelty=structure.novelty,
                novelty_threshold=THRESHOLD,
                weights=model.digests,
                expected_error=model.expected_error(structure, kinds),
            )
        )
    return found


def default_top(partial_dos: Array) -> float:
    """10 % above the energy that holds 99.9 % of the density of states, meV, at least 5."""
    edges = native_energy_edges()
    area = np.cumsum(partial_dos.sum(axis=0) * np.diff(edges))
    top = edges[1 + np.searchsorted(area, CAPTURED * area[-1])]
    return float(min(max(1.1 * top, 5.0), NATIVE_ENERGY_MAX))


def refine(partial_dos: Array, edges: Array) -> Array:
    """Partial densities of states on other bins: the cumulative curve is interpolated smoothly and monotonically.

    What lies above the new grid is dropped and each atom renormalised to 3.
    """
    native = native_energy_edges()
    area = np.concatenate([np.zeros((len(partial_dos), 1)), np.cumsum(partial_dos * np.diff(native), axis=1)], axis=1)
    density = np.diff(PchipInterpolator(native, area, axis=1)(np.minimum(edges, native[-1])), axis=1) / np.diff(edges)
    return np.asarray(3 * density / np.sum(density * np.diff(edges), axis=1, keepdims=True))


class _Spectra:
    """Spectra of one crystal on one energy grid at one temperature.

    Maps are made on a grid that goes on to the native top and then cut, so that an early end changes nothing below it.
    """

    def __init__(self, crystal: Crystal, structure: Structure, energy_edges: Array, temperature: float) -> None:
        self.crystal, self.structure = crystal, structure
        self.edges, self.energy, self.temperature = energy_edges, centres(energy_edges), temperature
        native = native_energy_edges()
        self.whole_edges = np.concatenate([energy_edges, native[native > energy_edges[-1] + 1e-6]])
        self.whole = refine(structure.partial_dos, self.whole_edges)
        self.lengths: ScatteringLengths = scattering_lengths(crystal)
        self.displacement = mean_square_displacements(
            structure.partial_dos, native_energy_edges(), crystal.masses, temperature
        )

    def dos(self) -> dict[str, Any]:
        """Arguments of `make_prediction` for the density of states; a top that cuts through it is respected."""
        shown = self.whole[:, : len(self.energy)]
        if np.sum(shown * np.diff(self.edges)) >= CAPTURED * 3 * len(shown):
            return {"partial_dos": refine(self.structure.partial_dos, self.edges)}
        return {"partial_dos": shown, "complete_dos": (self.whole.sum(axis=0), self.whole_edges)}

    def _self(self, lengths_square: Array, moduli: Array) -> Array:
        return self_part(self.whole, self.crystal.masses, lengths_square, moduli, self.displacement)

    def _parts(self, density: Array, moduli: Array) -> tuple[Array, Array]:
        """Coherent and incoherent S, each (n, n_energy), at |Q| ``moduli`` (n,) with ρ ``density`` (n, n_levels)."""
        coherent = from_relative_density(density, self._self(self.lengths.coherent_square, moduli), self.whole_edges)
        incoherent = self._self(self.lengths.incoherent_square, moduli)
        n = len(self.energy)
        return (
            to_scattering(coherent[:, :n], self.energy, self.temperature),
            to_scattering(incoherent[:, :n], self.energy, self.temperature),
        )

    def powder(self, q_edges: Array) -> dict[str, Any]:
        """Arguments of `make_prediction` for the powder map."""
        assert self.structure.powder is not None
        q, native = centres(q_edges), centres(native_q_edges())
        after = np.clip(np.searchsorted(native, q), 1, len(native) - 1)
        share = np.clip((q - native[after - 1]) / (native[after] - native[after - 1]), 0, 1)[:, None]
        density = self.structure.powder[after - 1] * (1 - share) + self.structure.powder[after] * share
        coherent, incoherent = self._parts(density, q)
        return {"q_edges": q_edges, "powder_coherent": coherent, "powder_incoherent": incoherent}

    def plane(self, grid: PlaneGrid) -> dict[str, Any]:
        """Arguments of `make_prediction` for the single-crystal map."""
        vectors = grid.centres(self.crystal)
        flat = vectors.reshape(-1, 3)
        coherent, incoherent = self._parts(self.structure.density(flat), np.linalg.norm(flat, axis=1))
        shape = (*vectors.shape[:2], -1)
        return {
            "plane": grid.axes,
            "h_edges": grid.h_edges,
            "k_edges": grid.k_edges,
            "crystal_coherent": coherent.reshape(shape),
            "crystal_incoherent": incoherent.reshape(shape),
        }
