"""Coverage-guided fuzzing (atheris) of one of our own parsers, in this process.

    pip install atheris
    python -m benchmarks.fuzz_guided fhir -max_total_time=600 -rss_limit_mb=2048 -timeout=10

Stops at the first error that is not ours; the input is kept beside the working folder.
"""

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

from benchmarks.ecg_files import microvolts, write_all
from merl_core.errors import InvalidRecordError

with atheris.instrument_imports(include=["merl_core.readers"]):
    from merl_core.readers import read_files

PARSERS = (
    "csv", "long_table", "fhir", "fhir_xml", "cardiosoft", "cardiosoft_full", "schiller", "dicom",
    "npy", "npz", "scp", "edf", "wfdb_zip", "ishne", "mat4",
)  # fmt: skip


def main() -> None:
    """Run libFuzzer on the parser named first on the command line."""
    name = sys.argv.pop(1)
    if name not in PARSERS:
        raise SystemExit(f"{name!r} is not one of {', '.join(PARSERS)}")
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for i, (file, content) in enumerate(write_all(microvolts(125, 1), 125)[name].items()):
        (corpus / f"{i}-{file}").write_bytes(content)

    def once(data: bytes) -> None:
        with contextlib.suppress(InvalidRecordError):
            read_files({"input": data})

    atheris.Setup([*sys.argv, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
