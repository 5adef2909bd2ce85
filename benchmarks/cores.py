"""Time of predictions on one core and on two, turn by turn in one process.

    python benchmarks/cores.py LIBRARY

By force constants: 20 crystals of `val` of 8 to 11 atoms and six of 36 to 40, from the structure to all three spectra
as a library holds them, and `inscape.predict` with its own grids; median of two turns. By codes: the twenty in a batch,
crystals a second, of three turns.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from inscape import predict
from inscape.evaluation import Truth, read_truth
from inscape.evaluation.rendered import Foretold
from inscape.library import Library
from inscape.prediction import predict_many
from inscape.results import KINDS
from inscape.structure_model import shipped_model
from inscape.structure_model.force_constants import shipped_force_constant_model
from inscape.threads import CORES_VARIABLE, numpy_alone

GROUPS = {"8 to 11 atoms": (8, 11, 20), "36 to 40 atoms": (36, 40, 6)}
CORES = (1, 2)
PARTS = ("forward", "folding", "rendering")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    options = parser.parse_args()
    library = Library(options.library)
    names = library.select("val", max_atoms=40)
    groups = {
        words: [read_truth(library, n) for n in names if low <= library.entries[n].n_atoms <= high][:most]
        for words, (low, high, most) in GROUPS.items()
    }
    first, *_ = groups.values()
    for cores in CORES:  # loads
        on(cores, partial(judged, first[0]))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| | cores | " + " | ".join(PARTS) + " | together | inscape.predict |\n|" + "---|" * (len(PARTS) + 4))
    for words, truths in groups.items():
        rows = {cores: [] for cores in CORES}
        for truth in truths * 2:
            for cores in CORES:
                rows[cores].append(on(cores, partial(judged, truth)))
        for cores, times in rows.items():
            print(f"| {words} | {cores} | " + " | ".join(f"{x:.3f}" for x in np.median(times, axis=0)) + " |")
    batch = [truth.crystal for truth in first]
    for kinds in (("dos",), tuple(KINDS)):
        many = partial(predict_many, batch, kinds=kinds, road="code")
        many()
        for cores in CORES:
            rates = [len(batch) / on(cores, partial(seconds, many)) for _ in range(3)]
            print(f"{'+'.join(kinds)} by codes, {cores} cores: {', '.join(f'{x:.1f}' for x in rates)} a second")


@numpy_alone()
def parts(truth: Truth) -> list[float]:
    """Seconds of each part by force constants, and together."""
    spent = Foretold.of(truth, shipped_force_constant_model(), shipped_model()).seconds
    return [*(spent[part] for part in PARTS), sum(spent.values())]


def judged(truth: Truth) -> list[float]:
    """Those seconds, and of a user's prediction by force constants."""
    return [*parts(truth), seconds(partial(predict, truth.crystal, road="force-constants"))]


def seconds(call: Callable[[], object]) -> float:
    """What a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def on(cores: int, call: Callable):
    """What a call returns, made on so many cores."""
    os.environ[CORES_VARIABLE] = str(cores)
    torch.set_num_threads(cores)
    return call()


if __name__ == "__main__":
    main()
