"""Cuts through maps and the figure of a powder map: areas, what no detector reaches, limits, and what is refused."""

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from inscape.cli import app
from inscape.cli.plot import parse_cut
from inscape.errors import DataError, GridError, InscapeError, InstrumentError
from inscape.plots import Cut, powder_figure
from inscape.results import make_prediction
from inscape.scattering import AllAngles, momentum_transfer
from inscape.spectra import cut
from inscape.structures import Crystal
from inscape.testing import check_instrument

SALT = Crystal.from_cell(2.82 * (1 - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
Q, E = np.linspace(0, 10, 51), np.linspace(0, 60, 121)
MAP = np.random.default_rng(0).random((50, 120))


def build(**change):
    given = {
        "crystal": SALT, "energy_edges": E, "temperature": 10.0, "partial_dos": np.full((2, 120), 0.05), "q_edges": Q,
        "powder_coherent": MAP, "powder_incoherent": np.zeros_like(MAP),
    }  # fmt: skip
    return make_prediction(**given | change)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with one file of spectra."""
    monkeypatch.chdir(tmp_path)
    build().save("salt.nc")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


# ---- cuts ----


def test_a_cut_is_the_average_over_the_bins_of_the_range():
    found = cut(build().powder, "q", 3.0, 3.6)
    np.testing.assert_allclose(found, MAP[15:18].mean(axis=0), rtol=1e-6)
    assert found.dims == ("energy",)
    assert found.attrs["units"] == "barn sr⁻¹ meV⁻¹ per atom"
    assert float(found["q"]) == pytest.approx(3.3)
    assert (found["q"].attrs["low"], found["q"].attrs["high"], found["q"].attrs["units"]) == (3.0, 3.6, "1/Å")


@pytest.mark.parametrize(("dim", "low", "middle", "high"), [("q", 0.13, 4.77, 9.9), ("energy", 0.0, 13.3, 60.0)])
def test_areas_of_adjoining_cuts_add_up(dim, low, middle, high):
    data = build().powder.astype(float)
    parts = [(b - a) * cut(data, dim, a, b) for a, b in ((low, middle), (middle, high), (low, high))]
    np.testing.assert_allclose(parts[0].values + parts[1].values, parts[2].values)


def test_bins_may_have_any_width_if_their_edges_are_given():
    edges = np.array([0.0, 1.0, 3.0, 7.0])
    data = xr.DataArray([1.0, 2.0, 4.0], {"energy": (edges[1:] + edges[:-1]) / 2}, ["energy"])
    assert float(cut(data, "energy", 0.0, 7.0, edges=edges)) == pytest.approx((1 + 4 + 16) / 7)
    assert float(cut(data, "energy", 2.0, 4.0, edges=edges)) == pytest.approx((2 + 4) / 2)


def test_what_is_nan_does_not_count():
    data = xr.DataArray([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]], {"q": [0.5, 1.5, 2.5]}, ["q", "energy"])
    np.testing.assert_allclose(cut(data, "q", 0.0, 3.0), [2.0, np.nan])
    np.testing.assert_allclose(cut(data, "q", 0.5, 2.0), [(0.5 + 3) / 1.5, np.nan])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("k", 0, 1), "no axis 'k'; it has q, energy"),
        (("q", 3, 3), "cannot cut q from 3 to 3 1/Å: the map holds 0 to 10"),
        (("q", 4, 3), "a lower and a higher number"),
        (("q", 9, 11), "cannot cut q from 9 to 11"),
        (("energy", -1, 4), "the map holds 0 to 60 meV"),
        (("q", np.nan, 4), "cannot cut q from nan"),
    ],
)
def test_cuts_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(GridError, match=message):
        cut(build().powder, *arguments)


# ---- the figure ----


def test_detectors_everywhere_change_nothing_that_is_reached():
    instrument = AllAngles(40.0)
    check_instrument(instrument)
    seen = instrument.measure(MAP, Q, E)
    reach = instrument.reach(Q, E)
    np.testing.assert_array_equal(np.isfinite(seen), reach)
    np.testing.assert_allclose(seen[reach], MAP[reach])
    assert not reach[:, 80:].any()
    with pytest.raises(InscapeError, match="must be finite and positive"):
        AllAngles(-1.0)


def test_the_figure_has_labels_limits_and_blank_bins():
    figure = powder_figure(build().dataset, instrument=AllAngles(40.0))
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("|Q| (1/Å)", "Energy transfer (meV)")
    assert ax.get_ylim() == (0, 40)
    shown = np.ma.getmaskarray(ax.collections[0].get_array())
    np.testing.assert_array_equal(~shown, AllAngles(40.0).reach(Q, E).T)
    for line, angle in zip(sorted(ax.get_lines(), key=lambda a: a.get_xdata()[0]), (0.0, 180.0), strict=True):
        energy = line.get_ydata()
        np.testing.assert_allclose(line.get_xdata(), momentum_transfer(40.0, 40.0 - energy, angle), atol=1e-8)


def test_the_map_is_clipped_to_the_limits_and_banks_at_one_angle_are_left_whole():
    mesh = powder_figure(build().dataset, instrument=AllAngles(40.0)).axes[0].collections[0]
    assert mesh.get_clip_path() is not None
    assert powder_figure(build().dataset).axes[0].collections[0].get_clip_path() is None

    class Bank(AllAngles):
        def __init__(self):
            super().__init__(40.0)
            self.angles = ((90.0, 90.0),)

    ax = powder_figure(build().dataset, instrument=Bank()).axes[0]
    assert not ax.get_lines()
    assert ax.collections[0].get_clip_path() is None


@pytest.mark.parametrize("log", [False, True])
def test_cuts_are_drawn_and_marked(log, tmp_path):
    cuts = [Cut("q", 3.0, 3.2), Cut("energy", 40.0, 45.0)]
    dataset = build().dataset
    figure = powder_figure(dataset, cuts=cuts, log=log)
    assert sorted(line.get_ydata()[0] for line in figure.axes[0].get_lines())[2:] == [40.0, 45.0]
    panels = {ax.get_title("left"): ax for ax in figure.axes}
    ax = panels["E = 40 to 45 meV"]
    assert ax.get_yscale() == ("log" if log else "linear")
    drawn, expected = ax.patches[0].get_data().values, cut(dataset["powder"], "energy", 40.0, 45.0).values
    np.testing.assert_allclose(drawn / drawn.sum(), expected / expected.sum())
    figure.savefig(tmp_path / "a.svg")


def test_small_intensities_are_given_with_their_power_of_ten():
    figure = powder_figure(build(powder_coherent=1e-4 * MAP).dataset, cuts=[Cut("q", 3.0, 3.2)])
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert "S ($10^{-5}$ barn sr⁻¹ meV⁻¹\nper atom)" in labels
    values = next(ax for ax in figure.axes if ax.get_title("left").startswith("|Q|")).patches[0].get_data().values
    np.testing.assert_allclose(values, 10 * MAP[15], rtol=1e-5)


def test_a_map_of_zeros_can_be_drawn(tmp_path):
    for log in (False, True):
        figure = powder_figure(build(powder_coherent=0 * MAP).dataset, cuts=[Cut("q", 3.0, 3.2)], log=log)
        figure.savefig(tmp_path / "a.png")


# ---- the command ----


def test_the_command_writes_what_its_options_say(folder):
    result = run("plot", "salt.nc", "--cut", "q=3:3.2", "--cut", "e=30:35", "--log", "--ei", 50)
    assert result.exit_code == 0, result.output
    assert result.stdout == "wrote salt-powder.png\n"
    for suffix, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        assert run("plot", "salt.nc", "-o", f"a.{suffix}").exit_code == 0
        assert (folder / f"a.{suffix}").read_bytes().startswith(start)


def test_an_instrument_broadens(folder, monkeypatch):
    pytest.importorskip("resins")
    asked = []
    monkeypatch.setattr("inscape.plots.powder_figure", lambda data, **options: asked.append(options) or _figure(data))
    assert run("plot", "salt.nc", "--ei", 60, "--instrument", "ARCS").exit_code == 0
    assert (asked[0]["instrument"].name, asked[0]["instrument"].fixed_energy) == ("ARCS", 60.0)


def _figure(dataset):
    return powder_figure(dataset)


def test_a_file_without_a_powder_map_is_drawn_as_it_is(folder):
    build(powder_coherent=None, powder_incoherent=None).save("dos.nc")
    assert run("plot", "dos.nc", "-o", "dos.png").exit_code == 0
    with pytest.raises(DataError, match="no powder map"):
        raise run("plot", "dos.nc", "--cut", "q=1:2").exception


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (("--cut", "3:4"), DataError, "expected q=3:3.2, in 1/Å, or e=40:45, in meV"),
        (("--cut", "q=3"), DataError, "cut is 'q=3'"),
        (("--cut", "x=3:4"), DataError, "cut is 'x=3:4'"),
        (("--cut", "q=9:12"), GridError, "the map holds 0 to 10"),
        (("--ei", "-3"), GridError, "must be finite and positive"),
        (("--instrument", "nowhere"), InstrumentError, "no instrument is called 'nowhere'"),
        (("-o", "a.xyz"), DataError, "name a file ending in"),
        (("-o", "absent/a.png"), DataError, "cannot be written"),
    ],
)
def test_refusals_of_the_command(folder, options, error, message):
    result = run("plot", "salt.nc", *options)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_names_of_axes():
    assert parse_cut("q=3:3.2") == Cut("q", 3.0, 3.2)
    assert parse_cut("E=40:45") == Cut("energy", 40.0, 45.0)
