"""Fifty numbers for a powder map on 300 × 300 bins: INSPIRED's decoder of 226 million parameters, ours, and PCA.

    LIBRARY=phonondb.zarr python benchmarks/inspired_grid.py FOLDER [--epochs OURS FIRST SECOND]

Maps S(|Q|,E) at 10 K, E > 1 meV, |Q| from 0 to 10 1/Å and E from 0 to 150 meV, in 300 even bins each: the library's 100
bins of |Q|, interpolated linearly between their middles, and its energies, rebinned. The error is ‖p − t‖²/‖t‖² of
validation crystals, p cut at 0. All are trained for its mean; of the networks the epoch is kept that does best on 264
crystals held out.

*INSPIRED's decoder* (B. Han et al., 2024) goes 50–500–2500–90,000, with rectified units between; its encoder is here
the mirror image, of 512 coordinates of a map. The last layer is learnt as 1,536 coordinates along the leading principal
axes of the training maps, and then written out as the matrix of 90,000 rows that it is: of a linear layer trained for
squares, what lies outside the span of the training maps could not help, and what lies outside these axes is little. It
is trained in rounds, each from where the last one ended.

*Ours* is `Autoencoder` with one hidden layer beside principal axes, on maps put together from 50 shapes along |Q| and
150 along energy, the leading ones of the training maps: two matrices lead from them to the grid.

FOLDER keeps maps, checkpoints and trained networks: the same call goes on where one was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from inscape.autoencoders import Autoencoder
from inscape.library import Library
from inscape.scattering import to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin
from inscape.structure_model.train import training_ids

CODE = 50
COARSE, FINE, ENERGIES = 100, 300, 300
EDGES = np.linspace(0, 150, ENERGIES + 1)
AXES, ENTERING = 1536, 512
"""Principal axes of the training maps along which INSPIRED's last layer is learnt, and the encoder's first."""

RATES = (5e-4, 1e-3)
"""Largest learning rates of its rounds."""

SHAPES = (50, 150)
"""Shapes along |Q| and energy that our decoder puts maps together from."""

Maps = np.ndarray

# ------------------------------------------------------------------------------------------------------------ the maps


def interpolation() -> Maps:
    """From the library's bins of |Q| to fine ones, linearly between middles, shape (300, 100)."""
    fine, coarse = ((np.arange(n) + 0.5) / n for n in (FINE, COARSE))
    return np.stack([np.interp(fine, coarse, row) for row in np.eye(COARSE)], axis=1)


def isometry() -> Maps:
    """Orthonormal axes of all that interpolation gives, shape (300, 100): norms and errors are the same along them."""
    u, _, v = np.linalg.svd(interpolation(), full_matrices=False)
    return (u @ v).astype(np.float32)


def fine_maps(library: Library, names: list[str], path: Path) -> Maps:
    """Maps of root mean square 1, shape (n, 300, 300), in a file."""
    if not path.exists():
        native, q, to_fine = native_energy_edges(), centres(native_q_edges()), interpolation()
        found = np.lib.format.open_memmap(f"{path}.part", "w+", np.float16, (len(names), FINE, ENERGIES))
        for row, name in zip(found, names, strict=True):
            reduced = library.arrays(name, "powder")["powder"].astype(float) * q[:, None] ** 2
            density = to_scattering(reduced, centres(native), 10.0) * (centres(native) > 1.0)
            values = to_fine @ rebin(density, native, EDGES)
            row[:] = values / np.sqrt(np.mean(values**2))
        found.flush()
        os.rename(f"{path}.part", path)
    return np.load(path, mmap_mode="r").reshape(-1, FINE, ENERGIES)


def coordinates(maps: Maps, path: Path) -> Tensor:
    """The maps along the axes of `isometry`, shape (n, 30000), kept in a file."""
    if not path.exists():
        axes = isometry().T
        found = np.stack([axes @ row.astype(np.float32) for row in maps])
        np.save(path, found.astype(np.float16).reshape(len(maps), -1))
    return torch.from_numpy(np.load(path).astype(np.float32))


