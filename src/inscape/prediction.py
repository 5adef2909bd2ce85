"""Structure → spectra on the user's grids, by the road that promises less error; by codes without lattice dynamics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from inscape.cells.isotopes import NATURAL, isotope_masses
from inscape.errors import DataError, StructureError
from inscape.results import KINDS, Prediction, make_prediction
from inscape.scattering import (
    PhononOrders,
    PlaneGrid,
    ScatteringLengths,
    mean_square_displacements,
    native_plane,
    phonon_orders_of_density_of_states,
    scattering_lengths,
    self_part,
    to_scattering,
)
from inscape.scattering.incoherent import DEBYE_BELOW
from inscape.scattering.plane import HK0
from inscape.settings import SpectraSettings
from inscape.spectra import NATIVE_ENERGY_MAX, centres, native_energy_edges, native_q_edges, uniform_edges
from inscape.structure_model import Structure, StructureModel, shipped_model
from inscape.structure_model.doubts import around
from inscape.structure_model.novelty import THRESHOLD
from inscape.structure_model.representation import from_relative_density
from inscape.structures import Crystal, read_structure
from inscape.threads import numpy_alone, shares, side_by_side

if TYPE_CHECKING:
    from inscape.simulation import Predicted

Array = NDArray[np.floating]

CAPTURED = 0.999
"""The default energy grid ends 10 % above the energy that holds this share of the density of states."""

ROADS = ("auto", "force-constants", "code")
"""From structure to spectra: by that of smaller expected errors, by force constants, or by codes."""

MASS_TOLERANCE = 0.02
"""Isotopes whose mass is within this share of the natural one count as a change of lengths alone: energies move by half
of it, a hundredth."""

KERNEL_STEP = 0.25
"""Densities of states are given to kernels of many phonons in bins of at most this width, meV."""


def predict(structure: Any, temperature: float = 300.0, plane: ArrayLike = HK0, **options: Any) -> Prediction:
    """Predict the neutron spectra of a crystal from its structure alone.

    Parameters
    ----------
    structure
        A path (CIF, POSCAR, extxyz, anything ASE reads), ASE ``Atoms``, pymatgen ``Structure`` or `Crystal`.
    temperature
        Of the maps, K.
    plane
        Two vectors of the conventional reciprocal lattice that span the plane of the single-crystal map.
    options
        Those of `predict_many`.

    Returns
    -------
    Prediction
        Density of states, powder map, single-crystal map, heat capacity.
    """
    return predict_many([read_structure(structure)], temperature=temperature, plane=plane, **options)[0]


@numpy_alone()
def predict_many(
    crystals: Sequence[Crystal],
    *,
    road: str = "auto",
    uncertainty: bool = False,
    temperature: float = 300.0,
    plane: ArrayLike = HK0,
    **options: Any,
) -> list[Prediction]:
    """Predict several crystals, by codes in one batch.

    Parameters
    ----------
    road
        "force-constants": the force constants of all pairs of atoms, and from these exact lattice dynamics, with sharp
        branches and with any isotopes; tenths of a second. "code": densities of states and the codes of maps, decoded;
        milliseconds. "auto": for each crystal the one whose typical errors of all kinds, as learned from tuning
        crystals, are smaller; ``engine`` says which it was.
    uncertainty
        Give standard errors of maps, ``powder_uncertainty`` and ``crystal_uncertainty``, from the ensemble of networks
        of force constants, each of which is rendered; so "auto" takes that road then.
    temperature, plane, options
        Those of `inscape.settings.SpectraSettings`: ``kinds``, ``emax``, ``de``, ``qmax``, ``dq``, ``instrument``,
        ``ei``, ``ef``, ``multiphonon``, ``isotopes``. Energy grids end 10 % above all modes, by codes above 99.9 % of
        them, unless ``emax`` is given. By codes |Q| ends at 10 1/Å; spectra of an instrument's banks and many phonons
        are those of the predicted density of states of each atom, in the incoherent and isotropic approximation;
        isotopes must have about the natural mass, and change no interference between atoms. "auto" takes the other road
        where these are in the way.

    Raises
    ------
    GridError, DataError, InstrumentError
        Grids, planes, temperatures, kinds, instruments or roads that make no sense.
    StructureError
        An element that the models do not know; by codes, isotopes for which force constants are needed.
    """
    settings = SpectraSettings(temperature, plane, **options)
    if road == "code" and uncertainty:
        raise DataError(
            "uncertainty of maps follows from an ensemble of force constants: take the road force-constants; those by "
            "codes have typical errors in their attributes"
        )

    _load(road)

    def shared(some: slice) -> list[Prediction]:
        return [known.under(settings, uncertainty) for known in foresee(crystals[some], settings.kinds, road)]

    most = None if road == "code" else 1  # codes are predicted in batches
    return [
        prediction
        for part in side_by_side(partial(shared, some) for some in shares(len(crystals), most))
        for prediction in part
    ]


def error_size(errors: Mapping[str, float]) -> float:
    """Mean logarithm of errors; of cosines, of what they lack to 1."""
    found = [1 - value if name.endswith("cosine") else value for name, value in errors.items()]
    return float(np.mean(np.log(np.maximum(found, 1e-6)))) if found else 0.0


@dataclass(frozen=True, eq=False)
class Foreseen:
    """What the models say of a crystal: its spectra at any temperature, in any plane and instrument follow from it.

    `foresee` makes one. ``sharp`` are its force constants, unless the road is that of codes.
    """

    crystal: Crystal
    road: str
    structure: Structure
    model: StructureModel
    sharp: Predicted | None = None
    _decoded: dict[bytes, Array] = field(default_factory=dict, repr=False)

    @numpy_alone()
    def spectra(self, temperature: float = 300.0, plane: ArrayLike = HK0, **options: Any) -> Prediction:
        """Exactly what `predict` returns for the crystal; parameters and errors are those of `predict_many`."""
        return self.under(SpectraSettings(temperature, plane, **options))

    def under(self, settings: SpectraSettings, uncertainty: bool = False) -> Prediction:
        """Its spectra with settings; ``uncertainty`` as of `predict_many`."""
        if self.sharp is not None and (self.road == "force-constants" or uncertainty or self._is_sharper(settings)):
            return self.sharp.spectra(settings, uncertainty=uncertainty)
        _check_reach(settings)
        return _prediction(of_isotopes(self.crystal, settings), self.structure, self.model, settings, self._density)

    def _is_sharper(self, settings: SpectraSettings) -> bool:
        """Whether errors are smaller by force constants, in the geometric mean; or only they can give what is asked.

        All kinds are judged, whichever are asked for, so that all spectra of a crystal come by one road.
        """
        assert self.sharp is not None
        try:
            of_isotopes(self.crystal, replace(settings, kinds=tuple(KINDS)))
            _check_reach(settings)
        except (StructureError, DataError):
            return True
        by_codes = self.model.doubts.expected_error(self.structure, tuple(KINDS))
        return error_size(self.sharp.expected_error(tuple(KINDS))) <= error_size(by_codes)

    def _density(self, wave_vectors: Array) -> Array:
        """ρ(Q,u) as of `Structure.density`, kept for the last plane: it is the same at all temperatures."""
        key = wave_vectors.tobytes()
        if (found := self._decoded.get(key)) is None:
            found = self.structure.density(wave_vectors)
            self._decoded.clear()
            self._decoded[key] = found
        return found


@numpy_alone()
def foresee(crystals: Sequence[Crystal], kinds: Sequence[str] = tuple(KINDS), road: str = "auto") -> list[Foreseen]:
    """What the models say of several crystals, in one batch if by codes; by these maps can be had of ``kinds`` only.

    Raises
    ------
    DataError
        A road that is none.
    """
    _load(road)
    model = shipped_model()
    if road == "code":
        structures = model([crystal.natural() for crystal in crystals], kinds)
        return [Foreseen(crystal, road, known, model) for crystal, known in zip(crystals, structures, strict=True)]
    from inscape.simulation import Predicted  # lattice dynamics takes a second to load

    found = side_by_side(partial(Predicted.of, crystal, kinds=kinds) for crystal in crystals)
    return [Foreseen(known.crystal, road, known.density, model, known) for known in found]


def _load(road: str) -> None:
    """Load the models of a road, once, before threads ask for them; `DataError` for a road that is none."""
    if road not in ROADS:
        raise DataError(f"road is {road!r}; expected one of {', '.join(ROADS)}")
    shipped_model()
    if road != "code":
        from inscape.structure_model.force_constants import shipped_force_constant_model

        shipped_force_constant_model()


def _check_reach(settings: SpectraSettings) -> None:
    """`DataError` for |Q| beyond the powder model."""
    if settings.qmax > (reach := native_q_edges()[-1]):
        raise DataError(f"qmax is {settings.qmax} 1/Å; the powder model reaches {reach:g}, choose no more")


def _prediction(
    crystal: Crystal,
    structure: Structure,
    model: StructureModel,
    settings: SpectraSettings,
    density: Callable[[Array], Array],
) -> Prediction:
    """All that is asked for of one crystal by codes; ``density`` is that of the structure."""
    kinds = settings.kinds
    energy_edges = uniform_edges(settings.emax or default_top(structure.partial_dos), settings.de, name="energy")
    spectra = _Spectra(crystal, structure, energy_edges, settings.temperature, density)
    powder = spectra.powder(settings.q_edges) if "powder" in kinds else {}
    seen = settings.observation.spectra(
        spectra.one_phonon,
        spectra.lengths,
        energy_edges,
        powder.get("q_edges"),
        powder["powder_coherent"] + powder["powder_incoherent"] if powder else None,
    )
    return make_prediction(
        crystal=crystal,
        energy_edges=energy_edges,
        temperature=settings.temperature,
        **(spectra.dos(model.doubts.dos_band(structure)) if "dos" in kinds else {}),
        **powder,
        **(spectra.plane(native_plane(crystal, settings.plane)) if "crystal" in kinds else {}),
        seen=seen,
        codes={kind: code for kind, code in structure.codes.items() if kind in kinds},
        novelty=structure.novelty,
        novelty_threshold=THRESHOLD,
        weights=model.digests,
        expected_error=model.doubts.expected_error(structure, kinds),
        stretch=model.doubts.shares(structure) if "dos" in kinds else None,
        extra=settings.attributes,
    )


def of_isotopes(crystal: Crystal, settings: SpectraSettings) -> Crystal:
    """The crystal of the isotopes asked for, with the masses of the natural ones.

    Raises
    ------
    StructureError
        A mass that differs by more than `MASS_TOLERANCE`; or other interference between atoms, in a map that is asked
        for. Isotopes that are not there.
    """
    changed = crystal.with_isotopes(settings.isotopes) if settings.isotopes else crystal
    isotopes = np.array(changed.isotopes, dtype=np.int64)
    if not isotopes.any():
        return changed
    usual = np.where(isotopes == NATURAL, changed.masses, isotope_masses(changed.numbers, 0 * isotopes))
    worst = int(np.abs(changed.masses / usual - 1).argmax())
    if abs(changed.masses[worst] / usual[worst] - 1) > MASS_TOLERANCE:
        raise StructureError(
            f"{changed.symbols[worst]} weighs {changed.masses[worst]:.4g} u instead of {usual[worst]:.4g} u as in "
            "nature: that changes the modes, for which force constants are needed: take the road force-constants, or "
            "inscape simulate"
        )
    changed = replace(changed, masses=usual)
    maps = [kind for kind in settings.kinds if kind != "dos"]
    if maps and not _in_proportion(scattering_lengths(changed.natural()), scattering_lengths(changed)):
        raise StructureError(
            f"isotopes change the interference between atoms, which the predicted {' and '.join(maps)} map holds for "
            "natural ones only: take the road force-constants, or inscape simulate, which compute it; or predict the "
            "kind dos alone, with an instrument such as TOSCA if you like"
        )
    return changed


def _in_proportion(before: ScatteringLengths, after: ScatteringLengths) -> bool:
    """Whether all lengths change by one factor, so that the coherent map changes by its square and in no other way."""
    b, c = (lengths.coherent + 1j * lengths.imaginary for lengths in (before, after))
    return bool(np.allclose(c * b[0], b * c[0], rtol=1e-9, atol=0.0))


def default_top(partial_dos: Array) -> float:
    """10 % above the energy that holds 99.9 % of the density of states, meV, at least 5."""
    edges = native_energy_edges()
    area = np.cumsum(partial_dos.sum(axis=0) * np.diff(edges))
    top = edges[1 + np.searchsorted(area, CAPTURED * area[-1])]
    return float(min(max(1.1 * top, 5.0), NATIVE_ENERGY_MAX))


def refine(partial_dos: Array, edges: Array) -> Array:
    """Partial densities of states on other bins: the cumulative curve is interpolated smoothly and monotonically.

    What lies above the new grid is dropped and each atom renormalised to 3.
    """
    native = native_energy_edges()
    area = np.concatenate([np.zeros((len(partial_dos), 1)), np.cumsum(partial_dos * np.diff(native), axis=1)], axis=1)
    density = np.diff(PchipInterpolator(native, area, axis=1)(np.minimum(edges, native[-1])), axis=1) / np.diff(edges)
    return np.asarray(3 * density / np.sum(density * np.diff(edges), axis=1, keepdims=True))


class _Spectra:
    """Spectra of one crystal on one energy grid at one temperature.

    Maps are made on a grid that goes on to the native top and then cut, so that an early end changes nothing below it.
    """

    def __init__(
        self,
        crystal: Crystal,
        structure: Structure,
        energy_edges: Array,
        temperature: float,
        density: Callable[[Array], Array],
    ) -> None:
        self.crystal, self.structure, self.density = crystal, structure, density
        self.edges, self.energy, self.temperature = energy_edges, centres(energy_edges), temperature
        native = native_energy_edges()
        self.whole_edges = np.concatenate([energy_edges, native[native > energy_edges[-1] + 1e-6]])
        self.whole = refine(structure.partial_dos, self.whole_edges)
        self.lengths: ScatteringLengths = scattering_lengths(crystal)
        self.displacement = mean_square_displacements(
            structure.partial_dos, native_energy_edges(), crystal.masses, temperature
        )

    def dos(self, band: tuple[Array, Array] | None = None) -> dict[str, Any]:
        """Arguments of `make_prediction` for the density of states; a top that cuts through it is respected.

        ``band`` is that of `inscape.structure_model.doubts.Doubts.dos_band`.
        """
        shown = self.whole[:, : len(self.energy)]
        found: dict[str, Any] = {"partial_dos": shown, "complete_dos": (self.whole.sum(axis=0), self.whole_edges)}
        if np.sum(shown * np.diff(self.edges)) >= CAPTURED * 3 * len(shown):
            found = {"partial_dos": 3 * shown / np.sum(shown * np.diff(self.edges), axis=1, keepdims=True)}
        if band is not None:
            found["dos_band"] = around(found["partial_dos"].sum(axis=0), self.energy, band)
        return found

    def one_phonon(self) -> PhononOrders:
        """Kernels of scattering by one phonon from the density of states of each atom.

        It is given to them on bins within the user's, but on native ones where g ∝ E², so that displacements are those
        of the Debye–Waller factor of the maps.
        """
        native, width = native_energy_edges(), self.edges[1] - self.edges[0]
        step = width / np.ceil(width / KERNEL_STEP)
        top = native[1 + np.flatnonzero(self.structure.partial_dos.any(axis=0))[-1]]
        fine = step * np.arange(np.ceil(top / step) + 1)
        fine = np.concatenate([native[native <= DEBYE_BELOW], fine[fine > DEBYE_BELOW]])
        return phonon_orders_of_density_of_states(
            refine(self.structure.partial_dos, fine), fine, self.crystal.masses, self.edges, self.temperature, order=1
        )

    def _self(self, lengths_square: Array, moduli: Array) -> Array:
        return self_part(self.whole, self.crystal.masses, lengths_square, moduli, self.displacement)

    def _parts(self, density: Array, moduli: Array) -> tuple[Array, Array]:
        """Coherent and incoherent S, each (n, n_energy), at |Q| ``moduli`` (n,) with ρ ``density`` (n, n_levels)."""
        coherent = from_relative_density(density, self._self(self.lengths.coherent_square, moduli), self.whole_edges)
        incoherent = self._self(self.lengths.incoherent_square, moduli)
        n = len(self.energy)
        return (
            to_scattering(coherent[:, :n], self.energy, self.temperature),
            to_scattering(incoherent[:, :n], self.energy, self.temperature),
        )

    def powder(self, q_edges: Array) -> dict[str, Any]:
        """Arguments of `make_prediction` for the powder map."""
        assert self.structure.powder is not None
        q, native = centres(q_edges), centres(native_q_edges())
        after = np.clip(np.searchsorted(native, q), 1, len(native) - 1)
        share = np.clip((q - native[after - 1]) / (native[after] - native[after - 1]), 0, 1)[:, None]
        density = self.structure.powder[after - 1] * (1 - share) + self.structure.powder[after] * share
        coherent, incoherent = self._parts(density, q)
        return {"q_edges": q_edges, "powder_coherent": coherent, "powder_incoherent": incoherent}

    def plane(self, grid: PlaneGrid) -> dict[str, Any]:
        """Arguments of `make_prediction` for the single-crystal map."""
        vectors = grid.centres(self.crystal)
        flat = vectors.reshape(-1, 3)
        coherent, incoherent = self._parts(self.density(flat), np.linalg.norm(flat, axis=1))
        shape = (*vectors.shape[:2], -1)
        return {
            "plane": grid.axes,
            "h_edges": grid.h_edges,
            "k_edges": grid.k_edges,
            "crystal_coherent": coherent.reshape(shape),
            "crystal_incoherent": incoherent.reshape(shape),
        }
