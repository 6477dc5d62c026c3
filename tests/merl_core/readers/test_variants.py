"""What the same formats look like in the wild: other units, names and layouts, averages alone."""

import io
import json
import re
import struct
from collections.abc import Callable
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
import pandas as pd
import pytest

from benchmarks import ecg_files
from benchmarks.ecg_files import LEADS, microvolts
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files
from merl_core.records import Record, select_leads

FS = 250
UV = microvolts(FS, 10)
MV = UV / 1000
TIMES = np.arange(UV.shape[1]) / FS


def read(content: str | bytes, name: str = "ecg.bin") -> Record:
    return read_files({name: content if isinstance(content, bytes) else content.encode()})


def codes(record: Record) -> set[str]:
    return {warning.code for warning in record.warnings}


def refusal(content: str | bytes) -> tuple[str, str]:
    with pytest.raises(InvalidRecordError) as caught:
        read(content)
    return caught.value.code, str(caught.value)


def assert_same(record: Record, atol_mv: float = 1e-5) -> None:
    assert record.fs == FS
    np.testing.assert_allclose(select_leads(record, LEADS), MV, atol=atol_mv)


def table(names: list[str], columns: np.ndarray, separator: str = ",") -> str:
    rows = [separator.join(map(str, row)) for row in columns.T.tolist()]
    return "\n".join([separator.join(names), *rows])


# --- only averages


def without(pattern: str, text: bytes, new: str = "") -> bytes:
    return re.sub(pattern, new, text.decode("latin-1"), flags=re.DOTALL).encode("latin-1")


def as_reference_beats(record: bytes) -> bytes:
    """Return an SCP-ECG record whose rhythm, section 6, is declared as section 5."""
    content = bytearray(record)
    entry = 22 + 10 * 6
    _, size, index = struct.unpack_from("<HII", content, entry)
    struct.pack_into("<HII", content, entry - 10, 5, size, index)
    struct.pack_into("<HII", content, entry, 6, 0, 0)
    struct.pack_into("<H", content, index + 1, 5)
    return bytes(content)


AVERAGES: dict[str, Callable[[], bytes]] = {
    "muse": lambda: without(
        r"<Waveform><WaveformType>Rhythm.*?</Waveform>", ecg_files.ge_muse(UV, FS)
    ),
    "cardiosoft": lambda: without(r"<StripData>.*</StripData>", ecg_files.cardiosoft(UV, FS)),
    "schiller": lambda: without("ECG_RHYTHMS", ecg_files.schiller(UV, FS), "ECG_AVERAGES"),
    "sierra": lambda: without(
        r"<parsedwaveforms.*</parsedwaveforms>",
        ecg_files.philips_sierra(UV, FS),
        "<repbeats><repbeat/></repbeats>",
    ),
    "mortara": lambda: without(
        r"<CHANNEL .*/>", ecg_files.mortara(UV, FS), '<TYPICAL_CYCLE BITS="16"/>'
    ),
    "scp": lambda: as_reference_beats(ecg_files.scp(UV, FS)),
    "aecg": lambda: without('"RHYTHM"', ecg_files.hl7_aecg(UV, FS), '"REPRESENTATIVE_BEAT"'),
}


@pytest.mark.parametrize("name", AVERAGES)
def test_a_file_with_averages_alone_is_refused_as_such(name: str) -> None:
    code, message = refusal(AVERAGES[name]())
    assert code == "averages_only"
    assert "median beats" in message


def test_a_muse_file_without_any_waveform_has_no_signal() -> None:
    assert refusal(without(r"<Waveform>.*</Waveform>", ecg_files.ge_muse(UV, FS)))[0] == "no_signal"


# --- units and names


def test_a_muse_file_without_the_word_microvolts_is_read_with_a_warning() -> None:
    content = ecg_files.ge_muse(UV, FS).replace(b"PerBit>1<", b"PerBit>0.5<")
    record = read(without(r"<LeadAmplitudeUnits>\w+</LeadAmplitudeUnits>", content))
    assert "unit_assumed" in codes(record)
    np.testing.assert_allclose(record.signal[0], MV[0] / 2, atol=1e-5)


def test_an_edf_without_a_dimension_takes_the_one_that_its_span_suggests() -> None:
    content = ecg_files.edf(UV, FS).replace(b"uV      ", b"        ")
    record = read(content)
    assert_same(record)
    assert "unit_assumed" in codes(record)


