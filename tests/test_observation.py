"""What predict and simulate share: instruments, many phonons and isotopes mean the same on both roads."""

import inspect
import json
from functools import partial

import numpy as np
import pytest
import torch
from ase.build import bulk

import inscape
from crystals import BRUCITE, NACL, SILICON, ZINC_OXIDE, force_constants_of, pack_archive
from inscape import prediction
from inscape.cli.predict import predict as predict_command
from inscape.cli.simulate import simulate as simulate_command
from inscape.cli.spectra import parse_isotopes, seen_through
from inscape.compare import compare
from inscape.errors import DataError, InstrumentError, StructureError
from inscape.lattice import modes_on_mesh
from inscape.plots import comparison_figure, instrument_figure, overview, powder_figure
from inscape.prediction import MASS_TOLERANCE
from inscape.results import SEEN, Prediction
from inscape.scattering import (
    TOSCA,
    AllAngles,
    Setting,
    density_of_states,
    indirect_spectrum,
    instrument,
    mean_square_displacements,
    powder_spectrum,
    scattering_lengths,
)
from inscape.spectra import native_energy_edges
from inscape.structure_model import Structure
from inscape.structure_model.doubts import Doubts
from inscape.structures import read_structure
from inscape.units import HBAR2_2MN, HBAR2_2U, bose
from test_cli import run, run_main

pytest.importorskip("resins")
torch.set_num_threads(1)

EDGES = native_energy_edges()

by_codes = partial(inscape.predict, road="code")


@pytest.fixture
def small(model, monkeypatch):
    """Predictions come from the hardly trained model of the tests."""
    monkeypatch.setattr(prediction, "shipped_model", lambda: model)
    return model


@pytest.fixture
def rough(monkeypatch):
    """Simulations take modes on a mesh of few points."""
    monkeypatch.setattr("inscape.lattice.modes.FINE_MESH", 0.5)


def edges_of(result, name="energy"):
    return result.dataset[f"{name}_edges"].values


class Knowing:
    """In place of the model: the densities of states of modes."""

    def __init__(self, modes):
        self.digests, self.doubts = {}, Doubts()
        self.partial = density_of_states(modes, EDGES)[0]

    def __call__(self, crystals, kinds):
        return [Structure(self.partial, np.zeros(len(EDGES) - 1), 0.1, {}, None) for _ in crystals]


# ---- laws


@pytest.mark.parametrize("material", [NACL, SILICON], ids=lambda m: m.name)
@pytest.mark.parametrize("kelvin", [10.0, 300.0])
def test_a_true_density_of_states_gives_the_spectra_of_its_modes(material, kelvin, monkeypatch):
    """In cubic crystals of such symmetry atoms move alike in all directions, and nothing is approximate but bins."""
    force_constants = force_constants_of(material)
    monkeypatch.setattr(prediction, "shipped_model", lambda: Knowing(modes_on_mesh(force_constants, 0.06)))
    asked = {"kinds": ("dos",), "temperature": kelvin, "instrument": "TOSCA", "multiphonon": 4, "emax": 100.0}
    simulated = inscape.simulate(force_constants, **asked)
    predicted = by_codes(force_constants.crystal, **asked)
    np.testing.assert_array_equal(edges_of(predicted), edges_of(simulated))
    high = simulated.dataset["energy"].values > 5
    for name, allowed in (("instrument_spectrum", 0.03), ("instrument_multiphonon", 0.05)):  # g ∝ E² below 3 meV
        one, other = (x.dataset[name].values[..., high] for x in (predicted, simulated))
        assert np.abs(one - other).max() < allowed * other.max()
        np.testing.assert_allclose(one.sum(axis=-1), other.sum(axis=-1), rtol=0.03)  # 0.005 at 10 K


