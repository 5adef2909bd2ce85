"""The one function of this folder that users call, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape.cells.files import looks_like_structure
from inscape.errors import DataError, InstrumentError
from inscape.index import Index, index_of_library, shipped_index
from inscape.library import Library
from inscape.measured import holds_measurement, read
from inscape.prediction import predict
from inscape.results import Prediction
from inscape.retrieval.measurements import Measurement, measurement
from inscape.retrieval.rank import Fit, fit, fitted, refit
from inscape.retrieval.whole import whole_maps
from inscape.scattering import Instrument, Setting, chosen_instrument
from inscape.spectra import centres, native_energy_edges, rebin, whole_powder
from inscape.structures import Crystal, read_structure
from inscape.threads import numpy_alone

Array = NDArray[np.floating]

SHOWN = 3
"""Spectra kept beside the query, of the best."""

STRETCH_STEP = 0.01

CODE_KINDS = ("dos", "powder")
"""Codes that neighbours of a structure are near in."""


@dataclass(frozen=True)
class Match:
    """A crystal of the index.

    Parameters
    ----------
    id, formula, space_group, split
        Of the crystal; "train" are crystals that the models of this package learned from.
    score
        Of a spectrum: cosine with the query, each bin over its standard deviation, 1 is exact. Of a structure: one over
        one plus the distance of codes, in units of the distance that crystals of the index have from their mean.
    chi2, chi2_above_first
        χ² per free bin, and how much χ² is above that of the first; None where the noise is not known.
    stretch
        Factor of the crystal's energies that fits best.
    """

    id: str
    formula: str
    space_group: str
    split: str
    score: float
    chi2: float | None = None
    chi2_above_first: float | None = None
    stretch: float = 1.0


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Crystals, the best first.

    Parameters
    ----------
    matches
        As many as asked for.
    kind
        What was compared: "powder map", "density of states" or "codes".
    spectra
        ``query`` and ``variance`` as compared, NaN elsewhere, and ``match`` (rank, q, energy), the best `SHOWN` as they
        fit. Of a structure: densities of states, area 1.
    notes
        What could not be used.
    """

    matches: list[Match]
    kind: str
    spectra: xr.Dataset
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the spectra, for JSON."""
        return {"kind": self.kind, "matches": [asdict(match) for match in self.matches], "notes": list(self.notes)}


@numpy_alone()
def search(
    query: Any,
    *,
    index: Index | str | Path | None = None,
    library: str | Path | None = None,
    top: int = 10,
    kind: str | None = None,
    temperature: float | None = None,
    emin: float | None = None,
    qmax: float | None = None,
    background: bool = False,
    stretch: float = 0.0,
    instrument: Instrument | None = None,
    refine: int = 0,
) -> SearchResult:
    """The crystals whose spectra look most like a measured, simulated or predicted one.

    Every crystal is fitted with its own scale to the bins that were measured, weighted by their variances. Bins that
    were not measured count for nothing. Of a structure, spectra are predicted, and neighbours of their codes found.

    Parameters
    ----------
    query
        A file or dataset of a powder map or density of states, a `Prediction` or its file, or a crystal structure in
        any form that `inscape.read_structure` takes.
    index, library
        Where to search: an index or its file, or a library, of which an index is made at first use and kept in its
        folder. The index that ships unless given.
    top
        How many crystals to return.
    kind
        "dos" or "powder", where the query holds both; the powder map unless given.
    temperature
        Of the powder map, K, if the file does not say; the index is brought to it.
    emin
        Energies below are left out, meV; see `inscape.retrieval.measurements`.
    qmax
        |Q| above are left out, 1/Å: the index holds scattering by one phonon, and many scatter there.
    background
        Fit along a background, the same everywhere, and one that grows with Q².
    stretch
        Try energies of each crystal that are up to this share higher or lower, in steps of 0.01.
    instrument
        Whose resolution the spectrum has, if the file does not say.
    refine
        Compare a powder map once more with so many of the best, by their whole maps in ``library`` and scattering by
        many phonons (unless the query is a result without them); only these are listed.

    Raises
    ------
    DataError
        A query that cannot be used, or options that make no sense.
    WeightsError, LibraryError
        An index or library that cannot be read.
    StructureError
        A structure that cannot be used.
    """
    if index is not None and library is not None:
        raise DataError("an index and a library were given; search one of them")
    if top < 1 or not 0 <= stretch < 0.5:
        raise DataError(f"top is {top}, stretch {stretch}; expected at least 1, and a share from 0 to below 0.5")
    if refine < 0 or (refine and library is None):
        raise DataError(
            f"refine is {refine}, library {library}: the best are compared again with whole maps of a library; "
            "give the library, and how many to compare"
        )
    given = _open(query)
    where = _where(index, library)
    if isinstance(given, Crystal):
        return _neighbours(where, given, top)
    spectrum = container(given, kind) if isinstance(given, Prediction) else given
    seen, notes = (instrument, ()) if instrument is not None else _instrument_of(spectrum)
    measured = measurement(spectrum, temperature=temperature, lowest=emin, highest_q=qmax, instrument=seen)
    number = round(stretch / STRETCH_STEP)
    factors = 1 + STRETCH_STEP * np.arange(-number, number + 1)
    found = fit(where, measured, background=background, stretches=factors.tolist())
    if library is not None and refine and measured.q_edges is not None:
        where = where.take(found.order[:refine])
        one_phonon = bool(spectrum.attrs.get("one_phonon", False))
        maps = whole_maps(Library(library), where.ids, measured.temperature, one_phonon=one_phonon)
        found = refit(found, maps, background=background)
    return _ranked(where, found, top, background, notes)


def _open(query: Any) -> Prediction | xr.Dataset | Crystal:
    """What a query is: a result of this package, a measured spectrum, or a structure. All files are read here."""
    if isinstance(query, Prediction | xr.Dataset | Crystal):
        return query
    if isinstance(query, str | Path) and not looks_like_structure(Path(query)):
        path = Path(query).expanduser()
        return read(path) if holds_measurement(path) else Prediction.load(path)
    return read_structure(query)


def container(prediction: Prediction, kind: str | None = None) -> xr.Dataset:
    """A prediction's powder map, as an instrument sees it if there is one, or its density of states, as a measurement.

    Raises
    ------
    DataError
        Neither is there, or not the one that was asked for.
    """
    data = prediction.dataset
    there = {"powder": "instrument_map" if "instrument_map" in data else "powder", "dos": "dos"}
    if kind is not None and kind not in there:
        raise DataError(f"kind is {kind!r}; expected 'dos' or 'powder'")
    wanted = [there[kind]] if kind else list(there.values())
    name = next((name for name in wanted if name in data), None)
    if name is None:
        raise DataError(f"{prediction!r} holds no {' and no '.join(wanted)}: make it with the kind 'powder' or 'dos'")
    dims = ("energy",) if name == "dos" else ("q", "energy")
    values = (whole_powder(data) if name == "powder" else data[name].transpose(*dims)).values.astype(float)
    found = xr.Dataset({"intensity": (dims, values), "energy_edges": ("energy_edge", data["energy_edges"].values)})
    if name != "dos":
        found["q_edges"] = ("q_edge", data["q_edges"].values)
    one_phonon = int("multiphonon_order" not in data.attrs)
    found.attrs = {"temperature_K": data.attrs["temperature_K"], "one_phonon": one_phonon}
    setting = Setting.of_attributes(data.attrs)
    if name == "instrument_map" and setting is not None:
        fixed = "incident_energy_meV" if setting.kind == "direct" else "final_energy_meV"
        found.attrs |= {"instrument": setting.name, fixed: setting.fixed_energy}
    return found


def _instrument_of(spectrum: xr.Dataset) -> tuple[Instrument | None, tuple[str, ...]]:
    """The instrument that a file names; None, and why, if its resolution is not known."""
    name, incident = spectrum.attrs.get("instrument"), spectrum.attrs.get("incident_energy_meV")
    if not name or incident is None or name == "all angles" or spectrum["intensity"].ndim < 2:
        return None, ()
    try:
        return chosen_instrument(str(name), float(incident), None), ()
    except (InstrumentError, ImportError) as error:
        return None, (f"no resolution was applied: {error}",)


def _where(index: Index | str | Path | None, library: str | Path | None) -> Index:
    if library is not None:
        return index_of_library(library)
    if index is None:
        return shipped_index()
    return index if isinstance(index, Index) else Index.load(index)


def _ranked(index: Index, found: Fit, top: int, background: bool, notes: tuple[str, ...]) -> SearchResult:
    measured, order = found.measured, found.order[:top]
    cosine, chi2 = found.cosine, found.chi2
    matches = [
        replace(
            _match(index, i, float(cosine[i])),
            stretch=float(found.stretch[i]),
            chi2=float(chi2[i]) if measured.noise_known else None,
            chi2_above_first=float(found.explained[order[0]] - found.explained[i]) if measured.noise_known else None,
        )
        for i in order
    ]
    best = [fitted(found, int(i), background=background) for i in order[:SHOWN]]
    kind = "density of states" if measured.q_edges is None else "powder map"
    return SearchResult(matches, kind, _spectra(measured, best), notes)


def _match(index: Index, number: int, score: float) -> Match:
    return Match(index.ids[number], index.formulas[number], index.space_groups[number], index.splits[number], score)


def _spectra(measured: Measurement, best: Sequence[Array]) -> xr.Dataset:
    """The query and the best, on the bins of the query."""
    use = measured.weights > 0
    dims = ("q", "energy")
    found = xr.Dataset(
        {
            "query": (dims, np.where(use, measured.values, np.nan)),
            "match": (("rank", *dims), np.stack(best)),
            "energy_edges": ("energy_edge", measured.energy_edges),
        },
        {"energy": centres(measured.energy_edges), "rank": np.arange(1, len(best) + 1)},
    )
    if measured.q_edges is None:
        return found.isel(q=0)
    return found.assign_coords(q=centres(measured.q_edges)).assign(q_edges=("q_edge", measured.q_edges))


def _neighbours(index: Index, crystal: Crystal, top: int) -> SearchResult:
    """Crystals whose codes are nearest to the predicted ones, distances of both kinds in units of their spread."""
    prediction = predict(crystal, road="code", kinds=CODE_KINDS)
    square = np.zeros(len(index))
    for kind in CODE_KINDS:
        codes, own = index.codes[kind], prediction.dataset[f"code_{kind}"].values
        spread = np.mean(np.sum((codes - codes.mean(axis=0)) ** 2, axis=1))
        square += np.sum((codes - own) ** 2, axis=1) / spread / len(CODE_KINDS)
    score = 1 / (1 + np.sqrt(square))
    order = np.argsort(-score, kind="stable")[:top]
    edges = native_energy_edges()
    measured = measurement(container(prediction, "dos"))
    rows = index.dos[order[:SHOWN]]
    spectra = _spectra(measured, [row[None] for row in rebin(rows, edges, measured.energy_edges)])
    area = np.nansum(spectra["query"].values * np.diff(measured.energy_edges))
    notes = (prediction.warning,) if prediction.warning else ()
    return SearchResult(
        [_match(index, int(i), float(score[i])) for i in order],
        "codes",
        spectra.assign(query=spectra["query"] / area),
        notes,
    )
