"""What a library holds of a crystal, and how far a prediction of it is off: the figures of docs/benchmarks.md."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from inscape import metrics
from inscape.library import Library
from inscape.metrics import HIGH_Q, LOW_Q, LOWEST, NEAR, SIGMA, SIGMA_Q, STEP
from inscape.scattering import (
    PlaneGrid,
    ScatteringLengths,
    mean_square_displacements,
    scattering_lengths,
    self_part,
    to_scattering,
)
from inscape.scattering.plane import HK0
from inscape.spectra import (
    NATIVE_ENERGY_MAX,
    centres,
    native_energy_edges,
    native_q_edges,
    rebin,
    smooth,
    uniform_edges,
)
from inscape.structure_model import Structure
from inscape.structure_model.representation import from_relative_density
from inscape.structures import Crystal
from inscape.thermodynamics import heat_capacity

Array = NDArray[np.floating]

TEMPERATURE = 10.0
"""Of the maps that are compared, K."""

Record = dict[str, float]


@dataclass(frozen=True, eq=False)
class Truth:
    """What the library holds of a crystal: reduced maps on native grids, barn sr⁻¹ per atom."""

    id: str
    crystal: Crystal
    has_born: bool
    partial_dos: Array
    displacements: Array
    powder: Array
    plane: Array
    grid: PlaneGrid

    @cached_property
    def lengths(self) -> ScatteringLengths:
        """Scattering lengths of the atoms."""
        return scattering_lengths(self.crystal)

    @cached_property
    def vectors(self) -> Array:
        """Cartesian Q of the plane's bins, shape (n_h n_k, 3), 1/Å."""
        return self.grid.centres(self.crystal).reshape(-1, 3)

    def self_part(self, partial_dos: Array, moduli: Array, displacement: Array | None = None) -> Array:
        """Reduced coherent self part from a density of states."""
        if displacement is None:
            displacement = mean_square_displacements(
                partial_dos, native_energy_edges(), self.crystal.masses, TEMPERATURE
            )
        return self_part(partial_dos, self.crystal.masses, self.lengths.coherent_square, moduli, displacement)

    def true_self_part(self, moduli: Array) -> Array:
        """That of the true density of states and displacements."""
        return self.self_part(self.partial_dos, moduli, self.displacements[0])

    @cached_property
    def smooth_powder(self) -> Array:
        """The powder map as `powder_record` compares it."""
        return _smooth_powder(self.powder, self)

    @cached_property
    def smooth_plane(self) -> Array:
        """The single-crystal map as `plane_record` compares it."""
        return _smooth_plane(self.plane, self)

    @cached_property
    def smooth_self_part(self) -> Array:
        """The self part of the powder map in the same way."""
        return _smooth_powder(self.true_self_part(centres(native_q_edges())), self)


def read_truth(library: Library, name: str) -> Truth:
    """The spectra of a library crystal."""
    wanted = ("partial_dos", "displacements", "powder", "crystal", "h_edges", "k_edges")
    a = library.arrays(name, *wanted)
    crystal = library.crystal(name)
    grid = PlaneGrid(np.array(HK0, dtype=float), a["h_edges"], a["k_edges"])
    q = centres(native_q_edges())
    moduli = np.linalg.norm(grid.centres(crystal), axis=-1)
    return Truth(
        name,
        crystal,
        library.entries[name].has_born,
        a["partial_dos"].astype(float),
        a["displacements"].astype(float),
        a["powder"].astype(float) * q[:, None] ** 2,
        a["crystal"].astype(float) * moduli[..., None] ** 2,
        grid,
    )


# ---------------------------------------------------------------------------------------------------------------- DOS


def dos_record(truth: Truth, partial: Array) -> Record:
    """All figures of one predicted density of states, (n_atoms, n_energy) or a total (n_energy,), native grid.

    R² depends on where energies end, for it compares with the mean of the true spectrum: "R2" is that of the grid that
    all crystals share, 0 to 480 meV; "R2 to top" stops 10 meV above the crystal's highest mode, and is stricter.
    """
    native = native_energy_edges()
    width = np.diff(native)
    true = truth.partial_dos.sum(axis=0)
    total = partial.sum(axis=0) if partial.ndim == 2 else partial
    true, total = true / (true @ width), total / (total @ width)
    edges = uniform_edges(NATIVE_ENERGY_MAX, STEP)
    energy = centres(edges)
    top = len(_fine(truth.partial_dos)) - 1
    t, p = (smooth(rebin(x, native, edges), SIGMA, STEP) for x in (true, total))
    n = 3.0 * len(truth.crystal.numbers)
    found = {
        "W1": float(metrics.wasserstein(total, true, native)),
        "R2": metrics.r_squared(p, t),
        "R2 to top": metrics.r_squared(p[:top], t[:top]),
        "cosine": float(metrics.cosine(p, t)),
        "overlap": metrics.overlap(p, t, STEP),
        "mean energy": abs(float((p - t) @ energy * STEP)),
    }
    for kelvin in (100.0, 300.0):
        c = [float(heat_capacity(n * x, native, np.array(kelvin))) for x in (total, true)]
        found[f"C_V({kelvin:.0f} K)"] = abs(c[0] - c[1])
    if partial.ndim == 2:
        for index, kelvin in enumerate((10.0, 300.0)):
            u2 = mean_square_displacements(partial, native, truth.crystal.masses, kelvin)
            exact = np.trace(truth.displacements[index], axis1=1, axis2=2)
            found[f"u2({kelvin:.0f} K)"] = float(np.mean(np.abs(u2 / exact - 1)))
    return found


