"""Uploads: archives are confined, sizes are bounded, foreign files are named for what they are."""

import io
import stat
import zipfile

import pytest

from benchmarks.ecg_files import microvolts, wfdb_files, zipped
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files
from merl_core.readers.upload import MAX_MEMBERS, Part

RECORD = wfdb_files(microvolts(250, 4), 250, "16")


def refusal(files: dict[str, bytes]) -> str:
    with pytest.raises(InvalidRecordError) as caught:
        read_files(files)
    return caught.value.code


def test_a_zip_with_folders_and_foreign_files_is_read() -> None:
    files = {f"a/b/{name}": content for name, content in RECORD.items()}
    extra = {"__MACOSX/a/._rec.hea": b"\x00\x05", "a/.DS_Store": b"x", "a/README.txt": b"Hello."}
    assert read_files({"all.zip": zipped({**files, **extra})}).sig_len == 1000


@pytest.mark.parametrize(
    "name", ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv", "C:\\evil.csv"]
)
def test_a_member_outside_of_the_archive_is_refused(name: str) -> None:
    assert refusal({"a.zip": zipped({name: b"1,2\n3,4\n"})}) == "unsafe_file"


def test_an_archive_that_unpacks_to_far_more_is_refused() -> None:
    assert refusal({"a.zip": zipped({"a.csv": bytes(60 * 2**20)})}) == "too_large"


def test_an_archive_of_very_many_files_is_refused() -> None:
    many = {f"{i}.txt": b"x" for i in range(MAX_MEMBERS + 1)}
    assert refusal({"a.zip": zipped(many)}) == "too_large"


def test_a_link_in_an_archive_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("rec.dat")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert refusal({"a.zip": out.getvalue()}) == "unsafe_file"


def test_an_archive_in_an_archive_is_not_opened() -> None:
    inner = zipped(RECORD)
    assert refusal({"a.zip": zipped({"b.zip": inner})}) == "unknown_format"


def test_a_broken_archive_is_refused() -> None:
    content = bytearray(zipped(RECORD))
    content[60:200] = bytes(140)
    assert refusal({"a.zip": bytes(content)}) == "broken_file"


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (bytes(257) + b"ustar\x00", "a tar archive"),
        (b"\xfd7zXZ\x00...", "xz: send it in a zip"),
        (b"\x80\x04\x95....", "pickled"),
        (b'{"signal": [1, 2]}', "no FHIR"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "image"),
        (zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<w/>"}), "Office"),
    ],
)
def test_a_file_that_is_no_ecg_is_named_for_what_it_is(content: bytes, hint: str) -> None:
    with pytest.raises(InvalidRecordError, match=hint) as caught:
        read_files({"a.bin": content})
    assert caught.value.code == "unknown_format"


def test_nothing_sent_is_refused() -> None:
    assert refusal({}) == "unknown_format"
    assert refusal({"empty": b""}) == "unknown_format"


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE x [<!ENTITY a "aaa"><!ENTITY b "&a;&a;&a;">]><RestingECG>&b;</RestingECG>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><AnnotatedECG>&a;</AnnotatedECG>',
        '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://example.org/x">%a;]><CardiologyXML/>',
    ],
)
def test_xml_that_declares_entities_is_refused(document: str) -> None:
    assert refusal({"a.xml": document.encode()}) == "unsafe_file"


@pytest.mark.parametrize(
    "document",
    [
        "<RestingECG>" + "<a>" * 100_000,
        "<AnnotatedECG>" + "<a/>" * 600_000 + "</AnnotatedECG>",
        "<CardiologyXML " + " ".join(f'a{i}="1"' for i in range(10_000)) + "/>",
    ],
    ids=["deep", "long", "wide"],
)
def test_xml_beyond_any_recording_is_refused(document: str) -> None:
    assert refusal({"a.xml": document.encode()}) == "unsafe_file"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1", "cp1252"])
def test_the_root_of_xml_is_found_in_any_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><x:ä xmlns:x="urn:a"/>'
    assert Part("a.xml", text.encode(encoding)).root_tag == "ä"


def test_xml_in_utf_16_without_a_mark_is_known_whatever_it_declares() -> None:
    content = '<?xml version="1.0" encoding="UTF-8"?><CardiologyXML/>'.encode("utf-16-le")
    assert Part("a.xml", content).root_tag == "CardiologyXML"


def test_xml_of_another_kind_is_no_known_format() -> None:
    assert refusal({"a.xml": b"<?xml version='1.0'?><html><body/></html>"}) == "unknown_format"