def principal_axes(centred: Tensor, count: int, path: Path) -> Tensor:
    """Leading axes of rows, shape (count, d), by subspace iteration on their products; kept in a file."""
    if path.exists():
        return torch.from_numpy(np.load(path))
    products = centred @ centred.T
    basis = torch.randn(len(centred), count + 64, generator=torch.Generator().manual_seed(0))
    for _ in range(4):
        basis = torch.linalg.qr(products @ basis)[0]
    squares, rotation = torch.linalg.eigh(basis.T @ (products @ basis))
    leading = (basis @ rotation)[:, -count:].flip(1)
    axes = (leading.T @ centred) / squares[-count:].flip(0).sqrt()[:, None]
    np.save(path, axes.numpy())
    return axes


def leading_shapes(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal shapes along |Q| and energy that hold most of the maps, shapes (100, 50) and (300, 150)."""
    grids = maps.view(-1, COARSE, ENERGIES)
    along_q, along_energy = torch.zeros(COARSE, COARSE), torch.zeros(ENERGIES, ENERGIES)
    for part in grids.split(256):
        along_q += torch.einsum("nqe,npe->qp", part, part)
        along_energy += part.flatten(0, 1).T @ part.flatten(0, 1)
    found = [torch.linalg.eigh(m)[1].flip(1)[:, :k] for m, k in zip((along_q, along_energy), SHAPES, strict=True)]
    return found[0], found[1]


# -------------------------------------------------------------------------------------------------------- the networks


class Leading(nn.Module):
    """The first of many numbers."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        """Columns, shape (m, count), of (m, size)."""
        return x[:, : self.count]


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with rectified units between."""
    layers = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def inspired(size: int, entering: int) -> tuple[nn.Module, nn.Module]:
    """INSPIRED's decoder of ``size`` numbers; as encoder its mirror image, of the first of them."""
    encoder = nn.Sequential(Leading(entering), *perceptron(entering, 2500, 500, CODE))
    return encoder, perceptron(CODE, 500, 2500, size)


def written_out(small: Autoencoder, axes: Tensor, mean: Tensor) -> nn.Sequential:
    """INSPIRED's whole decoder: of maps, where that of ``small`` is of coordinates along ``axes``, from ``mean`` on."""
    network, to_fine = small.network_, torch.from_numpy(isometry())
    places = torch.einsum("fc,nce->fen", to_fine, axes.view(-1, COARSE, ENERGIES)).flatten(0, 1) * network.scale
    start = torch.einsum("fc,ce->fe", to_fine, (mean + network.mean @ axes).view(COARSE, ENERGIES)).flatten()
    state = network.decoder[0].state_dict()
    state["4.weight"], state["4.bias"] = places @ state["4.weight"], places @ state["4.bias"] + start
    decoder = perceptron(CODE, 500, 2500, FINE * ENERGIES)
    decoder.load_state_dict(state)
    return decoder


def trained(path: Path, X: Maps, held_out: Maps, lost: float, **settings: object) -> Autoencoder:
    """The autoencoder in a file, or trained and written there, and a table of its errors, epoch by epoch, beside it.

    ``lost`` is the error that the coordinates add for themselves.
    """
    if path.exists():
        return Autoencoder.load(path, **{k: v for k, v in settings.items() if k == "architecture"})
    model = Autoencoder(CODE, weight_decay=0.01, random_state=0, **settings)
    model.fit(X, validation=held_out, checkpoint=f"{path}.checkpoint", resume=True, precision="bfloat16")
    unit = float(model.network_.scale[0]) ** 2 * X[0].size / (FINE * ENERGIES)
    curve = [[e.epoch, unit * (e.training or np.nan), unit * e.validation + lost] for e in model.history_]
    path.with_suffix(".json").write_text(json.dumps(curve))
    model.save(path)
    return model


# ----------------------------------------------------------------------------------------------------------- the table


def fine(rows: Tensor) -> Tensor:
    """Coordinates along `isometry` to maps, shape (n, 300, 300), never negative."""
    return torch.einsum("fc,nce->nfe", torch.from_numpy(isometry()), rows.view(-1, COARSE, ENERGIES)).clamp_min(0)


def show(name: str, parameters: int, found: Tensor, true: Tensor) -> None:
    """One line of the table."""
    errors = ((found - true).square().sum(dim=(1, 2)) / true.square().sum(dim=(1, 2))).numpy()
    size = f"{parameters / 1e6:.2f} million"
    print(f"| {name} | {size} | {errors.mean():.4f} | {np.median(errors):.4f} |", flush=True)


def through(model: Autoencoder, rows: Tensor) -> Tensor:
    """Rows to code and back."""
    return torch.from_numpy(model.inverse_transform(model.transform(rows.numpy())))


def size(*parts: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for part in parts for p in part.parameters())


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, nargs=3, default=[40, 30, 45], help="of ours, and of INSPIRED's rounds")
    options = parser.parse_args()
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    library, folder = Library(os.environ["LIBRARY"]), options.folder
    folder.mkdir(parents=True, exist_ok=True)
    learn, tune = training_ids(library, 40)
    ids = {"learn": learn, "tune": tune, "val": library.select("val", max_atoms=40)}
    maps = {part: fine_maps(library, names, folder / f"{part}-300.npy") for part, names in ids.items()}
    rows = {part: coordinates(values, folder / f"{part}-Y.npy") for part, values in maps.items()}
    true = fine(rows["val"])
    mean = rows["learn"].mean(dim=0)
    print("| 50 numbers | parameters of the decoder | error, mean | median |\n|---|---|---|---|")

    axes = principal_axes(rows["learn"] - mean, AXES, folder / "axes.npy")
    along = {part: (values - mean) @ axes.T for part, values in rows.items()}
    found = mean + along["val"][:, :CODE] @ axes[:CODE]
    show("principal components", CODE * FINE * ENERGIES, fine(found), true)

    shapes = leading_shapes(rows["learn"])
    inside = {part: torch.einsum("nqe,qa,eb->nab", r.view(-1, COARSE, ENERGIES), *shapes) for part, r in rows.items()}
    X, held_out, val = (inside[part].flatten(1) for part in ids)
    ours = trained(
        folder / "ours.safetensors", X.numpy(), held_out.numpy(), lost(rows["tune"], held_out),
        hidden=(512,), learning_rate=1e-3, epochs=options.epochs[0],
    )  # fmt: skip
    found = torch.einsum("nab,qa,eb->nqe", through(ours, val).view(-1, *SHAPES), *shapes).flatten(1)
    parameters = size(ours.network_.decoder) + ours.network_.axes.numel() + sum(s.numel() for s in shapes)
    show("autoencoder, 512 wide, beside principal axes", parameters, fine(found), true)

    pair, missing = inspired(AXES, ENTERING), lost(rows["tune"] - mean, along["tune"], rows["tune"])
    for number, (epochs, rate) in enumerate(zip(options.epochs[1:], RATES, strict=True)):
        small = trained(
            folder / f"inspired-{number}.safetensors", along["learn"].numpy(), along["tune"].numpy(), missing,
            architecture=pair, init="random", learning_rate=rate, epochs=epochs,
        )  # fmt: skip
        pair = small.network_.encoder[1], small.network_.decoder[0]
    decoder = written_out(small, axes, mean)
    with torch.inference_mode():
        found = decoder(torch.from_numpy(small.transform(along["val"].numpy()))).clamp_min(0)
    show("INSPIRED's decoder", size(decoder), found.view(true.shape), true)


def lost(rows: Tensor, kept: Tensor, maps: Tensor | None = None) -> float:
    """Mean share of the squares of maps, the rows themselves unless given, that coordinates leave out."""
    squares = [values.square().sum(dim=1) for values in (rows, kept, rows if maps is None else maps)]
    return float(((squares[0] - squares[1]) / squares[2]).mean())


if __name__ == "__main__":
    main()
