"""Each format from a file written here: samples, rate, who and when; and nobody's name."""

import copy
import io
import json
import re
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pydicom
import pytest
import scipy.io
from pydicom.dataset import Dataset

from benchmarks import ecg_files
from benchmarks.ecg_files import LEADS, microvolts, write_all
from merl_core.errors import InvalidRecordError
from merl_core.readers import formats, read_files, read_record
from merl_core.readers.assembly import Findings
from merl_core.records import Record, select_leads

FS = 250
UV = microvolts(FS, 10)
FILES = write_all(UV, FS)
STEP_UV = {"cardiosoft": 5.0, "wfdb212": 5.0}
"""Where a step of the container is more than one microvolt."""
KNOWS_PATIENT = (
    "dicom",
    "ge_muse",
    "cardiosoft",
    "schiller",
    "philips_sierra",
    "mortara",
    "fhir",
    "fhir_xml",
    "wfdb16",
)
KNOWS_START = (
    "dicom",
    "ge_muse",
    "cardiosoft",
    "schiller",
    "philips_sierra",
    "mortara",
    "hl7_aecg",
)


def codes(record: Record) -> list[str]:
    return [warning.code for warning in record.warnings]


def refusal(files: dict[str, bytes]) -> str:
    with pytest.raises(InvalidRecordError) as caught:
        read_files(files)
    return caught.value.code


@pytest.mark.parametrize("name", FILES)
def test_a_written_file_reads_back_within_a_step(name: str) -> None:
    record = read_files(FILES[name])
    leads = [lead for lead in LEADS if lead in record.leads]
    expected = UV[[LEADS.index(lead) for lead in leads]] / 1000
    half_step_mv = STEP_UV.get(name, 0.1) / 2000
    assert record.fs == FS
    assert len(leads) == (8 if name == "ge_muse" else 12)
    assert np.abs(select_leads(record, leads) - expected).max() <= half_step_mv + 1e-6


@pytest.mark.parametrize("name", KNOWS_PATIENT)
def test_age_and_sex_are_read(name: str) -> None:
    record = read_files(FILES[name])
    assert (record.age_years, record.sex) == (60, "F")


@pytest.mark.parametrize("name", KNOWS_START)
def test_the_start_is_read(name: str) -> None:
    assert read_files(FILES[name]).start == datetime(2024, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", FILES)
def test_nothing_of_a_record_names_the_patient(name: str) -> None:
    record = read_files(FILES[name])
    shown = repr([getattr(record, field) for field in Record.__slots__ if field != "signal"])
    assert not {"roe", "jane", "4711", "doe"} & set(shown.lower().replace("'", " ").split())


def test_the_registry_tries_every_format_once() -> None:
    names = [item.name for item in formats()]
    assert len(names) == len(set(names)) == 20


def test_a_record_carries_the_digest_of_its_files() -> None:
    first, again = read_files(FILES["wfdb16"]), read_files(dict(reversed(FILES["wfdb16"].items())))
    assert first.sha256 == again.sha256
    assert len(first.sha256) == 64


def test_a_header_brings_its_signal_files_from_its_folder(tmp_path: Path) -> None:
    for name, content in FILES["wfdb16"].items():
        (tmp_path / name).write_bytes(content)
    for given in ("rec.hea", "rec.dat", "rec"):
        assert read_record(tmp_path / given).format == "wfdb"


def test_a_muse_file_gives_its_rhythm_and_not_the_median_beat() -> None:
    assert read_files(FILES["ge_muse"]).sig_len == UV.shape[1]


def test_a_muse_file_with_its_document_type_is_read() -> None:
    text = FILES["ge_muse"]["ge_muse.bin"].decode()
    typed = text.replace("?>", '?><!DOCTYPE RestingECG SYSTEM "restecg.dtd">', 1)
    assert read_files({"muse.xml": typed.encode()}).format == "ge_muse"


@pytest.mark.parametrize(
    "name", ["ge_muse", "cardiosoft", "schiller", "philips_sierra", "mortara", "hl7_aecg"]
)
def test_xml_that_declares_utf_16_but_is_not_is_read(name: str) -> None:
    text = FILES[name][f"{name}.bin"].decode("latin-1")
    declared = re.sub('encoding="[^"]*"', 'encoding="utf-16"', text, count=1)
    assert read_files({"a.xml": declared.encode()}).format == name


def test_statements_that_name_a_person_are_dropped() -> None:
    assert read_files(FILES["ge_muse"]).device.statements == ("Normal sinus rhythm",)
    assert read_files(FILES["cardiosoft"]).device.statements == ("Normal ECG",)
    assert read_files(FILES["wfdb16"]).device.statements == ("Dx: 426783006",)


def test_scp_with_leads_that_start_at_zero_is_repaired_with_a_warning() -> None:
    record = read_files({"contec.scp": ecg_files.scp(UV, FS, first_sample=0)})
    assert "lead_start_repaired" in codes(record)
    assert np.allclose(select_leads(record, LEADS), UV / 1000, atol=1e-6)


def test_a_calibration_pulse_is_cut_with_a_warning() -> None:
    record = read_files(FILES["philips_sierra"])
    assert record.sig_len == UV.shape[1]
    assert codes(record) == ["calibration_pulse_removed"]


def test_what_a_library_quotes_from_a_file_is_not_passed_on() -> None:
    findings = Findings()
    with findings.library_warnings():
        warnings.warn("Invalid value for VR PN: 'Roe^Jane' in /tmp/x/roe.dcm", stacklevel=1)
    assert "roe" not in findings.warnings[0].message.lower()


# DICOM


def changed_dicom(change: Callable[[Any], None]) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(FILES["dicom"]["dicom.bin"]))
    change(dataset)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset)
    return out.getvalue()


