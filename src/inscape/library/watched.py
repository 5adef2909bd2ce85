"""One piece of work on a Dask cluster that says how far it is, and that can be called off."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

from distributed import Client, Event, Future, KilledWorker, get_worker

from inscape.errors import InscapeError, LibraryError

Report = Callable[[int, int, str], None]

POLL = 0.2
"""Seconds between two looks at whether the work is to be called off."""


class CalledOff(Exception):
    """The work was called off before it was done."""


def run_watched(
    client: Client, work: Callable[[str, Report], bytes], text: str, *, report: Report, called_off: Callable[[], bool]
) -> bytes:
    """What the work makes of a text, on some worker.

    Parameters
    ----------
    work
        Called there with the text and a function that takes how far it is.
    report
        Called here with that.
    called_off
        Asked again and again whether to end early; the work ends when it next says how far it is.

    Raises
    ------
    CalledOff
        It was.
    InscapeError
        What the work refuses; `LibraryError` where a worker or the scheduler died.
    """
    name = f"inscape-{uuid4().hex}"
    stop = Event(name, client=client)
    client.subscribe_topic(name, lambda event: report(*event[1]))

    def there(text: str) -> bytes:
        ended = Event(name)

        def say(done: int, total: int, what: str) -> None:
            get_worker().log_event(name, (done, total, what))
            if ended.is_set():
                raise CalledOff

        return work(text, say)

    future: Future[bytes] = client.submit(there, text, pure=False)
    try:
        while not future.done():
            if called_off():
                stop.set()
                future.cancel()
                raise CalledOff
            time.sleep(POLL)
        return _result(future)
    finally:
        client.unsubscribe_topic(name)


def _result(future: Future[bytes]) -> bytes:
    try:
        return future.result()
    except (InscapeError, CalledOff):
        raise
    except KilledWorker as error:
        raise LibraryError(
            "the workers that tried it were killed, for lack of memory perhaps: try a smaller crystal"
        ) from error
    except Exception as error:
        raise LibraryError(f"a worker could not do its work ({type(error).__name__}: {error})") from error
