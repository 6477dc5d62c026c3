"""`make bench`: the benchmarks that need nothing but this repository, one after the other.

    python -m benchmarks [NAME ...]

Each writes its file of `benchmarks/results`. Those that need recordings, hours or another engine
run by themselves: `python -m benchmarks.NAME --help`.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "results"
_MERL: Final = ("-c", "from api.cli import main; main()")
BENCHMARKS: Final[Mapping[str, tuple[str, ...]]] = {
    "inference": (*_MERL, "bench", "--batch-size", "8", "--threads", "1"),
    "metrics": ("-m", "benchmarks.metrics"),
    "prompts": ("-m", "benchmarks.prompts"),
    "reading_speed": ("-m", "benchmarks.reading_speed"),
    "service": ("-m", "benchmarks.service"),
    "simulator_speed": ("-m", "benchmarks.simulator_speed"),
    "training_speed": ("-m", "benchmarks.training_speed"),
}
"""Arguments of Python for each."""
PRINTED: Final = frozenset({"inference", "training_speed"})
"""Print their result, which is kept here, and write nothing themselves."""


def run(name: str) -> int:
    """Run one benchmark; return its exit status. A failed one leaves its results as they were."""
    command = [sys.executable, *BENCHMARKS[name]]
    if name not in PRINTED:
        return subprocess.run(command, check=False).returncode
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    if done.returncode == 0:
        (RESULTS / f"{name}.json").write_text(done.stdout, encoding="utf-8")
    return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks, all by default; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    chosen = parser.parse_args(arguments).names or list(BENCHMARKS)
    for name in chosen:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark is called {name!r}; there are {', '.join(BENCHMARKS)}")
    failed = []
    for name in chosen:
        start = time.monotonic()
        print(f"\n== {name}", flush=True)
        if run(name):
            failed.append(name)
        print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
