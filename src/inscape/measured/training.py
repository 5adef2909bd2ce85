"""Train the networks that clean measured spectra, and find what their uncertainties and their warnings have to be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from inscape.library import Library
from inscape.measured.cleaning import Denoiser
from inscape.measured.container import DOS, MAP
from inscape.measured.foreign import code_distance, noise_level, structure_left
from inscape.measured.network import Cleaner
from inscape.measured.observing import Scenes
from inscape.measured.scenes import SCENES
from inscape.structure_model.train import training_ids
from inscape.training import WEIGHTS, Batches, Header, crystal_bar, fit_network, names_digest, save_weights

DOSES = (1e2, 1e3, 1e4, 1e5, 1e6)
"""Counts in a spectrum at which uncertainties are calibrated."""

INSIDE = 0.6827
"""Share of errors within one standard deviation."""

UNUSUAL = 0.99
"""Share of the tuning crystals that are not called foreign, by each of the two signs."""


def objective(network: nn.Module, rows: Tensor, scenes: Scenes) -> Tensor:
    """Error of measured bins, relative and in units of their noise, and of filled ones; likelihood of the errors.

    Of the noise matters the logarithm, for what counts at many counts is nothing at few. The likelihood is that of
    Student's t of three degrees of freedom: no single error governs it.
    """
    true, values, variances, expected = scenes.measured(rows)
    clean, variance, _ = network(values, variances)
    square, gaps = (clean - true) ** 2, torch.isnan(values)
    mean = true.mean((1, 2), keepdim=True)
    by_counts = square / (true + 0.02 * mean)
    by_noise = square / expected
    relative = [torch.sqrt((square * bins).sum((1, 2)) / (true**2).sum((1, 2)) + 1e-7) for bins in (~gaps, gaps)]
    counted = [torch.sqrt((by_counts * bins).sum((1, 2)) / true.sum((1, 2)) + 1e-7) for bins in (~gaps, gaps)]
    noise = torch.sqrt((by_noise * ~gaps).sum((1, 2)) / (~gaps).sum((1, 2)) + 1e-7)
    total = (relative[0] + counted[0] + torch.log1p(noise) + 0.5 * (relative[1] + counted[1])).mean()
    floor = (1e-4 * mean) ** 2
    ratio = (square.detach() + floor) / (variance + floor)
    likelihood = (0.5 * torch.log((variance + floor) / mean**2) + 2 * torch.log1p(ratio / 3)).mean()
    found: Tensor = total + 0.02 * likelihood
    return found


def train_denoiser(
    library: str | Path,
    *,
    kind: Literal["powder", "dos"] = "powder",
    channels: Sequence[int] = (32, 64, 96, 64),
    variants: int = 2,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.01,
    epochs: int = 15,
    max_atoms: int = 40,
    random_state: int = 0,
    output: str | Path | None = None,
    minutes: float | None = None,
    progress: bool = False,
) -> Path:
    """Train the network that cleans one kind of spectrum; the file it writes.

    Parameters
    ----------
    kind
        "powder" maps, or densities of states, "dos".
    channels
        Widths of the network's four scales.
    variants
        Spectra made of each crystal: temperatures, incident energies and grids of their own. Noise and gaps are new
        in every epoch.
    output
        File to write; in the package's folder of weights unless given.
    minutes
        Stop after this time; the same call goes on from the checkpoint.
    """
    scenes = SCENES[{"powder": MAP, "dos": DOS}[kind]]
    source = Library(library)
    learn, tune = training_ids(source, max_atoms)
    report = crystal_bar(progress, "spectra")
    rows = torch.from_numpy(scenes.spectra(source, learn, variants, random_state, report))
    held_out = torch.from_numpy(scenes.spectra(source, tune, 1, random_state, report))
    path = Path(output) if output is not None else WEIGHTS / f"denoise-{kind}.safetensors"
    checkpoint = Path(f"{path}.checkpoint")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        network = Cleaner((channels[0], channels[1], channels[2], channels[3]), scenes.axes)
    digest = names_digest(learn + tune)
    history = fit_network(
        network,
        partial(objective, scenes=scenes),
        Batches(len(rows), lambda indices: rows[torch.from_numpy(indices)], digest),
        validation=Batches(len(held_out), lambda indices: held_out[torch.from_numpy(indices)], digest),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        average=0.995,
        checkpoint=checkpoint,
        resume=True,
        progress=progress,
        random_state=random_state,
        max_minutes=minutes,
    )
    dtype = torch.float16 if kind == "powder" else torch.float32
    network.to(dtype).float()  # calibrated as it will be loaded
    header = Header(
        class_name=f"denoise-{kind}",
        parameters={"channels": list(channels), "axes": scenes.axes},
        grids={"energy": {"values": [], "unit": "bins"}, "q": {"values": [], "unit": "bins"}},
        data_digest=digest,
        ids=learn + tune,
        seed=random_state,
        extra={"tuning_loss": min(e.validation or np.inf for e in history), "n_learn": len(learn)}
        | calibration(network, held_out, random_state, scenes),
    )
    save_weights(path, network.state_dict(), header, dtype=dtype)
    if minutes is None:
        checkpoint.unlink(missing_ok=True)
    return path


def calibration(network: Cleaner, rows: Tensor, seed: int, scenes: Scenes) -> dict[str, Any]:
    """Factors on standard deviations, and where maps begin to be foreign, at each of `DOSES`, from tuning crystals.

    Returns
    -------
    dict
        ``noise``: mean of σ²/(mean intensity)² over the measured bins, which tells doses apart where counts are not
        known; ``scale`` and ``scale_filled``: factors that put 68.3 % of errors within one standard deviation;
        ``structure``: highest usual value of `inscape.measured.foreign.structure_left`; ``code_mean``,
        ``code_deviation`` and ``code_distance``: of codes, and their highest usual distance.
    """
    plain = {"noise": [1.0], "scale": [1.0], "scale_filled": [1.0]}
    denoiser = Denoiser(network, plain)
    noise, scale, filled, structure, codes = [], [], [], [], []
    for dose in DOSES:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            true, values, variances, _ = (x.double().numpy() for x in scenes.measured(rows, dose))
        maps = list(zip(values, variances, strict=True))
        found = [denoiser.clean(*one) for one in maps]
        clean, deviation, code = (np.array([x[i] for x in found]) for i in range(3))
        codes.append(code)
        ratio, gaps = np.abs(clean - true) / np.maximum(deviation, 1e-12), np.isnan(values)
        noise.append(float(np.median([noise_level(*one) for one in maps])))
        scale.append(float(np.quantile(ratio[~gaps], INSIDE)))
        filled.append(float(np.quantile(ratio[gaps], INSIDE)))
        left = [structure_left(x, c, v) for (x, v), c in zip(maps, clean, strict=True)]
        structure.append(float(np.nanquantile(left, UNUSUAL)))
    all_codes = np.concatenate(codes)
    mean, deviation = all_codes.mean(0), all_codes.std(0) + 1e-6
    distances = [code_distance(code, mean, deviation) for code in all_codes]
    return {
        "noise": noise, "scale": scale, "scale_filled": filled, "structure": structure,
        "code_mean": mean.tolist(), "code_deviation": deviation.tolist(),
        "code_distance": float(np.quantile(distances, UNUSUAL)),
    }  # fmt: skip
