"""Building libraries: nothing is lost, doubled or dropped silently, whatever happens to the build."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster

import inscape.library.build as build
import inscape.library.dispatch as dispatch
import work
from crystals import (
    BRUCITE,
    NACL,
    QUARTZ,
    SILICON,
    SPECTRA,
    UNSTABLE,
    ZINC_OXIDE,
    contents,
    pack_archive,
    stiffer,
    write_folder,
)
from inscape.errors import LibraryError, MissingPackageError
from inscape.library import Cluster, Library, RenderSettings, build_library
from inscape.library.build import find_calculations, identifier

SETTINGS = RenderSettings(**SPECTRA)
SMALL = (ZINC_OXIDE, QUARTZ, BRUCITE)
ZINCITE, SILICA, HYDROXIDE = (m.id for m in SMALL)


@pytest.fixture
def few(tmp_path):
    """A folder of three archives."""
    folder = tmp_path / "few"
    folder.mkdir()
    for material in SMALL:
        pack_archive(folder, material)
    return folder


@pytest.fixture
def render(thread, tmp_path):
    """Build a library of the paths in one thread; the report and the library."""

    def build_in_thread(*paths, **options):
        path = tmp_path / "l.zarr"
        report = build_library(paths, path, cluster=thread, settings=SETTINGS, **options)
        return report, Library(path)

    return build_in_thread


# ---- what is rendered


def test_progress_is_told(few, render):
    seen = []
    report, library = render(few, progress=lambda *event: seen.append(event))
    assert sorted(report.rendered) == sorted(library.entries) == [m.id for m in SMALL]
    assert report.failed == {}
    assert seen[0] == (0, 3, "waiting for workers")
    assert [event[:2] for event in seen[1:]] == [(1, 3), (2, 3), (3, 3)]
    assert {event[2] for event in seen[1:]} == set(report.rendered)


def test_unclean_crystals_are_left_out_unless_asked_for(few, render):
    pack_archive(few, UNSTABLE)
    _, library = render(few)
    assert UNSTABLE.id not in library.select()
    assert UNSTABLE.id in library.select(clean=False)
    assert library.entries[UNSTABLE.id].imaginary_share > 0.005
    assert library.entries[UNSTABLE.id].imaginary_lowest_meV < -0.4


def test_large_crystals_wait_for_a_larger_limit(render, tmp_path):
    folder = tmp_path / "archives"
    folder.mkdir()
    for material in (QUARTZ, SILICON):
        pack_archive(folder, material)
    report, library = render(folder, max_atoms=4)
    assert report.rendered == [SILICON.id]
    assert report.failed == {QUARTZ.id: "9 atoms in the primitive cell, more than the 4 asked for"}
    assert library.failures[QUARTZ.id].n_atoms == 9
    assert render(folder, max_atoms=8)[0].already == 2
    report, library = render(folder, max_atoms=9)
    assert report.rendered == [QUARTZ.id]
    assert sorted(library.entries) == [SILICON.id, QUARTZ.id]
    assert library.failures == {}


def test_only_the_splits_asked_for(few, render):
    splits = {ZINCITE: "train", SILICA: "val"}
    assert render(few, splits=splits, only={"val"})[0].rendered == [SILICA]
    report, library = render(few, splits=splits, only={"none"})
    assert report.rendered == [HYDROXIDE]
    assert {e.id: e.split for e in library.entries.values()} == {SILICA: "val", HYDROXIDE: "none"}


def test_folders_and_yaml_files_are_calculations_too(render, tmp_path):
    inside = tmp_path / "calculations"
    inside.mkdir()
    write_folder(inside / "salt", NACL)
    for paths in ([inside], [inside / "salt"]):
        assert [identifier(p) for p in find_calculations(paths)] == ["salt"]
    assert render(inside)[0].rendered == ["salt"]


def test_a_structure_is_rendered_once(few, render):
    """A second calculation of it is listed, and rendered when the first is gone."""
    render(few)
    other = stiffer(SMALL[0], 1.1, 3000)
    pack_archive(few, other)
    report, library = render(few)
    assert (report.rendered, report.already) == ([], 3)
    assert report.failed == {other.id: f"the structure of {ZINCITE}, which is in the library"}
    assert library.duplicates == []
    assert render(few)[0].already == 4
    library.file(ZINCITE).unlink()
    (few / SMALL[0].archive).unlink()
    assert render(few)[0].rendered == [other.id]


# ---- failures


def test_failures_are_listed_with_reasons(few, render):
    pack_archive(few, NACL, leave_out=["FORCE_SETS"])
    (few / "materials-id-77-nonsense.tar.lzma").write_bytes(b"nothing")
    report, library = render(few)
    assert len(report.rendered) == 3
    assert {name: failure.reason for name, failure in library.failures.items()} == report.failed
    assert set(report.failed) == {NACL.id, "mp-77"}
    assert "expected POSCAR-unitcell" in report.failed[NACL.id]
    assert "neither a phonondb archive" in report.failed["mp-77"]
    again, _ = render(few)
    assert (again.rendered, again.failed, again.already) == ([], {}, 5)


def test_what_failed_is_tried_again_when_its_files_have_changed_or_when_asked(few, render, monkeypatch):
    path = pack_archive(few, NACL, leave_out=["FORCE_SETS"])
    assert list(render(few)[0].failed) == [NACL.id]
    assert list(render(few, retry_failed=True)[0].failed) == [NACL.id]
    assert render(few)[0].failed == {}
    path.unlink()
    pack_archive(few, NACL)
    report, library = render(few)
    assert report.rendered == [NACL.id]
    assert library.failures == {}


def test_no_trouble_with_a_crystal_ends_the_build(few, render, monkeypatch):
    def trouble(force_constants, settings):
        if force_constants.crystal.formula == "SiO2":
            raise AssertionError("nobody thought of this")
        return original(force_constants, settings)

    original = build.render
    monkeypatch.setattr(build, "render", trouble)
    report, _ = render(few)
    assert report.failed == {SILICA: "AssertionError: nobody thought of this"}
    assert sorted(report.rendered) == [ZINCITE, HYDROXIDE]


def test_a_crystal_that_kills_its_worker_is_a_failure_with_a_reason(few, render, monkeypatch):
    def run(client, work, items):
        for item in items:
            yield item, None if item.name == SILICA else work(item)

    monkeypatch.setattr(dispatch, "run", run)
    report, library = render(few)
    assert "killed its worker each time" in report.failed[SILICA]
    assert library.failures[SILICA].reason == report.failed[SILICA]
    assert render(few)[0].already == 3
    assert list(render(few, retry_failed=True)[0].failed) == [SILICA]


# ---- death


SCRIPT = """
import signal
import sys
from inscape.library import Cluster, RenderSettings, build_library

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where tests run in the background of a shell
    try:
        build_library([sys.argv[1]], sys.argv[2], cluster=Cluster(workers=2), settings=RenderSettings(SETTINGS))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture
def ten(tmp_path):
    """A folder of archives of zinc oxide, swollen by degrees."""
    folder = tmp_path / "ten"
    folder.mkdir()
    for number in range(10):
        atoms = ZINC_OXIDE.atoms.copy()
        atoms.set_cell(atoms.cell.array * (1 + number / 1000), scale_atoms=True)
        pack_archive(folder, replace(ZINC_OXIDE, atoms=atoms, number=4000 + number))
    return folder


def wait_for(process, path, more):
    """Wait until so many more crystals are there, and the build has not ended."""

    def count():
        return len(list((path / "crystals").glob("*/*.zip")))

    before = count()
    while count() < before + more:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.005)


def kill_a_worker(process):
    """Kill one of the processes that work for another."""
    workers = [p for p in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
    workers[0].kill()


def end(process):
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_build_whose_processes_are_killed_makes_the_same_library_in_the_end(ten, thread, tmp_path, request):
    """Workers are killed, then the whole; interrupted from the keyboard; workers killed again; then it may finish."""
    script, path = tmp_path / "build.py", tmp_path / "killed.zarr"
    script.write_text(SCRIPT.replace("SETTINGS", ", ".join(f"{k}={v}" for k, v in SPECTRA.items())))
    build_library([ten], tmp_path / "whole.zarr", cluster=thread, settings=SETTINGS)
    expected = contents(Library(tmp_path / "whole.zarr"))

    def start():
        command = [sys.executable, str(script), str(ten), str(path)]
        pipe = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        request.addfinalizer(lambda: end(pipe))
        return pipe

    def check():
        found = contents(Library(path))
        assert 0 < len(found) < len(expected)
        assert found == {name: expected[name] for name in found}

    first = start()
    wait_for(first, path, 1)
    kill_a_worker(first)
    check()
    wait_for(first, path, 2)
    first.kill()
    first.wait()
    check()

    second = start()
    wait_for(second, path, 1)
    os.killpg(second.pid, signal.SIGINT)
    output, _ = second.communicate(timeout=60)
    assert (second.returncode, output) == (130, b"")
    assert not (path / "scratch").exists()
    check()

    third = start()
    wait_for(third, path, 1)
    kill_a_worker(third)
    output, _ = third.communicate()
    assert (third.returncode, output) == (0, b"")

    library = Library(path)
    assert contents(library) == expected
    assert library.failures == {}
    assert library.duplicates == []
    lines = (path / "index.jsonl").read_text().splitlines()
    assert len(lines) == 1 + len(expected)
    assert {p.name for p in path.iterdir()} == {p.name for p in (tmp_path / "whole.zarr").iterdir()}


def test_an_interrupted_build_goes_on_where_it_stopped(few, render, tmp_path):
    def stop(done, total, name):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(few, progress=stop)
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "l.zarr" / "crystals").rglob("*.zip")}
    assert written
    report, library = render(few)
    assert report.already + len(report.rendered) == 3
    assert all(p.stat().st_mtime_ns == t for p, t in written.items())
    shutil.move(library.path, tmp_path / "interrupted.zarr")
    assert contents(Library(tmp_path / "interrupted.zarr")) == contents(render(few)[1])
    again, _ = render(few)
    assert (again.rendered, again.failed, again.already) == ([], {}, 3)


