"""How good predictions are on crystals that the models never saw: the tables of docs/benchmarks.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.evaluation.baselines import Baselines, kind_of, systems_in, twins_in
from inscape.evaluation.records import Record, Truth, dos_record, plane_record, powder_record, read_truth
from inscape.evaluation.roads import Outcome, road_of
from inscape.intervals import table, where
from inscape.library import Library, chemical_system
from inscape.metrics import HIGH_Q
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model import Structure, StructureModel, shipped_model
from inscape.structure_model.representation import cumulative_dos, from_relative_density, relative_density
from inscape.structure_model.train import training_ids

Array = NDArray[np.floating]
Guesses = Mapping[str, Mapping[str, Array]]
"""Spectra that anyone could predict, by the row and the kind."""


@dataclass
class Evaluation:
    """Records of every crystal, by kind, then by what was predicted.

    ``twin`` says that a training crystal has the same formula and space group, ``met`` that one has the same elements,
    ``disagreement`` how far the networks are apart, ``engine`` which road was taken, as in files, ``inside`` what
    `inscape.intervals.where` does of the intervals, if any were calibrated.
    """

    split: str
    ids: list[str]
    has_born: list[bool] = field(default_factory=list)
    twin: list[bool] = field(default_factory=list)
    met: list[bool] = field(default_factory=list)
    n_atoms: list[int] = field(default_factory=list)
    novelty: list[float] = field(default_factory=list)
    disagreement: list[float] = field(default_factory=list)
    engine: list[str] = field(default_factory=list)
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
            "n_atoms": self.n_atoms, "novelty": self.novelty, "disagreement": self.disagreement, "engine": self.engine,
            "inside": self.inside, "records": self.records,
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
            f"(same formula and space group) in training, {sum(self.met)} of elements that a training crystal unites; "
            f"engine: {', '.join(f'{count} {name}' for name, count in Counter(self.engine).most_common())}.\n"
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
    road: str = "auto",
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
    road
        That of `inscape.predict`. Rows of codes are those of the road of codes, whichever is taken.
    limit
        Only the first so many.
    model
        Of the road of codes; the shipped one unless given.

    Raises
    ------
    DataError
        The split is empty or "test"; a road that is not known.
    """
    if split not in {"val", "tune"}:
        raise DataError(f"split is {split!r}; expected 'val' or 'tune' (the test crystals are kept for the last word)")
    model = model or shipped_model()
    predict = road_of(road, model)
    source = Library(library)
    learn, tune = training_ids(source, max_atoms)
    ids = (tune if split == "tune" else source.select("val", max_atoms=max_atoms))[:limit]
    if not ids:
        raise DataError(f"{library} holds no clean crystal of the split {split!r}; build it with --splits")
    baselines = Baselines(source, learn)
    twins, systems = twins_in(source, learn), systems_in(source, learn)
    found = Evaluation(split, ids)
    for count, name in enumerate(ids, start=1):
        truth, entry = read_truth(source, name), source.entries[name]
        outcome = predict(truth)
        structure = outcome.structure
        found.has_born.append(truth.has_born)
        found.twin.append(kind_of(source, name) in twins)
        found.met.append(chemical_system(entry.formula) in systems)
        found.n_atoms.append(truth.crystal.n_atoms)
        found.novelty.append(structure.novelty)
        found.disagreement.append(structure.disagreement)
        found.engine.append(outcome.engine)
        found.inside.append(where(structure, outcome.doubts, truth.partial_dos, truth.crystal.masses))
        (from_true_dos,) = model([truth.crystal], partial_dos=[truth.partial_dos])
        nearest = baselines.nearest(truth.crystal.formula)
        guesses = {"mean training spectrum": baselines.means, "nearest composition": nearest}
        for row, spectrum in _dos_rows(truth, outcome, model, guesses).items():
            found.add("dos", row, dos_record(truth, spectrum))
        for row, spectrum in _powder_rows(truth, outcome, from_true_dos, model, guesses).items():
            found.add("powder", row, powder_record(truth, spectrum))
        for row, spectrum in _plane_rows(truth, outcome, from_true_dos, guesses).items():
            found.add("crystal", row, plane_record(truth, spectrum))
        if progress is not None:
            progress(count, len(ids), name)
    return found


def _dos_rows(truth: Truth, outcome: Outcome, model: StructureModel, guesses: Guesses) -> dict[str, Array]:
    """Densities of states."""
    curve = cumulative_dos(truth.partial_dos.sum(axis=0), native_energy_edges()).astype(np.float32)
    return {
        "predicted": outcome.structure.partial_dos,
        **{row: spectra["dos"] for row, spectra in guesses.items()},
        "true code decoded": model.decode_dos(model.autoencoders["dos"].transform(curve[None]))[0],
    }


def _powder_rows(
    truth: Truth, outcome: Outcome, from_true_dos: Structure, model: StructureModel, guesses: Guesses
) -> dict[str, Array]:
    """Reduced powder maps."""
    q = centres(native_q_edges())
    assert from_true_dos.powder is not None
    true_own = truth.true_self_part(q)
    rho = relative_density(truth.powder, true_own, native_energy_edges())
    coded = model.decode_powder(model.autoencoders["powder"].transform(rho.astype(np.float32).reshape(1, -1)))[0]
    return {
        "predicted": outcome.powder,
        "predicted self part alone": truth.self_part(outcome.structure.partial_dos, q),
        **{row: spectra["powder"] for row, spectra in guesses.items()},
        **_from_true_dos(true_own, from_true_dos.powder, coded),
    }


def _plane_rows(truth: Truth, outcome: Outcome, from_true_dos: Structure, guesses: Guesses) -> dict[str, Array]:
    """Reduced single-crystal maps."""
    vectors = truth.vectors
    moduli = np.linalg.norm(vectors, axis=1)
    true_own = truth.true_self_part(moduli)
    rho = relative_density(truth.plane.reshape(len(vectors), -1), true_own, native_energy_edges())
    coded = from_true_dos.density(vectors, from_true_dos.encode(vectors[moduli < HIGH_Q], rho[moduli < HIGH_Q]))
    return {
        "predicted": outcome.plane,
        "predicted self part alone": truth.self_part(outcome.structure.partial_dos, moduli),
        **{row: spectra["plane"] * moduli[:, None] ** 2 for row, spectra in guesses.items()},
        **_from_true_dos(true_own, from_true_dos.density(vectors), coded),
    }


def _from_true_dos(true_own: Array, predicted: Array, coded: Array) -> dict[str, Array]:
    """Reduced maps of the true self part, and with ρ of the predicted code and of the true code decoded on it."""
    edges = native_energy_edges()
    return {
        "predicted code, true density of states": from_relative_density(predicted, true_own, edges),
        "true self part": true_own,
        "true code decoded": from_relative_density(coded, true_own, edges),
    }
