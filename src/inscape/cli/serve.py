"""``inscape serve``: the page and the HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inscape.errors import MissingPackageError


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; the default is reached from this machine only.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8765,
    token: Annotated[
        str | None, typer.Option(envvar="INSCAPE_TOKEN", help="Ask clients for this token; 'new' makes one up.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name under which the service is reached, besides localhost; * for any.")
    ] = None,
    jobs_file: Annotated[
        Path | None,
        typer.Option(
            help="SQLite file of results and jobs; inscape/service.sqlite in the user's data folder unless given."
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="Potential that clients may simulate with, ase:package.module:factory too; all installed unless given."
        ),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler that takes simulations, tcp://host:8786; else processes here.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Simulations at a time.")] = 1,
    jobs_per_client: Annotated[int, typer.Option(min=1, help="Simulations of one client that may wait or run.")] = 4,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second from one client; 0 for no limit.")] = 50.0,
    max_atoms: Annotated[int, typer.Option(min=1, help="Most atoms of a primitive cell.")] = 100,
    max_upload: Annotated[int, typer.Option(min=1, help="Largest measured file, MB.")] = 50,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every request: address, path, status, time.")] = False,
) -> None:
    """Serve the page and the HTTP API until interrupted.

    Models are loaded once, requests for predictions are batched. Nothing is sent to other hosts.
    """
    try:
        from inscape.web.run import run
    except ImportError as error:
        if error.name not in {"fastapi", "uvicorn", "pydantic"}:
            raise
        raise MissingPackageError("the service needs the package fastapi: pip install 'inscape[web]'") from error
    run(
        host,
        port,
        token=token,
        hosts=tuple(allow_host or ()),
        store=jobs_file,
        engines=tuple(engine) if engine else None,
        scheduler=scheduler,
        workers=workers,
        jobs_per_client=jobs_per_client,
        rate=rate,
        max_atoms=max_atoms,
        max_upload_bytes=max_upload * 1_000_000,
        verbose=verbose,
        announce=typer.echo,
    )
