"""How good predictions are on crystals that the models never saw: the tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from inscape import metrics
from inscape.errors import DataError
from inscape.intervals import table, where
from inscape.library import Library, chemical_system, composition
from inscape.metrics import HIGH_Q, LOW_Q, LOWEST, NEAR, SIGMA, SIGMA_Q, STEP
from inscape.scattering import (
    PlaneGrid,
    ScatteringLengths,
    mean_square_displacements,
    scattering_lengths,
    self_part,
    to_scattering,
)
from inscape.scattering.plane import HK0
from inscape.spectra import (
    NATIVE_ENERGY_MAX,
    centres,
    native_energy_edges,
    native_q_edges,
    rebin,
    smooth,
    uniform_edges,
)
from inscape.structure_model import Structure, StructureModel, shipped_model
from inscape.structure_model.representation import cumulative_dos, from_relative_density, relative_density
from inscape.structure_model.train import training_ids
from inscape.structures import Crystal
from inscape.thermodynamics import heat_capacity

Array = NDArray[np.floating]

TEMPERATURE = 10.0
"""Of the maps that are compared, K."""

Record = dict[str, float]


@dataclass(frozen=True, eq=False)
class Truth:
    """What the library holds of a crystal: reduced maps on native grids, barn sr⁻¹ per atom."""

    id: str
    crystal: Crystal
    has_born: bool
    partial_dos: Array
    displacements: Array
    powder: Array
    plane: Array
    grid: PlaneGrid

    @cached_property
    def lengths(self) -> ScatteringLengths:
        """Scattering lengths of the atoms."""
        return scattering_lengths(self.crystal)

    @cached_property
    def vectors(self) -> Array:
        """Cartesian Q of the plane's bins, shape (n_h n_k, 3), 1/Å."""
        return self.grid.centres(self.crystal).reshape(-1, 3)

    def self_part(self, partial_dos: Array, moduli: Array, displacement: Array | None = None) -> Array:
        """Reduced coherent self part from a density of states."""
        if displacement is None:
            displacement = mean_square_displacements(
                partial_dos, native_energy_edges(), self.crystal.masses, TEMPERATURE
            )
        return self_part(partial_dos, self.crystal.masses, self.lengths.coherent_square, moduli, displacement)

    def true_self_part(self, moduli: Array) -> Array:
        """That of the true density of states and displacements."""
        return self.self_part(self.partial_dos, moduli, self.displacements[0])

    @cached_property
    def smooth_powder(self) -> Array:
        """The powder map as `powder_record` compares it."""
        return _smooth_powder(self.powder, self)

    @cached_property
    def smooth_plane(self) -> Array:
        """The single-crystal map as `plane_record` compares it."""
        return _smooth_plane(self.plane, self)

    @cached_property
    def smooth_self_part(self) -> Array:
        """The self part of the powder map in the same way."""
        return _smooth_powder(self.true_self_part(centres(native_q_edges())), self)


def read_truth(library: Library, name: str) -> Truth:
    """The spectra of a library crystal."""
    wanted = ("partial_dos", "displacements", "powder", "crystal", "h_edges", "k_edges")
    a = library.arrays(name, *wanted)
    crystal = library.crystal(name)
    grid = PlaneGrid(np.array(HK0, dtype=float), a["h_edges"], a["k_edges"])
    q = centres(native_q_edges())
    moduli = np.linalg.norm(grid.centres(crystal), axis=-1)
    return Truth(
        name,
        crystal,
        library.entries[name].has_born,
        a["partial_dos"].astype(float),
        a["displacements"].astype(float),
        a["powder"].astype(float) * q[:, None] ** 2,
        a["crystal"].astype(float) * moduli[..., None] ** 2,
        grid,
    )


# ---------------------------------------------------------------------------------------------------------------- DOS


