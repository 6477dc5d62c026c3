"""Memory and speed of loading a UMLS release with millions of names, on a generated one.

    python -m benchmarks.umls_loading [--rows 10000000] [--keep DIR]

Writes a release in Rich Release Format that has the size of a real one and none of its content:
made-up names, with our table's identifiers strewn in as seeds and descendants below them. It is
loaded in a child process whose peak memory is read from the kernel, once at full size and once at a
hundredth of it: memory that does not grow with the release is the claim. Time is a ratio to merely
reading the lines of the same files. Writes `benchmarks/results/umls_loading.json`.
"""

import argparse
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from knowledge_sources.ecg_statements import load_ecg_statements
from knowledge_sources.umls import load_umls

RESULTS: Final = Path(__file__).parent / "results" / "umls_loading.json"
_NAMES_A_CONCEPT: Final = 4
_WORDS: Final = (
    "acute", "chronic", "cardiac", "renal", "hepatic", "syndrome", "disorder", "finding", "wave",
    "block", "lesion", "structure", "of", "the", "left", "right", "upper", "lower", "with", "due",
)  # fmt: skip
_SABS: Final = ("SNOMEDCT_US", "MSH", "NCI", "RXNORM", "LNC", "ICD10CM", "MDR", "HPO")
_TYPES: Final = ("T033", "T047", "T121", "T061", "T023", "T184", "T201", "T109")


def seeds() -> list[tuple[str, str]]:
    """Return (CUI, SNOMED code) of our own concepts that have both."""
    found = []
    for concept in load_ecg_statements().concepts:
        cuis = [x.removeprefix("UMLS:") for x in concept.xrefs if x.startswith("UMLS:")]
        codes = [x.removeprefix("SNOMED:") for x in concept.xrefs if x.startswith("SNOMED:")]
        if cuis and codes:
            found.append((cuis[0], codes[0]))
    return sorted(set(found))


def write_release(folder: Path, n_rows: int, seed: int = 0) -> None:
    """Write MRCONSO with `n_rows` rows, and MRREL, MRSTY and MRDEF in a real release's ratio."""
    meta = folder / "META"
    meta.mkdir(parents=True)
    draw = random.Random(seed)
    known = seeds()
    n_concepts = n_rows // _NAMES_A_CONCEPT
    cuis = [f"C{9_000_000_000 + i}" for i in range(n_concepts)]
    for i, (cui, _) in enumerate(known):
        cuis[(i * n_concepts) // len(known)] = cui
    codes = dict(known)
    _write(meta / "MRCONSO.RRF", _names(cuis, codes, draw))
    _write(meta / "MRREL.RRF", _relations(cuis, [c for c, _ in known], n_rows, draw))
    _write(meta / "MRSTY.RRF", (f"{c}|{draw.choice(_TYPES)}|A1|type|AT{i}|256|\n"
                                for i, c in enumerate(cuis)))  # fmt: skip
    _write(meta / "MRDEF.RRF", (f"{c}|A{i}|AT{i}||NCI|{_phrase(draw, 12)}|N||\n"
                                for i, c in enumerate(cuis) if i % 10 == 0))  # fmt: skip


def _names(cuis: list[str], codes: dict[str, str], draw: random.Random) -> Iterator[str]:
    for i, cui in enumerate(cuis):
        for k in range(_NAMES_A_CONCEPT):
            is_seed = k == 0 and cui in codes
            sab = "SNOMEDCT_US" if is_seed else draw.choice(_SABS)
            code = codes[cui] if is_seed else f"X{i}"
            lang = ("ENG", "GER", "SPA", "FRE")[k]
            preferred = "P|L1|PF|S1|Y" if k == 0 else "S|L1|VO|S1|N"
            yield f"{cui}|{lang}|{preferred}|A{i}||||{sab}|PT|{code}|{_phrase(draw, 4)}|0|N|256|\n"


def _relations(
    cuis: list[str], known: list[str], n_rows: int, draw: random.Random
) -> Iterator[str]:
    tail = "|SCUI|{rela}|R{n}||SNOMEDCT_US|SNOMEDCT_US||N|N||\n"
    for n, parent in enumerate(known * 5):
        child = cuis[draw.randrange(len(cuis))]
        yield f"{parent}|A1|SCUI|CHD|{child}|A2" + tail.format(rela="isa", n=n)
    for n in range(n_rows):
        one, two = cuis[draw.randrange(len(cuis))], cuis[draw.randrange(len(cuis))]
        yield f"{one}|A1|SCUI|RO|{two}|A2" + tail.format(rela="finding_site_of", n=n)


def _phrase(draw: random.Random, n_words: int) -> str:
    return " ".join(draw.choices(_WORDS, k=n_words))


def _write(path: Path, rows: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(rows)


def measure_load(folder: Path, cache: Path | None) -> dict[str, Any]:
    """Return concepts, seconds and peak memory of one load, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_load, args=(folder, cache, send))
    child.start()
    measured: dict[str, Any] = receive.recv()
    child.join()
    return measured


def _load(folder: Path, cache: Path | None, send: Any) -> None:
    table = load_ecg_statements().concepts
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
    before = _peak_mb()
    start = time.perf_counter()
    loaded = load_umls(folder, table, cache=cache)
    seconds = time.perf_counter() - start
    send.send(
        {
            "n_concepts": len(loaded.concepts),
            "seconds": round(seconds, 2),
            "peak_mb_before": before,
            "peak_mb": _peak_mb(),
        }
    )


def _read_lines(folder: Path) -> float:
    start = time.perf_counter()
    for path in sorted((folder / "META").glob("*.RRF")):
        with path.open("rb") as file:
            for line in file:
                line.decode()
    return time.perf_counter() - start


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    msg = "the kernel tells no peak memory (VmHWM in /proc/self/status)"
    raise SystemExit(msg)


def main() -> None:
    """Generate, load, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--keep", type=Path, help="An empty folder for the generated releases.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = given.keep or Path(scratch)
        results: dict[str, Any] = {}
        for name, n_rows in (("hundredth", given.rows // 100), ("full", given.rows)):
            folder, cache = root / name, root / f"cache-{name}"
            write_release(folder, n_rows)
            first = measure_load(folder, cache)
            again = measure_load(folder, cache)
            size = sum(p.stat().st_size for p in (folder / "META").glob("*.RRF"))
            results[name] = {
                "n_mrconso_rows": n_rows,
                "n_mrrel_rows": n_rows,
                "size_mb": round(size / 1e6, 1),
                "first_load": first,
                "times_reading_the_lines": round(first["seconds"] / _read_lines(folder), 2),
                "second_load_from_cache": again,
            }
    added = {k: r["first_load"]["peak_mb"] - r["first_load"]["peak_mb_before"]
             for k, r in results.items()}  # fmt: skip
    results["added_peak_mb"] = {k: round(v, 1) for k, v in added.items()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
