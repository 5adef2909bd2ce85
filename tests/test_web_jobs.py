"""Simulations in the background: none is lost, whatever happens to the service; each client has its share."""

import json
import subprocess
import sys
import time
from threading import Event

import numpy as np
import pytest

import inscape
from inscape.errors import DataError, EngineError, LibraryError, StructureError
from inscape.library.dispatch import connect
from inscape.library.watched import CalledOff, run_watched
from inscape.simulation.task import simulate_task, task_text
from inscape.structures import parse_structure
from inscape.web.jobs import Jobs
from inscape.web.problems import Refused
from inscape.web.runners import Stopped, in_process, on_cluster
from inscape.web.store import Store
from webservice import COPPER, EMT_NAME, numbers, serving, structure

API = "/api/v1"
QUICK = {"engine": EMT_NAME, "kinds": ("dos",), "de": 1.0, "supercell": (2, 2, 2), "relax": False}
REQUEST = {
    "name": "copper",
    "format": "poscar",
    "settings": {"engine": EMT_NAME},
    "cell": parse_structure(COPPER).to_dict(),
}


class Runner:
    """Runs nothing: waits until told to end, then says what it was told to say."""

    def __init__(self, outcome=b"file"):
        self.outcome, self.go, self.texts = outcome, Event(), []

    def __call__(self, text, report, stop):
        self.texts.append(text)
        report(1, 4, "first")
        report(2, 4, "second")
        while not self.go.wait(0.01):
            if stop():
                raise Stopped
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def start(tmp_path):
    """Starts jobs on one store, again and again."""
    running = []

    def begin(runner, workers=1, per_client=3):
        store = Store(tmp_path / "store.sqlite", keep=10)
        jobs = Jobs(store, runner, workers, per_client)
        jobs.start()
        running.append((jobs, store))
        return jobs, store

    yield begin
    for jobs, _ in running:
        jobs.stop()


def until(question, seconds=30.0):
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.01)


def state(jobs, job):
    return jobs.get(job.id).state


def test_a_job_runs_and_its_result_is_kept(start):
    runner = Runner()
    jobs, store = start(runner)
    job = jobs.add("me", REQUEST)
    until(lambda: jobs.progress(job.id).done == 2)
    assert state(jobs, job) == "running"
    assert jobs.progress(job.id).what == "second"
    assert jobs.progress(job.id).remaining() is not None
    runner.go.set()
    until(lambda: state(jobs, job) == "done")
    record = store.get(jobs.get(job.id).result)
    assert (record.kind, record.data, record.request) == ("simulation", b"file", REQUEST)
    assert json.loads(runner.texts[0])["options"]["engine"] == EMT_NAME


@pytest.mark.parametrize(
    ("outcome", "name"),
    [(StructureError("x is bad: mend it"), "StructureError"), (KeyError("inside"), "InternalError")],
)
def test_a_job_that_fails_says_why(start, outcome, name):
    runner = Runner(outcome)
    runner.go.set()
    jobs, _ = start(runner)
    job = jobs.add("me", REQUEST)
    until(lambda: state(jobs, job) == "failed")
    assert jobs.get(job.id).problem["error"] == name
    assert "inside" not in jobs.get(job.id).problem["message"]
    assert jobs.get(job.id).result is None


def test_waiting_and_running_jobs_are_cancelled_and_ended_ones_stay(start):
    runner = Runner()
    jobs, _ = start(runner)
    first, second = jobs.add("me", REQUEST), jobs.add("me", REQUEST)
    until(lambda: state(jobs, first) == "running")
    assert jobs.ahead(jobs.get(second.id)) == 0
    assert jobs.cancel(second.id).state == "cancelled"
    assert jobs.cancel(first.id).state == "cancelled"
    third = jobs.add("me", REQUEST)
    runner.go.set()
    until(lambda: state(jobs, third) == "done")
    assert jobs.cancel(third.id).state == "done"
    assert len(runner.texts) == 2
    with pytest.raises(Refused, match="there is no job"):
        jobs.cancel("unknown")