def recoil(result, crystal):
    """∫E·S dE over loss and gain at each |Q|, over Σ β ħ²Q²/2M: 1 with all numbers of phonons; and the |Q|."""
    energy, widths = result.dataset["energy"].values, np.diff(edges_of(result))
    whole = result.powder.values + result.powder_multiphonon.sum("order").values
    balanced = energy / (bose(energy, float(result.dataset.attrs["temperature_K"])) + 1)  # S(−E) = exp(−E/kT) S(E)
    low, high = edges_of(result, "q")[:-1], edges_of(result, "q")[1:]
    square = 0.6 * (high**5 - low**5) / (high**3 - low**3)
    beta = scattering_lengths(crystal).square("coherent-plus-incoherent")
    return (whole * balanced) @ widths / (square * np.mean(beta / crystal.masses) * HBAR2_2U)


@pytest.mark.parametrize("kelvin", [10.0, 300.0])
def test_the_recoil_sum_rule_of_a_whole_map_predicted(small, kelvin):
    crystal = read_structure(BRUCITE.atoms)
    asked = {"kinds": ("powder",), "multiphonon": True, "emax": 900.0, "de": 1.0, "qmax": 6.0, "temperature": kelvin}
    found = recoil(by_codes(crystal, **asked), crystal)
    np.testing.assert_allclose(found[10:], 1.0, atol=0.02)


def test_the_recoil_sum_rule_of_a_whole_map_simulated(rough):
    force_constants = force_constants_of(ZINC_OXIDE)
    asked = {"kinds": ("powder",), "multiphonon": True, "emax": 250.0, "qmax": 8.0, "dq": 0.5, "temperature": 200.0}
    found = recoil(inscape.simulate(force_constants, **asked), force_constants.crystal)
    np.testing.assert_allclose(found[2:], 1.0, atol=0.03)


