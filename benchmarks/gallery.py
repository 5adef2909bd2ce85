"""Six validation crystals by five roads: pictures and tables of the page docs/gallery.md.

    OMP_NUM_THREADS=1 python benchmarks/gallery.py ARCHIVES LIBRARY WORK [--docs FOLDER]

ARCHIVES is the folder of the phonondb's archives, LIBRARY a library rendered from them with its splits, WORK a folder
for results: what lies there is not computed again. Crystals are chosen by `CLASSES`, not by how well they come out.
Density of states and powder map at 10 K are compared with those of the DFT force constants by `inscape.compare`. Times
are of the wall clock, models and potentials being loaded and no forces kept from earlier; without a potential, the
least of three. The text of the page stays as it is down to a mark.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from ase import Atoms
from ase.geometry.dimensionality import analyze_dimensionality
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import inscape
from inscape.cells.elements import NOT_METALS
from inscape.compare import HIGH_Q, LOWEST, Comparison, compare
from inscape.lattice import read_force_constants
from inscape.library import Entry, Library
from inscape.plots import COLOURS, formula_text, space_group_text, write_figure
from inscape.plots.style import COLOUR_MAP, INK, SCATTERING, logarithmic
from inscape.potentials import engine
from inscape.structures import Crystal

MOST_ATOMS = 8
KELVIN = 10.0
HEADROOM = 1.25
"""All energies end at this multiple of the highest mode in DFT."""

MARK = "<!-- from here on written by benchmarks/gallery.py -->"
HEAD = ("| crystal | road | W1 | cosine | top | C_V | time | load |", "|---|---|---|---|---|---|---|---|")

TEMPERATURES = np.arange(2.0, 401.0, 2.0)
HALOGENS = frozenset((9, 17, 35, 53, 85))
GROUPS_13_TO_15 = frozenset((5, 6, 7, 13, 14, 15, 31, 32, 33, 49, 50, 51, 81, 82, 83))
HEAVY = 80

CLASSES: dict[str, Callable[[Crystal], bool]] = {
    "with hydrogen": lambda crystal: 1 in crystal.numbers,
    "layered": lambda crystal: analyze_dimensionality(crystal.to_ase(), method="RDA")[0].dimtype == "2D",
    "with a heavy metal": lambda crystal: max(crystal.numbers) >= HEAVY,
    "halide": lambda crystal: set() < set(crystal.numbers.tolist()) & NOT_METALS <= HALOGENS,
    "oxide": lambda crystal: set(crystal.numbers.tolist()) & NOT_METALS == {8},
    "covalent": lambda crystal: set(crystal.numbers.tolist()) <= GROUPS_13_TO_15,
}
"""Each class takes the first crystal, by number in the Materials Project, that none before has taken."""

DFT, DIRECT, POTENTIALS = "DFT", ("code", "force-constants"), ("nequix-oam-1-pft", "sevennet-l3i5")
ROADS = (DFT, *DIRECT, *POTENTIALS)
ROAD_NAMES = dict(zip(ROADS, ("DFT", "codes", "force constants", "Nequix", "SevenNet-l3i5"), strict=True))
ROAD_COLOURS = dict(zip(ROADS, (INK, *COLOURS[:4]), strict=True))


def number(name: str) -> int:
    """Number of an id of the Materials Project."""
    return int(name.removeprefix("mp-"))


def chosen(library: Library) -> dict[str, Entry]:
    """A crystal for each class: clean, of the validation part, and without a twin among the training crystals."""
    entries = library.entries
    twins = {kind_of(entries[name]) for name in library.select("train", clean=False)}
    names = sorted(library.select("val", max_atoms=MOST_ATOMS), key=number)
    left = {name: entries[name] for name in names if kind_of(entries[name]) not in twins}
    found = {}
    for words, fits in CLASSES.items():
        name = next(name for name in left if fits(library.crystal(name)))
        found[words] = left.pop(name)
    return found


def kind_of(entry: Entry) -> tuple[str, int]:
    """Formula and space group, by which twins are known."""
    return entry.formula, entry.space_group_number


def results(archive: Path, entry: Entry, work: Path) -> dict[str, inscape.Prediction]:
    """The results by road; each is computed once, and holds how long that took."""
    options = {"temperature": KELVIN, "kinds": ("dos", "powder"), "emax": float(np.ceil(HEADROOM * entry.highest_meV))}
    crystal = read_force_constants(archive).crystal
    tasks = {
        DFT: lambda: lambda: inscape.simulate(archive, **options),
        **{road: lambda road=road: loaded_prediction(crystal, options | {"road": road}) for road in DIRECT},
        **{name: lambda name=name: loaded_simulation(name, crystal, options) for name in POTENTIALS},
    }
    found = {}
    for road, prepare in tasks.items():
        place = work / f"{entry.id}-{road}.nc"
        if not place.exists():
            prediction, seconds = timed(prepare(), turns=1 if road in POTENTIALS else 3)
            prediction.dataset.attrs |= {"seconds": seconds, "load": os.getloadavg()[0]}
            prediction.save(place)
        found[road] = inscape.Prediction.load(place)
        sys.stderr.write(f"{place.name}: {found[road].dataset.attrs['seconds']:.2f} s\n")
    return found


def timed(task: Callable[[], inscape.Prediction], turns: int) -> tuple[inscape.Prediction, float]:
    """What a task returns, and its least time of several turns, s."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        result = task()
        times.append(time.perf_counter() - start)
    return result, min(times)


