"""`pipeline("merl-base")(ecg, candidate_labels=[...])`: zero-shot classification in one call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypedDict, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merl_core.engine import EncodedRecord, Engine, LabelScore
from merl_core.errors import InvalidRecordError
from merl_core.notebook import Display, display_html
from merl_core.plot import render_svg
from merl_core.quality import Quality, assess_quality
from merl_core.readers import read_record
from merl_core.records import STANDARD_LEADS, Record, RecordWarning, canonical_lead

EcgInput = str | Path | Record | NDArray[Any]
"""A file (of a WFDB record its header), a `Record`, or millivolts of shape (L, T)."""

_LONGEST_NAME: Final = 80


class ScoreRow(TypedDict):
    """One class of a result."""

    label: str
    score: float
    percentile: float | None
    percentile_interval: tuple[float, float] | None
    probability: float | None


@dataclass(frozen=True, eq=False, slots=True)
class ZeroShotResult(Sequence[ScoreRow]):
    """The classes of one recording, the highest score first: `result[0]["label"]`.

    A notebook shows it with the drawn ECG.
    """

    rows: tuple[ScoreRow, ...]
    record: Record = field(repr=False)
    """The recording as it was read."""
    quality: Quality = field(repr=False)
    warnings: tuple[RecordWarning, ...]
    """What reading and preparing changed, or what is in doubt."""
    prompts: Mapping[str, str] = field(repr=False)
    """The text that was encoded for each label."""
    model: str
    n_reference: int
    """Recordings that the percentiles refer to."""

    @overload
    def __getitem__(self, index: int) -> ScoreRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ScoreRow]: ...
    def __getitem__(self, index: int | slice) -> ScoreRow | Sequence[ScoreRow]:
        """Return the class at a rank, counted from 0."""
        return self.rows[index]

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.rows)

    def __iter__(self) -> Iterator[ScoreRow]:
        """Iterate from the highest score."""
        return iter(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return one line a class, with its prompt."""
        frame = pd.DataFrame(self.rows)
        frame["prompt"] = [self.prompts[row["label"]] for row in self.rows]
        return frame

    def plot(self, **options: Any) -> str:
        """Return the recording as a paper-style SVG; options are those of `plot.render_svg`."""
        return render_svg(self.record, **options)

    def _repr_html_(self) -> str:
        record = self.record
        messages = [check.message for check in self.quality.checks if not check.ok]
        return display_html(
            Display(
                title=f"{record.format} recording, {record.duration_s:g} s at {record.fs:g} Hz, "
                f"{len(record.leads)} leads",
                model=self.model,
                rows=self.rows,
                svg=self.plot(),
                notes=(*messages, *(warning.message for warning in self.warnings)),
                n_reference=self.n_reference,
            )
        )


