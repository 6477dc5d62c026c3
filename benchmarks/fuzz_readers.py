"""Feeds mutated files of every format to the reader pool and lists what is not a clean answer.

    python -m benchmarks.fuzz_readers --n 20000 --seed 0 --keep findings

A clean answer is a record or a refusal. A finding is a child that died, took longer than the time
limit, or ran out of memory; its file is kept. With `--record` the run is added to
`benchmarks/results/fuzz_readers.json`.
"""

import argparse
import collections
import json
import random
import re
import struct
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.ecg_files import microvolts, write_all
from merl_core.errors import InvalidRecordError
from merl_core.readers.pool import ReaderPool

_EXTREMES = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_NUMBERS = (
    b"0",
    b"-1",
    b"1e308",
    b"-1e308",
    b"nan",
    b"inf",
    b"99999999999",
    b"0.0000001",
    b"",
    b"x",
)
HEADER_BYTES = 1500
RESULTS = Path(__file__).parent / "results" / "fuzz_readers.json"


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Return the content after one to four random mutations, mostly near its beginning."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if len(data) < 4:
            break
        rng.choice(_MUTATIONS)(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """Return a position; four times of five in the header, where the decisions are made."""
    end = min(len(data), HEADER_BYTES) if rng.random() < 0.8 else len(data)
    return rng.randrange(end)


def _flip(data: bytearray, rng: random.Random) -> None:
    data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    value = rng.choice(_EXTREMES) & 0xFFFFFFFF
    size = rng.choice((1, 2, 4))
    packed = struct.pack(rng.choice("<>") + "I", value)
    data[at : at + size] = packed[:size]


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _delete(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 7, 100, 5000))]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    chunk = bytes(data[at : at + rng.choice((1, 4, 64, 4000))])
    data[at:at] = chunk * rng.choice((1, 3, 30))


def _splice(data: bytearray, rng: random.Random) -> None:
    a, b = _place(data, rng), _place(data, rng)
    size = rng.choice((2, 16, 300))
    data[a : a + size] = data[b : b + size]


def _renumber(data: bytearray, rng: random.Random) -> None:
    """Replace a number written in digits, as in XML, JSON, CSV and WFDB headers."""
    window = bytes(data[: 4 * HEADER_BYTES])
    found = list(re.finditer(rb"\d+(\.\d+)?", window))
    if found:
        match = rng.choice(found)
        data[match.start() : match.end()] = rng.choice(_NUMBERS)


def _retag(data: bytearray, rng: random.Random) -> None:
    """Remove or repeat one XML element's tag, or a JSON key."""
    window = bytes(data[: 4 * HEADER_BYTES])
    found = list(re.finditer(rb"<[^<>]{1,200}>|\"\w+\":", window))
    if found:
        match = rng.choice(found)
        data[match.start() : match.end()] = match[0] * rng.choice((0, 2, 500))


_MUTATIONS = (_flip, _overwrite, _truncate, _delete, _repeat, _splice, _renumber, _retag)


class Outcome(NamedTuple):
    """What a run met."""

    answers: collections.Counter[str]
    """How often each answer came; findings are counted as `FINDING ...`."""
    slowest_s: float
    slowest: str

    @property
    def n_findings(self) -> int:
        """Number of inputs without a clean answer."""
        found = (n for answer, n in self.answers.items() if answer.startswith("FINDING"))
        return sum(found)


def fuzz(n: int, seed: int, keep: Path | None, timeout_s: float = 10.0) -> Outcome:
    """Return the answers to `n` mutated inputs."""
    rng = random.Random(seed)
    seeds = write_all(microvolts(125, 4), 125)
    answers: collections.Counter[str] = collections.Counter()
    slowest_s, slowest = 0.0, ""
    with ReaderPool(timeout_s=timeout_s, memory_mb=2048) as pool:
        pool.start()
        for number in range(n):
            name = rng.choice(list(seeds))
            files = dict(seeds[name])
            target = rng.choice(list(files))
            files[target] = mutate(files[target], rng)
            began = time.perf_counter()
            try:
                pool.read(files)
                answers[f"{name}: read"] += 1
            except InvalidRecordError as error:
                finding = "FINDING " if error.code in ("limit_exceeded", "reader_died") else ""
                answers[f"{finding}{name}: {error.code}"] += 1
                if finding:
                    print(number, name, error, flush=True)
                    if keep is not None:
                        for file, content in files.items():
                            keep.mkdir(parents=True, exist_ok=True)
                            (keep / f"{seed}-{number}-{name}-{file}").write_bytes(content)
            if time.perf_counter() - began > slowest_s:
                slowest_s, slowest = time.perf_counter() - began, f"{number} {name}"
    return Outcome(answers, slowest_s, slowest)


def record(outcome: Outcome, seed: int) -> None:
    """Add a run to the results."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    read = sum(n for answer, n in outcome.answers.items() if answer.endswith(": read"))
    results["runs"].append(
        {
            "where": "pool of child processes",
            "n": outcome.answers.total(),
            "seed": seed,
            "findings": outcome.n_findings,
            "read": read,
            "slowest_s": round(outcome.slowest_s, 2),
        }
    )
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--record", action="store_true", help="add the run to the results")
    arguments = parser.parse_args()
    outcome = fuzz(arguments.n, arguments.seed, arguments.keep)
    for answer, count in sorted(outcome.answers.items()):
        print(f"{count:6d} {answer}")
    print(f"slowest answer {outcome.slowest_s:.2f} s: {outcome.slowest}")
    if arguments.record:
        record(outcome, arguments.seed)
    raise SystemExit(outcome.n_findings > 0)


if __name__ == "__main__":
    main()