def dos_record(truth: Truth, partial: Array) -> Record:
    """All figures of one predicted density of states, (n_atoms, n_energy) or a total (n_energy,), native grid.

    R² depends on where energies end, for it compares with the mean of the true spectrum: "R2" is that of the grid that
    all crystals share, 0 to 480 meV; "R2 to top" stops 10 meV above the crystal's highest mode, and is stricter.
    """
    native = native_energy_edges()
    width = np.diff(native)
    true = truth.partial_dos.sum(axis=0)
    total = partial.sum(axis=0) if partial.ndim == 2 else partial
    true, total = true / (true @ width), total / (total @ width)
    edges = uniform_edges(NATIVE_ENERGY_MAX, STEP)
    energy = centres(edges)
    top = len(_fine(truth.partial_dos)) - 1
    t, p = (smooth(rebin(x, native, edges), SIGMA, STEP) for x in (true, total))
    n = 3.0 * len(truth.crystal.numbers)
    found = {
        "W1": float(metrics.wasserstein(total, true, native)),
        "R2": metrics.r_squared(p, t),
        "R2 to top": metrics.r_squared(p[:top], t[:top]),
        "cosine": float(metrics.cosine(p, t)),
        "overlap": metrics.overlap(p, t, STEP),
        "mean energy": abs(float((p - t) @ energy * STEP)),
    }
    for kelvin in (100.0, 300.0):
        c = [float(heat_capacity(n * x, native, np.array(kelvin))) for x in (total, true)]
        found[f"C_V({kelvin:.0f} K)"] = abs(c[0] - c[1])
    if partial.ndim == 2:
        for index, kelvin in enumerate((10.0, 300.0)):
            u2 = mean_square_displacements(partial, native, truth.crystal.masses, kelvin)
            exact = np.trace(truth.displacements[index], axis1=1, axis2=2)
            found[f"u2({kelvin:.0f} K)"] = float(np.mean(np.abs(u2 / exact - 1)))
    return found


def _fine(partial_dos: Array) -> Array:
    """The 0.5 meV grid on which a crystal is compared: up to 10 meV above its highest mode."""
    native = native_energy_edges()
    top = native[1 + np.flatnonzero(partial_dos.sum(axis=0) > 0)[-1]] + 10
    return uniform_edges(float(min(np.ceil(top), NATIVE_ENERGY_MAX)), STEP)


# --------------------------------------------------------------------------------------------------------------- maps


def scattering(reduced: Array, truth: Truth, relative: float | None = None) -> Array:
    """Reduced cuts on the native grid, shape (..., n_energy), to S at 10 K above 1 meV, smoothed over energy.

    The standard deviation is 1 meV, or this share of each energy.
    """
    edges = _fine(truth.partial_dos)
    energy = centres(edges)
    s = to_scattering(rebin(reduced, native_energy_edges(), edges), energy, TEMPERATURE)
    wide = smooth(s, SIGMA, STEP) if relative is None else s @ _spread(edges, relative)
    return wide[..., energy > LOWEST]


def _spread(edges: Array, relative: float) -> Array:
    """Matrix (n, n) that spreads what is in each bin as a Gaussian of so large a share of its energy over all bins."""
    energy = centres(edges)[:, None]
    below = ndtr((edges - energy) / (relative * energy))
    return np.asarray(np.diff(below, axis=1))


def powder_record(truth: Truth, reduced: Array) -> Record:
    """Cut cosines of one powder map over 0.5–8 1/Å and below 4, distinct skill, and Σp/Σt.

    The distinct skill is 1 − ‖p − t‖²/‖s − t‖², where s is the self part of the true density of states: 0 for who knows
    this and nothing of interference, 1 for who knows all.
    """
    q = centres(native_q_edges())
    p, t = _smooth_powder(reduced, truth), truth.smooth_powder
    inside = (q > LOW_Q) & (q < HIGH_Q)
    cut = metrics.cosine(p, t)
    wrong, of_self = (np.sum((x - t)[inside] ** 2) for x in (p, truth.smooth_self_part))
    return {
        "cut cosine": float(np.nanmean(cut[inside])),
        "cut cosine, near": float(np.nanmean(cut[inside & (q < NEAR)])),
        "distinct skill": float(1 - wrong / of_self),
        "ratio": float(p[inside].sum() / t[inside].sum()),
    }