def group_of(dataset: Any, rows: slice, originality: str = "ORIGINAL") -> Dataset:
    whole = dataset.WaveformSequence[0]
    group: Dataset = copy.deepcopy(whole)
    group.WaveformOriginality = originality
    group.ChannelDefinitionSequence = whole.ChannelDefinitionSequence[rows]
    group.NumberOfWaveformChannels = len(group.ChannelDefinitionSequence)
    group.WaveformData = UV[rows].T.astype("<i2").tobytes()
    return group


def test_dicom_groups_of_three_leads_are_merged() -> None:
    def split(dataset: Any) -> None:
        dataset.WaveformSequence = [group_of(dataset, slice(i, i + 3)) for i in range(0, 12, 3)]

    record = read_files({"a.dcm": changed_dicom(split)})
    assert np.array_equal(select_leads(record, LEADS), (UV / 1000).astype(np.float32))


def test_a_derived_dicom_group_is_not_read() -> None:
    def add_median(dataset: Any) -> None:
        dataset.WaveformSequence.insert(0, group_of(dataset, slice(0, 12), "DERIVED"))

    assert read_files({"a.dcm": changed_dicom(add_median)}).leads == LEADS


def test_dicom_groups_one_after_another_leave_the_rest_open() -> None:
    def shift(dataset: Any) -> None:
        first, second = group_of(dataset, slice(0, 6)), group_of(dataset, slice(6, 12))
        second.MultiplexGroupTimeOffset = 10_000.0
        dataset.WaveformSequence = [first, second]

    record = read_files({"a.dcm": changed_dicom(shift)})
    assert record.duration_s == 20
    assert np.isnan(record.signal[0, 2500:]).all()
    assert np.isnan(record.signal[6, :2500]).all()


def test_an_ecg_under_another_dicom_class_is_read() -> None:
    def relabel(dataset: Any) -> None:
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.9.2.1"  # haemodynamic waveform

    assert read_files({"a.dcm": changed_dicom(relabel)}).sig_len == 2500


def test_a_dicom_padding_value_of_zero_leaves_zero_volts() -> None:
    def pad(dataset: Any) -> None:
        dataset.WaveformSequence[0].add_new("WaveformPaddingValue", "OW", b"\x00\x00")

    record = read_files({"a.dcm": changed_dicom(pad)})
    assert np.isfinite(record.signal).all()
    assert codes(record) == ["padding_value"]


def test_a_dicom_padding_value_beyond_the_range_is_not_recorded() -> None:
    def pad(dataset: Any) -> None:
        group = dataset.WaveformSequence[0]
        padded = UV.copy()
        padded[3, :100] = -32768
        group.WaveformData = padded.T.astype("<i2").tobytes()
        group.add_new("WaveformPaddingValue", "OW", b"\x00\x80")

    assert np.isnan(read_files({"a.dcm": changed_dicom(pad)}).signal).sum() == 100


