"""A real server process, and a real DICOM ECG, for tests over HTTP."""

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage, generate_uid

from merl_core.records import STANDARD_LEADS, Record

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 900.0
_MDC = (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)
"""Codes of the leads, `MDC 2:n` (ISO 11073-10102)."""


@contextmanager
def server_process(
    data_dir: Path, **settings: str
) -> Iterator[tuple["subprocess.Popen[bytes]", str, Path]]:
    """Start `merl serve`; yield its process, its URL and its log file, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = data_dir / f"server-{port}.log"
    environment: Mapping[str, str] = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MERL_")},
        "MERL_PORT": str(port),
        "MERL_DATA_DIR": str(data_dir),
        **settings,
    }
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve"]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield process, f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(timeout=120)


@contextmanager
def running_server(data_dir: Path, **settings: str) -> Iterator[tuple[str, Path]]:
    """Start `merl serve`, wait until it is ready, and yield its URL and its log file."""
    with server_process(data_dir, **settings) as (process, url, log):
        wait_until_ready(url, process, log)
        yield url, log


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return once /ready says so; the first start builds the index."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/ready", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    lines = log.read_text().splitlines()
    raise AssertionError("\n".join(line for line in lines if "/ready" not in line))


def dicom_of(record: Record, *, patient: str = "DOE^JANE") -> bytes:
    """Return a 12-lead ECG waveform object with the usual identity of a patient in it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    whole = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    whole.SOPClassUID = TwelveLeadECGWaveformStorage
    whole.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    whole.Modality = "ECG"
    whole.PatientName = patient
    whole.PatientID = f"ID-{patient}"
    whole.WaveformSequence = [_waveform(record)]
    buffer = io.BytesIO()
    whole.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _waveform(record: Record) -> Dataset:
    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels = len(record.leads)
    group.NumberOfWaveformSamples = record.sig_len
    group.SamplingFrequency = record.fs
    group.WaveformBitsAllocated = 16
    group.WaveformSampleInterpretation = "SS"
    group.ChannelDefinitionSequence = [_channel(lead) for lead in record.leads]
    counts = np.round(record.signal * 1000).astype("<i2")
    group.WaveformData = counts.T.tobytes()
    return group


def _channel(lead: str) -> Dataset:
    channel = Dataset()
    channel.ChannelSourceSequence = [
        _code(f"2:{_MDC[STANDARD_LEADS.index(lead)]}", "MDC", f"Lead {lead}")
    ]
    channel.ChannelSensitivity = 1
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = 1
    channel.ChannelBaseline = 0
    channel.WaveformBitsStored = 16
    return channel


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning
    return code
