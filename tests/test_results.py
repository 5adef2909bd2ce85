"""A prediction keeps its units, its areas and its provenance, in memory and in its file."""

import json

import numpy as np
import pytest
import xarray as xr

from inscape.errors import DataError
from inscape.properties import MEANINGS
from inscape.results import (
    CALIBRATED,
    COORDINATES,
    TEMPERATURES,
    VARIABLES,
    Prediction,
    make_prediction,
    plane_text,
)
from inscape.structures import Crystal
from inscape.units import GAS_CONSTANT

EDGES = np.linspace(0, 40, 81)
Q_EDGES = np.linspace(0, 10, 21)
H_EDGES = np.linspace(0, 3.2, 9)
CRYSTAL = Crystal.from_cell(2.82 * (1 - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])


def arrays(seed=0):
    """Arguments of `make_prediction` for a crystal of two atoms with everything there is."""
    rng = np.random.default_rng(seed)
    partial = rng.random((2, 80))
    partial *= 3 / np.sum(partial * np.diff(EDGES), axis=1, keepdims=True)
    return {
        "crystal": CRYSTAL,
        "energy_edges": EDGES,
        "temperature": 300.0,
        "partial_dos": partial,
        "complete_dos": (np.concatenate([partial.sum(axis=0), [0.0, 0.0]]), np.append(EDGES, [50, 70])),
        "dos_band": (0.8 * partial.sum(axis=0), 1.3 * partial.sum(axis=0)),
        "stretch": (dict.fromkeys(MEANINGS, np.array([0.01, 0.02])), np.array([50.0, 300.0])),
        "q_edges": Q_EDGES,
        "powder_coherent": rng.random((20, 80)),
        "powder_incoherent": rng.random((20, 80)),
        "plane": ((1, 0, 0), (0, 1, 0)),
        "h_edges": H_EDGES,
        "k_edges": H_EDGES,
        "crystal_coherent": rng.random((8, 8, 80)),
        "crystal_incoherent": rng.random((8, 8, 80)),
        "codes": {"dos": rng.random(4), "powder": rng.random(6), "crystal": rng.random(6)},
        "novelty": 0.5,
        "novelty_threshold": 1.5,
        "weights": {"structure": "12ab", "autoencoder-dos": "34cd"},
        "expected_error": {"dos_w1_meV": 1.4, "powder_cut_cosine": 0.93},
        "extra": {"note": "a test"},
    }


@pytest.fixture
def prediction():
    """A prediction with everything there is."""
    return make_prediction(**arrays())


@pytest.mark.parametrize("name", sorted(VARIABLES | CALIBRATED))
def test_the_file_has_the_dimensions_and_units_of_the_table(prediction, tmp_path, name):
    dims, unit, long_name = (VARIABLES | CALIBRATED)[name]
    with xr.open_dataset(prediction.save(tmp_path / "a.nc"), engine="h5netcdf") as data:
        assert data[name].dims == dims
        assert data[name].attrs == {"units": unit, "long_name": long_name}
        np.testing.assert_array_equal(data[name].values, prediction.dataset[name].values)


def test_the_file_has_coordinates_codes_and_attributes(prediction, tmp_path):
    with xr.open_dataset(prediction.save(tmp_path / "a.nc"), engine="h5netcdf") as data:
        for name, (dim, unit, _) in COORDINATES.items():
            assert data[name].dims == (dim,)
            assert data[name].attrs["units"] == unit
            assert name in data.coords
        assert data["atom_symbol"].dims == ("atom",)
        assert data["atom_symbol"].values.tolist() == ["Na", "Cl"]
        assert {k: data[f"code_{k}"].dims for k in VARIABLES if f"code_{k}" in data} == {
            k: (f"component_{k}",) for k in ("dos", "powder", "crystal")
        }
        assert data.attrs["formula"] == "NaCl"
        assert data.attrs["space_group"] == "Fm-3m"
        assert data.attrs["temperature_K"] == 300.0
        assert data.attrs["plane"] == "1 0 0; 0 1 0"
        assert data.attrs["engine"] == "direct"
        assert data.attrs["novelty"] == 0.5
        assert data.attrs["weights"] == "structure 12ab; autoencoder-dos 34cd"
        assert data.attrs["expected_dos_w1_meV"] == 1.4
        assert data.attrs["note"] == "a test"
        assert "inscape_version" in data.attrs
        assert "warning" not in data.attrs


def test_saved_and_loaded_is_the_same(prediction, tmp_path):
    loaded = Prediction.load(prediction.save(tmp_path / "a.nc"))
    xr.testing.assert_equal(loaded.dataset, prediction.dataset)
    assert loaded.summary() == prediction.summary()
    assert repr(loaded) == "<Prediction of NaCl (Fm-3m) at 300 K: dos, powder, crystal>"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_saving_again_replaces_the_file(prediction, tmp_path):
    prediction.save(tmp_path / "a.nc")
    make_prediction(**arrays() | {"temperature": 10.0}).save(tmp_path / "a.nc")
    assert Prediction.load(tmp_path / "a.nc").dataset.attrs["temperature_K"] == 10.0


def test_areas_and_sums(prediction):
    width = np.diff(prediction.dataset["energy_edges"])
    np.testing.assert_allclose((prediction.partial_dos * width).sum("energy"), 3)
    assert float((prediction.dos * width).sum()) == pytest.approx(6)
    np.testing.assert_array_equal(prediction.dos, prediction.partial_dos.sum("atom"))
    np.testing.assert_allclose(prediction.powder, prediction.powder_coherent + prediction.powder_incoherent, rtol=1e-6)
    assert prediction.crystal.shape == prediction.crystal_incoherent.shape == (8, 8, 80)


