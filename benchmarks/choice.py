"""What the road `auto` gains: errors on `val` by each road, by the one it takes, and by the better one of the two.

    inscape evaluate --library LIBRARY --json > code.json
    python benchmarks/force_constants.py LIBRARY --output constants.json
    python benchmarks/choice.py LIBRARY code.json constants.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from inscape.library import Library
from inscape.prediction import error_size
from inscape.results import KINDS
from inscape.simulation import Predicted
from inscape.structure_model import shipped_model

FIGURES = {  # name here: kind and name in code.json, name in constants.json
    "W1, meV": ("dos", "W1", "dos W1"),
    "C_V(300 K)": ("dos", "C_V(300 K)", "dos C_V(300 K)"),
    "powder, cut cosine": ("powder", "cut cosine", "powder cut cosine"),
    "single crystal, cut cosine": ("crystal", "cut cosine", "plane cut cosine"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("code", type=Path)
    parser.add_argument("constants", type=Path)
    options = parser.parse_args()
    library = Library(options.library)
    code = json.loads(options.code.read_text())
    constants = {record["id"]: record for record in json.loads(options.constants.read_text())}
    sharp = np.array([takes_constants(library, name) for name in code["ids"]])
    print(f"{len(sharp)} crystals, by force constants {sharp.mean():.1%}\n")
    print("| | code | force constants | auto | the better one |\n|---|---|---|---|---|")
    for title, (kind, name, other) in FIGURES.items():
        ours = np.array([record[name] for record in code["records"][kind]["predicted"]])
        theirs = np.array([constants[one][other] for one in code["ids"]])
        best = np.maximum if name == "cut cosine" else np.minimum
        columns = (ours, theirs, np.where(sharp, theirs, ours), best(ours, theirs))
        print(f"| {title} | " + " | ".join(f"{x.mean():.3f} / {np.median(x):.3f}" for x in columns) + " |")


def takes_constants(library: Library, name: str) -> bool:
    """Whether `auto` takes the road of force constants."""
    crystal, model = library.crystal(name), shipped_model()
    features = model.features([crystal])
    kinds = tuple(KINDS)
    (structure,) = model([crystal], kinds, features=features)
    by_constants = Predicted.of(crystal, features[0]).expected_error(kinds)
    return error_size(by_constants) <= error_size(model.doubts.expected_error(structure, kinds))


if __name__ == "__main__":
    main()
