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
def library(archives, tmp_path_factory):
    """A library of them, roughly sampled: six in the split train (one for tuning), three in val, one in test."""
    import inscape.library.build as build
    from crystals import SPECTRA, SPLITS, Inline
    from inscape.library import Library, RenderSettings

    path = tmp_path_factory.mktemp("library") / "few.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "ProcessPoolExecutor", Inline)
        build.build_library([archives], path, splits=SPLITS, settings=RenderSettings(**SPECTRA))
    return Library(path)
