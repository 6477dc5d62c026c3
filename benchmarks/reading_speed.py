"""Times every reader against the bare library on the same 12 x 10 s recording at 500 Hz.

    python -m benchmarks.reading_speed

`library` is the shortest call that gives samples, lead names and units in memory, `ours` is
`read_files` (format found by content, all checks, one `Record`), both the shortest of several runs;
`pool overhead` is what a warm child adds, on average, in both processes. All in CPU time, which
other work on the machine changes little (Linux). Writes
`benchmarks/results/reading_speed.json`.
"""

import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ecg_files import microvolts, write_all
from merl_core.readers import formats, read_files
from merl_core.readers.pool import ReaderPool

FS = 500
REPEATS = 30
RESULTS = Path(__file__).parent / "results" / "reading_speed.json"


def _ecgdatakit(module: str, parser: str) -> Callable[[dict[str, bytes]], Any]:
    import importlib

    found = getattr(importlib.import_module(f"ecgdatakit.parsing.parsers.{module}"), parser)

    def parse(files: dict[str, bytes]) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(next(iter(files.values())))
            return found().parse(path).to_physical()

    return parse


def _wfdb(files: dict[str, bytes]) -> Any:
    import wfdb

    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return wfdb.rdrecord(str(Path(folder) / "rec")).p_signal


def _dicom(files: dict[str, bytes]) -> Any:
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(files["dicom.bin"]))
    channels = dataset.WaveformSequence[0].ChannelDefinitionSequence
    leads = [channel.ChannelSourceSequence[0].CodeValue for channel in channels]
    units = [channel.ChannelSensitivityUnitsSequence[0].CodeValue for channel in channels]
    return dataset.waveform_array(0), leads, units


def _edf(files: dict[str, bytes]) -> Any:
    import edfio

    return [s.data for s in edfio.read_edf(files["edf.bin"]).signals]


def _bdf(files: dict[str, bytes]) -> Any:
    import edfio

    return [s.data for s in edfio.read_bdf(files["bdf.bin"]).signals]


def _csv(files: dict[str, bytes]) -> Any:
    import pandas as pd

    return pd.read_csv(io.BytesIO(files["csv.bin"])).to_numpy()


def _mat(files: dict[str, bytes]) -> Any:
    import scipy.io

    return scipy.io.loadmat(io.BytesIO(next(iter(files.values()))), simplify_cells=True)


def _hdf5(files: dict[str, bytes]) -> Any:
    import h5py

    with h5py.File(io.BytesIO(files["hdf5.bin"])) as file:
        return file["ecg"][()], dict(file["ecg"].attrs)


def _parquet(files: dict[str, bytes]) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(io.BytesIO(files["parquet.bin"])).to_pandas().to_numpy()


def _npz(files: dict[str, bytes]) -> Any:
    with np.load(io.BytesIO(files["npz.bin"])) as data:
        return {name: data[name] for name in data}


def _xml(files: dict[str, bytes]) -> Any:
    from defusedxml.ElementTree import fromstring

    root = fromstring(next(iter(files.values())))
    tags = ("WaveformData", "data")
    return [np.array(e.text.split(","), float) for tag in tags for e in root.iter(tag)]


def _fhir(files: dict[str, bytes]) -> Any:
    bundle = json.loads(files["fhir.bin"])
    parts = bundle["entry"][1]["resource"]["component"]
    return [np.array(part["valueSampledData"]["data"].split(), float) for part in parts]


def _npy(files: dict[str, bytes]) -> Any:
    return np.load(io.BytesIO(files["npy.bin"]))


LIBRARIES: dict[str, tuple[str, Callable[[dict[str, bytes]], Any]]] = {
    "wfdb16": ("wfdb", _wfdb),
    "wfdb212": ("wfdb", _wfdb),
    "wfdb516": ("wfdb, FLAC", _wfdb),
    "dicom": ("pydicom", _dicom),
    "scp": ("ecgdatakit", _ecgdatakit("scp_ecg", "SCPECGParser")),
    "edf": ("edfio", _edf),
    "bdf": ("edfio", _bdf),
    "hl7_aecg": ("ecgdatakit", _ecgdatakit("hl7_aecg", "HL7aECGParser")),
    "ge_muse": ("ecgdatakit", _ecgdatakit("ge_muse_xml", "GEMuseXMLParser")),
    "philips_sierra": ("ecgdatakit", _ecgdatakit("sierra_xml", "SierraXMLParser")),
    "mortara": ("ecgdatakit", _ecgdatakit("mortara_el250", "MortaraEL250Parser")),
    "ishne": ("ecgdatakit", _ecgdatakit("ishne_holter", "ISHNEHolterParser")),
    "mfer": ("ecgdatakit", _ecgdatakit("mfer", "MFERParser")),
    "cardiosoft": ("defusedxml, numpy", _xml),
    "schiller": ("defusedxml, numpy", _xml),
    "fhir": ("json, numpy", _fhir),
    "csv": ("pandas", _csv),
    "npy": ("numpy", _npy),
    "npz": ("numpy", _npz),
    "mat5": ("scipy", _mat),
    "mat4": ("scipy", _mat),
    "hdf5": ("h5py", _hdf5),
    "parquet": ("pyarrow", _parquet),
}


def fastest_ms(
    calls: Sequence[Callable[[dict[str, bytes]], Any]], files: dict[str, bytes]
) -> list[float]:
    """Return the shortest of several runs of each call, taken in turns: what the work takes."""
    best = [float("inf")] * len(calls)
    for _ in range(REPEATS):
        for i, call in enumerate(calls):
            began = time.process_time()
            call(files)
            best[i] = min(best[i], time.process_time() - began)
    return [1000 * seconds for seconds in best]


def mean_ms(call: Callable[[dict[str, bytes]], Any], files: dict[str, bytes]) -> float:
    """Return the mean time of a call in this process and its children together."""
    for _ in range(3):
        call(files)
    began = time.process_time() + children_s()
    for _ in range(REPEATS):
        call(files)
    return 1000 * (time.process_time() + children_s() - began) / REPEATS


def children_s() -> float:
    """Return the CPU time that this process's living children have taken so far."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    taken = (Path(f"/proc/{child}/schedstat").read_text().split()[0] for child in children)
    return sum(map(int, taken)) / 1e9


def measure() -> list[dict[str, Any]]:
    """Return a row a format: library, its time, ours, their ratio, what the pool adds."""
    formats()
    files = write_all(microvolts(FS, 10), FS)
    rows = []
    with ReaderPool() as pool:
        pool.start()
        for name, (library, call) in LIBRARIES.items():
            bare, ours = fastest_ms((call, read_files), files[name])
            overhead = mean_ms(pool.read, files[name]) - mean_ms(read_files, files[name])
            rows.append(
                {
                    "format": name,
                    "library": library,
                    "library_ms": round(bare, 3),
                    "ours_ms": round(ours, 3),
                    "ratio": round(ours / bare, 2),
                    "pool_overhead_ms": round(overhead, 2),
                }
            )
    return rows


def main() -> None:
    """Print the table and write it down."""
    rows = measure()
    print("| format | library | library ms | ours ms | ratio | pool overhead ms |")
    print("|---|---|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row['format']} | {row['library']} | {row['library_ms']:.1f} | "
            f"{row['ours_ms']:.1f} | {row['ratio']:.2f} | {row['pool_overhead_ms']:.1f} |"
        )
    RESULTS.write_text(json.dumps({"fs": FS, "formats": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
