"""Start the service: one process, the models in it once."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from inscape.errors import DataError
from inscape.web.app import create_app
from inscape.web.options import ServiceOptions

NEW = "new"


def run(
    host: str,
    port: int,
    *,
    token: str | None = None,
    store: Path | None = None,
    verbose: bool = False,
    announce: Callable[[str], None],
    **options: Any,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    token
        What clients must show; "new" for one that is made up.
    store
        SQLite file; the one in the user's data folder unless given.
    announce
        Takes the line that says where the service is.
    options
        Of `ServiceOptions`.

    Raises
    ------
    DataError
        The address or the file cannot be used.
    """
    chosen = secrets.token_urlsafe(18) if token == NEW else token
    place = user_store() if store is None else store.expanduser()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise DataError(
            f"{host}:{port} or {place} cannot be used ({error.strerror}); choose --port, --jobs-file"
        ) from error
    settings = ServiceOptions(store=place, token=chosen, **options)
    app = create_app(settings)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(message)s")
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    announce(f"inscape serves {address}{'?token=' + chosen if chosen else ''}")
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, date_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def user_store() -> Path:
    """The file in the user's data folder."""
    folder = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(folder) / "inscape" / "service.sqlite"
