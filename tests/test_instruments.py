"""What instruments see: kinematic limits in closed form, broadening that keeps areas, the contract, refusals."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inscape.errors import GridError, InstrumentError, MissingPackageError
from inscape.scattering import (
    Instrument,
    broaden,
    broadening_matrix,
    final_energy,
    incident_energy,
    instrument,
    instrument_names,
    is_reached,
    momentum_transfer,
    q_limits,
)
from inscape.scattering.resolution import FWHM
from inscape.testing import check_instrument
from inscape.units import HBAR2_2MN

SETTINGS = {
    "ARCS": {"e_i": 100.0, "chopper_package": "ARCS-700-1.5-AST", "chopper_frequency": 420},
    "CNCS": {"e_i": 12.0, "chopper_package": "High Resolution", "fermi_frequency": 180},
    "HYSPEC": {"e_i": 15.0, "chopper_frequency": 360},
    "LET": {"e_i": 6.0, "chopper_package": "Intermediate", "resolution_frequency": 200},
    "MAPS": {"e_i": 200.0, "chopper_package": "B"},
    "MARI": {"e_i": 300.0, "chopper_package": "R"},
    "MERLIN": {"e_i": 50.0, "chopper_frequency": 600},
    "PANTHER": {"e_i": 100.0},
    "SEQUOIA": {"e_i": 50.0, "chopper_package": "High-Resolution"},
    "TOSCA": {},
    "VISION": {},
}


class Constant(Instrument):
    """A chopper spectrometer that resolves 1.5 % of E_f and 0.3 meV."""

    def __init__(self, e_i=60.0, angles=((3.0, 130.0),)):
        super().__init__("constant", "direct", e_i, angles, allowed=(10.0, 200.0))

    def sigma(self, energy):
        """Width in meV."""
        return 0.3 + 0.015 * (self.fixed_energy - energy)


class Analyser(Instrument):
    """A crystal-analyser spectrometer."""

    def __init__(self):
        super().__init__("analyser", "indirect", 4.0, ((44.0, 46.0), (134.0, 136.0)))

    def sigma(self, energy):
        """Width in meV."""
        return 0.2 + 0.01 * energy


# ---- kinematics


@given(st.floats(0.1, 1000), st.floats(0, 1000), st.floats(0, 180))
def test_momentum_transfer_is_the_third_side_of_a_triangle(incident, final, angle):
    before, after = np.sqrt(np.array([incident, final]) / HBAR2_2MN)
    q = momentum_transfer(incident, final, angle)
    assert np.abs(before - after) - 1e-6 <= q <= before + after + 1e-6
    assert momentum_transfer(incident, final, 0.0) == pytest.approx(np.abs(before - after), abs=1e-6)
    assert momentum_transfer(incident, final, 180.0) == pytest.approx(before + after)
    assert momentum_transfer(incident, final, 90.0) == pytest.approx(np.hypot(before, after))
    elastic = momentum_transfer(incident, incident, angle)
    assert elastic == pytest.approx(2 * before * np.sin(np.deg2rad(angle) / 2), abs=1e-5)


def test_thermal_neutrons_have_the_wave_vector_of_the_books():
    """Squires 2012, table 1.1: 25.3 meV is 1.8 Å."""
    assert 2 * np.pi / momentum_transfer(25.3, 0.0, 0.0) == pytest.approx(1.798, abs=2e-3)


@pytest.mark.parametrize("geometry", [{"incident": 50.0}, {"final": 4.0}])
def test_what_is_reached_lies_between_the_limits(geometry):
    energy = np.linspace(0, 49, 8)
    angles = ((5.0, 40.0), (90.0, 90.0))
    limits = q_limits(energy, angles, **geometry)
    assert limits.shape == (2, 2, 8)
    for (low, high), (near, far) in zip(angles, limits, strict=True):
        before = np.full(8, 50.0) if "incident" in geometry else 4.0 + energy
        np.testing.assert_allclose(near, momentum_transfer(before, before - energy, low))
        np.testing.assert_allclose(far, momentum_transfer(before, before - energy, high))
    assert np.all(is_reached(limits, energy, angles, **geometry))
    between = 0.5 * (limits[0, 0] + limits[0, 1])
    assert np.all(is_reached(between, energy, angles, **geometry))
    assert not np.any(is_reached(limits[0, 0] - 1e-3, energy, angles[:1], **geometry))
    assert not np.any(is_reached(limits[0, 1] + 1e-3, energy, angles[:1], **geometry))


def test_no_neutron_loses_more_than_it_has():
    whole = ((0.0, 180.0),)
    assert not is_reached(1.0, 50.1, whole, incident=50.0)
    assert is_reached(np.sqrt(50 / HBAR2_2MN), 50.0, whole, incident=50.0)
    assert not is_reached(1.0, -4.1, whole, final=4.0)
    assert np.isnan(q_limits(60.0, whole, incident=50.0)).all()
    assert final_energy(50.0, [0.0, 20.0]).tolist() == [50.0, 30.0]
    assert incident_energy(4.0, [0.0, 20.0]).tolist() == [4.0, 24.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: final_energy(50.0, [10.0, 51.0]), "E_i = 50 meV cannot lose more than it has"),
        (lambda: incident_energy(4.0, [-5.0]), "E_f = 4 meV cannot have gained more"),
        (lambda: final_energy(0.0, [1.0]), "E_i is 0.0 meV; it must be finite and positive"),
        (lambda: incident_energy(-1.0, [1.0]), "E_f is -1.0 meV"),
        (lambda: q_limits(1.0, ((0.0, 180.0),)), "either the incident energy"),
        (lambda: q_limits(1.0, ((0.0, 180.0),), incident=5.0, final=4.0), "either the incident energy"),
        (lambda: q_limits(1.0, ((40.0, 5.0),), incident=5.0), "no range of 2θ"),
        (lambda: q_limits(1.0, ((5.0, 181.0),), incident=5.0), "no range of 2θ"),
        (lambda: q_limits(1.0, (), incident=5.0), "there are no detectors"),
    ],
)
def test_impossible_kinematics_are_refused(call, message):
    with pytest.raises(GridError, match=message):
        call()


# ---- broadening


@st.composite
def grids_and_widths(draw):
    """Edges of unequal bins, a width for each, a density."""
    widths = np.array(draw(st.lists(st.floats(0.1, 3.0), min_size=3, max_size=12)))
    count = len(widths)
    sigma = np.array(draw(st.lists(st.floats(0.0, 5.0), min_size=count, max_size=count)))
    density = np.array(draw(st.lists(st.floats(0.0, 10.0), min_size=count, max_size=count)))
    return np.concatenate([[0.0], np.cumsum(widths)]), sigma, density


@settings(deadline=None)
@given(grids_and_widths())
def test_broadening_keeps_the_area_and_the_sign(case):
    edges, sigma, density = case
    found = broaden(density, edges, sigma)
    assert np.sum(found * np.diff(edges)) == pytest.approx(np.sum(density * np.diff(edges)))
    assert found.min() >= 0


def test_broadening_is_a_convolution_with_a_gaussian():
    """A bin far from the ends: its mean stays, its variance grows by σ², its shape is the box through the Gaussian."""
    edges = np.concatenate([np.arange(0, 30, 0.5), np.linspace(30, 60, 101), np.arange(61, 90, 1.0)])
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    for sigma in (0.02, 0.8, 2.5):
        column = 90
        share = broadening_matrix(edges, sigma).toarray()[:, column] * width / width[column]
        mean = share @ middle
        assert mean == pytest.approx(middle[column], abs=1e-5)
        extra = share @ (middle**2 + width**2 / 12) - mean**2 - width[column] ** 2 / 12
        # gathering a curved density in bins adds what the bins do not resolve
        assert extra == pytest.approx(sigma**2, abs=0.02)


def test_widths_far_below_the_bins_change_nothing():
    edges = np.array([0.0, 1.0, 3.0, 4.0])
    for sigma in (0.0, 1e-12):
        np.testing.assert_allclose(broadening_matrix(edges, sigma).toarray(), np.eye(3), atol=1e-9)


def test_what_is_constant_stays_so_under_one_width():
    """Tails are folded back at the ends, so that neither end of a map of equal steps loses anything."""
    edges = np.linspace(0, 10, 101)
    np.testing.assert_allclose(broaden(np.ones((100, 2)), edges, 0.7, axis=0), 1.0, atol=1e-8)


def test_broadening_along_either_axis():
    edges, values = np.linspace(0, 5, 6), np.random.default_rng(0).random((5, 5))
    along = broaden(values, edges, 0.8, axis=0)
    np.testing.assert_allclose(along.T, broaden(values.T, edges, 0.8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1, 2], -0.1), "finite and not negative"),
        (([0, 1, 2], [0.1, np.nan]), "finite and not negative"),
        (([0, 1, 2], [0.1, 0.1, 0.1]), "one for each of 2 bins"),
        (([0, 2, 1], 0.1), "increasing"),
    ],
)
def test_widths_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(GridError, match=message):
        broadening_matrix(*arguments)


def test_a_spectrum_on_another_grid_is_refused():
    with pytest.raises(GridError, match="spectrum has 3 bins along this axis, its grid 2"):
        broaden(np.ones(3), [0, 1, 2], 0.1)


# ---- instruments


@pytest.mark.parametrize("name", SETTINGS)
def test_spectrometers_keep_the_contract(name):
    pytest.importorskip("resins")
    check_instrument(instrument(name, **SETTINGS[name]))


@pytest.mark.parametrize("made", [Constant(), Analyser()], ids=lambda i: i.name)
def test_an_instrument_of_ones_own_is_one_small_class(made):
    check_instrument(made)
    assert made.fwhm(1.0) == pytest.approx(FWHM * made.resolution(1.0))


def test_all_spectrometers_are_tested():
    assert set(SETTINGS) == set(instrument_names())


def test_widths_are_those_of_resins():
    resins = pytest.importorskip("resins")
    energies = np.array([0.0, 20.0, 60.0])
    model = resins.Instrument.from_default("ARCS").get_resolution_function(
        chopper_package="ARCS-700-1.5-AST", e_init=100.0, chopper_frequency=420
    )
    expected = model.get_characteristics(energies[:, None])["sigma"]
    np.testing.assert_allclose(instrument("arcs", **SETTINGS["ARCS"]).resolution(energies), expected)


def test_widths_of_tosca_are_its_parabola():
    """σ = 2.5 + 0.005 E + 10⁻⁷ E², in cm⁻¹: Dymkowski et al., Physica B 551, 443 (2018)."""
    pytest.importorskip("resins")
    wavenumber = np.array([0.0, 500.0, 3000.0])
    expected = 2.5 + 0.005 * wavenumber + 1e-7 * wavenumber**2
    found = instrument("TOSCA").resolution(wavenumber / 8.065544) * 8.065544
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_vision_resolves_what_it_was_designed_for():
    """FWHM of 1 to 2 % of the energy: J. Z. Larese et al., American Conference on Neutron Scattering, abstract TP40."""
    pytest.importorskip("resins")
    energies = np.array([100.0, 200.0, 400.0])
    share = instrument("VISION").fwhm(energies) / energies
    assert np.all((share > 0.01) & (share < 0.02))


def test_an_incident_energy_and_a_chopper_change_the_width():
    pytest.importorskip("resins")
    widths = [
        float(instrument("MAPS", e_i=e_i, chopper_package=chopper, chopper_frequency=hertz).resolution(10.0))
        for e_i, chopper, hertz in ((200, "A", 400), (100, "A", 400), (200, "S", 400), (200, "A", 600))
    ]
    assert widths[1] < widths[0] < widths[2]
    assert widths[3] < widths[0]


def test_a_map_through_an_instrument():
    """One bin is spread by both widths, and by that of the bin twice, as it is and where it falls."""
    made = Constant(angles=((0.0, 180.0),))
    q_edges, energy_edges = np.linspace(0, 12, 61), np.linspace(0, 80, 161)
    values = np.zeros((60, 160))
    values[25, 40] = 1.0
    found = made.measure(values, q_edges, energy_edges, q_width=0.1)
    assert np.nansum(found) == pytest.approx(1.0, rel=1e-6)
    row, column = np.unravel_index(np.nanargmax(found), found.shape)
    assert (row, column) == (25, 40)
    energy = 0.5 * (energy_edges[1:] + energy_edges[:-1])
    spread = np.nansum(found, axis=0) @ (energy - energy[40]) ** 2
    assert spread == pytest.approx(made.resolution(energy[40]) ** 2 + 2 * 0.5**2 / 12, rel=1e-4)
    in_q = np.nansum(found, axis=1) @ (0.5 * (q_edges[1:] + q_edges[:-1]) - 5.1) ** 2
    assert in_q == pytest.approx(0.1**2 + 2 * 0.2**2 / 12, rel=1e-2)
    assert np.isnan(found[:, energy > 60]).all()
    highest = np.sqrt(60 / HBAR2_2MN) + np.sqrt(np.maximum(60 - energy, 0) / HBAR2_2MN)
    assert np.isnan(found[(q_edges[:-1, None] > highest + 1e-9)]).all()
    assert np.isfinite(found[25, 40])


def test_banks_at_one_angle_see_a_line():
    pytest.importorskip("resins")
    tosca = instrument("TOSCA")
    q_edges, energy_edges = np.linspace(0, 12, 241), np.linspace(0, 150, 76)
    assert np.all(tosca.reach(q_edges, energy_edges).sum(axis=0) == 2)


def test_an_instrument_of_another_package_is_found_by_name(tmp_path, monkeypatch):
    (tmp_path / "made_elsewhere.py").write_text(
        "from inscape.scattering import Instrument\n"
        "class Elsewhere(Instrument):\n"
        "    def __init__(self, e_i):\n"
        "        super().__init__('elsewhere', 'direct', e_i, ((5.0, 120.0),))\n"
        "    def sigma(self, energy):\n"
        "        return 0.5 + 0 * energy\n"
    )
    info = tmp_path / "made_elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[inscape.instruments]\nELSEWHERE = made_elsewhere:Elsewhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "ELSEWHERE" in instrument_names()
    found = instrument("elsewhere", e_i=30.0)
    check_instrument(found)
    assert found.resolution(3.0) == 0.5
    monkeypatch.delitem(sys.modules, "made_elsewhere")


class Negative(Constant):
    """Its width becomes negative."""

    def sigma(self, energy):
        """Width in meV."""
        return 1.0 - 0.05 * energy


class Shapeless(Constant):
    """It answers with one number."""

    def sigma(self, energy):
        """Width in meV."""
        return np.float64(1.0)


class Everywhere(Constant):
    """It answers where no neutron can be."""

    def resolution(self, energy):
        """Width in meV."""
        return np.ones_like(np.asarray(energy, dtype=float))


class Blind(Constant):
    """It says that detectors reach nothing."""

    def reach(self, q_edges, energy_edges):
        """Which bins some detector sees."""
        return np.zeros((len(q_edges) - 1, len(energy_edges) - 1), dtype=bool)


class Moody(Constant):
    """Its width depends on how many transfers it is asked for."""

    def sigma(self, energy):
        """Width in meV."""
        return np.full_like(energy, 1.0 + np.size(energy))


@pytest.mark.parametrize(
    ("broken", "clause"),
    [
        (Negative(), "not positive and finite"),
        (Shapeless(), "has the shape"),
        (Everywhere(), "where no neutron can be"),
        (Blind(), "no detector reaches anything"),
        (Moody(), "not what it is among many"),
        (object(), "no subclass"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_the_check_finds_what_is_broken(broken, clause):
    with pytest.raises(AssertionError, match=clause):
        check_instrument(broken)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ARC", {}, "no instrument is called 'ARC'; there are ARCS, CNCS, "),
        ("ARCS", {}, "give its incident energy e_i, 20 to 1500 meV"),
        ("ARCS", {"e_i": 5.0}, "out of reach of ARCS; it takes 20 to 1500 meV"),
        ("ARCS", {"e_i": 100.0, "chopper_package": "A"}, "no chopper package 'A'; it has SEQ-100-2.0-AST"),
        ("ARCS", {"e_i": 100.0, "chopper": "A"}, "no setting chopper; its settings are: chopper_frequency"),
        ("ARCS", {"e_i": 100.0, "chopper_frequency": 61}, "must be one of the following values"),
        ("ARCS", {"e_i": 700.0, "chopper_frequency": 60}, "no transmission"),
        ("MERLIN", {"e_i": 300.0}, "it takes 0 to 181 meV"),
        ("PANTHER", {"e_i": 30.0}, "it takes 76 to 150 meV"),
        ("TOSCA", {"e_i": 30.0}, "its final energy is fixed"),
        ("TOSCA", {"chopper_package": "A"}, "no setting chopper_package; its settings are: none"),
    ],
)
def test_settings_that_do_not_exist_are_refused(name, options, message):
    pytest.importorskip("resins")
    with pytest.raises(InstrumentError, match=message):
        instrument(name, **options)


@pytest.mark.parametrize("e_i", [0.0, -5.0, np.nan])
def test_an_incident_energy_is_positive(e_i):
    with pytest.raises(GridError, match=r"E_i of constant is .* must be finite and positive"):
        Constant(e_i)


def test_what_resins_cannot_compute_is_refused():
    pytest.importorskip("resins")
    with pytest.raises(GridError, match="cannot lose more than it has"):
        instrument("ARCS", e_i=100.0).resolution([120.0])
    with pytest.raises(InstrumentError, match="resins knows widths of ARCS from -50 meV up"):
        instrument("ARCS", e_i=100.0).resolution([-60.0])


def test_without_resins_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "resins", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'inscape\[measured\]'"):
        instrument("ARCS", e_i=100.0)
    check_instrument(Constant())
