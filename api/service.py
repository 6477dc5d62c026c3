"""The application: prompts, scores and knowledge, wired together. Knows no web framework."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Unpack

from pydantic import ValidationError

from api.errors import RequestError
from api.parts import Classification, LLMMode, Parts, ScoringEngine
from api.review_schemas import DiffBody
from api.reviews import ReviewDesk, diff_body, is_reference
from api.schemas import (
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    ClassifyAnswer,
    HitBody,
    LabelBody,
    LabelSetBody,
    LabelSetSummary,
    ModelBody,
    ModelInfo,
    PromptSetRef,
    QualityBody,
    QualityCheck,
    RecordBody,
    ScoreBody,
    VerdictBody,
    WarningBody,
)
from api.store import PromptSetStore
from ckepe.prompt_set import PromptSet
from knowledge_sources.label_sets import LabelSet, label_sets
from merl_core.plot import PlotOptions, render_png, render_svg
from merl_core.quality import Quality, assess_quality
from merl_core.records import Record, RecordWarning

_CACHED_PROMPT_SETS: Final = 256
_CHECKED_EVERY_S: Final = 1.0
_SCORE_DIGITS: Final = 6
"""As many as do not depend on how many records the encoder takes at once."""

RecordFiles = Mapping[str, bytes] | Sequence[Path]
"""The files of one record: contents by name, or paths."""

StageObserver = Callable[[str, float], None]
"""Called with the name of a stage and the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Classes:
    """Which classes to score: named by labels, by a label set, or by a prompt set."""

    labels: tuple[str, ...] = ()
    label_set: str | None = None
    prompt_set: str | None = None
    """Id of a stored set, `name` or `name@version` of a published one, or the JSON of one."""
    must_be_published: bool = False
    """Whether only a published prompt set will do."""


def split_labels(values: Sequence[str]) -> tuple[str, ...]:
    """Return labels without repetition; each value may hold several, separated by `;`."""
    labels = (part.strip() for value in values for part in value.replace("\n", ";").split(";"))
    return tuple(dict.fromkeys(label for label in labels if label))


class Stopwatch:
    """Times the stages of one answer."""

    def __init__(self, observer: StageObserver | None = None) -> None:
        self.timings_ms: dict[str, float] = {}
        self._observer = observer
        self._start = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.timings_ms[name] = round(seconds * 1000, 2)
        if self._observer is not None:
            self._observer(name, seconds)

    def total(self) -> dict[str, float]:
        """Return the stages' times and the sum since the start, in milliseconds."""
        return {
            **self.timings_ms,
            "total": round((time.perf_counter() - self._start) * 1000, 2),
        }


def score_record(
    engine: ScoringEngine, record: Record, prompts: Mapping[str, str], watch: Stopwatch
) -> Classification:
    """Return the scores of a record, its stages timed.

    Raises:
        merl_core.errors.InvalidRecordError: The record cannot be used.
    """
    with watch.stage("prepare"):
        windows, warnings = engine.prepare(record)
    with watch.stage("encode"):
        features = engine.encode(windows)
    with watch.stage("score"):
        return engine.score(features, warnings, prompts)


