"""How often a search finds the crystal that a spectrum belongs to, and how long it takes.

    python benchmarks/search.py LIBRARY [--index FILE] [--every N] [--doses 1e3 1e4] [--only noise time] [--emin 1]
                                [--refine 5]

Queries are powder maps of the split ``val`` as ARCS sees them: incident energy the lowest of `INCIDENT` that is 1.25 of
the highest mode, energies in hundredths of it, |Q| in steps of 0.1 1/Å, broadened, NaN where no detector is.
*noise*: at the library's temperature, Poisson noise at 10² to 10⁵ counts in all bins above 1 meV. *temperature*: maps
of the library's force constants at 300 K. *potential*: maps of crystals of at most `FEW_ATOMS` atoms simulated with
another potential (`--engine`), not relaxed, at the library's temperature. *refine*: as *noise*, of one phonon and of
many, and the best few (`--refine`) ranked again by their whole maps, for which the library has to hold them. *limit*:
as *noise*, but the maps are those that the index decodes, searched in the same index, and ranked by the exact
likelihood of their counts beside, of the bins that are compared and of all above 1 meV: no ranking can be right more
often. *measured*: maps of multiphonon (`--measured FOLDER`) in an index to which simulations at 300 K (`--simulated
FILE...`) are added. *time*: one search in the index repeated to 10⁴ crystals.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr

import inscape
from inscape.index import Index, MapCodes, shipped_index
from inscape.index.maps import on_map_grid
from inscape.library import Library
from inscape.retrieval import fit, measurement, search
from inscape.retrieval.rank import refit, spectrum_of
from inscape.retrieval.whole import whole_maps
from inscape.scattering import Instrument, instrument, scattering_lengths, self_part, to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin
from inscape.units import bose

INCIDENT = (25.0, 40.0, 60.0, 90.0, 130.0, 200.0, 300.0, 500.0, 700.0)
DOSES = (1e2, 1e3, 1e4, 1e5)
COLD, WARM = 10.0, 300.0
FEW_ATOMS = 6
MEASURED = (("Al-iqe.h5", 80.0, 12.0), ("graphite-Ei_130-iqe.h5", 130.0, 15.0))
"""Maps of multiphonon, their incident energies and where elastic scattering ends, meV."""

RIVALS, DARK = 30, 1e-6
"""Crystals that are ranked by likelihood beside the right one, and the share of counts that may be anywhere."""


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


def refined(library: Library, ids: list[str], index: Index, options: argparse.Namespace) -> None:
    """Queries as of *noise*, of one phonon and of many, the best few compared once more by whole maps."""
    ranks: dict[tuple[bool, float], list[list[int]]] = {}
    for (number, name), one in product(enumerate(ids), (True, False)):
        reduced = whole_maps(library, [name], COLD, one_phonon=one)[0]
        e_i = incident_energy(library.entries[name].highest_meV)
        clean = seen(reduced, native_energy_edges(), e_i, COLD, reduced=True)
        for dose in options.doses:
            query = measurement(counted(clean, dose, number), instrument=arcs(e_i), lowest=options.emin)
            by_codes = fit(index, query)
            order = [index.ids[i] for i in by_codes.order]
            best = order[: options.refine]
            again = refit(by_codes, whole_maps(library, best, COLD, one_phonon=one)).order
            places = [1 + some.index(name) for some in (order, [best[i] for i in again] + order[options.refine :])]
            ranks.setdefault((one, dose), []).append(places)
    for (one, dose), found in ranks.items():
        for title, places in zip(
            ("by codes", f"the first {options.refine} refined"), zip(*found, strict=True), strict=True
        ):
            line(f"{'one phonon' if one else 'many phonons'}, {dose:.0e} counts, {title}", list(places))


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


def foreign_query(library: Library, name: str, engine: str) -> xr.Dataset:
    """The map of another potential's force constants, in the same cell."""
    e_i = incident_energy(library.entries[name].highest_meV)
    options = {"relax": False, "temperature": COLD, "kinds": ("powder",), "emax": e_i, "de": e_i / 100, "length": 8.0}
    data = inscape.simulate(library.crystal(name), engine=engine, **options).dataset
    return seen(data["powder"].values.astype(float), data["energy_edges"].values, e_i, COLD, reduced=False)