def test_a_dicom_image_is_refused() -> None:
    def without(dataset: Any) -> None:
        del dataset.WaveformSequence

    assert refusal({"a.dcm": changed_dicom(without)}) == "no_signal"


def test_a_dicom_waveform_shorter_than_declared_is_refused() -> None:
    def cut(dataset: Any) -> None:
        dataset.WaveformSequence[0].NumberOfWaveformSamples = 2**31

    assert refusal({"a.dcm": changed_dicom(cut)}) == "truncated_file"


@pytest.mark.parametrize("is_undefined_length", [True, False])
def test_a_dicom_file_that_was_cut_off_names_the_element_that_it_ends_in(
    is_undefined_length: bool,
) -> None:
    def of_length(dataset: Any) -> None:
        dataset["WaveformSequence"].is_undefined_length = is_undefined_length

    content = changed_dicom(of_length)
    end = content.index(b"\x00\x54\x00\x01") + 14
    with pytest.raises(
        InvalidRecordError, match=r"in or behind WaveformSequence \(5400,0100\)"
    ) as caught:
        read_files({"a.dcm": content[:end]})
    assert caught.value.code == "truncated_file"


def test_an_element_that_a_dicom_waveform_lacks_is_named() -> None:
    def without(dataset: Any) -> None:
        del dataset.WaveformSequence[0].SamplingFrequency

    with pytest.raises(InvalidRecordError, match=r"no SamplingFrequency \(003A,001A\)"):
        read_files({"a.dcm": changed_dicom(without)})


# Text of numbers in XML


@pytest.mark.parametrize("separator", [", ", "\n", ";", " \t"])
def test_numbers_in_xml_are_told_apart_by_whatever_stands_between_them(separator: str) -> None:
    document = FILES["schiller"]["schiller.bin"].decode()
    row = ",".join(map(str, UV[0].tolist()))
    assert row in document
    record = read_files({"a.xml": document.replace(row, row.replace(",", separator)).encode()})
    assert np.allclose(record.signal[0], UV[0] / 1000)


def test_an_empty_place_among_numbers_in_xml_is_not_recorded() -> None:
    document = FILES["schiller"]["schiller.bin"].decode()
    row = ",".join(map(str, UV[0].tolist()))
    first, _, rest = row.split(",", 2)
    record = read_files({"a.xml": document.replace(row, f"{first},,{rest}").encode()})
    assert np.isnan(record.signal[0]).tolist()[:3] == [False, True, False]
    assert record.sig_len == 2500


# FHIR


def changed_fhir(**changes: object) -> dict[str, bytes]:
    bundle = json.loads(FILES["fhir"]["fhir.bin"])
    for component in bundle["entry"][1]["resource"]["component"]:
        component["valueSampledData"].update(changes)
    return {"ecg.json": json.dumps(bundle).encode()}


def test_fhir_release_5_gives_an_interval_in_place_of_a_period() -> None:
    assert read_files(changed_fhir(period=None, interval=4, intervalUnit="ms")).fs == 250


def test_fhir_errors_and_limits_are_not_recorded() -> None:
    data = "E U L " + " ".join(map(str, UV[0, 3:].tolist()))
    record = read_files(changed_fhir(data=data))
    assert np.isnan(record.signal[:, :3]).all()
    assert np.isfinite(record.signal[:, 3:]).all()


@pytest.mark.parametrize("spelling", ["ECG lead {}", "EKG {} lead tracing", "{}"])
def test_fhir_leads_are_known_by_what_is_displayed(spelling: str) -> None:
    bundle = json.loads(FILES["fhir"]["fhir.bin"])
    for lead, component in zip(LEADS, bundle["entry"][1]["resource"]["component"], strict=True):
        component["code"] = {"coding": [{"code": "x", "display": spelling.format(lead)}]}
    assert read_files({"a.json": json.dumps(bundle).encode()}).leads == LEADS


def test_fhir_resources_one_a_line_are_read() -> None:
    resources = [entry["resource"] for entry in json.loads(FILES["fhir"]["fhir.bin"])["entry"]]
    record = read_files({"a.ndjson": "\n".join(map(json.dumps, resources)).encode()})
    assert (record.leads, record.sex) == (LEADS, "F")


