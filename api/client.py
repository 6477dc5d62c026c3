"""A typed client of the HTTP API: `Client("http://127.0.0.1:8000").classify("ecg.dcm", [...])`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, Unpack

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.errors import ApiError
from api.review_schemas import PublicationBody, PublicationPage, ReviewBody
from api.schemas import (
    BatchItem,
    ClassifyAnswer,
    HealthBody,
    HitBody,
    LabelSetBody,
    LabelSetSummary,
    ModelInfo,
    ProblemBody,
    PromptSetPage,
    PromptSetSummary,
    ReadyBody,
    VerdictBody,
    VerifyAnswer,
)
from ckepe.prompt_set import PromptSet
from merl_core.notebook import Display, display_html

if TYPE_CHECKING:
    from merl_core.plot import PlotOptions

EcgFile = str | Path | tuple[str, bytes]
"""A path, or a file's name and content."""

_NDJSON: Final = "application/x-ndjson"
_RETRIED: Final = frozenset({429, 503})
_LONGEST_WAIT_S: Final = 30.0

Body = TypeVar("Body", bound=BaseModel)


class ServiceError(ApiError):
    """The service answered with a problem, or did not answer.

    Args:
        problem: What it said (RFC 9457); `problem.code` is stable.
        retry_after_s: When it may be asked again, where it said so.
    """

    def __init__(self, problem: ProblemBody, retry_after_s: float | None = None) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem
        self.retry_after_s = retry_after_s

    @property
    def code(self) -> str:
        """The stable code: `unknown_format`, `missing_lead`, `unauthorized`, `unreachable`, ..."""
        return self.problem.code

    @property
    def status(self) -> int:
        """The HTTP status; 0 where there was no answer."""
        return self.problem.status


class Classified(ClassifyAnswer):
    """The answer of `POST /classify`; a notebook shows it with the drawn ECG."""

    svg: str = ""
    """The drawing, where it was asked for."""

    def _repr_html_(self) -> str:
        record = self.record
        failed = [check.message for check in record.quality.checks if not check.ok]
        return display_html(
            Display(
                title=f"{record.format} recording, {record.duration_s:g} s at {record.fs:g} Hz, "
                f"{len(record.leads)} leads",
                model=self.model.id,
                rows=[score.model_dump() for score in self.scores],
                svg=self.svg,
                notes=[*failed, *(warning.message for warning in self.warnings)],
                n_reference=self.model.n_reference,
            )
        )