def loaded_prediction(crystal: Crystal, options: dict) -> Callable[[], inscape.Prediction]:
    """What predicts, the models being loaded."""
    inscape.predict(crystal, **options)
    return lambda: inscape.predict(crystal, **options)


def loaded_simulation(name: str, crystal: Crystal, options: dict) -> Callable[[], inscape.Prediction]:
    """What simulates, the potential being loaded and no forces kept."""
    potential = engine(name)
    potential.forces(Atoms(crystal.numbers[:1], cell=4 * np.eye(3), pbc=True))

    def run() -> inscape.Prediction:
        with tempfile.TemporaryDirectory() as folder:
            return inscape.simulate(crystal, potential, cache=folder, **options)

    return run


def picture(entry: Entry, found: dict[str, inscape.Prediction], compared: dict[str, Comparison]) -> Figure:
    """Densities of states and heat capacities above, powder maps below; spectra are smoothed as they are compared."""
    spectra = {DFT: compared[DIRECT[0]].spectra.isel(source=0)}
    spectra |= {road: comparison.spectra.isel(source=1) for road, comparison in compared.items()}
    top = 1.08 * max(highest(result) for result in found.values())
    figure = Figure(figsize=(10.4, 5.8), dpi=100, layout="constrained")
    figure.suptitle(f"{formula_text(entry.formula)}   {space_group_text(entry.space_group)}", x=0.01, ha="left")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    left, right = above.subplots(1, 2, width_ratios=(2, 1))
    draw_densities(spectra, top, left)
    draw_heat_capacities(found, right)
    norm = logarithmic(spectra[DFT]["powder"].values)
    axes = below.subplots(1, len(ROADS), sharey=True)
    for ax, road in zip(axes, ROADS, strict=True):
        data = spectra[road]
        values = data["powder"].transpose("energy", "q")
        mesh = ax.pcolormesh(data["q_edges"], data["energy_edges"], values, cmap=COLOUR_MAP, norm=norm, rasterized=True)
        ax.set(xlim=(0, HIGH_Q), ylim=(LOWEST, top), xlabel="|Q| (1/Å)")
        ax.set_title(ROAD_NAMES[road], fontsize="medium", loc="left")
    axes[0].set_ylabel("Energy (meV)")
    bar = below.colorbar(mesh, ax=list(axes), extend="both", pad=0.01)
    bar.set_label(SCATTERING.replace(" per", "\nper"), fontsize="small")
    return figure


