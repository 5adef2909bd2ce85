"""What anyone could predict from the training spectra, to compare with; and which crystals these hold already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inscape.library import Library, chemical_system, composition
from inscape.spectra import centres, native_q_edges

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Baselines:
    """What anyone could predict from the training spectra: their mean, or those of the nearest composition.

    Maps are compared reduced and over the mean of Q², so that a mean of crystals makes sense.
    """

    library: Library
    ids: list[str]

    @cached_property
    def compositions(self) -> Array:
        """Share of each element, shape (n_training, n_elements)."""
        return np.stack([composition(self.library.entries[i].formula) for i in self.ids])

    @cached_property
    def means(self) -> dict[str, Array]:
        """Mean density of states, powder map and plane of 500 training crystals, each crystal scaled to area 1."""
        total: dict[str, Array] = {}
        names = self.ids[:: max(1, len(self.ids) // 500)]
        for name in names:
            for key, value in self._read(name).items():
                total[key] = total.get(key, 0.0) + value / len(names)
        return total

    def nearest(self, formula: str) -> dict[str, Array]:
        """Spectra of the training crystal whose composition is closest."""
        distance = np.abs(self.compositions - composition(formula)).sum(axis=1)
        return self._read(self.ids[int(distance.argmin())])

    def _read(self, name: str) -> dict[str, Array]:
        a = self.library.arrays(name, "partial_dos", "powder", "crystal")
        q = centres(native_q_edges())
        return {
            "dos": a["partial_dos"].sum(axis=0) / (3.0 * len(a["partial_dos"])),
            "powder": a["powder"].astype(float) * q[:, None] ** 2,
            "plane": a["crystal"].astype(float).reshape(-1, a["crystal"].shape[-1]),
        }


def twins_in(library: Library, names: Sequence[str]) -> set[tuple[str, int]]:
    """Formulas and space groups of crystals: another one that has both is their twin."""
    return {kind_of(library, name) for name in names}


def systems_in(library: Library, names: Sequence[str]) -> set[str]:
    """Chemical systems of crystals."""
    return {chemical_system(library.entries[name].formula) for name in names}


def kind_of(library: Library, name: str) -> tuple[str, int]:
    """Formula and number of the space group of a crystal."""
    entry = library.entries[name]
    return entry.formula, entry.space_group_number