def _smooth_powder(reduced: Array, truth: Truth) -> Array:
    q = centres(native_q_edges())
    return smooth(scattering(reduced, truth), SIGMA_Q, float(q[1] - q[0]), axis=0)


def plane_record(truth: Truth, reduced: Array, relative: float | None = None) -> Record:
    """Cut cosines of one single-crystal map, of all (H, K) and of those below 4 1/Å, and Σp/Σt.

    Energies are smoothed by 1 meV, or by this share of them.
    """
    p = _smooth_plane(reduced, truth, relative)
    t = truth.smooth_plane if relative is None else _smooth_plane(truth.plane, truth, relative)
    cut = metrics.cosine(p, t).ravel()
    near = np.linalg.norm(truth.vectors, axis=1) < NEAR
    return {
        "cut cosine": float(np.nanmean(cut)),
        "cut cosine, near": float(np.nanmean(cut[near])),
        "ratio": float(p.sum() / t.sum()),
    }


def _smooth_plane(reduced: Array, truth: Truth, relative: float | None = None) -> Array:
    grid = truth.grid
    s = scattering(reduced, truth, relative).reshape(len(grid.h_edges) - 1, len(grid.k_edges) - 1, -1)
    for axis, edges in enumerate((grid.h_edges, grid.k_edges)):
        s = smooth(s, SIGMA_Q, float(edges[1] - edges[0]), axis=axis)
    return s


def powder_of(truth: Truth, structure: Structure) -> Array:
    """The predicted powder map, reduced, as `powder_record` takes it."""
    assert structure.powder is not None
    own = truth.self_part(structure.partial_dos, centres(native_q_edges()))
    return from_relative_density(structure.powder, own, native_energy_edges())


def plane_of(truth: Truth, structure: Structure) -> Array:
    """The predicted single-crystal map, reduced, as `plane_record` takes it."""
    own = truth.self_part(structure.partial_dos, np.linalg.norm(truth.vectors, axis=1))
    return from_relative_density(structure.density(truth.vectors), own, native_energy_edges())


# ---------------------------------------------------------------------------------------------------------- baselines


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


# --------------------------------------------------------------------------------------------------------- evaluation


