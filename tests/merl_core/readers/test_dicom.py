"""DICOM as carts and archives write it: encodings, codes, units, groups."""

import copy
import importlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from benchmarks.ecg_files import LEADS, dicom, microvolts
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files
from merl_core.records import Record, select_leads

UV = microvolts(250, 10)
ORIGINAL = dicom(UV, 250)
MEANINGS = {
    f"aV{x[0]}": f"aV{x[0]}, augmented voltage, {x[1:]}" for x in ("Rright", "Lleft", "Ffoot")
}
NUMBERS = (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)


def changed(change: Callable[[Any], object], **how: Any) -> Record:
    dataset = pydicom.dcmread(io.BytesIO(ORIGINAL))
    change(dataset)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, **how)
    return read_files({"a.dcm": out.getvalue()})


def of_syntax(uid: str) -> Callable[[Any], None]:
    def change(dataset: Any) -> None:
        dataset.file_meta.TransferSyntaxUID = uid
        if uid == ExplicitVRBigEndian:
            dataset.WaveformSequence[0].WaveformData = UV.T.astype(">i2").tobytes()

    return change


def without_meta(dataset: Any) -> None:
    del dataset.file_meta


def coded(code: Callable[[int], tuple[str, str]]) -> Callable[[Any], None]:
    def change(dataset: Any) -> None:
        for i, channel in enumerate(dataset.WaveformSequence[0].ChannelDefinitionSequence):
            source = channel.ChannelSourceSequence[0]
            source.CodeValue, source.CodeMeaning = code(i)

    return change


def labelled(dataset: Any) -> None:
    for lead, channel in zip(
        LEADS, dataset.WaveformSequence[0].ChannelDefinitionSequence, strict=True
    ):
        del channel.ChannelSourceSequence
        channel.ChannelLabel = f"Lead {lead}"


def measured_in(unit: str, sensitivity: float, correction: float = 1) -> Callable[[Any], None]:
    def change(dataset: Any) -> None:
        for channel in dataset.WaveformSequence[0].ChannelDefinitionSequence:
            channel.ChannelSensitivity = sensitivity
            channel.ChannelSensitivityCorrectionFactor = correction
            channel.ChannelSensitivityUnitsSequence[0].CodeValue = unit

    return change


def of_32_bits(dataset: Any) -> None:
    group = dataset.WaveformSequence[0]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 32, "SL"
    group.WaveformData = UV.T.astype("<i4").tobytes()


def without_sign(dataset: Any) -> None:
    group = dataset.WaveformSequence[0]
    group.WaveformSampleInterpretation = "US"
    group.WaveformData = (UV.T.astype(int) + 32768).astype("<u2").tobytes()
    for channel in group.ChannelDefinitionSequence:
        channel.ChannelBaseline = -32768


def with_average_first(dataset: Any) -> None:
    beat = copy.deepcopy(dataset.WaveformSequence[0])
    beat.MultiplexGroupLabel = "MEDIAN BEAT"
    dataset.WaveformSequence.insert(0, beat)
    beat.WaveformData = bytes(len(beat.WaveformData))


BARE = {"implicit_vr": False, "little_endian": True, "enforce_file_format": False}
VARIANTS: dict[str, tuple[Callable[[Any], object], dict[str, Any]]] = {
    "implicit types": (of_syntax(ImplicitVRLittleEndian), {}),
    "big endian": (of_syntax(ExplicitVRBigEndian), {}),
    "deflated": (of_syntax(DeflatedExplicitVRLittleEndian), {}),
    "no preamble and no meta group": (without_meta, BARE),
    "codes of SCP-ECG": (coded(lambda i: (f"5.6.3-9-{NUMBERS[i]}", "x")), {}),
    "numbers of MDC": (coded(lambda i: (str(131328 + NUMBERS[i]), "x")), {}),
    "names of MDC": (coded(lambda i: (f"MDC_ECG_LEAD_{LEADS[i].upper()}", "x")), {}),
    "meanings": (coded(lambda i: ("L", f"Lead {LEADS[i]} (Einthoven)")), {}),
    "meanings in words": (coded(lambda i: ("L", MEANINGS.get(LEADS[i], LEADS[i]))), {}),
    "labels": (labelled, {}),
    "millivolts": (measured_in("mV", 0.001), {}),
    "nanovolts": (measured_in("nV", 1000), {}),
    "the code of a unit": (measured_in("266419", 1), {}),
    "a correction": (measured_in("uV", 2, 0.5), {}),
    "32 bits": (of_32_bits, {}),
    "no sign and a baseline": (without_sign, {}),
    "an average named only by its label": (with_average_first, {}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_twelve_leads_read_the_same_from_dicom_with(name: str) -> None:
    change, how = VARIANTS[name]
    record = changed(change, **how)
    assert np.allclose(select_leads(record, LEADS), UV / 1000, atol=1e-6)


def test_a_lead_that_goes_on_in_a_later_group_is_joined() -> None:
    def in_two_parts(dataset: Any) -> None:
        first, second = (copy.deepcopy(dataset.WaveformSequence[0]) for _ in range(2))
        for group, part in ((first, UV[:, :1250]), (second, UV[:, 1250:])):
            group.NumberOfWaveformSamples = 1250
            group.WaveformData = part.T.astype("<i2").tobytes()
        second.MultiplexGroupTimeOffset = 5000
        dataset.WaveformSequence = [first, second]

    record = changed(in_two_parts)
    assert record.leads == LEADS
    assert np.allclose(record.signal, UV / 1000, atol=1e-6)


def test_a_deflated_object_that_unpacks_to_far_more_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module("merl_core.readers.formats.dicom")
    monkeypatch.setattr(module, "_MAX_INFLATED_BYTES", 10_000)
    with pytest.raises(InvalidRecordError) as caught:
        changed(of_syntax(DeflatedExplicitVRLittleEndian))
    assert caught.value.code == "too_large"
