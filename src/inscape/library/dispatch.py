"""Work for many processes, through Dask; the only module that loads it.

Dask's scheduler carries what is to be done and a line on what came of it. Spectra never pass through it: workers write
them themselves.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import os
import pickle
import shutil
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, Status
from distributed.system import MEMORY_LIMIT

from inscape.errors import LibraryError, MissingPackageError
from inscape.library.cluster import QUEUES, Cluster
from inscape.library.interrupts import interrupts_wait

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")

QUEUED = 2
"""Tasks that each worker is given at a time, so that it never waits and an interrupt is quick."""

BUNCH = 64
"""A scheduler copes with a few hundred tasks a second: for each so many workers, a task is one item more."""

TRIES = 3
"""An item under which so many workers have died is tried once more, alone on the cluster."""

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

WORKERS = 2
"""Processes unless their number is given."""

OWN_SCHEDULER = {
    "distributed.scheduler.allowed-failures": 0,  # `run` counts
    "distributed.worker.memory.target": False,  # workers hold nothing that could be moved to the disk,
    "distributed.worker.memory.spill": False,  # and one that pauses for memory might never go on;
    "distributed.worker.memory.pause": False,  # at 95 % of its share it is ended
}


@contextmanager
def connect(cluster: Cluster) -> Iterator[Client]:
    """A client of the cluster; workers that were started for it end with the block, at once.

    Raises
    ------
    LibraryError
        The scheduler does not answer, the queueing system is not there or refuses the jobs, unknown settings.
    MissingPackageError
        A queueing system without dask-jobqueue.
    """
    with _quiet():
        if cluster.scheduler is not None:
            with _client(cluster.scheduler) as client:
                yield client
            return
        workers = cluster.workers or WORKERS
        with dask.config.set(OWN_SCHEDULER), _one_thread_each(), ExitStack() as stack:
            resource_tracker.ensure_running()  # or its start, later, would let Ctrl-C through to a worker
            with interrupts_wait():
                started = _jobs(cluster, workers) if cluster.jobqueue else _processes(workers)
                client = stack.enter_context(_client(stack.enter_context(started)))
            yield client


def run(client: Client, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result | None]]:
    """What comes of each item, as it comes.

    An item whose worker dies is tried again by itself, after `TRIES` deaths alone on the cluster: then a further death
    is its own doing, and None stands in place of a result. One may be worked on twice, where the worker dies before the
    result has reached us.

    Raises
    ------
    LibraryError
        The scheduler is gone, or the work itself failed where it should not.
    """
    todo, again, alone = deque(items), deque[Item](), deque[Item]()
    deaths = Counter[Item]()
    waiting: dict[Future[list[Result]], list[Item]] = {}
    ended: SimpleQueue[Future[list[Result]]] = SimpleQueue()
    threads = _Threads(client)

    def call(pickled: bytes) -> Any:  # travels as code, so that a worker without inscape can say so
        import pickle

        work, items = pickle.loads(pickled)
        return [work(item) for item in items]

    def submit(source: deque[Item], number: int = 1) -> None:
        bunch = [source.popleft() for _ in range(min(number, len(source)))]
        future = client.submit(call, pickle.dumps((work, bunch)), pure=False)
        waiting[future] = bunch
        future.add_done_callback(ended.put)

    while todo or again or alone or waiting:
        workers = threads.count()
        while todo and len(waiting) < QUEUED * workers:
            submit(todo, 1 + workers // BUNCH)
        while again and len(waiting) < QUEUED * workers:
            submit(again)
        if alone and not waiting:
            submit(alone)
        try:
            future = ended.get(timeout=1.0)
        except Empty:
            continue
        bunch = waiting.pop(future)
        if future.status == "lost":  # its worker died after the work, with the result
            again += bunch
        elif _killed_its_worker(future):
            deaths.update(bunch)
            again += [item for item in bunch if deaths[item] < TRIES]
            alone += [item for item in bunch if deaths[item] == TRIES]
            yield from ((item, None) for item in bunch if deaths[item] > TRIES)
        else:
            yield from zip(bunch, future.result(), strict=True)


def _killed_its_worker(future: Future[Any]) -> bool:
    """Whether this is why there is no result; `LibraryError` for other reasons."""
    if future.cancelled():
        raise LibraryError(
            "the connection to Dask's scheduler is lost; what is done is kept: run the same command again"
        )
    error: BaseException | None = future.exception()
    if error is not None and not isinstance(error, KilledWorker):
        raise LibraryError(
            f"a worker could not do its work ({type(error).__name__}: {error}); it needs this version of inscape "
            "and the same folders. What is done is kept: run the same command again"
        ) from error
    return error is not None


class _Threads:
    """How many items the cluster can work on at a time, asked for once a second at most; never less than one."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.found, self.when = 1, -1.0

    def count(self) -> int:
        if time.monotonic() - self.when > 1.0:
            with suppress(OSError):
                self.found = max(1, sum(self.client.nthreads().values()))
            self.when = time.monotonic()
        return self.found


