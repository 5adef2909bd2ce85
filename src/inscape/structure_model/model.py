"""The shipped model: crystal structures in; densities of states, codes and decoded relative densities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inscape.autoencoders import load
from inscape.errors import WeightsError
from inscape.metrics import mean_energy
from inscape.potentials import AtomFeatures, NequixFeatures
from inscape.spectra import centres, native_energy_edges
from inscape.structure_model.doubts import CALIBRATIONS, Doubts
from inscape.structure_model.field import FieldNetwork, Springs
from inscape.structure_model.geometry import Geometry, geometry
from inscape.structure_model.network import Atoms, DosNetwork, gather
from inscape.structure_model.novelty import Novelty
from inscape.structure_model.objectives import cut_kernel
from inscape.structure_model.powder import PowderNetwork
from inscape.structure_model.representation import N_LEVELS, cumulative_dos, from_cumulative_dos
from inscape.structures import Crystal
from inscape.training import WEIGHTS, Header, below, load_weights

Array = NDArray[np.floating]
Network = TypeVar("Network", bound=nn.Module)
KINDS = ("dos", "powder", "crystal")
BLOCK = 512
"""Wave vectors decoded at a time; bounds memory."""


@dataclass(frozen=True, eq=False)
class Structure:
    """What the model says of one crystal.

    ``partial_dos`` (n_atoms, n_energy) 1/meV on the native grid, each atom of area 3; ``spread`` (n_energy,), the
    standard deviation of the members' total density of states; ``novelty``, above 1 foreign; ``codes`` by kind;
    ``powder``, ρ(|Q|,u) on the native |Q|, shape (n_q, n_levels), if asked for.
    """

    partial_dos: Array
    spread: Array
    novelty: float
    codes: dict[str, Array]
    powder: Array | None
    _field: FieldNetwork | None = field(default=None, repr=False)
    _geometry: Geometry | None = field(default=None, repr=False)
    _springs: Springs | None = field(default=None, repr=False)

    @property
    def disagreement(self) -> float:
        """How far the members' densities of states are apart: the area of their spread over that of the total."""
        widths = np.diff(native_energy_edges())
        return float(self.spread @ widths / (self.partial_dos.sum(axis=0) @ widths))

    @property
    def mean_energy(self) -> float:
        """Of the modes, meV."""
        return mean_energy(self.partial_dos.sum(axis=0), native_energy_edges())

    @torch.inference_mode()
    def density(self, wave_vectors: Array, code: Array | None = None) -> Array:
        """ρ(Q,u) at wave vectors, shape (n, 3), Cartesian, 1/Å: shape (n, n_levels); from another code if given."""
        if self._field is None or self._geometry is None or self._springs is None:
            raise WeightsError("this structure was predicted without its crystal code; ask for the kind 'crystal'")
        q = torch.tensor(np.asarray(wave_vectors), dtype=torch.float32)
        z = torch.tensor(np.asarray(self.codes["crystal"] if code is None else code), dtype=torch.float32)
        parts = []
        for part in torch.split(q, BLOCK):
            local = self._field.local_features(self._geometry, self._springs, part)
            parts.append(self._field.decode(local, self._springs, z).exp() * N_LEVELS)
        return np.asarray(torch.cat(parts).numpy(), dtype=float)

    @torch.inference_mode()
    def encode(self, wave_vectors: Array, density: Array) -> Array:
        """Crystal code of known spectra ρ (n, n_levels) at wave vectors (n, 3)."""
        if self._field is None or self._geometry is None or self._springs is None:
            raise WeightsError("this structure was predicted without its crystal code; ask for the kind 'crystal'")
        q = torch.tensor(np.asarray(wave_vectors), dtype=torch.float32)
        rho = torch.tensor(np.asarray(density), dtype=torch.float32)
        local = self._field.local_features(self._geometry, self._springs, q)
        return np.asarray(self._field.encode(local, rho).numpy())


