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
from torch import Tensor

from inscape.autoencoders import PCA, Autoencoder
from inscape.errors import DataError
from inscape.library import Library
from inscape.spectra import native_energy_edges, native_q_edges
from inscape.structure_model import dataset
from inscape.structure_model.dataset import Sample, Samples, all_made_up, atoms_of, prepare
from inscape.structure_model.dynamics import DynamicsSamples
from inscape.structure_model.network import go_on_from
from inscape.structure_model.novelty import Novelty
from inscape.structure_model.representation import N_LEVELS, cumulative_dos
from inscape.structure_model.tasks import TASKS, ForceConstantsTask
from inscape.training import (
    WEIGHTS,
    Batches,
    Header,
    below,
    crystal_bar,
    fit_network,
    load_weights,
    names_digest,
    save_weights,
)

MOST_KNOWN = 20_000
"""Training crystals, evenly taken from all, that novelty is measured against."""


def training_ids(library: Library, max_atoms: int, *, unstable: bool = False) -> tuple[list[str], list[str]]:
    """Ids of clean training crystals: to learn from, and (by chemical system) to tune on.

    ``unstable`` adds those that are not dynamically clean to the former.
    """
    learn = library.select("train", clean=not unstable, max_atoms=max_atoms, tuning=False)
    parts = learn, library.select("train", max_atoms=max_atoms, tuning=True)
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
    backbone: str = "features",
    members: int = 1,
    width: int = 256,
    depth: int = 2,
    n_components: int = 32,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    epochs: int = 40,
    max_atoms: int = 40,
    unstable: bool = False,
    made_up: bool = False,
    energies: float = 1.0,
    precision: str = "float32",
    random_state: int = 0,
    archives: str | Path | None = None,
    start: str | Path | None = None,
    beside: str | Path | None = None,
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
        "force-constants": those of all pairs of atoms; "charges": Born charges and dielectric tensor.
    backbone
        "features": a network on what a universal potential knows of each atom. "e3nn": the network of Chen et al.
        (2021), which learns from elements, masses and neighbours alone, for comparison: the total "dos", and "powder".
    members
        Networks trained alike from other random weights, whose predictions are averaged.
    width, depth
        Of the network; for "e3nn" channels of each rank and gated convolutions.
    n_components
        Length of the code ("crystal" only; the powder code has the autoencoder's).
    unstable
        Learn from crystals that are not dynamically clean, too ("force-constants" only, which they have like any
        other). The crystals to tune on are clean.
    made_up
        Learn from the crystals that `inscape.pseudo_labels.make_up` made for this library, too ("dos" only). What is
        foreign is judged by the real ones alone.
    energies
        How much errors of the energies of modes count beside those of first order and of force constants
        ("force-constants" only).
    precision
        "bfloat16" multiplies matrices in that shorter type, which is faster where the processor can (`fit_network`).
    archives
        Folder of the archives that the library was built from ("force-constants" and "charges", the first time).
    start
        Weights of the same kind to go on from, instead of random ones; of a network of smaller depth, too: what is new
        adds nothing at first.
    beside
        Weights of the same kind and shape, trained before on the same crystals or more, whose networks stand in the
        file before the new ones: so an ensemble grows.
    """
    name = kind if backbone == "features" else f"{kind}-{backbone}"
    if name not in TASKS:
        raise DataError(
            f"kind = {kind!r} with the backbone {backbone!r}; expected one of {', '.join(TASKS)} (kind, and backbone)"
        )
    _check(name, unstable=unstable, energies=energies, made_up=made_up)
    source = Library(library)
    learn, tune = training_ids(source, max_atoms, unstable=unstable)
    more = _made_up(source) if made_up else []
    path = Path(output) if output is not None else WEIGHTS / f"structure-{name}.safetensors"
    checkpoints = [Path(f"{path}.{member}.checkpoint") for member in range(members)]
    task = TASKS[name](width, depth, n_components, path.parent)
    if isinstance(task, ForceConstantsTask):
        task.energies = energies
    task.prepare(source, learn + tune, archives, crystal_bar(progress, "features and targets"))
    training, tuning = (task.samples(source, ids) for ids in (learn + more, tune))
    names = training.names[: len(training) - len(more)] + tuning.names
    begun: dict[str, Tensor] = {}
    if start is not None:
        begun, before = load_weights(start, class_name=f"structure-{name}")
        names += sorted(set(before.ids) - set(names))  # they were learned from, too
    tensors, first, losses, ids = _trained_before(beside, name, task.parameters, names)
    for member in range(members):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random_state + member)
            network = task.network()
        task.standardise(network, training)
        if begun:
            go_on_from(network, {name: value.float() for name, value in below(f"{member}.", begun).items()})
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
            precision=precision,
            max_minutes=minutes / members if minutes else None,
        )
        losses.append(min(epoch.validation or np.inf for epoch in history))
        tensors |= {f"{first + member}.{name}": value for name, value in network.state_dict().items()}
    if name == "dos":
        assert isinstance(training, Samples)
        assert isinstance(tuning, Samples)
        known = training[: len(learn) : math.ceil(len(learn) / MOST_KNOWN)]
        novelty = Novelty.fit(atoms_of(known), atoms_of(tuning))
        tensors |= {f"novelty.{name}": value for name, value in novelty.state_dict().items()}
    header = Header(
        class_name=f"structure-{name}",
        parameters={"members": first + members, **task.parameters},
        grids={"energy_edges": {"values": native_energy_edges().tolist(), "unit": "meV"}},
        data_digest=names_digest(ids),
        ids=ids,
        seed=random_state,
        extra={"tuning_loss": losses, "n_learn": len(ids) - len(tuning), "made_up": len(more)},
    )
    save_weights(path, tensors, header, dtype=torch.int8)
    if minutes is None:
        _forget(checkpoints)
    return path


def _check(name: str, *, unstable: bool, energies: float, made_up: bool) -> None:
    """`DataError` for settings that a kind does not have."""
    if unstable and name != "force-constants":
        raise DataError(
            f"unstable = true with kind = {name!r}: crystals that are not dynamically clean have no spectra to learn "
            "from, and metals among them no charges; expected kind = 'force-constants'"
        )
    if energies != 1.0 and name != "force-constants":
        raise DataError(f"energies = {energies} with the kind {name!r}, which has none; expected 'force-constants'")
    if made_up and name != "dos":
        raise DataError(f"made_up = true with the kind {name!r}: made-up crystals have densities of states alone")


def _made_up(library: Library) -> list[str]:
    """Names of the made-up crystals of a library, of which there have to be some."""
    names = all_made_up(library)
    if not names:
        raise DataError(
            f"{library.path}: no made-up crystals to learn from; make them with: "
            f"inscape train pseudo-labels -l {library.path}"
        )
    return names


def _trained_before(
    path: str | Path | None, name: str, parameters: dict[str, Any], names: Sequence[str]
) -> tuple[dict[str, Tensor], int, list[float], list[str]]:
    """Tensors of the networks in a file, their number, their losses on the tuning crystals, and the ids of all crystals
    learned from, these or others; of no file, no networks.

    Raises
    ------
    DataError
        They are of another shape, or did not learn from all the crystals that those beside them learn from.
    """
    if path is None:
        return {}, 0, [], list(names)
    tensors, header = load_weights(path, class_name=f"structure-{name}")
    shape = dict(header.parameters)
    number = shape.pop("members")
    if shape != parameters or not set(header.ids) >= set(names):
        raise DataError(
            f"{path} holds networks of {shape} that learned from {len(header.ids)} crystals; those beside it are of "
            f"{parameters} and learn from {len(names)}: train both alike"
        )
    return tensors, number, list(header.extra["tuning_loss"]), list(header.ids)


def _forget(checkpoints: Sequence[Path]) -> None:
    """Remove the checkpoints of a training that is finished; the histories beside them stay."""
    for checkpoint in checkpoints:
        checkpoint.unlink(missing_ok=True)


def _batches(samples: Samples | DynamicsSamples) -> Batches:
    digest = names_digest(samples.names)
    return Batches(len(samples), lambda indices: [samples[i] for i in indices], digest)
