"""How the service runs: addresses, limits, where jobs are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")


@dataclass(frozen=True)
class ServiceOptions:
    """What the operator of the service decides.

    Parameters
    ----------
    store
        SQLite file of results and jobs; None for one that ends with the service.
    token
        What clients must show; None for no such need.
    hosts
        Names under which the service answers, besides those of this machine; ``*`` for any.
    engines
        Potentials for simulations that clients may name; None for all that are installed.
    scheduler
        Address of a Dask scheduler that takes simulations; None for processes of this machine.
    workers
        Simulations at a time.
    jobs_per_client
        Simulations that one client may have waiting or running.
    max_structure_bytes, max_upload_bytes
        Largest structure, and largest measured file.
    max_atoms
        Most atoms of a primitive cell.
    max_structures
        Most structures of one request.
    rate, burst
        Requests a second that one client may send for long, and at once; a rate of 0 for no limit.
    preload
        Load the models at the start, not when the first crystal comes.
    keep
        Predictions that are remembered; the oldest go first. Simulations and measurements stay.
    """

    store: Path | None = None
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    engines: tuple[str, ...] | None = None
    scheduler: str | None = None
    workers: int = 1
    jobs_per_client: int = 4
    max_structure_bytes: int = 1_000_000
    max_upload_bytes: int = 50_000_000
    max_atoms: int = 100
    max_structures: int = 32
    rate: float = 50.0
    burst: int = 200
    preload: bool = True
    keep: int = 100_000
