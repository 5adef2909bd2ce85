"""Heat capacities of crystals against measured ones of the JANAF tables: predicted, simulated, and from DFT.

    OMP_NUM_THREADS=1 python benchmarks/janaf.py ARCHIVES LIBRARY WORK [--most N] [--plot FILE] [--crystals]

ARCHIVES is the folder of the phonondb's archives, LIBRARY a library rendered from them with its splits, WORK a folder
for results and forces: interrupted, the same command goes on. C_V of `inscape.predict`, of `inscape.simulate` with
SevenNet-0, relaxed as by default, and of the DFT force constants stands against C_p, relative to it. Test crystals are
left out, whatever the library holds; so are solids whose supercells have more than N atoms in all. ``--crystals``
prints a row for each crystal, not only for those that the models did not learn from.

The measured values are those of ``JANAF_1998_solid_Cp.json`` in the package chemicals (``pip install chemicals``): 342
solids, 216 of them also at 100 and 200 K. Only these are used, and nothing is interpolated. Other tables of the package
do not reach that low: NIST's Shomate polynomials begin at 298 K, Perry's at 273 K, the CRC handbook's at 200 K.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from chemicals import heat_capacity
from matplotlib.figure import Figure

import inscape
from inscape.lattice import displace, read_force_constants, repetitions_of_length
from inscape.library import Entry, Library, composition
from inscape.plots import COLOURS, write_figure
from inscape.plots.style import INK
from inscape.structure_model.train import training_ids
from inscape.units import GAS_CONSTANT

KELVIN = (100.0, 200.0, 298.15)
LENGTH = 10.0
MOST_ATOMS = 40

SOLIDS = """
Al2SiO5 58 12183-80-1 | Al2SiO5 62 12141-46-7 | Al4C3 166 1299-86-1 | AlCl3 12 7446-70-0 | AlF3 167 7784-18-1
AlN 186 24304-00-5 | B2O3 152 1303-86-2 | BaCl2 62 10361-37-2 | BaF2 225 7787-32-8 | BaI2 62 13718-50-8
BaO 225 1304-28-5 | BaS 225 21109-95-5 | Be3N2 206 1304-54-7 | BeAl2O4 62 12004-06-7 | BeF2 152 7787-49-7
CaCl2 58 10043-52-4 | CaF2 225 7789-75-5 | CaI2 164 10102-68-8 | CaO 225 1305-78-8 | CaS 225 20548-54-3
FeS2 205 1309-36-0 | FeS2 58 1317-66-4 | HgO 62 21908-53-2 | K2CO3 14 584-08-7 | KBO2 167 13709-94-9
KBr 225 7758-02-3 | KCl 225 7447-40-7 | KF 225 7789-23-3 | KHF2 140 7789-29-9 | KI 225 7681-11-0
Li2CO3 15 554-13-2 | Li2O 225 12057-24-8 | Li2SiO3 36 10102-24-6 | Li3AlF6 33 13821-20-0 | Li3N 191 26134-62-3
LiBH4 62 16949-15-8 | LiBO2 14 13453-69-5 | LiF 225 7789-24-4 | LiH 225 7580-67-8 | Mg2SiO4 62 10034-94-3
MgAl2O4 227 12068-51-8 | MgCO3 167 546-93-0 | MgCl2 166 7786-30-3 | MgF2 136 7783-40-6 | MgO 225 1309-48-4
MgS 225 12032-36-9 | Na2O 225 1313-59-3 | Na2O2 189 1313-60-6 | Na2SiO3 36 6834-92-0 | NaAlO2 33 1302-42-7
NaBO2 167 7775-19-1 | NaBr 225 7647-15-6 | NaCl 225 7647-14-5 | NaF 225 7681-49-4 | NaH 225 7646-69-7
NaI 225 7681-82-5 | PbBr2 62 10031-22-8 | PbI2 164 10101-63-0 | Si 227 7440-21-3 | SiO2 152 14808-60-7
SiO2 92 14464-46-1 | SrCl2 225 10476-85-4 | SrF2 225 7783-48-4 | SrI2 61 10476-86-5 | SrO 225 1314-11-0
SrS 225 1314-96-1 | TiO2 136 1317-80-2 | TiO2 141 1317-70-0 | ZrO2 14 1314-23-4 | ZrSiO4 141 10101-52-7
"""
"""Formula, space group of the phase at room temperature, and CAS number, by which the tables are found.

