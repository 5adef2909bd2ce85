"""Comparisons of results: a result is like itself, known changes give known figures, and what is refused."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from inscape.cli import app
from inscape.cli.compare import WORDS
from inscape.compare import Comparison, compare, compare_files
from inscape.errors import DataError, InscapeError
from inscape.plots import Cut, comparison_figure
from inscape.results import Prediction, make_prediction
from inscape.spectra import cut
from inscape.structures import Crystal

SALT = Crystal.from_cell(2.82 * (1 - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
RELATED = {
    "powder": ("powder_coherent", "powder_incoherent"),
    "crystal": ("crystal_coherent", "crystal_incoherent"),
    "dos": ("partial_dos",),
}


def peak(energy, edges):
    """A triangle of area 3 and 4 meV wide, exact on bins of half a meV."""
    area = np.interp(edges, energy + np.arange(-2, 2.1, 0.5), np.cumsum([0, 1, 3, 5, 7, 7, 5, 3, 1]) * 3 / 32)
    return np.diff(area) / np.diff(edges)


def build(*, without=(), shift=0.0, top=60, factor=1.0, **change):
    """A small prediction, all of whose energies can be shifted."""
    edges = np.linspace(0, top, 2 * top + 1)
    dos = np.stack([peak(20 + shift, edges), peak(30 + shift, edges)])
    q, h = np.linspace(0, 10, 51), np.linspace(0, 3.2, 9)
    moduli = (q[1:] + q[:-1]) / 2
    powder = factor * moduli[:, None] ** 2 * dos.sum(axis=0)
    plane = factor * (1 + h[1:, None, None] + 2 * h[None, 1:, None]) * dos.sum(axis=0)
    given = {
        "crystal": SALT, "energy_edges": edges, "temperature": 100.0, "partial_dos": dos, "q_edges": q,
        "powder_coherent": powder, "powder_incoherent": powder / 2, "plane": ((1, 0, 0), (0, 1, 0)), "h_edges": h,
        "k_edges": h, "crystal_coherent": plane, "crystal_incoherent": plane,
    }  # fmt: skip
    absent = {name: None for kind in without for name in RELATED[kind]}
    return make_prediction(**given | absent | change)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A reference and two others in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name, prediction in {"a": build(), "b": build(shift=2.0), "c": build(without=("crystal",))}.items():
        prediction.save(f"{name}.nc")
    return ["a.nc", "b.nc", "c.nc"]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_a_result_is_like_itself(sigma):
    found = compare(build(), build(), sigma=sigma)
    assert not found.notes
    assert set(found.figures) == {"dos", "powder", "crystal"}
    for figures in found.figures.values():
        for name, value in figures.items():
            away = "difference" in name or name == "w1_meV"
            assert value == pytest.approx(0.0 if away else 1.0, abs=1e-12), name


def test_a_shift_of_all_energies_is_the_distance():
    found = compare(build(), build(shift=3.0)).figures["dos"]
    assert found["w1_meV"] == pytest.approx(3.0)
    assert found["mean_energy_difference_meV"] == pytest.approx(3.0)
    assert compare(build(), build(shift=-3.0)).figures["dos"]["mean_energy_difference_meV"] == pytest.approx(-3.0)


def test_heat_capacities_are_those_of_the_results():
    a, b = build(), build(shift=4.0)
    found = compare(a, b).figures["dos"]
    for kelvin in (100, 300):
        expected = float(b.heat_capacity(kelvin) - a.heat_capacity(kelvin))
        assert found[f"heat_capacity_difference_{kelvin}K_J_per_mol_K"] == pytest.approx(expected)


def test_a_factor_changes_the_ratio_alone():
    found = compare(build(), build(factor=1.3)).figures
    for kind in ("powder", "crystal"):
        assert found[kind]["ratio"] == pytest.approx(1.3, rel=1e-6)
        assert found[kind]["cut_cosine"] == pytest.approx(1.0)
        assert found[kind]["cut_cosine_near"] == pytest.approx(1.0)


def test_grids_need_not_be_alike():
    found = compare(build(), build(top=80)).figures
    assert found["dos"]["w1_meV"] == pytest.approx(0.0, abs=1e-9)
    assert found["powder"]["cut_cosine"] == pytest.approx(1.0)
    coarse = np.linspace(0, 10, 26)
    half = build().powder_coherent.values.reshape(25, 2, -1).mean(axis=1)
    other = build(q_edges=coarse, powder_coherent=half, powder_incoherent=half / 2)
    assert compare(build(), other).figures["powder"]["cut_cosine"] == pytest.approx(1.0)


def test_the_area_is_kept_on_the_common_grid():
    a = build()
    spectra = compare(a, build(shift=2.0), sigma=1.0).spectra
    width = np.diff(spectra["energy_dos_edges"])
    np.testing.assert_allclose((spectra["dos"].values * width).sum(axis=1), 3.0, rtol=1e-4)
    before = (a.powder.values * np.diff(a.dataset["energy_edges"])).sum()
    after = (spectra["powder"].values[0] * np.diff(spectra["energy_edges"])).sum()
    assert after == pytest.approx(before, rel=1e-4)


def test_a_density_of_states_that_was_cut_is_compared_complete():
    a = build(without=("powder", "crystal"))
    dos, edges = a.partial_dos.values, a.dataset["energy_edges"].values
    given = {"energy_edges": edges[:51], "partial_dos": dos[:, :50], "complete_dos": (dos.sum(axis=0), edges)}
    cut_short = build(without=("powder", "crystal"), **given)
    assert compare(a, cut_short).figures["dos"]["w1_meV"] == pytest.approx(0.0, abs=1e-12)


HEAVY_SALT = Crystal.from_cell(2.82 * (1 - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], isotopes=[0, 37])
KCL = Crystal.from_cell(2.82 * (1 - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]], [19, 17])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crystal": KCL}, "first is NaCl and second is KCl: only spectra of the same atoms"),
        ({"crystal": HEAVY_SALT}, "Cl weighs 35.45 u in first and 36.97 u in second"),
        ({"temperature": 10.0}, "first are at 100 K, those of second at 10 K: make both at one temperature"),
        ({"powder_coherent": np.full((50, 120), np.nan)}, "powder holds values that are not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        compare(build(), build(**change), names=("first", "second"))


def test_further_refusals():
    with pytest.raises(DataError, match="nothing in common to compare: only a holds the kind dos"):
        compare(build(without=("powder", "crystal")), build(without=("dos", "crystal")), names=("a", "b"))
    with pytest.raises(DataError, match="smoothing is -1"):
        compare(build(), build(), sigma=-1.0)
    with pytest.raises(DataError, match="1 file to compare"):
        compare_files(["a.nc"])


def test_densities_of_states_alone_have_no_temperature():
    dos = [build(without=("powder", "crystal"), temperature=t) for t in (10.0, 300.0)]
    assert compare(*dos).figures["dos"]["r2"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plane": ((1, 0, 0), (0, 1, 1))}, "planes are '1 0 0; 0 1 0' and '1 0 0; 0 1 1'"),
        ({"crystal": Crystal.from_cell(3.1 * (1 - np.eye(3)), [[0, 0, 0], [0.5] * 3], [11, 17])}, "more than 5 %"),
    ],
)
def test_another_plane_is_left_out_with_a_note(change, message):
    found = compare(build(), build(**change))
    assert set(found.figures) == {"dos", "powder"}
    assert message in found.notes[0]


def test_a_kind_that_one_lacks_is_left_out_with_a_note():
    found = compare(build(), build(without=("crystal",)), names=("a", "b"))
    assert found.notes == ["only a holds the kind crystal, which is left out"]


def test_json_has_no_nan():
    found = Comparison("a", "b", {"powder": {"ratio": np.nan}}, [], build().dataset)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["figures"] == {"powder": {"ratio": None}}


def test_every_figure_has_words():
    assert {name for figures in compare(build(), build()).figures.values() for name in figures} == set(WORDS)


def test_the_figure_has_a_panel_for_everything():
    spectra = compare(build(), build(shift=2.0)).spectra
    figure = comparison_figure([(spectra, ["text"]), (spectra, ["text"])], cuts=[Cut("q", 3.0, 3.2)])
    titles = [ax.get_title("left") for ax in figure.axes if ax.get_title("left")]
    assert len(titles) == 8
    assert "Powder, |Q| = 3 to 3.2 1/Å" in titles
    (axes,) = (ax for ax in figure.subfigs[0].axes if ax.get_title("left").startswith("Powder, |Q|"))
    drawn = [patch.get_data().values for patch in axes.patches]
    for source, values in enumerate(drawn):
        np.testing.assert_allclose(values, cut(spectra["powder"][source], "q", 3.0, 3.2))


def test_the_command(files):
    result = run("compare", *files, "--plot", "c.png", "--cut", "e=19:21")
    assert result.exit_code == 0, result.output
    assert "2.000 meV" in result.stdout
    assert "note: c.nc: only a.nc holds the kind crystal" in result.stderr
    with open("c.png", "rb") as picture:
        assert picture.read(4) == b"\x89PNG"
    found = json.loads(run("compare", *files, "--json").stdout)["comparisons"]
    assert [one["other"] for one in found] == ["b.nc", "c.nc"]
    assert found[0]["figures"]["dos"]["w1_meV"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.nc",), "1 file to compare"),
        (("a.nc", "absent.nc"), "no such file"),
        (("a.nc", "b.nc", "--cut", "z=1:2"), "expected q=3:3.2"),
        (("a.nc", "b.nc", "--cut", "q=1:99", "--plot", "c.png"), "cannot cut q"),
        (("a.nc", "b.nc", "--plot", "c.xyz"), "name a file ending in"),
        (("a.nc", "b.nc", "--sigma", "nan"), "smoothing is nan"),
    ],
)
def test_refusals_of_the_command(files, arguments, message):
    result = run("compare", *arguments)
    assert isinstance(result.exception, InscapeError)
    assert message in str(result.exception)


def test_a_loaded_file_compares_as_what_was_saved(files):
    (found, _) = compare_files(files)
    expected = compare(build(), build(shift=2.0))
    assert found.figures["dos"] == pytest.approx(expected.figures["dos"])
    assert isinstance(Prediction.load(files[0]), Prediction)
