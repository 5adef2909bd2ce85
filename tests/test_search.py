"""Search: a spectrum finds its crystal, whatever its scale, and what was not measured says nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import inscape
from crystals import BRUCITE, NACL, QUARTZ, SILICON
from inscape.cli import app
from inscape.errors import DataError, LibraryError, WeightsError
from inscape.index import INDEX, Index, build_index, index_of_library
from inscape.results import make_prediction
from inscape.retrieval import container, fit, fitted, measurement, search
from inscape.retrieval.rank import spectrum_of
from inscape.retrieval.whole import whole_maps
from inscape.scattering import AllAngles, instrument, scattering_lengths, self_part, to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin, whole_powder
from inscape.training import WEIGHTS, load_weights
from inscape.training.files import read_tensors, write_tensors

PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "phonondb_published_split.json"

Q, ENERGY = np.linspace(0.6, 7.4, 35), np.linspace(0.0, 70.0, 71)


@pytest.fixture(scope="module")
def index(library, weights):
    """The index of the small library."""
    return build_index(library.path, weights=weights)


def spectrum(intensity, variance=None, *, temperature=10.0, q=Q, energy=ENERGY, **attributes):
    """A powder map as it is read from a file."""
    return xr.Dataset(
        {
            "intensity": (("q", "energy"), intensity),
            "variance": (("q", "energy"), np.full_like(intensity, np.nan) if variance is None else variance),
            "q_edges": ("q_edge", q),
            "energy_edges": ("energy_edge", energy),
        },
        attrs={"temperature_K": temperature, **attributes},
    )


def true_map(index, number, *, temperature=10.0, seen_by=None, **options):
    """The map of a crystal of the index, as the index knows it; NaN where a detector at every angle sees nothing."""
    shape = (len(options.get("q", Q)) - 1, len(options.get("energy", ENERGY)) - 1)
    empty = spectrum(np.ones(shape), temperature=temperature, **options)
    values = spectrum_of(index, measurement(empty, instrument=seen_by), number)
    reach = AllAngles(75.0).reach(empty["q_edges"].values, empty["energy_edges"].values)
    return empty.assign(intensity=(("q", "energy"), np.where(reach, values / np.nanmax(values), np.nan)))


def density_of_states(index, number, edges):
    """A density of states of the index on other bins, as it is read from a file."""
    values = rebin(index.dos[number], native_energy_edges(), edges)
    return xr.Dataset({"intensity": ("energy", values), "energy_edges": ("energy_edge", edges)})


def ids_of(found):
    """Ids in their order."""
    return [match.id for match in found.matches]


# ---------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("temperature", [10.0, 300.0])
def test_a_map_finds_its_crystal_exactly(index, temperature):
    for number, name in enumerate(index.ids):
        best = search(true_map(index, number, temperature=temperature), index=index).matches[0]
        assert best.id == name
        assert best.score == pytest.approx(1.0, abs=1e-3)


def test_a_density_of_states_finds_its_crystal_exactly(index):
    for number, name in enumerate(index.ids):
        found = search(density_of_states(index, number, np.arange(0.0, 90.0, 0.7)), index=index)
        assert found.kind == "density of states"
        assert found.matches[0].id == name
        assert found.matches[0].score == pytest.approx(1.0, abs=1e-6)


def test_a_map_of_counts_finds_its_crystal(index):
    for number, name in enumerate(index.ids):
        query = true_map(index, number)
        expected = 2000 * query["intensity"].values / np.nansum(query["intensity"].values)
        counts = np.random.default_rng(number).poisson(np.nan_to_num(expected).clip(0)).astype(float)
        counts[np.isnan(expected)] = np.nan
        best = search(spectrum(counts, counts), index=index).matches[0]
        assert best.id == name
        assert 0.0 < best.chi2 < 1.3  # variances are raised, which makes it small where most bins are dark
        assert best.chi2_above_first == 0.0


def test_neither_scale_nor_order_matter(index):
    query = true_map(index, 3)
    noisy = np.abs(query["intensity"].values) * np.random.default_rng(0).uniform(0.5, 1.5, query["intensity"].shape)
    first = search(spectrum(noisy, 0.01 * noisy), index=index)
    larger = search(spectrum(1e5 * noisy, 1e8 * noisy), index=index)
    order = np.random.default_rng(1).permutation(len(index))
    other = search(spectrum(noisy, 0.01 * noisy), index=index.take(order))
    for found in (larger, other):
        assert ids_of(found) == ids_of(first)
        scores = [[match.score for match in one.matches] for one in (found, first)]
        np.testing.assert_allclose(*scores, atol=1e-4)


def test_unmeasured_bins_never_count(index):
    query = true_map(index, 4)
    noise = 0.1 + np.abs(query["intensity"].values)
    whole = search(spectrum(query["intensity"].values, noise), index=index)
    assert np.isnan(query["intensity"].values).any()

    padded = [np.pad(a, ((0, 6), (0, 0)), constant_values=np.nan) for a in (query["intensity"].values, noise)]
    longer = search(spectrum(*padded, q=np.concatenate([Q, Q[-1] + 0.2 * np.arange(1, 7)])), index=index)
    assert ids_of(longer) == ids_of(whole)
    np.testing.assert_allclose(
        [match.chi2 for match in longer.matches], [match.chi2 for match in whole.matches], rtol=1e-3, atol=1e-6
    )
    variances = np.where(np.isnan(query["intensity"].values), 1e9, noise)
    same = search(spectrum(query["intensity"].values, variances), index=index)
    assert [match.chi2 for match in same.matches] == [match.chi2 for match in whole.matches]

    as_zero = search(spectrum(np.nan_to_num(query["intensity"].values), np.nan_to_num(noise, nan=0.1)), index=index)
    assert as_zero.matches[0].score < 0.99 < whole.matches[0].score


def test_a_background_is_fitted_along(index):
    query = true_map(index, 1)
    values = query["intensity"].values + 0.3 + 0.02 * centres(Q)[:, None] ** 2
    without = search(spectrum(values), index=index).matches[0]
    found = search(spectrum(values), index=index, background=True).matches[0]
    assert found.id == index.ids[1]
    assert found.score == pytest.approx(1.0, abs=1e-3)
    assert without.score < 0.98


def test_large_wave_vectors_are_left_out(index):
    query = true_map(index, 2)
    beyond = np.broadcast_to(centres(Q)[:, None] > 4.0, query["intensity"].shape)
    spoilt = query.assign(intensity=query["intensity"].where(~beyond, 9.0 * query["intensity"].max()))
    assert search(spoilt, index=index).matches[0].score < 0.9
    found = search(spoilt, index=index, qmax=4.0)
    assert found.matches[0].id == index.ids[2]
    assert found.matches[0].score == pytest.approx(1.0, abs=1e-3)
    assert np.isnan(found.spectra["query"].values[beyond]).all()


def test_a_stretched_spectrum_finds_its_crystal_and_the_stretch(index):
    edges = np.arange(0.0, 90.0, 0.7)
    query = density_of_states(index, 4, edges)
    query["energy_edges"] = ("energy_edge", 0.95 * edges)
    found = search(query, index=index, stretch=0.08)
    assert found.matches[0].id == index.ids[4]
    assert found.matches[0].stretch == pytest.approx(0.95)
    assert found.matches[0].score > search(query, index=index).matches[0].score


def test_resolution_and_energy_gain_are_those_of_the_measurement(index):
    pytest.importorskip("resins")
    seen_by = instrument("ARCS", e_i=75.0)
    options = {"temperature": 200.0, "energy": np.linspace(-30.0, 70.0, 101)}
    for number, name in enumerate(index.ids):
        query = true_map(index, number, seen_by=seen_by, **options)
        named = query.assign_attrs(instrument="ARCS", incident_energy_meV=75.0)
        for found in (search(query, index=index, instrument=seen_by), search(named, index=index)):
            assert found.matches[0].id == name
            assert found.matches[0].score == pytest.approx(1.0, abs=1e-3)
    assert search(query, index=index).matches[0].score < 0.999


def test_a_bin_across_no_loss_of_energy_is_not_compared(index):
    """Detailed balance has no value there, and must not spoil the fit of the other bins."""
    energy = np.arange(-20.25, 60.5, 0.5)
    query = true_map(index, 1, temperature=300.0, energy=energy)
    middle = np.searchsorted(energy, 0.0) - 1
    query["intensity"][:, middle] = 1.0
    found = search(query, index=index)
    assert found.matches[0].id == index.ids[1]
    assert all(np.isfinite(match.score) for match in found.matches)


def test_spectra_beside_the_query_are_those_that_fit(index):
    found = search(true_map(index, 5), index=index)
    query, best = found.spectra["query"].values, found.spectra["match"].values[0]
    use = np.isfinite(query)
    assert use.any()
    assert not use.all()
    np.testing.assert_allclose(best[use], query[use], atol=2e-2)
    assert np.isfinite(best).all()


# ---------------------------------------------------------------------------------------- references


@pytest.mark.parametrize(("temperature", "tolerance"), [(10.0, 2e-3), (600.0, 0.05)])
@pytest.mark.parametrize("background", [False, True])
def test_all_at_once_is_least_squares_one_by_one(index, temperature, tolerance, background):
    random = np.random.default_rng(0)
    values = np.abs(true_map(index, 0, temperature=temperature)["intensity"].values) + 0.05
    values = np.where(random.uniform(size=values.shape) < 0.3, np.nan, values * random.uniform(0.5, 1.5, values.shape))
    query = spectrum(values, 0.01 + 0.1 * values, temperature=temperature)
    found = fit(index, measurement(query), background=background)
    for number in range(len(index)):
        model = fitted(found, number, background=background)
        residual = np.sum(found.measured.weights * (found.measured.values - model) ** 2)
        assert residual == pytest.approx(found.total - found.explained[number], rel=tolerance)


def test_the_index_decodes_to_the_maps_of_the_library(index, library):
    from inscape.index.maps import on_map_grid

    for number, name in enumerate(index.ids):
        a, crystal, q = library.arrays(name), library.crystal(name), centres(native_q_edges())
        own = scattering_lengths(crystal).incoherent_square
        incoherent = self_part(a["partial_dos"], crystal.masses, own, q, a["displacements"][0])
        true = on_map_grid(a["powder"].astype(float) * q[:, None] ** 2 + incoherent)
        decoded = index.maps.decode(number)
        scale = np.sum(true * decoded) / np.sum(decoded**2)
        assert np.linalg.norm(true - scale * decoded) < 1e-2 * np.linalg.norm(true)


# ---------------------------------------------------------------------------------------- whole maps


def test_whole_maps_are_those_of_a_simulation_with_many_phonons(library):
    constants = library.force_constants(SILICON.id)
    options = {"kinds": ("powder",), "emax": 120.0, "de": 0.5, "multiphonon": True, "temperature": 300.0}
    data = inscape.simulate(constants, **options).dataset
    coarse_q, coarse = np.arange(0.0, 10.5, 1.0), np.arange(8.0, 112.0, 8.0)

    def averaged(scattering, q_edges, energy_edges):
        return rebin(rebin(scattering, energy_edges, coarse), q_edges, coarse_q, axis=0)

    expected = averaged(whole_powder(data).values, data["q_edges"].values, data["energy_edges"].values)
    reduced = whole_maps(library, [SILICON.id], 300.0)[0]
    found = to_scattering(reduced, centres(native_energy_edges()), 300.0)
    found = averaged(found, native_q_edges(), native_energy_edges())
    assert np.abs(found - expected).sum() < 0.05 * expected.sum()


def warm_silicon(library, **options):
    """The whole map of silicon at 600 K as a query."""
    reduced = whole_maps(library, [SILICON.id], 600.0, **options)[0]
    scattering = to_scattering(reduced, centres(native_energy_edges()), 600.0)
    values = rebin(rebin(scattering, native_energy_edges(), ENERGY), native_q_edges(), Q, axis=0)
    return spectrum(values, temperature=600.0)


def test_the_best_are_compared_again_with_many_phonons(library):
    query = warm_silicon(library)
    by_codes = {match.id: match for match in search(query, library=library.path, top=4).matches}
    again = search(query, library=library.path, refine=4).matches
    assert again[0].id == SILICON.id
    assert again[0].score == pytest.approx(1.0, abs=1e-6)
    assert {match.id for match in again} == set(by_codes)
    assert SILICON.id not in by_codes or by_codes[SILICON.id].score < 0.99
    assert len(search(query, library=library.path, refine=3).matches) == 3


def test_a_result_without_many_phonons_is_compared_with_maps_without_them(library):
    query = warm_silicon(library, one_phonon=True)
    with_many = search(query, library=library.path, refine=4).matches[0]
    query.attrs["one_phonon"] = 1
    without = search(query, library=library.path, refine=4).matches[0]
    assert (without.id, without.score) == (SILICON.id, pytest.approx(1.0, abs=1e-6))
    assert with_many.score < 0.99
    options = {"kinds": ("powder",), "emax": 60.0, "de": 1.0}
    results = (inscape.simulate(library.force_constants(SILICON.id), multiphonon=m, **options) for m in (False, True))
    assert [container(result).attrs["one_phonon"] for result in results] == [1, 0]


# ---------------------------------------------------------------------------------------- index and libraries


def test_an_index_is_read_as_it_was_written(index, tmp_path):
    index.save(tmp_path / "few.safetensors")
    again = Index.load(tmp_path / "few.safetensors")
    assert (again.ids, again.formulas, again.space_groups, again.splits) == (
        index.ids, index.formulas, index.space_groups, index.splits,
    )  # fmt: skip
    np.testing.assert_allclose(again.dos, index.dos, rtol=1e-3, atol=1e-6)
    assert ids_of(search(true_map(index, 6), index=again))[0] == index.ids[6]
    assert again.save(tmp_path / "again.safetensors") == read_tensors(tmp_path / "few.safetensors")[1]["digest"]


def test_an_index_holds_no_test_crystal(index, library):
    assert set(index.ids) == set(library.select("train")) | set(library.select("val"))
    assert BRUCITE.id not in index.ids
    with pytest.raises(LibraryError, match="kept for the last word"):
        build_index(library.path, splits=("val", "test"))


def test_a_library_keeps_its_index(library):
    first = index_of_library(library.path)
    place = library.path / "index.safetensors"
    before = place.stat().st_mtime_ns
    found = search(true_map(first, 0), library=library.path)
    assert ids_of(found)[0] == first.ids[0]
    assert place.stat().st_mtime_ns == before

    tensors, header = read_tensors(place)
    header.pop("digest")
    write_tensors(place, tensors, header | {"source": "of other crystals"})
    assert index_of_library(library.path).source == first.source


def test_crystals_without_a_split_are_found_in_a_library(library):
    ids = index_of_library(library.path).ids
    assert NACL.id in ids
    assert BRUCITE.id not in ids


@pytest.mark.skipif(not INDEX.exists(), reason="no index was built")
def test_the_index_that_ships_is_small_documented_and_without_test_crystals():
    _, header = read_tensors(INDEX)
    assert INDEX.stat().st_size <= 10_000_000
    assert "CC BY 4.0" in header["licence"]
    assert "Togo" in header["licence"]
    assert len(INDEX.with_suffix(".md").read_text()) > 300
    assert set(header["splits"]) == {"train", "val"}
    for kind, digest in header["coders"].items():
        assert load_weights(WEIGHTS / f"autoencoder-{kind}.safetensors")[1].digest == digest, "make weights does both"
    if not PUBLISHED.exists():
        pytest.skip("the published split is not here")
    split = json.loads(PUBLISHED.read_text())
    kept = {name if str(name).startswith("mp-") else f"mp-{name}" for name in split["test"]}
    assert kept
    assert not kept & set(header["ids"])


# ---------------------------------------------------------------------------------------- structures, results


def test_a_structure_finds_what_is_near_in_code_space(index, library, model, monkeypatch):
    monkeypatch.setattr("inscape.prediction.shipped_model", lambda: model)
    crystal = library.crystal(SILICON.id)
    prediction = inscape.predict(crystal, road="code", kinds=("dos", "powder"))
    found = search(crystal, index=index, top=len(index))
    distances = {}
    for number, name in enumerate(index.ids):
        square = [
            np.sum((prediction.dataset[f"code_{kind}"].values - codes[number]) ** 2) / codes.var(axis=0).sum()
            for kind, codes in index.codes.items()
        ]
        distances[name] = np.sqrt(np.mean(square))
    assert found.kind == "codes"
    assert ids_of(found) == sorted(distances, key=distances.get)
    for match in found.matches:
        assert match.score == pytest.approx(1 / (1 + distances[match.id]), rel=1e-3)
    area = np.nansum(found.spectra["query"].values * np.diff(found.spectra["energy_edges"].values))
    assert area == pytest.approx(1.0)


@pytest.fixture(scope="module")
def result(index, library):
    """A result file's content with the spectra of quartz."""
    number = index.ids.index(QUARTZ.id)
    energy, q = np.arange(0.0, 80.5, 0.5), np.arange(0.0, 8.1, 0.1)
    values = spectrum_of(index, measurement(spectrum(np.ones((80, 160)), q=q, energy=energy)), number).clip(0)
    crystal = library.crystal(QUARTZ.id)
    partial = np.tile(rebin(index.dos[number], native_energy_edges(), energy), (crystal.n_atoms, 1))
    return make_prediction(
        crystal=crystal, energy_edges=energy, temperature=10.0, partial_dos=partial, q_edges=q,
        powder_coherent=values, powder_incoherent=0 * values,
    )  # fmt: skip