A solid is here if the tables reach down to 100 K, if there is no doubt which phase was measured and it is the same from
100 to 298 K, and if the training and validation parts of the data hold exactly one dynamically clean crystal of this
formula and space group, of at most `MOST_ATOMS` atoms in the primitive cell. Left out are, for example, solids with a
transition in between (NH4Cl, NH4Br, NaBH4, Hg2Cl2); with disorder (KOH, B4C); whose phase the data lack (B, CsCl, MoS2,
MgH2, P4O10, SrBr2); in doubt (ZrCl4, ZrI4, LiAlO2, MgSO4, MgSiO3); with two crystals that fit (BN, LiOH); with
imaginary modes (PbS, Ca(OH)2, Mg(OH)2, NaOH).
"""

ROADS = ("direct", "SevenNet-0", "DFT")
ROAD_COLOURS = dict(zip(ROADS, (COLOURS[0], COLOURS[1], INK), strict=True))
ROAD_SIZES = dict(zip(ROADS, (7.0, 4.5, 2.5), strict=True))


class Solid(NamedTuple):
    """A solid of the tables, its C_p at `KELVIN`, J mol⁻¹ K⁻¹ per mole of atoms, and its crystal in the data."""

    formula: str
    measured: np.ndarray
    entry: Entry
    learned: bool

    def __str__(self) -> str:
        return f"{self.formula} ({self.entry.space_group})"


def solids(library: Library) -> list[Solid]:
    """Solids of the table, those with small cells first."""
    names = [*library.select("train", max_atoms=MOST_ATOMS), *library.select("val", max_atoms=MOST_ATOMS)]
    learned = set(training_ids(library, MOST_ATOMS)[0])
    kinds = [(composition(library.entries[name].formula), library.entries[name]) for name in names]
    found = []
    for words in (item.split() for item in re.split(r"[|\n]", SOLIDS.strip())):
        formula, space_group, number = words[0], int(words[1]), words[2]
        shares = composition(formula)
        fitting = [e for c, e in kinds if e.space_group_number == space_group and np.allclose(c, shares)]
        if len(fitting) != 1:
            sys.exit(f"{formula} ({space_group}): {len(fitting)} crystals in the library, expected one")
        table = dict(zip(*heat_capacity.Cp_dict_JANAF_solid[number], strict=True))
        n_atoms = sum(int(count or 1) for _, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula))
        measured = np.array([table[kelvin] for kelvin in KELVIN]) / n_atoms
        found.append(Solid(formula, measured, fitting[0], fitting[0].id in learned))
    return sorted(found, key=lambda solid: solid.entry.n_atoms)


def computed(entry: Entry, archives: Path, folder: Path, most: int) -> np.ndarray | None:
    """C_V by each of `ROADS`, shape (3, 3), J mol⁻¹ K⁻¹ per mole of atoms; None for a solid that takes too long."""
    place = folder / f"{entry.id}.json"
    if place.exists():
        kept = json.loads(place.read_text())
        return np.array(kept["heat_capacity"]) if kept["work"] <= most else None
    archive = next(archives.glob(f"materials-id-{entry.id.removeprefix('mp-')}-*"))
    crystal = read_force_constants(archive).crystal
    supercells = displace(crystal, repetitions_of_length(crystal, LENGTH)).supercells
    work = sum(len(atoms) for atoms in supercells)
    if work > most:
        return None
    results = (
        inscape.predict(crystal, road="code", kinds=("dos",)),
        inscape.simulate(crystal, "sevennet-0", length=LENGTH, kinds=("dos",), cache=folder / "forces"),
        inscape.simulate(archive, kinds=("dos",)),
    )
    values = [result.heat_capacity(KELVIN).values.tolist() for result in results]
    place.write_text(json.dumps({"heat_capacity": values, "work": work}))
    sys.stderr.write(f"{entry.id}: {np.round(values, 2).tolist()}\n")
    return np.array(values)


def row(measured: np.ndarray, found: np.ndarray) -> str:
    """Cells of C_V ``found`` against C_p ``measured``, each of shape (n,)."""
    off = 100 * (found / measured - 1)
    low, middle, high = np.percentile(off, (25, 50, 75))
    mean = np.abs(found - measured).mean()
    return f"{middle:+.1f} | {low:+.1f} to {high:+.1f} | {np.median(np.abs(off)):.1f} | {mean:.2f}"


def picture(measured: np.ndarray, found: np.ndarray, learned: np.ndarray) -> Figure:
    """C_V against C_p, and how far it is off, at each temperature."""
    figure = Figure(figsize=(9.2, 6.2), dpi=110, layout="constrained")
    axes = figure.subplots(2, len(KELVIN), sharex="col", sharey="row", height_ratios=(1, 1.1))
    limit = 3 * GAS_CONSTANT
    for (above, below), kelvin, x, values in zip(axes.T, KELVIN, measured.T, found.transpose(2, 1, 0), strict=True):
        for road, y in zip(ROADS, values, strict=True):
            for use, marker, words in ((learned, "o", "learned from"), (~learned, "D", "not learned from")):
                style = {"color": ROAD_COLOURS[road], "marker": marker, "linestyle": "", "markersize": ROAD_SIZES[road]}
                style |= {} if road == "DFT" else {"markerfacecolor": "none"}
                above.plot(x[use], y[use], label=f"{road}, {words}", **style)
                below.plot(x[use], 100 * (y / x - 1)[use], **style)
        above.plot((0, 1.2 * limit), (0, 1.2 * limit), color="0.6", linewidth=0.8, zorder=0)
        above.axhline(limit, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
        below.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        above.set(xlim=(0, 1.2 * limit), ylim=(0, 1.12 * limit))
        above.set_title(f"{kelvin:g} K", loc="left", fontsize="medium")
        below.set_xlabel("$C_p$ measured (J mol⁻¹ K⁻¹)")
    axes[0, 0].set_ylabel("$C_V$ computed (J mol⁻¹ K⁻¹)")
    axes[1, 0].set_ylabel("$C_V/C_p$ − 1 (%)")
    handles, labels = axes[0, 2].get_legend_handles_labels()
    axes[1, 2].legend(handles, labels, frameon=False, fontsize="small", loc="upper right")
    axes[0, 2].text(0.02, limit + 0.3, "3R", transform=axes[0, 2].get_yaxis_transform(), color="0.4", fontsize="small")
    return figure


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--most", type=int, default=4500, help="leave out solids whose supercells have more atoms")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--crystals", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of e3nn and torch, while potentials are loaded
    arguments.work.mkdir(parents=True, exist_ok=True)
    chosen, found = [], []
    for solid in solids(Library(arguments.library)):
        heat_capacities = computed(solid.entry, arguments.archives, arguments.work, arguments.most)
        if heat_capacities is not None:
            chosen.append(solid)
            found.append(heat_capacities)
    measured, values = np.array([solid.measured for solid in chosen]), np.array(found)
    learned = np.array([solid.learned for solid in chosen])
    off = values / measured[:, None] - 1
    print(f"{len(chosen)} crystals, {learned.sum()} of which the models learned from\n")
    print("| road | T, K | median, % | quartiles, % | median of absolute, % | mean of absolute, J mol⁻¹ K⁻¹ |")
    print("|---|---|---|---|---|---|")
    for number, road in enumerate(ROADS):
        for column, kelvin in enumerate(KELVIN):
            print(f"| {road} | {kelvin:g} | {row(measured[:, column], values[:, number, column])} |")
    print("\n| crystal | C_p, J mol⁻¹ K⁻¹ | direct, % | SevenNet-0, % | DFT, % |\n|---|---|---|---|---|")
    for solid, deviation in zip(chosen, off, strict=True):
        if arguments.crystals or not solid.learned:
            cells = [", ".join(f"{100 * x:+.1f}" for x in road) for road in deviation]
            print(f"| {solid} | {', '.join(f'{x:.2f}' for x in solid.measured)} | {' | '.join(cells)} |")
    if arguments.plot:
        write_figure(picture(measured, values, learned), arguments.plot)


if __name__ == "__main__":
    main()
