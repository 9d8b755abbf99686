"""A long campaign: `make fuzz HOURS=2`, or `python -m tests.fuzz --hours 2 --seed 7 --kinds models,kills`.

Rounds of every kind take turns, each with a seed of its own, so that a fault can be made again. What broke a model's
reader is kept in tests/fuzz/corpus, from where the tests take it.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.fuzz import devices, files, firmware, kills, models

CORPUS = Path(__file__).parent / "corpus"
ROUND = {"models": 2000, "files": 5000, "devices": 5000, "firmware": 40, "libfuzzer": 500_000, "kills": 20}
"""How many of each are tried in a round; of the firmware, processes that get 250 requests each; of
libFuzzer, sessions of some requests."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round; the next ones count up")
    parser.add_argument("--kinds", default=",".join(ROUND))
    parser.add_argument("--compare", type=float, default=0.03, help="part of the accepted models that is run")
    given = parser.parse_args()
    tried: Counter[str] = Counter()
    faults: list[str] = []
    rounds: dict[str, Callable[[int], list[str]]] = {
        "models": lambda seed: _models(seed, given.compare, tried),
        "files": lambda seed: _in_folder(lambda folder: files.attack(folder, seed, ROUND["files"]).faults),
        "devices": lambda seed: devices.attack(seed, ROUND["devices"]).faults,
        "firmware": lambda seed: _in_folder(
            lambda folder: firmware.attack(firmware.build(folder), seed, ROUND["firmware"]).faults
        ),
        "libfuzzer": lambda seed: _in_folder(lambda folder: firmware.search(folder, seed, ROUND["libfuzzer"]).faults),
        "kills": lambda seed: _in_folder(lambda folder: kills.attack(folder, seed, ROUND["kills"]).faults),
    }
    until, seed = time.monotonic() + given.hours * 3600, given.seed
    while time.monotonic() < until:
        for kind in given.kinds.split(","):
            found = rounds[kind](seed)
            tried[kind] += ROUND[kind]
            faults += [f"{kind}: {fault}" for fault in found]
            for fault in found:
                print(f"✖ {kind}: {fault}", flush=True)
            print(f"seed {seed}: {', '.join(f'{count:,} {name}' for name, count in tried.items())}", flush=True)
        seed += 1
    peaks = (resource.getrusage(who).ru_maxrss >> 10 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{len(faults)} faults; at most {max(peaks):,} MB of memory in one process")
    return 1 if faults else 0


def _models(seed: int, compare: float, tried: Counter[str]) -> list[str]:
    found = models.attack(seed, ROUND["models"], compare=compare)
    tried["accepted"] += found.taken
    for outcome, count in found.compared.items():
        tried[outcome.lower()] += count
    CORPUS.mkdir(exist_ok=True)
    for data in found.samples:
        (CORPUS / f"{hashlib.sha256(data).hexdigest()[:12]}.tflite").write_bytes(data)
    return found.faults


def _in_folder(attack: Callable[[Path], list[str]]) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="mcugen-fuzz-") as folder:
        return attack(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
