"""Libraries: nothing is lost, doubled or dropped silently, whatever happens to the build."""

import json
import shutil

import numpy as np
import pytest

import inscape.library.build as build
from crystals import (
    BRUCITE,
    FEW,
    MATERIALS,
    NACL,
    QUARTZ,
    SILICON,
    SPECTRA,
    SPLITS,
    UNSTABLE,
    Inline,
    pack_archive,
    write_folder,
)
from inscape.errors import LibraryError
from inscape.lattice import modes_at, read_force_constants
from inscape.library import (
    Library,
    RenderSettings,
    build_library,
    chemical_system,
    composition,
    in_tuning_part,
    read_splits,
)
from inscape.library.build import find_calculations, identifier
from inscape.library.summary import group_reasons, summarise
from inscape.scattering import scattering_lengths, self_part
from inscape.spectra import centres, native_energy_edges, native_q_edges

SETTINGS = RenderSettings(**SPECTRA)
SMALL = (FEW[0], FEW[1], FEW[4])
WIDTHS = np.diff(native_energy_edges())


@pytest.fixture
def inline(monkeypatch):
    """No processes are started."""
    monkeypatch.setattr(build, "ProcessPoolExecutor", Inline)


@pytest.fixture
def few(tmp_path):
    """A folder of three archives."""
    folder = tmp_path / "few"
    folder.mkdir()
    for material in SMALL:
        pack_archive(folder, material)
    return folder


def contents(library):
    """Everything but the seconds it took."""
    return {
        name: (
            {k: v for k, v in vars(entry).items() if k != "seconds"},
            {key: value.tobytes() for key, value in library.arrays(name).items()},
        )
        for name, entry in library.entries.items()
    }


# ---- what a library holds


def test_all_crystals_are_there(library):
    assert sorted(library.entries) == sorted(m.id for m in (*FEW, *MATERIALS))
    assert library.failures == {}
    for name, entry in library.entries.items():
        assert entry.id == name
        assert entry.split == SPLITS.get(name, "none")
        assert entry.clean
        assert entry.imaginary_share == 0
        assert entry.n_atoms == library.crystal(name).n_atoms
        assert entry.formula == library.crystal(name).formula
        assert entry.digest == library.crystal(name).digest
    assert library.entries[NACL.id].has_born
    assert not library.entries[QUARTZ.id].has_born


def test_select(library):
    assert library.select("val") == [m.id for m in (SILICON, MATERIALS[2], QUARTZ)]
    assert library.select("val", max_atoms=4) == [SILICON.id, MATERIALS[2].id]
    assert library.select("none") == [NACL.id]
    assert library.select("train", tuning=True) == [FEW[-1].id]
    assert library.select("train", tuning=False) == [m.id for m in FEW[:-1]]
    assert len(library.select()) == len(FEW) + len(MATERIALS)


def test_unclean_crystals_are_left_out_unless_asked_for(inline, tmp_path, few):
    pack_archive(few, UNSTABLE)
    build_library([few], tmp_path / "l.zarr", settings=SETTINGS)
    library = Library(tmp_path / "l.zarr")
    assert UNSTABLE.id not in library.select()
    assert UNSTABLE.id in library.select(clean=False)
    assert library.entries[UNSTABLE.id].imaginary_share > 0.005
    assert library.entries[UNSTABLE.id].imaginary_lowest_meV < -0.4


def test_spectra_obey_their_sum_rules(library):
    q = centres(native_q_edges())
    for name in library.entries:
        a, crystal = library.arrays(name), library.crystal(name)
        np.testing.assert_allclose(a["partial_dos"] @ WIDTHS, 3.0, rtol=1e-5)
        own = self_part(
            a["partial_dos"], crystal.masses, scattering_lengths(crystal).coherent_square, q, a["displacements"][0]
        )
        whole = (a["powder"].astype(float) * q[:, None] ** 2) @ WIDTHS
        np.testing.assert_allclose(whole[5:], (own @ WIDTHS)[5:], rtol=0.15)  # q of a bin, not of its wave vectors
        assert a["crystal"].shape == (32, 32, 300)
        assert a["points"].shape == (60, 300)
        assert all(np.all(np.isfinite(value)) for value in a.values() if value.dtype.kind == "f")


def test_force_constants_come_back(library, archives):
    q = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 3))
    for material in (NACL, QUARTZ, BRUCITE):
        stored = library.force_constants(material.id)
        original = read_force_constants(archives / material.archive)
        assert stored.has_born == original.has_born
        np.testing.assert_allclose(modes_at(stored, q).energies, modes_at(original, q).energies, rtol=1e-4, atol=1e-3)


