"""The service and input that is wrong: mutated structures, and requests made from its description.

    python benchmarks/web_fuzz.py [--structures 1000] [--examples 50]

Tests send a few of each; this sends many. Every answer must be 200 or a refusal in the words in which `inscape predict`
refuses a file of the same text, and every answer must be in the description. What is otherwise is printed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

TESTS = Path(__file__).parents[1] / "tests"


def main() -> int:
    """Send it all; what was answered is printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=50)
    chosen = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    from inscape import InscapeError, predict
    from inscape.cells.files import FORMATS, FORMATS_OF_TEXT
    from inscape.structure_model import shipped_model
    from webservice import mutated, serving, structure

    def refusal(text: str) -> str:
        """What the command line says of a file."""
        file.write_text(text, encoding="utf-8", newline="")
        try:
            predict(file, kinds=["dos"], de=2.0)
        except InscapeError as error:
            return str(error).replace(str(file), file.name).replace(FORMATS, FORMATS_OF_TEXT)
        return ""

    rng, statuses, kinds = random.Random(0), Counter(), Counter()
    began = time.perf_counter()
    with serving(shipped_model()) as client, TemporaryDirectory() as folder:
        file = Path(folder) / "quartz.cif"
        for number in range(chosen.structures):
            text = mutated(rng)
            request = {"structure": structure(text), "kinds": ["dos"], "de": 2.0}
            answer = client.post("/api/v1/predict", json=request)
            statuses[answer.status_code] += 1
            kinds[answer.json().get("error", "predicted")] += 1
            if answer.status_code not in (200, 422):
                print(number, answer.status_code, answer.text)
            elif answer.status_code == 422 and (told := refusal(text)) != answer.json()["message"]:
                kinds["other words"] += 1
                print(number, repr(answer.json()["message"]), repr(told))
    print(f"{chosen.structures} mutated CIFs in {time.perf_counter() - began:.0f} s: {dict(statuses)}, {dict(kinds)}")
    if not chosen.examples:
        return 0
    import test_web_schema

    test_web_schema.EXAMPLES = chosen.examples
    return pytest.main(["-q", "--import-mode=prepend", str(TESTS / "test_web_schema.py")])


if __name__ == "__main__":
    sys.exit(main())
