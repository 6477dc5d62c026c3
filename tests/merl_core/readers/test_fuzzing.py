"""Mutated files of every format: a record or one of our refusals, nothing else."""

import contextlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ecg_files import microvolts, write_all
from benchmarks.fuzz_readers import fuzz, mutate
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files

SEEDS = write_all(microvolts(125, 4), 125)
CRASHES_SCIPY = ("mat5",)
"""Natively, on some inputs; only a child process survives that."""


@pytest.mark.parametrize("name", [name for name in SEEDS if name not in CRASHES_SCIPY])
def test_a_mutated_file_is_read_or_refused(name: str) -> None:
    rng = random.Random(name)
    for _ in range(12):
        files = {file: mutate(content, rng) for file, content in SEEDS[name].items()}
        with contextlib.suppress(InvalidRecordError):
            assert read_files(files).sig_len > 0


def test_a_matlab_file_of_its_first_words_alone_is_refused() -> None:
    with pytest.raises(InvalidRecordError) as caught:
        read_files({"a.mat": b"MATLAB 5.0 MAT-file"})
    assert caught.value.code == "broken_file"


@pytest.mark.slow
def test_three_hundred_mutations_leave_no_child_dead() -> None:
    outcome = fuzz(300, seed=11, keep=None)
    assert outcome.n_findings == 0, outcome.answers


@pytest.mark.slow
@pytest.mark.parametrize(
    "parser",
    ["csv", "long_table", "fhir", "fhir_xml", "cardiosoft", "schiller", "dicom", "npy", "npz"],
)
def test_a_search_guided_by_coverage_meets_only_our_errors(parser: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "benchmarks.fuzz_guided", parser]
    done = subprocess.run(
        [*command, "-runs=2000", "-max_total_time=10", "-timeout=60", "-seed=1"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
