"""The service as tests use it: a model that is hardly trained, one engine that needs no weights."""

import socket
from base64 import b64decode
from contextlib import contextmanager
from threading import Thread

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient

from inscape import prediction
from inscape.web import ServiceOptions, create_app

EMT_NAME = "ase:ase.calculators.emt:EMT"

QUARTZ = """data_quartz
_cell_length_a 4.916
_cell_length_b 4.916
_cell_length_c 5.4054
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_space_group_name_H-M_alt 'P 32 2 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Si1 Si 0.4697 0 0.6667
O1 O 0.4135 0.2669 0.7858
"""

COPPER = """copper
1.0
0.0 1.805 1.805
1.805 0.0 1.805
1.805 1.805 0.0
Cu
1
Direct
0 0 0
"""

LOOSE = {"rate": 0.0, "engines": (EMT_NAME,), "preload": False}
"""Options without a limit of the rate."""


@contextmanager
def serving(model, store=None, **options):
    """A client of a service that predicts with a model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "shipped_model", lambda: model)
        app = create_app(ServiceOptions(store=store, **{**LOOSE, **options}))
        with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
            yield client


@contextmanager
def listening(model, store=None, **options):
    """The address of a service on a port of its own."""
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as listener:
        patch.setattr(prediction, "shipped_model", lambda: model)
        app = create_app(ServiceOptions(store=store, **{**LOOSE, **options}))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def structure(text=QUARTZ, **others):
    """A structure for a request."""
    return {"text": text, "name": "quartz.cif", **others}


def numbers(values):
    """An array of an answer, in either form."""
    if isinstance(values, dict):
        shape = [int(n) for n in values["shape"].split(",")]
        return np.frombuffer(b64decode(values["bdata"]), "<" + values["dtype"]).reshape(shape)
    return np.array(values, dtype=float)