def counts(
    query: Callable[[Library, str], xr.Dataset],
    label: str,
    library: Library,
    ids: list[str],
    index: Index,
    options: argparse.Namespace,
) -> None:
    """Queries of one kind, counted at each dose."""
    ranks: dict[float, list[int]] = {dose: [] for dose in options.doses}
    for number, name in enumerate(ids):
        clean = query(library, name)
        for dose, found in ranks.items():
            found.append(rank_of(name, counted(clean, dose, number), index, emin=options.emin))
    for dose, found in ranks.items():
        line(f"{label}{dose:.0e} counts", found)


def potential(library: Library, ids: list[str], index: Index, options: argparse.Namespace) -> None:
    """Queries from another potential."""
    ranks: dict[tuple[float, float], list[int]] = {(s, dose): [] for s in (0.0, 0.1) for dose in options.doses}
    for number, name in enumerate(ids):
        clean = foreign_query(library, name, options.engine)
        for (stretch, dose), found in ranks.items():
            query = counted(clean, dose, number)
            found.append(rank_of(name, query, index, stretch=stretch, emin=options.emin))
    for (stretch, dose), found in ranks.items():
        line(f"{options.engine}, {dose:.0e} counts, energies stretched by up to {stretch:.0%}", found)


def decoded_query(index: Index, number: int) -> xr.Dataset:
    """The map that an index decodes for one of its crystals, not negative; NaN where no detector is."""
    area = np.cumsum(index.dos[number])
    e_i = incident_energy(float(native_energy_edges()[1 + np.searchsorted(area, 0.9995 * area[-1])]))
    empty = seen(np.ones((100, 300)), native_energy_edges(), e_i, COLD, reduced=True)
    values = spectrum_of(index, measurement(empty, instrument=arcs(e_i)), number)
    reached = np.isfinite(empty["intensity"].values)
    return empty.assign(intensity=(("q", "energy"), np.where(reached, values.clip(0.0), np.nan)))


def place_by_likelihood(number: int, rivals: np.ndarray, query: xr.Dataset, index: Index, compared: np.ndarray) -> int:
    """Place of a crystal among its rivals by the likelihood of the counts, the scale of each the best."""
    seen_by = measurement(query, instrument=arcs(query.attrs["incident_energy_meV"]))
    y = query["intensity"].values[compared]
    likelihood = {}
    for one in {number, *rivals.tolist()}:
        model = spectrum_of(index, seen_by, one)[compared].clip(0.0)
        share = (model / model.sum() + DARK / model.size) / (1 + DARK)
        likelihood[one] = y @ np.log(share)
    return 1 + sum(value > likelihood[number] for value in likelihood.values())


def limit(library: Library, ids: list[str], index: Index, options: argparse.Namespace) -> None:
    """The best that any ranking can do, on maps that the index decodes."""
    for dose in options.doses:
        ranks: dict[str, list[int]] = {"search": [], "likelihood, the same bins": [], "likelihood, all bins": []}
        for seed, name in enumerate(ids):
            number = index.ids.index(name)
            query = counted(decoded_query(index, number), dose, seed)
            seen_by = arcs(query.attrs["incident_energy_meV"])
            found = fit(index, measurement(query, instrument=seen_by, lowest=options.emin))
            rivals = found.order[:RIVALS]
            ranks["search"].append(1 + found.order.tolist().index(number))
            for title, compared in zip(
                list(ranks)[1:], (found.measured.weights > 0, np.isfinite(query["intensity"].values)), strict=True
            ):
                ranks[title].append(place_by_likelihood(number, rivals, query, index, compared))
        for title, places in ranks.items():
            line(f"{dose:.0e} counts, {title}", places)