class ZeroShotPipeline:
    """Scores recordings against classes named in words. Safe to share between threads.

    Args:
        engine: A loaded checkpoint.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @overload
    def __call__(
        self,
        ecg: EcgInput,
        candidate_labels: Sequence[str] | Mapping[str, str],
        *,
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        prompt_template: str = "{}",
    ) -> ZeroShotResult: ...
    @overload
    def __call__(
        self,
        ecg: list[EcgInput],
        candidate_labels: Sequence[str] | Mapping[str, str],
        *,
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        prompt_template: str = "{}",
    ) -> list[ZeroShotResult]: ...
    def __call__(
        self,
        ecg: EcgInput | list[EcgInput],
        candidate_labels: Sequence[str] | Mapping[str, str],
        *,
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        prompt_template: str = "{}",
    ) -> ZeroShotResult | list[ZeroShotResult]:
        """Return the classes of a recording, the highest score first; a list for a list.

        Labels are encoded as they are worded. For verified prompts with evidence give a mapping of
        label to prompt: `read_prompt_set(path).texts` of ckepe.

        Args:
            ecg: One recording, or a list of them; see `EcgInput`.
            candidate_labels: Classes in words, or prompt texts by label.
            fs: Samples per second of an array; files and records know theirs.
            leads: Names of an array's rows; by default the twelve standard leads in their order.
            prompt_template: What is encoded for a label, `{}` being the label.

        Raises:
            InvalidRecordError: A recording cannot be used.
            ValueError: There is no label, one is repeated, or the template has no `{}`.
            FileNotFoundError: A path does not exist.
        """
        prompts = _prompts(candidate_labels, prompt_template)
        inputs = ecg if isinstance(ecg, list) else [ecg]
        records = [_record(item, fs, leads) for item in inputs]
        results = [
            self._result(record, encoded, prompts)
            for record, encoded in zip(records, self._encode(records), strict=True)
        ]
        return results if isinstance(ecg, list) else results[0]

    def _encode(self, records: Sequence[Record]) -> list[EncodedRecord]:
        """Encode the windows of all recordings together."""
        prepared = [self.engine.prepare(record) for record in records]
        if not prepared:
            return []
        features = self.engine.encode_windows(np.concatenate([windows for windows, _ in prepared]))
        ends = np.cumsum([len(windows) for windows, _ in prepared])
        parts = np.split(features, ends[:-1])
        return [
            EncodedRecord(part, warnings)
            for part, (_, warnings) in zip(parts, prepared, strict=True)
        ]

    def _result(
        self, record: Record, encoded: EncodedRecord, prompts: Mapping[str, str]
    ) -> ZeroShotResult:
        scores = self.engine.score(encoded, prompts)
        ranked = sorted(scores.scores, key=lambda item: (-item.score, item.label))
        return ZeroShotResult(
            rows=tuple(_row(item) for item in ranked),
            record=record,
            quality=assess_quality(record),
            warnings=tuple(dict.fromkeys((*record.warnings, *scores.warnings))),
            prompts=prompts,
            model=self.engine.model_id,
            n_reference=self.engine.n_reference,
        )


def pipeline(checkpoint: str | Path = "merl-base", *, device: str = "auto") -> ZeroShotPipeline:
    """Return a zero-shot classifier: a bundled checkpoint by its name, or one in a folder.

    Args:
        checkpoint: `merl-base`, `merl-sim`, or a folder.
        device: `auto`, `cpu`, `cuda` or another torch device.

    Raises:
        CheckpointError: The checkpoint cannot be loaded, or the device does not exist.
    """
    return ZeroShotPipeline(Engine(checkpoint, device))


def _row(item: LabelScore) -> ScoreRow:
    return ScoreRow(
        label=item.label,
        score=item.score,
        percentile=item.percentile,
        percentile_interval=item.percentile_interval,
        probability=item.probability,
    )


def _prompts(labels: Sequence[str] | Mapping[str, str], template: str) -> dict[str, str]:
    if isinstance(labels, str):
        msg = f"candidate_labels is the text {labels[:_LONGEST_NAME]!r}, expected a list of texts"
        raise ValueError(msg)
    if "{}" not in template:
        msg = f"prompt_template {template!r} has no {{}} for the label"
        raise ValueError(msg)
    if not labels:
        msg = "candidate_labels is empty, expected at least one class"
        raise ValueError(msg)
    texts = labels if isinstance(labels, Mapping) else {label: label for label in labels}
    if len(texts) != len(labels):
        msg = "candidate_labels names a class twice"
        raise ValueError(msg)
    return {label: template.replace("{}", text) for label, text in texts.items()}


def _record(ecg: EcgInput, fs: float | None, leads: Sequence[str] | None) -> Record:
    if isinstance(ecg, np.ndarray):
        return _record_of_array(ecg, fs, leads)
    if fs is not None or leads is not None:
        msg = "fs and leads describe an array; a file or a Record states its own"
        raise ValueError(msg)
    return ecg if isinstance(ecg, Record) else read_record(ecg)


def _record_of_array(array: NDArray[Any], fs: float | None, leads: Sequence[str] | None) -> Record:
    names = tuple(canonical_lead(lead) for lead in leads) if leads else STANDARD_LEADS
    if fs is None:
        msg = "fs is missing: an array does not say how many samples a second it has"
        raise InvalidRecordError(msg, code="unknown_rate")
    if array.ndim != 2 or array.shape[0] != len(names):
        hint = "; transpose it" if array.ndim == 2 and array.shape[1] == len(names) else ""
        msg = (
            f"array of shape {array.shape}, expected ({len(names)}, n_samples) in millivolts{hint}"
        )
        raise InvalidRecordError(msg)
    return Record(array.astype(np.float32), names, fs)
