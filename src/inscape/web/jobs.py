"""Simulations in the background: waiting, running, ended; kept in the store, so that a restart loses none."""

from __future__ import annotations

import json
import logging
import secrets
import time
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Literal

from inscape.errors import InscapeError
from inscape.simulation.task import task_text
from inscape.structures import Crystal
from inscape.web.problems import Problem, Refused, problem_of
from inscape.web.requests import Simulation
from inscape.web.runners import Runner, Stopped
from inscape.web.store import Store

LOG = logging.getLogger("inscape.web")

State = Literal["waiting", "running", "done", "failed", "cancelled"]

TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, created REAL NOT NULL, started REAL, ended REAL, state TEXT NOT NULL,
    request TEXT NOT NULL, result TEXT, problem TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created);
"""
COLUMNS = "id, client, created, started, ended, state, request, result, problem"


@dataclass(frozen=True)
class Job:
    """One simulation, as the store has it."""

    id: str
    client: str
    created: float
    started: float | None
    ended: float | None
    state: State
    request: dict[str, Any]
    result: str | None
    problem: dict[str, str] | None


@dataclass
class Progress:
    """How far a running simulation is."""

    done: int = 0
    total: int = 0
    what: str = "starting"
    first: float | None = None
    """When the first part was done; the rate is counted from there."""

    def tell(self, done: int, total: int, what: str) -> None:
        """Take what the simulation says."""
        self.done, self.total = done, total
        self.what = what if done < total else "spectra"
        if done == 1:
            self.first = time.time()

    def remaining(self) -> float | None:
        """Seconds until the forces are all there; None where two parts are not done yet, or all are."""
        if self.first is None or not 2 <= self.done < self.total:
            return None
        return (time.time() - self.first) / (self.done - 1) * (self.total - self.done)


class Jobs:
    """The simulations of a service.

    Parameters
    ----------
    store
        Where they are kept.
    runner
        What runs one.
    workers
        How many run at a time.
    per_client
        How many of one client may wait or run.
    """

    def __init__(self, store: Store, runner: Runner, workers: int, per_client: int) -> None:
        self._store, self._runner, self._per_client = store, runner, per_client
        self._progress: dict[str, Progress] = {}
        self._cancelled: set[str] = set()
        self._news = Condition()
        self._stopping = False
        with store.transaction() as database:
            for statement in TABLE.split(";"):
                database.execute(statement)
            database.execute("UPDATE jobs SET state = 'waiting', started = NULL WHERE state = 'running'")
        self._threads = [Thread(target=self._work, name=f"simulation-{n}", daemon=True) for n in range(workers)]

    def start(self) -> None:
        """Begin to work, on what an earlier service left as well."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what runs is stopped and waits for the next start. Forces computed so far are kept."""
        with self._news:
            self._stopping = True
            self._news.notify_all()
        for thread in self._threads:
            thread.join()

    def add(self, client: str, request: dict[str, Any]) -> Job:
        """A new simulation that waits; `Refused` if the client has too many."""
        identifier = secrets.token_urlsafe(12)
        with self._news, self._store.transaction() as database:
            count = "SELECT count(*) FROM jobs WHERE client = ? AND state IN ('waiting', 'running')"
            if database.execute(count, (client,)).fetchone()[0] >= self._per_client:
                raise Refused(
                    429, "TooManyJobs", f"{self._per_client} simulations of this client wait or run, the most",
                    "wait for one of them, or cancel one", **{"retry-after": "60"},
                )  # fmt: skip
            row = (identifier, client, time.time(), "waiting", json.dumps(request))
            database.execute("INSERT INTO jobs (id, client, created, state, request) VALUES (?, ?, ?, ?, ?)", row)
            self._news.notify()
        return self.get(identifier)

    def get(self, identifier: str) -> Job:
        """The job of an id; `Refused` if there is none."""
        rows = self._store.rows(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", identifier)
        if not rows:
            raise Refused(404, "NotFound", f"there is no job {identifier!r}", "check its id")
        return _job(rows[0])

    def of(self, client: str) -> list[Job]:
        """The jobs of a client, the newest first, at most a hundred."""
        query = f"SELECT {COLUMNS} FROM jobs WHERE client = ? ORDER BY created DESC LIMIT 100"
        return [_job(row) for row in self._store.rows(query, client)]

    def ahead(self, job: Job) -> int:
        """How many others wait before a waiting one."""
        query = "SELECT count(*) FROM jobs WHERE state = 'waiting' AND created < ?"
        return int(self._store.rows(query, job.created)[0][0]) if job.state == "waiting" else 0

    def progress(self, identifier: str) -> Progress:
        """How far a job is."""
        return self._progress.get(identifier, Progress(what=""))

    def cancel(self, identifier: str) -> Job:
        """Cancel a job that waits or runs; one that has ended stays as it is."""
        with self._news:
            with self._store.transaction() as database:
                waiting = "UPDATE jobs SET state = 'cancelled', ended = ? WHERE id = ? AND state = 'waiting'"
                database.execute(waiting, (time.time(), identifier))
            job = self.get(identifier)
            if job.state == "running":
                self._cancelled.add(identifier)
                self._news.notify_all()
                self._news.wait_for(lambda: self.get(identifier).state != "running" or self._stopping, timeout=20)
        return self.get(identifier)

    def _work(self) -> None:
        """One thread: take the oldest job that waits, run it, again."""
        while (job := self._next()) is not None:
            self._run(job)
            with self._news:
                self._cancelled.discard(job.id)
                self._progress.pop(job.id, None)
                self._news.notify_all()

    def _next(self) -> Job | None:
        """The oldest waiting job, which now runs; None at the end."""
        with self._news:
            while not self._stopping:
                with self._store.transaction() as database:
                    oldest = f"SELECT {COLUMNS} FROM jobs WHERE state = 'waiting' ORDER BY created LIMIT 1"
                    row = database.execute(oldest).fetchone()
                    if row is not None:
                        database.execute(
                            "UPDATE jobs SET state = 'running', started = ? WHERE id = ?", (time.time(), row[0])
                        )
                        self._progress[row[0]] = Progress()
                        return _job(row)
                self._news.wait()
        return None

    def _run(self, job: Job) -> None:
        """Run it and write down what came of it."""
        arguments = Simulation(**job.request["settings"]).arguments()
        text = task_text(Crystal.from_cell(**job.request["cell"]), arguments)
        try:
            data = self._runner(text, self._progress[job.id].tell, lambda: self._stopping or job.id in self._cancelled)
        except Stopped:
            if job.id in self._cancelled:
                self._end(job, "cancelled")
            else:
                with self._store.transaction() as database:
                    database.execute("UPDATE jobs SET state = 'waiting', started = NULL WHERE id = ?", (job.id,))
        except InscapeError as error:
            self._end(job, "failed", problem=problem_of(error))
        except Exception:
            LOG.exception("job %s", job.id)
            problem = Problem(error="InternalError", message="the service failed; its log says where", hint="report it")
            self._end(job, "failed", problem=problem)
        else:
            self._end(job, "done", data=data)

    def _end(self, job: Job, state: State, *, problem: Problem | None = None, data: bytes | None = None) -> None:
        """The result and the end of the job, both or none."""
        with self._store.transaction() as database:
            result = None
            if data is not None:
                result = self._store.insert(database, "simulation", job.request, data).id
            told = None if problem is None else problem.model_dump_json()
            database.execute(
                "UPDATE jobs SET state = ?, ended = ?, result = ?, problem = ? WHERE id = ?",
                (state, time.time(), result, told, job.id),
            )


def _job(row: tuple[Any, ...]) -> Job:
    name, client, created, started, ended, state, request, result, problem = row
    told = None if problem is None else json.loads(problem)
    return Job(name, client, created, started, ended, state, json.loads(request), result, told)