@dataclass
class Evaluation:
    """Records of every crystal, by kind, then by what was predicted.

    ``twin`` says that a training crystal has the same formula and space group, ``met`` that one has the same elements,
    ``spread`` how far the members disagree, ``inside`` what `inscape.intervals.where` does of the intervals, if any
    were calibrated.
    """

    split: str
    ids: list[str]
    has_born: list[bool] = field(default_factory=list)
    twin: list[bool] = field(default_factory=list)
    met: list[bool] = field(default_factory=list)
    n_atoms: list[int] = field(default_factory=list)
    novelty: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    inside: list[Record] = field(default_factory=list)
    records: dict[str, dict[str, list[Record]]] = field(default_factory=dict)

    def add(self, kind: str, row: str, record: Record) -> None:
        """Append a crystal's figures to a row of a table."""
        self.records.setdefault(kind, {}).setdefault(row, []).append(record)

    def column(self, kind: str, row: str, name: str) -> Array:
        """One figure of all crystals."""
        return np.array([record.get(name, np.nan) for record in self.records[kind][row]])

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "split": self.split, "ids": self.ids, "has_born": self.has_born, "twin": self.twin, "met": self.met,
            "n_atoms": self.n_atoms, "novelty": self.novelty, "spread": self.spread, "inside": self.inside,
            "records": self.records,
        }  # fmt: skip

    def markdown(self) -> str:
        """The tables, mean and median of each figure."""
        born = np.array(self.has_born)
        groups = {
            "… with Born charges": born,
            "… without": ~born,
            "… without twins in training": ~np.array(self.twin),
            "… of elements that no training crystal unites": ~np.array(self.met),
        }
        parts = [
            f"{len(self.ids)} crystals of `{self.split}`, {born.sum()} with Born charges, {sum(self.twin)} with a twin "
            f"(same formula and space group) in training, {sum(self.met)} of elements that a training crystal unites.\n"
        ]
        for kind, rows in self.records.items():
            names = list(dict.fromkeys(n for records in rows.values() for n in records[0]))
            parts.append(f"\n**{TITLES[kind]}** (mean / median; Σp/Σt: median and quartiles)\n")
            parts.append("| | " + " | ".join(names) + " |")
            parts.append("|---|" + "---|" * len(names))
            for row in rows:
                parts.append(self._line(kind, row, names, np.ones(len(born), bool), row))
                if row == "predicted":
                    parts += [self._line(kind, row, names, use, label) for label, use in groups.items() if use.any()]
        if self.inside and all(self.inside):
            parts += ["", table(self.inside, self.novelty).rstrip("\n")]
        return "\n".join(parts) + "\n"

    def _line(self, kind: str, row: str, names: Sequence[str], use: NDArray[np.bool_], label: str) -> str:
        cells = []
        for name in names:
            values = self.column(kind, row, name)[use]
            if np.all(np.isnan(values)):
                cells.append("–")
            elif name == "ratio":
                low, middle, high = np.nanpercentile(values, [25, 50, 75])
                cells.append(f"{middle:.2f} ({low:.2f}–{high:.2f})")
            else:
                cells.append(f"{np.nanmean(values):.3f} / {np.nanmedian(values):.3f}")
        return f"| {label} | " + " | ".join(cells) + " |"


TITLES = {
    "dos": "1-D: density of states",
    "powder": "2-D: powder map, 0.5–8 1/Å, 10 K",
    "crystal": "3-D: single-crystal map (HK0), 10 K",
}


