"""Predictions by codes: complete, in absolute units, and the same however a crystal is described."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from ase.build import make_supercell
from scipy.spatial.transform import Rotation
from threadpoolctl import threadpool_info, threadpool_limits

from crystals import BRUCITE, NACL, QUARTZ, SILICON, ZINC_OXIDE
from inscape import prediction
from inscape.errors import DataError, GridError, StructureError
from inscape.prediction import default_top, refine
from inscape.results import COORDINATES, VARIABLES, Prediction
from inscape.scattering import mean_square_displacements, scattering_lengths, self_part
from inscape.spectra import native_energy_edges
from inscape.structure_model.novelty import THRESHOLD
from inscape.structures import read_structure
from inscape.thermodynamics import heat_capacity
from inscape.threads import numpy_alone
from inscape.training import WEIGHTS
from inscape.units import FM2_PER_BARN, GAS_CONSTANT, HBAR2_2U, bose

torch.set_num_threads(1)

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = [f"{name}.safetensors" for name in ("structure-dos", "structure-powder", "structure-crystal")]
FILES += [f"autoencoder-{kind}.safetensors" for kind in ("dos", "powder")]
shipped = pytest.mark.skipif(not all((WEIGHTS / f).exists() for f in FILES), reason="no trained weights are here")
EDGES = native_energy_edges()

predict = partial(prediction.predict, road="code")
predict_many = partial(prediction.predict_many, road="code")


@pytest.fixture
def small(model, monkeypatch):
    """Predictions come from the hardly trained model of the tests."""
    monkeypatch.setattr(prediction, "shipped_model", lambda: model)
    return model


def widths(found):
    return np.diff(found.dataset["energy_edges"].values)


# ---- laws of any weights


@pytest.mark.parametrize("material", [NACL, QUARTZ, BRUCITE], ids=lambda m: m.name)
def test_areas_and_signs(small, material):
    found = predict(material.atoms, de=1.0)
    n = read_structure(material.atoms).n_atoms
    assert found.dos.values @ widths(found) == pytest.approx(3 * n)
    np.testing.assert_allclose(found.partial_dos.values @ widths(found), 3.0)
    for name in set(VARIABLES) - {"dos_complete"}:
        assert np.all(np.isfinite(found.dataset[name].values))
        assert found.dataset[name].values.min() >= 0
    np.testing.assert_allclose(found.powder, found.powder_coherent + found.powder_incoherent)


def test_the_file_is_complete(small, tmp_path):
    path = predict(QUARTZ.atoms, de=2.0, emax=100.0).save(tmp_path / "quartz.nc")
    with xr.open_dataset(path, engine="h5netcdf") as data:
        for name, (dims, unit, _) in VARIABLES.items():
            assert data[name].dims == dims
            assert data[name].attrs["units"] == unit
        for name, (dim, unit, _) in COORDINATES.items():
            assert data[name].dims == (dim,)
            assert data[name].attrs["units"] == unit
        assert {name: data[f"code_{name}"].size for name in ("dos", "powder", "crystal")} == {
            "dos": 2, "powder": 2, "crystal": 3,
        }  # fmt: skip
        assert data["atom_symbol"].values.tolist() == ["Si"] * 3 + ["O"] * 6
        assert data.attrs["formula"] == "SiO2"
        assert data.attrs["space_group"] == "P3_221"
        assert data.attrs["engine"] == "direct"
        assert data.attrs["temperature_K"] == 300.0
        assert {"novelty", "novelty_threshold", "plane", "weights", "inscape_version"} <= set(data.attrs)


@pytest.mark.parametrize("kinds", [("dos",), ("powder",), ("crystal",), ("dos", "crystal")])
def test_only_the_kinds_asked_for(small, kinds):
    found = predict(NACL.atoms, kinds=kinds, de=2.0)
    assert found.kinds == kinds
    assert {name for name in found.dataset if str(name).startswith("code_")} == {f"code_{kind}" for kind in kinds}
    other = {"dos": "dos", "powder": "powder", "crystal": "crystal"}.keys() - set(kinds)
    for name in other:
        with pytest.raises(DataError, match=f"ask for the kind '{name}'"):
            getattr(found, name)


def test_grids_are_as_asked_for(small):
    found = predict(NACL.atoms, emax=30.0, de=0.7, qmax=4.0, dq=0.5)
    edges = found.dataset["energy_edges"].values
    np.testing.assert_allclose(np.diff(edges), 0.7)
    assert 30 <= edges[-1] < 30.7
    np.testing.assert_allclose(found.dataset["q_edges"], np.arange(9) / 2)
    np.testing.assert_allclose(found.dataset["energy"], (edges[1:] + edges[:-1]) / 2)
    assert found.powder.shape == (8, 43)


def test_the_default_grid_holds_nearly_everything(small):
    found = predict(BRUCITE.atoms, kinds=["dos"])
    (structure,) = small([read_structure(BRUCITE.atoms)], ["dos"])
    assert found.dataset["energy_edges"].values[-1] == pytest.approx(default_top(structure.partial_dos), abs=0.5)
    np.testing.assert_allclose(widths(found), 0.5)


def test_a_grid_that_ends_early_changes_nothing_below_its_end(small):
    short, long = (predict(QUARTZ.atoms, emax=top, de=1.0, kinds=["powder", "crystal"]) for top in (40.0, 400.0))
    for name in ("powder_coherent", "powder_incoherent", "crystal", "crystal_incoherent"):
        kept = long.dataset[name].isel(energy=slice(0, 40))
        np.testing.assert_allclose(short.dataset[name], kept, rtol=0.02, atol=1e-3 * float(kept.max()))


def test_a_grid_that_ends_below_the_highest_mode_leaves_out_what_is_above_and_changes_no_heat_capacity(small, tmp_path):
    whole, cut = predict(QUARTZ.atoms, kinds=["dos"]), predict(QUARTZ.atoms, emax=40.0, kinds=["dos"])
    np.testing.assert_allclose(cut.dos, whole.dos[: cut.dos.size], rtol=5e-3)
    assert "dos_complete" not in whole.dataset
    for found in (cut, Prediction.load(cut.save(tmp_path / "cut.nc"))):
        np.testing.assert_allclose(found.heat_capacity([20.0, 300.0]), whole.heat_capacity([20.0, 300.0]), rtol=5e-3)
        np.testing.assert_allclose(found.dataset["heat_capacity"], whole.dataset["heat_capacity"], rtol=5e-3)
        for name in ("dos_area", "zero_point_energy_meV_per_atom", "dos_mean_meV"):
            assert found.summary()[name] == pytest.approx(whole.summary()[name], rel=5e-3)


def test_finer_bins_hold_the_same(small):
    coarse, fine = (predict(NACL.atoms, emax=40.0, de=de, dq=0.5, kinds=["dos", "powder"]) for de in (1.0, 0.25))
    np.testing.assert_allclose(fine.dos.values.reshape(-1, 4).mean(axis=1), coarse.dos, rtol=1e-6, atol=1e-9)
    high = coarse.dataset["energy"].values > 5  # below, 1/E² bends within a bin
    found = fine.powder.values.reshape(20, -1, 4).mean(axis=2)[:, high]
    np.testing.assert_allclose(found, coarse.powder.values[:, high], rtol=0.1, atol=1e-3 * found.max())


def test_incoherent_scattering_is_that_of_the_density_of_states(small):
    """One-phonon incoherent scattering in absolute units, from nothing but the partial densities of states."""
    kelvin = 150.0
    found = predict(BRUCITE.atoms, temperature=kelvin, emax=480.0, de=1.0)
    crystal = read_structure(BRUCITE.atoms)
    (structure,) = small([crystal], ["dos"])
    u2 = mean_square_displacements(structure.partial_dos, EDGES, crystal.masses, kelvin)
    q, energy = found.dataset["q"].values[:, None], found.dataset["energy"].values
    expected = 0
    sigma = scattering_lengths(crystal).incoherent
    for g, m, s, u in zip(found.partial_dos.values, crystal.masses, sigma, u2, strict=True):
        one = s / (4 * np.pi) * HBAR2_2U * q**2 / m * np.exp(-(q**2) * u / 3) * g / (3 * energy)
        expected = expected + one * (bose(energy, kelvin) + 1) / crystal.n_atoms
    np.testing.assert_allclose(found.powder_incoherent, expected, rtol=1e-6)


def test_the_sum_rule_of_coherent_scattering(small):
    """∫S·E/(n + 1) dE is that of the self part at every Q, in the powder and in the plane."""
    found = predict(ZINC_OXIDE.atoms, temperature=50.0, emax=480.0, de=1.0)
    crystal = read_structure(ZINC_OXIDE.atoms)
    (structure,) = small([crystal], ["dos"])
    u2 = mean_square_displacements(structure.partial_dos, EDGES, crystal.masses, 50.0)
    energy = found.dataset["energy"].values
    back = energy / (bose(energy, 50.0) + 1)
    square = scattering_lengths(crystal).coherent ** 2 / FM2_PER_BARN
    h, k = np.meshgrid(found.dataset["h"], found.dataset["k"], indexing="ij")
    a, b, _ = crystal.reciprocal_conventional
    plane = np.linalg.norm(h[..., None] * a + k[..., None] * b, axis=-1)
    for name, q in (("powder_coherent", found.dataset["q"].values), ("crystal", plane)):
        area = (found.dataset[name].values * back).sum(axis=-1)
        own = self_part(np.full((crystal.n_atoms, 1), 3.0), crystal.masses, square, q, u2)[..., 0]
        np.testing.assert_allclose(area, own, rtol=1e-5)


@pytest.mark.parametrize("name", ["powder_coherent", "powder_incoherent", "crystal"])
def test_temperature_enters_by_the_bose_factor(small, name):
    """In a crystal of one element the Debye–Waller factor hangs on Q alone: the rest is n(E,T) + 1."""
    cold, hot = (predict(SILICON.atoms, temperature=t, emax=80.0, de=1.0).dataset[name].values for t in (20.0, 600.0))
    energy = np.arange(80) + 0.5
    inside = cold > 1e-6 * cold.max()
    bose_factors = (bose(energy, 600.0) + 1) / (bose(energy, 20.0) + 1)
    ratio = np.where(inside, hot, np.nan) / np.where(inside, cold, 1.0) / bose_factors
    mean = np.nanmean(ratio, axis=-1, keepdims=True)
    np.testing.assert_allclose(np.where(inside, ratio, mean), np.broadcast_to(mean, ratio.shape), rtol=1e-5)
    assert np.all(mean < 1)


def test_heat_capacity(small):
    found = predict(QUARTZ.atoms, kinds=["dos"])
    kelvin = np.array([5.0, 300.0, 9000.0])
    np.testing.assert_allclose(
        found.heat_capacity(kelvin), heat_capacity(found.dos.values, found.dataset["energy_edges"].values, kelvin)
    )
    assert float(found.heat_capacity(9000.0)) == pytest.approx(3 * GAS_CONSTANT, rel=0.01)


def test_another_plane(small):
    found = predict(ZINC_OXIDE.atoms, plane=((1, 0, 0), (0, 0, 1)), kinds=["crystal"], de=2.0)
    assert found.dataset.attrs["plane"] == "1 0 0; 0 0 1"
    other = predict(ZINC_OXIDE.atoms, kinds=["crystal"], de=2.0)
    assert not np.allclose(found.crystal, other.crystal)


def test_many_are_as_good_as_one(small):
    crystals = [read_structure(m.atoms) for m in (NACL, QUARTZ)]
    for one, found in zip(crystals, predict_many(crystals, de=2.0), strict=True):
        alone = predict(one, de=2.0)
        np.testing.assert_allclose(found.powder, alone.powder, rtol=1e-3, atol=1e-4 * float(alone.powder.max()))
        assert found.dataset.attrs["formula"] == one.formula


def test_refining_keeps_areas():
    partial = np.random.default_rng(0).random((2, 300)) * (EDGES[1:] < 50)
    partial *= 3 / (partial @ np.diff(EDGES))[:, None]
    for edges in (np.linspace(0, 60, 121), np.linspace(0, 600, 601), EDGES):
        fine = refine(partial, edges)
        np.testing.assert_allclose(fine @ np.diff(edges), 3.0)
        assert fine.min() >= -1e-12
    np.testing.assert_allclose(refine(partial, EDGES), partial, atol=1e-9)


# ---- refusals


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kinds": ["dos", "heat"]}, DataError, "kinds are dos, heat; expected some of"),
        ({"kinds": []}, DataError, "kinds are none"),
        ({"qmax": 11.0}, DataError, "the powder model reaches 10"),
        ({"dq": 0.0}, GridError, r"\|Q\|: got"),
        ({"qmax": -1.0}, GridError, r"\|Q\|: got"),
        ({"emax": 0.0}, GridError, "energy: got"),
        ({"emax": -3.0}, GridError, "energy: got"),
        ({"de": -1.0}, GridError, "energy: got"),
        ({"emax": 1e6}, GridError, "at most 20000"),
        ({"temperature": -1.0}, GridError, "temperature is -1.0 K"),
        ({"temperature": np.nan}, GridError, "temperature is nan"),
        ({"plane": ((1, 0, 0), (2, 0, 0))}, GridError, "collinear"),
    ],
)
def test_senseless_wishes_are_refused(small, options, error, message):
    with pytest.raises(error, match=message):
        predict(NACL.atoms, **options)


def test_structures_that_are_none_are_refused(small, tmp_path):
    with pytest.raises(StructureError):
        predict(tmp_path / "nowhere.cif")
    with pytest.raises(StructureError):
        predict(3)


# ---- the shipped weights


@shipped
@pytest.mark.parametrize("name", ["quartz.cif", "brucite.cif", "corundum.cif"])
def test_a_crystal_is_the_same_however_it_is_described(name):
    crystal = read_structure(EXAMPLES / name)
    atoms = crystal.to_ase()
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix().T, scale_atoms=True)
    moved = atoms.copy()
    moved.set_scaled_positions((atoms.get_scaled_positions() + 0.371) % 1)
    others = [atoms[::-1], make_supercell(atoms, np.diag([1, 2, 1])), turned, moved]
    options = {"kinds": ("dos", "powder"), "emax": 130.0, "de": 1.0}
    first = predict(crystal, **options)
    for other in others:
        found = predict(other, **options)
        np.testing.assert_allclose(found.dos, first.dos, atol=1e-4 * float(first.dos.max()))
        np.testing.assert_allclose(found.powder, first.powder, atol=2e-3 * float(first.powder.max()))


@shipped
def test_metals_are_foreign_and_salts_are_not():
    found = {name: predict(EXAMPLES / f"{name}.cif", kinds=["dos"]) for name in ("aluminium", "nacl", "quartz")}
    assert found["aluminium"].dataset.attrs["novelty"] > THRESHOLD
    assert found["aluminium"].warning is not None
    for name in ("nacl", "quartz"):
        assert found[name].dataset.attrs["novelty"] < THRESHOLD
        assert found[name].warning is None


@shipped
def test_known_heat_capacities():
    """Of silicon and salt at room temperature, within 5 %: 19.8 and 24.7 J/(mol K) (NIST-JANAF, C_p to C_V)."""
    for name, expected in (("silicon", 19.8), ("nacl", 24.7)):
        found = predict(EXAMPLES / f"{name}.cif", kinds=["dos"]).heat_capacity(298.15)
        assert float(found) == pytest.approx(expected, rel=0.05)


@shipped
def test_no_lattice_dynamics_is_loaded(tmp_path):
    code = (
        "import sys; sys.modules['phonopy'] = None; import inscape.prediction as p;"
        f"found = p.predict({str(EXAMPLES / 'nacl.cif')!r}, road='code'); print(found.dataset.attrs['formula']);"
        f"found.plot({str(tmp_path / 'nacl.png')!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["NaCl"]), done.stderr


def test_numpy_keeps_to_one_thread_while_torch_predicts():
    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with numpy_alone():
            assert set(threads()) == {1}
        assert threads() == before