def with_simulated(index: Index, path: Path) -> Index:
    """An index with one more crystal, the powder map of a simulation by one phonon, which is kept whole."""
    data = inscape.Prediction.load(path).dataset
    kelvin, energy = float(data.attrs["temperature_K"]), centres(data["energy_edges"].values)
    scattering = (data["powder_coherent"] + data["powder_incoherent"]).values.astype(float)
    edges = native_energy_edges()
    known = edges[edges <= data["energy_edges"].values[-1]]
    reduced = np.zeros((len(native_q_edges()) - 1, len(edges) - 1))
    found = rebin(scattering * energy / (bose(energy, kelvin) + 1), data["energy_edges"].values, known)
    reduced[:, : len(known) - 1] = rebin(found, data["q_edges"].values, native_q_edges(), axis=0)
    maps, n = index.maps, index.maps.codes.shape[1]
    own = on_map_grid(reduced)
    axis = own * np.abs(maps.axes).max() / own.max() - maps.mean
    return replace(
        index.take(np.append(np.arange(len(index)), 0)),
        ids=[*index.ids, path.name],
        formulas=[*index.formulas, str(data.attrs["formula"])],
        maps=MapCodes(
            np.concatenate([np.pad(maps.codes, ((0, 0), (0, 1))), np.eye(1, n + 1, n)]).astype(np.float32),
            np.concatenate([maps.axes, axis[None]]).astype(np.float32),
            maps.mean,
            np.concatenate([maps.displacements, np.zeros_like(maps.displacements[:1])]),  # as warm as it is wanted
        ),
    )


def measured(library: Library, ids: list[str], index: Index, options: argparse.Namespace) -> None:
    """Places of simulated crystals for maps of ARCS at 300 K, the index with them."""
    for path in options.simulated:
        index = with_simulated(index, path)
    for file, e_i, lowest in MEASURED:
        spectrum = inscape.read(options.measured / file)
        for qmax, stretch in product((None, 8.0, 6.0, 4.0), (0.0, 0.1)):
            found = search(
                spectrum, index=index, top=len(index), temperature=WARM, emin=lowest, qmax=qmax, background=True,
                stretch=stretch, instrument=instrument("ARCS", e_i=e_i),
            )  # fmt: skip
            places = {match.id: rank for rank, match in enumerate(found.matches, start=1)}
            own = ", ".join(f"{path.name} {places[path.name]}" for path in options.simulated)
            first = f"{found.matches[0].formula}, {found.matches[0].score:.3f}"
            print(f"| {file} | {qmax or 'all'} | {stretch:.0%} | {own} | {first} |", flush=True)


def duration(library: Library, ids: list[str], index: Index, options: argparse.Namespace) -> None:
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
    "refine": refined,
    "limit": limit,
    "measured": measured,
    "time": duration,
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--index")
    parser.add_argument("--every", type=int, default=1, help="take every N-th crystal")
    parser.add_argument(
        "--only", nargs="*", choices=PARTS, default=[part for part in PARTS if part not in {"measured", "refine"}]
    )
    parser.add_argument("--doses", nargs="*", type=float, default=DOSES)
    parser.add_argument("--emin", type=float, help="lowest energy compared, meV; as in searches unless given")
    parser.add_argument("--refine", type=int, default=5, help="how many are ranked again, of the part refine")
    parser.add_argument("--measured", type=Path, help="folder of the maps, of the part measured")
    parser.add_argument("--simulated", nargs="*", type=Path, default=[], help="result files, of the part measured")
    parser.add_argument("--engine", default="nequix-oam-1-pft", help="of the part potential")
    options = parser.parse_args()
    library = Library(options.library)
    index = Index.load(options.index) if options.index else shipped_index()
    for part in options.only:
        few = FEW_ATOMS if part == "potential" else 40
        ids = library.select("val", max_atoms=few)[:: options.every]
        if part == "measured":
            print("| map | largest |Q| | stretch | places | first, score |\n|---|---|---|---|---|")
        elif part != "time":
            print(f"| {part} | queries | first | in the first ten | worst place |\n|---|---|---|---|---|")
        PARTS[part](library, ids, index, options)


if __name__ == "__main__":
    main()