def test_a_restart_runs_what_waited_and_what_ran(start):
    runner = Runner()
    jobs, store = start(runner)
    first, second = jobs.add("me", REQUEST), jobs.add("me", REQUEST)
    until(lambda: state(jobs, first) == "running")
    jobs.stop()
    assert {state(jobs, first), state(jobs, second)} == {"waiting"}
    store.close()
    runner.go.set()
    jobs, _ = start(runner)
    until(lambda: state(jobs, first) == state(jobs, second) == "done")


def test_a_service_that_was_killed_left_its_jobs_running(start):
    runner = Runner()
    jobs, store = start(runner)
    job = jobs.add("me", REQUEST)
    until(lambda: state(jobs, job) == "running")
    runner.go.set()
    again = Jobs(store, runner, 1, 3)  # as a new process would find the file
    assert again.get(job.id).state in ("waiting", "done")


def test_each_client_has_a_share(start):
    runner = Runner()
    jobs, _ = start(runner, per_client=2)
    mine = [jobs.add("me", REQUEST) for _ in range(2)]
    with pytest.raises(Refused, match="2 simulations of this client") as refusal:
        jobs.add("me", REQUEST)
    assert (refusal.value.status_code, refusal.value.problem.error) == (429, "TooManyJobs")
    jobs.add("you", REQUEST)
    assert [job.id for job in jobs.of("me")] == [job.id for job in reversed(mine)]
    runner.go.set()
    until(lambda: all(state(jobs, job) == "done" for job in mine))
    jobs.add("me", REQUEST)


# ---- where they run


def test_a_task_is_the_simulation(tmp_path):
    crystal = parse_structure(COPPER)
    options = {**QUICK, "cache": str(tmp_path), "isotopes": {"Cu": 63, 0: "65Cu"}}
    seen = []
    found = simulate_task(task_text(crystal, options), lambda *facts: seen.append(facts[:2]))
    expected = inscape.simulate(crystal, **options)
    np.testing.assert_array_equal(inscape.Prediction.from_bytes(found).dos.values, expected.dos.values)
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.slow
def test_a_process_of_its_own_does_the_same(tmp_path):
    crystal = parse_structure(COPPER)
    options = {**QUICK, "cache": str(tmp_path)}
    seen = []
    found = in_process(task_text(crystal, options), lambda *facts: seen.append(facts), lambda: False)
    expected = inscape.simulate(crystal, **options)
    np.testing.assert_allclose(inscape.Prediction.from_bytes(found).dos.values, expected.dos.values, rtol=1e-9)
    assert seen
    with pytest.raises(EngineError, match="no engine is called"):
        in_process(task_text(crystal, {**options, "engine": "nosuch"}), lambda *facts: None, lambda: False)
    with pytest.raises(Stopped):
        in_process(task_text(crystal, {**options, "supercell": (9, 9, 9)}), lambda *facts: None, lambda: True)


