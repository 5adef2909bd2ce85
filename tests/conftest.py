"""Tests use one thread and draw without a screen, set before numpy, torch and matplotlib load; a library for all."""

import os

import pytest

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    """A folder of archives of small crystals, phonons from springs."""
    from crystals import FEW, MATERIALS, pack_archive

    folder = tmp_path_factory.mktemp("archives")
    for material in (*FEW, *MATERIALS):
        pack_archive(folder, material)
    return folder


@pytest.fixture(scope="session")
def thread():
    """A running Dask cluster that takes no time to start: its one worker is a thread of this process."""
    from distributed import LocalCluster

    from inscape.library import Cluster

    options = {"processes": False, "dashboard_address": "127.0.0.1:0", "memory_limit": None, "silence_logs": "CRITICAL"}
    with LocalCluster(n_workers=1, threads_per_worker=1, **options) as running:
        yield Cluster(scheduler=running.scheduler_address)


@pytest.fixture(scope="session")
def library(archives, thread, tmp_path_factory):
    """A library of them, roughly sampled: six in the split train (one for tuning), three in val, one in test."""
    from crystals import SPECTRA, SPLITS
    from inscape.library import Library, RenderSettings, build_library

    path = tmp_path_factory.mktemp("library") / "few.zarr"
    build_library([archives], path, cluster=thread, splits=SPLITS, settings=RenderSettings(**SPECTRA))
    return Library(path)


@pytest.fixture(scope="session")
def weights(library, tmp_path_factory):
    """A folder of weights of all kinds, hardly trained, on features that need no potential."""
    import inscape.structure_model.dataset as dataset
    from crystals import ElementFeatures
    from inscape.structure_model import train_autoencoder, train_structure

    folder = tmp_path_factory.mktemp("weights")
    small = {"width": 16, "depth": 1, "n_components": 3, "epochs": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "NequixFeatures", ElementFeatures)
        for kind in ("dos", "powder"):
            path = folder / f"autoencoder-{kind}.safetensors"
            train_autoencoder(library.path, kind=kind, n_components=2, hidden=(8,), epochs=1, output=path)
        for kind in ("dos", "powder", "crystal"):
            path = folder / f"structure-{kind}.safetensors"
            train_structure(library.path, kind=kind, members=2 if kind == "dos" else 1, output=path, **small)
    return folder


@pytest.fixture(scope="session")
def model(weights):
    """The model of those weights."""
    from crystals import ElementFeatures
    from inscape.structure_model import StructureModel

    model = StructureModel(weights)
    model.features = ElementFeatures()
    return model
