"""Maps of the space of codes: two coordinates a sample, as a picture or as an interactive page with structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.autoencoders import PCA
from inscape.errors import DataError, MissingPackageError

Array = NDArray[np.floating]


def code_map(codes: ArrayLike, *, method: str = "pca", random_state: int = 0) -> Array:
    """Two coordinates for each code, shape (n, 2): the two principal components, or UMAP's.

    Codes are standardised first, so that each element counts alike. "umap" needs the extra ``maps``.
    """
    array = np.asarray(codes, dtype=float)
    deviation = array.std(axis=0)
    scaled = (array - array.mean(axis=0))[:, deviation > 0] / deviation[deviation > 0]
    if method == "pca":
        return PCA(2).fit(scaled).transform(scaled)
    if method != "umap":
        raise DataError(f"method = {method!r}; expected 'pca' or 'umap'")
    try:
        import umap
    except ImportError:
        raise MissingPackageError("maps by UMAP need the package umap-learn: pip install 'inscape[maps]'") from None
    return np.asarray(umap.UMAP(random_state=random_state, n_jobs=1).fit_transform(scaled))


def chemiscope_page(
    path: str | Path,
    structures: Sequence[Any],
    codes: ArrayLike,
    observables: Mapping[str, ArrayLike],
    *,
    method: str = "pca",
    name: str = "codes",
) -> Path:
    """Write an interactive map for https://chemiscope.org: a point a crystal, its structure beside it.

    Parameters
    ----------
    path
        File to write, ending in .json or .json.gz.
    structures
        ASE ``Atoms``, one a code.
    observables
        Name -> values, shape (n,), to colour points by.
    """
    try:
        import chemiscope
    except ImportError:
        raise MissingPackageError("pages of chemiscope need that package: pip install 'inscape[maps]'") from None
    array = np.asarray(codes, dtype=float)
    if len(structures) != len(array):
        raise DataError(f"{len(structures)} structures for {len(array)} codes: give one for each")
    found = code_map(array, method=method)
    properties = {f"map {i + 1}": found[:, i] for i in range(2)}
    properties |= {key: np.asarray(values, dtype=float) for key, values in observables.items()}
    chemiscope.write_input(
        str(path),
        structures=list(structures),
        properties={k: {"target": "structure", "values": v} for k, v in properties.items()},
        metadata={"name": name},
    )
    return Path(path)
