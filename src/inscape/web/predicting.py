"""Predictions for many clients at once: what waits while a batch is on its way goes with the next one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from inscape.errors import InscapeError, StructureError
from inscape.prediction import Foreseen, foresee
from inscape.structure_model import shipped_model
from inscape.structure_model.force_constants import shipped_force_constant_model
from inscape.structures import Crystal

BATCH = 32
"""Crystals that the models see at once."""

REMEMBERED = 64
"""Crystals of which what the models said is kept in memory, about 1 MB each."""


class Predictor:
    """The models, in one thread of their own."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[Crystal, str, asyncio.Future[Foreseen]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")
        self._known: OrderedDict[tuple[str, str], Foreseen] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, preload: bool) -> None:
        """Begin to serve; the models are loaded now, or when the first crystal comes."""
        if preload:
            for load in (shipped_model, shipped_force_constant_model):
                self._thread.submit(load)
        self._task = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        """End; who still waits is told so."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown(cancel_futures=True)

    async def foresee(self, crystal: Crystal, road: str) -> Foreseen:
        """What the models say of a crystal, by a road.

        Raises
        ------
        StructureError
            The models cannot be asked about it.
        """
        future: asyncio.Future[Foreseen] = asyncio.get_running_loop().create_future()
        await self._waiting.put((crystal, road, future))
        return await future

    async def recall(self, identifier: str, crystal: Crystal, road: str) -> Foreseen:
        """The same of the crystal of a result, from memory if it is still there."""
        if (found := self._known.get((identifier, road))) is None:
            found = await self.foresee(crystal, road)
        self.remember(identifier, found)
        return found

    def remember(self, identifier: str, known: Foreseen) -> None:
        """Keep what was said of the crystal of a result; the least used is forgotten."""
        self._known[identifier, known.road] = known
        self._known.move_to_end((identifier, known.road))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def _serve(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            for road in {wanted for _, wanted, _ in batch}:
                await self._answer(road, [(crystal, future) for crystal, wanted, future in batch if wanted == road])

    async def _answer(self, road: str, asked: Sequence[tuple[Crystal, asyncio.Future[Foreseen]]]) -> None:
        """Predict crystals by a road and tell those who wait for them."""
        loop, crystals = asyncio.get_running_loop(), [crystal for crystal, _ in asked]
        found = await loop.run_in_executor(self._thread, _foresee_each, crystals, road)
        for (_, future), outcome in zip(asked, found, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _foresee_each(crystals: Sequence[Crystal], road: str) -> list[Foreseen | Exception]:
    """What the models say of a batch; if one crystal spoils it, one by one."""
    try:
        return list(foresee(crystals, road=road))
    except Exception as error:  # whatever it is, the others must have their answer
        if len(crystals) == 1:
            known = isinstance(error, InscapeError)
            return [error if known else StructureError(f"the models cannot be asked about it: {type(error).__name__}")]
    return [outcome for crystal in crystals for outcome in _foresee_each([crystal], road)]