def test_stream(library):
    found = list(library.stream([NACL.id, QUARTZ.id], "partial_dos", "numbers"))
    assert [set(a) for a in found] == [{"partial_dos", "numbers"}] * 2
    assert [len(a["numbers"]) for a in found] == [2, 9]


def test_summary(library):
    found = summarise(library)
    assert found["crystals"] == 11
    assert list(found["splits"]) == ["train", "val", "test", "none", "all"]
    assert found["splits"]["train"] == {
        "crystals": 6, "clean": 6, "imaginary": 0, "born": 0, "hydrogen": 1, "median_atoms": 2.0, "max_atoms": 2,
    }  # fmt: skip
    assert found["bytes"] == library.size() > 10_000
    json.dumps(found)


def test_reasons_are_grouped():
    reasons = ["a/b.tar.lzma: 30 atoms", "c/d.tar.lzma: 42 atoms", "NaN"]
    assert list(group_reasons(reasons).values()) == [2, 1]


# ---- building


def test_worker_processes_make_the_same_library(few, tmp_path, monkeypatch):
    seen = []
    report = build_library(
        [few], tmp_path / "two.zarr", workers=2, settings=SETTINGS, progress=lambda *event: seen.append(event)
    )
    assert sorted(report.rendered) == [m.id for m in SMALL]
    assert report.failed == {}
    assert [event[:2] for event in seen] == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr(build, "ProcessPoolExecutor", Inline)
    build_library([few], tmp_path / "none.zarr", settings=SETTINGS)
    assert contents(Library(tmp_path / "two.zarr")) == contents(Library(tmp_path / "none.zarr"))


