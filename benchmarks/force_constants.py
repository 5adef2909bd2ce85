"""Predicted force constants against those of DFT: spectra, modes at Γ, imaginary modes, and the time they take.

    python benchmarks/force_constants.py LIBRARY [--archives FOLDER] [--uncertainty] [--limit N] [--output FILE]

Crystals are those of `val` with at most 40 atoms. Their spectra are rendered from the predicted force constants as
those of the library were from the true ones, and compared as `inscape evaluate` does. Where the truth has no Born
charges, none are predicted. Modes at Γ need the archives. Below the figures of all: those of groups, as
`inscape evaluate` has them, how errors go with those that are expected, and how often the intervals hold the truth;
with ``--uncertainty`` how often the standard errors of maps do, where the maps have a hundredth of their maximum.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from inscape import intervals
from inscape.calibration import map_errors
from inscape.evaluation import (
    Outcome,
    Truth,
    dos_record,
    plane_record,
    powder_record,
    read_truth,
    systems_in,
    twins_in,
)
from inscape.evaluation.rendered import Foretold, Rendered
from inscape.lattice import modes_at, read_force_constants
from inscape.library import Library, chemical_system
from inscape.metrics import mean_energy
from inscape.results import KINDS
from inscape.simulation.spectra import MAPS
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model import StructureModel, shipped_model
from inscape.structure_model.dynamics import find_archives
from inscape.structure_model.force_constants import ForceConstantModel
from inscape.structure_model.representation import from_relative_density, relative_density
from inscape.structure_model.train import training_ids
from inscape.threads import numpy_alone
from inscape.training import WEIGHTS

MAX_ATOMS = 40
EXPECTED = {
    "dos W1": "dos_w1_meV",
    "powder cut cosine": "powder_cut_cosine",
    "plane cut cosine": "crystal_cut_cosine",
}
"""Figures that go with an expected one, by its name."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--archives", help="folder of the phonondb's archives")
    parser.add_argument("--split", default="val", choices=["val", "tune"])
    parser.add_argument("--uncertainty", action="store_true", help="judge standard errors of maps; takes twice as long")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--weights", default=WEIGHTS, help="folder of the weights")
    parser.add_argument("--output", help="JSON of every crystal")
    return parser.parse_args()


@numpy_alone()
def main() -> None:
    options = arguments()
    library = Library(options.library)
    ids = library.select("val" if options.split == "val" else "train", max_atoms=MAX_ATOMS)
    if options.split == "tune":
        ids = library.select("train", max_atoms=MAX_ATOMS, tuning=True)
    archives = find_archives(options.archives) if options.archives else {}
    model, judge = ForceConstantModel(options.weights), shipped_model()
    learn = training_ids(library, MAX_ATOMS, unstable=True)[0]
    twins, systems = twins_in(library, learn), systems_in(library, learn)
    records, inside = [], []
    for number, name in enumerate(ids[: options.limit], start=1):
        record, held = compare(library, name, model, judge, archives.get(name), options.uncertainty)
        entry = library.entries[name]
        twin, met = ((entry.formula, entry.space_group_number) in twins, chemical_system(entry.formula) in systems)
        records.append({"id": name, **record, "twin": float(twin), "met": float(met)})
        inside.append(held)
        if number % 20 == 0:
            print(f"{number} of {len(ids)}", flush=True)
    print(table(records) + "\n\n" + groups(records) + "\n\n" + trust(records))
    if all(inside):
        print("\n" + intervals.table(inside, [record["novelty"] for record in records]))
    if options.output:
        Path(options.output).write_text(json.dumps(records))


