"""WFDB: names confined to the upload, sizes checked, segments joined, comments sifted."""

import io

import numpy as np
import pytest
import scipy.io

from benchmarks.ecg_files import LEADS, microvolts, wfdb_files, zipped
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files

UV = microvolts(250, 10)
RECORD = wfdb_files(UV, 250, "16")


def with_header(old: str, new: str) -> dict[str, bytes]:
    header = RECORD["rec.hea"].decode()
    assert old in header
    return {**RECORD, "rec.hea": header.replace(old, new).encode()}


def refusal(files: dict[str, bytes]) -> str:
    with pytest.raises(InvalidRecordError) as caught:
        read_files(files)
    return caught.value.code


@pytest.mark.parametrize(
    "name", ["../rec.dat", "/etc/passwd", "a/rec.dat", "..", "C:\\x", "s3://x/y"]
)
def test_a_header_cannot_name_files_outside_of_the_upload(name: str) -> None:
    assert refusal(with_header("rec.dat", name)) == "unsafe_file"


def test_a_missing_signal_file_is_named() -> None:
    with pytest.raises(InvalidRecordError, match=r"'rec\.dat', which was not sent") as caught:
        read_files({"rec.hea": RECORD["rec.hea"]})
    assert caught.value.code == "missing_part"


def test_a_signal_file_without_its_header_is_no_known_format() -> None:
    with pytest.raises(InvalidRecordError, match=r"needs its \.hea") as caught:
        read_files({"rec.dat": RECORD["rec.dat"]})
    assert caught.value.code == "unknown_format"


def test_a_signal_file_is_found_whatever_its_case() -> None:
    assert read_files({"rec.hea": RECORD["rec.hea"], "REC.DAT": RECORD["rec.dat"]}).sig_len == 2500


def test_a_declared_length_beyond_the_file_is_refused() -> None:
    assert refusal(with_header(" 2500", " 2000000000")) == "truncated_file"


def test_a_file_cut_near_its_end_is_read_with_a_warning() -> None:
    cut = RECORD["rec.dat"][: 2 * 12 * 2000]
    record = read_files({**RECORD, "rec.dat": cut})
    assert record.sig_len == 2000
    assert [warning.code for warning in record.warnings] == ["truncated"]


def test_a_file_cut_in_half_is_refused() -> None:
    assert refusal({**RECORD, "rec.dat": RECORD["rec.dat"][:20_000]}) == "truncated_file"


def test_a_header_without_gains_says_that_they_are_assumed() -> None:
    record = read_files(with_header("1000.0(0)/mV", "0"))
    assert "uncalibrated" in [warning.code for warning in record.warnings]


def test_twelve_signals_without_names_are_read_in_the_standard_order() -> None:
    header = "rec 12 250 2500\n" + "rec.dat 16 1000/mV\n" * 12
    record = read_files({**RECORD, "rec.hea": header.encode()})
    assert record.leads == LEADS
    assert [warning.code for warning in record.warnings] == ["leads_assumed"]


def test_a_signal_in_another_folder_of_the_upload_is_found() -> None:
    archive = zipped({"headers/rec.hea": RECORD["rec.hea"], "signals/rec.dat": RECORD["rec.dat"]})
    assert read_files({"a.zip": archive}).leads == LEADS


@pytest.mark.parametrize("version", ["4", "5"])
def test_a_matlab_file_beside_a_header_is_read_whatever_its_version(version: str) -> None:
    out = io.BytesIO()
    scipy.io.savemat(out, {"val": UV}, format=version, do_compression=version == "5")
    header = "rec 12 250 2500\n" + "".join(f"rec.mat 16+24 1000/mV 16 0 0 0 0 {n}\n" for n in LEADS)
    record = read_files({"rec.hea": header.encode(), "rec.mat": out.getvalue()})
    assert np.allclose(record.signal, UV / 1000)


def test_a_gain_that_is_wrong_by_a_factor_is_doubted() -> None:
    record = read_files(with_header("1000.0(0)/mV", "20.0(0)/mV"))
    assert "implausible_gain" in [warning.code for warning in record.warnings]


def test_signals_that_are_no_voltages_are_left_out() -> None:
    header = RECORD["rec.hea"].decode().replace("1000.0(0)/mV 16 0", "1000.0(0)/mmHg 16 0", 1)
    record = read_files({**RECORD, "rec.hea": header.encode()})
    assert record.leads == LEADS[1:]
    assert [warning.code for warning in record.warnings] == ["signals_left_out"]


def segments(lengths: tuple[int, ...]) -> dict[str, bytes]:
    """A multi-segment record of fixed layout, made of the beginnings of one recording."""
    files = {}
    lines = [f"multi/{len(lengths)} 12 250 {sum(lengths)}"]
    for i, length in enumerate(lengths):
        part = wfdb_files(UV[:, :length], 250, "16")
        header = part["rec.hea"].replace(b"rec.dat", f"s{i}.dat".encode())
        files[f"s{i}.hea"] = header.replace(b"rec 12", f"s{i} 12".encode())
        files[f"s{i}.dat"] = part["rec.dat"]
        lines.append(f"s{i} {length}")
    return {"multi.hea": "\n".join(lines).encode(), **files}