def test_results_are_queries(index, result, tmp_path):
    path = result.save(tmp_path / "quartz.nc")
    for query, kind in ((result, None), (path, "powder"), (str(path), "dos")):
        found = search(query, index=index, kind=kind)
        assert ids_of(found)[0] == QUARTZ.id
        assert found.matches[0].chi2 is None
        assert found.matches[0].score > 0.99


def test_the_command_lists_writes_and_draws(index, result, tmp_path):
    place, file = tmp_path / "few.safetensors", result.save(tmp_path / "quartz.nc")
    index.save(place)
    files = ["--csv", str(tmp_path / "list.csv"), "--plot", str(tmp_path / "best.png")]
    for kind in ("powder", "dos"):
        done = CliRunner().invoke(
            app, ["search", str(file), "--index", str(place), "--top", "4", "--kind", kind, *files]
        )
        assert done.exit_code == 0, done.output
        rows = (tmp_path / "list.csv").read_text().splitlines()
        assert len(rows) == 5
        assert rows[0].startswith("rank,score,formula,id,space group,split")
        assert QUARTZ.id in rows[1]
        assert QUARTZ.id in done.output
        assert (tmp_path / "best.png").stat().st_size > 10_000
    done = CliRunner().invoke(app, ["search", str(file), "--index", str(place), "--json"])
    assert json.loads(done.output)["matches"][0]["id"] == QUARTZ.id


