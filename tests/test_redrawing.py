"""Results looked at anew from their files; cells as they are drawn; crystals and structures as text."""

import numpy as np
import pytest
from ase.build import bulk

import inscape
from crystals import NACL, QUARTZ, SILICON, force_constants_of
from inscape.bonding import drawn_cell
from inscape.errors import DataError, GridError, StructureError
from inscape.redrawing import redraw
from inscape.results import Prediction
from inscape.structures import Crystal, parse_structure, read_structure
from inscape.units import bose
from webservice import QUARTZ as QUARTZ_TEXT

COARSE = {"de": 2.0, "dq": 1.0, "qmax": 6.0}


@pytest.fixture(scope="module")
def salt():
    """Simulations of a salt, one crystal, at two temperatures."""
    force_constants = force_constants_of(NACL, born=False)
    make = {kelvin: inscape.simulate(force_constants, temperature=kelvin, **COARSE) for kelvin in (300.0, 20.0)}
    return force_constants.crystal, make


def test_at_its_own_temperature_nothing_changes(salt):
    crystal, made = salt
    again = redraw(made[300.0], crystal)
    assert again.dataset.equals(made[300.0].dataset)
    assert again.dataset.attrs == made[300.0].dataset.attrs


def test_there_and_back_again(salt):
    crystal, made = salt
    there = redraw(made[300.0], crystal, temperature=50.0)
    back = redraw(there, crystal, temperature=300.0)
    for name in ("powder", "crystal", "crystal_incoherent"):
        np.testing.assert_allclose(back.dataset[name], made[300.0].dataset[name], rtol=1e-5, atol=1e-12)


def test_at_small_q_it_is_the_bose_factor(salt):
    crystal, made = salt
    cold = redraw(made[300.0], crystal, temperature=20.0)
    energy = made[300.0].dataset["energy"].values
    factor = (bose(energy, 20.0) + 1) / (bose(energy, 300.0) + 1)
    before, after = (x.powder.values[0] for x in (made[300.0], cold))
    np.testing.assert_allclose(after, before * factor, rtol=0.02)


def test_it_is_near_what_is_simulated_at_that_temperature(salt):
    crystal, made = salt
    cold, exact = redraw(made[300.0], crystal, temperature=20.0), made[20.0]
    for name, error in (("powder_incoherent", 0.03), ("powder_coherent", 0.1), ("crystal", 0.1)):
        found, expected = cold.dataset[name].values, exact.dataset[name].values
        assert np.abs(found - expected).sum() < error * expected.sum(), name
        unchanged = made[300.0].dataset[name].values
        assert np.abs(found - expected).sum() < 0.5 * np.abs(unchanged - expected).sum(), name


def test_instruments_see_the_same_as_in_a_simulation(salt):
    crystal, made = salt
    force_constants = force_constants_of(NACL, born=False)
    seen = redraw(made[300.0], crystal, ei=80.0)
    exact = inscape.simulate(force_constants, ei=80.0, **COARSE)
    np.testing.assert_allclose(seen.instrument_map, exact.instrument_map, rtol=1e-5)
    assert seen.dataset.attrs["instrument"] == exact.dataset.attrs["instrument"]
    plain = redraw(seen, crystal)
    assert plain.dataset.equals(made[300.0].dataset)
    assert "instrument" not in plain.dataset.attrs


def test_kinds_are_dropped(salt):
    crystal, made = salt
    assert redraw(made[300.0], crystal, kinds=("powder",)).kinds == ("powder",)


def test_what_cannot_be_redrawn_is_refused(salt):
    crystal, made = salt
    with pytest.raises(DataError, match="give its own"):
        redraw(made[300.0], parse_structure(QUARTZ_TEXT))
    with pytest.raises(DataError, match="make it with dos"):
        redraw(redraw(made[300.0], crystal, kinds=("powder",)), crystal)
    with pytest.raises(GridError, match="temperature"):
        redraw(made[300.0], crystal, temperature=-1.0)


