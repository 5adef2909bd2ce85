"""An index of a library: its spectra, encoded one crystal after the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inscape.autoencoders import load
from inscape.errors import LibraryError, WeightsError
from inscape.index.maps import MOTION, N_COMPONENTS, MapCodes, map_energy_edges, map_q_edges, on_map_grid
from inscape.index.store import LICENCE, Index
from inscape.library import Library
from inscape.scattering import mean_square_displacements, scattering_lengths, self_part
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model.representation import cumulative_dos, relative_density
from inscape.threads import numpy_alone
from inscape.training import WEIGHTS, load_weights

Array = NDArray[np.floating]
Progress = Callable[[int, int, str], None]

SPLITS = ("train", "val")
"""Splits whose crystals may be shown; those of "test" are kept for the last word."""

FILE = "index.safetensors"
"""Name of a library's own index, in its folder."""


@numpy_alone()
def build_index(
    library: str | Path,
    output: str | Path | None = None,
    *,
    splits: Sequence[str] = SPLITS,
    n_components: int = N_COMPONENTS,
    weights: str | Path = WEIGHTS,
    progress: Progress | None = None,
) -> Index:
    """Encode every clean crystal of a library.

    Parameters
    ----------
    output
        File to write, if any. The same library, weights and versions give the same numbers on one machine.
    splits
        Which crystals; "test" is refused.
    n_components
        Length of the codes of powder maps.
    weights
        Folder of the autoencoders whose codes are kept.

    Raises
    ------
    LibraryError
        There is no library, fewer than three crystals are in it, or test crystals are asked for.
    WeightsError
        The autoencoders cannot be read.
    """
    if "test" in splits:
        raise LibraryError("an index may not hold crystals of the split test: they are kept for the last word")
    source = Library(library)
    ids = [name for split in splits for name in source.select(split)]
    if len(ids) < 3:
        raise LibraryError(f"{library} holds {len(ids)} clean crystals of {', '.join(splits)}; at least 3 are needed")
    files = _coder_files(weights)
    coders = {kind: load(path) for kind, path in files.items()}
    n_bins = len(native_energy_edges()) - 1
    dos = np.empty((len(ids), n_bins), dtype=np.float32)
    maps = np.empty((len(ids), len(map_q_edges()) - 1, len(map_energy_edges()) - 1), dtype=np.float32)
    displacements = np.empty((len(ids), len(MOTION)), dtype=np.float32)
    codes: dict[str, list[Array]] = {kind: [] for kind in coders}
    for count, name in enumerate(ids):
        total, density, maps[count], displacements[count] = _spectra(source, name)
        dos[count] = total / (total @ np.diff(native_energy_edges()))
        curve = cumulative_dos(total, native_energy_edges())
        for kind, row in (("dos", curve), ("powder", density.reshape(-1))):
            codes[kind].append(coders[kind].transform(row[None].astype(np.float32))[0])
        if progress is not None:
            progress(count + 1, len(ids), name)
    entries = [source.entries[name] for name in ids]
    index = Index(
        ids,
        [e.formula for e in entries],
        [e.space_group for e in entries],
        [e.split for e in entries],
        dos,
        {kind: np.stack(rows) for kind, rows in codes.items()},
        MapCodes.fit(maps, displacements, n_components),
        source=_digest(source, ids),
        licence=LICENCE,
        coders={kind: load_weights(path)[1].digest for kind, path in files.items()},
    )
    if output is not None:
        index.save(output)
    return index


def _spectra(library: Library, name: str) -> tuple[Array, Array, Array, Array]:
    """Density of states, ρ(|Q|,u), whole reduced map on the grid of map codes, and displacements of one crystal."""
    edges, q = native_energy_edges(), centres(native_q_edges())
    a = library.arrays(name, "partial_dos", "displacements", "powder")
    crystal = library.crystal(name)
    lengths = scattering_lengths(crystal)
    partial = a["partial_dos"].astype(float)
    coherent = a["powder"].astype(float) * q[:, None] ** 2
    motion = a["displacements"][0].astype(float)
    own, incoherent = (
        self_part(partial, crystal.masses, square, q, motion)
        for square in (lengths.coherent_square, lengths.incoherent_square)
    )
    weight = lengths.square("coherent-plus-incoherent") / crystal.masses
    moving = [mean_square_displacements(partial, edges, crystal.masses, kelvin) @ weight for kelvin in MOTION]
    density = relative_density(coherent, own, edges)
    return partial.sum(axis=0), density, on_map_grid(coherent + incoherent), np.array(moving) / weight.sum()


def index_of_library(library: str | Path, *, progress: Progress | None = None) -> Index:
    """The index of a library, kept in its folder; made anew when its crystals or the autoencoders have changed.

    It holds all clean crystals but those of the split test, your own without a split among them.
    """
    source = Library(library)
    splits = tuple(sorted({entry.split for entry in source.entries.values()} - {"test"}))
    ids = [name for split in splits for name in source.select(split)]
    place = source.path / FILE
    try:
        found = Index.load(place)
        coders = {kind: load_weights(path)[1].digest for kind, path in _coder_files(WEIGHTS).items()}
        if found.source == _digest(source, ids) and found.coders == coders:
            return found
    except WeightsError:  # not made yet, or by another version
        pass
    return build_index(library, place, splits=splits, progress=progress)


def _coder_files(folder: str | Path) -> dict[str, Path]:
    """Files of the autoencoders whose codes are kept, by kind."""
    return {kind: Path(folder) / f"autoencoder-{kind}.safetensors" for kind in ("dos", "powder")}


def _digest(library: Library, ids: Sequence[str]) -> str:
    """SHA-256 of ids and structures."""
    text = json.dumps([(name, library.entries[name].digest) for name in ids])
    return hashlib.sha256(text.encode()).hexdigest()
