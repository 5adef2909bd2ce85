"""The command line: what it prints and writes, and how it refuses; no model is loaded, predictions are stand-ins."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import inscape
import inscape.prediction
from inscape.cli import app, main
from inscape.cli.run_files import check_settings, read_run_file
from inscape.cli.spectra import parse_kinds, parse_plane, unique_stems
from inscape.errors import DataError, GridError, StructureError
from inscape.library import BuildReport, Cluster, Failure, LibraryWriter, RenderSettings
from inscape.library.summary import group_reasons
from inscape.results import Prediction, make_prediction

POSCAR = """{name}
1.0
2.82 2.82 0.0
2.82 0.0 2.82
0.0 2.82 2.82
{symbols}
1 1
Direct
0 0 0
{last}
"""

NO_CELL = "2\nno cell\nNa 0 0 0\nCl 0 0 2.8\n"

PARTIAL = """data_partial
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na 0 0 0 0.5
Cl1 Cl 0.5 0.5 0.5 1
"""

BAD = {
    "absent": None,
    "text.cif": "this is no crystal",
    "no-cell.xyz": NO_CELL,
    "zero-volume.vasp": POSCAR.replace("2.82 0.0 2.82", "2.82 2.82 0.0").format(
        name="flat", symbols="Na Cl", last="0.5 0.5 0.5"
    ),
    "nan.vasp": POSCAR.format(name="nan", symbols="Na Cl", last="nan 0.5 0.5"),
    "close.vasp": POSCAR.format(name="close", symbols="Na Cl", last="0.01 0.01 0.01"),
    "partial.cif": PARTIAL,
    "unknown.vasp": POSCAR.format(name="unknown", symbols="Na Qq", last="0.5 0.5 0.5"),
}


def stand_in(crystals, *, temperature, plane, kinds, emax, de, qmax, dq, **seen):
    """Predictions of the right form, of an Einstein solid; potassium is foreign, iodine is refused."""
    found = []
    for crystal in crystals:
        if "I" in crystal.symbols:
            raise StructureError("no iodine today")
        edges, q, h = np.arange(0, (emax or 40) + de, de), np.linspace(0, qmax, 4), np.linspace(0, 3.2, 5)
        n = len(edges) - 1
        given = {"crystal": crystal, "energy_edges": edges, "temperature": temperature}
        if "dos" in kinds:
            given |= {"partial_dos": np.full((crystal.n_atoms, n), 3 / edges[-1])}
        if "powder" in kinds:
            given |= {"q_edges": q, "powder_coherent": np.ones((3, n)), "powder_incoherent": np.ones((3, n))}
        if "crystal" in kinds:
            maps = {f"crystal_{part}": np.ones((4, 4, n)) for part in ("coherent", "incoherent")}
            given |= {"plane": plane, "h_edges": h, "k_edges": h, **maps}
        novelty = 2.0 if "K" in crystal.symbols else 0.5
        errors = {"dos_w1_meV": 1.4}
        found.append(make_prediction(**given, novelty=novelty, novelty_threshold=1.0, expected_error=errors))
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, and predictions that need no model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inscape.prediction, "predict_many", stand_in)
    return tmp_path


def write(name, symbols="Na Cl", text=None):
    """A structure file in the current folder; rock salt unless text is given."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or POSCAR.format(name=path.stem, symbols=symbols, last="0.5 0.5 0.5"))
    return str(path)