def test_results_are_read_from_bytes(salt, tmp_path):
    data = salt[1][300.0].save(tmp_path / "a.nc").read_bytes()
    assert Prediction.from_bytes(data).dataset.equals(salt[1][300.0].dataset)
    with pytest.raises(DataError, match="no file of a result"):
        Prediction.from_bytes(data[: len(data) // 2])


# ---- cells as they are drawn


@pytest.mark.parametrize("material", [NACL, SILICON, QUARTZ], ids=lambda m: m.name)
def test_a_drawn_cell_holds_the_conventional_cell(material):
    crystal = read_structure(material.atoms)
    drawn = drawn_cell(crystal)
    fractional = drawn.positions @ np.linalg.inv(drawn.lattice)
    assert ((fractional > -1e-6) & (fractional < 1 + 1e-3)).all()
    inside = (fractional < 1 - 1e-3).all(axis=1)
    assert inside.sum() == len(material.atoms)
    assert sorted(np.array(drawn.symbols)[inside]) == sorted(material.atoms.get_chemical_symbols())
    lengths = np.linalg.norm(drawn.positions[drawn.bonds[:, 0]] - drawn.positions[drawn.bonds[:, 1]], axis=1)
    assert (drawn.bonds[:, 0] < drawn.bonds[:, 1]).all()
    assert lengths.min() > 1.0


def test_bonds_are_those_that_chemists_draw():
    silicon = drawn_cell(read_structure(bulk("Si", cubic=True)))
    assert len(silicon.bonds) == 16
    assert len(silicon.symbols) == 18
    quartz = drawn_cell(read_structure(QUARTZ.atoms))
    pairs = {frozenset((quartz.symbols[i], quartz.symbols[j])) for i, j in quartz.bonds}
    assert pairs == {frozenset(("Si", "O"))}


# ---- structures as text


@pytest.mark.parametrize("form", ["cif", "vasp", "extxyz"])
def test_text_is_read_as_a_file_is(tmp_path, form):
    path = tmp_path / f"a.{form}"
    NACL.atoms.write(path)
    found, expected = parse_structure(path.read_text()), read_structure(path)
    assert found.digest == expected.digest
    assert parse_structure(path.read_text(), {"vasp": "poscar"}.get(form, form)).digest == expected.digest


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("", None, "the structure is empty"),
        ("x", "pdb", "expected one of cif, poscar, extxyz"),
        ("x", None, "cannot be read .*POSCAR"),
        ("data_x", None, "no crystal structure"),
        ("2\nx\nSi 0 0 0\nSi 1 1 1\n", None, "cell"),
    ],
)
def test_text_that_is_no_structure_is_refused(text, form, words):
    with pytest.raises(StructureError, match=words):
        parse_structure(text, form)
    with pytest.raises(StructureError, match=r"^mine: "):
        parse_structure(text, form, name="mine")


def test_no_file_is_touched_whatever_a_text_says(monkeypatch):
    import builtins

    def forbidden(*args, **options):
        raise AssertionError(f"opened {args}")

    monkeypatch.setattr(builtins, "open", forbidden)
    for text in ("/etc/passwd", "x\n1\n1 0 0\n0 1 0\n0 0 1\n1\nDirect\n0 0 0\n"):
        with pytest.raises(StructureError):
            parse_structure(text)


def test_a_crystal_goes_through_json():
    import json

    for crystal in (parse_structure(QUARTZ_TEXT), read_structure(NACL.atoms).with_isotopes({"Cl": 37})):
        again = Crystal.from_cell(**json.loads(json.dumps(crystal.to_dict())))
        assert again.digest == crystal.digest
        np.testing.assert_array_equal(again.positions, crystal.positions)
        np.testing.assert_array_equal(again.masses, crystal.masses)
        assert again.isotopes == crystal.isotopes