def test_a_deuterated_crystal_is_what_the_engine_makes_of_it(rough):
    heavy = force_constants_of(BRUCITE).with_isotopes({"H": "D"})
    asked = {"kinds": ("dos",), "instrument": "TOSCA", "multiphonon": 3, "temperature": 20.0, "emax": 300.0, "de": 1.0}
    found = inscape.simulate(force_constants_of(BRUCITE), isotopes={"H": "D"}, **asked)
    modes, edges = modes_on_mesh(heavy, 0.5), edges_of(found)
    by_hand = indirect_spectrum(modes, edges, 20.0, TOSCA, order=3)
    seen = instrument("TOSCA").broaden(by_hand.values, edges)
    np.testing.assert_allclose(found.instrument_spectrum, seen.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.dataset["instrument_multiphonon"], seen[:, 1:], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(found.dataset["instrument_q"], by_hand["q"])
    np.testing.assert_allclose(found.partial_dos, density_of_states(modes, edges)[0])
    attributes = found.dataset.attrs
    assert (attributes["formula"], attributes["isotopes"], attributes["multiphonon_order"]) == ("MgD2O2", "H=D", 3)
    light = inscape.simulate(force_constants_of(BRUCITE), **asked)
    assert found.summary()["dos_highest_meV"] < 0.8 * light.summary()["dos_highest_meV"]


def test_many_phonons_of_a_simulated_map_are_those_of_the_engine(rough):
    force_constants = force_constants_of(NACL)
    grids = {"qmax": 4.0, "dq": 0.5, "emax": 60.0, "temperature": 150.0}
    found = inscape.simulate(force_constants, kinds=("powder",), multiphonon=4, **grids)
    edges = [edges_of(found, name) for name in ("q", "energy")]
    by_hand = powder_spectrum(force_constants, modes_on_mesh(force_constants, 0.5), *edges, 150.0, order=4)
    np.testing.assert_allclose(found.powder_multiphonon, by_hand["multiphonon"], rtol=1e-5, atol=1e-12)
    np.testing.assert_array_equal(found.dataset["order"], [2, 3, 4])
    np.testing.assert_allclose(found.powder_coherent, by_hand["coherent"], rtol=1e-5, atol=1e-12)


def test_as_many_phonons_as_matter(small):
    cold, hot = (
        by_codes(NACL.atoms, kinds=("powder",), multiphonon=True, temperature=t, de=1.0) for t in (10.0, 600.0)
    )
    assert 2 <= cold.dataset.attrs["multiphonon_order"] < hot.dataset.attrs["multiphonon_order"]
    assert float(hot.powder_multiphonon[-1].sum()) < 1e-2 * float(hot.powder_multiphonon.sum())


@pytest.mark.parametrize("fixed", [{"ei": 30.0}, {"ef": 5.0}], ids=["direct", "indirect"])
def test_what_kinematics_forbid_is_nan_and_nothing_else(small, fixed):
    asked = {"kinds": ("powder",), "qmax": 9.0, "emax": 40.0, "de": 1.0, "temperature": 100.0}
    found = by_codes(NACL.atoms, multiphonon=2, **asked, **fixed)
    energy, q = found.dataset["energy"].values, edges_of(found, "q")
    initial, final = (30.0 + 0 * energy, 30.0 - energy) if "ei" in fixed else (5.0 + energy, 5.0 + 0 * energy)
    with np.errstate(invalid="ignore"):
        k = np.sqrt(np.array([initial, final]) / HBAR2_2MN)
    inside = (q[:-1, None] < k.sum(axis=0)) & (q[1:, None] >= np.abs(k[0] - k[1]))
    np.testing.assert_array_equal(np.isfinite(found.instrument_map), inside)
    whole = found.powder.values + found.powder_multiphonon.sum("order").values
    np.testing.assert_allclose(found.instrument_map.values[inside], whole[inside], rtol=1e-5)
    assert np.isfinite(found.powder.values).all()  # what is there is kept beside what is seen


def test_a_spectrometer_broadens_and_blanks(small):
    sequoia = instrument("SEQUOIA", e_i=60.0)
    found = by_codes(NACL.atoms, kinds=("powder",), instrument=sequoia, temperature=50.0)
    grids = edges_of(found, "q"), edges_of(found)
    expected = sequoia.measure(found.powder.values.astype(float), *grids)
    np.testing.assert_allclose(found.instrument_map, expected, rtol=1e-5, atol=1e-9)
    by_name = by_codes(NACL.atoms, kinds=("powder",), instrument="sequoia", ei=60.0, temperature=50.0)
    np.testing.assert_array_equal(by_name.instrument_map, found.instrument_map)


def test_another_final_energy_is_another_trajectory(small):
    usual, own = (by_codes(NACL.atoms, kinds=("dos",), instrument="TOSCA", ef=ef) for ef in (None, 3.35))
    q = own.dataset["instrument_q"].sel(bank="backward").values
    energy = own.dataset["energy"].values
    cosine = np.cos(np.deg2rad(TOSCA[0].angle))
    square = (2 * 3.35 + energy - 2 * np.sqrt(3.35 * (3.35 + energy)) * cosine) / HBAR2_2MN
    np.testing.assert_allclose(q**2, square)
    assert np.all(usual.dataset["instrument_q"].sel(bank="backward") > q)


# ---- isotopes of predictions


def test_lengths_of_isotopes_enter_spectra_of_banks_exactly(small):
    """One phonon, each atom by itself, in absolute units from nothing but the partial densities of states."""
    kelvin = 100.0
    asked = {"kinds": ("dos",), "instrument": "TOSCA", "temperature": kelvin}
    found = by_codes(NACL.atoms, isotopes={"Cl": "35Cl"}, **asked)
    crystal = read_structure(NACL.atoms)
    marked = crystal.with_isotopes({"Cl": 35})
    assert 0 < np.abs(marked.masses / crystal.masses - 1).max() < MASS_TOLERANCE
    (structure,) = small([crystal], ["dos"])
    u2 = mean_square_displacements(structure.partial_dos, EDGES, crystal.masses, kelvin)
    q, energy = found.dataset["instrument_q"].values[:, None], found.dataset["energy"].values
    beta = scattering_lengths(marked).square("coherent-plus-incoherent") / 2
    weight = (beta / crystal.masses)[:, None] * q**2 * np.exp(-(q**2) * u2[:, None] / 3)
    sharp = HBAR2_2U * np.sum(weight * found.partial_dos.values, axis=1) / (3 * energy) * (bose(energy, kelvin) + 1)
    expected = instrument("TOSCA").broaden(sharp, edges_of(found))
    high = energy > 6
    np.testing.assert_allclose(found.instrument_spectrum.values[:, high], expected[:, high], rtol=0.03)
    plain = by_codes(NACL.atoms, **asked)
    np.testing.assert_array_equal(found.partial_dos, plain.partial_dos)
    np.testing.assert_array_equal(found.dataset["atom_mass"], plain.dataset["atom_mass"])
    assert float(found.instrument_spectrum.sum()) > 1.1 * float(plain.instrument_spectrum.sum())


def test_one_isotope_of_all_atoms_changes_the_coherent_map_by_a_factor(small):
    plain, pure = (
        by_codes(SILICON.atoms, kinds=("powder", "crystal"), isotopes=isotopes, de=2.0)
        for isotopes in (None, {"Si": 28})
    )
    crystal = read_structure(SILICON.atoms)
    before, after = (scattering_lengths(c).coherent[0] for c in (crystal, crystal.with_isotopes({"Si": 28})))
    for name in ("powder_coherent", "crystal"):
        np.testing.assert_allclose(pure.dataset[name], plain.dataset[name] * (after / before) ** 2, rtol=1e-5)
    assert float(pure.powder_incoherent.max()) == 0  # silicon-28 has no spin


@pytest.mark.parametrize(
    ("atoms", "options", "message"),
    [
        (BRUCITE.atoms, {"isotopes": {"H": "D"}}, r"D weighs 2.014 u instead of 1.008 u .* inscape simulate"),
        (BRUCITE.atoms, {"isotopes": {"Mg": 26}}, "Mg weighs 25.98 u instead of 24.3"),
        (NACL.atoms, {"isotopes": {"Cl": 35}, "kinds": ("powder",)}, "the predicted powder map holds .* simulate"),
        (NACL.atoms, {"isotopes": {"Cl": 35}}, "the predicted powder and crystal map holds"),
        (SILICON.atoms, {"isotopes": {0: 28}}, "interference between atoms"),
        (NACL.atoms, {"isotopes": {"K": 39}}, "isotopes were chosen for 'K', this crystal has Cl, Na"),
        (read_structure(BRUCITE.atoms).with_isotopes({"H": "D"}), {}, "D weighs 2.014 u"),
    ],
)
def test_isotopes_that_need_force_constants_are_refused(small, atoms, options, message):
    with pytest.raises(StructureError, match=message):
        by_codes(atoms, **options)


# ---- files and figures


def test_files_say_what_was_seen(small, tmp_path):
    asked = {"multiphonon": 3, "temperature": 50.0, "de": 1.0, "isotopes": {"Si": 28}}
    for name, energies in (("TOSCA", {}), ("MARI", {"ei": 100.0})):
        made = by_codes(SILICON.atoms, instrument=name, **energies, **asked)
        found = Prediction.load(made.save(tmp_path / "file.nc"))
        assert found.dataset.identical(made.dataset)
        for variable in set(SEEN) & set(found.dataset.data_vars):
            assert found.dataset[variable].dims == SEEN[variable][0]
            assert found.dataset[variable].attrs["units"] == SEEN[variable][1]
        setting = Setting.of_attributes(found.dataset.attrs)
        asked_for = instrument(name, **({"e_i": 100.0} if energies else {}))
        assert (setting.name, setting.geometry, setting.angles) == (name, asked_for.geometry, asked_for.angles)
        summary = json.loads(json.dumps(found.summary()))
        assert (summary["instrument"], summary["isotopes"], summary["multiphonon_order"]) == (
            str(asked_for),
            "Si=28",
            3,
        )


def test_figures_show_what_is_seen(small):
    asked = {"temperature": 50.0, "de": 1.0, "kinds": ("powder",)}
    seen = by_codes(SILICON.atoms, ei=50.0, multiphonon=2, **asked)
    drawn = powder_figure(seen.dataset).axes[0].collections[0].get_array()
    mask = np.ma.getmaskarray(drawn)
    np.testing.assert_array_equal(~mask, AllAngles(50.0).reach(edges_of(seen, "q"), edges_of(seen)).T)
    shown = drawn[~mask] / seen.instrument_map.values.T[~mask]
    np.testing.assert_allclose(shown, shown[0], rtol=1e-5)
    titles = [ax.get_title("left") for ax in overview(seen.dataset).subfigs[1].axes]
    assert "Powder, all angles, $E_i$ = 50 meV" in titles
    assert "Powder" not in titles
    banks = by_codes(SILICON.atoms, instrument="TOSCA", multiphonon=2, **asked)
    ax = instrument_figure(banks.dataset, log=True).axes[0]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["backward", "backward, many phonons", "forward", "forward, many phonons"]
    assert ax.get_title("left") == "Si, 50 K, TOSCA, $E_f$ = 3.967 meV"


def test_spectra_of_banks_are_compared(small):
    asked = {"kinds": ("dos",), "temperature": 50.0, "de": 1.0, "instrument": "TOSCA"}
    one, many = (by_codes(NACL.atoms, multiphonon=n, **asked) for n in (False, 3))
    same = compare(one, one)
    assert same.figures["instrument"] == pytest.approx({"cut_cosine": 1.0, "ratio": 1.0})
    comparison_figure([(same.spectra, [])])
    assert "only other has many phonons" in compare(one, many).notes[0]
    vision = by_codes(NACL.atoms, **asked | {"instrument": "VISION"})
    assert "they are of TOSCA, E_f = 3.967 meV and of VISION, E_f = 3.649 meV" in compare(one, vision).notes[0]
    without = by_codes(NACL.atoms, **asked | {"instrument": None})
    assert "other holds none" in compare(one, without).notes[0]
    with pytest.raises(DataError, match=r"isotopes of reference are natural, those of other Cl=35"):
        compare(one, by_codes(NACL.atoms, isotopes={"Cl": 35}, **asked))


# ---- both commands

SHARED = (
    "temperature", "plane", "kinds", "emax", "de", "qmax", "dq", "instrument", "ei", "ef", "setting", "isotope",
    "multiphonon", "order",
)  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_both_commands_have_the_same_option(name):
    one, other = (inspect.signature(command).parameters[name] for command in (predict_command, simulate_command))
    assert (one.annotation, one.default) == (other.annotation, other.default)


@pytest.fixture(params=["predict", "simulate"])
def command(request, small, rough, tmp_path, monkeypatch):
    """A command and a crystal for it, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    if request.param == "simulate":
        return request.param, pack_archive(tmp_path, NACL)
    NACL.atoms.write("salt.cif")
    return request.param, tmp_path / "salt.cif"


@pytest.mark.parametrize(
    ("options", "variables", "words"),
    [
        ("--instrument TOSCA --kinds dos", {"instrument_spectrum", "instrument_q"}, "TOSCA, E_f = 3.967 meV"),
        ("--instrument vision --ef 3.5 --kinds dos", {"instrument_spectrum", "instrument_q"}, "VISION, E_f = 3.5 meV"),
        ("--ei 40 --kinds powder --order 3", {"instrument_map", "powder_multiphonon"}, "up to 3"),
        ("--multiphonon --kinds powder", {"powder_multiphonon"}, "number of phonons"),
        ("--isotope Cl=35Cl --isotope 0=Na --kinds dos", set(), "Cl=35Cl, 0=Na"),
        (
            "--instrument ARCS --ei 70 --setting chopper_package=ARCS-100-1.5-AST --setting chopper_frequency=300 "
            "--kinds powder",
            {"instrument_map"},
            "ARCS, E_i = 70 meV",
        ),
    ],
)
def test_both_commands_see_the_same(command, options, variables, words):
    name, source = command
    result = run(name, source, *options.split(), "--de", 1, "--qmax", 4, "--dq", 0.5, "--no-plot")
    assert result.exit_code == 0, result.output
    assert words in result.stdout
    (file,) = source.parent.glob("*.nc")
    assert set(SEEN) & set(Prediction.load(file).dataset.data_vars) == variables


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--instrument ARCS", "give its incident energy e_i"),
        ("--instrument ARCS --ei 80 --ef 4", "leave e_f out"),
        ("--instrument ARCS --ei 80 --setting chopper=1", "has no setting chopper"),
        ("--instrument VISION --ei 80", "leave e_i out"),
        ("--instrument ARC --ei 80", "no instrument is called 'ARC'"),
        ("--instrument ARCS --ei 80 --kinds dos", "add the kind powder"),
        ("--setting chopper_frequency=300", "belong to an instrument"),
        ("--instrument ARCS --ei 80 --setting chopper_frequency", "expected a name and a value"),
        ("--ei 0.1", "no detector of all angles, E_i = 0.1 meV sees any of the map"),
        ("--ei -1", "must be finite and positive"),
        ("--ei 5 --ef 5", "one energy is fixed"),
        ("--multiphonon --kinds dos", "add the kind powder, or an instrument"),
        ("--order 0", "order is 0"),
        ("--isotope Na", "expected an element or the number of an atom"),
        ("--isotope K=39 --kinds dos", "isotopes were chosen for 'K'"),
        ("--isotope Na=7 --kinds dos", "Na has no isotope 7"),
        ("--isotope 9=23 --kinds dos", "isotopes were chosen for 9"),
    ],
)
def test_bad_combinations_are_one_line(command, options, message, monkeypatch, capsys):
    name, source = command
    code, out, err = run_main(monkeypatch, capsys, name, source, *options.split(), "--no-plot", "--dq", 1, "--de", 2)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_what_the_options_mean():
    assert parse_isotopes(["H=D", "Li = 7Li", "3=2", "O=18"]) == {"H": "D", "Li": "7Li", 3: 2, "O": 18}
    arcs = seen_through("arcs", 80.0, None, ["chopper_frequency=300"])
    assert (arcs.name, arcs.fixed_energy) == ("ARCS", 80.0)
    assert float(arcs.fwhm(0.0)) > float(seen_through("arcs", 80.0, None, ["chopper_frequency=600"]).fwhm(0.0))
    assert seen_through(None, None, None) is None
    with pytest.raises(InstrumentError, match="is in a setting already: leave e_i out"):
        inscape.simulate(bulk("Si"), instrument=arcs, ei=80.0)
    with pytest.raises(DataError, match="expected an element"):
        parse_isotopes(["=D"])


def test_plot_draws_what_the_file_was_made_for(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    by_codes(SILICON.atoms, instrument="TOSCA", temperature=10.0, de=1.0, kinds=("dos", "powder")).save("si.nc")
    drawn = []
    for name in ("instrument_figure", "powder_figure"):
        monkeypatch.setattr(f"inscape.plots.{name}", lambda data, name=name, **_: drawn.append(name) or overview(data))
    assert run("plot", "si.nc").exit_code == 0
    assert run("plot", "si.nc", "--ef", 5).exit_code == 0
    assert drawn == ["instrument_figure", "powder_figure"]
