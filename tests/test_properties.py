"""Thermal properties of result files: laws, cut densities of states, the command, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from inscape.cli import app
from inscape.errors import DataError, GridError
from inscape.plots import thermodynamics_figure
from inscape.properties import MEANINGS, as_table, atom_masses, complete_partial_dos
from inscape.results import Prediction, make_prediction
from inscape.scattering import mean_square_displacements
from inscape.structures import Crystal
from inscape.thermodynamics import debye_temperature, heat_capacity
from inscape.units import GAS_CONSTANT, KB

KELVIN = np.array([0.0, 20.0, 100.0, 300.0, 900.0])
CRYSTAL = Crystal.from_cell(2.82 * (1 - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
EDGES = np.linspace(0, 40, 81)
MIDDLE = (EDGES[1:] + EDGES[:-1]) / 2
PARTIAL = np.stack([MIDDLE**2 * (MIDDLE < 25), MIDDLE**2 * (MIDDLE < 35)])
PARTIAL = 3 * PARTIAL / (PARTIAL @ np.diff(EDGES))[:, None]
CUT = 44
"""Bins that are left of a density of states cut at 22 meV."""


def whole(factor=1.0, share=None):
    """The density of states with all energies multiplied; ``share`` is that by which they may be wrong."""
    stretch = None if share is None else (dict.fromkeys(MEANINGS, np.full(2, share)), np.array([50.0, 300.0]))
    return make_prediction(
        crystal=CRYSTAL, energy_edges=EDGES * factor, temperature=300.0, partial_dos=PARTIAL / factor,
        stretch=stretch,
    )  # fmt: skip


def cut():
    return make_prediction(
        crystal=CRYSTAL, energy_edges=EDGES[: CUT + 1], temperature=300.0, partial_dos=PARTIAL[:, :CUT],
        complete_dos=(PARTIAL.sum(axis=0), EDGES),
    )  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_laws_between_the_functions():
    found = whole().thermodynamics(KELVIN)
    u, f, s = (found[name].values for name in ("internal_energy", "free_energy", "entropy"))
    np.testing.assert_allclose(f, u - KELVIN * s, rtol=1e-12)
    np.testing.assert_allclose(u[0], found["zero_point_energy"])
    np.testing.assert_allclose(found["heat_capacity"], whole().heat_capacity(KELVIN))
    step = 0.5
    around = whole().thermodynamics([300 - step, 300 + step])["internal_energy"].values
    np.testing.assert_allclose(np.diff(around) / (2 * step), found["heat_capacity"][3], rtol=1e-5)
    assert found["heat_capacity"][-1] < 3 * GAS_CONSTANT
    assert (found["displacement"].values[:, 0] > 0).all()


def test_displacements_are_those_of_the_scattering_engine():
    found = whole().thermodynamics(300.0)["displacement"].values[0]
    np.testing.assert_allclose(found, mean_square_displacements(PARTIAL, EDGES, CRYSTAL.masses, 300.0))


def test_a_debye_solid_has_one_debye_temperature():
    edges = np.linspace(0, 30.0, 6001)
    dos = (edges[1:] + edges[:-1]) ** 2
    kelvin = np.array([30.0, 60.0, 150.0, 300.0])
    np.testing.assert_allclose(debye_temperature(heat_capacity(dos, edges, kelvin), kelvin), 30.0 / KB, rtol=1e-3)
    assert np.isnan(debye_temperature([0.001, 3 * GAS_CONSTANT], [1.0, 300.0])).all()


def test_where_a_density_of_states_was_cut_changes_nothing():
    one, other = whole().thermodynamics(KELVIN), cut().thermodynamics(KELVIN)
    for name in ("heat_capacity", "entropy", "internal_energy", "free_energy"):
        np.testing.assert_allclose(one[name], other[name])
    np.testing.assert_allclose(one["displacement"], other["displacement"], rtol=0.06)  # shares above are guessed
    partial, edges = complete_partial_dos(cut().dataset)
    np.testing.assert_allclose(partial @ np.diff(edges), 3.0)
    np.testing.assert_allclose(partial.sum(axis=0), PARTIAL.sum(axis=0))


def test_masses_are_in_the_file_and_follow_from_symbols_in_older_ones():
    dataset = whole().dataset
    np.testing.assert_allclose(atom_masses(dataset), CRYSTAL.masses)
    np.testing.assert_allclose(atom_masses(dataset.drop_vars("atom_mass")), CRYSTAL.masses, rtol=1e-3)


def test_bands_end_where_energies_are_stretched_as_far_as_they_may_be():
    middle = whole(share=0.01).thermodynamics(KELVIN)
    for factor in (1.01, 1 / 1.01):
        end = whole(factor).thermodynamics(KELVIN)
        for name in end:
            np.testing.assert_allclose(
                np.abs(end[name] - middle[name]), middle[f"{name}_error"], rtol=0.02, atol=1e-9, err_msg=name
            )
    assert float(middle["zero_point_energy_error"] / middle["zero_point_energy"]) == pytest.approx(0.01, rel=0.01)
    assert float(middle["debye_temperature_error"][2] / middle["debye_temperature"][2]) == pytest.approx(0.01, rel=0.05)


def test_where_no_stretch_is_known_there_are_no_bands():
    assert not [name for name in whole().thermodynamics(KELVIN) if name.endswith("_error")]


def test_bands_are_in_table_figure_and_command(tmp_path):
    properties = whole(share=0.02).thermodynamics(KELVIN)
    assert {"heat_capacity_J_per_mol_K_error", "u2_Na1_angstrom2_error"} <= set(as_table(properties))
    assert len(thermodynamics_figure(properties).axes[0].collections) == 2
    result = run("thermo", whole(share=0.02).save(tmp_path / "salt.nc"), "--temperatures", "100,300")
    assert result.output.count("±") >= 8
    assert "nine times out of ten" in result.output


def test_the_table_has_a_column_for_each_property_and_atom():
    table = as_table(whole().thermodynamics(KELVIN))
    assert list(table.index) == KELVIN.tolist()
    assert {"heat_capacity_J_per_mol_K", "free_energy_J_per_mol", "u2_Na1_angstrom2", "u2_Cl2_angstrom2"} <= set(table)


def test_the_figure_names_its_axes():
    axes = thermodynamics_figure(whole().thermodynamics(KELVIN)).axes
    assert len(axes) == 4
    assert all(ax.get_xlabel() == "Temperature (K)" and ax.get_ylabel() for ax in axes)


def test_the_command_prints_and_writes(tmp_path):
    path = whole().save(tmp_path / "salt.nc")
    csv, plot = tmp_path / "salt.csv", tmp_path / "salt.svg"
    result = run("thermo", path, "--temperatures", "0:300:100", "--csv", csv, "--plot", plot)
    assert result.exit_code == 0, result.output
    assert "zero-point energy" in result.output
    table = pd.read_csv(csv, index_col="temperature_K")
    np.testing.assert_allclose(table["heat_capacity_J_per_mol_K"], whole().heat_capacity([0, 100, 200, 300]))
    assert plot.read_text().startswith("<?xml")


@pytest.mark.parametrize("text", ["", "300:100:10", "0:100", "0:100:0", "warm", "0:1e9:0.001"])
def test_temperatures_that_make_no_sense_are_refused(tmp_path, text):
    result = run("thermo", whole().save(tmp_path / "salt.nc"), "--temperatures", text)
    assert isinstance(result.exception, DataError)
    assert "expected first:last:step" in str(result.exception)


def test_refusals(tmp_path):
    with pytest.raises(GridError, match="0 K or more"):
        whole().thermodynamics(-1.0)
    empty = whole().dataset.drop_vars(["dos", "partial_dos"])
    with pytest.raises(DataError, match="ask for the kind 'dos'"):
        Prediction(empty).thermodynamics(300.0)
    assert isinstance(run("thermo", tmp_path / "nowhere.nc").exception, DataError)
