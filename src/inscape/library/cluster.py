"""Where a library is built: on this machine, on a Dask cluster that runs already, or in jobs of a queueing system."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inscape.errors import LibraryError

QUEUES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
    "htcondor": "HTCondorCluster",
}
"""Queueing systems, and what dask-jobqueue calls their clusters."""


@dataclass(frozen=True)
class Cluster:
    """The workers of a build: processes of one thread each.

    Parameters
    ----------
    workers
        How many processes; a cluster that runs already has its own number.
    scheduler
        Address of the scheduler of a running cluster, as ``tcp://host:8786``.
    jobqueue
        Name of a queueing system whose jobs hold the workers, one of `QUEUES`.
    settings
        Parameters of that system's cluster in dask-jobqueue, which also reads its own configuration files.

    Raises
    ------
    LibraryError
        An address that is none, an unknown queueing system, or parameters that exclude one another.
    """

    workers: int | None = None
    scheduler: str | None = None
    jobqueue: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheduler is not None:
            if self.jobqueue is not None or self.workers is not None:
                raise LibraryError(
                    "a cluster that runs already (scheduler) has its own workers; "
                    "leave out workers and jobqueue, or the scheduler"
                )
            if not re.fullmatch(r"\w+://\S+", self.scheduler):
                raise LibraryError(
                    f"{self.scheduler!r} is no address of a Dask scheduler; expected one as tcp://host:8786"
                )
        if self.jobqueue is not None and self.jobqueue not in QUEUES:
            near = difflib.get_close_matches(self.jobqueue, QUEUES, 1, cutoff=0.0)
            raise LibraryError(
                f"unknown queueing system {self.jobqueue!r}; did you mean {near[0]!r}? Known are {', '.join(QUEUES)}"
            )
        if self.settings and self.jobqueue is None:
            raise LibraryError("settings of a queueing system were given, but not which one it is; give jobqueue too")