def test_an_ishne_file_of_twelve_unknown_leads_has_the_standard_order() -> None:
    content = bytearray(ecg_files.ishne(UV, FS))
    struct.pack_into("<12h", content, 158, *[0] * 12)
    record = read(bytes(content))
    assert_same(record)
    assert "leads_assumed" in codes(record)


@pytest.mark.parametrize("suffix", ["/uV", " in uV", " [microvolts]", "_uV", " (µV)"])
def test_a_unit_may_follow_a_lead_in_many_ways(suffix: str) -> None:
    names = [f"{lead}{suffix}" for lead in reversed(LEADS)]
    record = read("# fs: 250\n" + table(names, UV[::-1]))
    assert_same(record)
    assert not codes(record)


def test_chest_leads_may_be_named_as_electrodes() -> None:
    names = [lead.replace("V", "C") if lead.startswith("V") else lead for lead in LEADS]
    record = read(table(names, MV))
    assert_same(record)
    assert "leads_assumed" in codes(record)


@pytest.mark.parametrize("spelling", ["{}", "Lead {}", "lead_{}", "L{}"])
def test_limb_leads_may_be_numbered(spelling: str) -> None:
    record = read(table([spelling.format(i) for i in (1, 2, 3)] + list(LEADS[3:]), MV))
    assert_same(record)
    assert "leads_assumed" in codes(record)


def test_electrodes_of_an_eeg_are_no_chest_leads() -> None:
    record = read("# fs: 250\n" + table(["I", "II", "C3", "C4"], MV[:4]))
    assert "V3" not in record.leads


@pytest.mark.parametrize(
    "remark", ["gain: 200 adu/mV", "Gain = 200 per mV", "resolution: 5 uV/LSB", "LSB; 5 µV"]
)
def test_a_stated_gain_applies_to_whole_numbers(remark: str) -> None:
    record = read(f"# fs: 250\n# {remark}\n" + table(list(LEADS), np.rint(MV * 200).astype(int)))
    assert_same(record, 0.0026)
    assert codes(record) == {"gain_applied"}


def test_a_stated_gain_does_not_apply_to_millivolts() -> None:
    record = read("# fs: 250\n# gain: 200 adu/mV\n" + table(list(LEADS), MV))
    assert_same(record)


@pytest.mark.parametrize(("name", "factor"), [("time_ns", 1e9), ("time/ms", 1e3), ("t in us", 1e6)])
def test_a_time_column_is_read_in_its_unit(name: str, factor: float) -> None:
    record = read(table([name, *LEADS], np.vstack([TIMES * factor, MV])))
    assert_same(record)
    assert "rate_assumed" not in codes(record)


def test_a_time_column_may_stand_anywhere() -> None:
    record = read(table([*LEADS, "time (s)"], np.vstack([MV, TIMES])))
    assert_same(record)
    assert codes(record) == {"unit_assumed"}


def test_a_column_may_tell_the_rate() -> None:
    record = read(table([*LEADS, "fs"], np.vstack([MV[:, :1000], np.full(1000, FS)])))
    assert (record.fs, len(record.leads), record.sig_len) == (FS, 12, 1000)


def test_the_minus_of_typesetting_is_a_minus() -> None:
    assert_same(read(table(list(LEADS), MV).replace("-", "\N{MINUS SIGN}")))


def test_a_header_of_wfdb_may_begin_with_a_byte_order_mark() -> None:
    files = ecg_files.wfdb_files(UV, FS, "16")
    marked = {k: (b"\xef\xbb\xbf" + v if k.endswith(".hea") else v) for k, v in files.items()}
    assert_same(read_files(marked))


def test_gains_of_each_lead_are_applied() -> None:
    gains = np.full(12, 200.0)
    gains[6:] = 400.0
    out = io.BytesIO()
    np.savez(out, ecg=np.rint(MV * gains[:, None]).astype(np.int16), gain=gains, fs=FS)
    record = read(out.getvalue())
    assert_same(record, 0.0026)
    assert "gain_applied" in codes(record)


def test_one_signal_without_a_name_is_refused_as_such() -> None:
    out = io.BytesIO()
    np.save(out, MV[0])
    code, message = refusal(out.getvalue())
    assert code == "unknown_leads"
    assert "one signal of 2500 samples" in message


# --- normalised signals


