"""Libraries: what they hold, how they are read, and files that are there whole or not at all."""

import json
import shutil
import tracemalloc
from itertools import chain, count

import numpy as np
import pytest
import zarr

import inscape.files as files
import inscape.library.writing as writing
from crystals import BRUCITE, FEW, MATERIALS, NACL, QUARTZ, SILICON, SPECTRA, SPLITS, contents
from inscape.errors import LibraryError
from inscape.lattice import modes_at, read_force_constants
from inscape.library import (
    Failure,
    Library,
    LibraryWriter,
    RenderSettings,
    chemical_system,
    composition,
    in_tuning_part,
    read_splits,
)
from inscape.library.build import find_calculations
from inscape.library.summary import group_reasons, summarise
from inscape.scattering import scattering_lengths, self_part
from inscape.spectra import centres, native_energy_edges, native_q_edges

WIDTHS = np.diff(native_energy_edges())


class Killed(BaseException):
    """In place of the end of a process."""


def dying(function, call):
    """The function, but at its call of that number the process ends."""
    calls = count()

    def replacement(*arguments, **options):
        if next(calls) == call:
            raise Killed
        return function(*arguments, **options)

    return replacement


def attributes(name, **changes):
    """What a library has to know of a crystal."""
    known = {
        "id": name, "split": "train", "formula": "NaCl", "space_group": "Fm-3m", "space_group_number": 225,
        "n_atoms": 2, "digest": f"{name:0>64}", "has_born": True, "clean": True, "imaginary_share": 0.0,
        "imaginary_lowest_meV": 0.0, "imaginary_q": [0.0, 0.0, 0.0], "highest_meV": 30.0, "seconds": 0.5,
    }  # fmt: skip
    return known | changes


@pytest.fixture
def synthetic(tmp_path):
    """A library of four crystals that were never rendered."""
    library = LibraryWriter.create(tmp_path / "l.zarr", RenderSettings())
    with library.building():
        for number in range(4):
            arrays = {"partial_dos": np.full((1, 5), number, np.float32), "numbers": np.arange(number + 1)}
            library.add_to_index(library.write(f"mp-{number}", arrays, attributes(f"mp-{number}")))
    return library


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


def test_summary(library):
    found = summarise(library)
    assert found["crystals"] == 11
    assert list(found["splits"]) == ["train", "val", "test", "none", "all"]
    assert found["splits"]["train"] == {
        "crystals": 6, "clean": 6, "imaginary": 0, "born": 0, "hydrogen": 1, "median_atoms": 2.0, "max_atoms": 2,
    }  # fmt: skip
    assert found["bytes"] == library.size() > 10_000
    assert found["duplicates"] == []
    json.dumps(found)


def test_reasons_are_grouped():
    reasons = ["a/b.tar.lzma: 30 atoms", "c/d.tar.lzma: 42 atoms", "NaN"]
    assert list(group_reasons(reasons).values()) == [2, 1]


# ---- reading


def test_batches_hold_each_crystal_once_in_an_order_of_its_own_for_each_seed(library):
    names = library.select()

    def order(**options):
        return [list(batch) for batch in library.stream(names, "numbers", batch_size=4, **options)]

    assert [len(batch) for batch in order()] == [4, 4, 3]
    assert [*chain(*order())] == names
    first, second = order(random_state=(0, 1)), order(random_state=(0, 2))
    assert first == order(random_state=(0, 1)) != second
    assert sorted(chain(*first)) == sorted(chain(*second)) == names


def test_batches_hold_the_arrays_asked_for(library):
    (batch,) = library.stream([NACL.id, QUARTZ.id], "partial_dos", "numbers")
    assert {name: set(a) for name, a in batch.items()} == {
        name: {"partial_dos", "numbers"} for name in (NACL.id, QUARTZ.id)
    }
    assert [len(a["numbers"]) for a in batch.values()] == [2, 9]
    np.testing.assert_array_equal(batch[QUARTZ.id]["partial_dos"], library.arrays(QUARTZ.id)["partial_dos"])


def test_memory_of_a_stream_does_not_grow_with_the_library(tmp_path):
    library = LibraryWriter.create(tmp_path / "l.zarr", RenderSettings())
    powder = np.random.default_rng(0).normal(size=(100, 300)).astype(np.float16)  # 60 kB
    names = [f"mp-{i}" for i in range(64)]
    for name in names:
        library.write(name, {"powder": powder}, attributes(name))

    def peak(names):
        tracemalloc.start()
        total = sum(a["powder"].size for batch in library.stream(names, "powder", batch_size=4) for a in batch.values())
        assert total == len(names) * powder.size
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(names[:4])  # what is imported and kept at first use
    few, many = peak(names[:8]), peak(names)
    assert many < few + 2 * powder.nbytes
    assert few > 4 * powder.nbytes


