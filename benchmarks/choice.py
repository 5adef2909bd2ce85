"""What the road `auto` gains: errors on `val` by each road, by the one it takes, and by the better one of the two.

    inscape evaluate --library LIBRARY --road code --json > code.json
    inscape evaluate --library LIBRARY --road force-constants --json > constants.json
    inscape evaluate --library LIBRARY --json > auto.json
    python benchmarks/choice.py code.json constants.json auto.json
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

FIGURES = {  # kind and name of each
    "W1, meV": ("dos", "W1"),
    "C_V(300 K)": ("dos", "C_V(300 K)"),
    "powder, cut cosine": ("powder", "cut cosine"),
    "single crystal, cut cosine": ("crystal", "cut cosine"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, nargs=3, metavar="JSON", help="of code, force-constants and auto")
    roads = [json.loads(path.read_text()) for path in parser.parse_args().records]
    if any(road["ids"] != roads[0]["ids"] for road in roads):
        parser.error("the files are of different crystals")
    shares = Counter(roads[-1]["engine"])
    print(", ".join(f"{name}: {count / shares.total():.1%}" for name, count in shares.most_common()), end="\n\n")
    print("| | code | force constants | auto | the better one |\n|---|---|---|---|---|")
    for title, (kind, name) in FIGURES.items():
        code, constants, auto = (
            np.array([record[name] for record in road["records"][kind]["predicted"]]) for road in roads
        )
        best = np.maximum if name == "cut cosine" else np.minimum
        columns = (code, constants, auto, best(code, constants))
        print(f"| {title} | " + " | ".join(f"{x.mean():.3f} / {np.median(x):.3f}" for x in columns) + " |")


if __name__ == "__main__":
    main()
