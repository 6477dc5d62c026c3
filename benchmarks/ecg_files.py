"""Writes one made-up recording in every format: seeds for fuzzing, tests, and reading speed."""

import base64
import io
import json
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_MDC = {"I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64}
_MDC |= {f"V{i}": i + 2 for i in range(1, 7)}


def microvolts(fs: int = 250, duration_s: int = 10) -> NDArray[np.int16]:
    """Return twelve leads of a regular beat, whole microvolts, shape (12, T)."""
    t = np.arange(fs * duration_s) / fs
    phase = np.mod(t, 0.8)
    waves = ((0.15, 0.1, 0.03), (0.30, 1.0, 0.012), (0.34, -0.25, 0.012), (0.52, 0.3, 0.05))
    beat = sum(a * np.exp(-((phase - at) ** 2) / (2 * w * w)) for at, a, w in waves)
    beat = beat + 0.05 * np.sin(2 * np.pi * 0.3 * t)
    one, two = 0.6 * beat, 1.0 * beat
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = [scale * beat for scale in (-0.5, -0.3, 0.6, 1.2, 1.1, 0.9)]
    return np.round(1000 * np.stack(limb + chest)).astype(np.int16)


def write_all(uv: NDArray[np.int16], fs: int) -> dict[str, dict[str, bytes]]:
    """Return the files of every format, by a name that says which, then by file name."""
    files = {name: {f"{name}.bin": write(uv, fs)} for name, write in _SINGLE.items()}
    for fmt in ("16", "212", "24", "32", "516"):
        files[f"wfdb{fmt}"] = wfdb_files(uv, fs, fmt)
    files["wfdb_segments"] = wfdb_segments(uv, fs)
    files["wfdb_zip"] = {"record.zip": zipped(files["wfdb16"], "folder/")}
    return files


def _commas(row: list[int]) -> str:
    return ",".join(map(str, row))


def zipped(files: dict[str, bytes], folder: str = "") -> bytes:
    """Return a zip of the files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)
    return out.getvalue()


def wfdb_files(uv: NDArray[np.int16], fs: int, fmt: str) -> dict[str, bytes]:
    """Return header and signal of a WFDB record."""
    gain = 200.0 if fmt == "212" else 1000.0
    digital = np.round(uv.T * gain / 1000).astype(np.int64)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3 with pandas 3.1
        import wfdb

        wfdb.wrsamp(
            "rec", fs=fs, units=["mV"] * 12, sig_name=list(LEADS), d_signal=digital,
            fmt=[fmt] * 12, adc_gain=[gain] * 12, baseline=[0] * 12, write_dir=folder,
            comments=["Age: 60", "Sex: Female", "Dx: 426783006", "Name: Jane Roe"],
        )  # fmt: skip
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def wfdb_segments(uv: NDArray[np.int16], fs: int) -> dict[str, bytes]:
    """Return a WFDB record of two segments, whose header gives no length of the whole."""
    middle = uv.shape[1] // 2
    parts = {"one": uv[:, :middle], "two": uv[:, middle:]}
    files = {"whole.hea": f"whole/2 12 {fs}\none {middle}\ntwo {uv.shape[1] - middle}\n".encode()}
    for name, part in parts.items():
        record = wfdb_files(part, fs, "16")
        files[f"{name}.hea"] = record["rec.hea"].replace(b"rec", name.encode())
        files[f"{name}.dat"] = record["rec.dat"]
    return files


def dicom(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a 12-lead ECG object."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = TwelveLeadECGWaveformStorage, generate_uid()
    ds.PatientName, ds.PatientID, ds.PatientAge, ds.PatientSex = "Roe^Jane", "4711", "060Y", "F"
    ds.AcquisitionDateTime = "20240102030405"
    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 12, uv.shape[1]
    group.SamplingFrequency = fs
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.ChannelDefinitionSequence = []
    for lead in LEADS:
        source, unit, channel = Dataset(), Dataset(), Dataset()
        source.CodeValue, source.CodingSchemeDesignator = f"2:{_MDC[lead]}", "MDC"
        source.CodeMeaning = f"Lead {lead}"
        unit.CodeValue, unit.CodingSchemeDesignator = "uV", "UCUM"
        channel.ChannelSourceSequence = [source]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = 1, 1
        channel.ChannelBaseline, channel.WaveformBitsStored = 0, 16
        channel.ChannelSensitivityUnitsSequence = [unit]
        group.ChannelDefinitionSequence.append(channel)
    group.WaveformData = uv.T.astype("<i2").tobytes()
    ds.WaveformSequence = [group]
    note = Dataset()
    note.UnformattedTextValue = "Sinus rhythm"
    ds.WaveformAnnotationSequence = [note]
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def scp(uv: NDArray[np.int16], fs: int, first_sample: int = 1) -> bytes:
    """Return an SCP-ECG record with sections 1, 3 and 6, neither compressed nor checked."""
    n_samples = uv.shape[1]
    codes = {"aVR": 62, "aVL": 63, "aVF": 64, "III": 61, "I": 1, "II": 2}
    codes |= {f"V{i}": i + 2 for i in range(1, 7)}
    patient = bytes([0]) + struct.pack("<H", 4) + b"Roe\x00" + bytes([255, 0, 0])
    leads = bytes([12, 0b01100100]) + b"".join(
        struct.pack("<IIB", first_sample, n_samples, codes[lead]) for lead in LEADS
    )
    header = struct.pack("<HHBB", 1000, round(1e6 / fs), 0, 0)
    sizes = struct.pack("<12H", *[2 * n_samples] * 12)
    rhythm = header + sizes + uv.astype("<i2").tobytes()
    return scp_record({1: patient, 3: leads, 6: rhythm})


def scp_record(bodies: dict[int, bytes]) -> bytes:
    """Return an SCP-ECG record of these sections by number, without checksums."""
    sections, at = {}, 7 + 16 + 12 * 10
    for number, body in bodies.items():
        padded = body + b"\x00" * (len(body) % 2)
        sections[number] = (
            at,
            struct.pack("<HHIBB6x", 0, number, len(padded) + 16, 20, 20) + padded,
        )
        at += len(padded) + 16
    pointers = b"".join(
        struct.pack("<HII", n, len(sections[n][1]), sections[n][0]) if n in sections
        else struct.pack("<HII", n, 0, 0)
        for n in range(1, 12)
    )  # fmt: skip
    table = struct.pack("<HII", 0, 16 + 120, 7) + pointers
    first = struct.pack("<HHIBB6s", 0, 0, 16 + len(table), 20, 20, b"SCPECG") + table
    body = first + b"".join(content for _, content in sections.values())
    return struct.pack("<HI", 0, len(body) + 6) + body


def edf(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return an EDF file with a channel a lead."""
    import edfio

    signals = [
        edfio.EdfSignal(row.astype(float), fs, label=f"ECG {lead}", physical_dimension="uV",
                        physical_range=(-32768, 32767))
        for row, lead in zip(uv, LEADS, strict=True)
    ]  # fmt: skip
    out = io.BytesIO()
    edfio.Edf(signals).write(out)
    return out.getvalue()


def bdf(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a BDF file with a channel a lead."""
    import edfio

    signals = [
        edfio.BdfSignal(row.astype(float), fs, label=lead, physical_dimension="uV",
                        physical_range=(-8388608, 8388607))
        for row, lead in zip(uv, LEADS, strict=True)
    ]  # fmt: skip
    out = io.BytesIO()
    edfio.Bdf(signals).write(out)
    return out.getvalue()


def hl7_aecg(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return an HL7 annotated ECG with one rhythm series."""
    time = (
        '<component><sequence><code code="TIME_ABSOLUTE" codeSystem="2.16.840.1.113883.5.4"/>'
        '<value xsi:type="GLIST_TS"><head value="20240102030405"/>'
        f'<increment value="{1 / fs:g}" unit="s"/></value></sequence></component>'
    )
    sequences = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{lead}" '
        'codeSystem="2.16.840.1.113883.6.24"/><value xsi:type="SLIST_PQ">'
        '<origin value="0" unit="uV"/><scale value="1" unit="uV"/>'
        f"<digits>{' '.join(map(str, row))}</digits></value></sequence></component>"
        for lead, row in zip(LEADS, uv.tolist(), strict=True)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2"/>'
        '<component><series><code code="RHYTHM" codeSystem="2.16.840.1.113883.5.4"/>'
        f"<component><sequenceSet>{time}{sequences}</sequenceSet></component></series></component>"
        "</AnnotatedECG>"
    ).encode()


def ge_muse(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a MUSE document: a median beat to ignore, and eight leads of rhythm."""
    stored = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")

    def waveform(kind: str, n_samples: int) -> str:
        leads = "".join(
            f"<LeadData><LeadByteCountTotal>{2 * n_samples}</LeadByteCountTotal>"
            f"<LeadSampleCountTotal>{n_samples}</LeadSampleCountTotal>"
            "<LeadAmplitudeUnitsPerBit>1</LeadAmplitudeUnitsPerBit>"
            "<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>"
            f"<LeadID>{lead}</LeadID><LeadSampleSize>2</LeadSampleSize><WaveFormData>"
            f"{base64.b64encode(uv[LEADS.index(lead), :n_samples].tobytes()).decode()}"
            "</WaveFormData></LeadData>"
            for lead in stored
        )
        return (
            f"<Waveform><WaveformType>{kind}</WaveformType><NumberofLeads>8</NumberofLeads>"
            f"<SampleBase>{fs}</SampleBase><SampleExponent>0</SampleExponent>{leads}</Waveform>"
        )

    return (
        '<?xml version="1.0" encoding="UTF-8"?><RestingECG><MuseInfo><MuseVersion>9.0</MuseVersion>'
        "</MuseInfo><PatientDemographics><PatientID>4711</PatientID><PatientAge>60</PatientAge>"
        "<AgeUnits>YEARS</AgeUnits><Gender>FEMALE</Gender><PatientLastName>ROE</PatientLastName>"
        "<PatientFirstName>JANE</PatientFirstName></PatientDemographics><TestDemographics>"
        "<AcquisitionTime>03:04:05</AcquisitionTime><AcquisitionDate>01-02-2024</AcquisitionDate>"
        "</TestDemographics><RestingECGMeasurements><VentricularRate>75</VentricularRate>"
        "<PRInterval>150</PRInterval></RestingECGMeasurements><Diagnosis><DiagnosisStatement>"
        "<StmtText>Normal sinus rhythm</StmtText></DiagnosisStatement><DiagnosisStatement>"
        "<StmtText>Confirmed by DOE, JOHN (12) on 1/2/2024</StmtText></DiagnosisStatement>"
        f"</Diagnosis>{waveform('Median', 2 * fs)}{waveform('Rhythm', uv.shape[1])}</RestingECG>"
    ).encode()


def cardiosoft(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a CardioSoft document: median samples to ignore, and a strip at 5 uV."""

    def block(tag: str, n_samples: int) -> str:
        waves = "".join(
            f'<WaveformData lead="{lead}">\n\t{_commas(row[:n_samples])}\n</WaveformData>'
            for lead, row in zip(LEADS, np.round(uv / 5).astype(int).tolist(), strict=True)
        )
        return (
            f'<{tag}><NumberOfLeads>12</NumberOfLeads><SampleRate units="Hz">{fs}</SampleRate>'
            f"<ChannelSampleCountTotal>{n_samples}</ChannelSampleCountTotal>"
            f'<Resolution units="uVperLsb">5.00</Resolution>{waves}</{tag}>'
        )

    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><CardiologyXML><ObservationType>RestECG'
        "</ObservationType><ObservationDateTime><Hour>3</Hour><Minute>4</Minute><Second>5</Second>"
        "<Day>2</Day><Month>1</Month><Year>2024</Year></ObservationDateTime><PatientInfo>"
        "<PID>4711</PID><Name><FamilyName>Roe</FamilyName><GivenName>Jane</GivenName></Name>"
        '<Age units="years">60</Age><Gender>FEMALE</Gender></PatientInfo><Interpretation>'
        "<Conclusion><ConclusionText>Sinusrhythmus für Frau Roe</ConclusionText></Conclusion>"
        "<Diagnosis><DiagnosisText>Normal ECG</DiagnosisText></Diagnosis></Interpretation>"
        '<RestingECGMeasurements><VentricularRate units="BPM">75</VentricularRate>'
        f'<PQInterval units="ms">150</PQInterval>{block("MedianSamples", 2 * fs)}'
        f"</RestingECGMeasurements>{block('StripData', uv.shape[1])}</CardiologyXML>"
    ).encode("latin-1")


def cardiosoft_full(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a CardioSoft document without a strip: the full disclosure of an exercise test."""
    full = (
        f'<FullDisclosure><NumberOfChannels>12</NumberOfChannels><SampleRate units="Hz">{fs}'
        f'</SampleRate><Resolution units="uVperLsb">1</Resolution><LeadOrder>{",".join(LEADS)}'
        f"</LeadOrder><FullDisclosureData>{_commas(uv.T.ravel().tolist())},</FullDisclosureData>"
        "</FullDisclosure></CardiologyXML>"
    )
    return cardiosoft(uv, fs).partition(b"<StripData>")[0] + full.encode()


def schiller(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a SEMA document: averages first, then the rhythm."""

    def wave(kind: str, n_samples: int) -> str:
        channels = "".join(
            f"<channel><name>{lead}</name><samplecount>{n_samples}</samplecount>"
            f"<datastype>COMMASEPARATE</datastype><data>{_commas(row[:n_samples])}</data>"
            "</channel>"
            for lead, row in zip(LEADS, uv.tolist(), strict=True)
        )
        return (
            f"<wavedata><type>{kind}</type><resolution><samplerate><exponent>1</exponent>"
            f"<value>{fs}</value></samplerate><yres><unitperbit>1</unitperbit><units>UV</units>"
            f"</yres></resolution>{channels}</wavedata>"
        )

    tag = "com.xiriuz.sema.xml.schillerEDI.SchillerEDI"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{tag}><patdata><id>4711</id>'
        "<lastname>Roe</lastname><firstname>Jane</firstname><birthdate>19640101</birthdate>"
        "<gender>FEMALE</gender></patdata><examdescript><startdatetime><date>20240102</date>"
        "<time>030405</time></startdatetime></examdescript><eventdata><event><annotation_global>"
        "<name>HR</name><value>75</value></annotation_global>"
        f"{wave('ECG_AVERAGES', fs)}{wave('ECG_RHYTHMS', uv.shape[1])}</event></eventdata></{tag}>"
    ).encode()


def philips_sierra(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a Sierra 1.04 document, not compressed, with its calibration pulse at the end."""
    pulse = np.zeros((12, fs // 2), np.int16)
    pulse[:, fs // 8 : fs // 4] = 1000
    data = np.concatenate([uv, pulse], axis=1)
    duration_ms = round(1000 * data.shape[1] / fs)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><restingecgdata><documentinfo><documenttype>'
        "PhilipsECG</documenttype><documentversion>1.04</documentversion></documentinfo>"
        "<patient><generalpatientdata><patientid>4711</patientid><name><lastname>Roe</lastname>"
        "</name><age><years>60</years></age><sex>Female</sex></generalpatientdata></patient>"
        '<dataacquisition date="2024-01-02" time="03:04:05"><signalcharacteristics>'
        f"<samplingrate>{fs}</samplingrate><resolution>1</resolution><signalsigned>True"
        "</signalsigned><bitspersample>16</bitspersample><numberchannelsallocated>12"
        "</numberchannelsallocated><acquisitiontype>STD-12</acquisitiontype>"
        "</signalcharacteristics></dataacquisition><waveforms>"
        '<parsedwaveforms dataencoding="Base64" compressflag="False" numberofleads="12" '
        f'durationperchannel="{duration_ms}" leadlabels="{" ".join(LEADS)}">'
        f"{base64.b64encode(data.astype('<i2').tobytes()).decode()}</parsedwaveforms></waveforms>"
        "</restingecgdata>"
    ).encode()


def mortara(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return an ELI document."""
    channels = "".join(
        f'<CHANNEL NAME="{lead}" OFFSET="0" BITS="16" FORMAT="SIGNED" UNITS_PER_MV="1000" '
        f'DURATION="{uv.shape[1]}" SAMPLE_FREQ="{fs}" ENCODING="BASE64" '
        f'DATA="{base64.b64encode(row.tobytes()).decode()}"/>'
        for lead, row in zip(LEADS, uv, strict=True)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><!-- Generated by ELI Link -->'
        '<ECG ACQUISITION_TIME="20240102030405" AGE="60" AGE_UNITS="YEARS">'
        '<SUBJECT LAST_NAME="Roe" FIRST_NAME="Jane" ID="4711" GENDER="Female"/>'
        '<SOURCE TYPE="CART" MANUFACTURER="Mortara Instrument, Inc." MODEL="ELI 250c"/>'
        f"{channels}</ECG>"
    ).encode()


def ishne(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return an ISHNE file of one block."""
    codes = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
    block = bytearray(512)
    struct.pack_into("<iiiihh", block, 0, 0, uv.shape[1], 522, 522, 1, 0)
    block[20:23] = b"Roe"
    struct.pack_into("<h", block, 146, 12)
    struct.pack_into("<12h", block, 148, *codes)
    struct.pack_into("<12h", block, 196, *[1000] * 12)
    struct.pack_into("<h", block, 262, fs)
    return b"ISHNE1.0" + b"\x00\x00" + bytes(block) + uv.T.astype("<i2").tobytes()


def mfer(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return an MFER file: little endian, one frame, 16-bit samples."""
    n_samples = uv.shape[1]

    def item(tag: int, value: bytes) -> bytes:
        return bytes([tag, len(value)]) + value

    parts = [
        item(0x40, b"MFR made up".ljust(32)), item(0x01, b"\x01"), item(0x08, b"\x01\x00"),
        item(0x0B, struct.pack("<BbH", 0, 0, fs)), item(0x0C, struct.pack("<BbH", 0, -6, 1)),
        item(0x0A, b"\x00"), item(0x05, b"\x0c"), item(0x04, struct.pack("<I", n_samples)),
        item(0x06, struct.pack("<I", 1)),
    ]  # fmt: skip
    for channel, lead in enumerate(LEADS):
        parts.append(bytes([0x3F, channel, 4]) + item(0x09, struct.pack("<H", _MDC[lead])))
    data = uv.astype("<i2").tobytes()
    parts.append(bytes([0x1E, 0x84]) + struct.pack(">I", len(data)) + data)
    return b"".join(parts)


def fhir(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a bundle of a patient and an observation."""
    components = [
        {
            "code": {"coding": [{"code": str(131328 + _MDC[lead])}]},
            "valueSampledData": {
                "origin": {"value": 0, "code": "uV"}, "period": 1000 / fs, "dimensions": 1,
                "data": " ".join(map(str, row)),
            },
        }
        for lead, row in zip(LEADS, uv.tolist(), strict=True)
    ]  # fmt: skip
    patient = {"resourceType": "Patient", "gender": "female", "birthDate": "1963-06-01"}
    observation = {
        "resourceType": "Observation",
        "effectiveDateTime": "2024-01-02T03:04:05+01:00",
        "component": components,
    }
    entries = [{"resource": patient}, {"resource": observation}]
    return json.dumps({"resourceType": "Bundle", "entry": entries}).encode()


def fhir_xml(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a bundle of a patient and an observation, as XML."""
    components = "".join(
        f'<component><code><coding><code value="{131328 + _MDC[lead]}"/></coding></code>'
        '<valueSampledData><origin><value value="0"/><code value="uV"/></origin>'
        f'<period value="{1000 / fs}"/><dimensions value="1"/>'
        f'<data value="{" ".join(map(str, row))}"/></valueSampledData></component>'
        for lead, row in zip(LEADS, uv.tolist(), strict=True)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Bundle xmlns="http://hl7.org/fhir"><entry><resource>'
        '<Patient><gender value="female"/><birthDate value="1963-06-01"/></Patient></resource>'
        "</entry><entry><resource><Observation>"
        f'<effectiveDateTime value="2024-01-02T03:04:05+01:00"/>{components}</Observation>'
        "</resource></entry></Bundle>"
    ).encode()


def long_table(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return lines of time, lead and microvolts."""
    lines = [
        f"{i / fs:g},{lead},{value}"
        for i, row in enumerate(uv.T.tolist())
        for lead, value in zip(LEADS, row, strict=True)
    ]
    return "\n".join(["time_s,lead,value_uV", *lines]).encode()


def csv(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return lines with a time column in milliseconds and microvolts named."""
    names = ",".join(f"{lead} (uV)" for lead in LEADS)
    rows = (f"{1000 * i / fs:g},{','.join(map(str, row))}" for i, row in enumerate(uv.T.tolist()))
    return "\n".join([f"time_ms,{names}", *rows]).encode()


def npy(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return an array of shape (T, 12) in mV."""
    out = io.BytesIO()
    np.save(out, (uv.T / 1000).astype(np.float32))
    return out.getvalue()


def npz(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return the signal with rate, leads and unit."""
    out = io.BytesIO()
    np.savez_compressed(out, ecg=uv, fs=fs, leads=np.array(LEADS), units="uV")
    return out.getvalue()


def mat5(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a MATLAB 5 file with a structure."""
    import scipy.io

    out = io.BytesIO()
    leads = np.array(LEADS, dtype=object)
    scipy.io.savemat(
        out, {"ECG": {"data": uv / 1000, "fs": fs, "leads": leads, "units": "mV"}},
        do_compression=True,
    )  # fmt: skip
    return out.getvalue()


def mat4(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a MATLAB 4 file with `val`, as the CinC challenges."""
    import scipy.io

    out = io.BytesIO()
    scipy.io.savemat(out, {"val": uv}, format="4")
    return out.getvalue()


def hdf5(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return one dataset whose attributes say the rest."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        dataset = file.create_dataset("ecg", data=uv, compression="gzip")
        dataset.attrs.update({"fs": fs, "units": "uV", "leads": list(LEADS)})
    return out.getvalue()


def parquet(uv: NDArray[np.int16], fs: int) -> bytes:
    """Return a table with a time column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"time_s": np.arange(uv.shape[1]) / fs}
    columns |= {lead: row / 1000 for lead, row in zip(LEADS, uv, strict=True)}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


_SINGLE: dict[str, Callable[[NDArray[np.int16], int], bytes]] = {
    write.__name__: write
    for write in (
        dicom, scp, edf, bdf, hl7_aecg, ge_muse, cardiosoft, cardiosoft_full, schiller,
        philips_sierra, mortara, ishne, mfer, fhir, fhir_xml, csv, long_table, npy, npz, mat5, mat4,
        hdf5, parquet,
    )
}  # fmt: skip
START = datetime(2024, 1, 2, 3, 4, 5)
