"""Predicted force constants rendered as the library renders true ones, so that their spectra can be compared."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inscape.evaluation.records import Truth
from inscape.lattice import ForceConstants
from inscape.library import render
from inscape.library.render import RenderSettings
from inscape.metrics import mean_energy
from inscape.simulation.direct import folded, foretold
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model import Structure, StructureModel
from inscape.structure_model.force_constants import ForceConstantModel, PairForceConstants

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Rendered:
    """Spectra of force constants on native grids.

    ``partial_dos`` (n_atoms, n_energy), 1/meV; reduced maps at 10 K as those of `inscape.evaluation.records.Truth`,
    ``powder`` (n_q, n_energy) and ``plane`` (n_h n_k, n_energy); ``imaginary``, the share of imaginary modes.
    """

    partial_dos: Array
    powder: Array
    plane: Array
    imaginary: float

    @classmethod
    def of(cls, truth: Truth, force_constants: ForceConstants, settings: RenderSettings | None = None) -> Rendered:
        """Spectra on the grids of a library crystal, sampled as in a library unless told otherwise."""
        arrays, attributes = render(force_constants, settings or RenderSettings())
        square = np.sum(truth.vectors**2, axis=1)[:, None]
        return cls(
            arrays["partial_dos"].astype(float),
            arrays["powder"].astype(float) * centres(native_q_edges())[:, None] ** 2,
            arrays["crystal"].astype(float).reshape(len(square), -1) * square,
            attributes["imaginary_share"],
        )


@dataclass(frozen=True, eq=False)
class Foretold:
    """What the networks of force constants say of a library crystal.

    Where the library has no Born charges, none are predicted. ``stabilised`` is the share of modes that were made real;
    ``seconds`` by what they were spent on.
    """

    truth: Truth
    found: PairForceConstants
    force_constants: ForceConstants
    spectra: Rendered
    stabilised: float
    density: Structure
    seconds: Mapping[str, float]

    @classmethod
    def of(
        cls, truth: Truth, model: ForceConstantModel, other: StructureModel, kinds: Sequence[str] = ("dos",)
    ) -> Foretold:
        """Predict and render a crystal; ``other`` is the model of its density of states, novelty and codes of kinds."""
        clock = [time.perf_counter()]
        (features,) = model.features([truth.crystal])
        found, density = foretold(truth.crystal, features, model, other, kinds, polar=truth.has_born)
        clock.append(time.perf_counter())
        made = folded(truth.crystal, found, found.tensors, density.partial_dos)
        clock.append(time.perf_counter())
        spectra = Rendered.of(truth, made.force_constants)
        clock.append(time.perf_counter())
        seconds = dict(zip(("forward", "folding", "rendering"), np.diff(clock).tolist(), strict=True))
        return cls(truth, found, made.force_constants, spectra, made.share, density, seconds)

    def members(self) -> list[Rendered]:
        """Spectra of the force constants of each network."""
        crystal, partial_dos = self.truth.crystal, self.density.partial_dos
        others = [folded(crystal, self.found, tensors, partial_dos) for tensors in self.found.members[1:]]
        return [self.spectra, *(Rendered.of(self.truth, one.force_constants) for one in others)]

    @property
    def partial_dos(self) -> Array:
        """Density of states of each atom on the native grid, 1/meV, shape (n_atoms, n_energy)."""
        return self.spectra.partial_dos

    @property
    def mean_energy(self) -> float:
        """Of the modes, meV."""
        return mean_energy(self.partial_dos.sum(axis=0), native_energy_edges())

    @property
    def novelty(self) -> float:
        """Of the crystal; above 1 foreign."""
        return self.density.novelty

    @property
    def disagreement(self) -> float:
        """Of the networks, meV."""
        return self.found.disagreement
