"""The table of modes at a wave vector: energies, symmetry, who moves, and what neutrons see of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inscape.scattering import Weights, neutron_weights, scattering_lengths
from inscape.scattering.dos import SMALLEST_ENERGY
from inscape.units import INVERSE_CM, THZ
from inscape.vibrations.modes import Vibrations

if TYPE_CHECKING:
    import pandas as pd

    from inscape.structures import Crystal

Array = NDArray[np.floating]


def mode_table(found: Vibrations) -> pd.DataFrame:
    """One row a mode, numbered from 1; what describes a mode is the mean over its degenerate set.

    Returns
    -------
    pd.DataFrame
        ``energy_meV``, ``wavenumber_per_cm``, ``frequency_THz``, negative where ``imaginary`` is true; ``set``, the
        number of the degenerate set; ``irrep``, ``activity`` and ``splitting`` as in `Vibrations`;
        ``participation_X``, Σ |e_d|² over the atoms of element X, sums to 1 over the elements of each mode;
        ``participation_ratio``, 1/(N Σ_d |e_d|⁴), from 1/N, one atom moves, to 1, all do alike;
        ``neutron_total`` and ``neutron_incoherent``, shares of the intensity, which sum to 1 over the modes
        (`neutron_shares`).

    References
    ----------
    R. J. Bell, P. Dean, Discuss. Faraday Soc. 50, 55 (1970): participation ratio.
    """
    import pandas as pd

    crystal = found.crystal
    squares = atom_shares(found)
    each = [number for number, one in enumerate(found.sets) for _ in one]
    table = pd.DataFrame(
        {
            "energy_meV": found.energies,
            "wavenumber_per_cm": found.energies / INVERSE_CM,
            "frequency_THz": found.energies / THZ,
            "imaginary": found.energies < -SMALLEST_ENERGY,
            "set": [number + 1 for number in each],
            "irrep": [found.labels[number] for number in each],
            "activity": [found.activities[number] for number in each],
            "splitting": [found.splitting[number] for number in each],
        },
        index=pd.RangeIndex(1, len(found.energies) + 1, name="mode"),
    )
    symbols = np.array(crystal.symbols)
    for symbol in dict.fromkeys(crystal.symbols):
        table[f"participation_{symbol}"] = squares[:, symbols == symbol].sum(axis=1)
    table["participation_ratio"] = 1 / (crystal.n_atoms * np.sum(squares**2, axis=1))
    table["neutron_total"] = neutron_shares(crystal, squares, "coherent-plus-incoherent")
    table["neutron_incoherent"] = neutron_shares(crystal, squares, "incoherent")
    return table


def atom_shares(found: Vibrations) -> Array:
    """|e_d|² of each mode and atom, mean over the degenerate set, shape (n_modes, n_atoms); each row sums to 1."""
    squares = np.sum(np.abs(found.polarisations) ** 2, axis=-1)
    for one in found.sets:
        squares[list(one)] = squares[list(one)].mean(axis=0)
    return np.asarray(squares)


def neutron_shares(crystal: Crystal, squares: Array, weights: Weights) -> Array:
    """Which part of the neutron-weighted density of states at this wave vector each mode makes, shape (n_modes,).

    Mode ν scatters Σ_d (σ_d/M_d) |e_dν|² in the incoherent approximation, for powders, without the factors that depend
    on energy, |Q| and temperature; this over its sum over all modes, Σ_d 3 σ_d/M_d. The shares sum to 1; they are NaN
    where nothing has such a cross section.

    Parameters
    ----------
    squares
        |e_d|², shape (n_modes, n_atoms), each row of sum 1.
    weights
        Which cross section.
    """
    factors = neutron_weights(scattering_lengths(crystal), crystal.masses, weights)
    each = squares @ factors
    return np.asarray(each / each.sum() if each.sum() > 0 else np.full(len(each), np.nan))