@pytest.mark.parametrize(
    "normalised",
    [
        (MV - MV.mean(1, keepdims=True)) / MV.std(1, keepdims=True),
        (MV - MV.min(1, keepdims=True)) / np.ptp(MV, axis=1, keepdims=True),
        (MV - MV.min()) / np.ptp(MV),
    ],
    ids=["z-scores", "a range a lead", "one range"],
)
def test_a_signal_without_its_voltages_is_pointed_out(normalised: np.ndarray) -> None:
    assert "normalised" in codes(read(table(list(LEADS), normalised)))
    assert "normalised" not in codes(read(table(list(LEADS), MV)))


# --- a row for each lead and time


def long_rows(separator: str = ",", point: str = ".", *, by_lead: bool = False) -> str:
    pairs = [(i, j) for i in range(12) for j in range(2500)]
    pairs = pairs if by_lead else sorted(pairs, key=lambda pair: pair[1])
    rows = [f"{TIMES[j]:.3f}{separator}{LEADS[i]}{separator}{MV[i, j]}" for i, j in pairs]
    return "\n".join(rows).replace(".", point)


def test_a_row_for_each_lead_and_time_is_a_table() -> None:
    assert_same(read("time,lead,value\n" + long_rows()))
    assert_same(read("time (s),lead,value_mV\n" + long_rows(by_lead=True)))
    assert_same(read("Zeit;Ableitung;Wert\n" + long_rows(";", ",")))


def test_rows_of_parquet_may_be_a_lead_and_time_too() -> None:
    frame = pd.DataFrame(
        {
            "time": pd.Timestamp("2024-01-02") + pd.to_timedelta(np.repeat(TIMES, 12), unit="s"),
            "lead": list(LEADS) * 2500,
            "value": MV.T.ravel(),
        }
    )
    out = io.BytesIO()
    frame.to_parquet(out)
    assert_same(read(out.getvalue()))


def test_leads_that_do_not_share_their_times_are_refused_by_name() -> None:
    text = "time,lead,value\n" + long_rows()
    code, message = refusal(text.rpartition("\n")[0])
    assert code == "broken_file"
    assert "'V6': 2499" in message


# --- FHIR in XML


def as_xml(value: object, name: str, parent: Element | None = None) -> Element:
    """Return JSON of FHIR as its XML."""
    element = Element(name) if parent is None else SubElement(parent, name)
    if not isinstance(value, dict):
        element.set("value", str(value))
        return element
    for key, item in value.items():
        for one in item if isinstance(item, list) else [item]:
            if key == "resource":
                as_xml(one, str(one["resourceType"]), SubElement(element, "resource"))
            elif key != "resourceType":
                as_xml(one, key, element)
    return element


def test_a_bundle_in_xml_is_what_it_is_in_json() -> None:
    document = json.loads(ecg_files.fhir(UV, FS))
    root = as_xml(document, "Bundle")
    root.set("xmlns", "http://hl7.org/fhir")
    record = read(tostring(root), "bundle.xml")
    assert_same(record)
    assert (record.format, record.age_years, record.sex) == ("fhir", 60, "F")
    observation = as_xml(document["entry"][1]["resource"], "Observation")
    observation.set("xmlns", "http://hl7.org/fhir")
    assert_same(read(tostring(observation)))


# --- units that differ, gaps, and other seconds


def test_each_lead_of_a_table_may_have_its_own_unit() -> None:
    factors = np.where(np.arange(12) % 2, 1000.0, 1.0)[:, None]
    names = [f"{lead} ({'uV' if i % 2 else 'mV'})" for i, lead in enumerate(LEADS)]
    assert_same(read(table(names, MV * factors)))


def test_a_row_of_units_may_hold_several() -> None:
    factors = np.where(np.arange(12) % 2, 1000.0, 1.0)[:, None]
    head, body = table(list(LEADS), MV * factors).split("\n", 1)
    assert_same(read(f"time,{head}\ns,{','.join(['mV', 'uV'] * 6)}\n{timed(body)}"))


def test_arrays_may_have_a_unit_for_each_lead() -> None:
    factors = np.where(np.arange(12) % 2, 1000.0, 1.0)[:, None]
    out = io.BytesIO()
    np.savez(out, ecg=MV * factors, fs=FS, leads=np.array(LEADS), units=np.array(["mV", "uV"] * 6))
    assert_same(read(out.getvalue()))


def timed(body: str, times: np.ndarray = TIMES) -> str:
    return "\n".join(f"{t:.3f},{row}" for t, row in zip(times, body.split("\n"), strict=True))