@contextmanager
def _client(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise LibraryError(
            f"no Dask scheduler answers at {address} ({error}); start one with: dask scheduler"
        ) from error
    with client:
        yield client


@contextmanager
def _processes(workers: int) -> Iterator[str]:
    """Address of a scheduler with processes of this machine, which share its memory."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=MEMORY_LIMIT // workers,
        dashboard_address="127.0.0.1:0",  # any port that is free
        silence_logs=logging.CRITICAL,
    ) as cluster:
        try:
            yield cluster.scheduler_address
        finally:
            for nanny in cluster.workers.values():  # what they have in hand is written whole or not at all
                nanny.auto_restart = False
                if nanny.pid:
                    os.kill(nanny.pid, signal.SIGTERM)


@contextmanager
def _jobs(cluster: Cluster, workers: int) -> Iterator[str]:
    """Address of a scheduler with jobs of a queueing system."""
    name = str(cluster.jobqueue)
    try:
        import dask_jobqueue
    except ImportError as error:
        raise MissingPackageError(
            f"jobs of {name} need the package dask-jobqueue: pip install 'inscape[distributed]'"
        ) from error
    kind = getattr(dask_jobqueue, QUEUES[name])
    settings = _job_settings(kind, name, dict(cluster.settings))
    command = kind.job_cls.submit_command
    if shutil.which(command.split()[0]) is None:
        raise LibraryError(f"there is no {command} on this machine; run the build where jobs of {name} are submitted")
    refusals: list[str] = []

    base: Any = kind.job_cls

    class Job(base):  # type: ignore[misc]
        async def start(self) -> None:
            try:
                await super().start()
            except (RuntimeError, ValueError) as error:
                self.status = Status.failed
                refusals.append(str(error))

    try:
        jobs = kind(job_cls=Job, **settings, silence_logs=logging.CRITICAL)
    except (ValueError, TypeError, RuntimeError) as error:
        raise LibraryError(f"dask-jobqueue refuses the settings of {name}: {error}") from error
    with jobs:
        jobs.scale(workers)
        while len(jobs.workers) < len(jobs.worker_spec) and not refusals:
            time.sleep(0.1)
        if refusals:
            raise LibraryError(f"{name} refused a job: {refusals[0]} The script was: {jobs.job_script()}")
        yield jobs.scheduler_address


def _job_settings(kind: Any, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings for dask-jobqueue: those given, and one thread a process."""
    known = {
        parameter.name
        for part in (kind, kind.job_cls, *kind.job_cls.__mro__)
        if part is not object
        for parameter in inspect.signature(part.__init__).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    } - {"self", "n_workers", "asynchronous", "loop", "silence_logs", "job_cls", "config_name", "scheduler"}
    for key in settings:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, cutoff=0.0)
            raise LibraryError(
                f"unknown setting {key!r} of {name}; did you mean {near[0]!r}? Known are {', '.join(sorted(known))}"
            )
    site = dask.config.get(f"jobqueue.{name}")
    cores, memory = (settings.get(key, site[key]) for key in ("cores", "memory"))
    if cores is None or memory is None:
        raise LibraryError(f"jobs of {name} need the settings cores and memory, such as cores = 32, memory = '64 GB'")
    prologue = settings.get("job_script_prologue", site["job-script-prologue"])
    threads = [f"export {variable}=1" for variable in THREAD_VARIABLES]
    return {
        "processes": cores,
        "scheduler_options": {"dashboard_address": ":0"},  # any port that is free
        **settings,
        "job_script_prologue": [*threads, *prologue],
    }


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside use one thread each, so that workers do not crowd one another."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask logs each worker that dies and each connection that closes; what matters is said by exceptions."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