class StructureModel:
    """Networks of all kinds, loaded once.

    Parameters
    ----------
    folder
        Where the weights lie: ``structure-dos``, ``structure-powder``, ``structure-crystal``, ``autoencoder-dos`` and
        ``autoencoder-powder``, each ``.safetensors``; and, for ``doubts``, ``calibration.json``, if it is there.

    Raises
    ------
    WeightsError
        A file is missing, damaged or foreign.
    """

    def __init__(self, folder: str | Path = WEIGHTS) -> None:
        folder = Path(folder)
        self.features = NequixFeatures()
        tensors, self.header = load_weights(folder / "structure-dos.safetensors", class_name="structure-dos")
        self.dos = networks_in(tensors, self.header, DosNetwork)
        known = below("novelty.", _single(tensors))
        self.novelty = Novelty(self.header.parameters["n_features"], len(known["known"]))
        self.novelty.load_state_dict(known)
        tensors, header = load_weights(folder / "structure-powder.safetensors", class_name="structure-powder")
        self.powder = networks_in(tensors, header, PowderNetwork)
        powder_digest = header.digest
        tensors, header = load_weights(folder / "structure-crystal.safetensors", class_name="structure-crystal")
        self.crystal = networks_in(tensors, header, FieldNetwork)[0]
        self.autoencoders: dict[str, Any] = {
            k: load(folder / f"autoencoder-{k}.safetensors") for k in ("dos", "powder")
        }
        self.doubts = Doubts.read(folder / CALIBRATIONS["code"])
        self.digests = {"dos": self.header.digest, "powder": powder_digest, "crystal": header.digest}

    @torch.inference_mode()
    def __call__(
        self,
        crystals: Sequence[Crystal],
        kinds: Sequence[str] = KINDS,
        *,
        partial_dos: Sequence[Array] | None = None,
        features: Sequence[AtomFeatures] | None = None,
    ) -> list[Structure]:
        """Predict crystals, all in one batch.

        Parameters
        ----------
        kinds
            Which maps to predict besides the density of states.
        partial_dos
            Densities of states to use instead of the predicted ones (for analysis), each (n_atoms, n_energy).
        features
            What ``self.features`` says of these crystals, where it is known already.
        """
        found = self.features(crystals) if features is None else features
        geometries = [geometry(c) for c in crystals]
        atoms = gather([f.invariants for f in found], geometries)
        sizes = atoms.counts.tolist()
        edges = native_energy_edges()
        widths = np.diff(edges)
        shares = torch.stack([network(atoms) for network in self.dos])
        mean = np.asarray(shares.mean(dim=0).numpy(), dtype=float)
        mean = mean / mean.sum(axis=1, keepdims=True) @ bin_noise_filter()
        predicted = np.split(3 * mean / widths, np.cumsum(sizes)[:-1])
        members = np.stack([atoms.sum(s).numpy() * 3 / widths for s in shares])
        partial = predicted if partial_dos is None else list(partial_dos)
        novelty = self.novelty(atoms)
        totals = np.stack([p.sum(axis=0) for p in partial])
        dos_codes = self.autoencoders["dos"].transform(cumulative_dos(totals, edges).astype(np.float32))
        codes: list[dict[str, Array]] = [{"dos": code} for code in dos_codes]
        powder: list[Array | None] = [None] * len(crystals)
        if "powder" in kinds:
            for number, (code, map_) in enumerate(zip(*self._powder(atoms, geometries, partial), strict=True)):
                codes[number]["powder"], powder[number] = code, map_
        springs: list[Springs | None] = [None] * len(crystals)
        if "crystal" in kinds:
            springs = list(self.crystal.springs(atoms, geometries))
            for own, code in zip(springs, codes, strict=True):
                assert own is not None
                code["crystal"] = self.crystal.predict_code(own).numpy()
        return [
            Structure(
                p, members[:, i].std(axis=0), float(novelty[i]), codes[i], powder[i],
                self.crystal, geometries[i], springs[i],
            )
            for i, p in enumerate(partial)
        ]  # fmt: skip

    def _powder(self, atoms: Atoms, geometries: Sequence[Geometry], partial: Sequence[Array]) -> tuple[Array, Array]:
        """Codes (n, n_components) and ρ (n, n_q, n_levels)."""
        edges = native_energy_edges()
        pairs = zip(partial, geometries, strict=True)
        kernels = torch.from_numpy(np.stack([cut_kernel(p, g.weights.numpy(), edges, N_LEVELS) for p, g in pairs]))
        code = torch.stack([network(atoms, geometries, kernels) for network in self.powder]).mean(dim=0).numpy()
        return code, self.decode_powder(code)

    def decode_dos(self, code: Array) -> Array:
        """Densities of states of area 1, 1/meV, shape (n, n_energy), of codes."""
        curve = np.asarray(self.autoencoders["dos"].inverse_transform(code), dtype=float)
        return from_cumulative_dos(curve, native_energy_edges())

    def decode_powder(self, code: Array) -> Array:
        """ρ(|Q|,u) of powder codes, shape (n, n_q, n_levels)."""
        rows = self.autoencoders["powder"].inverse_transform(code)
        return np.asarray(rows, dtype=float).reshape(len(code), -1, N_LEVELS).clip(min=0.0)


@lru_cache(maxsize=1)
def bin_noise_filter() -> Array:
    """Matrix that takes the noise from bin to bin out of predicted shares, shape (n_energy, n_energy), rows of sum 1.

    Training judged densities of states smoothed by 1 meV, so finer structure was not learned. The Gaussian is 1.2 bins
    wide, at most 0.5 meV, and changes no figure of the tables by more than half a per cent.
    """
    edges = native_energy_edges()
    energy, width = centres(edges), np.diff(edges)
    sigma = np.minimum(1.2 * width, 0.5)[:, None]
    kernel = np.exp(-0.5 * ((energy - energy[:, None]) / sigma) ** 2) * width
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


@lru_cache(maxsize=1)
def shipped_model() -> StructureModel:
    """The model whose weights ship with the package, loaded at first use and kept."""
    model = StructureModel()
    model.features.load()
    return model


def _single(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def networks_in(tensors: dict[str, Tensor], header: Header, kind: type[Network]) -> list[Network]:
    """The networks in a file, in evaluation mode."""
    parameters = dict(header.parameters)
    found = []
    for number in range(parameters.pop("members")):
        network = kind(**parameters)
        network.load_state_dict(_single(below(f"{number}.", tensors)))
        network.eval()
        found.append(network)
    return found