def draw_densities(spectra: dict[str, xr.Dataset], top: float, ax: Axes) -> None:
    """Densities of states of all roads, DFT as an area behind."""
    energy, dos = spectra[DFT]["energy_dos"], spectra[DFT]["dos"]
    ax.fill_between(energy, 0, dos, color="0.82", linewidth=0)
    for road, data in spectra.items():
        line = {"color": ROAD_COLOURS[road], "linewidth": 1.3, "label": ROAD_NAMES[road]}
        ax.plot(data["energy_dos"], data["dos"], **line)
    ax.set(xlim=(0, top), ylim=(0, None), xlabel="Energy (meV)", ylabel="Density of states\n(1/meV per atom)")
    ax.legend(frameon=False, fontsize="small", ncols=len(ROADS), loc="lower left", bbox_to_anchor=(0, 0.98))


def draw_heat_capacities(found: dict[str, inscape.Prediction], ax: Axes) -> None:
    """Heat capacities of all roads, less that of DFT."""
    true = found[DFT].heat_capacity(TEMPERATURES)
    for road, result in found.items():
        difference = result.heat_capacity(TEMPERATURES) - true
        ax.plot(TEMPERATURES, difference, color=ROAD_COLOURS[road], linewidth=1.3)
    ax.set(xlim=(0, TEMPERATURES[-1]), xlabel="Temperature (K)", ylabel="$C_V$ less that of DFT\n(J mol⁻¹ K⁻¹)")


def highest(result: inscape.Prediction) -> float:
    """The energy below which 99.9 % of the modes are, meV."""
    return float(result.summary()["dos_highest_meV"])


def rows(entry: Entry, found: dict[str, inscape.Prediction], compared: dict[str, Comparison]) -> list[str]:
    """Rows of the table, DFT first."""
    lines = []
    for road in ROADS:
        result = found[road]
        cells = [formula(entry) if road == DFT else "", ROAD_NAMES[road]]
        if road == DFT:
            cells += ["–", "–", f"{highest(result):.1f}", f"{float(result.heat_capacity(300.0)):.2f}"]
        else:
            dos, powder = compared[road].figures["dos"], compared[road].figures["powder"]
            cells += [f"{dos['w1_meV']:.2f}", f"{powder['cut_cosine']:.3f}", f"{highest(result):.1f}"]
            cells += [f"{dos['heat_capacity_difference_300K_J_per_mol_K']:+.2f}"]
        seconds, load = (float(result.dataset.attrs[name]) for name in ("seconds", "load"))
        cells += [f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s", f"{load:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def formula(entry: Entry) -> str:
    """Formula and space group."""
    return f"{entry.formula} ({entry.space_group})"


def remarks(found: dict[str, inscape.Prediction]) -> str:
    """What the results warn of, but for the missing LO–TO splitting, which all potentials lack."""
    sentences = []
    for road, result in found.items():
        texts = str(result.warning or "").split("; ")
        if kept := [text for text in texts if text and "LO–TO" not in text and "born_from" not in text]:
            sentences.append(f"{ROAD_NAMES[road]} warns: {'; '.join(kept)}.")
    return " ".join(sentences)


def main() -> None:
    """Compute what is missing, then write page and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")  # of e3nn and torch, while potentials are loaded
    table, sections = [], []
    for words, entry in chosen(Library(arguments.library)).items():
        archive = next(arguments.archives.glob(f"materials-id-{number(entry.id)}-*"))
        found = results(archive, entry, arguments.work)
        compared = {road: compare(found[DFT], found[road], names=(DFT, road)) for road in ROADS if road != DFT}
        image = f"images/gallery-{entry.formula}.png"
        write_figure(picture(entry, found, compared), arguments.docs / image)
        table += rows(entry, found, compared)
        text = f"{entry.id}, {entry.n_atoms} atoms in the primitive cell. {remarks(found)}".strip()
        sections.append(f"## {formula(entry)}, {words}\n\n{text}\n\n![{entry.formula} by five roads]({image})\n")
    page = arguments.docs / "gallery.md"
    kept = page.read_text(encoding="utf-8").partition(MARK)[0]
    page.write_text("\n".join([kept + MARK, "", *HEAD, *table, "", *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
