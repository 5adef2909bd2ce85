"""What the endpoints share: the options, the store, the models."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request

from inscape.potentials.named import installed_engines
from inscape.web.jobs import Jobs
from inscape.web.options import ServiceOptions
from inscape.web.predicting import Predictor
from inscape.web.problems import Refused
from inscape.web.runners import in_process, on_cluster
from inscape.web.store import Record, Store


class Service:
    """One running service."""

    def __init__(self, options: ServiceOptions) -> None:
        self.options = options
        self.store = Store(options.store, options.keep)
        self.predictor = Predictor()
        runner = in_process if options.scheduler is None else on_cluster(options.scheduler)
        self.jobs = Jobs(self.store, runner, options.workers, options.jobs_per_client)

    @cached_property
    def engines(self) -> tuple[str, ...]:
        """Potentials that clients may name."""
        return tuple(installed_engines()) if self.options.engines is None else self.options.engines

    async def start(self) -> None:
        """Begin to work."""
        await self.predictor.start(preload=self.options.preload)
        self.jobs.start()

    async def stop(self) -> None:
        """End; what is in the store stays, and what runs begins again with the next start."""
        await asyncio.to_thread(self.jobs.stop)
        await self.predictor.stop()
        self.store.close()

    def record(self, identifier: str, *kinds: str) -> Record:
        """A result of one of these kinds; `Refused` if there is none of that id."""
        found = self.store.get(identifier)
        if found is None or found.kind not in kinds:
            raise Refused(
                404, "NotFound", f"there is no {' or '.join(kinds)} {identifier!r}",
                "it may have been one of the oldest predictions, which are forgotten: make it again",
            )  # fmt: skip
        return found


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


Running = Annotated[Service, Depends(_service)]
"""The service, for endpoints."""