# ---- the index


def test_a_library_is_known_from_its_index_alone(synthetic, monkeypatch):
    expected = {f"mp-{i}": synthetic.line(f"mp-{i}").entry for i in range(4)}
    monkeypatch.setattr(Library, "_entry", None)
    assert Library(synthetic.path).entries == expected


@pytest.mark.parametrize("harm", ["missing", "foreign", "cut short", "of other columns"])
def test_an_index_that_is_damaged_loses_nothing(synthetic, harm):
    expected = Library(synthetic.path).entries
    index = synthetic.path / "index.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    if harm == "missing":
        index.unlink()
    elif harm == "foreign":
        index.write_bytes(bytes(range(256)) * 9)
    elif harm == "cut short":  # and then written on
        index.write_text("".join(lines[:-1]) + lines[-1][:50] + lines[-1])
    else:
        index.write_text("".join([lines[0].replace('"formula", ', ""), *lines[1:]]))
    assert Library(synthetic.path).entries == expected
    with synthetic.building() as there:
        assert there == set(expected)
    assert sorted(index.read_text().splitlines(keepends=True)) == sorted(lines)


def test_the_index_never_says_what_is_not_so(synthetic):
    synthetic.file("mp-0").unlink()
    synthetic.write("mp-1", {"partial_dos": np.ones((1, 9))}, attributes("mp-1", formula="KCl"))
    synthetic.write("mp-9", {"partial_dos": np.ones((1, 5))}, attributes("mp-9"))
    found = Library(synthetic.path).entries
    assert list(found) == ["mp-1", "mp-2", "mp-3", "mp-9"]
    assert found["mp-1"].formula == "KCl"


# ---- whole or not at all


STEPS = [  # the first call belongs to the note on its structure, the second to the crystal
    (files.Path, "mkdir", 0), (files.os, "fsync", 0), (files.Path, "replace", 0), (writing, "ZipStore", 0),
    (writing.zarr, "create_group", 0), (writing.ZipStore, "close", 0), (files.os, "fsync", 1),
    (files.Path, "replace", 1),
]  # fmt: skip


@pytest.mark.parametrize(("place", "step", "call"), STEPS, ids=[f"{step} {call}" for _, step, call in STEPS])
@pytest.mark.parametrize("name", ["mp-9", "mp-1"], ids=["new", "there already"])
def test_a_crystal_is_there_whole_or_not_at_all(synthetic, monkeypatch, place, step, call, name):
    """Whatever step its writer dies at; what it leaves is not in the way, and the next build clears it."""
    before = contents(Library(synthetic.path))
    arrays = {"partial_dos": np.ones((1, 5), np.float32), "numbers": np.arange(2)}

    with monkeypatch.context() as patch:
        patch.setattr(files.Path, "unlink", lambda *_, **__: None)  # a dead process removes nothing
        patch.setattr(place, step, dying(getattr(place, step), call))
        with pytest.raises(Killed):
            synthetic.write(name, arrays, attributes(name))
    assert contents(Library(synthetic.path)) == before
    line = synthetic.write(name, arrays, attributes(name))
    with synthetic.building():
        pass
    assert not (synthetic.path / "scratch").exists()
    found = Library(synthetic.path)
    assert found.entries[name] == line.entry
    np.testing.assert_array_equal(found.arrays(name)["partial_dos"], arrays["partial_dos"])
    after = contents(found)
    assert {n: after[n] for n in before if n != name} == {n: before[n] for n in before if n != name}


START = [(files.Path, "mkdir", 0), (files.Path, "mkdir", 3), (zarr, "create_array", 1), (zarr, "create_group", 0)]


@pytest.mark.parametrize(("place", "step", "call"), START, ids=[f"{step} {call}" for _, step, call in START])
def test_a_library_whose_start_was_interrupted_is_started_again(tmp_path, monkeypatch, place, step, call):
    with monkeypatch.context() as patch:
        patch.setattr(place, step, dying(getattr(place, step), call))
        with pytest.raises(Killed):
            LibraryWriter.create(tmp_path / "l.zarr", RenderSettings())
    library = LibraryWriter.create(tmp_path / "l.zarr", RenderSettings())
    assert library.entries == library.failures == {}
    np.testing.assert_array_equal(zarr.open_group(library.path)["q_edges"], native_q_edges())