class Service:
    """Generates prompts, verifies phrases, classifies records and looks up knowledge.

    All calls block, and may be made from several threads.

    Args:
        parts: What it works with.
        on_stage: Told how long each stage took.
    """

    def __init__(self, parts: Parts, *, on_stage: StageObserver | None = None) -> None:
        self.parts = parts
        self.store = PromptSetStore(parts.database)
        self.reviews = ReviewDesk(parts.database, parts.engineer)
        self._on_stage = on_stage
        self._prompt_sets: OrderedDict[object, PromptSet] = OrderedDict()
        self._lock = threading.Lock()
        self._alive_at = -math.inf
        self._beside = ThreadPoolExecutor(thread_name_prefix="merl-beside")

    def close(self) -> None:
        """Stop threads and child processes and give connections back."""
        self.parts.engine.close()
        self.parts.readers.close()
        self._beside.shutdown()  # last: a request that goes on meets a closed encoder, and says so
        self.parts.database.close()

    def check(self) -> None:
        """Ask database and index for a sign of life, at most once a second.

        Raises:
            sqlalchemy.exc.OperationalError, ckepe.errors.IndexUnavailableError: One gives none.
        """
        if time.monotonic() - self._alive_at > _CHECKED_EVERY_S:
            self.parts.database.check()
            self.parts.retriever.check()
            self._alive_at = time.monotonic()

    # --- prompts

    def generate_prompts(
        self,
        labels: Sequence[str],
        *,
        label_set: str | None = None,
        llm: LLMMode = "auto",
        max_subtypes: int = 6,
        max_attributes: int = 6,
        on_progress: Callable[..., None] | None = None,
    ) -> PromptSet:
        """Return engineered prompts, and store them.

        Raises:
            RequestError: `no_classes`, `invalid_request`, or `unknown_label` for the label set.
            ckepe.errors.LLMError: `llm` is `required` and the model gave no usable answer.
        """
        chosen = _checked_labels(labels)
        if label_set is not None:
            keys = tuple(label.key for label in _label_set(label_set, code="unknown_label").labels)
            chosen = chosen or keys
        if not chosen:
            raise _no_classes()
        prompt_set = self.parts.engineer.engineer(
            chosen,
            label_set=label_set,
            llm=llm,
            max_subtypes=max_subtypes,
            max_attributes=max_attributes,
            on_progress=on_progress,
        )
        self.store.add(prompt_set)
        return prompt_set

    def verify(
        self, label: str, phrases: Sequence[str], label_set: str | None = None
    ) -> list[VerdictBody]:
        """Return a verdict with relation, evidence and reason for each phrase."""
        verdicts = self.parts.engineer.verify(label, phrases, label_set)
        return [
            VerdictBody(
                phrase=verdict.phrase,
                verdict=verdict.verdict,
                relation=str(verdict.relation),
                evidence=[_plain(item) for item in verdict.evidence],
                reason=verdict.reason or "",
            )
            for verdict in verdicts
        ]

    def prompt_set(self, prompt_set_id: str) -> PromptSet:
        """Return a stored prompt set.

        Raises:
            RequestError: `not_found`.
        """
        found = self.store.get(prompt_set_id)
        if found is None:
            msg = f"no prompt set is stored under the id {prompt_set_id!r}"
            raise RequestError(msg, code="not_found")
        return found

    def diff(self, from_id: str, to_id: str) -> DiffBody:
        """Return what a stored prompt set changes against another.

        Raises:
            RequestError: `not_found`.
        """
        return diff_body(self.prompt_set(from_id), self.prompt_set(to_id))

    def prompts_for(self, classes: Classes) -> PromptSet:
        """Return the prompts of the classes asked for.

        Labels and label sets get prompts from knowledge alone: no language model is waited for.

        Raises:
            RequestError: No class was named, or the prompt set is not valid, not known, or not
                published although it must be.
        """
        if classes.prompt_set:
            if classes.labels or classes.label_set:
                msg = "give either 'prompt_set', or 'labels' and 'label_set', not both"
                raise RequestError(msg, code="invalid_request")
            found = self._given_prompt_set(classes.prompt_set.strip())
            if classes.must_be_published and self.reviews.published_as(found.id) is None:
                msg = f"prompt set {found.id!r} is not published; see GET /publications"
                raise RequestError(msg, code="not_published")
            return found
        if classes.must_be_published:
            msg = "name a published prompt set in 'prompt_set'; see GET /publications"
            raise RequestError(msg, code="not_published")
        if not classes.labels and not classes.label_set:
            raise _no_classes()
        key = (classes.labels, classes.label_set)
        with self._lock:
            cached = self._prompt_sets.get(key)
        self.parts.watch.on_cache("prompt_sets", cached is not None)
        if cached is None:
            cached = self.generate_prompts(classes.labels, label_set=classes.label_set, llm="off")
            self._remember(key, cached)
        return cached

    def _published_as(self, prompt_set: PromptSet, classes: Classes) -> str | None:
        """Return the publication of a prompt set that was asked for by id, name or content."""
        found = self.reviews.published_as(prompt_set.id) if classes.prompt_set else None
        return None if found is None else found.reference

    def _given_prompt_set(self, text: str) -> PromptSet:
        if is_reference(text):
            publication = self.reviews.find(text)
            text = text if publication is None else publication.prompt_set_id
        with self._lock:
            cached = self._prompt_sets.get(text)
        self.parts.watch.on_cache("prompt_sets", cached is not None)
        if cached is not None:
            return cached
        found = self._parsed(text) if text.startswith("{") else self.store.get(text)
        if found is None:
            msg = (
                f"field 'prompt_set' is {text[:80]!r}: neither JSON, nor the id of a stored set, "
                f"nor a published name"
            )
            raise RequestError(msg, code="unknown_prompt_set")
        if not found.prompts:
            raise _no_classes()
        self._remember(found.id, found)
        return found

    def _parsed(self, text: str) -> PromptSet:
        try:
            prompt_set = PromptSet.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "content"
            msg = f"field 'prompt_set' is no valid prompt set: {where}: {first['msg']}"
            raise RequestError(msg, code="invalid_prompt_set") from None
        self.store.add(prompt_set)
        return prompt_set

    def _remember(self, key: object, prompt_set: PromptSet) -> None:
        with self._lock:
            self._prompt_sets[key] = prompt_set
            while len(self._prompt_sets) > _CACHED_PROMPT_SETS:
                self._prompt_sets.popitem(last=False)

    def xrefs(self, prompt_set_id: str) -> dict[str, list[str]]:
        """Return the codes, as `PREFIX:ID`, of what each label of a stored prompt set means."""
        concepts = self.parts.knowledge.concepts
        return {
            prompt.label: [
                xref
                for concept_id in prompt.concept_ids
                if concept_id in concepts
                for xref in concepts[concept_id].xrefs
            ]
            for prompt in self.prompt_set(prompt_set_id).prompts
        }

    # --- records

    def classify(self, files: RecordFiles, classes: Classes) -> ClassifyAnswer:
        """Return the scores of one record, which is held by `files`.

        What does not wait for the encoder is done while it works.

        Raises:
            RequestError: The classes cannot be used.
            merl_core.errors.InvalidRecordError: The record cannot be used.
        """
        watch = Stopwatch(self._on_stage)
        with watch.stage("prompts"):
            prompt_set = self.prompts_for(classes)
        with watch.stage("read"):
            record = self._read(files)
        quality = self._beside.submit(_assess, record, watch)
        published_as = self._beside.submit(self._published_as, prompt_set, classes)
        classification = score_record(self.parts.engine, record, prompt_set.texts, watch)
        return ClassifyAnswer(
            record=_record_body(record, quality.result()),
            model=self._model_body(),
            prompt_set=PromptSetRef(
                id=prompt_set.id,
                llm=prompt_set.generator.llm,
                notices=list(prompt_set.notices),
                published_as=published_as.result(),
            ),
            scores=_score_bodies(classification, prompt_set),
            warnings=_warning_bodies((*record.warnings, *classification.warnings)),
            timings_ms=watch.total(),
        )

    def plot(self, files: RecordFiles, **options: Unpack[PlotOptions]) -> str:
        """Return the record as a paper-style SVG; `options` are those of `plot.render_svg`.

        Raises:
            merl_core.errors.InvalidRecordError: The record cannot be used.
        """
        return render_svg(self._read(files), **options)

    def plot_png(self, files: RecordFiles, **options: Unpack[PlotOptions]) -> bytes:
        """Return the record as a paper-style PNG of 152 dots an inch; see `plot`.

        Raises:
            merl_core.errors.InvalidRecordError: The record cannot be used.
        """
        return render_png(self._read(files), **options)

    def _read(self, files: RecordFiles) -> Record:
        if not isinstance(files, Mapping):
            return self.parts.readers.read_paths(files)
        if not files or not any(files.values()):
            msg = "the request holds no file, or only empty ones"
            raise RequestError(msg, code="invalid_request")
        return self.parts.readers.read(files)

    # --- knowledge and models

    def search(
        self,
        query: str,
        top_k: int = 10,
        label_set: str | None = None,
        *,
        nearest: bool = False,
    ) -> list[HitBody]:
        """Return concepts that a query finds, the best first.

        None for a query that no source knows, unless its `nearest` concepts are wanted.
        """
        hits = self.parts.retriever.search(query, top_k=top_k, label_set=label_set, nearest=nearest)
        return [
            HitBody(
                concept_id=hit.concept_id,
                canonical_name=hit.canonical_name,
                source=hit.source,
                score=hit.score,
                matched=hit.matched,
                xrefs=list(hit.xrefs),
            )
            for hit in hits
        ]

    def concept(self, concept_id: str) -> dict[str, Any]:
        """Return all that the sources say of a concept.

        Raises:
            RequestError: `not_found`.
        """
        concept = self.parts.knowledge.concepts.get(concept_id)
        if concept is None:
            msg = f"no source has a concept {concept_id!r}"
            raise RequestError(msg, code="not_found")
        return _plain(concept)

    def label_sets(self) -> list[LabelSetSummary]:
        """Return the label sets that this service knows."""
        return [
            LabelSetSummary(name=item.name, title=item.title, n_labels=len(item.labels))
            for item in label_sets().values()
        ]

    def label_set(self, name: str) -> LabelSetBody:
        """Return one label set with its classes.

        Raises:
            RequestError: `not_found`.
        """
        found = _label_set(name, code="not_found")
        return LabelSetBody(
            name=found.name,
            title=found.title,
            labels=[
                LabelBody(
                    key=label.key,
                    code=label.code,
                    meaning=label.meaning,
                    concept_ids=list(label.concept_ids),
                    notes=list(label.notes),
                )
                for label in found.labels
            ],
        )

    def models(self) -> list[ModelInfo]:
        """Return the models on offer."""
        config = dict(self.parts.model_config)
        return [ModelInfo(**self._model_body().model_dump(), is_default=True, config=config)]

    def _model_body(self) -> ModelBody:
        engine = self.parts.engine
        return ModelBody(
            id=engine.model_id,
            sha256=engine.sha256,
            config_sha256=engine.config_sha256,
            n_reference=engine.n_reference,
            backend=engine.backend,
        )