def evaluate(
    library: str | Path,
    split: str = "val",
    *,
    max_atoms: int = 40,
    limit: int | None = None,
    model: StructureModel | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Evaluation:
    """Predict every clean crystal of a split and compare with the library.

    Parameters
    ----------
    split
        "val", or "tune" for the part of the training crystals that is held out by chemical system. "test" is refused.
    limit
        Only the first so many.

    Raises
    ------
    DataError
        The split is empty or "test".
    """
    if split not in {"val", "tune"}:
        raise DataError(f"split is {split!r}; expected 'val' or 'tune' (the test crystals are kept for the last word)")
    source = Library(library)
    learn, tune = training_ids(source, max_atoms)
    ids = (tune if split == "tune" else source.select("val", max_atoms=max_atoms))[:limit]
    if not ids:
        raise DataError(f"{library} holds no clean crystal of the split {split!r}; build it with --splits")
    model = model or shipped_model()
    baselines = Baselines(source, learn)
    twins, systems = twins_in(source, learn), systems_in(source, learn)
    found = Evaluation(split, ids)
    for count, name in enumerate(ids, start=1):
        truth = read_truth(source, name)
        features = model.features([truth.crystal])
        (structure,) = model([truth.crystal], features=features)
        (from_true_dos,) = model([truth.crystal], features=features, partial_dos=[truth.partial_dos])
        found.has_born.append(truth.has_born)
        found.twin.append(_kind_of(source, name) in twins)
        found.met.append(chemical_system(source.entries[name].formula) in systems)
        found.n_atoms.append(truth.crystal.n_atoms)
        found.novelty.append(structure.novelty)
        found.spread.append(structure.disagreement)
        found.inside.append(where(structure, model.doubts, truth.partial_dos, truth.crystal.masses))
        nearest = baselines.nearest(truth.crystal.formula)
        _add_dos(found, truth, structure, model, baselines.means, nearest)
        _add_powder(found, truth, structure, from_true_dos, model, baselines.means, nearest)
        _add_plane(found, truth, structure, from_true_dos, baselines.means, nearest)
        if progress is not None:
            progress(count, len(ids), name)
    return found


def twins_in(library: Library, names: Sequence[str]) -> set[tuple[str, int]]:
    """Formulas and space groups of crystals: another one that has both is their twin."""
    return {_kind_of(library, name) for name in names}


def systems_in(library: Library, names: Sequence[str]) -> set[str]:
    """Chemical systems of crystals."""
    return {chemical_system(library.entries[name].formula) for name in names}


def _kind_of(library: Library, name: str) -> tuple[str, int]:
    entry = library.entries[name]
    return entry.formula, entry.space_group_number


def _add_dos(
    found: Evaluation,
    truth: Truth,
    structure: Structure,
    model: StructureModel,
    mean: dict[str, Array],
    near: dict[str, Array],
) -> None:
    curve = cumulative_dos(truth.partial_dos.sum(axis=0), native_energy_edges()).astype(np.float32)
    decoded = model.decode_dos(model.autoencoders["dos"].transform(curve[None]))[0]
    rows = {
        "predicted": structure.partial_dos, "mean training spectrum": mean["dos"],
        "nearest composition": near["dos"], "true code decoded": decoded,
    }  # fmt: skip
    for row, partial in rows.items():
        found.add("dos", row, dos_record(truth, partial))


def _add_powder(
    found: Evaluation,
    truth: Truth,
    structure: Structure,
    from_true_dos: Structure,
    model: StructureModel,
    mean: dict[str, Array],
    near: dict[str, Array],
) -> None:
    q = centres(native_q_edges())
    assert structure.powder is not None
    assert from_true_dos.powder is not None
    own = truth.self_part(structure.partial_dos, q)
    true_own = truth.true_self_part(q)
    rho = relative_density(truth.powder, true_own, native_energy_edges())
    coder = model.autoencoders["powder"]
    coded = model.decode_powder(coder.transform(rho.astype(np.float32).reshape(1, -1)))[0]
    densities = (structure.powder, from_true_dos.powder, coded)
    rows = _map_rows(densities, own, true_own, mean["powder"], near["powder"])
    for row, reduced in rows.items():
        found.add("powder", row, powder_record(truth, reduced))


def _add_plane(
    found: Evaluation,
    truth: Truth,
    structure: Structure,
    from_true_dos: Structure,
    mean: dict[str, Array],
    near: dict[str, Array],
) -> None:
    vectors = truth.vectors
    moduli = np.linalg.norm(vectors, axis=1)
    own = truth.self_part(structure.partial_dos, moduli)
    true_own = truth.true_self_part(moduli)
    rho = relative_density(truth.plane.reshape(len(vectors), -1), true_own, native_energy_edges())
    predicted = structure.density(vectors)
    coded = from_true_dos.density(vectors, from_true_dos.encode(vectors[moduli < HIGH_Q], rho[moduli < HIGH_Q]))
    scale = moduli[:, None] ** 2
    rows = _map_rows((predicted, predicted, coded), own, true_own, mean["plane"] * scale, near["plane"] * scale)
    for row, reduced in rows.items():
        found.add("crystal", row, plane_record(truth, reduced))


def _map_rows(
    densities: tuple[Array, Array, Array], own: Array, true_own: Array, mean: Array, near: Array
) -> dict[str, Array]:
    """Reduced maps of a table's rows.

    ``densities`` are ρ as predicted, as predicted from the true density of states, and of the true code decoded;
    ``own`` and ``true_own`` are the predicted and the true self part.
    """
    edges = native_energy_edges()
    predicted, from_true_dos, coded = densities
    return {
        "predicted": from_relative_density(predicted, own, edges),
        "predicted self part alone": own,
        "mean training spectrum": mean,
        "nearest composition": near,
        "predicted code, true density of states": from_relative_density(from_true_dos, true_own, edges),
        "true self part": true_own,
        "true code decoded": from_relative_density(coded, true_own, edges),
    }
