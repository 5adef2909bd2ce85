"""What the endpoints share: the options, the store, the models."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from inscape.web.options import ServiceOptions
from inscape.web.predicting import Predictor
from inscape.web.problems import Refused
from inscape.web.store import Record, Store


class Service:
    """One running service."""

    def __init__(self, options: ServiceOptions) -> None:
        self.options = options
        self.store = Store(options.store, options.keep)
        self.predictor = Predictor()

    async def start(self) -> None:
        """Begin to work."""
        await self.predictor.start()

    async def stop(self) -> None:
        """End; what is in the store stays."""
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