def compare(
    library: Library,
    name: str,
    model: ForceConstantModel,
    judge: StructureModel,
    archive: Path | None,
    uncertainty: bool,
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of one crystal, and where the truth lies in the intervals."""
    truth = read_truth(library, name)
    foretold = Foretold.of(truth, model, judge)
    spectra, plane = foretold.spectra, foretold.spectra.plane
    record = {"n_atoms": truth.crystal.n_atoms, "has_born": float(truth.has_born), **foretold.seconds}
    record |= {"novelty": foretold.novelty, "disagreement": foretold.disagreement, "imaginary": spectra.imaginary}
    record["stabilised"] = foretold.stabilised
    expected = model.doubts.expected_error(foretold, tuple(KINDS))
    record |= {f"expected {figure}": expected[name] for figure, name in EXPECTED.items()}
    record |= {f"dos {key}": value for key, value in dos_record(truth, spectra.partial_dos).items()}
    record["mean energy, signed"] = foretold.mean_energy - mean_energy(
        truth.partial_dos.sum(axis=0), native_energy_edges()
    )
    record |= {f"powder {key}": value for key, value in powder_record(truth, spectra.powder).items()}
    record["powder distinct skill, true density of states"] = distinct_skill(truth, spectra)
    record |= {f"plane {key}": value for key, value in plane_record(truth, plane).items()}
    record["plane cut cosine, 3 %"] = plane_record(truth, plane, relative=0.03)["cut cosine"]
    if archive is not None:
        gamma = np.zeros((1, 3))
        true = read_force_constants(archive)
        both = [modes_at(f, gamma, np.ones(1)).energies[0] for f in (foretold.force_constants, true)]
        record["gamma"] = float(np.abs(np.sort(both[0]) - np.sort(both[1])).mean())
    if uncertainty:
        record |= within_standard_errors(truth, foretold, model)
    return record, intervals.where(foretold, model.doubts, truth.partial_dos, truth.crystal.masses)


def distinct_skill(truth: Truth, spectra: Rendered) -> float:
    """Distinct skill of what a map says beyond its self part, on the self part of the true density of states."""
    q, edges = centres(native_q_edges()), native_energy_edges()
    rho = relative_density(spectra.powder, truth.self_part(spectra.partial_dos, q), edges)
    return powder_record(truth, from_relative_density(rho, truth.true_self_part(q), edges))["distinct skill"]


def within_standard_errors(truth: Truth, foretold: Foretold, model: ForceConstantModel) -> dict[str, float]:
    """Share of the bins of each map, smoothed by 1 meV, where the truth is within one and two standard errors."""
    found = {}
    outcome = Outcome.by_force_constants(foretold, model)
    for kind, (true, error, spread) in zip(MAPS, map_errors(truth, outcome), strict=True):
        apart = np.abs(error) / np.maximum(model.doubts.maps[kind] * spread, 1e-12)
        some = true > 0.01 * true.max()
        found |= {f"{kind}, within {n} standard errors": float(np.mean(apart[some] < n)) for n in (1, 2)}
    return found


def groups(records: list[dict[str, float]]) -> str:
    """W1 and cosines of some of the crystals."""
    kinds = {
        "with Born charges": lambda record: record["has_born"],
        "without": lambda record: not record["has_born"],
        "without twins in training": lambda record: not record["twin"],
        "of elements that no training crystal unites": lambda record: not record["met"],
        "up to 20 atoms": lambda record: record["n_atoms"] <= 20,
        "above": lambda record: record["n_atoms"] > 20,
    }
    keys = ("dos W1", "dos R2", "dos C_V(300 K)", "powder cut cosine", "plane cut cosine")
    lines = ["| | crystals | " + " | ".join(keys) + " |", "|---" * (2 + len(keys)) + "|"]
    for title, belongs in kinds.items():
        some = [record for record in records if belongs(record)]
        columns = ([record[key] for record in some] for key in keys)
        cells = (f"{np.mean(values):.3f} / {np.median(values):.3f}" for values in columns)
        lines.append(f"| {title} | {len(some)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def trust(records: list[dict[str, float]]) -> str:
    """Rank correlations of what tells where to trust with what is wrong, and errors over those that are expected."""
    column = {key: np.array([record[key] for record in records]) for key in records[0] if key != "id"}
    lines = [
        f"rank correlation of {sign} with {key}: {spearmanr(column[sign], column[key])[0]:.2f}"
        for sign in ("novelty", "disagreement")
        for key in EXPECTED
    ]
    for key in EXPECTED:
        found, expected = column[key], column[f"expected {key}"]
        rank = spearmanr(found, expected)[0]
        if key.endswith("cosine"):
            found, expected = 1 - found, 1 - expected
        low, middle, high = np.percentile(found / expected, [25, 50, 75])
        lines.append(
            f"{key}: error over the expected {middle:.2f} ({low:.2f} to {high:.2f}), rank correlation {rank:.2f}"
        )
    return "\n".join(lines)


def table(records: list[dict[str, float]]) -> str:
    columns = defaultdict(list)
    for record in records:
        for key, value in record.items():
            if key != "id":
                columns[key].append(value)
    lines = [f"{len(records)} crystals", "| figure | mean | median |", "|---|---|---|"]
    lines += [f"| {key} | {np.nanmean(v):.3f} | {np.nanmedian(v):.3f} |" for key, v in columns.items()]
    for key, words in (("stabilised", "made real at the wave vectors of the supercell"), ("imaginary", "imaginary")):
        lines.append(f"more than 0.5 % of modes {words}: {np.mean(np.array(columns[key]) > 0.005):.1%} of crystals")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
