"""The crystals of an index as a map to walk on: where each lies, what is known of it, what codes between them mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from inscape.autoencoders import BaseAutoencoder, load
from inscape.errors import DataError
from inscape.explore.maps import code_map
from inscape.explore.observables import dos_observables
from inscape.index import Index, shipped_index
from inscape.index.maps import map_energy_edges, map_q_edges
from inscape.library import chemical_system, composition
from inscape.scattering import check_temperature, to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model.representation import N_LEVELS, from_cumulative_dos
from inscape.training import WEIGHTS

Array = NDArray[np.floating]

KINDS = ("dos", "powder")

UNITS = {
    "mean energy": "meV", "width": "meV", "cut-off": "meV", "widest gap": "meV", "C_V(100 K)": "J mol⁻¹ K⁻¹",
    "C_V(300 K)": "J mol⁻¹ K⁻¹", "hydrogen share": "1", "oxygen share": "1", "elements": "1",
}  # fmt: skip
"""Properties of crystals that a map can show."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """A map of an index by the codes of one kind.

    Parameters
    ----------
    index
        Whose crystals they are.
    coordinates
        Shape (n, 2).
    properties
        By the names of `UNITS`, each shape (n,).
    """

    index: Index
    coordinates: Array
    properties: dict[str, Array]


@lru_cache(maxsize=2)
def atlas(kind: str) -> Atlas:
    """The map of the index that ships, by the principal components of its codes; made once, then kept.

    Raises
    ------
    DataError
        Another kind than "dos" and "powder".
    """
    index = shipped_index()
    found = dos_observables(index.dos, native_energy_edges())
    shares = np.array([composition(formula) for formula in index.formulas])
    found |= {"hydrogen share": shares[:, 1], "oxygen share": shares[:, 8], "elements": (shares > 0).sum(axis=1)}
    return Atlas(index, code_map(_codes(index, kind)), {name: found[name] for name in UNITS})


def find(index: Index, text: str, limit: int = 50) -> list[int]:
    """Numbers of crystals by id, formula (in any order of the elements) or chemical system (``Si-O``), in order of ids.

    Raises
    ------
    DataError
        A text that is none of these.
    """
    text = text.strip()
    if re.fullmatch(r"mp-\d+", text):
        return [number for number, name in enumerate(index.ids) if name == text]
    if re.fullmatch(r"[A-Z][a-z]?(-[A-Z][a-z]?)+", text):
        wanted = chemical_system(text)
        return [n for n, formula in enumerate(index.formulas) if chemical_system(formula) == wanted][:limit]
    if not re.fullmatch(r"([A-Z][a-z]?[0-9]*)+", text):
        raise DataError(
            f"cannot look for {text!r}; expected a formula as SiO2, a chemical system as Si-O or an id as mp-7000"
        )
    wanted_counts = _counts(text)
    return [n for n, formula in enumerate(index.formulas) if _counts(formula) == wanted_counts][:limit]


def spectra_of_index(index: Index, number: int, temperature: float = 300.0) -> xr.Dataset:
    """What an index holds of one crystal.

    Returns
    -------
    xr.Dataset
        ``dos`` (energy_dos), 1/meV, area 1; ``powder`` (q, energy), all one-phonon scattering of a powder at the
        temperature, its mean 1, as decoded from a code of 128 numbers, with one mean Debye–Waller factor.

    Raises
    ------
    GridError
        A temperature that makes no sense.
    """
    check_temperature(temperature)
    q, energy = centres(map_q_edges()), centres(map_energy_edges())
    reduced = np.maximum(index.maps.decode(number), 0.0)
    warming = index.maps.warming(temperature, index.temperature)[number]
    powder = to_scattering(reduced * np.exp(-(q[:, None] ** 2) * warming / 3), energy, temperature)
    found = _of_dos(index.dos[number].astype(float), "energy_dos")
    found = found.assign_coords(_axis("q", map_q_edges(), "1/Å") | _axis("energy", map_energy_edges(), "meV"))
    return found.assign(powder=(("q", "energy"), powder / powder.mean(), {"units": "1", "long_name": "powder, mean 1"}))


def ranges(kind: str) -> dict[str, Array]:
    """Mean, 1st and 99th percentile of each element of the codes of the index, each shape (n_components,).

    Raises
    ------
    DataError
        Another kind than "dos" and "powder".
    """
    codes = _codes(shipped_index(), kind)
    low, high = np.percentile(codes, [1, 99], axis=0)
    return {"mean": codes.mean(axis=0), "low": low, "high": high}


def decoded(kind: str, code: ArrayLike) -> xr.Dataset:
    """What a code means, by the decoder that ships.

    Returns
    -------
    xr.Dataset
        Of the kind "dos" ``dos`` (energy), 1/meV, area 1. Of "powder" ``density`` (q, level), the coherent scattering
        at each |Q| relative to its self part, mean 1, over the share of the self part below an energy.

    Raises
    ------
    DataError
        Another kind, or a code of another length or that is not finite.
    """
    length = _codes(shipped_index(), kind).shape[1]
    values = np.asarray(code, dtype=np.float32)
    if values.shape != (length,) or not np.all(np.isfinite(values)):
        raise DataError(f"the code has shape {values.shape}; expected {length} finite numbers, as codes of {kind} have")
    meant = np.asarray(_decoder(kind).inverse_transform(values[None])[0], dtype=float)
    if kind == "dos":
        return _of_dos(from_cumulative_dos(meant, native_energy_edges()))
    density = meant.reshape(-1, N_LEVELS).clip(min=0.0)
    words = {"units": "1", "long_name": "coherent scattering relative to its self part"}
    levels = np.linspace(0.0, 1.0, density.shape[1] + 1)
    axes = {**_axis("q", native_q_edges(), "1/Å"), **_axis("level", levels, "1")}
    return xr.Dataset({"density": (("q", "level"), density, words)}, axes)


@lru_cache(maxsize=2)
def _decoder(kind: str) -> BaseAutoencoder:
    """The autoencoder that ships, of which the index holds the codes."""
    return load(WEIGHTS / f"autoencoder-{kind}.safetensors")


def _of_dos(dos: Array, axis: str = "energy") -> xr.Dataset:
    words = {"units": "1/meV", "long_name": "density of states, area 1"}
    return xr.Dataset({"dos": (axis, dos, words)}, _axis(axis, native_energy_edges(), "meV"))


def _axis(name: str, edges: Array, unit: str) -> dict[str, tuple[str, Array, dict[str, str]]]:
    return {name: (name, centres(edges), {"units": unit}), f"{name}_edges": (f"{name}_edge", edges, {"units": unit})}


def _codes(index: Index, kind: str) -> Array:
    if kind not in KINDS:
        raise DataError(f"kind is {kind!r}; expected 'dos' or 'powder'")
    return index.codes[kind].astype(float)


def _counts(formula: str) -> dict[str, float]:
    """Share of each element in a formula."""
    counts: dict[str, float] = {}
    for symbol, number in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        counts[symbol] = counts.get(symbol, 0.0) + int(number or 1)
    total = sum(counts.values())
    return {symbol: round(count / total, 9) for symbol, count in counts.items()} if total else {}