class Client:
    """Calls a running service; use it as a context manager, or `close` it.

    Busy answers (429, 503) are asked again after the time that the service names.

    Args:
        base_url: Where the service is.
        api_key: Where the service asks for one.
        timeout_s: Of one request.
        n_retries: How often a busy service is asked again.
        transport: How requests are sent; tests give their own.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        n_retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"X-API-Key": api_key} if api_key else {}
        self._http = httpx.Client(
            base_url=base_url, headers=headers, timeout=timeout_s, transport=transport
        )
        self._n_retries = n_retries

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    # --- the process

    def health(self) -> HealthBody:
        """Return the version of the process."""
        return self._get("/health", HealthBody)

    def ready(self) -> ReadyBody:
        """Return what is loaded; raises `ServiceError` (`not_ready`) before."""
        return _parsed(self._send("GET", "/ready", n_retries=0), ReadyBody)

    def wait_until_ready(self, timeout_s: float = 300.0) -> ReadyBody:
        """Return once model and index are loaded, or raise the last `ServiceError`."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                return self.ready()
            except ServiceError as error:
                if error.code not in ("not_ready", "unreachable") or time.monotonic() > end:
                    raise
            time.sleep(0.5)

    # --- records

    def classify(
        self,
        ecg: EcgFile | Sequence[EcgFile],
        labels: Sequence[str] = (),
        *,
        label_set: str | None = None,
        prompt_set: str | PromptSet | None = None,
        plot: bool = False,
    ) -> Classified:
        """Return the scores of one ECG.

        Args:
            ecg: A file, or the files of one WFDB record.
            labels: Classes in words, or as `set:code`.
            label_set: Name of a label set, in place of labels.
            prompt_set: Id of a stored prompt set, the reference of a published one, or the set
                itself, in place of labels.
            plot: Ask for the drawing as well, for notebooks.

        Raises:
            ServiceError: The record or the classes cannot be used, or the service is not reached.
        """
        files = _files(ecg)
        form = _classes(labels, label_set, prompt_set)
        answer = _parsed(self._send("POST", "/classify", files=files, data=form), Classified)
        return answer.model_copy(update={"svg": self.plot(ecg)}) if plot else answer

    def classify_batch(
        self,
        ecgs: Sequence[EcgFile],
        labels: Sequence[str] = (),
        *,
        label_set: str | None = None,
        prompt_set: str | PromptSet | None = None,
    ) -> Iterator[BatchItem]:
        """Yield the result or the error of each record, as soon as it is there.

        Args:
            ecgs: Files; those of a WFDB record are found to belong together by their names.
            labels: As in `classify`, like all that follow.
            label_set: As in `classify`.
            prompt_set: As in `classify`.

        Raises:
            ServiceError: The request as a whole cannot be answered.
        """
        files = _files(ecgs)
        form = _classes(labels, label_set, prompt_set)
        with (
            _reached(),
            self._http.stream(
                "POST", "/classify/batch", files=files, data=form, headers={"Accept": _NDJSON}
            ) as response,
        ):
            if response.is_error:
                response.read()
                raise _service_error(response)
            for line in response.iter_lines():
                if line.strip():
                    yield BatchItem.model_validate_json(line)

    def plot(self, ecg: EcgFile | Sequence[EcgFile], **options: "Unpack[PlotOptions]") -> str:
        """Return ten seconds of the ECG drawn in the style of paper, as SVG.

        Args:
            ecg: A file, or the files of one WFDB record.
            options: `layout` (`3x4+1`, `6x2`, `12x1`), `speed_mm_s` (25, 50), `gain_mm_mv` (5, 10,
                20), `theme` (`light`, `dark`) and `start_s`.
        """
        return self._send("POST", "/plot", files=_files(ecg), params=dict(options)).text

    def plot_png(self, ecg: EcgFile | Sequence[EcgFile], **options: "Unpack[PlotOptions]") -> bytes:
        """Return the drawing of `plot` as a PNG of 152 dots an inch."""
        query = {"format": "png", **options}
        return self._send("POST", "/plot", files=_files(ecg), params=query).content

    # --- prompts

    def generate_prompts(
        self,
        labels: Sequence[str] = (),
        *,
        label_set: str | None = None,
        llm: Literal["auto", "off", "required"] = "auto",
        max_subtypes: int = 6,
        max_attributes: int = 6,
    ) -> PromptSet:
        """Return verified prompts with their evidence; the service keeps them under their id."""
        body = {
            "labels": list(labels),
            "label_set": label_set,
            "llm": llm,
            "max_subtypes": max_subtypes,
            "max_attributes": max_attributes,
        }
        return _parsed(self._send("POST", "/prompts/generate", json=body), PromptSet)

    def verify(
        self, label: str, phrases: Sequence[str], label_set: str | None = None
    ) -> list[VerdictBody]:
        """Return for each phrase whether it may stand in the prompt of a label, and why."""
        body = {"label": label, "phrases": list(phrases), "label_set": label_set}
        return _parsed(self._send("POST", "/prompts/verify", json=body), VerifyAnswer).verdicts

    def prompt_sets(self) -> Iterator[PromptSetSummary]:
        """Yield the stored prompt sets, page by page, the newest first."""
        offset: int | None = 0
        while offset is not None:
            page = self._get("/prompt-sets", PromptSetPage, offset=offset)
            yield from page.items
            offset = page.next_offset

    def prompt_set(self, prompt_set_id: str) -> PromptSet:
        """Return a stored prompt set with its evidence."""
        return self._get(f"/prompt-sets/{prompt_set_id}", PromptSet)

    # --- review

    def open_review(
        self, name: str, prompt_set_id: str, *, reviewer: str, reason: str
    ) -> ReviewBody:
        """Open a review of a stored prompt set; the result is published under `name`."""
        body = {
            "name": name,
            "prompt_set_id": prompt_set_id,
            "reviewer": reviewer,
            "reason": reason,
        }
        return _parsed(self._send("POST", "/reviews", json=body), ReviewBody)

    def review(self, review_id: str) -> ReviewBody:
        """Return a review: every phrase, where it stands, and the draft."""
        return self._get(f"/reviews/{review_id}", ReviewBody)

    def decide(
        self, review_id: str, decisions: Sequence[Mapping[str, Any]], *, reviewer: str, reason: str
    ) -> ReviewBody:
        """Take decisions about phrases, all of them or none.

        Args:
            review_id: Of an open review.
            decisions: Each with `action` (propose, approve, reject, edit), `label`, `phrase`, and
                with `edit` the new `text`.
            reviewer: Who decides.
            reason: Why.
        """
        body = {"reviewer": reviewer, "reason": reason, "decisions": list(decisions)}
        answer = self._send("POST", f"/reviews/{review_id}/decisions", json=body)
        return _parsed(answer, ReviewBody)

    def publish(self, review_id: str, *, reviewer: str, reason: str) -> PublicationBody:
        """Publish the reviewed set as the next version of the review's name."""
        body = {"reviewer": reviewer, "reason": reason}
        return _parsed(
            self._send("POST", f"/reviews/{review_id}/publish", json=body), PublicationBody
        )

    def publications(self, name: str | None = None) -> Iterator[PublicationBody]:
        """Yield published versions, the newest first."""
        query: dict[str, Any] = {"name": name} if name else {}
        offset: int | None = 0
        while offset is not None:
            page = self._get("/publications", PublicationPage, offset=offset, **query)
            yield from page.items
            offset = page.next_offset

    # --- knowledge and models

    def search(
        self,
        query: str,
        top_k: int = 10,
        *,
        label_set: str | None = None,
        nearest: bool = False,
    ) -> list[HitBody]:
        """Return concepts by name, alias, acronym or meaning, the best first.

        None for a query that no source knows, unless its `nearest` concepts are wanted.
        """
        options: dict[str, Any] = {"label_set": label_set} if label_set else {}
        if nearest:
            options["nearest"] = True
        return self._list("/knowledge/search", HitBody, q=query, top_k=top_k, **options)

    def concept(self, concept_id: str) -> dict[str, Any]:
        """Return all that the sources say of a concept."""
        content: dict[str, Any] = self._send("GET", f"/knowledge/concepts/{concept_id}").json()
        return content

    def label_sets(self) -> list[LabelSetSummary]:
        """Return the label sets."""
        return self._list("/label-sets", LabelSetSummary)

    def label_set(self, name: str) -> LabelSetBody:
        """Return a label set with its classes."""
        return self._get(f"/label-sets/{name}", LabelSetBody)

    def models(self) -> list[ModelInfo]:
        """Return the models on offer."""
        return self._list("/models", ModelInfo)

    # --- sending

    def _get(self, path: str, kind: type[Body], **query: Any) -> Body:
        return _parsed(self._send("GET", path, params=query), kind)

    def _list(self, path: str, kind: type[Body], **query: Any) -> list[Body]:
        content = self._send("GET", path, params=query).content
        return TypeAdapter(list[kind]).validate_json(content)  # type: ignore[valid-type]

    def _send(
        self, method: str, path: str, *, n_retries: int | None = None, **request: Any
    ) -> httpx.Response:
        left = self._n_retries if n_retries is None else n_retries
        while True:
            with _reached():
                response = self._http.request(method, path, **request)
            if response.is_success:
                return response
            error = _service_error(response)
            if response.status_code not in _RETRIED or left <= 0:
                raise error
            left -= 1
            time.sleep(min(error.retry_after_s or 1.0, _LONGEST_WAIT_S))


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        problem = ProblemBody(
            type="about:blank",
            title="The service cannot be reached",
            status=0,
            detail=str(error) or type(error).__name__,
            code="unreachable",
        )
        raise ServiceError(problem) from error


