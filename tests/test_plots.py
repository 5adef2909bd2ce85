"""Plots draw what is there, with units, and touch no window and no global state."""

import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from inscape import plots
from inscape.errors import DataError
from inscape.properties import MEANINGS
from inscape.results import make_prediction
from inscape.structures import Crystal

HEXAGONAL = 2.5 * np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, 1.6]])
EDGES = np.linspace(0, 40, 41)


def build(**change):
    """Dataset of a small prediction for a hexagonal crystal of two elements."""
    rng = np.random.default_rng(0)
    h = np.linspace(0, 3.2, 9)
    given = {
        "crystal": Crystal.from_cell(HEXAGONAL, [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]], [7, 5]),
        "energy_edges": EDGES,
        "temperature": 300.0,
        "partial_dos": np.full((2, 40), 3 / 40),
        "q_edges": np.linspace(0, 10, 11),
        "powder_coherent": rng.random((10, 40)),
        "powder_incoherent": rng.random((10, 40)),
        "plane": ((1, 0, 0), (0, 1, 0)),
        "h_edges": h,
        "k_edges": h,
        "crystal_coherent": rng.random((8, 8, 40)),
        "crystal_incoherent": rng.random((8, 8, 40)),
        "novelty": 0.5,
        "novelty_threshold": 1.5,
        "expected_error": {"dos_w1_meV": 1.4},
    }
    return make_prediction(**given | change).dataset


def texts(figure):
    """All text of a figure and of the figures in it, its axes left out."""
    return " ".join(t.get_text() for f in [figure, *figure.subfigs] for t in f.texts)


LABELS = [
    (plots.plot_dos, "Energy (meV)", "Density of states (1/meV)"),
    (plots.plot_heat_capacity, "Temperature (K)", "$C_V$ (J mol⁻¹ K⁻¹)"),
    (plots.plot_powder, "|Q| (1/Å)", "Energy (meV)"),
    (plots.plot_cut, "h (r.l.u.)", "Energy (meV)"),
]


@pytest.mark.parametrize(("function", "x", "y"), LABELS, ids=lambda v: getattr(v, "__name__", None))
def test_labels_have_units(function, x, y):
    ax = function(build())
    assert isinstance(ax, Axes)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (x, y)
    given = Figure().subplots()
    assert function(build(), given) is given


@pytest.mark.parametrize("function", [plots.plot_powder, plots.plot_plane, plots.plot_cut])
def test_maps_have_a_colour_bar_with_units(function):
    figure = function(build()).get_figure()
    assert "S (barn sr⁻¹ meV⁻¹ per atom)" in [ax.get_ylabel() for ax in figure.axes]


def test_shares_of_elements_are_named():
    ax = plots.plot_dos(build())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["N", "B", "total"]
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), 6 / 40)


def test_intervals_are_shaded():
    dos = np.full(40, 6 / 40)
    known = build(dos_band=(0.5 * dos, 2 * dos), stretch=(dict.fromkeys(MEANINGS, np.full(2, 0.1)), np.array([1, 9.0])))
    ax = plots.plot_dos(known)
    assert "holds 9 of 10 bins" in [t.get_text() for t in ax.get_legend().get_texts()]
    y = ax.collections[-1].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([y.min(), y.max()], [3 / 40, 12 / 40])
    assert len(plots.plot_heat_capacity(known).collections) == 1
    assert len(plots.plot_heat_capacity(build()).collections) == 0


def test_the_plane_is_drawn_with_true_lengths_and_angles():
    ax = plots.plot_plane(build())
    corners = ax.collections[0].get_coordinates()
    u, v = corners[-1, 0] - corners[0, 0], corners[0, -1] - corners[0, 0]
    length = 3.2 * 4 * np.pi / np.sqrt(3) / 2.5
    assert np.linalg.norm(u) == pytest.approx(length)
    assert np.linalg.norm(v) == pytest.approx(length)
    assert u @ v == pytest.approx(length**2 / 2)
    assert "h [1 0 0], r.l.u." in [t.get_text() for t in ax.texts]


def test_a_slice_names_its_energies():
    assert "19.0–21.0 meV" in plots.plot_plane(build(), energy=20.0).get_title("left")
    with pytest.raises(DataError, match="no energy bin near 90 meV"):
        plots.plot_plane(build(), energy=90.0)


def test_a_cut_names_its_direction():
    assert "along [0 1 0], h = 0–0.4" in plots.plot_cut(build(), along="k").get_title("left")


def test_overview_draws_everything(tmp_path):
    figure = plots.overview(build())
    titles = [ax.get_title("left") for ax in figure.axes]
    for word in ("Density of states", "Powder", "Heat capacity", "Single crystal"):
        assert any(word in title for title in titles)
    assert "BN" in texts(figure)
    assert "300 K" in texts(figure)
    assert "density of states 1.40 meV" in texts(figure)
    plots.write_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_overview_warns_of_foreign_chemistry():
    assert "novelty 2.50 is above 1.50" in texts(plots.overview(build(novelty=2.5)))


@pytest.mark.parametrize("absent", [(), ("partial_dos", "crystal_coherent", "crystal_incoherent")])
def test_a_long_warning_is_all_there(absent):
    dataset = build(**dict.fromkeys(absent))
    dataset.attrs["warning"] = "6.7 % of the modes came out imaginary, which is not what they are in nature; " * 4
    figure = plots.overview(dataset)
    figure.draw_without_rendering()
    (drawn,) = [text for text in figure.findobj(Text) if "imaginary" in text.get_text()]
    box, axes = drawn.get_window_extent(), [ax.get_tightbbox() for ax in figure.axes]
    assert box.x1 < figure.bbox.x1
    assert box.y0 > max(ax.y1 for ax in axes)


@pytest.mark.parametrize(
    ("absent", "panels"),
    [
        (("powder_coherent", "powder_incoherent", "crystal_coherent", "crystal_incoherent"), 2),
        (("partial_dos", "crystal_coherent", "crystal_incoherent"), 1),
        (("partial_dos", "powder_coherent", "powder_incoherent"), 3),
    ],
)
def test_overview_leaves_out_what_is_absent(absent, panels):
    figure = plots.overview(build(**dict.fromkeys(absent)))
    assert len([ax for ax in figure.axes if ax.get_title("left")]) == panels


def test_maps_of_zeros_can_be_drawn(tmp_path):
    nothing = {f"powder_{part}": np.zeros((10, 40)) for part in ("coherent", "incoherent")}
    plots.write_figure(plots.overview(build(**nothing)), tmp_path / "a.png")


def test_refusals(tmp_path):
    empty = build(**dict.fromkeys(["partial_dos", *(f"{m}_{p}" for m in ("powder", "crystal") for p in PARTS)]))
    with pytest.raises(DataError, match="no spectrum to plot"):
        plots.overview(empty)
    with pytest.raises(DataError, match=r"name a file ending in \.png, \.svg or \.pdf"):
        plots.write_figure(Figure(), tmp_path / "a.xyz")
    with pytest.raises(DataError, match="cannot be written"):
        plots.write_figure(Figure(), tmp_path / "absent" / "a.png")


PARTS = ("coherent", "incoherent")


def test_names_are_set_in_type():
    assert plots.formula_text("Al2O3") == "Al$_{2}$O$_{3}$"
    assert plots.space_group_text("P3_121") == "P3$_1$21"
    assert plots.space_group_text("Fm-3m") == r"Fm$\bar{3}$m"


def test_no_global_state_of_matplotlib_is_used():
    plots.overview(build())
    assert "matplotlib.pyplot" not in sys.modules
