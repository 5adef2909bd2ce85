"""Train the shipped models from a library: autoencoders of spectra, and structure models that predict their codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inscape.autoencoders import PCA, Autoencoder, load
from inscape.errors import DataError
from inscape.library import Library
from inscape.metrics import HIGH_Q, LOW_Q
from inscape.potentials.sevennet import N_FEATURES
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.structure_model import dataset
from inscape.structure_model.dataset import Sample, Samples, atoms_of, prepare
from inscape.structure_model.field import FieldNetwork
from inscape.structure_model.network import DosNetwork
from inscape.structure_model.novelty import Novelty
from inscape.structure_model.objectives import cut_cosine, dos_loss, heat_capacity_matrix, smoothing_matrix
from inscape.structure_model.powder import PowderNetwork
from inscape.structure_model.representation import N_LEVELS, cumulative_dos
from inscape.training import (
    WEIGHTS,
    Batches,
    Epoch,
    Header,
    crystal_bar,
    fit_network,
    names_digest,
    save_weights,
)

MOST_KNOWN = 20_000
"""Training crystals, evenly taken from all, that novelty is measured against."""


def training_ids(library: Library, max_atoms: int) -> tuple[list[str], list[str]]:
    """Ids of clean training crystals: to learn from, and (by chemical system) to tune on."""
    parts = [library.select("train", max_atoms=max_atoms, tuning=tuning) for tuning in (False, True)]
    if not all(parts):
        raise DataError(
            f"{library.path}: {len(parts[0])} crystals to learn from and {len(parts[1])} to tune on; both are needed: "
            "build the library with --splits, from more crystals"
        )
    return parts[0], parts[1]


def spectra_rows(samples: Sequence[Sample], kind: str) -> NDArray[np.float32]:
    """What an autoencoder of a kind is trained on, one row a crystal; in a temporary file if it is much.

    "dos": the cumulative density of states on the native grid, from 0 to 1. "powder": ρ(|Q|,u), flattened.
    """
    if kind not in {"dos", "powder"}:
        raise DataError(f"kind = {kind!r}; autoencoders are trained for 'dos' and 'powder' (crystal: train structure)")

    def row(sample: Sample) -> NDArray[Any]:
        if kind == "dos":
            return cumulative_dos(sample.partial_dos.sum(dim=0).numpy(), native_energy_edges())
        return np.asarray(sample.powder.flatten().numpy())

    shape = len(samples), len(row(samples[0]))
    if 4 * math.prod(shape) > dataset.KEPT_BYTES:
        with TemporaryFile() as file:  # goes when rows go
            rows: NDArray[np.float32] = np.memmap(file, np.float32, shape=shape)
    else:
        rows = np.empty(shape, np.float32)
    for number, sample in enumerate(samples):
        rows[number] = row(sample)
    return rows


def train_autoencoder(
    library: str | Path,
    *,
    kind: str = "powder",
    family: str = "autoencoder",
    n_components: int = 64,
    hidden: Sequence[int] = (128,),
    learning_rate: float = 1e-3,
    weight_decay: float = 0.01,
    epochs: int = 60,
    max_atoms: int = 40,
    random_state: int = 0,
    output: str | Path | None = None,
    minutes: float | None = None,
    progress: bool = False,
) -> Path:
    """Train the autoencoder of one kind of spectrum; the file it writes.

    Parameters
    ----------
    kind
        "dos" or "powder".
    family
        "autoencoder", or "pca" for the baseline of the same code size.
    output
        File to write; in the package's folder of weights unless given.
    minutes
        Stop after this time; the same call goes on from the checkpoint.
    """
    source = Library(library)
    learn, tune = training_ids(source, max_atoms)
    prepare(source, learn + tune, crystal_bar(progress, "features and targets"))
    rows, held_out = (spectra_rows(Samples(source, ids, kind), kind) for ids in (learn, tune))
    grids = {"energy_edges": (native_energy_edges(), "meV")}
    if kind == "powder":
        grids = {"q_edges": (native_q_edges(), "1/Å"), "u_edges": (np.linspace(0, 1, N_LEVELS + 1), "1")}
    name = f"{family}-{kind}.safetensors"
    path = Path(output) if output is not None else WEIGHTS / name
    model: Autoencoder | PCA
    if family == "pca":
        model = PCA(n_components, random_state=random_state).fit(rows)
    else:
        model = Autoencoder(
            n_components,
            hidden=tuple(hidden),
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            epochs=epochs,
            random_state=random_state,
        ).fit(
            rows, validation=held_out, patience=15, checkpoint=f"{path}.checkpoint", resume=True, max_minutes=minutes,
            progress=progress,
        )  # fmt: skip
    model.save(path, grids=grids, ids=learn + tune, half=True)
    if minutes is None:
        _forget([Path(f"{path}.checkpoint")])
    return path


def train_structure(
    library: str | Path,
    *,
    kind: str = "dos",
    members: int = 1,
    width: int = 256,
    depth: int = 2,
    n_components: int = 32,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    epochs: int = 40,
    max_atoms: int = 40,
    random_state: int = 0,
    output: str | Path | None = None,
    minutes: float | None = None,
    progress: bool = False,
) -> Path:
    """Train the structure model of one kind of spectrum; the file it writes.

    Parameters
    ----------
    kind
        "dos": the atom-resolved density of states. "powder": the code of ``autoencoder-powder``, which has to lie
        beside the output, trained before. "crystal": codes of single-crystal maps, with the autoencoder they belong to.
    members
        Networks trained alike from other random weights, whose predictions are averaged.
    width, depth
        Of the network.
    n_components
        Length of the code ("crystal" only; the powder code has the autoencoder's).
    """
    if kind not in TASKS:
        raise DataError(f"kind = {kind!r}; expected one of {', '.join(TASKS)}")
    source = Library(library)
    learn, tune = training_ids(source, max_atoms)
    prepare(source, learn + tune, crystal_bar(progress, "features and targets"))
    training, tuning = (Samples(source, ids, kind) for ids in (learn, tune))
    path = Path(output) if output is not None else WEIGHTS / f"structure-{kind}.safetensors"
    checkpoints = [Path(f"{path}.{member}.checkpoint") for member in range(members)]
    task = TASKS[kind](width, depth, n_components, path.parent)
    tensors: dict[str, Tensor] = {}
    histories: list[list[Epoch]] = []
    for member in range(members):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random_state + member)
            network = task.network()
        network.trunk.standardise(s.features for s in training)
        history = fit_network(
            network,
            task.loss,
            _batches(training),
            validation=_batches(tuning),
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            average=0.998,
            checkpoint=checkpoints[member],
            resume=True,
            progress=progress,
            random_state=random_state + member,
            max_minutes=minutes / members if minutes else None,
        )
        histories.append(history)
        tensors |= {f"{member}.{name}": value for name, value in network.state_dict().items()}
    if kind == "dos":
        known = training[:: math.ceil(len(training) / MOST_KNOWN)]
        novelty = Novelty.fit(atoms_of(known), atoms_of(tuning))
        tensors |= {f"novelty.{name}": value for name, value in novelty.state_dict().items()}
    header = Header(
        class_name=f"structure-{kind}",
        parameters={"members": members, **task.parameters},
        grids={"energy_edges": {"values": native_energy_edges().tolist(), "unit": "meV"}},
        data_digest=names_digest(learn + tune),
        ids=learn + tune,
        seed=random_state,
        extra={"tuning_loss": [min(e.validation or np.inf for e in h) for h in histories], "n_learn": len(learn)},
    )
    save_weights(path, tensors, header, dtype=torch.float16)
    if minutes is None:
        _forget(checkpoints)
    return path


def _forget(checkpoints: Sequence[Path]) -> None:
    """Remove the checkpoints of a training that is finished; the histories beside them stay."""
    for checkpoint in checkpoints:
        checkpoint.unlink(missing_ok=True)


def _batches(samples: Samples) -> Batches:
    digest = names_digest(samples.names)
    return Batches(len(samples), lambda indices: [samples[i] for i in indices], digest)


class DosTask:
    """Atom-resolved density of states."""

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        edges = native_energy_edges()
        self.parameters: dict[str, Any] = {
            "n_features": N_FEATURES, "n_energy": len(edges) - 1, "width": width, "depth": depth,
        }  # fmt: skip
        self.widths = torch.tensor(np.diff(edges), dtype=torch.float32)
        self.smoothing = smoothing_matrix(edges, 1.0)
        self.heat_capacities = heat_capacity_matrix(edges)

    def network(self) -> DosNetwork:
        """A network to train."""
        return DosNetwork(**self.parameters)

    def loss(self, network: nn.Module, samples: list[Sample]) -> Tensor:
        """Distance of predicted from true densities of states."""
        atoms = atoms_of(samples)
        true = torch.cat([s.partial_dos for s in samples]) * self.widths
        true = true / true.sum(dim=1, keepdim=True)
        shares: Tensor = network(atoms)
        return dos_loss(shares, true, atoms, self.widths, self.smoothing, self.heat_capacities)


class PowderTask:
    """Code of the powder map, judged by the map that the autoencoder's decoder makes of it."""

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        self.autoencoder: Any = load(folder / "autoencoder-powder.safetensors")
        self.q = centres(native_q_edges())
        self.parameters: dict[str, Any] = {
            "n_features": N_FEATURES, "n_levels": N_LEVELS, "n_components": self.autoencoder.n_components,
            "q": self.q.tolist(), "width": width,
        }  # fmt: skip
        self.rows = torch.from_numpy((self.q > LOW_Q) & (self.q < HIGH_Q))
        self.codes: dict[str, Tensor] = {}

    def network(self) -> PowderNetwork:
        """A network to train."""
        return PowderNetwork(**self.parameters)

    def loss(self, network: nn.Module, samples: list[Sample]) -> Tensor:
        """Three times 1 − cosine of the decoded cuts, and a little of the squared error of the code."""
        decoder = self.autoencoder.network_
        true = torch.stack([s.powder for s in samples]).float()
        kernels = torch.stack([s.kernel for s in samples])
        code = network(atoms_of(samples), [s.geometry for s in samples], kernels)
        decoded = decoder.restore(decoder.decode(code)).view_as(true)
        missing = [i for i, s in enumerate(samples) if s.id not in self.codes]
        if missing:
            found = self.autoencoder.transform(true[missing].flatten(1).numpy())
            self.codes |= {samples[i].id: torch.from_numpy(z) for i, z in zip(missing, found, strict=True)}
        error = ((code - torch.stack([self.codes[s.id] for s in samples])) ** 2).mean()
        cosine = cut_cosine(decoded[:, self.rows], true[:, self.rows], kernels)
        loss: Tensor = 3 * (1 - cosine.mean()) + 0.05 * error
        return loss


class CrystalTask:
    """Autoencoder of single-crystal spectra and prediction of its codes, together."""

    n_rows = 64
    from_plane = 40

    def __init__(self, width: int, depth: int, n_components: int, folder: Path) -> None:
        self.parameters: dict[str, Any] = {
            "n_features": N_FEATURES, "n_levels": N_LEVELS, "n_components": n_components,
            "width": width, "depth": depth,
        }  # fmt: skip

    def network(self) -> FieldNetwork:
        """A network to train."""
        return FieldNetwork(**self.parameters)

    def loss(self, network: nn.Module, samples: list[Sample]) -> Tensor:
        """Cuts at random wave vectors, decoded from the true code (half of them encoded) and from the predicted one."""
        assert isinstance(network, FieldNetwork)
        springs = network.springs(atoms_of(samples), [s.geometry for s in samples])
        losses = []
        for sample, own in zip(samples, springs, strict=True):
            vectors, density = self.draw(sample)
            local = network.local_features(sample.geometry, own, vectors)
            half = len(vectors) // 2
            code, guess = network.encode(local[:half], density[:half]), network.predict_code(own)
            for z in (code, guess):
                log_density = network.decode(local, own, z)
                cosine = cut_cosine(log_density.exp(), density, sample.kernel).mean()
                entropy = -(density / N_LEVELS * log_density).sum(-1).mean()
                losses.append(2 * (1 - cosine) + 0.3 * (entropy - np.log(N_LEVELS)))
            losses.append(0.1 * ((code.detach() - guess) ** 2).mean() + 1e-3 * (code**2).mean())
        return torch.stack(losses).sum() / len(samples)

    def draw(self, sample: Sample) -> tuple[Tensor, Tensor]:
        """Wave vectors (n, 3) below `HIGH_Q` and their ρ (n, n_levels), of the plane and from everywhere, shuffled."""
        found_q, found = [], []
        counts = (self.from_plane, self.n_rows - self.from_plane)
        pairs = ((sample.plane_vectors, sample.plane), (sample.point_vectors, sample.points))
        for count, (vectors, density) in zip(counts, pairs, strict=True):
            near = torch.nonzero(vectors.norm(dim=1) < HIGH_Q)[:, 0]
            pick = near[torch.randint(len(near), (count,))]
            found_q.append(vectors[pick])
            found.append(density[pick].float())
        order = torch.randperm(self.n_rows)
        return torch.cat(found_q)[order], torch.cat(found)[order]


TASKS: dict[str, type[DosTask] | type[PowderTask] | type[CrystalTask]] = {
    "dos": DosTask,
    "powder": PowderTask,
    "crystal": CrystalTask,
}
