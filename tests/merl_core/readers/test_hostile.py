"""Files made to harm: refused soon and in little memory, whatever they declare or repeat."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Iterator

import pytest

from benchmarks.ecg_files import ge_muse, microvolts, wfdb_files
from merl_core.errors import InvalidRecordError
from merl_core.readers.pool import ReaderPool

UV = microvolts(250, 4)
WFDB = wfdb_files(UV, 250, "16")
ROWS = b"\n" + b"1,2\n2,1\n" * 500
MUSE = ge_muse(UV, 250)


def header(old: bytes, new: bytes) -> dict[str, bytes]:
    return {k: v.replace(old, new) if k.endswith(".hea") else v for k, v in WFDB.items()}


def zip_with_one_file_many_times() -> bytes:
    """Return a zip whose 500 entries are all the same 10 MB of zeros, stored once."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("00000", b"0" * 10**7)
    content = out.getvalue()
    at, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = bytearray(content[at:end])
    entries = b""
    for i in range(500):
        entry[46:51] = f"{i:05d}".encode()
        entries += bytes(entry)
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 500, 500, len(entries), at, 0)
    return content[:at] + entries + tail


HOSTILE: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "gzip of zeros": (
        lambda: {"a.csv.gz": gzip.compress(b"0" * (300 * 2**20), 1)}, "too_large"),
    "zip of one file many times": (
        lambda: {"a.zip": zip_with_one_file_many_times()}, "too_large"),
    "a long name of blanks": (
        lambda: {"a.csv": b"time" + b" " * 200_000 + b"x,y" + ROWS}, "unknown_leads"),
    "a long name of separators": (
        lambda: {"a.csv": b"lead" + b"_" * 100_000 + b"x,y" + ROWS}, "unknown_leads"),
    "a long remark": (
        lambda: {"a.csv": b"# sampling rate" + b" " * 300_000 + b"x\na,b" + ROWS}, "unknown_leads"),
    "a long cell": (
        lambda: {"a.csv": b"1," + b" " * 200_000 + b"x\n1,2\n2,1\n" * 2}, "unknown_format"),
    "one endless row": (lambda: {"a.csv": b"1," * 15_000_000}, "unknown_format"),
    "a table of columns": (
        lambda: {"a.csv": b"\n".join([b",".join([b"1"] * 20_000)] * 100)}, "unknown_leads"),
    "a hundred thousand signals": (
        lambda: {"a.json": b'{"resourceType":"Observation","component":[' + b",".join(
            [b'{"valueSampledData":{"origin":{"value":0,"unit":"mV"},"period":2,"data":"1 2"}}']
            * 100_000) + b"]}"}, "too_large"),
    "blanks for samples": (
        lambda: {"a.xml": b"<CardiologyXML><StripData><SampleRate>500</SampleRate><Resolution>5"
                 b"</Resolution><WaveformData>x" + b" " * 500_000 + b"x</WaveformData></StripData>"
                 b"</CardiologyXML>"}, "broken_file"),
    "defaults of a document type": (
        lambda: {"a.xml": b'<!DOCTYPE RestingECG [<!ATTLIST a x CDATA "' + b"y" * 100_000
                 + b'">]><RestingECG>' + b"<a/>" * 100_000 + b"</RestingECG>"}, "unsafe_file"),
    "an attribute beyond any lead": (
        lambda: {"a.xml": b"<RestingECG a='" + b"x" * 17_000_000 + b"'/>"}, "unsafe_file"),
    "a document type elsewhere": (
        lambda: {"a.xml": b'<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:9/e"> %e;]>'
                 b"<RestingECG/>"}, "unsafe_file"),
    "a lag of a thousand million": (
        lambda: header(b"rec.dat 16 ", b"rec.dat 16:1000000000 "), "broken_file"),
    "a thousand million segments": (
        lambda: {"m.hea": b"m/1000000000 12 250 1000\nrec 1000\n", **WFDB}, "broken_file"),
    "a segment in itself": (lambda: {"m.hea": b"m/1 12 250 1000\nm 1000\n"}, "broken_file"),
    "a signal file that is a pipe": (lambda: header(b"rec.dat", b"|ls"), "unsafe_file"),
}  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    with ReaderPool(memory_mb=300, timeout_s=30) as started:
        started.start()
        yield started


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_a_reader_and_not_by_its_limits(
    name: str, pool: ReaderPool
) -> None:
    make, code = HOSTILE[name]
    with pytest.raises(InvalidRecordError) as caught:
        pool.read(make())
    assert caught.value.code == code, str(caught.value)[:300]


def test_a_document_type_that_lies_elsewhere_is_not_fetched(pool: ReaderPool) -> None:
    declared = b'?><!DOCTYPE RestingECG SYSTEM "http://127.0.0.1:9/restecg.dtd"><Resting'
    assert pool.read({"a.xml": MUSE.replace(b"?><Resting", declared)}).sig_len == UV.shape[1]
