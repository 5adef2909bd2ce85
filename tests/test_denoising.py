"""Cleaning and filling of maps and spectra: gaps have no say, what has no noise stays, filled bins are marked."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

import inscape
from inscape.autoencoders.corruptions import Poisson
from inscape.errors import DataError, WeightsError
from inscape.measured import Denoiser, make_measured, read, save_cleaned, shipped_denoiser, train_denoiser
from inscape.measured.foreign import structure_left
from inscape.measured.network import Cleaner, kept
from inscape.measured.observing import Counting
from inscape.measured.resampling import bring_back, even_edges, resample

torch.set_num_threads(1)

Q, ENERGY = np.linspace(0.5, 8.5, 41), np.linspace(-20, 60, 81)
DOS_ENERGY = np.linspace(0, 60, 81)


def truth():
    """A band that disperses and a flat one, growing with Q², on a flat background."""
    q, energy = np.meshgrid(0.5 * (Q[1:] + Q[:-1]), 0.5 * (ENERGY[1:] + ENERGY[:-1]), indexing="ij")
    band = np.exp(-0.5 * ((energy - 12 - 1.5 * np.cos(2 * q)) / 3) ** 2)
    return (q**2 / 20 + 0.2) * (band + 0.6 * np.exp(-0.5 * ((energy - 38) / 2) ** 2)) + 0.02


def measurement(counts=20_000, seed=0, gaps=True):
    """The truth as counted, with a corner that no detector reaches and a missing bank."""
    true = truth()
    unit = true.sum() / counts
    drawn = np.random.default_rng(seed).poisson(true / unit)
    values, variances = drawn * unit, drawn * unit**2
    if gaps:
        q, energy = np.meshgrid(np.arange(40), np.arange(80), indexing="ij")
        lost = (energy > 60 + q) | (q < 0.1 * energy) | (abs(q - 25) < 2)
        values, variances = (np.where(lost, np.nan, x) for x in (values, variances))
    return make_measured(values, variances, q_edges=Q, energy_edges=ENERGY, attributes={"source": "made"})


def dos_truth(edges=DOS_ENERGY):
    """A density of states, two bands beyond a parabola."""
    energy = 0.5 * (edges[1:] + edges[:-1])
    bands = np.exp(-0.5 * ((energy - 24) / 3) ** 2) + 0.7 * np.exp(-0.5 * ((energy - 40) / 2) ** 2)
    return bands + 0.2 * (energy / 15) ** 2 * np.exp(-((energy / 18) ** 4))


def dos_measurement(counts=5000, seed=0, lost=(), edges=DOS_ENERGY):
    """It as counted, without the bins ``lost``."""
    true = dos_truth(edges)
    unit = true.sum() / counts
    drawn = np.random.default_rng(seed).poisson(true / unit).astype(float)
    drawn[list(lost)] = np.nan
    return make_measured(drawn * unit, drawn * unit**2, energy_edges=edges)


def tensors(network):
    """Values and variances of a part of a map, or of one row, as the network takes them."""
    rows = slice(32) if network.axes == 2 else slice(30, 31)
    data = measurement()
    return tuple(torch.from_numpy(data[name].values[None, rows]).float() for name in ("intensity", "variance"))


def error(found):
    return float(((found - truth()) ** 2).sum() / (truth() ** 2).sum())


@pytest.fixture(params=[2, 1], ids=["map", "spectrum"])
def random(request):
    """A network that has learned nothing, so that every weight matters."""
    torch.manual_seed(3)
    network = Cleaner((4, 6, 8, 5), request.param)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


# ---------------------------------------------------------------------------------------------------------------- laws


def test_what_stands_under_a_gap_never_matters(random):
    values, variances = tensors(random)
    one = random(values, variances)
    again = random(values, torch.where(torch.isnan(values), 7.0, variances))
    for a, b in zip(one, again, strict=True):
        assert torch.equal(a, b)
        assert torch.isfinite(a).all()


def test_a_network_follows_the_unit_of_the_data(random):
    values, variances = tensors(random)
    clean, variance, code = random(values, variances)
    in_other, in_other_squared, same = random(values * 64, variances * 64**2)
    assert_allclose(in_other.detach(), 64 * clean.detach(), rtol=2e-4)
    assert_allclose(in_other_squared.detach(), 64**2 * variance.detach(), rtol=2e-3)
    assert_allclose(same.detach(), code.detach(), rtol=1e-3, atol=1e-5)


def test_a_network_stays_at_what_was_measured_where_there_is_no_noise(random):
    values, _ = tensors(random)
    clean, variance, _ = random(values, values * 0)
    known = ~torch.isnan(values)
    assert_allclose(clean[known].detach(), values[known], rtol=1e-5, atol=1e-6)
    assert (variance[known] == 0).all()


def test_a_clean_map_stays_as_it_is():
    data = make_measured(truth(), np.zeros_like(truth()), q_edges=Q, energy_edges=ENERGY)
    found = inscape.denoise(data)
    assert_allclose(found["clean"], truth(), rtol=1e-12)
    assert (found["uncertainty"] == 0).all()


def test_almost_no_noise_changes_almost_nothing():
    found = inscape.denoise(measurement(counts=10**9, gaps=False))
    assert error(found["clean"].values) < 1e-4


def test_an_expectation_is_scaled_to_hold_what_was_counted():
    x, expected = torch.full((1, 1, 4, 60), 3.0), torch.full((1, 1, 4, 60), 2.0)
    here = (torch.arange(60) < 30).float().expand_as(x)
    assert_allclose(kept(here, x, expected, 1e-9 * x)[0, 0, 0, :30], 1.5, rtol=1e-4)
    far = kept(here[..., :20], x[..., :20], expected[..., :20], 1e9 * x[..., :20])
    assert_allclose(far, 1.0, atol=1e-4)
    assert_allclose(kept(0 * here, x, expected, x), 1.0)


def test_counting_has_the_mean_and_the_variance_that_it_says():
    torch.manual_seed(0)
    true = torch.linspace(0.2, 3.0, 20).expand(40_000, 1, 20)
    lost = (torch.arange(20) == 7).expand_as(true)
    for counting in (Counting(Poisson(400.0)), Counting(Poisson(400.0), subtracted=1.0, power=1.5)):
        values, stated, expected = counting(true, lost)
        assert torch.isnan(values[..., 7]).all()
        known = ~lost[0, 0]
        assert_allclose(values[..., known].mean(0), true[0][..., known], atol=0.02)
        noise = ((values - true) ** 2)[..., known]
        assert_allclose(stated[..., known].mean(0), noise.mean(0), rtol=0.1)
        assert_allclose(expected[..., known].mean(0), noise.mean(0), rtol=0.15)  # of dark bins a little more


@pytest.mark.parametrize("counts", [300, 5000, 100_000])
def test_cleaning_brings_a_density_of_states_nearer_to_the_truth(counts):
    noisy, clean, inside = [], [], []
    for seed in range(3):
        data = dos_measurement(counts, seed)
        found = inscape.denoise(data)
        missed = np.abs(found["clean"].values - dos_truth())
        noisy.append(((data["intensity"].values - dos_truth()) ** 2).sum())
        clean.append((missed**2).sum())
        inside.append((missed < 2.5 * found["uncertainty"].values).mean())
    assert np.sum(clean) < 0.6 * np.sum(noisy)
    assert np.mean(inside) > 0.65


def test_gaps_of_a_density_of_states_are_filled_and_marked():
    lost = (30, 31, 52, 70)
    found = inscape.denoise(dos_measurement(20_000, lost=lost))
    assert np.flatnonzero(found["filled"].values).tolist() == list(lost)
    assert np.isnan(found["residual"].values[list(lost)]).all()
    assert_allclose(found["clean"].values[list(lost)], dos_truth()[list(lost)], atol=0.15)


@pytest.mark.parametrize("edges", [np.linspace(0, 60, 901), 60 * np.linspace(0, 1, 121) ** 1.3], ids=["many", "uneven"])
def test_any_grid_of_energies_keeps_its_area(edges):
    data = dos_measurement(10**6, edges=edges)
    found = inscape.denoise(data)
    areas = [np.sum(found[name].values * np.diff(edges)) for name in ("clean", "intensity")]
    assert areas[0] == pytest.approx(areas[1], rel=0.01)
    assert ((found["clean"].values - dos_truth(edges)) ** 2).sum() < 0.01 * (dos_truth(edges) ** 2).sum()


@pytest.mark.parametrize("counts", [1000, 20_000, 300_000])
def test_cleaning_brings_a_map_nearer_to_the_truth(counts):
    data = measurement(counts, gaps=False)
    found = inscape.denoise(data)
    assert error(found["clean"].values) < 0.6 * error(data["intensity"].values)
    inside = np.abs(found["clean"].values - truth()) < 2 * found["uncertainty"].values
    assert inside.mean() > 0.75


def test_gaps_are_filled_and_marked():
    data = measurement()
    found = inscape.denoise(data)
    gaps = np.isnan(data["intensity"].values)
    assert_array_equal(found["filled"], gaps)
    assert np.isnan(found["residual"].values[gaps]).all()
    assert_allclose(found["residual"], data["intensity"] - found["clean"])
    for name in ("clean", "uncertainty"):
        assert np.isfinite(found[name].values).all()
    bank = gaps & (np.arange(40)[:, None] > 20)  # between bins that were measured
    assert np.abs(found["clean"].values - truth())[bank].mean() < 0.25 * truth()[bank].mean()
    relative = found["uncertainty"].values / found["clean"].values
    assert np.median(relative[gaps]) > np.median(relative[~gaps])
    assert_array_equal(found["intensity"], data["intensity"])
    assert found.attrs["source"] == "made"


def test_the_same_map_in_other_units_is_cleaned_alike():
    data = measurement()
    other = data.copy()
    other["intensity"], other["variance"] = 1e-9 * data["intensity"], 1e-18 * data["variance"]
    one, two = inscape.denoise(data), inscape.denoise(other)
    assert_allclose(1e9 * two["clean"], one["clean"], rtol=1e-3, atol=1e-4)


def test_a_dose_stands_for_variances():
    data = measurement(gaps=False)
    found = inscape.denoise(data.assign(variance=data["variance"] * np.nan), dose=20_000)
    assert_allclose(found["variance"], data["variance"], rtol=0.05)
    assert error(found["clean"].values) < 0.6 * error(data["intensity"].values)


def test_variances_that_are_missing_are_estimated():
    data = measurement(gaps=False)
    found = inscape.denoise(data.assign(variance=data["variance"] * np.nan))
    assert 0.5 < float(found["variance"].sum() / data["variance"].sum()) < 3


def test_residuals_tell_noise_from_structure():
    noise = np.random.default_rng(0).normal(size=(200, 200))
    one = np.ones_like(noise)
    assert structure_left(100 + noise, 100 * one, one) == pytest.approx(1, abs=0.15)
    assert structure_left(101 + noise, 100 * one, one) == pytest.approx(26, abs=2)  # 1 + 25, the bins of a window
    assert np.isnan(structure_left(noise * np.nan, one, one))


def test_a_map_unlike_any_spectrum_is_called_foreign():
    checks = 1.0 + 0.9 * (-1.0) ** (np.arange(40)[:, None] // 3 + np.arange(80) // 3)
    counts = np.random.default_rng(0).poisson(20 * checks)
    found = inscape.denoise(make_measured(counts, counts, q_edges=Q, energy_edges=ENERGY))
    assert found.attrs["foreign"] == 1
    assert "usual" in found.attrs["foreign_reason"]


# ---------------------------------------------------------------------------------------------------------------- grids


def test_resampling_keeps_area_and_leaves_gaps():
    rng = np.random.default_rng(0)
    old = np.sort(rng.uniform(0, 8, 30)), np.sort(rng.uniform(0, 60, 50))
    new = tuple(even_edges(edges, 20) for edges in old)
    assert [len(edges) for edges in new] == [21, 21]
    values = rng.uniform(1, 2, (29, 49))

    def area(x, grids):
        return np.diff(grids[0]) @ x @ np.diff(grids[1])

    coarse, spread = resample(values, values, old, new)
    assert area(coarse, new) == pytest.approx(area(values, old))
    assert area(bring_back(coarse, new, old), old) == pytest.approx(area(values, old))
    assert (spread > 0).all()
    values[:, 30:] = np.nan
    assert np.isnan(resample(values, values, old, new)[0]).any()


def test_variances_of_resampled_bins_are_those_of_means():
    rng = np.random.default_rng(0)
    old, new = (np.arange(5.0), np.arange(13.0)), (np.arange(5.0), np.linspace(0, 12, 6))
    drawn = np.array([resample(x, np.ones((4, 12)), old, new)[0] for x in rng.normal(size=(4000, 4, 12))])
    assert_allclose(drawn.var(0), resample(np.ones((4, 12)), np.ones((4, 12)), old, new)[1], rtol=0.12)


def test_uneven_bins_are_cleaned_on_even_ones():
    data = measurement(gaps=False)
    edges = np.delete(ENERGY, np.arange(2, 40, 3))
    coarse = resample(data["intensity"].values, data["variance"].values, (Q, ENERGY), (Q, edges))
    true = resample(truth(), truth(), (Q, ENERGY), (Q, edges))[0]
    found = inscape.denoise(make_measured(*coarse, q_edges=Q, energy_edges=edges))
    assert found["clean"].shape == true.shape
    assert ((found["clean"].values - true) ** 2).sum() < 0.05 * (true**2).sum()


# ------------------------------------------------------------------------------------------ files, commands, seeds


def test_a_file_holds_all_and_is_read_as_a_measurement(tmp_path):
    found = inscape.denoise(measurement())
    path = save_cleaned(found, tmp_path / "clean.nc")
    again = xr.load_dataset(path, engine="h5netcdf")
    assert again["filled"].dtype == bool
    for name in ("clean", "uncertainty", "residual", "filled"):
        assert_array_equal(again[name], found[name])
    assert_array_equal(read(path)["intensity"], found["intensity"])
    with pytest.raises(DataError, match="cannot be written"):
        save_cleaned(found, tmp_path / "nowhere" / "clean.nc")


def test_the_command_writes_file_and_picture(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from inscape.cli import app

    monkeypatch.chdir(tmp_path)
    inscape.measured.write(measurement(), "map.nc")
    done = CliRunner().invoke(app, ["denoise", "map.nc", "--plot", "map.png", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["written"] == ["map-clean.nc", "map.png"]
    assert facts["bins_measured"] + facts["bins_filled"] == 3200
    assert (tmp_path / "map-clean.nc").exists()
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_the_command_takes_a_density_of_states(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from inscape.cli import app

    monkeypatch.chdir(tmp_path)
    data = dos_measurement(lost=(40,))
    lines = np.transpose([data[n].values for n in ("energy", "intensity")] + [np.sqrt(data["variance"].values)])
    np.savetxt("dos.txt", lines)
    done = CliRunner().invoke(app, ["denoise", "dos.txt", "--energy-unit", "meV", "--plot", "dos.png", "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["kind"] == "density of states"
    assert facts["bins_filled"] == 1
    assert read("dos-clean.nc").attrs["kind"] == "density of states"
    assert (tmp_path / "dos.png").stat().st_size > 10_000


def test_the_picture_hatches_what_was_filled():
    from matplotlib.contour import QuadContourSet

    from inscape.plots import cleaning_figure

    def hatched(data):
        axes = cleaning_figure(inscape.denoise(data)).axes
        return [a for ax in axes for a in ax.collections if isinstance(a, QuadContourSet) and any(a.hatches)]

    assert len(hatched(measurement())) == 1
    assert not hatched(measurement(gaps=False))


@pytest.mark.parametrize(("kind", "data"), [("powder", measurement), ("dos", dos_measurement)])
def test_the_same_seed_trains_the_same_weights(kind, data, library, tmp_path):
    small = {"kind": kind, "channels": (2, 3, 4, 3), "epochs": 1, "batch_size": 4}
    paths = [train_denoiser(library.path, output=tmp_path / f"{n}.safetensors", **small) for n in "ab"]
    one, two = (Denoiser.load(path) for path in paths)
    assert one.digest == two.digest
    assert one.calibration == two.calibration
    found = inscape.denoise(data(), denoiser=one)
    assert np.isfinite(found["clean"].values).all()


def test_weights_of_another_kind_are_refused():
    from inscape.training import WEIGHTS

    with pytest.raises(WeightsError, match="expected denoise-powder or denoise-dos"):
        Denoiser.load(WEIGHTS / "autoencoder-dos.safetensors")
    assert shipped_denoiser().digest


BAD = [
    (lambda d: d.drop_vars("intensity"), {}, "no intensities"),
    (lambda d: d.assign(intensity=d["intensity"] * np.nan), {}, "all intensities are NaN"),
    (lambda d: d.assign(variance=-d["variance"]), {}, "negative"),
    (lambda d: d, {"dose": 0.0}, "dose is 0.0; expected"),
    (lambda d: d, {"dose": np.inf}, "dose is inf; expected"),
    (lambda d: dos_measurement(), {"denoiser": shipped_denoiser()}, "expected a powder map"),
]


@pytest.mark.parametrize(("change", "options", "message"), BAD)
def test_refusals(change, options, message):
    with pytest.raises(DataError, match=message):
        inscape.denoise(change(measurement()), **options)
