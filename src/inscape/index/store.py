"""The file of an index: safetensors with a JSON header, half precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inscape import __version__
from inscape.errors import WeightsError
from inscape.index.maps import MapCodes
from inscape.library import REFERENCE_TEMPERATURE
from inscape.training.files import read_tensors, write_tensors

Array = NDArray[np.floating]

INDEX = Path(str(files("inscape") / "index" / "phonondb.safetensors"))
"""The index that ships: every clean crystal of the splits train and val of the phonondb."""

LICENCE = "CC BY 4.0; data: A. Togo, phonondb, Kyoto University (now at NIMS), release 2018-04-17"
KIND = "index"


@dataclass(frozen=True, eq=False)
class Index:
    """What is known of many crystals, one row each.

    Parameters
    ----------
    ids, formulas, space_groups, splits
        Of each crystal.
    dos
        Density of states of all atoms, on the native energy grid, area 1, shape (n, 300), 1/meV.
    codes
        Codes of the shipped autoencoders by kind, "dos" and "powder", shape (n, n_components).
    maps
        Codes of whole powder maps.
    temperature
        Of the maps' Debye–Waller factors, K.
    source, licence
        Digest of ids and structures, and how the spectra may be used.
    coders
        Digest of the autoencoder of each kind of `codes`: those of another one are not comparable.
    """

    ids: list[str]
    formulas: list[str]
    space_groups: list[str]
    splits: list[str]
    dos: Array
    codes: Mapping[str, Array]
    maps: MapCodes
    temperature: float = REFERENCE_TEMPERATURE
    source: str = ""
    licence: str = ""
    coders: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Any) -> Index:
        """The index of some crystals, by their numbers, in that order; they may be repeated."""
        places = np.arange(len(self))[rows]
        return replace(
            self,
            ids=[self.ids[i] for i in places],
            formulas=[self.formulas[i] for i in places],
            space_groups=[self.space_groups[i] for i in places],
            splits=[self.splits[i] for i in places],
            dos=self.dos[places],
            codes={kind: code[places] for kind, code in self.codes.items()},
            maps=replace(self.maps, codes=self.maps.codes[places], displacements=self.maps.displacements[places]),
        )

    def save(self, path: str | Path) -> str:
        """Write it, whole or not at all; returns the digest of its numbers."""
        maps = self.maps
        arrays = {
            "dos": self.dos, "map_codes": maps.codes, "map_axes": maps.axes, "map_mean": maps.mean,
            "displacements": maps.displacements, **{f"code_{kind}": code for kind, code in self.codes.items()},
        }  # fmt: skip
        header = {
            "kind": KIND, "ids": self.ids, "formulas": self.formulas, "space_groups": self.space_groups,
            "splits": self.splits, "temperature_K": self.temperature, "source": self.source, "licence": self.licence,
            "coders": dict(self.coders),
            "version": __version__,
        }  # fmt: skip
        return write_tensors(path, {name: _half(name, array) for name, array in arrays.items()}, header)

    @classmethod
    def load(cls, path: str | Path) -> Index:
        """Read what `save` wrote; `WeightsError` if it is missing, damaged or something else."""
        tensors, header = read_tensors(path)
        if header.get("kind") != KIND:
            raise WeightsError(f"{path} is no index of spectra: make one with: inscape index build LIBRARY -o {path}")
        a = {name: tensor.float().numpy() for name, tensor in tensors.items()}
        try:
            return cls(
                ids=header["ids"],
                formulas=header["formulas"],
                space_groups=header["space_groups"],
                splits=header["splits"],
                dos=a["dos"],
                codes={name.removeprefix("code_"): code for name, code in a.items() if name.startswith("code_")},
                maps=MapCodes(a["map_codes"], a["map_axes"], a["map_mean"], a["displacements"]),
                temperature=float(header["temperature_K"]),
                source=header["source"],
                licence=header["licence"],
                coders=header["coders"],
            )
        except KeyError as error:
            raise WeightsError(
                f"{path} is an index of another version of inscape: it lacks {error}; build it anew"
            ) from None


def _half(name: str, array: Array) -> torch.Tensor:
    found = torch.from_numpy(np.asarray(array, dtype=np.float32)).half()
    if not bool(torch.isfinite(found).all()):
        raise WeightsError(f"{name} of the index does not fit half precision: it reaches {np.abs(array).max():.3g}")
    return found


@lru_cache(maxsize=1)
def shipped_index() -> Index:
    """The index that ships with the package, read at first use and kept."""
    return Index.load(INDEX)