def test_fhir_in_utf_16_is_read() -> None:
    content = FILES["fhir"]["fhir.bin"].decode().encode("utf-16")
    assert read_files({"a.json": content}).leads == LEADS


def test_fhir_origin_and_factor_scale_the_data() -> None:
    record = read_files(changed_fhir(origin={"value": 2, "unit": "mV"}, factor=0.001))
    assert record.signal[0, 0] == pytest.approx(2 + UV[0, 0] / 1000)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"period": None}, "unknown_rate"),
        ({"origin": {"value": 0, "code": "mm[Hg]"}}, "unknown_unit"),
        ({"data": "1 2 three"}, "broken_file"),
        ({"period": 0}, "broken_file"),
    ],
)
def test_fhir_that_cannot_be_read_is_refused(changes: dict[str, object], code: str) -> None:
    assert refusal(changed_fhir(**changes)) == code


# Arrays


def saved(**arrays: Any) -> dict[str, bytes]:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return {"a.npz": out.getvalue()}


def test_pickled_objects_are_never_read() -> None:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert refusal({"a.npy": out.getvalue()}) == "unsafe_file"


def test_a_broken_array_header_is_refused() -> None:
    content = FILES["npy"]["npy.bin"].replace(b"{'descr'", b"{'descr(", 1)
    assert refusal({"a.npy": content}) == "broken_file"


def test_a_batch_of_recordings_is_refused() -> None:
    assert refusal(saved(ecg=np.ones((5, 1000, 12)), fs=100)) == "several_records"


def test_a_batch_of_one_is_read() -> None:
    assert read_files(saved(ecg=UV.T[None] / 1000, fs=250)).sig_len == 2500


def test_code_tracings_lose_their_zero_padding() -> None:
    padded = np.zeros((1, 4096, 12), np.float32)
    padded[0, 700:3200] = UV.T / 1000
    record = read_files(saved(tracings=padded))
    assert record.fs == 400
    assert abs(record.sig_len - 2500) <= 2
    assert "padding_value" in codes(record)


def hdf5_with(write: Callable[[Any], None]) -> dict[str, bytes]:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file)
    return {"a.h5": out.getvalue()}


def test_hdf5_samples_in_other_files_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(24_000))

    def external(file: Any) -> None:
        place = [(str(secret), 0, 24_000)]
        file.create_dataset("ecg", shape=(12, 1000), dtype="i2", external=place)

    assert refusal(hdf5_with(external)) == "unsafe_file"


def test_hdf5_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    other.write_bytes(hdf5_with(lambda file: file.create_dataset("ecg", data=UV))["a.h5"])

    def link(file: Any) -> None:
        file["ecg"] = h5py.ExternalLink(str(other), "ecg")

    assert refusal(hdf5_with(link)) == "no_signal"


def test_a_declared_hdf5_size_is_checked_before_reading() -> None:
    def huge(file: Any) -> None:
        file.create_dataset("ecg", shape=(12, 10**11), dtype="f8", chunks=(1, 1000))

    assert refusal(hdf5_with(huge)) == "too_large"


def zeros_in(kind: str) -> bytes:
    """A small file that unpacks to 96 MB of zeros."""
    zeros = np.zeros((12, 1_000_000))
    out = io.BytesIO()
    if kind == "npz":
        np.savez_compressed(out, ecg=zeros)
    elif kind == "mat":
        scipy.io.savemat(out, {"a": {"val": zeros}}, do_compression=True)
    else:
        return hdf5_with(lambda file: file.create_dataset("ecg", data=zeros, compression="gzip"))[
            "a.h5"
        ]
    return out.getvalue()


@pytest.mark.parametrize("kind", ["npz", "mat", "hdf5"])
def test_a_small_file_that_unpacks_to_far_more_is_refused(kind: str) -> None:
    assert refusal({"a": zeros_in(kind)}) == "too_large"


def test_a_huge_hdf5_attribute_is_passed_over() -> None:
    def attribute(file: Any) -> None:
        file.create_dataset("ecg", data=UV).attrs["fs"] = 250
        file["ecg"].attrs.create("notes", np.zeros(7000))

    assert read_files(hdf5_with(attribute)).fs == 250