def test_an_interrupted_build_goes_on_where_it_stopped(inline, few, tmp_path):
    path = tmp_path / "l.zarr"

    def stop(done, total, name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_library([few], path, workers=1, settings=SETTINGS, progress=stop)
    assert len(Library(path).entries) == 2  # one is reported, one was under way
    written = {p: p.stat().st_mtime_ns for p in (path / "crystals").rglob("zarr.json")}
    report = build_library([few], path, settings=SETTINGS)
    assert (report.already, len(report.rendered)) == (2, 1)
    assert all(p.stat().st_mtime_ns == t for p, t in written.items())
    build_library([few], tmp_path / "whole.zarr", settings=SETTINGS)
    assert contents(Library(path)) == contents(Library(tmp_path / "whole.zarr"))
    again = build_library([few], path, settings=SETTINGS)
    assert (again.rendered, again.failed, again.already) == ([], {}, 3)


def test_a_crystal_that_was_being_written_is_written_anew(inline, few, tmp_path):
    """What a killed process leaves has a hidden name: neither listed nor in the way."""
    path = tmp_path / "l.zarr"
    build_library([few], path, settings=SETTINGS)
    before = contents(Library(path))
    name = SMALL[0].id
    (path / "crystals" / name).rename(path / "crystals" / f".{name}.4711")
    assert name not in Library(path).entries
    report = build_library([few], path, settings=SETTINGS)
    assert report.rendered == [name]
    assert contents(Library(path)) == before


def test_a_crystal_written_twice_is_there_once(inline, few, tmp_path):
    path = tmp_path / "l.zarr"
    build_library([few], path, settings=SETTINGS)
    library = Library(path)
    before = contents(library)
    library.write(SMALL[0].id, {"partial_dos": np.zeros((1, 3))}, {})
    assert contents(Library(path)) == before
    assert not list((path / "crystals").glob(".*"))


def test_failures_are_listed_with_reasons(inline, few, tmp_path):
    pack_archive(few, NACL, leave_out=["FORCE_SETS"])
    (few / "materials-id-77-nonsense.tar.lzma").write_bytes(b"nothing")
    path = tmp_path / "l.zarr"
    report = build_library([few], path, settings=SETTINGS)
    assert len(report.rendered) == 3
    failures = Library(path).failures
    assert failures == report.failed
    assert set(failures) == {NACL.id, "mp-77"}
    assert "expected POSCAR-unitcell" in failures[NACL.id]
    assert "neither a phonondb archive" in failures["mp-77"]
    again = build_library([few], path, settings=SETTINGS)
    assert (again.rendered, again.failed, again.already) == ([], {}, 5)


def test_large_crystals_wait_for_a_larger_limit(inline, tmp_path):
    folder = tmp_path / "archives"
    folder.mkdir()
    for material in (QUARTZ, SILICON):
        pack_archive(folder, material)
    path = tmp_path / "l.zarr"
    report = build_library([folder], path, settings=SETTINGS, max_atoms=4)
    assert report.rendered == [SILICON.id]
    assert report.failed == {QUARTZ.id: "9 atoms in the primitive cell, more than the 4 asked for"}
    assert build_library([folder], path, settings=SETTINGS, max_atoms=8).already == 2
    assert build_library([folder], path, settings=SETTINGS, max_atoms=9).rendered == [QUARTZ.id]
    library = Library(path)
    assert sorted(library.entries) == [SILICON.id, QUARTZ.id]
    assert library.failures == {}


def test_only_the_splits_asked_for(inline, few, tmp_path):
    splits = {SMALL[0].id: "train", SMALL[1].id: "val"}
    path = tmp_path / "l.zarr"
    assert build_library([few], path, settings=SETTINGS, splits=splits, only={"val"}).rendered == [SMALL[1].id]
    assert build_library([few], path, settings=SETTINGS, splits=splits, only={"none"}).rendered == [SMALL[2].id]
    assert {e.id: e.split for e in Library(path).entries.values()} == {SMALL[1].id: "val", SMALL[2].id: "none"}


def test_folders_and_yaml_files_are_calculations_too(inline, tmp_path):
    inside = tmp_path / "calculations"
    inside.mkdir()
    write_folder(inside / "salt", NACL)
    for paths in ([inside], [inside / "salt"]):
        assert [identifier(p) for p in find_calculations(paths)] == ["salt"]
    report = build_library([inside], tmp_path / "l.zarr", settings=SETTINGS)
    assert report.rendered == ["salt"]


# ---- refusals


def test_two_calculations_of_one_id_are_refused(inline, few, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    pack_archive(other, SMALL[0])
    with pytest.raises(LibraryError, match=f"would both be {SMALL[0].id}"):
        build_library([few, other], tmp_path / "l.zarr", settings=SETTINGS)
    assert len(build_library([few, few], tmp_path / "l.zarr", settings=SETTINGS).rendered) == 3


def test_other_settings_are_refused(inline, few, tmp_path):
    build_library([few / SMALL[0].archive], tmp_path / "l.zarr", settings=SETTINGS)
    with pytest.raises(LibraryError, match=r"was started with .* give the same settings or another folder"):
        build_library([few], tmp_path / "l.zarr", settings=RenderSettings(0.5))


def test_a_folder_that_is_no_library_is_left_alone(few):
    with pytest.raises(LibraryError, match="not empty and not a library"):
        build_library([few], few, settings=SETTINGS)
    assert sorted(p.name for p in few.iterdir()) == sorted(m.archive for m in SMALL)
    with pytest.raises(LibraryError, match=r"not a library of spectra|format is None"):
        Library(few)


def test_what_is_not_there_is_refused(library, tmp_path):
    with pytest.raises(LibraryError, match="no such library; build one with"):
        Library(tmp_path / "nowhere")
    with pytest.raises(LibraryError, match="no such file or folder"):
        find_calculations([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(LibraryError, match="holds neither archives"):
        find_calculations([tmp_path / "empty"])
    with pytest.raises(LibraryError, match="holds no crystal mp-0"):
        library.arrays("mp-0")


def test_a_library_of_another_format_is_refused(library, tmp_path):
    path = tmp_path / "l.zarr"
    path.mkdir()
    shutil.copy(library.path / "zarr.json", path)
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text.replace("inscape-library-1", "inscape-library-0"))
    with pytest.raises(LibraryError, match="format is 'inscape-library-0'"):
        Library(path)


# ---- splits


def test_splits_are_read(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"train": ["mp-1", "mp-2"], "val": ["mp-3"], "test": []}))
    assert read_splits(path) == {"mp-1": "train", "mp-2": "train", "mp-3": "val"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"train": ["mp-1"], "val": ["mp-1"]}', "mp-1 is in both train and val"),
        ('{"training": ["mp-1"]}', "expected lists of ids named train, val, test"),
        ("[1, 2]", "expected lists of ids"),
        ("{}", "expected lists of ids"),
        ("train: x", "cannot be read as a JSON file"),
    ],
)
def test_bad_splits_are_refused(tmp_path, text, message):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(LibraryError, match=message):
        read_splits(tmp_path / "s.json")


def test_chemical_systems_and_the_tuning_part():
    assert chemical_system("Na2SiO3") == "Na-O-Si" == chemical_system("O3Na2Si")
    assert in_tuning_part("TiN")
    assert in_tuning_part("NTi")
    assert not in_tuning_part("LiF")
    formulas = [a + b for a in ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca") for b in ("F", "Cl", "Br", "I", "O", "S")]
    assert all(in_tuning_part(f, percent=100) for f in formulas)
    assert not any(in_tuning_part(f, percent=0) for f in formulas)


def test_composition():
    shares = composition("MgH2O2")
    assert (shares[1], shares[8], shares[12]) == (0.4, 0.4, 0.2)
    assert composition("D2O")[1] == pytest.approx(2 / 3)
    assert shares.sum() == pytest.approx(1)
