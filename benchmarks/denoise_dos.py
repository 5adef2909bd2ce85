"""Cleaning and filling of densities of states against classical methods, on library spectra and on measurements.

    python benchmarks/denoise_dos.py LIBRARY MEASURED [--weights FILE] [--pictures FOLDER] [--only PART]

LIBRARY: neutron-weighted densities of states of validation crystals, in 120 bins from 0 to 1.15 of the top of each, a
resolution of σ = 1.2 bins, 10² to 10⁵ counts; not measured are the first three bins and six at a random place. Errors
and choices of parameters are those of `denoise.py`, whose methods are used with spectra as maps of one row.

MEASURED: the folder of the histograms of multiphonon: graphite's density of states as published with its errors, and
vanadium's as `inscape dos` finds it in its map. Two halves x ± ε are independent; χ² a bin as in `denoise.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import xarray as xr
from denoise import (
    COMPONENTS,
    DOSES,
    HALVES,
    RIDGES,
    TUNE,
    TV_WEIGHTS,
    Components,
    all_of,
    arguments,
    best,
    chi_square,
    cleaned,
    errors,
    nearest,
    smoothing,
    table,
    total_variation,
)
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from inscape.autoencoders import corrupt
from inscape.autoencoders.corruptions import Poisson
from inscape.library import Library
from inscape.measured import DOS, Denoiser, denoise, make_measured, read, shipped_denoiser
from inscape.measured.density_of_states import dos_from_map
from inscape.scattering import scattering_lengths
from inscape.spectra import centres, native_energy_edges, rebin
from inscape.structure_model.train import training_ids

BINS, END, SIGMA = 120, 1.15, 1.2
WIDTHS = (0.0, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
WEAK = (0.0003, 0.001, 0.003, 0.01)
"""Weights of total variation, beside those for maps."""

Array = np.ndarray


def spectra(library: Library, names: Iterable[str]) -> tuple[Array, Array]:
    """Densities of states of mean 1, shape (n, 1, 120), and what is not measured, bool."""
    edges = native_energy_edges()
    true, gaps = [], []
    for number, name in enumerate(names):
        crystal = library.crystal(name)
        weights = scattering_lengths(crystal).square("coherent-plus-incoherent") / crystal.masses
        total = weights @ library.arrays(name, "partial_dos")["partial_dos"].astype(float)
        area = np.cumsum(total * np.diff(edges))
        top = edges[1 + np.searchsorted(area, 0.999 * area[-1])]
        found = gaussian_filter(rebin(total, edges, END * top * np.linspace(0, 1, BINS + 1)), SIGMA)
        lost = np.arange(BINS) < 3
        first = np.random.default_rng(number).integers(10, BINS - 20)
        lost[first : first + 6] = True
        true.append(found.clip(0.0) / found.mean())  # rebinning leaves −10⁻¹⁵
        gaps.append(lost)
    return np.array(true, np.float32)[:, None], np.array(gaps)[:, None]


def linear(values: Array) -> Array:
    """Gaps are interpolated linearly; beyond the outermost bins, the nearest."""
    known, bins = ~np.isnan(values[0]), np.arange(values.shape[1])
    return np.interp(bins, bins[known], values[0, known])[None]


def along_energy(values: Array, width: float) -> Array:
    """Gaussian smoothing."""
    return smoothing(values, 0.0, width)


METHODS: dict[str, tuple[Callable[..., Array], list[tuple[float, ...]]]] = {
    "smoothing": (along_energy, [(width,) for width in WIDTHS]),
    "total variation": (
        total_variation,
        [(weight, roots) for weight in (*WEAK, *TV_WEIGHTS) for roots in (False, True)],
    ),
}


def on_library(path: Path, denoiser: Denoiser, limit: int | None, learned: int | None) -> None:
    """Print the tables of library spectra."""
    library = Library(path)
    learn, tune = training_ids(library, 40)
    components = Components(spectra(library, learn[:learned])[0])
    held_out, held_gaps = spectra(library, tune[:TUNE])
    true, gaps = spectra(library, library.select("val", max_atoms=40)[:limit])
    print(f"{len(true)} spectra, {100 * gaps.mean():.0f} % of bins not measured\n")
    methods = METHODS | {
        "components": (components, [(count, 1e-6) for count in COMPONENTS if count < BINS]),
        "components, ridge": (components, [(count, ridge) for count in (32, 64) for ridge in RIDGES]),
    }
    measured_rows, filled_rows, trust_rows = [], [], []
    for dose in DOSES:
        seen, noisy = (
            corrupt(np.where(g, np.nan, t).reshape(len(t), -1), Poisson(dose), random_state=1).reshape(t.shape)
            for t, g in ((held_out, held_gaps), (true, gaps))
        )
        unit = (true * ~gaps).sum((1, 2), keepdims=True) / dose  # of one count
        clean, deviation, foreign = cleaned(denoiser, noisy, noisy * unit)
        tables: dict[str, tuple[Array, str]] = {"as measured": (all_of(nearest, noisy), "")}
        for name, (method, grid) in methods.items():
            chosen = best(method, grid, seen, held_out, held_gaps)
            tables[name] = all_of(method, noisy, *chosen), f" ({', '.join(f'{x:g}' for x in chosen)})"
        tables["inscape denoise"] = clean, ""
        smooth = np.where(gaps, np.nan, tables["smoothing"][0])
        fills = {"nearest": all_of(nearest, smooth), "linear": all_of(linear, smooth)}
        fills |= {name: tables[name][0] for name in ("components", "components, ridge", "inscape denoise")}
        measured_rows.append([f"{errors(found, true, gaps)[0]:.4f}{note}" for found, note in tables.values()])
        filled_rows.append([f"{errors(found, true, gaps)[1]:.4f}" for found in fills.values()])
        inside = np.abs(clean - true) <= deviation
        shares = [100 * inside[bins].mean() for bins in (~gaps, gaps)]
        trust_rows.append([f"{share:.1f} %" for share in (*shares, 100 * foreign.mean())])
    table("error of measured bins", list(tables), measured_rows)
    table("error of filled bins", list(fills), filled_rows)
    table("within one standard deviation", ["measured", "filled", "called foreign"], trust_rows)


def measurements(folder: Path) -> dict[str, xr.Dataset]:
    """Densities of states with variances."""
    vanadium = read(folder / "V-iqe.h5")
    options = {"mass": 50.94, "temperature": 300.0, "elastic": 6.7, "top": 40.0}
    return {
        "graphite": read(folder / "graphite-Ei_130-dos.h5", kind=DOS),
        "vanadium": dos_from_map(vanadium, **options).dos,
    }


def on_measurements(folder: Path, denoiser: Denoiser, pictures: Path | None) -> None:
    """Print χ² of each density of states and method, and draw the spectra."""
    heads = ("spectrum", "bins", "as measured", *METHODS, "inscape denoise", "foreign")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, data in measurements(folder).items():
        variances = data["variance"].values
        known = variances > 0
        sigma = np.sqrt(np.where(known, variances, np.nan))
        raw = ours = 0.0
        scores = {method: np.zeros(len(grid)) for method, (_, grid) in METHODS.items()}
        for seed in range(HALVES):
            noise = np.random.default_rng(seed).normal(size=sigma.shape) * sigma
            one, other = data["intensity"].values + noise, data["intensity"].values - noise
            half = make_measured(one, 2 * sigma**2, energy_edges=data["energy_edges"].values)
            found = denoise(half, denoiser=denoiser)
            raw += chi_square(one, other, 2 * sigma**2) / HALVES
            ours += chi_square(found["clean"].values, other, 2 * sigma**2) / HALVES
            for method, (function, grid) in METHODS.items():
                scores[method] += [
                    chi_square(function(one[None], *p)[0], other, 2 * sigma**2) / HALVES for p in grid
                ]  # fmt: skip
        row = [f"{raw:.3f}", *(f"{score.min():.3f}" for score in scores.values()), f"{ours:.3f}"]
        print(f"| {name} | {known.sum()} | {' | '.join(row)} | {found.attrs['foreign_reason'] or 'no'} |", flush=True)
        if pictures is not None:
            draw(found, pictures / f"denoise-dos-{name}.png")


def draw(found: xr.Dataset, path: Path) -> None:
    """One half of a measurement, and what is made of it."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    ax = figure.subplots()
    edges, clean, spread = found["energy_edges"].values, found["clean"].values, found["uncertainty"].values
    error = np.sqrt(found["variance"].values)
    ax.errorbar(centres(edges), found["intensity"], error, fmt=".", color="0.6", label="one half")
    ax.stairs(clean, edges, color="k", baseline=None, label="inscape denoise")
    ax.stairs(clean + spread, edges, baseline=clean - spread, fill=True, color="k", alpha=0.2)
    ax.set(xlabel="energy (meV)", ylabel="density of states", xlim=(edges[0], edges[-1]))
    ax.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print, draw."""
    options = arguments()
    denoiser = shipped_denoiser(DOS) if options.weights is None else Denoiser.load(options.weights)
    if options.only != "measured":
        on_library(options.library, denoiser, options.limit, options.learned)
    if options.only != "library":
        on_measurements(options.measured, denoiser, options.pictures)


if __name__ == "__main__":
    main()
