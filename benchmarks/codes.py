"""Codes against principal components: what each loses on validation crystals, with as many numbers.

    LIBRARY=phonondb.zarr python benchmarks/codes.py

Relative squared error ‖p − t‖²/‖t − mean of training‖² over all crystals, and its median over crystals (of the
cumulative curve of densities of states, of ρ of maps); for ρ of powder
maps and planes also the mean cosine of energy cuts at 10 K (σ_E = 1 meV), as the models are judged by.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import torch

from inscape.autoencoders import PCA
from inscape.library import Library
from inscape.spectra import centres, native_q_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.dataset import Samples, atoms_of, prepare
from inscape.structure_model.objectives import cut_cosine
from inscape.structure_model.train import HIGH_Q, LOW_Q, spectra_rows, training_ids


def show(kind: str, name: str, p: np.ndarray, t: np.ndarray, mean: np.ndarray, cosine: np.ndarray | None) -> None:
    """One line of the table."""
    error, scale = ((p - t) ** 2).sum(axis=1), ((t - mean) ** 2).sum(axis=1)
    cut = "–" if cosine is None else f"{np.median(cosine):.4f}"
    total, middle = error.sum() / scale.sum(), np.median(error / scale)
    sys.stdout.write(f"| {kind} | {name} | {total:.4f} | {middle:.4f} | {cut} |\n")


def main() -> None:
    """Measure and print."""
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    library = Library(os.environ["LIBRARY"])
    learn, _ = training_ids(library, 40)
    val = library.select("val", max_atoms=40)
    prepare(library, val)
    model = shipped_model()
    sys.stdout.write("| kind | code | error, all | error, median | cut cosine, median |\n|---|---|---|---|---|\n")
    for kind in ("dos", "powder"):
        rows = spectra_rows(Samples(library, learn, kind), kind)
        samples = Samples(library, val, kind)
        true = spectra_rows(samples, kind)
        coder = model.autoencoders[kind]
        for name, estimator in (("autoencoder", coder), ("PCA", PCA(coder.n_components, random_state=0).fit(rows))):
            decoded = estimator.inverse_transform(estimator.transform(true))
            cosine = None
            if kind == "powder":
                q = centres(native_q_edges())
                inside = torch.from_numpy((q > LOW_Q) & (q < HIGH_Q))
                p = torch.from_numpy(np.asarray(decoded, dtype=np.float32)).reshape(len(val), len(q), -1).clamp_min(0)
                t = torch.stack([s.powder.float() for s in samples])
                kernels = torch.stack([s.kernel for s in samples])
                cosine = cut_cosine(p[:, inside], t[:, inside], kernels).mean(dim=1).numpy()
            show(kind, f"{name}, {coder.n_components} numbers", decoded, true, rows.mean(axis=0), cosine)

    samples = Samples(library, val, "crystal")
    field = model.crystal
    n_components = field.encode_mean.out_features
    rows = np.stack([s.plane.flatten().numpy() for s in Samples(library, learn, "crystal")])
    true = np.stack([s.plane.flatten().numpy() for s in samples]).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float32)
    pca = PCA(n_components, solver="randomised", random_state=0).fit(rows)
    by_pca = pca.inverse_transform(pca.transform(true))
    by_field = np.empty_like(true)
    with torch.inference_mode():
        for number, sample in enumerate(samples):
            springs = field.springs(atoms_of([sample]), [sample.geometry])[0]
            near = sample.plane_vectors.norm(dim=1) < HIGH_Q
            local = field.local_features(sample.geometry, springs, sample.plane_vectors)
            code = field.encode(local[near], sample.plane[near].float())
            by_field[number] = (field.decode(local, springs, code).exp() * sample.plane.shape[1]).flatten().numpy()
    rows_of_table = (("field autoencoder", by_field), ("PCA", by_pca), ("self part alone, ρ = 1", np.ones_like(true)))
    for name, decoded in rows_of_table:
        cosine = [
            float(cut_cosine(torch.from_numpy(p).view(s.plane.shape).clamp_min(0), s.plane.float(), s.kernel).mean())
            for p, s in zip(decoded, samples, strict=True)
        ]
        label = name if "self" in name else f"{name}, {n_components} numbers"
        show("crystal (HK0)", label, decoded, true, mean, np.array(cosine))


if __name__ == "__main__":
    main()