def _fine(partial_dos: Array) -> Array:
    """The 0.5 meV grid on which a crystal is compared: up to 10 meV above its highest mode."""
    native = native_energy_edges()
    top = native[1 + np.flatnonzero(partial_dos.sum(axis=0) > 0)[-1]] + 10
    return uniform_edges(float(min(np.ceil(top), NATIVE_ENERGY_MAX)), STEP)


# --------------------------------------------------------------------------------------------------------------- maps


def scattering(reduced: Array, truth: Truth, relative: float | None = None) -> Array:
    """Reduced cuts on the native grid, shape (..., n_energy), to S at 10 K above 1 meV, smoothed over energy.

    The standard deviation is 1 meV, or this share of each energy.
    """
    edges = _fine(truth.partial_dos)
    energy = centres(edges)
    s = to_scattering(rebin(reduced, native_energy_edges(), edges), energy, TEMPERATURE)
    wide = smooth(s, SIGMA, STEP) if relative is None else s @ _spread(edges, relative)
    return wide[..., energy > LOWEST]


def _spread(edges: Array, relative: float) -> Array:
    """Matrix (n, n) that spreads what is in each bin as a Gaussian of so large a share of its energy over all bins."""
    energy = centres(edges)[:, None]
    below = ndtr((edges - energy) / (relative * energy))
    return np.asarray(np.diff(below, axis=1))


def powder_record(truth: Truth, reduced: Array) -> Record:
    """Cut cosines of one powder map over 0.5–8 1/Å and below 4, distinct skill, and Σp/Σt.

    The distinct skill is 1 − ‖p − t‖²/‖s − t‖², where s is the self part of the true density of states: 0 for who knows
    this and nothing of interference, 1 for who knows all.
    """
    q = centres(native_q_edges())
    p, t = _smooth_powder(reduced, truth), truth.smooth_powder
    inside = (q > LOW_Q) & (q < HIGH_Q)
    cut = metrics.cosine(p, t)
    wrong, of_self = (np.sum((x - t)[inside] ** 2) for x in (p, truth.smooth_self_part))
    return {
        "cut cosine": float(np.nanmean(cut[inside])),
        "cut cosine, near": float(np.nanmean(cut[inside & (q < NEAR)])),
        "distinct skill": float(1 - wrong / of_self),
        "ratio": float(p[inside].sum() / t[inside].sum()),
    }


def _smooth_powder(reduced: Array, truth: Truth) -> Array:
    q = centres(native_q_edges())
    return smooth(scattering(reduced, truth), SIGMA_Q, float(q[1] - q[0]), axis=0)


def plane_record(truth: Truth, reduced: Array, relative: float | None = None) -> Record:
    """Cut cosines of one single-crystal map, of all (H, K) and of those below 4 1/Å, and Σp/Σt.

    Energies are smoothed by 1 meV, or by this share of them.
    """
    p = _smooth_plane(reduced, truth, relative)
    t = truth.smooth_plane if relative is None else _smooth_plane(truth.plane, truth, relative)
    cut = metrics.cosine(p, t).ravel()
    near = np.linalg.norm(truth.vectors, axis=1) < NEAR
    return {
        "cut cosine": float(np.nanmean(cut)),
        "cut cosine, near": float(np.nanmean(cut[near])),
        "ratio": float(p.sum() / t.sum()),
    }


def _smooth_plane(reduced: Array, truth: Truth, relative: float | None = None) -> Array:
    grid = truth.grid
    s = scattering(reduced, truth, relative).reshape(len(grid.h_edges) - 1, len(grid.k_edges) - 1, -1)
    for axis, edges in enumerate((grid.h_edges, grid.k_edges)):
        s = smooth(s, SIGMA_Q, float(edges[1] - edges[0]), axis=axis)
    return s


def powder_of(truth: Truth, structure: Structure) -> Array:
    """The predicted powder map, reduced, as `powder_record` takes it."""
    assert structure.powder is not None
    own = truth.self_part(structure.partial_dos, centres(native_q_edges()))
    return from_relative_density(structure.powder, own, native_energy_edges())


def plane_of(truth: Truth, structure: Structure) -> Array:
    """The predicted single-crystal map, reduced, as `plane_record` takes it."""
    own = truth.self_part(structure.partial_dos, np.linalg.norm(truth.vectors, axis=1))
    return from_relative_density(structure.density(truth.vectors), own, native_energy_edges())