@pytest.mark.slow
def test_a_process_ends_with_whoever_wanted_it(tmp_path):
    text = task_text(parse_structure(COPPER), {**QUICK, "supercell": (12, 12, 12), "cache": str(tmp_path)})
    command = [sys.executable, "-m", "inscape.simulation.task", str(tmp_path / "x.nc")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        process.stdin.write(text + "\n")
        process.stdin.close()
        assert process.wait(60) == 1


def test_a_cluster_does_the_same(thread, tmp_path):
    crystal = parse_structure(COPPER)
    options = {**QUICK, "cache": str(tmp_path)}
    runner = on_cluster(thread.scheduler)
    found = runner(task_text(crystal, options), lambda *facts: None, lambda: False)
    np.testing.assert_array_equal(
        inscape.Prediction.from_bytes(found).dos.values, inscape.simulate(crystal, **options).dos.values
    )
    with pytest.raises(EngineError, match="no engine is called"):
        runner(task_text(crystal, {**options, "engine": "nosuch"}), lambda *facts: None, lambda: False)
    with pytest.raises(Stopped):
        runner(task_text(crystal, options), lambda *facts: None, lambda: True)


def test_work_on_a_cluster_is_watched(thread):
    def work(text, report):
        report(1, 2, text)
        time.sleep(0.5)
        return text.encode()

    def broken(text, report):
        raise ZeroDivisionError

    def refused(text, report):
        raise DataError("no")

    seen = []
    with connect(thread) as client:
        watch = {"report": lambda *facts: seen.append(facts), "called_off": lambda: False}
        assert run_watched(client, work, "here", **watch) == b"here"
        assert seen == [(1, 2, "here")]
        with pytest.raises(DataError, match="no"):
            run_watched(client, refused, "", **watch)
        with pytest.raises(LibraryError, match="ZeroDivisionError"):
            run_watched(client, broken, "", **watch)
        with pytest.raises(CalledOff):
            run_watched(client, work, "", report=lambda *facts: None, called_off=lambda: True)


# ---- through the API


@pytest.fixture
def client(model, tmp_path, monkeypatch):
    """A service whose simulations run in a thread, on forces of its own cache."""
    from inscape.web import service

    def here(text, report, stop):
        task = json.loads(text)
        task["options"]["cache"] = str(tmp_path / "forces")
        return simulate_task(json.dumps(task), report)

    monkeypatch.setattr(service, "in_process", here)
    with serving(model, jobs_per_client=2) as client:
        yield client


def wait_for(client, job):
    until(lambda: client.get(f"{API}/jobs/{job['id']}").json()["state"] not in ("waiting", "running"), 60)
    return client.get(f"{API}/jobs/{job['id']}").json()


def test_a_simulation_from_start_to_finish(client):
    request = {
        "structure": structure(COPPER, name="copper.vasp"),
        "engine": EMT_NAME,
        "length": 4,
        "de": 2.0,
        "dq": 2.0,
    }
    answer = client.post(f"{API}/jobs", json={**request, "kinds": ["dos", "powder"], "relax": False})
    assert answer.status_code == 202, answer.text
    ended = wait_for(client, answer.json())
    assert ended["state"] == "done", ended
    assert [job["id"] for job in client.get(f"{API}/jobs").json()] == [ended["id"]]
    result = client.get(f"{API}/results/{ended['result']}").json()
    assert (result["kind"], result["summary"]["formula"]) == ("simulation", "Cu")
    assert result["reproduce"]["command"].startswith("inscape simulate copper.vasp ")
    assert f"--engine {EMT_NAME} --length 4" in result["reproduce"]["command"]
    assert numbers(result["variables"]["powder"]["values"]).max() > 0
    cold = client.get(f"{API}/results/{ended['result']}", params={"temperature": 5, "ei": 60, "road": "code"}).json()
    assert {"instrument_map", "powder"} <= set(cold["variables"])
    assert cold["summary"]["temperature_K"] == 5
    refused = client.get(f"{API}/results/{ended['result']}", params={"plane": "HHL"})
    assert refused.status_code == 422
    assert "simulate again" in refused.json()["message"]
    cancelled = client.post(f"{API}/jobs/{ended['id']}/cancel")
    assert cancelled.json()["state"] == "done"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"engine": "sevennet-0"}, "this service offers ase:"),
        ({"engine": "ase:os:system"}, "this service offers ase:"),
        ({"temperature": -1}, "temperature is -1.0 K"),
        ({"isotopes": ["H=D"]}, "H"),
        ({"structure": {"text": "nonsense"}}, "cannot be read"),
        ({"length": 500}, "body.length"),
        ({"born": "/etc/passwd"}, "body.born"),
    ],
)
def test_what_cannot_be_simulated_is_refused_at_once(client, change, words):
    answer = client.post(f"{API}/jobs", json={"structure": structure(COPPER), "engine": EMT_NAME, **change})
    assert answer.status_code == 422
    assert words in answer.json()["message"]
    assert client.get(f"{API}/jobs").json() == []