@pytest.mark.parametrize(("name", "scale"), [("seconds", 1), ("Secs", 1), ("ms", 1000)])
def test_a_time_column_may_be_called_by_its_unit(name: str, scale: float) -> None:
    record = read(table([name, *LEADS], np.vstack([TIMES * 2 * scale, MV])))
    assert record.fs == FS / 2


def test_a_time_column_with_a_gap_tells_the_rate_and_is_doubted() -> None:
    times = TIMES * 2 + np.where(np.arange(len(TIMES)) > 900, 3.0, 0.0)
    record = read(table(["time", *LEADS], np.vstack([times, MV])))
    assert record.fs == FS / 2
    assert "discontinuous" in codes(record)


@pytest.mark.parametrize("rows", [(0, 3), (5, 7)], ids=["at the start", "inside"])
@pytest.mark.parametrize("cells", [",,,,,,,,,,,", ",".join(["NaN"] * 12)], ids=["empty", "NaN"])
def test_rows_in_which_nothing_was_recorded_are_left_open(
    rows: tuple[int, int], cells: str
) -> None:
    head, *lines = table(list(LEADS), MV).split("\n")
    lines[slice(*rows)] = [cells] * (rows[1] - rows[0])
    record = read(f"time (s),{head}\n" + timed("\n".join(lines)))
    missing = np.isnan(record.signal).all(axis=0)
    assert np.flatnonzero(missing).tolist() == list(range(*rows))
    assert record.sig_len == MV.shape[1]


def test_an_empty_last_cell_is_left_open() -> None:
    head, *lines = table(list(LEADS), MV).split("\n")
    lines[5] = lines[5].rpartition(",")[0] + ","
    record = read("\n".join([head, *lines]))
    assert np.isnan(record.signal).sum() == np.isnan(record.signal[11, 5]) == 1


def test_lists_in_brackets_are_no_table() -> None:
    lines = [f"[{','.join(map(str, row))}]" for row in MV.tolist()]
    assert refusal("\n".join(lines))[0] == "unknown_format"


def test_a_unit_may_be_named_as_devices_name_it() -> None:
    content = ecg_files.fhir(UV, FS).replace(b'"code": "uV"', b'"code": "MDC_DIM_MICRO_VOLT"')
    assert_same(read(content))


def test_a_fhir_lead_without_a_unit_takes_the_one_that_its_span_suggests() -> None:
    content = ecg_files.fhir(UV, FS).replace(b', "code": "uV"', b"")
    record = read(content)
    assert_same(record)
    assert "unit_assumed" in codes(record)


def test_an_ishne_file_shorter_than_declared_is_truncated() -> None:
    record = read(ecg_files.ishne(UV, FS)[:-2400])
    assert (record.sig_len, codes(record)) == (2400, {"truncated"})


def test_a_lead_that_was_off_is_left_open_in_ishne() -> None:
    off = UV.copy()
    off[3, 100:120] = -32768
    record = read(ecg_files.ishne(off, FS))
    assert "padding_value" in codes(record)
    assert np.isnan(record.signal).sum() == np.isnan(record.signal[3, 100:120]).sum() == 20


def test_a_matlab_4_file_of_the_other_byte_order_is_read() -> None:
    header = struct.pack(">5i", 1000, 12, UV.shape[1], 0, 4) + b"ecg\0"
    assert_same(read(header + MV.T.astype(">f8").tobytes()))


# --- full disclosure of CardioSoft


def full_disclosure(order: str, values: np.ndarray) -> bytes:
    full = (
        f'<FullDisclosure><SampleRate units="Hz">{FS}</SampleRate><NumberOfChannels>'
        f'{order.count(",") + 1}</NumberOfChannels><Resolution units="uVperLsb">1</Resolution>'
        f"<LeadOrder>{order}</LeadOrder><FullDisclosureData>{','.join(map(str, values))},"
        "</FullDisclosureData></FullDisclosure>"
    )
    return without(r"<StripData>.*</StripData>", ecg_files.cardiosoft(UV, FS), full)


def test_a_full_disclosure_holds_the_leads_in_turns() -> None:
    assert_same(read(full_disclosure("1,2,3," + ",".join(LEADS[3:]), UV.T.ravel())))


def test_a_full_disclosure_that_the_leads_do_not_share_is_refused() -> None:
    assert refusal(full_disclosure(",".join(LEADS), UV.T.ravel()[:-1]))[0] == "truncated_file"
    assert refusal(full_disclosure("I,I,II", UV.T.ravel()))[0] == "unknown_leads"
