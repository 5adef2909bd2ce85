"""How often a search finds the crystal that a spectrum belongs to, and how long it takes.

    python benchmarks/search.py LIBRARY [--index FILE] [--every N] [--doses 1e3 1e4] [--only noise time]

Queries are powder maps of the split ``val`` as ARCS sees them: incident energy the lowest of `INCIDENT` that is 1.25 of
the highest mode, energies in hundredths of it, |Q| in steps of 0.1 1/Å, broadened, NaN where no detector is.
*noise*: at the library's temperature, Poisson noise at 10² to 10⁵ counts in all bins above 1 meV. *temperature*: maps
of the library's force constants at 300 K. *potential*: maps of crystals of at most `FEW_ATOMS` atoms simulated with
SevenNet-0, not relaxed, at the library's temperature. *time*: one search in the index repeated to 10⁴ crystals.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr

import inscape
from inscape.index import Index, shipped_index
from inscape.library import Library
from inscape.retrieval import search
from inscape.scattering import Instrument, instrument, scattering_lengths, self_part, to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin

INCIDENT = (25.0, 40.0, 60.0, 90.0, 130.0, 200.0, 300.0, 500.0, 700.0)
DOSES = (1e2, 1e3, 1e4, 1e5)
COLD, WARM = 10.0, 300.0
FEW_ATOMS = 5


def map_of_library(library: Library, name: str) -> np.ndarray:
    """Whole reduced map on native grids, barn sr⁻¹ per atom."""
    a = library.arrays(name, "partial_dos", "displacements", "powder")
    crystal, q = library.crystal(name), centres(native_q_edges())
    incoherent = scattering_lengths(crystal).incoherent_square
    own = self_part(a["partial_dos"], crystal.masses, incoherent, q, a["displacements"][0])
    return a["powder"].astype(float) * q[:, None] ** 2 + own


def incident_energy(highest: float) -> float:
    """The incident energy for a crystal whose highest mode is known."""
    return min(e for e in (*INCIDENT, np.inf) if e >= 1.25 * highest or e == INCIDENT[-1])


def arcs(e_i: float) -> Instrument:
    """ARCS with the chopper that lets all of `INCIDENT` through."""
    return instrument("ARCS", e_i=e_i, chopper_package="ARCS-700-1.5-AST")


def seen(values: np.ndarray, energy: np.ndarray, e_i: float, temperature: float, *, reduced: bool) -> xr.Dataset:
    """A map on energies of bins ``energy`` and native |Q| as ARCS sees it, in the container of measurements."""
    edges = np.linspace(0.0, e_i, 101)
    found = rebin(values, energy, edges)
    if reduced:
        found = to_scattering(found, centres(edges), temperature)
    found = arcs(e_i).measure(found, native_q_edges(), edges)
    attributes = {"temperature_K": temperature, "incident_energy_meV": e_i, "instrument": "ARCS"}
    return xr.Dataset(
        {
            "intensity": (("q", "energy"), found),
            "variance": (("q", "energy"), np.full_like(found, np.nan)),
            "q_edges": ("q_edge", native_q_edges()),
            "energy_edges": ("energy_edge", edges),
        },
        attrs=attributes,
    )


def counted(spectrum: xr.Dataset, dose: float, seed: int) -> xr.Dataset:
    """The map with Poisson noise at so many expected counts above 1 meV, and the counts as variances."""
    above = centres(spectrum["energy_edges"].values) > 1.0
    expected = np.where(above, spectrum["intensity"].values, np.nan).clip(min=0.0)
    expected *= dose / np.nansum(expected)
    counts = np.random.default_rng(seed).poisson(np.nan_to_num(expected)).astype(float)
    counts[np.isnan(expected)] = np.nan
    return spectrum.assign(intensity=(("q", "energy"), counts), variance=(("q", "energy"), counts))


def rank_of(name: str, query: xr.Dataset, index: Index, **options: object) -> int:
    """Place of a crystal in the list, 1 the first."""
    seen_by = arcs(query.attrs["incident_energy_meV"])
    found = search(query, index=index, top=len(index), instrument=seen_by, **options)
    ids = [match.id for match in found.matches]
    return 1 + ids.index(name)


def line(title: str, ranks: list[int]) -> None:
    """One row of the table."""
    r = np.array(ranks)
    print(f"| {title} | {len(r)} | {np.mean(r == 1):.1%} | {np.mean(r <= 10):.1%} | {r.max()} |", flush=True)


def cold_query(library: Library, name: str) -> xr.Dataset:
    """The library's map."""
    e_i = incident_energy(library.entries[name].highest_meV)
    return seen(map_of_library(library, name), native_energy_edges(), e_i, COLD, reduced=True)


