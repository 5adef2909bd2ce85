"""Damaged files by the thousand: each must be read or refused with a sentence, by a process that lives on.

    python tests/fuzz_readers.py [COUNT [SEED]]

A process reads what this one has damaged; if it dies, works for `PATIENCE` seconds of processor time, or is silent for
`SILENCE` seconds, that file is kept and named.
"""

import multiprocessing
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

PATIENCE, SILENCE = 30.0, 600.0


def mutate(content, rng):
    """Bytes of a file after a change or a few: bits flipped, bytes set, cut off, blanked, doubled, taken out."""
    data = bytearray(content)
    for _ in range(int(rng.geometric(0.5))):
        size = len(data)
        if size < 2:
            break
        place, length = int(rng.integers(size)), int(rng.integers(1, 65))
        match int(rng.integers(7)):
            case 0:
                data[place] ^= 1 << int(rng.integers(8))
            case 1:
                data[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF, ord("-"), ord("9")]))
            case 2 if rng.random() < 0.3:
                del data[place:]
            case 3:
                data[place : place + length] = bytes(min(length, size - place))
            case 4:
                data[place:place] = data[place : place + length]
            case 5:
                del data[place : place + length]
            case _:
                data[place : place + length] = rng.bytes(min(length, size - place))
    return bytes(data)


def outcome(path):
    """How reading ends: "read", "refused", or the name of an error that should not be."""
    import inscape

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inscape.read(path)
    except inscape.InscapeError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "read"


def _serve(connection):
    while (path := connection.recv()) is not None:
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # at its end SIGPROF ends this process, whatever it is at
        connection.send(outcome(path))


def _start():
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    return here, process


def main(count, seed):
    """Print how the readings end; return how many end badly."""
    from measured_files import every_format

    rng = np.random.default_rng(seed)
    found, bad = Counter(), 0
    kept = Path(tempfile.mkdtemp(prefix="fuzz-"))
    files = [(path.suffix, path.name, path.read_bytes()) for path in every_format(kept)]
    connection, process = _start()
    began = time.monotonic()
    slowest = 0.0
    for number in range(count):
        suffix, name, content = files[number % len(files)]
        path = kept / f"damaged-{number}{suffix}"
        path.write_bytes(mutate(content, rng))
        start = time.monotonic()
        connection.send(path)
        try:
            result = connection.recv() if connection.poll(SILENCE) else "hangs"
        except EOFError:
            process.join()
            result = "hangs" if process.exitcode == -signal.SIGPROF else "crashes"
        slowest = max(slowest, time.monotonic() - start)
        if result in ("read", "refused"):
            path.unlink()
        else:
            bad += 1
            sys.stdout.write(f"{path}: {result}\n")
            if result in ("hangs", "crashes"):
                process.kill()
                connection, process = _start()
        found[name, result if result in ("read", "refused", "hangs", "crashes") else "error"] += 1
    connection.send(None)
    for (name, result), times in sorted(found.items()):
        sys.stdout.write(f"{name:16} {result:8} {times}\n")
    sys.stdout.write(f"{count} files in {time.monotonic() - began:.0f} s, the slowest {slowest:.2f} s, {bad} badly\n")
    return bad


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(arguments + [10_000, 0][len(arguments) :])) > 0)
