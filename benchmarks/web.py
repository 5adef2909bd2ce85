"""The service under load: `inscape serve` in a process of its own, and users who predict crystals of 9 atoms.

    python benchmarks/web.py load [--users 50] [--seconds 60]    # errors, latency, rate, and the library's own
    python benchmarks/web.py memory [--requests 10000]      # memory of the process
    python benchmarks/web.py kill [--users 10] [--seconds 20]       # killed under load and started again
    python benchmarks/web.py redraw [--times 50]                    # how long looking at a result anew takes

Rates of the library are measured before and after, in the same process as the users, one batch of 32 after another,
so that both have the same machine; compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

QUARTZ = (Path(__file__).parents[1] / "examples" / "quartz.cif").read_text()
BATCH = 32


class Served:
    """A service that runs, and what is asked of it."""

    def __init__(self, store: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "inscape.cli",
            "serve",
            "--port",
            "0",
            "--rate",
            "0",
            "--jobs-file",
            str(store),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = str(self.process.stdout.readline()).split()[-1].rstrip("/")

    def ask(self, path: str, body: dict | None = None) -> dict:
        """The answer to a request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def memory(self) -> float:
        """Resident memory, MB."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def end(self, how: int = signal.SIGTERM) -> None:
        """End it."""
        self.process.send_signal(how)
        self.process.wait()


def crystal(number: int) -> dict:
    """A request: quartz with another lattice parameter each time."""
    text = QUARTZ.replace("4.916", f"{4.9 + 1e-5 * (number % 5000):.5f}")
    return {"structure": {"text": text, "name": "quartz.cif"}}


class Users:
    """So many threads that predict one crystal after the other."""

    def __init__(self, served: Served, count: int) -> None:
        self.served, self.seconds, self.ids, self.errors = served, [], [], []
        self.until = float("inf")
        self.threads = [threading.Thread(target=self._work, args=(number,)) for number in range(count)]

    def run(self, seconds: float) -> float:
        """Let them work; how long it took."""
        began = time.perf_counter()
        self.until = began + seconds
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        return time.perf_counter() - began

    def _work(self, seed: int) -> None:
        numbers = random.Random(seed)
        while (began := time.perf_counter()) < self.until:
            try:
                found = self.served.ask("predict?arrays=base64", crystal(numbers.randrange(5000)))
            except (OSError, ValueError) as error:
                self.errors.append(repr(error))
                time.sleep(0.2)
            else:
                self.seconds.append(time.perf_counter() - began)
                self.ids.append(found["id"])


def library_rate(seconds: float) -> float:
    """Predictions a second of `inscape.predict_many` in a process of its own, batches of 32."""
    code = f"""
import time, inscape
from inscape.structures import parse_structure
text = open("examples/quartz.cif").read()
crystals = [parse_structure(text.replace("4.916", f"{{4.9 + 1e-5 * n:.5f}}")) for n in range({BATCH})]
inscape.predict_many(crystals)
began, count = time.perf_counter(), 0
while time.perf_counter() - began < {seconds}:
    inscape.predict_many(crystals)
    count += {BATCH}
print(count / (time.perf_counter() - began))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def load(served: Served, users: int, seconds: float) -> None:
    """Errors, latency and rate."""
    served.ask("predict", crystal(0))
    before = library_rate(seconds / 2)
    crowd = Users(served, users)
    took = crowd.run(seconds)
    after = library_rate(seconds / 2)
    rate, library = len(crowd.seconds) / took, (before + after) / 2
    ordered = sorted(crowd.seconds)
    print(f"{users} users, {took:.0f} s: {len(ordered)} predictions, {len(crowd.errors)} errors {crowd.errors[:3]}")
    print(
        f"latency: median {statistics.median(ordered):.2f} s, 95th percentile {ordered[int(0.95 * len(ordered))]:.2f} s"
    )
    print(f"rate: {rate:.2f} a second; library {before:.2f} before, {after:.2f} after: {rate / library:.0%} of it")
    print(f"memory of the service: {served.memory():.0f} MB")


def memory(served: Served, requests: int) -> None:
    """Memory as requests come; small ones, so that it ends."""
    for number in range(requests + 1):
        if number % (requests // 10) == 0:
            print(f"{number:6d} requests: {served.memory():.0f} MB", flush=True)
        served.ask("predict?arrays=base64", {**crystal(number), "kinds": ["dos", "powder"]})


def kill(served: Served, store: Path, users: int, seconds: float) -> None:
    """Every prediction that was answered must be there after the service was killed under load."""
    served.ask("predict", crystal(0))
    crowd = Users(served, users)
    threading.Timer(seconds / 2, served.end, (signal.SIGKILL,)).start()
    crowd.run(seconds)
    again = Served(store)
    lost = 0
    for name in crowd.ids:
        try:
            again.ask(f"results/{name}?variables=code_dos&kinds=dos")
        except urllib.error.HTTPError:
            lost += 1
    print(f"killed after {seconds / 2:.0f} s under {users} users: {len(crowd.ids)} results answered, {lost} lost")
    again.end()


def redraw(served: Served, times: int) -> None:
    """Milliseconds for another temperature, of each kind of spectrum."""
    name = served.ask("predict", crystal(0))["id"]
    for query in ("variables=dos", "variables=powder", "ei=60&variables=instrument_map", "variables=crystal"):
        took = []
        for number in range(times):
            began = time.perf_counter()
            served.ask(f"results/{name}?arrays=base64&temperature={10 + number}&{query}")
            took.append(1000 * (time.perf_counter() - began))
        print(f"{query:32s} median {statistics.median(took):6.1f} ms, best {min(took):6.1f} ms")


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("load", "memory", "kill", "redraw"))
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=50)
    chosen = parser.parse_args()
    os.chdir(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.sqlite"
        served = Served(store)
        try:
            if chosen.what == "load":
                load(served, chosen.users, chosen.seconds)
            elif chosen.what == "memory":
                memory(served, chosen.requests)
            elif chosen.what == "kill":
                kill(served, store, chosen.users, chosen.seconds)
            else:
                redraw(served, chosen.times)
        finally:
            if served.process.poll() is None:
                served.end()


if __name__ == "__main__":
    main()
