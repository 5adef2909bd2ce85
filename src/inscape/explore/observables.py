"""Physical observables of crystals and their densities of states, against which codes of neutron spectra are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.spectra import centres
from inscape.structures import Crystal
from inscape.thermodynamics import heat_capacity

Array = NDArray[np.floating]

EMPTY = 1e-3
"""A bin that holds less than this share of the largest one belongs to a gap."""


def dos_observables(dos: Array, edges: Array) -> dict[str, Array]:
    """Of densities of states, shape (n, n_energy), on bin edges in meV; each of shape (n,).

    "mean energy", "width" (standard deviation) and "cut-off" (below which 99.5 % of the modes lie), meV; "widest gap",
    the longest stretch of empty bins below the cut-off, meV; "C_V(100 K)" and "C_V(300 K)", J mol⁻¹ K⁻¹ per mole of
    atoms; "stiffness", the mean of E², meV², which is that of the force constants over the masses.
    """
    if dos.ndim != 2 or dos.shape[1] != len(edges) - 1:
        raise DataError(f"densities of states have shape {dos.shape}; expected (n, {len(edges) - 1}), a number a bin")
    width, middle = np.diff(edges), centres(edges)
    share = dos * width / np.sum(dos * width, axis=1, keepdims=True)
    mean, square = share @ middle, share @ middle**2
    top = np.argmax(np.cumsum(share, axis=1) >= 0.995, axis=1)
    return {
        "mean energy": mean,
        "width": np.sqrt(np.maximum(square - mean**2, 0.0)),
        "cut-off": edges[top + 1],
        "widest gap": np.array([_widest_gap(row[: t + 1], width) for row, t in zip(dos, top, strict=True)]),
        "C_V(100 K)": np.array([float(heat_capacity(row, edges, 100.0)) for row in dos]),
        "C_V(300 K)": np.array([float(heat_capacity(row, edges, 300.0)) for row in dos]),
        "stiffness": square,
    }


def crystal_observables(crystals: list[Crystal], partial_dos: list[Array] | None = None) -> dict[str, Array]:
    """Of crystals: "mean mass", u, "atoms in cell", and, where densities of states of atoms are given, shares.

    "hydrogen share" and "oxygen share" are those of the atoms; with ``partial_dos``, one array (n_atoms, n_energy) a
    crystal, "lightest atom's mean bin" is where along the energy axis the lightest atoms move, 0 to 1.
    """
    found = {
        "mean mass": np.array([float(np.mean(c.masses)) for c in crystals]),
        "atoms in cell": np.array([float(c.n_atoms) for c in crystals]),
        "hydrogen share": np.array([float(np.mean([s in ("H", "D") for s in c.symbols])) for c in crystals]),
        "oxygen share": np.array([float(np.mean([s == "O" for s in c.symbols])) for c in crystals]),
    }
    if partial_dos is not None:
        found["lightest atom's mean bin"] = np.array(
            [_mean_bin(g[int(np.argmin(c.masses))]) for c, g in zip(crystals, partial_dos, strict=True)]
        )
    return found


def element_shares(
    crystals: list[Crystal], partial_dos: list[Array], edges: Array, elements: Sequence[str] = ("H", "O")
) -> dict[str, Array]:
    """Which part of the slow and of the fast modes is the motion of an element: its shares of g(E).

    Parameters
    ----------
    partial_dos
        Densities of states of atoms, one array (n_atoms, n_energy) a crystal.
    edges
        Bin edges, shape (n_energy + 1,), meV.

    Returns
    -------
    dict
        "O in slow modes" and "O in fast modes", for each element; each of shape (n,), from 0 to 1. The slower half of a
        crystal's modes lies below their median energy; over all elements of a crystal the shares of a half add up to 1.
    """
    if len(crystals) != len(partial_dos):
        raise DataError(f"{len(partial_dos)} densities of states for {len(crystals)} crystals: give one for each")
    names = [f"{element} in {half} modes" for element in elements for half in ("slow", "fast")]
    found: dict[str, Array] = {name: np.zeros(len(crystals)) for name in names}
    for number, (crystal, density) in enumerate(zip(crystals, partial_dos, strict=True)):
        counts = density * np.diff(edges)
        before = np.concatenate([[0.0], np.cumsum(counts.sum(axis=0))])
        slower = np.diff(np.minimum(before, before[-1] / 2))  # of each bin, what lies below the median
        slower = np.divide(slower, np.diff(before), out=np.zeros_like(slower), where=np.diff(before) > 0)
        for half, weight in (("slow", slower), ("fast", 1 - slower)):
            atoms = counts @ weight / (before[-1] / 2)
            for element in elements:
                here = [symbol == element for symbol in crystal.symbols]
                found[f"{element} in {half} modes"][number] = atoms[here].sum()
    return found


def _mean_bin(row: Array) -> float:
    return float(np.average(np.linspace(0, 1, len(row)), weights=row))


def _widest_gap(row: Array, width: Array) -> float:
    widest = current = 0.0
    for empty, step in zip(row < EMPTY * row.max(), width[: len(row)], strict=True):
        current = current + step if empty else 0.0
        widest = max(widest, current)
    return float(widest)