def test_a_crystal_that_was_written_but_not_reported_is_not_rendered_again(few, render, thread, monkeypatch):
    _, library = render(few)
    calculation = build.Calculation(ZINCITE, few / SMALL[0].archive, "none", "")
    monkeypatch.setattr(build, "render", None)
    assert build.Work(library.path, 40, SETTINGS)(calculation) == library.line(ZINCITE)


@pytest.fixture(scope="module")
def processes():
    """Two processes that work, and patience that is soon at its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "TRIES", 1)
        for variable in dispatch.THREAD_VARIABLES:
            patch.setenv(variable, "4")
        with dispatch.connect(Cluster(workers=2)) as client:
            yield client


@pytest.mark.parametrize("bunch", [64, 1], ids=["one by one", "in bunches"])
def test_an_item_that_kills_its_worker_harms_no_other(processes, monkeypatch, bunch):
    monkeypatch.setattr(dispatch, "BUNCH", bunch)
    found = dict(dispatch.run(processes, work.square_unless_three, range(6)))
    assert found == {i: None if i == 3 else i**2 for i in range(6)}


def test_an_item_whose_worker_was_killed_once_is_tried_again(processes, tmp_path):
    path = str(tmp_path / "killed")
    assert list(dispatch.run(processes, work.survive_second, [path])) == [(path, "done")]


def test_workers_use_one_thread_each(processes):
    for values in processes.run(lambda names: [os.environ.get(n) for n in names], dispatch.THREAD_VARIABLES).values():
        assert values == ["1"] * 4


def test_work_that_fails_where_it_should_not_ends_the_build(thread):
    with (
        dispatch.connect(thread) as client,
        pytest.raises(LibraryError, match=r"could not do its work .* No space left"),
    ):
        list(dispatch.run(client, work.fail, [1]))


def test_a_scheduler_that_is_gone_ends_the_build(monkeypatch):
    monkeypatch.setattr(dispatch, "CONNECT_SECONDS", 1)
    running = LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0", silence_logs="CRITICAL")
    with dispatch.connect(Cluster(scheduler=running.scheduler_address)) as client:
        client.loop.call_later(0.3, running.close)
        with pytest.raises(LibraryError, match=r"connection .* is lost; what is done is kept: run the same command"):
            list(dispatch.run(client, work.square, [1]))


# ---- queueing systems


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Commands by the names of Slurm's that start a job at once and end it."""
    commands = {
        "sbatch": 'cp "$1" {0}/job.sh; setsid bash {0}/job.sh > {0}/log 2>&1 & echo $! > {0}/pid; '
        "echo Submitted batch job 17",
        "scancel": "kill -- -$(cat {0}/pid)",
    }
    for name, text in commands.items():
        (tmp_path / name).write_text("#!/bin/sh\n" + text.format(tmp_path))
        (tmp_path / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    prologue = [f"export PYTHONPATH={Path(__file__).parent}"]
    settings = {"cores": 1, "memory": "2 GB", "account": "n42", "job_script_prologue": prologue}
    return Cluster(1, jobqueue="slurm", settings=settings)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell")
def test_jobs_of_a_queueing_system_work(slurm, tmp_path):
    with dispatch.connect(slurm) as client:
        assert dict(dispatch.run(client, work.square, [2, 3])) == {2: 4, 3: 9}
    script = (tmp_path / "job.sh").read_text()
    assert "#SBATCH -A n42" in script
    assert "export OMP_NUM_THREADS=1" in script
    assert "--nthreads 1 " in script


@pytest.mark.skipif(sys.platform == "win32", reason="a shell")
def test_workers_without_the_package_say_so(slurm):
    without = replace(slurm, settings={**slurm.settings, "job_script_prologue": ["unset PYTHONPATH"]})
    with dispatch.connect(without) as client, pytest.raises(LibraryError, match="No module named 'work'"):
        list(dispatch.run(client, work.square, [1]))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell")
def test_a_queueing_system_that_refuses_the_job(slurm, tmp_path):
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho invalid account >&2\nexit 1")
    with (
        pytest.raises(LibraryError, match=r"(?s)slurm refused a job: .*invalid account.* -A n42"),
        dispatch.connect(slurm),
    ):
        pass


def test_queueing_systems_that_are_not_there(slurm, monkeypatch):
    with (
        pytest.raises(LibraryError, match="need the settings cores and memory"),
        dispatch.connect(replace(slurm, settings={})),
    ):
        pass
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LibraryError, match="no sbatch on this machine"), dispatch.connect(slurm):
        pass
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'inscape\[distributed\]'"), dispatch.connect(slurm):
        pass


