"""Simulations in the background."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request
from pydantic import BaseModel

from inscape.errors import EngineError
from inscape.web.jobs import Job, State
from inscape.web.looking import Identifier
from inscape.web.problems import PROBLEMS, Problem
from inscape.web.requests import SimulateRequest
from inscape.web.security import client_of
from inscape.web.service import Running, Service

router = APIRouter(prefix="/api/v1", tags=["simulations"], responses=PROBLEMS)


class JobView(BaseModel):
    """A simulation: how far it is, and its result when there is one."""

    id: str
    state: State
    name: str
    engine: str
    ahead: int
    done: int
    total: int
    what: str
    elapsed_s: float
    remaining_s: float | None
    result: str | None
    problem: Problem | None


@router.post("/jobs", status_code=202, summary="Simulate a crystal in the background")
async def simulate(request: SimulateRequest, http: Request, service: Running) -> JobView:
    """Lattice dynamics with an interatomic potential. What cannot be used is refused at once."""
    offered = service.engines
    if request.engine not in offered:
        raise EngineError(f"engine is {request.engine!r}; this service offers {', '.join(offered) or 'none'}: take one")
    crystal = await asyncio.to_thread(request.structure.crystal, service.options)
    await asyncio.to_thread(request.check, crystal)
    kept = {**request.structure.kept(crystal), "settings": request.settings()}
    job = await asyncio.to_thread(service.jobs.add, client_of(http.scope), kept)
    return _view(service, job)


@router.get("/jobs", summary="Simulations of this client")
async def jobs(http: Request, service: Running) -> list[JobView]:
    """The newest first, at most a hundred."""
    found = await asyncio.to_thread(service.jobs.of, client_of(http.scope))
    return [_view(service, job) for job in found]


@router.get("/jobs/{identifier}", summary="How far a simulation is")
async def job(identifier: Identifier, service: Running) -> JobView:
    """Its state, parts done and time that remains; `result` is the id of the result when it is done."""
    return _view(service, await asyncio.to_thread(service.jobs.get, identifier))


@router.post("/jobs/{identifier}/cancel", summary="Cancel a simulation")
async def cancel(identifier: Identifier, service: Running) -> JobView:
    """Cancel it if it waits or runs; one that has ended stays as it is. Forces computed so far are kept."""
    return _view(service, await asyncio.to_thread(service.jobs.cancel, identifier))


def _view(service: Service, job: Job) -> JobView:
    progress = service.jobs.progress(job.id)
    return JobView(
        id=job.id,
        state=job.state,
        name=job.request["name"],
        engine=job.request["settings"].get("engine", SimulateRequest.model_fields["engine"].default),
        ahead=service.jobs.ahead(job),
        done=progress.done,
        total=progress.total,
        what=progress.what,
        elapsed_s=round((job.ended or time.time()) - job.started, 3) if job.started else 0.0,
        remaining_s=progress.remaining(),
        result=job.result,
        problem=None if job.problem is None else Problem(**job.problem),
    )
