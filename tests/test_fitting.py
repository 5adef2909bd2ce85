"""Theory laid over measurements, and densities of states out of them: what was put in is found again, with errors."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import inscape
from inscape.cli import app
from inscape.errors import DataError
from inscape.measured import make_measured
from inscape.measured.density_of_states import distance, dos_from_map, mean_mass
from inscape.measured.fitting import fit_theory, theory_on_bins
from inscape.plots import Cut, dos_figure, fit_figure
from inscape.plots.measured import average
from inscape.scattering import Instrument, phonon_orders_of_density_of_states, with_energy_gain
from inscape.spectra import centres
from inscape.units import boltzmann
from measured_files import write_histogram
from test_compare import build

REAL = Path(__file__).parents[2] / "shared" / "data" / "measured"

Q = np.linspace(0, 8, 21)
ENERGY = np.linspace(-20, 58, 40)
MASS, KELVIN = 50.0, 300.0


class Broad(Instrument):
    """Everything is seen, 2 meV wide."""

    def __init__(self):
        super().__init__("broad", "direct", 80.0, ((0.0, 180.0),))

    def sigma(self, energy):
        return np.full(np.shape(energy), 2.0)


def empty(values=None, variance=None, *, q=Q, energy=ENERGY):
    shape = (len(q) - 1, len(energy) - 1)
    values = np.zeros(shape) if values is None else values
    return make_measured(values, np.ones(shape) if variance is None else variance, energy_edges=energy, q_edges=q)


@pytest.fixture(scope="module")
def theory():
    return build()


@pytest.fixture(scope="module")
def expected(theory):
    return theory_on_bins(empty(), theory, Broad())


def noisy(expected, seed=0, *, scale=3.0, slope=0.5, sigma=0.3):
    """A measurement: theory, a background of 2 + slope·x over 10 to 50 meV, noise; and no detector in a corner."""
    x = (centres(ENERGY) - 30) / 20
    noise = np.random.default_rng(seed).normal(size=expected.shape)
    values = scale * expected + 2 + slope * x + sigma * noise
    values[:5, 30:] = np.nan
    return empty(values, np.full(values.shape, sigma**2))


# --------------------------------------------------------------------------------------------------------------- fits


def test_the_area_of_theory_is_kept(theory):
    fine = theory.powder.values.astype(float)
    area = (fine * np.diff(theory.dataset["energy_edges"])).sum(axis=1) @ np.diff(theory.dataset["q_edges"])
    found = theory_on_bins(empty(q=np.linspace(0, 10, 8), energy=np.linspace(0, 60, 14)), theory)
    assert (found * 60 / 13).sum(axis=1) @ np.full(7, 10 / 7) == pytest.approx(area, rel=1e-5)


def test_energy_gain_is_in_detailed_balance(theory):
    found = theory_on_bins(empty(energy=np.linspace(-30, 30, 121)), theory)
    energy = centres(np.linspace(0, 30, 61))
    np.testing.assert_allclose(found[:, :60][:, ::-1], found[:, 60:] * boltzmann(energy, 100.0), rtol=1e-5)


def test_bins_that_theory_does_not_cover_are_none(theory):
    found = theory_on_bins(empty(q=np.linspace(8, 12, 5), energy=np.linspace(50, 70, 5)), theory)
    np.testing.assert_array_equal(np.isfinite(found), np.outer([1, 1, 0, 0], [1, 1, 0, 0]))


def test_scale_and_background_are_found_exactly_without_noise(theory, expected):
    found = fit_theory(noisy(expected, sigma=1e-9), theory, instrument=Broad(), energy_range=(10, 50))
    assert found.scale == pytest.approx(3.0)
    np.testing.assert_allclose(found.background, [2.0, 0.5], rtol=1e-6)


def test_errors_are_the_spread_over_repeated_measurements(theory, expected):
    fits = [fit_theory(noisy(expected, s), theory, instrument=Broad(), energy_range=(10, 50)) for s in range(60)]
    scales = np.array([fit.scale for fit in fits])
    backgrounds = np.stack([fit.background for fit in fits])
    assert scales.std() == pytest.approx(fits[0].scale_error, rel=0.3)
    np.testing.assert_allclose(backgrounds.std(axis=0), fits[0].background_errors, rtol=0.3)
    assert abs(scales.mean() - 3.0) < 4 * fits[0].scale_error / np.sqrt(60)
    chi = np.array([fit.reduced_chi_square for fit in fits])
    assert chi.mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / fits[0].n_bins / 60))


def test_the_resolution_is_that_of_the_instrument(theory, expected):
    measured = noisy(expected, sigma=0.1)
    right = fit_theory(measured, theory, instrument=Broad(), energy_range=(10, 50))
    wrong = fit_theory(measured, theory, energy_range=(10, 50))
    assert right.reduced_chi_square == pytest.approx(1.0, abs=0.2)
    assert wrong.reduced_chi_square > 2


def test_what_was_not_measured_plays_no_part(theory, expected):
    measured = noisy(expected)
    changed = measured.copy(deep=True)
    changed["variance"].values[10:, :] = np.nan
    changed["variance"].values[:10, 12] = 0.0
    found = fit_theory(changed, theory, instrument=Broad(), energy_range=(10, 50))
    assert found.n_bins < fit_theory(measured, theory, instrument=Broad(), energy_range=(10, 50)).n_bins
    assert "without a variance" in found.notes[0]
    assert "one phonon only" in found.notes[1]
    cold = fit_theory(changed.assign_attrs(temperature_K=10.0), theory, energy_range=(10, 50))
    assert any("measured at 10 K, the theory is at 100 K" in text for text in cold.notes)
    assert np.isnan(found.spectra["residual"].values[:5, 30:]).all()
    assert np.isnan(found.spectra["residual"].values[:, centres(ENERGY) < 10]).all()


def test_without_variances_errors_follow_from_the_residuals(theory, expected):
    measured = noisy(expected)
    known = fit_theory(measured, theory, instrument=Broad(), energy_range=(10, 50))
    unknown = fit_theory(
        measured.assign(variance=np.nan * measured["variance"]), theory, instrument=Broad(), energy_range=(10, 50)
    )
    assert unknown.scale == pytest.approx(known.scale)
    assert unknown.scale_error == pytest.approx(known.scale_error, rel=0.1)
    assert np.isnan(unknown.reduced_chi_square)
    assert unknown.to_dict()["reduced_chi_square"] is None


def test_a_density_of_states_is_fitted_too(theory):
    edges = np.linspace(0, 60, 61)
    measured = make_measured(np.zeros(60), np.ones(60), energy_edges=edges)
    measured["intensity"].values[:] = 0.1 * theory_on_bins(measured, theory)
    found = fit_theory(measured, theory, background=-1)
    assert found.scale == pytest.approx(0.1)
    assert found.reduced_chi_square == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"background": 12}, "degree 12"),
        ({"energy_range": (50.0, 10.0)}, "no range"),
        ({"energy_range": (56.0, 57.0)}, "share 0 bins"),
        ({"q_range": (20.0, 30.0)}, "share 0 bins"),
    ],
)
def test_fits_that_are_refused(theory, expected, options, words):
    with pytest.raises(DataError, match=words):
        fit_theory(noisy(expected), theory, **options)


def test_theory_without_the_kind_is_refused(expected):
    with pytest.raises(DataError, match="no powder map"):
        fit_theory(noisy(expected), build(without=("powder",)))


def test_a_cut_is_the_mean_of_what_was_fitted(theory, expected):
    spectra = fit_theory(noisy(expected), theory, instrument=Broad(), energy_range=(10, 50)).spectra
    values, error, model = average(spectra, Cut("q", 2.0, 4.0))
    rows = slice(5, 10)
    used = np.isfinite(spectra["residual"].values[rows]).all(axis=0)
    np.testing.assert_allclose(values[used], spectra["intensity"].values[rows].mean(axis=0)[used])
    np.testing.assert_allclose(model[used], spectra["model"].values[rows].mean(axis=0)[used])
    np.testing.assert_allclose(error[used], 0.3 / np.sqrt(5))


def test_compare_fits_to_a_measured_file(tmp_path, theory, expected):
    measured = noisy(expected)
    path = write_histogram(
        tmp_path / "m.h5", np.nan_to_num(measured["intensity"].values), measured["variance"].values, q=Q, energy=ENERGY
    )
    theory.save(tmp_path / "t.nc")
    arguments = ["compare", path, tmp_path / "t.nc", "--ei", "80", "--fit", "e=10:50", "--fit", "q=2:8"]
    shown = CliRunner().invoke(app, [str(a) for a in [*arguments, "--plot", tmp_path / "fit.png"]])
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "fit.png").stat().st_size > 10_000
    assert "reduced χ²" in shown.output
    found = json.loads(CliRunner().invoke(app, [str(a) for a in [*arguments, "--json"]]).stdout)["fits"][0]
    assert found["energy_range_meV"] == [10.0, 50.0]
    refused = CliRunner().invoke(app, ["compare", *[str(tmp_path / "t.nc")] * 2, "--ei", "80"])
    assert isinstance(refused.exception, DataError)


def test_figures_of_fits(theory, expected):
    found = fit_theory(noisy(expected), theory, instrument=Broad(), energy_range=(10, 50))
    figure = fit_figure(found.spectra, ["a line"], cuts=[Cut("q", 2.0, 4.0)])
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert {"Measured", "Residual", "|Q| = 2 to 4 1/Å"} <= set(titles)
    named = noisy(expected).assign_attrs(instrument="ARCS")
    assert "ARCS" not in fit_figure(fit_theory(named, theory).spectra, []).get_suptitle()


# -------------------------------------------------------------------------------------------------- density of states

EDGES = np.arange(-10.0, 61.0, 1.0)
TRUE_EDGES = np.arange(0.0, 61.0)


def true_dos():
    energy = centres(TRUE_EDGES)
    dos = np.where(energy < 20, energy**2 / 400, 0.4) + np.exp(-(((energy - 27) / 2) ** 2))
    dos[energy > 33] = 0.0
    return dos * 3 / dos.sum()


def incoherent_map():
    """A map of an incoherent scatterer, all numbers of phonons, with variances in proportion and kinematic limits."""
    q, scale = np.linspace(0, 9, 46), 7.0
    orders = phonon_orders_of_density_of_states(
        true_dos()[None], TRUE_EDGES, np.array([MASS]), TRUE_EDGES, KELVIN, order=8
    )
    loss = scale * orders.on_grid(centres(q), np.ones(1)).sum(axis=0)
    values = with_energy_gain(loss, EDGES, KELVIN)
    values[:, np.abs(centres(EDGES)) < 3] += 100.0  # an elastic line
    values[centres(q)[:, None] < 0.03 * np.abs(centres(EDGES))] = np.nan
    return make_measured(values, 0.01 * values, energy_edges=EDGES, q_edges=q)


def test_the_density_of_states_of_a_map_is_that_it_was_made_from():
    found = dos_from_map(incoherent_map(), mass=MASS, temperature=KELVIN, elastic=4.0, top=33.0)
    assert found.converged
    dos, edges = found.dos["intensity"].values, found.dos["energy_edges"].values
    assert (dos * np.diff(edges)).sum() == pytest.approx(3.0)
    np.testing.assert_allclose(dos, true_dos()[: len(dos)], atol=0.01 * true_dos().max())
    assert found.many_share > 0.1


def test_many_phonons_matter_and_are_taken_off():
    measured = incoherent_map()
    found = dos_from_map(measured, mass=MASS, temperature=KELVIN, elastic=4.0, top=33.0)
    true = make_measured(true_dos(), None, energy_edges=TRUE_EDGES)
    assert distance(found.dos, true) < 0.05
    heavy = dos_from_map(measured, mass=7 * MASS, temperature=KELVIN, elastic=4.0, top=33.0)  # hardly any many
    assert distance(heavy.dos, true) > 0.2


def test_errors_of_the_density_of_states_are_its_spread():
    clean, rng = incoherent_map(), np.random.default_rng(3)
    found = []
    for _ in range(40):
        noise = rng.normal(size=clean["intensity"].shape) * np.sqrt(clean["variance"].values)
        dos = dos_from_map(
            clean.assign(intensity=clean["intensity"] + noise), mass=MASS, temperature=KELVIN, elastic=4.0, top=33.0
        ).dos
        found.append(dos["intensity"].values)
    expected = np.sqrt(dos["variance"].values)
    known = np.isfinite(expected)
    ratio = np.std(found, axis=0)[known] / expected[known]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.15)


def test_what_lies_beyond_the_map_is_joined_on():
    whole = make_measured(0.2 * true_dos(), None, energy_edges=TRUE_EDGES)
    found = dos_from_map(incoherent_map(), mass=MASS, temperature=KELVIN, elastic=4.0, top=24.0, beyond=whole)
    dos = found.dos["intensity"].values
    np.testing.assert_allclose(dos, true_dos()[: len(dos)], atol=0.03 * true_dos().max())
    assert np.isnan(found.dos["variance"].values[24:]).all()


def test_edges_that_miss_zero_by_rounding_make_no_other_bins():
    exact = incoherent_map()
    rounded = exact.assign(energy_edges=exact["energy_edges"] + 1e-14)
    a, b = (dos_from_map(x, mass=MASS, temperature=KELVIN, elastic=4.0, top=33.0).dos for x in (exact, rounded))
    np.testing.assert_allclose(b["energy_edges"], a["energy_edges"], atol=1e-12)
    np.testing.assert_allclose(b["intensity"], a["intensity"], rtol=1e-3)


def test_the_distance_of_a_shift_is_the_shift():
    a = make_measured(true_dos(), None, energy_edges=TRUE_EDGES)
    b = make_measured(2 * true_dos(), None, energy_edges=TRUE_EDGES + 0.7)
    assert distance(a, b) == pytest.approx(0.7, abs=0.01)


def test_a_map_that_begins_above_the_elastic_line():
    whole = incoherent_map()
    cut_off = make_measured(
        whole["intensity"].values[:, 13:], whole["variance"].values[:, 13:], energy_edges=EDGES[13:],
        q_edges=whole["q_edges"].values,
    )  # fmt: skip
    a, b = (dos_from_map(x, mass=MASS, temperature=KELVIN, elastic=4.0, top=33.0).dos for x in (whole, cut_off))
    assert distance(a, b) < 0.02


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mass": -1.0}, "mass is -1.0"),
        ({"elastic": 40.0}, "elastic line ends at 40"),
        ({"top": 8.0}, "only 4 bins"),
        ({"q_range": (20.0, 30.0)}, "no bin of the map"),
        ({"multiple_scattering": -1.0}, "multiple scattering is -1"),
    ],
)
def test_densities_of_states_that_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        dos_from_map(incoherent_map(), **{"mass": MASS, "temperature": KELVIN, "elastic": 4.0, "top": 33.0, **options})


@pytest.mark.skipif(not REAL.is_dir(), reason="the measured sample data are not here")
def test_published_densities_of_states_are_found_in_their_maps():
    vanadium = dos_from_map(
        inscape.read(REAL / "V-iqe.h5"), mass=mean_mass("V"), temperature=300.0, elastic=6.7, top=40.0
    )
    assert distance(vanadium.dos, inscape.read(REAL / "V-dos.dat")) < 1.5
    published = inscape.read(REAL / "graphite-Ei_130-dos.h5")
    graphite = dos_from_map(
        inscape.read(REAL / "graphite-Ei_130-iqe.h5"),
        mass=mean_mass("C"),
        temperature=300.0,
        elastic=15.0,
        top=100.0,
        beyond=published,
    )
    assert distance(graphite.dos, published, 100.0) < 0.5


def test_a_map_without_energy_loss_is_refused():
    values = np.ones((5, 10))
    measured = make_measured(values, values, energy_edges=np.linspace(-20, 0, 11), q_edges=np.linspace(0, 5, 6))
    with pytest.raises(DataError, match="no energy loss"):
        dos_from_map(measured, mass=MASS, temperature=KELVIN, elastic=4.0, top=33.0)


def test_the_mass_of_a_formula():
    assert mean_mass("V") == pytest.approx(50.94, abs=0.01)
    sections = np.array([2 * 1.503, 3 * 4.232])
    expected = sections.sum() / (sections / [26.98, 15.999]).sum()
    assert mean_mass("Al2O3") == pytest.approx(expected, rel=2e-3)
    with pytest.raises(DataError, match="no chemical formula"):
        mean_mass("not a formula")


def test_the_command_writes_density_and_figure(tmp_path):
    path = inscape.write(incoherent_map(), tmp_path / "map.nc")
    true = inscape.write(make_measured(true_dos(), None, energy_edges=TRUE_EDGES), tmp_path / "true.csv")
    arguments = ["dos", path, "--mass", MASS, "--temperature", KELVIN, "--elastic", 4, "--top", 33, "--reference", true]
    arguments += ["--output", tmp_path / "dos.csv", "--plot", tmp_path / "dos.png", "--q", "1:9"]
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    assert "Wasserstein-1 to true.csv: 0.0" in done.output
    assert inscape.read(tmp_path / "dos.csv").attrs["kind"] == "density of states"
    assert (tmp_path / "dos.png").stat().st_size > 10_000
    both = CliRunner().invoke(app, [str(a) for a in [*arguments, "--formula", "V"]])
    assert isinstance(both.exception, DataError)


def test_the_figure_of_a_density_of_states():
    found = dos_from_map(incoherent_map(), mass=MASS, temperature=KELVIN, elastic=4.0, top=33.0)
    left, middle, _ = dos_figure(found.dos, found.spectra, ["a line"]).axes
    assert left.get_ylabel() == "Density of states (1/meV per atom)"
    assert middle.get_xlim()[1] < 33