def neutral_names(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files under names that say nothing about a patient, where names carry no meaning.

    A single file is known by its content; several belong together by their names.
    """
    base = {PurePosixPath(name.replace("\\", "/")).name: content for name, content in files.items()}
    if len(base) != 1:
        return base
    ((name, content),) = base.items()
    return {f"upload{PurePosixPath(name).suffix.lower()}": content}


def _checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    if len(labels) > MAX_LABELS:
        msg = f"{len(labels)} labels were given, at most {MAX_LABELS} are accepted"
        raise RequestError(msg, code="invalid_request")
    for label in labels:
        if len(label) > MAX_LABEL_LENGTH:
            msg = f"label {label[:40]!r}... has {len(label)} characters, at most {MAX_LABEL_LENGTH}"
            raise RequestError(msg, code="invalid_request")
    return split_labels(labels)


def _no_classes() -> RequestError:
    msg = (
        "no class was named: give 'labels' (repeated, or separated by ';'), 'label_set' or "
        "'prompt_set'"
    )
    return RequestError(msg, code="no_classes")


def _label_set(name: str, *, code: str) -> LabelSet:
    known = label_sets()
    if name not in known:
        msg = f"no label set is called {name!r}; there are {', '.join(known)}"
        raise RequestError(msg, code=code)
    return known[name]


def _plain(item: Any) -> dict[str, Any]:
    if is_dataclass(item) and not isinstance(item, type):
        return asdict(item)
    plain: dict[str, Any] = item.model_dump(mode="json", by_alias=True)
    return plain


def _assess(record: Record, watch: Stopwatch) -> QualityBody:
    with watch.stage("quality"):
        return _quality_body(assess_quality(record))


def _quality_body(quality: Quality) -> QualityBody:
    return QualityBody(
        acceptable=quality.acceptable,
        checks=[
            QualityCheck(
                name=check.name,
                ok=check.ok,
                value=_finite(check.value),
                limit=_finite(check.limit),
                leads=list(check.leads),
                message=check.message,
            )
            for check in quality.checks
        ],
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _record_body(record: Record, quality: QualityBody) -> RecordBody:
    return RecordBody(
        format=record.format,
        sha256=record.sha256,
        fs=record.fs,
        duration_s=round(record.duration_s, 3),
        leads=list(record.leads),
        derived_leads=list(record.derived_leads),
        quality=quality,
        device_statements=list(record.device.statements),
        device_measurements=record.device.measurements,
    )


def _score_bodies(classification: Classification, prompt_set: PromptSet) -> list[ScoreBody]:
    prompts = {prompt.label: prompt for prompt in prompt_set.prompts}
    ranked = sorted(classification.scores, key=lambda item: (-item.score, item.label))
    return [
        ScoreBody(
            label=item.label,
            meaning=prompts[item.label].meaning,
            grounded=prompts[item.label].is_grounded,
            score=round(item.score, _SCORE_DIGITS),
            percentile=item.percentile,
            percentile_interval=item.percentile_interval,
            probability=item.probability,
            prompt=prompts[item.label].text,
            rank=rank,
            notes=[*prompts[item.label].notes, *item.notes],
        )
        for rank, item in enumerate(ranked, start=1)
    ]


def _warning_bodies(warnings: Sequence[RecordWarning]) -> list[WarningBody]:
    unique = dict.fromkeys((warning.code, warning.message) for warning in warnings)
    return [WarningBody(code=code, message=message) for code, message in unique]