def warm_query(library: Library, name: str) -> xr.Dataset:
    """The map of the library's force constants at another temperature."""
    e_i = incident_energy(library.entries[name].highest_meV)
    force_constants = library.force_constants(name)
    data = inscape.simulate(force_constants, temperature=WARM, kinds=("powder",), emax=e_i, de=e_i / 100).dataset
    return seen(data["powder"].values.astype(float), data["energy_edges"].values, e_i, WARM, reduced=False)


def foreign_query(library: Library, name: str) -> xr.Dataset:
    """The map of another potential's force constants, in the same cell."""
    e_i = incident_energy(library.entries[name].highest_meV)
    options = {"relax": False, "temperature": COLD, "kinds": ("powder",), "emax": e_i, "de": e_i / 100, "length": 8.0}
    data = inscape.simulate(library.crystal(name), **options).dataset
    return seen(data["powder"].values.astype(float), data["energy_edges"].values, e_i, COLD, reduced=False)


def counts(
    query: Callable[[Library, str], xr.Dataset], label: str, library: Library, ids: list[str], index: Index,
    doses: list[float],
) -> None:  # fmt: skip
    """Queries of one kind, counted at each dose."""
    ranks: dict[float, list[int]] = {dose: [] for dose in doses}
    for number, name in enumerate(ids):
        clean = query(library, name)
        for dose, found in ranks.items():
            found.append(rank_of(name, counted(clean, dose, number), index))
    for dose, found in ranks.items():
        line(f"{label}{dose:.0e} counts", found)


def potential(library: Library, ids: list[str], index: Index, doses: list[float]) -> None:
    """Queries from another potential."""
    ranks: dict[tuple[float, float], list[int]] = {(s, dose): [] for s in (0.0, 0.1) for dose in doses}
    for number, name in enumerate(ids):
        clean = foreign_query(library, name)
        for (stretch, dose), found in ranks.items():
            found.append(rank_of(name, counted(clean, dose, number), index, stretch=stretch))
    for (stretch, dose), found in ranks.items():
        line(f"SevenNet-0, {dose:.0e} counts, energies stretched by up to {stretch:.0%}", found)


def duration(library: Library, ids: list[str], index: Index, doses: list[float]) -> None:
    """Processor time of one search among 10⁴ crystals, one thread."""
    large = index.take(np.arange(10_000) % len(index))
    for name in ids[:3]:
        clean = cold_query(library, name)
        seen_by = arcs(clean.attrs["incident_energy_meV"])
        for kelvin in (COLD, WARM):
            times = []
            for _ in range(9):
                start = time.process_time()
                search(counted(clean, 1e3, 0), index=large, temperature=kelvin, instrument=seen_by)
                times.append(time.process_time() - start)
            print(
                f"{name}, {kelvin:g} K: processor time {np.median(times):.3f} s, least {min(times):.3f} s", flush=True
            )


PARTS = {
    "noise": partial(counts, cold_query, ""),
    "temperature": partial(counts, warm_query, "300 K, "),
    "potential": potential,
    "time": duration,
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--index")
    parser.add_argument("--every", type=int, default=1, help="take every N-th crystal")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--doses", nargs="*", type=float, default=DOSES)
    options = parser.parse_args()
    library = Library(options.library)
    index = Index.load(options.index) if options.index else shipped_index()
    for part in options.only:
        few = FEW_ATOMS if part == "potential" else 40
        ids = library.select("val", max_atoms=few)[:: options.every]
        if part in ("noise", "temperature", "potential"):
            print(f"| {part} | queries | first | in the first ten | worst place |\n|---|---|---|---|---|")
        PARTS[part](library, ids, index, options.doses)


if __name__ == "__main__":
    main()