def test_heat_capacity_at_any_temperature(prediction):
    assert prediction.heat_capacity(1e4) == pytest.approx(3 * GAS_CONSTANT, rel=1e-3)
    several = prediction.heat_capacity([100.0, 300.0])
    assert several.dims == ("temperature",)
    assert several.attrs["units"] == "J mol⁻¹ K⁻¹"
    kept = prediction.dataset["heat_capacity"]
    np.testing.assert_allclose(kept.sel(temperature=[100.0, 300.0]), several)
    assert kept.sizes["temperature"] == len(TEMPERATURES)


def test_the_plane_gives_the_length_of_any_wave_vector(prediction):
    u, v = prediction.dataset.attrs["plane_lengths_per_angstrom"]
    assert u == v == pytest.approx(2 * np.pi / 5.64)
    assert prediction.dataset.attrs["plane_angle_degree"] == pytest.approx(90)
    assert plane_text(((1, 1, 0), (0, 0, 0.5))) == "1 1 0; 0 0 0.5"


def test_intervals_of_mean_energy_and_heat_capacity(prediction):
    data = prediction.dataset
    assert float(data["mean_energy"]) == pytest.approx(prediction.summary()["dos_mean_meV"])
    assert float(data["mean_energy_error"]) == pytest.approx(0.01 * data["mean_energy"])
    errors = prediction.thermodynamics(data["temperature"])["heat_capacity_error"]
    np.testing.assert_allclose(data["heat_capacity_error"][2:], errors[2:], rtol=0.03, atol=1e-9)
    summary = prediction.summary()
    assert summary["dos_mean_error_meV"] == float(data["mean_energy_error"])
    assert summary["heat_capacity_error_J_per_mol_K"] == pytest.approx(float(errors.sel(temperature=300)), rel=0.01)
    unknown = make_prediction(**arrays() | {"stretch": None, "dos_band": None})
    assert not {"mean_energy_error", "heat_capacity_error", "dos_lower"} & set(unknown.dataset)
    assert "dos_mean_error_meV" not in unknown.summary()
    assert "stretch" not in make_prediction(**arrays() | dict.fromkeys(["partial_dos", "complete_dos"])).dataset


def test_summary_is_json(prediction):
    summary = json.loads(json.dumps(prediction.summary(), allow_nan=False))
    assert summary["kinds"] == ["dos", "powder", "crystal"]
    assert summary["dos_area"] == pytest.approx(6)
    assert summary["heat_capacity_J_per_mol_K"] == pytest.approx(float(prediction.heat_capacity(300.0)))
    assert summary["expected_error"] == {"dos_w1_meV": 1.4, "powder_cut_cosine": 0.93}


def test_novelty_above_its_threshold_is_a_warning():
    foreign = make_prediction(**arrays() | {"novelty": 2.0})
    assert "novelty 2.00 is above 1.50" in foreign.warning
    unknown = make_prediction(**arrays() | {"novelty": np.nan})
    assert unknown.warning is None
    assert unknown.summary()["novelty"] is None


def test_kinds_not_asked_for_are_absent(tmp_path):
    given = {k: v for k, v in arrays().items() if k in ("crystal", "energy_edges", "temperature", "partial_dos")}
    prediction = Prediction.load(make_prediction(**given).save(tmp_path / "a.nc"))
    assert prediction.kinds == ("dos",)
    assert set(prediction.dataset.data_vars) == {"dos", "partial_dos", "mean_energy", "heat_capacity"}
    with pytest.raises(DataError, match="no powder_coherent; ask for the kind 'powder'"):
        prediction.powder_coherent  # noqa: B018
    without = make_prediction(**arrays() | {"partial_dos": None})
    assert "atom" not in without.dataset.sizes
    with pytest.raises(DataError, match="ask for the kind 'dos'"):
        without.heat_capacity(300.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partial_dos": np.ones((2, 79))}, r"partial_dos has shape \(2, 79\)"),
        ({"powder_coherent": np.ones((19, 80))}, r"powder_coherent has shape \(19, 80\)"),
        ({"powder_incoherent": None}, "powder_incoherent is missing"),
        ({"crystal_coherent": None}, "crystal is missing"),
        ({"q_edges": None}, "without the bin edges of q"),
        ({"plane": None}, "without its plane"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        make_prediction(**arrays() | change)


def test_files_that_cannot_be_read_are_refused(prediction, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        Prediction.load(tmp_path / "absent.nc")
    (tmp_path / "text.nc").write_text("not a file of numbers")
    with pytest.raises(DataError, match="cannot be read as a NetCDF-4 file"):
        Prediction.load(tmp_path / "text.nc")
    whole = prediction.save(tmp_path / "a.nc").read_bytes()
    (tmp_path / "half.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read as a NetCDF-4 file"):
        Prediction.load(tmp_path / "half.nc")
    xr.Dataset({"dos": ("x", np.ones(3))}).to_netcdf(tmp_path / "foreign.nc", engine="h5netcdf")
    with pytest.raises(DataError, match=r"foreign\.nc: dataset has no attribute formula"):
        Prediction.load(tmp_path / "foreign.nc")
    with pytest.raises(DataError, match="has dimensions"):
        Prediction(xr.Dataset({"dos": ("x", np.ones(3))}, attrs=prediction.dataset.attrs))


def test_a_place_that_cannot_be_written_is_refused(prediction, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        prediction.save(tmp_path / "absent" / "a.nc")
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        prediction.save(tmp_path / "folder.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.nc"]