# ---- refusals


def test_two_calculations_of_one_id_are_refused(few, render, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    pack_archive(other, SMALL[0])
    with pytest.raises(LibraryError, match=f"would both be {ZINCITE}"):
        render(few, other)
    assert len(render(few, few)[0].rendered) == 3


def test_other_settings_are_refused(few, render, thread, tmp_path):
    render(few / SMALL[0].archive)
    with pytest.raises(LibraryError, match=r"was started with .* give the same settings or another folder"):
        build_library([few], tmp_path / "l.zarr", cluster=thread, settings=RenderSettings(0.5))


def test_a_folder_that_is_no_library_is_left_alone(few):
    with pytest.raises(LibraryError, match="not empty and not a library"):
        build_library([few], few, settings=SETTINGS)
    assert sorted(p.name for p in few.iterdir()) == sorted(m.archive for m in SMALL)
    with pytest.raises(LibraryError, match=r"not a library of spectra|format is None"):
        Library(few)


def test_workers_must_see_the_calculations(few, render):
    _, library = render(few)
    calculation = build.Calculation("mp-1", Path("/not/on/this/machine"), "none", "")
    with pytest.raises(LibraryError, match=r"does not see .*not/on/this/machine"):
        build.Work(library.path, 40, SETTINGS)(calculation)
