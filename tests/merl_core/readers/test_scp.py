"""SCP-ECG with compressed rhythm: Huffman codes of the standard's own table, over differences."""

import struct

import numpy as np
import pytest

from benchmarks.ecg_files import LEADS, microvolts, scp_record
from merl_core.readers import read_files

UV = microvolts(250, 10)
CODES = (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)
STANDARD_TABLE = struct.pack("<H", 19999)
DIFFERENCES = (0, 1, 2)


def huffman(value: int) -> str:
    """Return the bits of a value in the default table of EN 1064."""
    if value == 0:
        return "0"
    if abs(value) <= 8:
        return "1" * abs(value) + "0" + ("1" if value < 0 else "0")
    if -128 <= value <= 127:
        return "1111111110" + format(value & 0xFF, "08b")
    return "1111111111" + format(value & 0xFFFF, "016b")


def compressed(row: np.ndarray, order: int) -> bytes:
    values = row.astype(np.int64)
    differences = np.concatenate([values[:order], np.diff(values, order)])
    bits = "".join(map(huffman, differences.tolist()))
    bits += "0" * (-len(bits) % 16)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize("order", DIFFERENCES)
def test_a_compressed_rhythm_reads_sample_by_sample(order: int) -> None:
    rows = [compressed(row, order) for row in UV]
    leads = bytes([12, 0b01100100]) + b"".join(
        struct.pack("<IIB", 1, UV.shape[1], code) for code in CODES
    )
    header = struct.pack("<HHBB", 1000, 4000, order, 0)
    sizes = struct.pack("<12H", *map(len, rows))
    record = read_files(
        {
            "a.scp": scp_record(
                {
                    1: bytes([255, 0, 0]),
                    2: STANDARD_TABLE,
                    3: leads,
                    6: header + sizes + b"".join(rows),
                }
            )
        }
    )
    assert record.leads == LEADS
    assert np.array_equal(np.round(record.signal * 1000), UV)


def test_a_reference_beat_that_was_taken_out_is_put_back() -> None:
    """High compression of EN 1064: beats without the reference beat, which section 5 holds."""
    length, fiducial = 150, 60
    beats = range(100, UV.shape[1] - length, 200)
    reference = UV[:, 90:240] // 2
    residual = UV.astype(np.int64)
    zones = b""
    for at in beats:
        residual[:, at : at + length] -= reference
        zones += struct.pack("<HIII", 0, at + 1, at + fiducial, at + length)
    header = struct.pack("<HHBB", 1000, 4000, 0, 0)

    def block(rows: np.ndarray) -> bytes:
        sizes = struct.pack("<12H", *[2 * rows.shape[1]] * 12)
        return header + sizes + rows.astype("<i2").tobytes()

    leads = bytes([12, 0b01100101]) + b"".join(
        struct.pack("<IIB", 1, UV.shape[1], code) for code in CODES
    )
    sections = {
        1: bytes([255, 0, 0]),
        3: leads,
        4: struct.pack("<HHH", 4 * length, fiducial, len(beats)) + zones,
        5: block(reference),
        6: block(residual),
    }
    record = read_files({"a.scp": scp_record(sections)})
    assert np.array_equal(np.round(record.signal * 1000), UV)
