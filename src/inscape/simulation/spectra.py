"""Exact spectra of force constants on the user's grids, in the form in which predictions come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.cells.elements import NOBLE_GASES, NOT_METALS
from inscape.lattice import ForceConstants, Modes, mesh_spacing, modes_on_mesh
from inscape.metrics import mean_energy
from inscape.results import Prediction, make_prediction
from inscape.scattering import (
    ImaginaryModes,
    density_of_states,
    displacements,
    imaginary_modes,
    native_plane,
    phonon_orders,
    plane_map,
    powder_spectrum,
    scattering_lengths,
    self_part,
    to_scattering,
)
from inscape.settings import SpectraSettings
from inscape.simulation.computed import Computed, Modelled
from inscape.spectra import centres, native_energy_edges, uniform_edges
from inscape.structure_model.doubts import around
from inscape.structures import Crystal
from inscape.threads import side_by_side

Array = NDArray[np.floating]

WORST_IMAGINARY = 1e-3
"""Above this share of imaginary modes there is a warning."""

MODEL_MESH = 0.2
"""Largest distance between wave vectors of the mesh where a model predicted the force constants, 1/Å: with modes spread
over the cells of the mesh, densities of states are no nearer to those of DFT on a finer one."""

MARGIN = 5.0
"""Maps are made up to so many times the largest spread of a mode beyond a top of energy, which then changes nothing."""

NAMED = 4
"""So many of the wave vectors where modes are imaginary are named in it; the file names all."""


def spectra_of(computed: Computed, settings: SpectraSettings) -> Prediction:
    """Spectra of force constants: density of states, powder map and single-crystal map by lattice dynamics.

    Parameters
    ----------
    computed
        Force constants, and why they are not to be trusted; a polar crystal without Born charges and imaginary modes
        are added to that. Those of a model, whose errors are larger, are taken on a coarser mesh.
    settings
        What is asked for; with isotopes, masses change, and with them all modes.

    Returns
    -------
    Prediction
        The area of each atom's density of states is 3 less the weight of its imaginary modes.
    """
    force_constants = computed.force_constants
    if settings.isotopes:
        force_constants = force_constants.with_isotopes(settings.isotopes)
    crystal = force_constants.crystal
    spacing = MODEL_MESH if computed.model else mesh_spacing(crystal)
    modes = modes_on_mesh(force_constants, spacing, spread=computed.model is not None)
    imaginary = imaginary_modes(modes)
    top = settings.emax or max(1.1 * float(modes.energies.max()), 5.0)
    edges = uniform_edges(top, settings.de, name="energy")
    found = [*computed.warnings, *missing_charges(force_constants)]
    if imaginary.share > WORST_IMAGINARY:
        found.append(f"{_instability(imaginary)}: {computed.unstable}")
    dos = _dos(modes, edges, settings.de) if "dos" in settings.kinds else {}
    maps = [kind for kind in MAPS if kind in settings.kinds]
    wide = _with_margin(edges, modes, settings.de)
    parts = side_by_side(partial(MAPS[kind], force_constants, modes, wide, settings) for kind in maps)
    made = {kind: _cut(part, len(edges) - 1) for kind, part in zip(maps, parts, strict=True)}
    powder = made.get("powder", {})
    known = computed.model.codes if computed.model else {}
    seen = settings.observation.spectra(
        lambda: phonon_orders(modes, edges, settings.temperature, order=1),
        scattering_lengths(crystal),
        edges,
        powder.get("q_edges"),
        powder["powder_coherent"] + powder["powder_incoherent"] if powder else None,
    )
    return make_prediction(
        crystal=crystal,
        energy_edges=edges,
        temperature=settings.temperature,
        **dos,
        **powder,
        **made.get("crystal", {}),
        **_errors(computed.model, modes, settings.kinds, centres(edges), dos.get("partial_dos")),
        seen=seen,
        codes={kind: code for kind, code in known.items() if kind in settings.kinds},
        engine=computed.engine,
        extra={
            **settings.attributes,
            "born_charges": int(force_constants.has_born),
            "imaginary_share": imaginary.share,
            "imaginary_lowest_meV": imaginary.lowest,
            "imaginary_q": _words(imaginary.q),
            "imaginary_points": "; ".join(f"{_words(q)}: {energy:.2f} meV" for q, energy in imaginary.points),
            **computed.attributes,
            **({"warning": "; ".join(found)} if found else {}),
        },
    )


def _with_margin(edges: Array, modes: Modes, step: float) -> Array:
    """Bin edges, and beyond a top that cuts the spectrum as many as modes there are spread over."""
    if modes.spreads is None:
        return edges
    reach = float(edges[-1] + MARGIN * modes.spreads.max())
    return _continued(edges, min(float(modes.energies.max()), reach), step)


def _cut(arguments: Mapping[str, Any], n_energy: int) -> dict[str, Any]:
    """Arguments of `make_prediction` with the first bins of energy of each map alone."""
    maps = {name: value[..., :n_energy] for name, value in arguments.items() if name.endswith("coherent")}
    return {**arguments, **maps}


def _instability(imaginary: ImaginaryModes) -> str:
    """The warning of imaginary modes; of many wave vectors the worst."""
    places = ", ".join(f"({_words(q)})" for q, _ in imaginary.points[:NAMED])
    others = f" and {len(imaginary.points) - NAMED} more" if len(imaginary.points) > NAMED else ""
    return (
        f"{imaginary.share:.1%} of the modes are imaginary, down to {imaginary.lowest:.1f} meV, at q = "
        f"{places}{others}, and left out"
    )


def _words(q: Iterable[float]) -> str:
    return " ".join(f"{x:.3g}" for x in q)


def missing_charges(force_constants: ForceConstants) -> list[str]:
    """A warning where a polar crystal has no Born charges."""
    if force_constants.has_born or not is_polar(force_constants.crystal):
        return []
    return [
        "no Born charges are known, so that the splitting of polar modes (LO–TO) is missing; give them as born or "
        "born_from"
    ]


def is_polar(crystal: Crystal) -> bool:
    """Whether modes may carry a macroscopic field: a compound with a non-metal or half-metal in it."""
    elements = set(crystal.numbers.tolist())
    return len(elements) > 1 and not elements.isdisjoint(NOT_METALS - NOBLE_GASES)


def _dos(modes: Modes, edges: Array, step: float) -> dict[str, Any]:
    """Arguments of `make_prediction` for the density of states; what lies above the grid is kept apart."""
    whole = _continued(edges, float(modes.energies.max()), step)
    partial, _ = density_of_states(modes, whole)
    complete = {"complete_dos": (partial.sum(axis=0), whole)} if len(whole) > len(edges) else {}
    return {"partial_dos": partial[:, : len(edges) - 1], **complete}


def _continued(edges: Array, top: float, step: float) -> Array:
    """Bin edges, and as many more as it takes to pass an energy."""
    beyond = np.arange(1, max(0, np.ceil((top - edges[-1]) / step + 1e-6)) + 1)
    return np.concatenate([edges, edges[-1] + step * beyond])


@dataclass(frozen=True, eq=False)
class _Judged:
    """What `inscape.structure_model.doubts.Doubts` asks of a prediction."""

    partial_dos: Array
    mean_energy: float
    disagreement: float
    novelty: float


def _errors(
    model: Modelled | None, modes: Modes, kinds: Sequence[str], energy: Array, partial_dos: Array | None
) -> dict[str, Any]:
    """Arguments of `make_prediction` for the errors of a model's force constants; none of any other's."""
    if model is None:
        return {}
    native = native_energy_edges()
    partial, _ = density_of_states(modes, native)
    judged = _Judged(partial, mean_energy(partial.sum(axis=0), native), model.disagreement, model.novelty)
    found: dict[str, Any] = {"expected_error": model.doubts.expected_error(judged, kinds)}
    if partial_dos is not None:
        found["stretch"] = model.doubts.shares(judged)
        if (band := model.doubts.dos_band(judged)) is not None:
            found["dos_band"] = around(partial_dos.sum(axis=0), energy, band)
    return found


def _powder(force_constants: ForceConstants, modes: Modes, edges: Array, settings: SpectraSettings) -> dict[str, Any]:
    """Arguments of `make_prediction` for the powder map."""
    found = powder_spectrum(force_constants, modes, settings.q_edges, edges, settings.temperature, order=1)
    coherent, incoherent = found["coherent"].values, found["incoherent"].values
    return {"q_edges": settings.q_edges, "powder_coherent": coherent, "powder_incoherent": incoherent}


def _plane(force_constants: ForceConstants, modes: Modes, edges: Array, settings: SpectraSettings) -> dict[str, Any]:
    """Arguments of `make_prediction` for the single-crystal map; its incoherent part takes each atom as isotropic."""
    crystal = force_constants.crystal
    grid, lengths = native_plane(crystal, settings.plane), scattering_lengths(crystal)
    tensors = displacements(modes, settings.temperature)
    coherent = plane_map(force_constants, grid, edges, lengths, tensors)
    moduli = np.linalg.norm(grid.centres(crystal), axis=-1)
    partial, square = density_of_states(modes, edges)[0], np.trace(tensors, axis1=1, axis2=2)
    incoherent = self_part(partial, crystal.masses, lengths.incoherent_square, moduli.ravel(), square)
    maps = {"crystal_coherent": coherent, "crystal_incoherent": incoherent.reshape(coherent.shape)}
    return {
        "plane": grid.axes,
        "h_edges": grid.h_edges,
        "k_edges": grid.k_edges,
        **{name: to_scattering(part, centres(edges), settings.temperature) for name, part in maps.items()},
    }


MAPS = {"powder": _powder, "crystal": _plane}
"""Kinds that are maps, and what makes them."""
