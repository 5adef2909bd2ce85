"""The application: endpoints, the page, errors in one shape, and the guard before all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from inscape import __version__
from inscape.web import problems
from inscape.web.endpoints import about, atlas, jobs, measurements, predictions, results
from inscape.web.options import ServiceOptions
from inscape.web.security import COOKIE, Guard
from inscape.web.service import Service

ROUTERS = (
    about.router, predictions.router, results.router, jobs.router, measurements.router, atlas.router
)  # fmt: skip

DESCRIPTION = "Neutron spectra from a crystal structure. Energies in meV, |Q| in 1/Å, temperatures in K, lengths in Å."


def create_app(options: ServiceOptions | None = None) -> FastAPI:
    """The service as an ASGI application, for ``uvicorn`` or a test."""
    chosen = ServiceOptions() if options is None else options
    service = Service(chosen)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="inscape", version=__version__, description=DESCRIPTION, lifespan=running, docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )  # fmt: skip
    app.state.service = service
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_pages(app, chosen)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=1)
    app.add_middleware(Guard, options=chosen, binary_paths=("/api/v1/measurements",))
    return app


def _add_pages(app: FastAPI, options: ServiceOptions) -> None:
    """The page at ``/`` and its files."""

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        if options.token is not None and "token" in request.query_params:  # the guard has looked at it
            answer: Response = RedirectResponse("/", 303)
            answer.set_cookie(
                COOKIE, options.token, httponly=True, samesite="strict", secure=request.url.scheme == "https"
            )
            return answer
        return _page("static", request)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return _page("swagger", request)

    app.mount("/docs", StaticFiles(packages=[("inscape.web", "swagger")]), name="docs")
    app.mount("/static", StaticFiles(packages=[("inscape.web", "static")]), name="static")


def _page(folder: str, request: Request) -> HTMLResponse:
    """The page of a folder, its scripts allowed by the nonce of this answer."""
    return HTMLResponse(_text(folder).replace("{{nonce}}", request.state.nonce))


@cache
def _text(folder: str) -> str:
    return files("inscape.web").joinpath(folder, "index.html").read_text(encoding="utf-8")