def test_the_command_builds_an_index(library, tmp_path):
    place = tmp_path / "few.safetensors"
    done = CliRunner().invoke(app, ["index", "build", str(library.path), "-o", str(place), "--components", "4"])
    assert done.exit_code == 0, done.output
    assert "9 crystals" in done.output
    assert Index.load(place).maps.codes.shape == (9, 4)


# ---------------------------------------------------------------------------------------- refusals

GOOD = np.ones((34, 70))

REFUSED = {
    "nothing measured": (spectrum(np.full_like(GOOD, np.nan)), {}, "no measured intensity above 0"),
    "negative variances": (spectrum(GOOD, -GOOD), {}, "variances are negative"),
    "no variance at all": (spectrum(GOOD, 0 * GOOD), {}, "all variances are 0"),
    "no temperature": (spectrum(GOOD).drop_attrs(), {}, "--temperature"),
    "another dataset": (xr.Dataset({"x": ("y", [1.0])}), {}, "no intensity"),
    "no crystals to list": (spectrum(GOOD), {"top": 0}, "top is 0"),
    "whole maps without a library": (spectrum(GOOD), {"refine": 5}, "give the library"),
    "fewer than none compared": (spectrum(GOOD), {"refine": -1}, "refine is -1"),
    "energies twice as high": (spectrum(GOOD), {"stretch": 1.0}, "stretch 1"),
    "no wave vector": (spectrum(GOOD), {"qmax": 0.1}, "up to 0.1 1/Å"),
    "everything elastic": (spectrum(GOOD), {"emin": 100.0}, "from 100 to 480 meV"),
    "a constant with a background": (spectrum(GOOD), {"background": True}, "background alone explains"),
}


@pytest.mark.parametrize(("query", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(index, query, options, message):
    with pytest.raises(DataError, match=message):
        search(query, index=index, **options)


def test_an_index_and_a_library_are_one_too_many(index):
    with pytest.raises(DataError, match="search one of them"):
        search(spectrum(GOOD), index=index, library="few.zarr")


def test_what_is_no_index_is_refused(tmp_path):
    write_tensors(tmp_path / "weights.safetensors", {}, {"kind": "weights"})
    with pytest.raises(WeightsError, match="is no index"):
        search(spectrum(GOOD), index=tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match="no weights file"):
        search(spectrum(GOOD), index=tmp_path / "absent.safetensors")


def test_what_is_no_spectrum_is_refused(index, result, tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(DataError, match="text without a line of numbers"):
        search(tmp_path / "notes.txt", index=index)
    with pytest.raises(DataError, match="expected 'dos' or 'powder'"):
        container(result, "crystal")