def run(*arguments):
    """Result of the application, through `main`'s handling of errors."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_main(monkeypatch, capsys, *arguments):
    """Exit status, standard output and standard error of the whole command."""
    monkeypatch.setattr(sys, "argv", ["inscape", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    return end.value.code or 0, out, err


def test_version_and_help():
    assert run("--version").output == f"inscape {inscape.__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "inscape.cli", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    for command in ("predict", "library", "train", "evaluate"):
        assert command in done.stdout


# ---- predict ----


def test_one_structure(folder):
    result = run("predict", write("salt.vasp"), "--temperature", 10, "--plane", "HHL", "--emax", 60, "--de", 1)
    assert result.exit_code == 0
    for words in ("NaCl", "Fm-3m", "10 K", "heat capacity", "0.50 below 1.00", "1.40 meV", "wrote salt.nc, salt.png"):
        assert words in result.stdout
    prediction = Prediction.load(folder / "salt.nc")
    assert prediction.dataset.attrs["plane"] == "1 1 0; 0 0 1"
    assert prediction.dataset.sizes["energy"] == 60
    assert (folder / "salt.png").stat().st_size > 10_000


def test_json_holds_the_summary_and_nothing_else_is_on_standard_output(folder):
    result = run("predict", write("salt.vasp"), "--json", "--kinds", "dos", "--no-plot", "-o", "out/deep")
    (summary,) = json.loads(result.stdout)["predictions"]
    assert summary["source"] == "salt.vasp"
    assert summary["formula"] == "NaCl"
    assert summary["kinds"] == ["dos"]
    assert summary["dos_area"] == pytest.approx(6)
    assert summary["files"] == [str(Path("out/deep/salt.nc"))]
    assert [p.name for p in (folder / "out" / "deep").iterdir()] == ["salt.nc"]


def test_foreign_chemistry_is_warned_of(folder):
    result = run("predict", write("kcl.vasp", "K Cl"), "--no-plot", "--kinds", "dos")
    assert result.exit_code == 0
    assert "warning: kcl.vasp: novelty 2.00 is above 1.00" in result.stderr
    assert "2.00 above 1.00" in result.stdout


def test_a_warning_of_another_kind_makes_nothing_foreign(folder, monkeypatch):
    def unstable(*arguments, **options):
        found = stand_in(*arguments, **options)
        for one in found:
            one.dataset.attrs["warning"] = "modes came out imaginary"
        return found

    monkeypatch.setattr(inscape.prediction, "predict_many", unstable)
    result = run("predict", write("salt.vasp"), "--no-plot", "--kinds", "dos")
    assert "warning: salt.vasp: modes came out imaginary" in result.stderr
    assert "0.50 below 1.00" in result.stdout


def test_a_folder_and_stems_that_are_alike(folder):
    write("a/salt.vasp"), write("a/kcl.vasp", "K Cl"), write("b/salt.vasp")
    result = run("predict", "a", "b/salt.vasp", "-o", "out", "--kinds", "dos", "--no-plot")
    assert result.exit_code == 0
    assert sorted(p.name for p in Path("out").iterdir()) == ["kcl.nc", "salt-2.nc", "salt.nc"]
    assert "b/salt.vasp is written as salt-2" in result.stderr
    assert "3 files (.nc) in out" in result.stdout


def test_stems_never_collide(capsys):
    names = ["a/x.cif", "b/x.cif", "c/x-2.cif", "X.vasp"]
    assert unique_stems(names) == ["x", "x-2", "x-2-2", "X-3"]
    assert capsys.readouterr().err.count("note: ") == 3


@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("folder")
def test_bad_input_is_one_line_and_status_2(name, monkeypatch, capsys):
    if BAD[name] is not None:
        write(name, text=BAD[name])
    code, out, err = run_main(monkeypatch, capsys, "predict", name)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert name in err
    assert err.count("\n") == 1
    assert not list(Path().glob("*.nc"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--plane", "1 0 0"), "two vectors as '1 0 0; 0 1 0'"),
        (("--plane", "hello"), "two vectors"),
        (("--kinds", "dos,magnons"), "expected some of dos,powder,crystal"),
        (("--kinds", ""), "expected some of"),
        (("--output", "salt.vasp"), "salt.vasp: cannot be used as a folder"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_options_are_one_line_and_status_2(options, message, monkeypatch, capsys):
    code, out, err = run_main(monkeypatch, capsys, "predict", write("salt.vasp"), *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_one_bad_among_several_does_not_stop_the_others(folder):
    names = [write("salt.vasp"), write("nan.vasp", text=BAD["nan.vasp"])]
    names += [write("nai.vasp", "Na I"), write("kcl.vasp", "K Cl")]
    result = run("predict", *names, "--no-plot", "--kinds", "dos")
    assert result.exit_code == 1
    assert sorted(p.name for p in folder.glob("*.nc")) == ["kcl.nc", "salt.nc"]
    assert "2 of 4 structures failed" in result.stderr
    assert "nan.vasp: " in result.stderr
    assert "nai.vasp: no iodine today" in result.stderr
    failures = json.loads(run("predict", *names, "--no-plot", "--kinds", "dos", "--json").stdout)["failures"]
    assert [f["source"] for f in failures] == ["nan.vasp", "nai.vasp"]


@pytest.mark.usefixtures("folder")
def test_a_single_structure_that_the_model_refuses_is_status_2(monkeypatch, capsys):
    code, _, err = run_main(monkeypatch, capsys, "predict", write("nai.vasp", "Na I"))
    assert (code, err) == (2, "error: no iodine today\n")


@pytest.mark.usefixtures("folder")
def test_ctrl_c_is_status_130(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(inscape.prediction, "predict_many", interrupt)
    assert run_main(monkeypatch, capsys, "predict", write("salt.vasp"))[0] == 130


def test_planes_and_kinds():
    assert parse_plane("h0l") == ((1, 0, 0), (0, 0, 1))
    for text in ("1 1 0; 0 0 -1", "1,1,0 0,0,-1", "((1,1,0),(0,0,-1))"):
        assert parse_plane(text) == ((1, 1, 0), (0, 0, -1))
    assert parse_kinds("crystal, dos") == ("dos", "crystal")
    with pytest.raises(GridError):
        parse_plane("1 0 0; 0 1")
    with pytest.raises(DataError):
        parse_kinds("all")


# ---- library ----


@pytest.fixture
def store(tmp_path):
    """A library of two crystals, which by mistake have one structure, and two failures."""
    library = LibraryWriter.create(tmp_path / "small.zarr", RenderSettings())
    common = {
        "space_group": "Fm-3m",
        "space_group_number": 225,
        "digest": "0",
        "imaginary_lowest_meV": 0.0,
        "imaginary_q": [0, 0, 0],
        "highest_meV": 30.0,
    }
    for name, split, formula, clean in (("mp-1", "train", "NaCl", True), ("mp-2", "val", "LiH", False)):
        varying = {"id": name, "split": split, "formula": formula, "clean": clean, "n_atoms": 2, "seconds": 0.5}
        born = {"has_born": clean, "imaginary_share": 0.0 if clean else 0.1}
        library.write(name, {"partial_dos": np.ones((2, 300), np.float32)}, common | varying | born)
    library.write_failure("mp-3", Failure("57 atoms in the primitive cell", n_atoms=57))
    library.write_failure("mp-4", Failure("102 atoms in the primitive cell", n_atoms=102))
    return library.path


def test_library_info(store):
    result = run("library", "info", store)
    assert result.exit_code == 0
    assert "2  N atoms in the primitive cell" in result.stdout
    assert "0.50 s a crystal" in result.stdout
    assert "one structure: mp-1, mp-2" in result.stdout
    summary = json.loads(run("library", "info", store, "--json").stdout)
    assert summary["crystals"] == 2
    assert list(summary["splits"]) == ["train", "val", "all"]
    assert summary["splits"]["val"] == {
        "crystals": 1,
        "clean": 0,
        "imaginary": 1,
        "born": 0,
        "hydrogen": 1,
        "median_atoms": 2,
        "max_atoms": 2,
    }
    assert summary["failures"] == {"N atoms in the primitive cell": 2}
    assert summary["duplicates"] == [["mp-1", "mp-2"]]
    assert summary["bytes"] == sum(p.stat().st_size for p in store.rglob("*") if p.is_file())


def test_library_info_of_something_else(tmp_path, monkeypatch, capsys):
    code, _, err = run_main(monkeypatch, capsys, "library", "info", tmp_path / "absent")
    assert code == 2
    assert "no such library" in err


def test_library_build_hands_its_options_on(tmp_path, monkeypatch):
    called = {}

    def build(paths, output, *, progress, **options):
        called.update(options, paths=paths, output=output)
        progress(1, 2, "mp-1")
        return BuildReport(["mp-1"], {"mp-2": "x/y.tar.lzma: 3 forces are missing"}, 4)

    monkeypatch.setattr("inscape.library.build.build_library", build)
    (tmp_path / "splits.json").write_text('{"train": ["mp-1"], "val": ["mp-2"]}')
    (tmp_path / "jobs.toml").write_text('cores = 8\nmemory = "16 GB"')
    options = ("--workers", 1, "--splits", tmp_path / "splits.json", "--only", "train,val", "--max-atoms", 9)
    options += ("--jobqueue", "slurm", "--jobqueue-settings", tmp_path / "jobs.toml", "--retry-failed")
    result = run("library", "build", "a", "b", "-o", "out.zarr", *options)
    assert result.exit_code == 0
    assert called == {
        "paths": [Path("a"), Path("b")],
        "output": Path("out.zarr"),
        "max_atoms": 9,
        "retry_failed": True,
        "splits": {"mp-1": "train", "mp-2": "val"},
        "only": {"train", "val"},
        "cluster": Cluster(1, jobqueue="slurm", settings={"cores": 8, "memory": "16 GB"}),
    }
    assert "1 crystals rendered, 4 needed no more work" in result.stdout
    assert "1  … N forces are missing" in result.stdout
    run("library", "build", "a", "-o", "out.zarr", "--scheduler", "tcp://somewhere:8786")
    assert called["cluster"] == Cluster(scheduler="tcp://somewhere:8786")
    run("library", "build", "a", "-o", "out.zarr")
    assert called["cluster"] == Cluster()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scheduler", "somewhere"), "'somewhere' is no address of a Dask scheduler; expected one as tcp://host:8786"),
        (("--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (("--scheduler", "nonsense://127.0.0.1:1"), "no Dask scheduler answers at nonsense://127.0.0.1:1"),
        (("--scheduler", "tcp://127.0.0.1:1", "--workers", 3), "has its own workers"),
        (("--jobqueue", "slrm"), "unknown queueing system 'slrm'; did you mean 'slurm'?"),
        (("--jobqueue", "slurm", "--jobqueue-settings", "absent.toml"), "absent.toml: cannot be read"),
        (("--jobqueue", "slurm", "--jobqueue-settings", "jobs.toml"), "unknown setting 'quue' of slurm; did you mean"),
        (("--jobqueue-settings", "jobs.toml"), "not which one it is; give jobqueue too"),
    ],
)  # fmt: skip
def test_clusters_that_are_not_there_are_refused(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("inscape.library.dispatch.CONNECT_SECONDS", 0.2)
    Path("jobs.toml").write_text('quue = "long"')
    Path("salt.tar.lzma").touch()
    code, _, err = run_main(monkeypatch, capsys, "library", "build", "salt.tar.lzma", "-o", "store", *options)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_an_interrupted_build_says_how_to_go_on(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("inscape.library.build.build_library", interrupt)
    result = run("library", "build", "a", "-o", "out.zarr")
    assert result.exit_code == 130
    assert "the same command goes on where it stopped" in result.stderr


def test_two_calculations_of_one_id_are_refused(tmp_path, monkeypatch, capsys):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "salt.tar.lzma").touch()
    folders = tmp_path / "one", tmp_path / "two"
    code, _, err = run_main(monkeypatch, capsys, "library", "build", *folders, "-o", tmp_path / "store")
    assert code == 2
    assert "would both be salt" in err


def test_reasons_are_grouped():
    reasons = ["E: a/b-12.tar.lzma: 3 atoms", "E: c/d.tar.lzma: 44 atoms", "other"]
    assert group_reasons(reasons) == {"E: … N atoms": 2, "other": 1}


# ---- train and evaluate ----


def function(
    library,
    *,
    kind: str = "dos",
    epochs: int = 3,
    rate: float = 0.1,
    hidden: tuple[int, ...] = (1,),
    output: str | Path | None = None,
    minutes: float | None = None,
    progress: bool = False,
):
    """Stands for a training."""


@pytest.mark.parametrize("settings", [{}, {"rate": 1}, {"hidden": [3, 4]}, {"output": "a"}, {"minutes": 2}])
def test_settings_that_fit(settings):
    check_settings(settings, function, source="run.toml", reserved={"library", "progress"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "run.toml: unknown key 'epoch'; did you mean 'epochs'"),
        ({"progress": True}, "unknown key 'progress'"),
        ({"epochs": 3.5}, "epochs is 3.5; expected a whole number"),
        ({"epochs": True}, "epochs is True; expected a whole number"),
        ({"rate": "fast"}, "rate is 'fast'; expected a number"),
        ({"hidden": 3}, "expected a list, each item a whole number"),
        ({"hidden": [3, "x"]}, "expected a list"),
        ({"kind": 1}, "kind is 1; expected text"),
        ({"output": 1}, "output is 1; expected text or a path"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(DataError, match=message):
        check_settings(settings, function, source="run.toml", reserved={"library", "progress"})


def test_run_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_run_file(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("kind dos")
    with pytest.raises(DataError, match="not a TOML file"):
        read_run_file(tmp_path / "bad.toml")


@pytest.mark.parametrize("command", ["autoencoder", "structure"])
def test_train_hands_the_run_file_on(command, tmp_path, monkeypatch):
    called = {}

    def training(
        library, *, kind: str = "dos", output: Path | None = None, minutes: float | None = None, progress: bool = False
    ):
        called.update(library=library, kind=kind, output=output, minutes=minutes, progress=progress)
        return Path("weights.safetensors")

    monkeypatch.setattr(f"inscape.structure_model.train_{command}", training)
    (tmp_path / "run.toml").write_text('kind = "powder"\nminutes = 5.0\n')
    result = run("train", command, tmp_path / "run.toml", "--library", "l.zarr", "--output", "w", "--minutes", 1)
    assert result.stdout == "wrote weights.safetensors\n"
    expected = {"kind": "powder", "output": Path("w"), "minutes": 1.0, "progress": True}
    assert called == {"library": Path("l.zarr"), **expected}
    (tmp_path / "run.toml").write_text("kinds = 1")
    with pytest.raises(DataError, match="did you mean 'kind'"):
        run("train", command, tmp_path / "run.toml", "--library", "l.zarr")


@pytest.fixture
def evaluation(monkeypatch):
    """What the evaluation was asked for; it returns tables without any work."""
    module = pytest.importorskip("inscape.evaluation")
    called = {}

    def stand_in_evaluation(library, split, *, progress, **options):
        called.update(options, library=library, split=split)
        progress(1, 1, "mp-1")
        return SimpleNamespace(markdown=lambda: "| W₁ |", to_dict=lambda: {"ids": ["mp-1"]})

    monkeypatch.setattr(module, "evaluate", stand_in_evaluation)
    return called


def test_evaluate(evaluation, tmp_path):
    result = run("evaluate", "--library", "l.zarr", "--max-atoms", 12, "-o", tmp_path / "table.md")
    assert result.stdout == "| W₁ |\n"
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == "| W₁ |"
    assert evaluation == {"library": Path("l.zarr"), "split": "val", "road": "auto", "max_atoms": 12, "limit": None}
    assert json.loads(run("evaluate", "--library", "l.zarr", "--json").stdout) == {"ids": ["mp-1"]}
    with pytest.raises(DataError, match="cannot be written"):
        run("evaluate", "--library", "l.zarr", "-o", tmp_path / "absent" / "table.md")


def test_every_command_is_a_function_with_help():
    assert isinstance(app, typer.Typer)
    for command in (("predict",), ("library", "build"), ("library", "info"), ("train", "structure"), ("evaluate",)):
        assert run(*command, "--help").exit_code == 0
