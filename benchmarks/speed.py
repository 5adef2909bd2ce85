"""Time and memory of predictions: one crystal, a hundred, and the whole command from a cold start.

    python benchmarks/speed.py [STRUCTURE]

By the road that is taken unless told otherwise, and by codes. Prints medians over repeats; the machine's cores and load
stand beside them, for absolute times mean little without.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

STRUCTURE = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "examples" / "quartz.cif")
ROADS = ("auto", "code")
IMPORTS = "import torch, scipy, spglib, ase, xarray"


def command(*arguments: str) -> float:
    """Seconds a command takes from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, structure {STRUCTURE.name}\n")
    with tempfile.TemporaryDirectory() as folder:
        predict = ("-m", "inscape.cli", "predict", str(STRUCTURE), "--output", folder, "--road")
        whole = {road: [command(*predict, road) for _ in range(3)] for road in ROADS}
    imports = [command("-c", IMPORTS) for _ in range(3)]
    for road, times in whole.items():
        sys.stdout.write(f"cold start, whole command, {road}: {median(times):.2f} s\n")
    sys.stdout.write(f"of which imports {median(imports):.2f} s\n")

    from inscape.prediction import predict_many
    from inscape.structures import read_structure

    start = time.perf_counter()
    crystal = read_structure(STRUCTURE)
    for road in ROADS:
        predict_many([crystal], road=road)
    first = time.perf_counter() - start
    sys.stdout.write(f"first prediction in a process (imports and models loaded): {first:.2f} s\n")
    for road in ROADS:
        for kinds in (("dos",), ("dos", "powder"), ("dos", "powder", "crystal")):
            times = []
            for _ in range(10):
                start = time.perf_counter()
                predict_many([crystal], kinds=kinds, road=road)
                times.append(time.perf_counter() - start)
            sys.stdout.write(
                f"one crystal of {crystal.n_atoms} atoms, {road}, {'+'.join(kinds)}: median {median(times):.3f} s\n"
            )
        for kinds in (("dos",), ("dos", "powder", "crystal")):
            start = time.perf_counter()
            for _ in range(4):
                predict_many([crystal] * 25, kinds=kinds, road=road)
            rate = 100 / (time.perf_counter() - start)
            sys.stdout.write(f"100 structures, {road}, {'+'.join(kinds)}, batches of 25: {rate:.1f} per second\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"peak memory {peak:.0f} MiB\n")


if __name__ == "__main__":
    main()