def test_failures_are_kept_with_their_reasons(synthetic):
    failures = {"mp-7": Failure("ä: ≠", source="x"), "mp-8": Failure("41 atoms", n_atoms=41)}
    for name, failure in failures.items():
        synthetic.write_failure(name, failure)
    assert Library(synthetic.path).failures == failures
    synthetic.write("mp-7", {"partial_dos": np.ones((1, 5))}, attributes("mp-7"))  # succeeds at last
    assert list(Library(synthetic.path).failures) == ["mp-8"]


# ---- structures that are there more than once


def test_duplicates_are_found(synthetic):
    assert Library(synthetic.path).duplicates == []
    digest = attributes("mp-2")["digest"]
    assert synthetic.twin("mp-9", digest) == "mp-2"
    assert synthetic.twin("mp-2", digest) is None
    assert synthetic.twin("mp-9", "f" * 64) is None
    synthetic.write("mp-9", {"partial_dos": np.ones((1, 5))}, attributes("mp-9", digest=digest))
    assert Library(synthetic.path).duplicates == [["mp-2", "mp-9"]]


def test_the_twin_of_a_crystal_that_was_removed_is_no_twin(synthetic):
    synthetic.file("mp-2").unlink()
    assert synthetic.twin("mp-9", attributes("mp-2")["digest"]) is None


# ---- the first format


@pytest.fixture
def first(library, tmp_path):
    """The same library as it was written in the first format."""
    path = tmp_path / "first.zarr"
    root = zarr.open_group(path, mode="a")
    root.create_array("energy_edges", data=native_energy_edges())
    root.attrs.update(library.attributes | {"format": "inscape-library-1"})
    (path / "failures").mkdir()
    for name in library.entries:
        with library._group(name) as source:
            group = zarr.open_group(path / "crystals" / name, mode="w")
            for key in source.array_keys():
                group.create_array(key, data=source[key][...], chunks=source[key].shape)
            group.attrs.update(source.attrs)
    (path / "failures" / "mp-3.json").write_text('{"reason": "57 atoms", "n_atoms": 57}')
    (path / "crystals" / ".mp-4.4711").mkdir()  # was being written
    return path


def test_libraries_of_the_first_format_are_read_and_written_on(first, library):
    found = Library(first)
    assert contents(found) == contents(library)
    assert found.failures == {"mp-3": Failure("57 atoms", n_atoms=57)}
    assert NACL.id in found
    assert found.force_constants(NACL.id).has_born
    assert summarise(found)["crystals"] == len(library.entries)

    writer = LibraryWriter.create(first, RenderSettings(**SPECTRA))
    with writer.building() as there:
        assert there == set(library.entries)
        writer.add_to_index(writer.write("mp-9", library.arrays(NACL.id), attributes("mp-9")))
    assert not (first / "crystals" / ".mp-4.4711").exists()
    found = Library(first)
    assert found.attributes["format"] == "inscape-library-2"
    assert set(found.entries) == {*library.entries, "mp-9"}
    assert writer.twin("mp-9", library.entries[NACL.id].digest) == NACL.id
    assert {n: c for n, c in contents(found).items() if n != "mp-9"} == contents(library)


# ---- refusals


def test_one_build_at_a_time(synthetic):
    other = LibraryWriter(synthetic.path)
    refusal = pytest.raises(LibraryError, match="another build is writing to this library")
    with synthetic.building(), refusal, other.building():
        pass
    with other.building():
        pass


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
    with pytest.raises(LibraryError, match=r"has no array 'pwder'; it has .*, powder"):
        library.arrays(NACL.id, "pwder")


@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_a_damaged_crystal_is_named(synthetic, harm):
    place = synthetic.file("mp-3")
    content = bytearray(place.read_bytes())
    content[content.index(b"zarr_format")] ^= 1
    place.write_bytes(content if harm == "changed" else content[:-30])
    with pytest.raises(LibraryError, match=r"mp-3\.zip: damaged .* remove it and build again"):
        synthetic.arrays("mp-3")


def test_a_library_of_another_format_is_refused(library, tmp_path):
    path = tmp_path / "l.zarr"
    path.mkdir()
    shutil.copy(library.path / "zarr.json", path)
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text.replace("inscape-library-2", "inscape-library-0"))
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
