"""A tiny untrained checkpoint, and made-up data sets laid out as they are published."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from numpy.typing import NDArray

from merl_core.checkpoint import CheckpointConfig, save_checkpoint
from merl_core.model import EcgConfig, MerlModel, ModelConfig, TextConfig
from merl_core.records import STANDARD_LEADS
from merl_core.simulate import simulate


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    return ModelConfig(
        ecg=EcgConfig(depths=(1, 1, 1, 1), widths=(8, 8, 16, 16), beat_width=8),
        text=TextConfig(hidden=32),
        embed_dim=24,
    )


def _save_tiny(folder: Path, tiny_config: ModelConfig) -> Path:
    torch.manual_seed(0)
    model = MerlModel(tiny_config)
    bank = torch.nn.functional.normalize(torch.randn(50, 24), dim=-1)
    save_checkpoint(
        folder, CheckpointConfig(name="tiny", model=tiny_config), model, bank, "# Tiny\n"
    )
    return folder


def write_record(
    stem: Path,
    signal: NDArray[np.float32],
    fs: int = 500,
    leads: Sequence[str] = STANDARD_LEADS,
    comments: Sequence[str] = (),
    *,
    mat: bool = False,
) -> None:
    """Write (12, T) millivolts as PhysioNet does: 16-bit samples in a `.dat`, or in a `.mat`."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    gain = 200 if not mat else 1000
    units = np.where(np.isfinite(signal), (signal * gain).round(), -32768).astype("<i2")
    name, offset = (f"{stem.name}.mat", "16+24") if mat else (f"{stem.name}.dat", "16")
    if mat:
        scipy.io.savemat(stem.with_suffix(".mat"), {"val": units}, format="4")
    else:
        units.T.tofile(stem.with_suffix(".dat"))
    lines = [f"{stem.name} {len(units)} {fs} {units.shape[1]}"]
    for lead, row in zip(leads, units, strict=True):
        checksum = int(row.astype(np.int64).sum()) & 0xFFFF
        checksum -= 0x10000 if checksum >= 0x8000 else 0
        lines.append(f"{name} {offset} {gain}/mV 16 0 {row[0]} {checksum} 0 {lead}")
    lines += [f"# {text}" for text in comments]
    stem.with_suffix(".hea").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def record_writer() -> Callable[..., None]:
    """Writes one WFDB record; see `write_record`."""
    return write_record


MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


def build_mimic(folder: Path, n_records: int = 6, fs: int = 500) -> Path:
    """Make a folder laid out like MIMIC-IV-ECG 1.0: two recordings a patient, simulated signals."""
    batch = simulate(None, n_records=n_records, fs=fs, seed=5)
    order = [STANDARD_LEADS.index(lead) for lead in MIMIC_LEADS]
    records = ["subject_id,study_id,file_name,ecg_time,path"]
    lines = ",".join(f"report_{i}" for i in range(18))
    measured = [f"subject_id,study_id,cart_id,ecg_time,{lines},bandwidth,filtering,rr_interval"]
    for i, signal in enumerate(batch.signals):
        subject, study = 10000000 + i // 2, 40000000 + i
        path = f"files/p1000/p{subject}/s{study}/{study}"
        write_record(folder / path, signal[order], fs, MIMIC_LEADS)
        records.append(f"{subject},{study},{study},2180-07-23 08:44:00,{path}")
        report = batch.reports[i].replace('"', "").replace("\n", " ")
        cells = ["Sinus rhythm", "", f'"EKG: {report}"', *[""] * 15]
        measured.append(f"{subject},{study},6848296,2180-07-23 08:44:00,{','.join(cells)},0,,659")
    (folder / "record_list.csv").write_text("\n".join(records) + "\n")
    head, *rows = measured
    (folder / "machine_measurements.csv").write_text("\n".join([head, *rows[::-1]]) + "\n")
    return folder


@pytest.fixture(scope="session")
def mimic_builder() -> Callable[..., Path]:
    """Makes a folder laid out like MIMIC-IV-ECG; see `build_mimic`."""
    return build_mimic


@pytest.fixture(scope="session")
def mimic_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mimic(tmp_path_factory.mktemp("mimic"))


@pytest.fixture
def tiny_checkpoint(tmp_path: Path, tiny_config: ModelConfig) -> Path:
    return _save_tiny(tmp_path / "tiny", tiny_config)


@pytest.fixture(scope="session")
def tiny_checkpoint_to_read(
    tmp_path_factory: pytest.TempPathFactory, tiny_config: ModelConfig
) -> Path:
    """One for all tests that do not change it."""
    return _save_tiny(tmp_path_factory.mktemp("checkpoint") / "tiny", tiny_config)
