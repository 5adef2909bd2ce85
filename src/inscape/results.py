"""What predictions and simulations return: spectra with units and provenance in one xarray dataset, and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from inscape import __version__
from inscape.errors import DataError
from inscape.files import replacing, write_netcdf
from inscape.properties import PER_KELVIN, thermal_properties
from inscape.properties import complete_dos as _complete_dos
from inscape.scattering import Setting
from inscape.spectra import centres, check_edges
from inscape.structures import Crystal
from inscape.thermodynamics import heat_capacity, internal_energy
from inscape.units import GAS_CONSTANT, KB

if TYPE_CHECKING:
    from inscape.plots import Figure

Array = NDArray[Any]
Value = str | float | int

PER_MEV = "1/meV"
PER_BARN = "barn sr⁻¹ meV⁻¹ per atom"

BY_CODES = "direct"
"""Engine of spectra that are decoded from codes."""

HELD = "what holds the density of states, smoothed by 1 meV, in nine bins out of ten"

VARIABLES = {
    "dos": (("energy",), PER_MEV, "phonon density of states"),
    "partial_dos": (("atom", "energy"), PER_MEV, "phonon density of states of each atom"),
    "dos_complete": (("energy_complete",), PER_MEV, "phonon density of states, also above the energies of dos"),
    "powder": (("q", "energy"), PER_BARN, "one-phonon scattering of a powder"),
    "powder_coherent": (("q", "energy"), PER_BARN, "coherent part"),
    "powder_incoherent": (("q", "energy"), PER_BARN, "incoherent part"),
    "crystal": (("h", "k", "energy"), PER_BARN, "coherent one-phonon scattering of a single crystal"),
    "crystal_incoherent": (("h", "k", "energy"), PER_BARN, "incoherent one-phonon scattering of a single crystal"),
    "heat_capacity": (("temperature",), PER_KELVIN, "heat capacity at constant volume per mole of atoms"),
    "mean_energy": ((), "meV", "mean energy of the modes"),
}
"""Dimensions, unit and long name of each variable."""

CALIBRATED = {
    "dos_lower": (("energy",), PER_MEV, f"lower end of {HELD}"),
    "dos_upper": (("energy",), PER_MEV, f"upper end of {HELD}"),
    "heat_capacity_error": (("temperature",), PER_KELVIN, "nine times out of ten the heat capacity is off by less"),
    "mean_energy_error": ((), "meV", "nine times out of ten the mean energy is off by less"),
}
"""The same for what is there only where errors of predictions were calibrated."""

SEEN = {
    "powder_multiphonon": (("order", "q", "energy"), PER_BARN, "scattering of a powder by each number of phonons"),
    "instrument_map": (("q", "energy"), PER_BARN, "scattering of a powder as the instrument sees it"),
    "instrument_spectrum": (("bank", "energy"), PER_BARN, "spectrum of each bank of the instrument"),
    "instrument_multiphonon": (("bank", "order", "energy"), PER_BARN, "its part by each number of phonons"),
    "instrument_q": (("bank", "energy"), "1/Å", "length of the wave vector that each bank sees"),
}
"""The same for what is there only if many phonons or an instrument were asked for."""

UNCERTAIN = {
    "powder_uncertainty": (("q", "energy"), PER_BARN, "standard error of powder, from an ensemble of networks"),
    "crystal_uncertainty": (("h", "k", "energy"), PER_BARN, "standard error of crystal, from an ensemble of networks"),
}
"""The same for what is there only if it was asked for, by the road of force constants."""

EVERY = VARIABLES | CALIBRATED | SEEN | UNCERTAIN

COORDINATES = {
    "energy": ("energy", "meV", "energy lost by the neutron, bin centres"),
    "energy_edges": ("energy_edge", "meV", "bin edges of energy"),
    "energy_complete": ("energy_complete", "meV", "bin centres of dos_complete"),
    "energy_complete_edges": ("energy_complete_edge", "meV", "bin edges of dos_complete"),
    "q": ("q", "1/Å", "length of the wave vector, 2π included, bin centres"),
    "q_edges": ("q_edge", "1/Å", "bin edges of q"),
    "h": ("h", "r.l.u.", "multiple of the first plane vector, bin centres"),
    "h_edges": ("h_edge", "r.l.u.", "bin edges of h"),
    "k": ("k", "r.l.u.", "multiple of the second plane vector, bin centres"),
    "k_edges": ("k_edge", "r.l.u.", "bin edges of k"),
    "temperature": ("temperature", "K", "temperature of the heat capacity"),
    "atom_mass": ("atom", "u", "mass of each atom of the primitive cell"),
}
"""Dimension, unit and long name of each coordinate but ``atom_symbol``, ``order`` and ``bank``."""

KINDS = {"dos": "dos", "powder": "powder", "crystal": "crystal"}
"""Kinds of spectra, and the variable that tells whether one is there."""

REQUIRED_ATTRIBUTES = ("formula", "space_group", "temperature_K", "engine", "inscape_version")

TEMPERATURES = np.arange(5.0, 1000.1, 5.0)
"""Temperatures of the variable ``heat_capacity``, K."""

ERROR_PREFIX = "expected_"

ERROR_WORDS = {
    "dos_w1_meV": "density of states {:.2f} meV (Wasserstein-1)",
    "powder_cut_cosine": "powder cut cosine {:.2f}",
    "crystal_cut_cosine": "single-crystal cut cosine {:.2f}",
}
"""How typical errors are put into words; any other name stands as it is."""


def check_kinds(kinds: Sequence[str]) -> None:
    """`DataError` unless at least one kind is named and all are some of `KINDS`."""
    if set(kinds) - set(KINDS) or not kinds:
        raise DataError(f"kinds are {', '.join(kinds) or 'none'}; expected some of {', '.join(KINDS)}")


class Prediction:
    """Spectra of one crystal, with their units and where they come from.

    Parameters
    ----------
    dataset
        Variables and units of `EVERY`, coordinates of `COORDINATES` and ``atom_symbol``;
        `make_prediction` builds one. Kinds that were not asked for are absent.

    Raises
    ------
    DataError
        A dataset of something else.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        missing = [name for name in REQUIRED_ATTRIBUTES if name not in dataset.attrs]
        if missing:
            raise DataError(f"dataset has no attribute {', '.join(missing)}: it is not a prediction of inscape")
        for name, (dims, _, _) in EVERY.items():
            if name in dataset and dataset[name].dims != dims:
                raise DataError(f"{name} has dimensions {dataset[name].dims}, expected {dims}")
        self.dataset = dataset

    @property
    def dos(self) -> xr.DataArray:
        """Density of states, dimension (energy), 1/meV.

        Its area is 3 × atoms of the primitive cell; less if energies were asked for that end below the highest mode.
        The dataset's variable ``dos_complete`` then holds all of it.
        """
        return self._get("dos")

    @property
    def partial_dos(self) -> xr.DataArray:
        """Density of states of each atom, dimensions (atom, energy), 1/meV; each area is 3, or less as in `dos`."""
        return self._get("partial_dos")

    @property
    def powder(self) -> xr.DataArray:
        """S(|Q|, E) of one phonon, coherent and incoherent, dimensions (q, energy), barn sr⁻¹ meV⁻¹ per atom."""
        return self._get("powder")

    @property
    def powder_coherent(self) -> xr.DataArray:
        """The coherent part of `powder`."""
        return self._get("powder_coherent")

    @property
    def powder_incoherent(self) -> xr.DataArray:
        """The incoherent part of `powder`."""
        return self._get("powder_incoherent")

    @property
    def crystal(self) -> xr.DataArray:
        """Coherent S(H, K, E) of one phonon in the plane, dimensions (h, k, energy), barn sr⁻¹ meV⁻¹ per atom."""
        return self._get("crystal")

    @property
    def crystal_incoherent(self) -> xr.DataArray:
        """Incoherent S(H, K, E) of one phonon in the plane, on the grid of `crystal`."""
        return self._get("crystal_incoherent")

    @property
    def powder_multiphonon(self) -> xr.DataArray:
        """S(|Q|, E) by two phonons, three and so on, dimensions (order, q, energy); `powder` is without it."""
        return self._get("powder_multiphonon")

    @property
    def instrument_map(self) -> xr.DataArray:
        """`powder` and `powder_multiphonon` as the instrument sees them: broadened, NaN where no detector is."""
        return self._get("instrument_map")

    @property
    def instrument_spectrum(self) -> xr.DataArray:
        """S(E) of each bank of the instrument, one and many phonons, broadened, dimensions (bank, energy)."""
        return self._get("instrument_spectrum")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of spectra that are there."""
        return tuple(kind for kind, name in KINDS.items() if name in self.dataset)

    @property
    def warning(self) -> str | None:
        """Why this is not to be trusted; None if the crystal resembles the training data or the simulation is sound."""
        return self.dataset.attrs.get("warning")

    def heat_capacity(self, temperature: ArrayLike) -> xr.DataArray:
        """Heat capacity at constant volume at any temperatures, J mol⁻¹ K⁻¹ per mole of atoms.

        Parameters
        ----------
        temperature
            One temperature or several, K.

        Returns
        -------
        xr.DataArray
            Without a dimension for one temperature, else with the dimension (temperature).
        """
        kelvin = np.asarray(temperature, dtype=float)
        self._get("dos")
        values = heat_capacity(*_complete_dos(self.dataset), kelvin)
        dims = ("temperature",) * kelvin.ndim
        attributes = {"units": PER_KELVIN, "long_name": VARIABLES["heat_capacity"][2]}
        return xr.DataArray(values, {"temperature": (dims, kelvin, {"units": "K"})}, dims, attrs=attributes)

    def thermodynamics(self, temperatures: ArrayLike) -> xr.Dataset:
        """What follows from the density of states at temperatures, per mole of atoms; harmonic, at constant volume.

        Parameters
        ----------
        temperatures
            One or several, K, 0 or more.

        Returns
        -------
        xr.Dataset
            As of `inscape.properties.thermal_properties`: heat capacity, entropy, internal and free energy, zero-point
            energy, Debye temperature, and the mean-square displacement of each atom.

        Raises
        ------
        DataError
            There is no density of states.
        GridError
            A temperature below 0 or that is not finite.
        """
        self._get("dos")
        return thermal_properties(self.dataset, temperatures)

    def save(self, path: str | Path) -> Path:
        """Write a NetCDF-4 file, whole or not at all; it opens with ``xarray.open_dataset``.

        Raises
        ------
        DataError
            The file cannot be written there.
        """
        path = Path(path)
        with replacing(path) as scratch:
            write_netcdf(self.dataset, scratch)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Prediction:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            No such file, not NetCDF-4, damaged, or not a prediction.
        """
        if not Path(path).is_file():
            raise DataError(f"{path}: no such file; expected a prediction saved by inscape")
        try:
            return cls(xr.load_dataset(path, engine="h5netcdf"))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise DataError(f"{path}: cannot be read as a NetCDF-4 file ({type(error).__name__}): {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Prediction:
        """What `save` wrote, as it lies in memory or in a database.

        Raises
        ------
        DataError
            As of `load`.
        """
        try:
            return cls(xr.load_dataset(BytesIO(data), engine="h5netcdf"))
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise DataError(f"these bytes are no file of a result ({type(error).__name__}: {error})") from error

    def plot(self, path: str | Path | None = None) -> Figure:
        """A figure of everything that is there; written to ``path``, if given, in the format of its suffix."""
        from inscape.plots import overview, write_figure  # matplotlib takes half a second to load

        figure = overview(self.dataset)
        if path is not None:
            write_figure(figure, path)
        return figure

    def summary(self) -> dict[str, Any]:
        """Few numbers that say what this is, ready for JSON; keys end in their unit."""
        attributes = self.dataset.attrs
        kelvin = float(attributes["temperature_K"])
        text: dict[str, Any] = {
            "formula": attributes["formula"],
            "space_group": attributes["space_group"],
            "temperature_K": kelvin,
            "engine": attributes["engine"],
            "kinds": list(self.kinds),
            **self._summary_of_settings(),
            "novelty": _finite(attributes.get("novelty")),
            "novelty_threshold": _finite(attributes.get("novelty_threshold")),
            "warning": self.warning,
        }
        if "dos" in self.dataset:
            text |= self._summary_of_dos(kelvin)
        if "powder" in self.dataset:
            text["q_max_per_angstrom"] = float(self.dataset["q_edges"][-1])
        if "crystal" in self.dataset:
            text["plane"] = attributes["plane"]
        text["expected_error"] = {
            str(name).removeprefix(ERROR_PREFIX): float(value)
            for name, value in attributes.items()
            if str(name).startswith(ERROR_PREFIX)
        }
        return text

    def __repr__(self) -> str:
        a = self.dataset.attrs
        kinds = ", ".join(self.kinds) or "no spectra"
        return f"<Prediction of {a['formula']} ({a['space_group']}) at {a['temperature_K']:g} K: {kinds}>"

    def _get(self, name: str) -> xr.DataArray:
        if name in SEEN and name not in self.dataset:
            raise DataError(f"this prediction holds no {name}; ask for many phonons or an instrument when predicting")
        if name not in self.dataset:
            kind = "dos" if name == "partial_dos" else name.split("_")[0]
            raise DataError(f"this prediction holds no {name}; ask for the kind {kind!r} when predicting")
        return self.dataset[name]

    def _summary_of_settings(self) -> dict[str, Any]:
        """Instrument, isotopes and number of phonons, as far as they were asked for."""
        attributes = self.dataset.attrs
        found: dict[str, Any] = {}
        if (setting := Setting.of_attributes(attributes)) is not None:
            found["instrument"] = str(setting)
        if "isotopes" in attributes:
            found["isotopes"] = str(attributes["isotopes"])
        if "multiphonon_order" in attributes:
            found["multiphonon_order"] = int(attributes["multiphonon_order"])
        return found

    def _summary_of_dos(self, kelvin: float) -> dict[str, Any]:
        dos, edges = _complete_dos(self.dataset)
        share = np.cumsum(dos * np.diff(edges))
        found = {
            "atoms": self.dataset.sizes["atom"],
            "dos_area": float(share[-1]),
            "dos_mean_meV": float(np.sum(dos * np.diff(edges) * centres(edges)) / share[-1]),
            "dos_highest_meV": float(edges[1:][np.searchsorted(share, 0.999 * share[-1])]),
            "zero_point_energy_meV_per_atom": float(internal_energy(dos, edges, 0.0) * KB / GAS_CONSTANT),
            "heat_capacity_J_per_mol_K": float(heat_capacity(dos, edges, kelvin)),
        }
        if "mean_energy_error" in self.dataset:
            error = self.dataset["heat_capacity_error"]
            found["dos_mean_error_meV"] = float(self.dataset["mean_energy_error"])
            found["heat_capacity_error_J_per_mol_K"] = float(np.interp(kelvin, error["temperature"], error))
        return found


def make_prediction(
    *,
    crystal: Crystal,
    energy_edges: Array,
    temperature: float,
    partial_dos: Array | None = None,
    complete_dos: tuple[Array, Array] | None = None,
    dos_band: tuple[Array, Array] | None = None,
    q_edges: Array | None = None,
    powder_coherent: Array | None = None,
    powder_incoherent: Array | None = None,
    plane: ArrayLike | None = None,
    h_edges: Array | None = None,
    k_edges: Array | None = None,
    crystal_coherent: Array | None = None,
    crystal_incoherent: Array | None = None,
    seen: xr.Dataset | None = None,
    codes: Mapping[str, Array] | None = None,
    engine: str = BY_CODES,
    novelty: float = np.nan,
    novelty_threshold: float = np.nan,
    weights: Mapping[str, str] | None = None,
    expected_error: Mapping[str, float] | None = None,
    stretch: tuple[Mapping[str, Array], Array] | None = None,
    extra: Mapping[str, Value] | None = None,
) -> Prediction:
    """A prediction from plain arrays; what is None is left out.

    Parameters
    ----------
    crystal
        The primitive cell that was predicted.
    energy_edges, q_edges, h_edges, k_edges
        Bin edges: meV, 1/Å, r.l.u., r.l.u.
    temperature
        Of the maps, K.
    partial_dos
        Shape (n_atoms, n_energy), 1/meV.
    complete_dos
        Where ``energy_edges`` end below the highest mode: the density of states of all atoms together, shape (n,),
        1/meV, on bins up to there, and their edges, shape (n + 1,). Thermodynamics follow from it.
    dos_band
        Lower and upper end of what holds the density of states in nine bins out of ten, each shape (n_energy,), 1/meV.
    powder_coherent, powder_incoherent
        Shape (n_q, n_energy), barn sr⁻¹ meV⁻¹ per atom; ``powder`` is their sum.
    plane
        The two vectors that ``h`` and ``k`` multiply, shape (2, 3), conventional reciprocal lattice.
    crystal_coherent, crystal_incoherent
        Shape (n_h, n_k, n_energy), barn sr⁻¹ meV⁻¹ per atom.
    seen
        Many phonons and what an instrument sees, as from `inscape.scattering.Observation.spectra`.
    codes
        Kind of spectrum and its code, shape (n_components,).
    engine
        What made the spectra; "direct" is the structure model.
    novelty, novelty_threshold
        Distance from the training data, and the one above which a warning is given.
    weights
        Digest of each file of weights, by its name.
    expected_error
        Typical errors on crystals that the models never saw, by a name that ends in the unit, as ``dos_w1_meV``.
    stretch
        By what share energies may be wrong as far as each thermodynamic function shows it, shape (n_temperatures,), and
        the temperatures, K. Errors of mean energy and heat capacity follow; ignored without a density of states.
    extra
        Further attributes.

    Raises
    ------
    DataError
        An array whose shape is not that of the grid, or a spectrum without its grid.
    """
    grids = {"energy": energy_edges, "q": q_edges, "h": h_edges, "k": k_edges}
    if complete_dos is not None:
        grids["energy_complete"] = complete_dos[1]
    draft = _Draft()
    draft.add_grids(grids)
    if partial_dos is not None:
        draft.add_dos(crystal, np.asarray(partial_dos, dtype=np.float64), complete_dos, dos_band, stretch)
    if powder_coherent is not None or powder_incoherent is not None:
        draft.add("powder_coherent", powder_coherent)
        draft.add("powder_incoherent", powder_incoherent)
        draft.add("powder", draft.values("powder_coherent") + draft.values("powder_incoherent"))
    if crystal_coherent is not None or crystal_incoherent is not None:
        if plane is None:
            raise DataError("crystal was given without its plane; give the two vectors that h and k multiply")
        draft.add("crystal", crystal_coherent)
        draft.add("crystal_incoherent", crystal_incoherent)
    if seen is not None:
        draft.coordinates |= {str(name): value.variable for name, value in seen.coords.items()}
        for name, value in seen.data_vars.items():
            draft.add(str(name), value.values)
    for kind, code in (codes or {}).items():
        words = {"units": "1", "long_name": f"code of the {kind}"}
        values = np.asarray(code, dtype=np.float32)
        draft.variables[f"code_{kind}"] = xr.Variable((f"component_{kind}",), values, words)
    attributes: dict[str, Any] = {
        "formula": crystal.formula,
        "space_group": crystal.space_group,
        "temperature_K": float(temperature),
        **({} if plane is None else _plane_attributes(crystal, plane)),
        "engine": engine,
        **_novelty(float(novelty), float(novelty_threshold)),
        "inscape_version": __version__,
        "weights": "; ".join(f"{name} {digest}" for name, digest in (weights or {}).items()),
        "structure_digest": crystal.digest,
        **(seen.attrs if seen is not None else {}),
        **_error_attributes(expected_error or {}),
        **(extra or {}),
    }
    return Prediction(xr.Dataset(draft.variables, draft.coordinates, attributes))


def with_uncertainties(prediction: Prediction, errors: Mapping[str, Array]) -> Prediction:
    """The prediction with standard errors of its maps: of "powder" and "crystal", each in the shape of that map."""
    dataset = prediction.dataset
    added = {f"{name}_uncertainty": values for name, values in errors.items()}
    return Prediction(dataset.assign({name: _variable(name, x, dataset.sizes) for name, x in added.items()}))


def plane_text(plane: ArrayLike) -> str:
    """The two vectors of a plane as text: ``1 0 0; 0 1 0``."""
    return "; ".join(" ".join(f"{x:g}" for x in row) for row in np.asarray(plane, dtype=float))


class _Draft:
    """What a dataset is made of, put together in one step at the end: xarray compares all coordinates at each."""

    def __init__(self) -> None:
        self.coordinates: dict[str, xr.Variable] = {}
        self.variables: dict[str, xr.Variable] = {}

    def add(self, name: str, values: Array | None) -> None:
        """Add a variable of the tables."""
        sizes = {d: n for coordinate in self.coordinates.values() for d, n in coordinate.sizes.items()}
        self.variables[name] = _variable(name, values, sizes)

    def values(self, name: str) -> Array:
        """The values of a variable that is there."""
        return np.asarray(self.variables[name].values)

    def add_grids(self, grids: Mapping[str, Array | None]) -> None:
        """Add centres and edges of the bins that are given."""
        for name, edges in grids.items():
            if edges is not None:
                edges = check_edges(edges, name=name)
                self.coordinates[name] = _coordinate(name, centres(edges))
                self.coordinates[f"{name}_edges"] = _coordinate(f"{name}_edges", edges)

    def add_dos(
        self,
        crystal: Crystal,
        partial_dos: Array,
        complete: tuple[Array, Array] | None,
        band: tuple[Array, Array] | None,
        stretch: tuple[Mapping[str, Array], Array] | None,
    ) -> None:
        """Add atoms, density of states, mean energy and heat capacity, with what is known of their errors."""
        words = {"long_name": "element of each atom of the primitive cell"}
        self.coordinates["atom_symbol"] = xr.Variable("atom", np.array(crystal.symbols, dtype=object), words)
        self.coordinates["atom_mass"] = _coordinate("atom_mass", np.asarray(crystal.masses, dtype=float))
        self.coordinates["temperature"] = _coordinate("temperature", TEMPERATURES)
        self.add("partial_dos", partial_dos)
        self.add("dos", partial_dos.sum(axis=0))
        if complete is not None:
            self.add("dos_complete", complete[0])
        if band is not None:
            self.add("dos_lower", band[0])
            self.add("dos_upper", band[1])
        dos, edges = complete or (self.values("dos"), self.coordinates["energy_edges"].values)
        area = dos * np.diff(edges)
        self.add("mean_energy", np.asarray(area @ centres(edges) / area.sum()))
        self.add("heat_capacity", heat_capacity(dos, edges, TEMPERATURES))
        if stretch is not None and stretch[0]:
            self._add_stretch(*stretch)

    def _add_stretch(self, shares: Mapping[str, Array], kelvin: Array) -> None:
        words = {"units": "1", "long_name": "share by which energies may be wrong, nine times out of ten less"}
        self.coordinates["quantity"] = xr.Variable("quantity", list(shares))
        self.coordinates["stretch_temperature"] = xr.Variable("stretch_temperature", kelvin)
        values = np.array(list(shares.values()))
        self.variables["stretch"] = xr.Variable(("quantity", "stretch_temperature"), values, words)
        mean, capacity = self.values("mean_energy"), self.values("heat_capacity")
        self.add("mean_energy_error", mean * np.interp(0.0, kelvin, shares["zero_point_energy"]))  # as good as its own
        allowed = np.interp(TEMPERATURES, kelvin, shares["heat_capacity"])
        self.add("heat_capacity_error", allowed * _change(capacity))


def _change(capacity: Array) -> Array:
    """What heat capacities at `TEMPERATURES` change by if all energies are stretched, over the share: |∂C/∂ ln T|."""
    logarithm = np.log(np.maximum(capacity, 1e-300))
    return np.asarray(capacity * np.abs(np.gradient(logarithm, np.log(TEMPERATURES), edge_order=2)))


def _plane_attributes(crystal: Crystal, plane: ArrayLike) -> dict[str, Any]:
    """The plane, and the lengths and angle of its two vectors, with which |Q| follows from h and k."""
    u, v = np.asarray(plane, dtype=float) @ crystal.reciprocal_conventional
    lengths = np.linalg.norm([u, v], axis=1)
    angle = float(np.rad2deg(np.arccos(u @ v / lengths.prod())))
    return {"plane": plane_text(plane), "plane_lengths_per_angstrom": lengths, "plane_angle_degree": angle}


def _error_attributes(errors: Mapping[str, float]) -> dict[str, Value]:
    """Typical errors, each as a number and all of them in words."""
    if not errors:
        return {}
    words = ", ".join(ERROR_WORDS.get(name, f"{name} {{:.3g}}").format(value) for name, value in errors.items())
    numbers: dict[str, Value] = {ERROR_PREFIX + name: float(value) for name, value in errors.items()}
    return {**numbers, "accuracy": f"typical on crystals never seen: {words}"}


def _coordinate(name: str, values: Array) -> xr.Variable:
    dimension, unit, long_name = COORDINATES[name]
    return xr.Variable(dimension, values, {"units": unit, "long_name": long_name})


def _variable(name: str, values: Array | None, sizes: Mapping[Any, int]) -> xr.Variable:
    """A variable of the tables on grids of these sizes; maps in single precision."""
    dims, unit, long_name = EVERY[name]
    if values is None:
        raise DataError(f"{name} is missing; maps are given as a coherent and an incoherent part")
    absent = [d for d in dims if d not in sizes]
    if absent:
        raise DataError(f"{name} was given without the bin edges of {', '.join(absent)}")
    expected = tuple(sizes[d] for d in dims)
    if np.shape(values) != expected:
        raise DataError(f"{name} has shape {np.shape(values)}, its grid {dims} has {expected}")
    if unit == PER_BARN:
        values = np.asarray(values, dtype=np.float32)
    return xr.Variable(dims, values, {"units": unit, "long_name": long_name})


def novelty_warning(novelty: float, threshold: float) -> str | None:
    """The warning of a chemistry that is foreign to the training data, None for one that is not."""
    if not novelty > threshold:
        return None
    return (
        f"novelty {novelty:.2f} is above {threshold:.2f}: this chemistry is foreign to the training data, "
        "errors may be much larger than expected; inscape simulate needs no training data"
    )


def _novelty(novelty: float, threshold: float) -> dict[str, Value]:
    warning = novelty_warning(novelty, threshold)
    found: dict[str, Value] = {"novelty": novelty, "novelty_threshold": threshold}
    return {**found, "warning": warning} if warning else found


def _finite(value: float | None) -> float | None:
    """A number, or None where there is none: JSON has no NaN."""
    return None if value is None or not np.isfinite(value) else float(value)
