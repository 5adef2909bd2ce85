"""Cleaning and filling of powder maps against classical methods, on library spectra and on measurements.

    python benchmarks/denoise.py LIBRARY MEASURED [--weights FILE] [--pictures FOLDER] [--only PART]

LIBRARY: maps S(|Q|,E) of validation crystals at 10 K as ARCS reaches them, with an incident energy of 1.25 times the
top of each crystal's spectrum: |Q| from 0.5 to 8.1 1/Å in 38 bins, energies from 0.05 to 0.95 E_i in 80, a resolution
of σ = 0.015 E_i, and 10² to 10⁵ counts in the bins that are reached. The error is ‖p − t‖²/‖t‖², of measured bins the
mean over crystals, of gaps one number for those of all crystals. Widths, weights and numbers of components are the best
at each dose on tuning crystals. Components are of training maps made in the same way, fitted to the measured bins,
plainly or with a ridge of their variances; the network was trained on others and is one for all.

MEASURED: the folder of the HDF5 histograms of multiphonon. Of a map x with variances σ², two halves x ± ε with
ε ~ N(0, σ²) are independent and have variances 2σ². One is cleaned and χ² a bin taken against the other: a perfect map
would have 1, and a half that is left as it is has 2. Classical methods have the width, weight or rank that is best by
this very number. Bins whose variance is below a hundredth of the median of the 25 around are left out: single events at
borders, of which the variance is no estimate, and which would be all of χ².
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from scipy.interpolate import griddata
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.restoration import denoise_tv_chambolle

from inscape.autoencoders import PCA, corrupt
from inscape.autoencoders.corruptions import Poisson
from inscape.library import Library
from inscape.measured import MAP, Denoiser, denoise, make_measured, read, shipped_denoiser
from inscape.plots import hatch_filled
from inscape.scattering import Setting, instrument, to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin
from inscape.structure_model.train import training_ids

DOSES = (1e2, 1e3, 1e4, 1e5)
Q_EDGES = 0.5 + 0.2 * np.arange(39)
ENERGIES = np.linspace(0.05, 0.95, 81)  # in E_i
WIDTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
TV_WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
COMPONENTS = (2, 4, 8, 16, 32, 64, 128)
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
RANKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
TUNE = 24
FILES = ("Al-iqe.h5", "V-iqe.h5", "graphite-Ei_30-iqe.h5", "graphite-Ei_130-iqe.h5")
HALVES = 3
LEAST = 0.01
Array = np.ndarray


# -------------------------------------------------------------------------------------------------- classical methods


def smoothing(values: Array, q: float, energy: float, weights: Array | None = None) -> Array:
    """Mean of the measured bins under a Gaussian, weighted if so asked; the nearest one where there are none."""
    known = ~np.isnan(values)
    weights = np.where(known, 1.0 if weights is None else weights, 0.0)
    if not (q or energy):
        return nearest(values)
    weight = gaussian_filter(weights, (q, energy), mode="constant")
    found = gaussian_filter(np.where(known, values, 0.0) * weights, (q, energy), mode="constant")
    reached = gaussian_filter(known.astype(float), (q, energy), mode="constant") > 1e-6
    return nearest(np.where(reached, found / np.where(reached, weight, 1.0), np.nan))


def nearest(values: Array) -> Array:
    """Gaps take the value of the nearest bin that has one."""
    place = distance_transform_edt(np.isnan(values), return_distances=False, return_indices=True)
    return values[tuple(place)]


def linear(values: Array) -> Array:
    """Gaps are interpolated linearly; beyond the outermost bins, the nearest."""
    known = ~np.isnan(values)
    places = np.argwhere(known)
    found = griddata(places, values[known], np.argwhere(~known), method="linear")
    filled = values.copy()
    filled[~known] = found
    return nearest(filled)


def total_variation(values: Array, weight: float, roots: bool) -> Array:
    """Total-variation denoising of the map with gaps filled by the nearest, or of its square roots."""
    filled = nearest(values)
    start = np.sqrt(filled.clip(0)) if roots else filled
    size = start.std()
    found = size * denoise_tv_chambolle(start / size, weight=weight, max_num_iter=60)
    return found**2 if roots else found


def low_rank(values: Array, rank: int) -> Array:
    """The map, its gaps filled by the nearest, projected on its first singular vectors."""
    u, s, v = np.linalg.svd(nearest(values), full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ v[:rank]


class Components:
    """Principal components of training maps, fitted to the measured bins with a ridge of their variances."""

    def __init__(self, X: Array) -> None:
        most = min(max(COMPONENTS), X[0].size, len(X))
        pca = PCA(most, solver="randomised", random_state=0).fit(X.reshape(len(X), -1))
        self.mean, self.axes = pca.mean_.astype(float), pca.components_.astype(float)
        codes = (X.reshape(len(X), -1) - pca.mean_) @ pca.components_.T
        self.variances = codes.var(axis=0)

    def __call__(self, values: Array, count: int, ridge: float) -> Array:
        flat = values.ravel()
        known = ~np.isnan(flat)
        axes = self.axes[:count, known]
        size = np.nanmean(flat) / self.mean[known].mean()  # training maps have a mean of 1, gaps included
        normal = axes @ axes.T + np.diag(ridge / self.variances[:count])
        code = np.linalg.solve(normal, axes @ (flat[known] / size - self.mean[known]))
        return (size * (code @ self.axes[:count] + self.mean)).clip(0).reshape(values.shape)


# ------------------------------------------------------------------------------------------------------ library maps


def maps(library: Library, names: Iterable[str]) -> tuple[Array, Array]:
    """True maps of mean 1, shape (n, 38, 80), and what is not reached, the same, bool."""
    q, edges = centres(native_q_edges()), native_energy_edges()
    arcs = instrument("ARCS", e_i=100.0)
    true, gaps = [], []
    for name in names:
        reduced = library.arrays(name, "powder")["powder"].astype(float)
        area = np.cumsum(reduced[10:].mean(axis=0) * np.diff(edges))
        incident = 1.25 * edges[1 + np.searchsorted(area, 0.999 * area[-1])]
        scattering = to_scattering(reduced * q[:, None] ** 2, centres(edges), 10.0)
        fine = rebin(rebin(scattering, edges, incident * ENERGIES), native_q_edges(), Q_EDGES, axis=0)
        found = gaussian_filter(fine, (0, 0.015 / np.diff(ENERGIES)[0]))
        true.append(np.maximum(found, 0) / found.mean())  # rebinning leaves −10⁻¹⁵
        setting = Setting("ARCS", "direct", float(incident), arcs.angles)
        gaps.append(~setting.reach(Q_EDGES, incident * ENERGIES))
    return np.array(true, np.float32), np.array(gaps)


def errors(found: Array, true: Array, gaps: Array) -> tuple[float, float]:
    """Squared error of measured bins, in that of 0, mean over maps; and of gaps, in that of 0, of all maps together."""
    square = (found - true) ** 2
    measured = np.mean((square * ~gaps).sum((1, 2)) / (true**2 * ~gaps).sum((1, 2)))
    return float(measured), float(square[gaps].sum() / (true[gaps] ** 2).sum())


def all_of(method: Callable[..., Array], noisy: Array, *parameters: float) -> Array:
    """A method on each map."""
    return np.array([method(x, *parameters) for x in noisy])


def best(
    method: Callable[..., Array], grid: Iterable[tuple[float, ...]], noisy: Array, true: Array, gaps: Array
) -> tuple[float, ...]:
    """The parameters with the least error of measured bins."""
    return min(grid, key=lambda p: errors(all_of(method, noisy, *p), true, gaps)[0])


def cleaned(denoiser: Denoiser, noisy: Array, variances: Array) -> tuple[Array, Array, Array]:
    """Clean maps, standard deviations, and which were called foreign."""
    found = [denoiser.clean(x, v) for x, v in zip(noisy.astype(float), variances.astype(float), strict=True)]
    foreign = []
    for x, v, (clean, _, code) in zip(noisy, variances, found, strict=True):
        signs = denoiser.signs(x, clean, v, code)
        foreign.append(signs["structure"] > signs["structure_usual"] or signs["distance"] > signs["distance_usual"])
    return np.array([f[0] for f in found]), np.array([f[1] for f in found]), np.array(foreign)


def on_library(path: Path, denoiser: Denoiser, pictures: Path | None, limit: int | None, learned: int | None) -> None:
    """Print the tables of library spectra."""
    library = Library(path)
    learn, tune = training_ids(library, 40)
    components = Components(maps(library, learn[:learned])[0])
    held_out, held_gaps = maps(library, tune[:TUNE])
    true, gaps = maps(library, library.select("val", max_atoms=40)[:limit])
    print(f"{len(true)} maps, {100 * gaps.mean():.0f} % of bins not reached\n")
    measured_rows, filled_rows, trust_rows, shown = [], [], [], []
    for dose in DOSES:
        seen, noisy = (
            corrupt(np.where(g, np.nan, t).reshape(len(t), -1), Poisson(dose), random_state=1).reshape(t.shape)
            for t, g in ((held_out, held_gaps), (true, gaps))
        )
        unit = (true * ~gaps).sum((1, 2), keepdims=True) / dose  # of one count
        clean, deviation, foreign = cleaned(denoiser, noisy, noisy * unit)
        tables: dict[str, tuple[Array, str]] = {"as measured": (all_of(nearest, noisy), "")}
        methods: dict[str, tuple[Callable[..., Array], list[tuple[float, ...]]]] = {
            "smoothing": (smoothing, list(product(WIDTHS, WIDTHS))),
            "total variation": (total_variation, list(product(TV_WEIGHTS, (False, True)))),
            "components": (components, [(count, 1e-6) for count in COMPONENTS]),
            "components, ridge": (components, list(product(COMPONENTS, RIDGES))),
        }
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
        shown.append([true[0], np.where(gaps[0], np.nan, noisy[0]), *(x[0][0] for x in list(tables.values())[1:])])
    table("error of measured bins", list(tables), measured_rows)
    table("error of filled bins", list(fills), filled_rows)
    table("within one standard deviation", ["measured", "filled", "called foreign"], trust_rows)
    if pictures is not None:
        draw_library(shown, gaps[0], pictures / "denoise-library.png")


def table(title: str, heads: list[str], rows: list[list[str]]) -> None:
    """A Markdown table, a row a dose."""
    print(f"{title}\n\n| counts | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    for dose, row in zip(DOSES, rows, strict=True):
        print(f"| {dose:.0e} | {' | '.join(row)} |")
    print(flush=True)


def draw_library(shown: list[list[Array]], gaps: Array, path: Path) -> None:
    """The first validation crystal, a row a dose; the last column is filled where the second is blank."""
    titles = ("true", "as measured", "smoothing", "total variation", "components", "and ridge", "inscape denoise")
    figure = Figure(figsize=(12, 2 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), len(titles), sharex=True, sharey=True)
    for row, maps_of_row, dose in zip(axes, shown, DOSES, strict=True):
        norm = LogNorm(maps_of_row[0].max() * 3e-3, maps_of_row[0].max())
        for ax, values in zip(row, maps_of_row, strict=True):
            ax.pcolormesh(Q_EDGES, ENERGIES, values.T.clip(norm.vmin), norm=norm, cmap="magma", rasterized=True)
        row[0].set_ylabel(f"{dose:.0e} counts\n$E/E_i$", fontsize="small")
        for ax in row[2:]:
            ax.contour(centres(Q_EDGES), centres(ENERGIES), gaps.T, levels=[0.5], colors="white", linewidths=0.6)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize="medium")
    for ax in axes[-1]:
        ax.set_xlabel("|Q| (1/Å)", fontsize="small")
    figure.savefig(path, dpi=110)


# ----------------------------------------------------------------------------------------------------- measured maps


def halves(data: xr.Dataset, seed: int) -> tuple[Array, Array, Array]:
    """Two independent measurements of a map and their variances, of the bins whose variance is an estimate."""
    variances = data["variance"].values
    around = np.lib.stride_tricks.sliding_window_view(np.pad(variances, 2, constant_values=np.nan), (5, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # windows without any
        usable = variances >= LEAST * np.nanmedian(around, axis=(2, 3))
    variances = np.where(usable, variances, np.nan)
    x = np.where(usable, data["intensity"].values, np.nan)
    noise = np.random.default_rng(seed).normal(size=x.shape) * np.sqrt(variances)
    return x + noise, x - noise, 2 * variances


def chi_square(found: Array, other: Array, variances: Array) -> float:
    """Mean of the squared residual over its variance."""
    return float(np.nanmean((found - other) ** 2 / variances))


def on_measurements(folder: Path, denoiser: Denoiser, pictures: Path | None) -> None:
    """Print χ² of each map and method, and draw the maps side by side."""
    methods = ("smoothing", "total variation", "low rank", "inscape denoise")
    heads = ("map", "bins left out", "as measured", *methods, "foreign")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for file in FILES:
        data = read(folder / file, kind=MAP)
        grids: dict[str, list[Callable[[Array, Array], Array]]] = {
            "smoothing": [
                lambda x, v, q=q, e=e, w=w: smoothing(x, q, e, 1 / v if w else None)  # type: ignore[misc]
                for q, e, w in product(WIDTHS, WIDTHS, (False, True))
            ],
            "total variation": [
                lambda x, _, t=t, r=r: total_variation(x, t, r)  # type: ignore[misc]
                for t, r in product((0.003, 0.01, *TV_WEIGHTS), (False, True))
            ],
            "low rank": [lambda x, _, k=k: low_rank(x, k) for k in RANKS],  # type: ignore[misc]
        }
        scores: dict[str, Array] = {name: np.zeros(len(grid)) for name, grid in grids.items()}
        raw = ours = 0.0
        for seed in range(HALVES):
            one, other, variances = halves(data, seed)
            edges = {name: data[name].values for name in ("q_edges", "energy_edges")}
            half = make_measured(one, variances, **edges)
            found = denoise(half, denoiser=denoiser)
            raw += chi_square(one, other, variances) / HALVES
            ours += chi_square(found["clean"].values, other, variances) / HALVES
            for name, grid in grids.items():
                scores[name] += [chi_square(method(one, variances), other, variances) / HALVES for method in grid]
        row = [f"{raw:.3f}", *(f"{score.min():.3f}" for score in scores.values()), f"{ours:.3f}"]
        foreign = found.attrs["foreign_reason"] or "no"
        left_out = int(data["intensity"].notnull().sum()) - int(np.isfinite(one).sum())
        print(f"| {file.removesuffix('-iqe.h5')} | {left_out} | {' | '.join(row)} | {foreign} |", flush=True)
        if pictures is not None:
            columns = {"one half": one}
            columns |= {name: grid[int(scores[name].argmin())](one, variances) for name, grid in grids.items()}
            draw_measured(found, columns, pictures / f"denoise-{file.removesuffix('-iqe.h5')}.png")


def draw_measured(found: xr.Dataset, columns: dict[str, Array], path: Path) -> None:
    """One half of a measurement and what the methods make of it; filled bins of ours are hatched."""
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    axes = figure.subplots(1, len(columns) + 1, sharex=True, sharey=True)
    gaps = found["filled"].values
    top = float(np.nanpercentile(columns["one half"], 99))
    norm = LogNorm(top / 300, top)
    shown = {name: np.where(gaps, np.nan, values) for name, values in columns.items()}
    for ax, (name, values) in zip(axes, {**shown, "inscape denoise": found["clean"].values}.items(), strict=True):
        ax.pcolormesh(
            found["q_edges"], found["energy_edges"], values.T.clip(norm.vmin), norm=norm, cmap="magma", rasterized=True
        )
        ax.set_title(name, fontsize="medium")
        ax.set_xlabel("|Q| (1/Å)", fontsize="small")
    hatch_filled(axes[-1], found)
    axes[0].set_ylabel("energy (meV)", fontsize="small")
    figure.savefig(path, dpi=110)


def arguments() -> argparse.Namespace:
    """What may be given on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", type=Path)
    parser.add_argument("measured", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--only", choices=("library", "measured"))
    parser.add_argument("--limit", type=int, help="validation crystals; all unless given")
    parser.add_argument("--learned", type=int, help="training crystals of components; all unless given")
    return parser.parse_args()


def main() -> None:
    """Measure, print, draw."""
    options = arguments()
    denoiser = shipped_denoiser() if options.weights is None else Denoiser.load(options.weights)
    if options.only != "measured":
        on_library(options.library, denoiser, options.pictures, options.limit, options.learned)
    if options.only != "library":
        on_measurements(options.measured, denoiser, options.pictures)


if __name__ == "__main__":
    main()
