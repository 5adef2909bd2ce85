"""What the service remembers, in one SQLite file: results, by ids that no one guesses.

Nothing in it is a program: requests are JSON, spectra NetCDF.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS results (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, created REAL NOT NULL, request TEXT NOT NULL, data BLOB
);
CREATE INDEX IF NOT EXISTS results_by_age ON results (kind, created);
"""

SECONDS_BETWEEN_CLEANINGS = 60.0


@dataclass(frozen=True)
class Record:
    """One result: what was asked for, and the file of its spectra unless they can be made again."""

    id: str
    kind: str
    created: float
    request: dict[str, Any]
    data: bytes | None


class Store:
    """The file, used by all threads.

    Parameters
    ----------
    path
        Where it is; None for one in memory.
    keep
        Predictions that stay; the oldest go first.
    """

    def __init__(self, path: Path | None, keep: int) -> None:
        self._lock = Lock()
        self._keep, self._cleaned = keep, time.monotonic()
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA busy_timeout=10000")
        self._database.executescript(TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database, locked; what is done is kept as a whole or not at all."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def add(self, kind: str, request: dict[str, Any], data: bytes | None = None) -> Record:
        """Remember a result; when this returns, the file holds it."""
        with self.transaction() as database:
            return self.insert(database, kind, request, data)

    def insert(self, database: sqlite3.Connection, kind: str, request: dict[str, Any], data: bytes | None) -> Record:
        """The same within a transaction."""
        record = Record(secrets.token_urlsafe(12), kind, time.time(), request, data)
        row = (record.id, kind, record.created, json.dumps(request), data)
        database.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?)", row)
        self._forget_oldest(database)
        return record

    def get(self, identifier: str) -> Record | None:
        """The result of an id; None if there is none."""
        rows = self.rows("SELECT id, kind, created, request, data FROM results WHERE id = ?", identifier)
        if not rows:
            return None
        name, kind, created, request, data = rows[0]
        return Record(name, kind, created, json.loads(request), data)

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What a question to the database yields."""
        with self._lock:
            return self._database.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _forget_oldest(self, database: sqlite3.Connection) -> None:
        if time.monotonic() - self._cleaned < SECONDS_BETWEEN_CLEANINGS:
            return
        self._cleaned = time.monotonic()
        database.execute(
            "DELETE FROM results WHERE kind = 'prediction' AND created < (SELECT created FROM results "
            "WHERE kind = 'prediction' ORDER BY created DESC LIMIT 1 OFFSET ?)",
            (self._keep - 1,),
        )