def _service_error(response: httpx.Response) -> ServiceError:
    """Return the problem that an answer holds; something else between may have answered."""
    try:
        problem = ProblemBody.model_validate_json(response.content)
    except ValidationError:
        problem = ProblemBody(
            type="about:blank",
            title=response.reason_phrase or "No problem document",
            status=response.status_code,
            detail=f"status {response.status_code} from {response.url.path}, without a problem",
            code="unexpected_answer",
        )
    wait = response.headers.get("Retry-After", "")
    return ServiceError(problem, float(wait) if wait.isdigit() else None)


def _parsed(response: httpx.Response, kind: type[Body]) -> Body:
    return kind.model_validate_json(response.content)


def _files(ecg: EcgFile | Sequence[EcgFile]) -> list[tuple[str, tuple[str, bytes]]]:
    is_one = isinstance(ecg, str | Path) or _is_named_content(ecg)
    items: Any = [ecg] if is_one else ecg
    return [("file", item if _is_named_content(item) else _loaded(item)) for item in items]


def _is_named_content(item: object) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], bytes)


def _loaded(path: str | Path) -> tuple[str, bytes]:
    return Path(path).name, Path(path).read_bytes()


def _classes(
    labels: Sequence[str], label_set: str | None, prompt_set: str | PromptSet | None
) -> Mapping[str, Any]:
    if isinstance(labels, str):
        msg = f"labels is the text {labels[:80]!r}, expected a list of texts"
        raise TypeError(msg)
    form: dict[str, Any] = {"labels": list(labels)} if labels else {}
    if label_set is not None:
        form["label_set"] = label_set
    if isinstance(prompt_set, PromptSet):
        prompt_set = prompt_set.to_json()
    if prompt_set is not None:
        form["prompt_set"] = prompt_set
    return form
