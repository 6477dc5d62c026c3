"""`merl mcp`: classification, prompts and knowledge as tools for LLM agents (MCP, over stdio)."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from api import __version__
from api.errors import KNOWN_ERRORS, problem_of
from api.schemas import ClassifyAnswer, HitBody
from api.service import Classes, Service, split_labels
from ckepe.prompt_set import PromptSet
from merl_core.notebook import DISCLAIMER

_INSTRUCTIONS: Final = (
    "Zero-shot classification of 12-lead ECG files on this machine. Search the knowledge to see "
    "what a finding is called, then classify a file against findings named in words. A percentile "
    "says where a score lies among reference recordings for the same prompt; it is no probability. "
    + DISCLAIMER
)
_READ_ONLY: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, open_world_hint=False
)

LoadService = Callable[[], Service]
Answer = TypeVar("Answer")


class SearchAnswer(BaseModel):
    """Concepts that a query found, the best first."""

    hits: list[HitBody]


@dataclass(slots=True)
class _Loading:
    """The service, loading since the server started."""

    service: "asyncio.Future[Service]"

    async def run(self, call: Callable[[Service], Answer]) -> Answer:
        """Return what `call` returns, from a thread; errors on purpose become the tool's."""
        try:
            service = await asyncio.shield(self.service)
            return await asyncio.to_thread(call, service)
        except (OSError, *KNOWN_ERRORS) as error:
            code = "unreadable" if isinstance(error, OSError) else problem_of(error)[0]
            raise ToolError(f"{code}: {error}") from error


Tools = Context[_Loading, Any]


def create_server(load: LoadService, *, root: Path | None = None) -> "MCPServer[_Loading]":
    """Return the server; the service loads in the background once a client connects.

    Args:
        load: Builds the service; takes seconds.
        root: Files outside of this folder are refused; None allows every file.
    """

    @asynccontextmanager
    async def lifespan(server: "MCPServer[_Loading]") -> AsyncIterator[_Loading]:
        loading = asyncio.ensure_future(asyncio.to_thread(load))
        try:
            yield _Loading(loading)
        finally:
            if loading.done() and loading.exception() is None:
                loading.result().close()

    server = MCPServer(
        "merl-ckepe",
        title="Zero-shot 12-lead ECG classification",
        instructions=_INSTRUCTIONS,
        version=__version__,
        log_level="WARNING",
        lifespan=lifespan,
    )
    _add_classify(server, root)
    _add_prompts(server)
    return server


def _add_classify(server: "MCPServer[_Loading]", root: Path | None) -> None:
    @server.tool(annotations=_READ_ONLY)
    async def classify(
        path: Annotated[
            str, Field(description="ECG file: DICOM, SCP-ECG, WFDB header, XML, EDF, CSV, ...")
        ],
        ctx: Tools,
        labels: Annotated[
            list[str], Field(description="Findings in words, or as set:code, such as csn:AF")
        ] = [],  # noqa: B006 - read only
        label_set: Annotated[
            str | None, Field(description="Name of a label set, in place of labels")
        ] = None,
        prompt_set: Annotated[
            str | None, Field(description="Id of a generated prompt set, in place of labels")
        ] = None,
    ) -> ClassifyAnswer:
        """Score one ECG file of this machine against findings named in words."""
        file = _allowed(path, root)
        classes = Classes(split_labels(labels), label_set, prompt_set)
        return await _loading(ctx).run(lambda service: service.classify([file], classes))


def _add_prompts(server: "MCPServer[_Loading]") -> None:
    @server.tool(annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False))
    async def generate_prompts(
        labels: Annotated[list[str], Field(description="Findings in words", min_length=1)],
        ctx: Tools,
        llm: Annotated[
            Literal["auto", "off", "required"],
            Field(description="Whether to ask the language model that is set"),
        ] = "auto",
    ) -> PromptSet:
        """Engineer a verified prompt with evidence for each finding, and store the set."""
        call = functools.partial(Service.generate_prompts, labels=labels, llm=llm)
        return await _loading(ctx).run(call)

    @server.tool(annotations=_READ_ONLY)
    async def search_knowledge(
        query: Annotated[str, Field(min_length=1, max_length=300)],
        ctx: Tools,
        top_k: Annotated[int, Field(ge=1, le=100)] = 10,
    ) -> SearchAnswer:
        """Find cardiology concepts by name, alias, acronym or meaning."""
        call = functools.partial(Service.search, query=query, top_k=top_k)
        return SearchAnswer(hits=await _loading(ctx).run(call))


def _loading(ctx: Tools) -> _Loading:
    return ctx.request_context.lifespan_context


def _allowed(path: str, root: Path | None) -> Path:
    file = Path(path).expanduser()
    if root is not None and not file.resolve().is_relative_to(root.resolve()):
        msg = f"forbidden: {path!r} is outside of the folder that this server may read"
        raise ToolError(msg)
    if not file.is_file():
        msg = f"unreadable: {path!r} is not a file"
        raise ToolError(msg)
    return file
