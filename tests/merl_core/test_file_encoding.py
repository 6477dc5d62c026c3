from pathlib import Path

import numpy as np
import pytest

from merl_core.engine import EncodedRecord, Engine
from merl_core.errors import InvalidRecordError
from merl_core.file_encoding import encode_files
from merl_core.readers import read_record
from merl_core.simulated_files import write_simulated


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 short recordings: more than a batch."""
    folder = tmp_path_factory.mktemp("files")
    write_simulated(folder, None, n_records=40, fs=100, duration_s=3.0, seed=5)
    return folder


def test_files_together_give_what_each_gives_alone(simulated: Path, tiny_checkpoint: Path) -> None:
    engine = Engine(tiny_checkpoint, "cpu")
    names = sorted(path.name for path in simulated.glob("*.hea"))
    together = list(encode_files(engine, simulated, names))
    for name, one in zip(names, together, strict=True):
        assert isinstance(one, EncodedRecord)
        alone = engine.encode_ecg(read_record(simulated / name))
        np.testing.assert_allclose(one.features, alone.features, atol=1e-5)
        assert one.warnings == alone.warnings


def test_a_bad_file_keeps_its_place_and_its_reason(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not an ECG")
    header = min(simulated.glob("*.hea"))
    for part in (header, header.with_suffix(".dat")):
        (tmp_path / part.name).write_bytes(part.read_bytes())
    names = ["absent", header.stem, "notes.txt"]
    found = list(encode_files(Engine(tiny_checkpoint, "cpu"), tmp_path, names))
    assert [type(one) for one in found] == [InvalidRecordError, EncodedRecord, InvalidRecordError]
    assert "absent' does not exist" in str(found[0])
    assert "no ECG format known" in str(found[2])
