"""Measured spectra: formats are recognised and read, what is written is read again, and what is refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import inscape
from fuzz_readers import mutate, outcome
from inscape.cli import app
from inscape.errors import DataError, GridError, InscapeError
from inscape.measured import check_measured, make_measured
from inscape.measured.axes import energy_factor, wave_vector_factor
from inscape.measured.detectors import Detectors, of_map, share_out, to_map
from inscape.scattering import momentum_transfer
from inscape.spectra import centres
from inscape.units import INVERSE_CM, THZ
from measured_files import (
    EI,
    ENERGY,
    Q,
    every_format,
    small_map,
    write_histogram,
    write_mdhisto,
    write_nxspe,
    write_workspace,
)

REAL = Path(__file__).parents[2] / "shared" / "data" / "measured"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the measured sample data are not here")


@pytest.fixture
def measured():
    values, variances = small_map()
    attributes = {"incident_energy_meV": EI, "temperature_K": 300.0, "instrument": "ARCS"}
    return make_measured(values, variances, energy_edges=ENERGY, q_edges=Q, units="1/meV", attributes=attributes)


@pytest.fixture
def spectrum():
    edges = np.array([0.0, 1.0, 2.5, 4.0, 7.0])
    return make_measured([1.0, 2.0, np.nan, 0.5], [0.1, 0.2, 0.3, np.nan], energy_edges=edges, units="1/meV")


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


# ------------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("suffix", [".nc", ".csv"])
@pytest.mark.parametrize("kind", ["measured", "spectrum"])
def test_what_is_written_is_read_again_exactly(tmp_path, request, suffix, kind):
    given = request.getfixturevalue(kind)
    found = inscape.read(inscape.write(given, tmp_path / f"a{suffix}"))
    for name in given.variables:
        np.testing.assert_allclose(found[name], given[name], rtol=1e-14, err_msg=name)
    assert {**given.attrs, "source": f"a{suffix}"} == dict(found.attrs)


@pytest.mark.parametrize("kind", ["measured", "spectrum"])
def test_json_of_euphonic_keeps_all_but_variances(tmp_path, request, kind):
    given = request.getfixturevalue(kind)
    found = inscape.read(inscape.write(given, tmp_path / "a.json"))
    np.testing.assert_array_equal(found["intensity"], given["intensity"])
    np.testing.assert_allclose(found["energy_edges"], given["energy_edges"], rtol=1e-15)
    assert found["intensity"].attrs["units"] == "1/meV"
    assert np.isnan(found["variance"]).all()


@pytest.mark.parametrize("kind", ["measured", "spectrum"])
def test_euphonic_reads_what_is_written_for_it(tmp_path, request, kind):
    spectra = pytest.importorskip("euphonic.spectra", reason="needs euphonic")
    given = request.getfixturevalue(kind)
    path = inscape.write(given, tmp_path / "a.json")
    two = kind == "measured"
    found = (spectra.Spectrum2D if two else spectra.Spectrum1D).from_json_file(path)
    values = found.z_data if two else found.y_data
    np.testing.assert_allclose(values.to("1/meV").magnitude, given["intensity"])
    bins = found.get_bin_edges(bin_ax="y") if two else found.get_bin_edges()
    np.testing.assert_allclose(bins.to("meV").magnitude, given["energy_edges"])


def test_a_spectrum_of_euphonic_keeps_its_area_in_any_unit(tmp_path):
    spectra, ureg = (
        pytest.importorskip("euphonic.spectra", reason="needs euphonic"),
        pytest.importorskip("euphonic").ureg,
    )
    edges, values = np.linspace(0, 5, 11), np.arange(10.0)
    for unit, per in (("THz", "1/THz"), ("1/cm", "cm"), ("meV", "1/meV")):
        theirs = spectra.Spectrum1D(edges * ureg(unit), values * ureg(per))
        theirs.to_json_file(str(tmp_path / "a.json"))
        found = inscape.read(tmp_path / "a.json")
        assert found["intensity"].attrs["units"] == "1/meV"
        area = float((found["intensity"].values * np.diff(found["energy_edges"])).sum())
        assert area == pytest.approx(values.sum() * 0.5, rel=1e-6), unit


def test_objects_and_files_of_euphonic_are_understood_alike(tmp_path):
    pytest.importorskip("euphonic", reason="needs euphonic")
    from inscape.lattice import spectrum_to_euphonic
    from test_compare import build

    powder = build().powder
    spectrum_to_euphonic(powder).to_json_file(str(tmp_path / "a.json"))
    found = inscape.read(tmp_path / "a.json")
    np.testing.assert_allclose(found["intensity"], powder, rtol=1e-6)
    assert found.attrs["units"] == powder.attrs["units"]


def test_nxspe_brings_a_map_back(tmp_path, measured):
    q = centres(Q)[:, None]
    flat = measured["intensity"].copy(data=np.where(measured["intensity"].notnull(), 2 + q, np.nan))
    smooth = measured.assign(intensity=flat)
    found = inscape.read(inscape.write(smooth, tmp_path / "a.nxspe"), q_edges=Q)
    both = found["intensity"].notnull() & flat.notnull()
    low, high = (momentum_transfer(EI, EI - centres(ENERGY), angle) for angle in (0, 180))
    reached = flat.notnull().values & (Q[1:, None] > low) & (Q[:-1, None] < high)
    np.testing.assert_array_equal(both.values[reached], True)
    inner = reached & (Q[:-1, None] > low + 0.5) & (Q[1:, None] < high - 0.5)
    assert np.abs((found["intensity"] - flat).values[inner]).max() < 0.15 * 0.5
    ratio = (found["variance"] / smooth["variance"]).values[inner]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)
    assert found.attrs["incident_energy_meV"] == EI


def test_convert_writes_any_format(tmp_path):
    path = write_histogram(tmp_path / "map.h5")
    for suffix in (".nc", ".csv", ".json", ".nxspe"):
        done = run("convert", path, tmp_path / f"out{suffix}", "--ei", EI, "--temperature", 300)
        assert done.exit_code == 0, done.output
        assert inscape.read(tmp_path / f"out{suffix}").attrs["kind"] == "powder map"


def test_convert_takes_either_kind_of_a_result(tmp_path):
    from test_compare import build

    build().save(tmp_path / "a.nc")
    done = run("convert", tmp_path / "a.nc", tmp_path / "dos.csv", "--kind", "dos")
    assert done.exit_code == 0, done.output
    assert inscape.read(tmp_path / "dos.csv").attrs["kind"] == "density of states"
    assert isinstance(run("convert", tmp_path / "a.nc", tmp_path / "b.csv", "--kind", "x").exception, DataError)


# ----------------------------------------------------------------------------------------------------------- formats


def test_every_format_is_recognised_whatever_its_name(tmp_path):
    for path in every_format(tmp_path):
        other = path.rename(tmp_path / "no-suffix")
        found = inscape.read(other)
        check_measured(found)
        assert found["intensity"].notnull().any()


def test_a_histogram_is_what_multiphonon_means(tmp_path):
    values, variances = small_map()
    found = inscape.read(write_histogram(tmp_path / "a.h5"))
    np.testing.assert_array_equal(found["intensity"], values)
    np.testing.assert_array_equal(found["variance"], variances)
    np.testing.assert_array_equal(found["energy_edges"], ENERGY)
    np.testing.assert_array_equal(found["q_edges"], Q)
    in_thz = inscape.read(write_histogram(tmp_path / "b.h5", energy_unit="THz"))
    np.testing.assert_allclose(in_thz["energy_edges"], THZ * ENERGY)


@pytest.mark.parametrize("turned", [False, True])
def test_a_workspace_over_wave_vectors(tmp_path, turned):
    values, variances = map(np.nan_to_num, small_map())
    arrays, axes, units = [values, np.sqrt(variances)], [ENERGY, centres(Q)], ["DeltaE", "MomentumTransfer"]
    if turned:
        arrays, axes, units = [a.T for a in arrays], axes[::-1], units[::-1]
        axes[1] = centres(ENERGY)
    found = inscape.read(write_workspace(tmp_path / "a.nxs", *arrays, *axes, units))
    np.testing.assert_allclose(found["intensity"], values)
    np.testing.assert_allclose(found["variance"], variances)
    np.testing.assert_allclose(found["q_edges"], Q, atol=1e-12)
    np.testing.assert_allclose(found["energy_edges"], ENERGY, atol=1e-12)
    assert found.attrs["instrument"] == "SEQUOIA"
    assert found.attrs["incident_energy_meV"] == EI


def test_a_workspace_in_wavenumbers_and_counts(tmp_path):
    edges = np.array([0.0, 10.0, 30.0])
    path = write_workspace(
        tmp_path / "a.nxs", [[20.0, 20.0]], [[2.0, 2.0]], edges, [1.0], ("DeltaE_inWavenumber", "spectraNumber"),
        distribution="0",
    )  # fmt: skip
    found = inscape.read(path)
    np.testing.assert_allclose(found["energy_edges"], INVERSE_CM * edges)
    np.testing.assert_allclose(found["intensity"], [2.0, 1.0])
    np.testing.assert_allclose(found["variance"], [0.04, 0.01])


def test_detectors_of_a_workspace_are_as_those_of_nxspe(tmp_path):
    polar = np.linspace(10, 90, 41)
    values = 1 + np.random.default_rng(0).random((41, len(ENERGY) - 1))
    positions = np.column_stack([np.full(41, 3.0), polar, np.zeros(41)])
    units = ("DeltaE", "spectraNumber")
    one = write_workspace(tmp_path / "a.nxs", values, 0.1 * values, ENERGY, np.arange(41.0), units, positions=positions)
    other = write_nxspe(tmp_path / "b.nxspe", values, 0.1 * values, polar, width=np.full(41, 2.0))
    found = [inscape.read(path, q_edges=Q) for path in (one, other)]
    np.testing.assert_allclose(found[0]["intensity"], found[1]["intensity"])
    np.testing.assert_allclose(found[0]["variance"], found[1]["variance"])


@pytest.mark.parametrize(("how", "factor"), [(0, 1.0), (1, 1 / (0.5 * 2.0)), (2, 1 / 4)])
def test_an_md_histogram_is_normalised_as_mantid_shows_it(tmp_path, how, factor):
    values, variances = small_map()
    events = np.where(np.isfinite(values), 4.0, 0.0)
    found = inscape.read(write_mdhisto(tmp_path / "a.nxs", values, variances, events, normalization=how))
    np.testing.assert_allclose(found["intensity"], factor * values)
    np.testing.assert_allclose(found["variance"], factor**2 * variances)
    np.testing.assert_allclose(found["q_edges"], Q)


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("# energy / THz\n0 1\n1 2\n2 3\n", THZ),
        ("Energy (cm-1), DOS\n0,1\n1,2\n2,3\n", INVERSE_CM),
        ("# x axis: frequency in terahertz\n# Frequency(TeraHz)\tDOS\n0.0\t1\n1.0\t2\n2\t3\n", THZ),
        ("energy [meV]; intensity; error\n0; 1; 0.5\n1; 2; 0.5\n2; 3; 0.5\n", 1.0),
    ],
)
def test_tables_of_text(tmp_path, text, factor):
    (tmp_path / "a.txt").write_text(text)
    found = inscape.read(tmp_path / "a.txt")
    np.testing.assert_allclose(found["energy"], factor * np.arange(3), atol=1e-12)
    np.testing.assert_array_equal(found["intensity"], [1, 2, 3])
    if "error" in text:
        np.testing.assert_array_equal(found["variance"], 0.25)


def test_a_table_of_a_map_may_have_rows_in_any_order(tmp_path):
    rows = [(q, e, 10 * q + e, 0.1) for q in (0.5, 1.5) for e in (1.0, 2.0, 3.0)][::-1][:-1]
    lines = ["q (1/nm), energy (THz), intensity, error", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = inscape.read(tmp_path / "a.csv")
    np.testing.assert_allclose(found["intensity"], [[np.nan, 7, 8], [16, 17, 18]])
    np.testing.assert_allclose(found["q_edges"], [0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(found["energy"], THZ * np.arange(1, 4))


def test_results_of_this_package_are_read_too(tmp_path):
    from test_compare import build

    prediction = build()
    prediction.save(tmp_path / "a.nc")
    powder = inscape.read(tmp_path / "a.nc")
    np.testing.assert_allclose(powder["intensity"], prediction.powder)
    dos = inscape.read(tmp_path / "a.nc", kind="density of states")
    np.testing.assert_allclose(dos["intensity"], prediction.dos)
    assert powder.attrs["temperature_K"] == 100.0


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("meV", 1),
        ("µeV", 1e-3),
        ("cm^-1", INVERSE_CM),
        ("1 / centimeter", INVERSE_CM),
        ("1.60218e-22*m**2*kg*s**-2", 1),
    ],
)
def test_units_of_energy(unit, factor):
    assert energy_factor(unit) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(("unit", "factor"), [("1/Å", 1), ("Angstrom^-1", 1), ("1e+10*m**-1", 1), ("1./angstrom", 1)])
def test_units_of_wave_vectors(unit, factor):
    assert wave_vector_factor(unit) == pytest.approx(factor, rel=1e-12)


# --------------------------------------------------------------------------------------------------------- detectors


def test_sharing_out_keeps_content_and_variance():
    rng = np.random.default_rng(1)
    low = rng.uniform(0.1, 2.5, 200)
    high = low + rng.uniform(0.01, 0.4, 200)
    values, variances = rng.random(200), rng.random(200)
    edges = np.linspace(0, 3, 40)
    found, squares = share_out(values, variances, low, high, edges)
    overlap = np.clip(np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1]), 0, None)
    covered = overlap.sum(axis=0)
    assert np.nansum(covered * found) == pytest.approx(((high - low) * values).sum())
    assert np.nansum(covered**2 * squares) == pytest.approx(((high - low) ** 2 * variances).sum())
    np.testing.assert_array_equal(np.isnan(found), covered == 0)


def test_a_detector_is_seen_at_the_wave_vector_of_its_angle():
    values = np.full((1, 3), 2.0)
    detectors = Detectors(
        values, values, np.array([60.0]), np.array([0.1]), np.array([-30.0, 0.0, 10, 30]), np.array([50.0]), direct=True
    )
    edges = np.linspace(0, 10, 2001)
    intensity, _, _ = to_map(detectors, edges)
    for column, loss in enumerate((-15.0, 5.0, 20.0)):
        expected = float(momentum_transfer(50.0, 50.0 - loss, 60.0))
        where = centres(edges)[np.isfinite(intensity[:, column])]
        assert where.min() - 0.01 < expected < where.max() + 0.01
        assert np.ptp(where) < 0.05
        assert np.nanmin(intensity[:, column]) == np.nanmax(intensity[:, column]) == 2.0


def test_indirect_geometry_has_the_final_energy_fixed(tmp_path):
    polar = np.array([45.0, 46.0])
    path = write_nxspe(
        tmp_path / "a.nxspe", np.ones((2, 20)), np.ones((2, 20)), polar, fixed=4.0, fermi=False,
        energy=np.linspace(0, 40, 21), width=np.full(2, 0.5),
    )  # fmt: skip
    found = inscape.read(path, q_edges=np.linspace(0, 6, 601))
    for column in (0, 10, 19):
        loss = float(found["energy"][column])
        seen = found["q"].values[found["intensity"].notnull().values[:, column]]
        assert seen.min() < float(momentum_transfer(4.0 + loss, 4.0, 46.0)) < seen.max() + 0.01
    assert "incident_energy_meV" not in found.attrs


def test_a_cross_section_is_divided_by_kf_over_ki(tmp_path):
    values, polar = np.ones((30, len(ENERGY) - 1)), np.linspace(5, 100, 30)
    plain = inscape.read(write_nxspe(tmp_path / "a.nxspe", values, values, polar), q_edges=Q)
    found = inscape.read(write_nxspe(tmp_path / "b.nxspe", values, values, polar, scaled=0), q_edges=Q)
    ratio = np.sqrt(EI / (EI - centres(ENERGY)))
    both = (found["intensity"] / plain["intensity"]).values
    np.testing.assert_allclose(both[np.isfinite(both)], np.broadcast_to(ratio, both.shape)[np.isfinite(both)])


def test_detectors_of_a_map_are_seen_once(measured):
    arrays = (measured[name].values for name in ("intensity", "variance", "q_edges", "energy_edges"))
    detectors = of_map(*arrays, EI)
    np.testing.assert_allclose(np.diff(detectors.two_theta).min(), np.diff(detectors.two_theta).max())
    np.testing.assert_allclose(detectors.width, np.diff(detectors.two_theta)[0])


def test_a_masked_detector_is_nowhere(tmp_path):
    values = np.ones((30, len(ENERGY) - 1))
    values[10] = np.nan
    values[11] = -1e30
    found = inscape.read(write_nxspe(tmp_path / "a.nxspe", values, values * 0 + 1, np.linspace(5, 100, 30)))
    assert float(found["intensity"].min()) == float(found["intensity"].max()) == 1.0


# ---------------------------------------------------------------------------------------------------------- refusals


def truncated(folder):
    path = write_histogram(folder / "a.h5")
    path.write_bytes(path.read_bytes()[:1000])
    return path


def endless(folder):
    """An object 0 of size 0 in the heap of texts, which the HDF5 library would follow for ever."""
    with h5py.File(folder / "a.h5", "w") as file:
        file.attrs["kind"] = "powder map"
    data = bytearray((folder / "a.h5").read_bytes())
    first = data.index(b"GCOL") + 16
    data[first : first + 16] = bytes(16)
    (folder / "a.h5").write_bytes(data)
    return folder / "a.h5"


def foreign(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["something"] = 1.0
    return folder / "a.h5"


def negative(folder):
    return write_histogram(folder / "a.h5", *(s * np.ones((12, 20)) for s in (1, -1)))


def nothing_measured(folder):
    return write_histogram(folder / "a.h5", *(np.full((12, 20), np.nan) for _ in range(2)))


def without_angles(folder):
    values = np.ones((4, 20))
    return write_nxspe(folder / "a.nxspe", values, values, np.ones(4), leave=["data/polar"])


def without_positions(folder):
    values = np.ones((4, 20))
    return write_workspace(folder / "a.nxs", values, values, ENERGY, np.arange(4.0), ("DeltaE", "spectraNumber"))


def without_energy(folder):
    values = np.ones((4, 20))
    positions = np.column_stack([np.ones(4), np.arange(10.0, 50, 10), np.zeros(4)])
    units = ("DeltaE", "spectraNumber")
    return write_workspace(
        folder / "a.nxs", values, values, ENERGY, np.arange(4.0), units, positions=positions, incident=None
    )


def no_unit(folder):
    return write_histogram(folder / "a.h5", energy_unit=None)


def text(words):
    def make(folder):
        (folder / "a.txt").write_text(words)
        return folder / "a.txt"

    return make


REFUSED = [
    (truncated, DataError, "damaged"),
    (endless, DataError, "heap of texts at byte .* is damaged"),
    (foreign, DataError, r"something.*none of: NXspe"),
    (negative, DataError, "240 variances are negative"),
    (nothing_measured, DataError, "all intensities are NaN"),
    (without_angles, DataError, "no scattering angles"),
    (without_positions, DataError, "without their angles"),
    (without_energy, DataError, "give incident_energy"),
    (no_unit, DataError, "does not say in which unit energies are"),
    (text("100 1\n200 2\n300 3\n"), DataError, "does not say in which unit energies are"),
    (text("energy (furlong), intensity\n1,2\n2,3\n"), DataError, "'furlong', which is not known"),
    (text("# meV\n1 2\n2 3 4\n"), DataError, "line 3 has 3 numbers"),
    (text("# meV\n1 2\n2 x\n"), DataError, "line 3 is '2 x'"),
    (text("# meV\n1 2 3 4 5\n2 3 4 5 6\n"), DataError, "5 columns"),
    (text("# meV\n1 2\n1 3\n2 4\n"), DataError, "same energy"),
    (text("# meV\n1 2 -1\n2 3 1\n"), DataError, "errors below 0"),
    (text("{ not json"), DataError, "no valid JSON"),
    (text('{"a": 1}'), DataError, "not of Euphonic"),
    (text("words only\n"), DataError, "without a line of numbers"),
    (lambda folder: folder / "absent", DataError, "no such file"),
]


@pytest.mark.parametrize(("make", "error", "words"), REFUSED)
def test_what_is_refused(tmp_path, make, error, words):
    path = make(tmp_path)
    with pytest.raises(error, match=words) as caught:
        inscape.read(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "photograph"}, "kind is 'photograph'"),
        ({"kind": "density of states"}, "not a density of states"),
        ({"incident_energy": -1.0}, "incident_energy is -1.0"),
        ({"temperature": np.nan}, "temperature is nan"),
        ({"energy_unit": "mile"}, "'mile', which is not known"),
    ],
)
def test_options_that_are_refused(tmp_path, options, words):
    with pytest.raises(DataError, match=words):
        inscape.read(write_histogram(tmp_path / "a.h5"), **options)


def test_what_cannot_be_written(tmp_path, measured, spectrum):
    with pytest.raises(DataError, match=r"no format has the suffix '\.xyz'"):
        inscape.write(measured, tmp_path / "a.xyz")
    with pytest.raises(DataError, match="powder maps only"):
        inscape.write(spectrum, tmp_path / "a.nxspe")
    del measured.attrs["incident_energy_meV"]
    with pytest.raises(DataError, match="give incident_energy"):
        inscape.write(measured, tmp_path / "a.nxspe")
    with pytest.raises(DataError, match="cannot be written"):
        inscape.write(measured, tmp_path / "no" / "folder" / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_detectors_that_reach_nothing(tmp_path):
    values = np.ones((3, 20))
    path = write_nxspe(tmp_path / "a.nxspe", values, values, np.arange(3.0), energy=np.linspace(100, 200, 21))
    with pytest.raises(GridError, match="no detector reaches a bin"):
        inscape.read(path, q_edges=Q)


def test_damaged_files_are_read_or_refused_with_a_sentence(tmp_path):
    rng = np.random.default_rng(2)
    files = [(path.suffix, path.read_bytes()) for path in every_format(tmp_path)]
    ends = []
    for number in range(240):
        suffix, content = files[number % len(files)]
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(mutate(content, rng))
        ends.append(outcome(path))
    assert set(ends) == {"read", "refused"}


# --------------------------------------------------------------------------------------------------------- real files


@real_data
@pytest.mark.parametrize(
    ("name", "shape", "units"),
    [("Al-iqe.h5", (120, 149), None), ("graphite-Ei_130-dos.h5", (280,), None), ("V-dos.dat", (381,), None)],
)
def test_files_of_the_real_world(name, shape, units):
    found = inscape.read(REAL / name)
    assert found["intensity"].shape == shape
    assert float(found["energy_edges"][-1]) > 30


def test_nothing_but_errors_of_this_package_leaves_the_door(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(InscapeError):
        inscape.read(tmp_path / "a.h5")