def test_segments_are_joined() -> None:
    record = read_files(segments((500, 700)))
    expected = np.concatenate([UV[:, :500], UV[:, :700]], axis=1) / 1000
    assert np.allclose(record.signal, expected, atol=1e-6)


GAP = np.full((12, 100), np.nan)


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        (b"multi/2 12 250\ns0 500\ns1 700\n", [UV[:, :500], UV[:, :700]]),
        (b"multi/3 12 250 1300\ns0 500\n~ 100\ns1 700\n", [UV[:, :500], GAP, UV[:, :700]]),
        (b"multi/3 12 250\n~ 100\ns0 500\ns1 700\n", [GAP, UV[:, :500], UV[:, :700]]),
    ],
    ids=["no length", "a gap", "a gap first and no length"],
)
def test_segments_are_joined_with(header: bytes, parts: list[np.ndarray]) -> None:
    record = read_files({**segments((500, 700)), "multi.hea": header})
    np.testing.assert_allclose(record.signal, np.concatenate(parts, axis=1) / 1000, atol=1e-6)


def test_a_gap_longer_than_any_recording_is_refused() -> None:
    header = b"multi/2 12 250\ns0 500\n~ 2000000000\n"
    assert refusal({**segments((500,)), "multi.hea": header}) == "too_large"


@pytest.mark.parametrize("micro", [b"\xc2\xb5", b"\xce\xbc", b"\xb5"])
def test_the_micro_sign_of_a_unit_is_kept(micro: bytes) -> None:
    header = RECORD["rec.hea"].replace(b"1000.0(0)/mV", b"1.0(0)/" + micro + b"V")
    record = read_files({**RECORD, "rec.hea": header})
    np.testing.assert_allclose(record.signal, UV / 1000, atol=1e-6)


def test_flac_without_a_length_is_refused_by_name() -> None:
    files = wfdb_files(UV, 250, "516")
    files["rec.hea"] = files["rec.hea"].replace(b"rec 12 250 2500", b"rec 12 250")
    with pytest.raises(InvalidRecordError, match="must give the number of samples"):
        read_files(files)


def test_a_segment_with_segments_is_refused() -> None:
    files = segments((500, 700))
    files["s0.hea"] = b"s0/1 12 250 500\ns1 500\n"
    assert refusal(files) == "broken_file"


def test_a_segment_cannot_lie_outside_of_the_upload() -> None:
    files = segments((500, 700))
    files["multi.hea"] = files["multi.hea"].replace(b"s1 700", b"../s1 700")
    assert refusal(files) == "unsafe_file"


def test_two_records_in_one_upload_are_refused() -> None:
    other = {name.replace("rec", "two"): content for name, content in RECORD.items()}
    other["two.hea"] = other["two.hea"].replace(b"rec", b"two")
    assert refusal({**RECORD, **other}) == "several_records"


def test_segments_of_varying_leads_leave_the_missing_ones_open() -> None:
    files = segments((500, 700))
    lines = files["s1.hea"].decode().splitlines()
    files["s1.hea"] = "\n".join(["s1 11 250 700", *lines[2:]]).encode()
    files["s1.dat"] = UV[1:, :700].T.astype("<i2").tobytes()
    layout = ["lay 12 250 0", *(f"~ 0 1000(0)/mV 16 0 0 0 0 {lead}" for lead in LEADS)]
    files["lay.hea"] = "\n".join(layout).encode()
    files["multi.hea"] = b"multi/3 12 250 1200\nlay 0\ns0 500\ns1 700\n"
    record = read_files(files)
    assert record.leads == LEADS
    assert np.isnan(record.signal[0, 500:]).all()
    assert np.isfinite(record.signal[1:]).all()


def test_a_slower_signal_beside_the_leads_is_left_out() -> None:
    lines = RECORD["rec.hea"].decode().splitlines()
    two = [line.replace("16 1000.0", "16x4 1000.0") for line in lines[1:3]]
    header = ["rec 3 250 500", *two, "rec.dat 16 1000.0(0)/mV 16 0 0 0 0 RESP"]
    frames = [[*np.repeat(UV[:2, i], 4).tolist(), 7] for i in range(500)]
    files = {
        "rec.hea": "\n".join(header).encode(),
        "rec.dat": np.array(frames).astype("<i2").tobytes(),
    }
    record = read_files(files)
    assert (record.leads, record.fs, record.sig_len) == (("I", "II"), 1000, 2000)
    assert np.allclose(record.signal, np.repeat(UV[:2, :500], 4, axis=1) / 1000)
