"""The dense index: every concept's texts as vectors in Chroma, embedded or on a server."""

import hashlib
import logging
import math
import re
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import chromadb
import httpx
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError

from ckepe.embedding import Embedder
from ckepe.errors import CkepeError, IndexUnavailableError
from knowledge_sources.concept import AliasKind
from knowledge_sources.knowledge_base import KnowledgeBase
from knowledge_sources.naming import word_key

_STORE_ERRORS: Final = (ChromaError, httpx.HTTPError, OSError, ValueError)
"""What Chroma raises where its store or server fails."""

Progress = Callable[[int, int], None]
"""Called with texts done and texts in all."""

_LAYOUT: Final = "2"
_BATCH: Final = 256
_COMPLETE: Final = "complete"
_N_PROBES: Final = 24
_VECTOR_HEADER: Final = struct.Struct("<i4Q")
_VECTOR_VERSION: Final = 1
_SAME_VECTOR: Final = 0.01
"""Cosine distance of a text to itself, or to one with the same words, at most."""
_DAMAGE: Final = re.compile(
    r"code: (?:11|26)\b|malformed|not a database|hnsw|corrupt", re.IGNORECASE
)
"""What SQLite (CORRUPT, NOTADB) and Chroma say of files that are damaged."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Document:
    """One text by which a concept can be found."""

    document_id: str
    concept_id: str
    """The head of its cluster."""
    text: str


@dataclass(frozen=True, slots=True)
class DenseHit:
    """A text near the query."""

    concept_id: str
    text: str
    score: float
    """Cosine similarity."""


def documents(knowledge_base: KnowledgeBase) -> tuple[Document, ...]:
    """Return the texts that are worth a vector: English names, definitions and criteria.

    Acronyms and names in other languages are left to exact and lexical matching: a general
    sentence encoder places them nowhere in particular.
    """
    found: dict[tuple[str, str], str] = {}
    for concept in knowledge_base.concepts.values():
        head = knowledge_base.head(concept.concept_id)
        spoken = [a.text for a in concept.aliases if a.kind != AliasKind.ACRONYM and a.lang == "en"]
        texts = [concept.canonical_name, *spoken, *(c.text for c in concept.criteria)]
        if concept.definition:
            texts.append(f"{concept.canonical_name}: {concept.definition}")
        for text in texts:
            found.setdefault((head, word_key(text)), text)
    return tuple(
        Document(hashlib.sha256(f"{head}\n{text}".encode()).hexdigest()[:24], head, text)
        for (head, _), text in found.items()
    )


class DenseIndex:
    """A complete Chroma collection, and the embedder that made it."""

    def __init__(self, collection: Collection, embedder: Embedder) -> None:
        self._collection = collection
        self._embedder = embedder

    @property
    def name(self) -> str:
        """Name of the collection: it follows from the content."""
        return self._collection.name

    def fits(self, text: str) -> bool:
        """Return whether the embedder reads a text whole."""
        return self._embedder.count_tokens(text) <= self._embedder.max_tokens

    def check(self) -> None:
        """Ask the store for a sign of life.

        Raises:
            IndexUnavailableError: It gives none.
        """
        try:
            self._collection.count()
        except _STORE_ERRORS as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> IndexUnavailableError:
        return IndexUnavailableError(f"the concept index {self.name!r} cannot be read: {error}")

    def search(self, queries: Sequence[str], top_k: int) -> list[list[DenseHit]]:
        """Return the texts nearest to each query, best first.

        Raises:
            IndexUnavailableError: The store cannot be read.
        """
        if not queries:
            return []
        vectors = self._embedder.embed(queries)
        try:
            found = self._collection.query(
                query_embeddings=[row for row in vectors],  # noqa: C416
                n_results=top_k,
                include=["documents", "metadatas", "distances"],
            )
        except _STORE_ERRORS as error:
            raise self._unreadable(error) from error
        texts, metadata = found["documents"] or [], found["metadatas"] or []
        distances = found["distances"] or []
        return [
            [
                DenseHit(str(m["concept_id"]), text, 1.0 - float(distance))
                for text, m, distance in zip(*row, strict=True)
            ]
            for row in zip(texts, metadata, distances, strict=True)
        ]


def connect(folder: Path | None = None, url: str | None = None) -> ClientAPI:
    """Return a Chroma client: a server at `url`, else embedded in `folder`, else in memory.

    Raises:
        CkepeError: The server is unreachable, or the folder cannot be used.
    """
    settings = ChromaSettings(anonymized_telemetry=False)
    try:
        if url:
            parts = urlsplit(url)
            is_tls = parts.scheme == "https"
            port = parts.port or (443 if is_tls else 8000)
            host = parts.hostname or url
            return chromadb.HttpClient(host=host, port=port, ssl=is_tls, settings=settings)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            return chromadb.PersistentClient(path=str(folder), settings=settings)
        return chromadb.EphemeralClient(settings=settings)
    except (ChromaError, OSError, ValueError) as error:
        where = url or str(folder)
        msg = f"the concept store at {where!r} cannot be opened: {error}"
        raise CkepeError(msg) from error


def open_index(
    client: ClientAPI,
    knowledge_base: KnowledgeBase,
    embedder: Embedder,
    on_progress: Progress | None = None,
) -> DenseIndex:
    """Return the index of this knowledge, building it if the store has none that is complete.

    The collection's name follows from the concepts, the embedder and the layout, so a change of
    any makes another one. It is built under a name that says so and renamed when the last text is
    in; an interrupted build goes on where it stopped, a damaged collection is built anew.

    Raises:
        CkepeError: The store refuses.
    """
    texts = documents(knowledge_base)
    content = (knowledge_base.content_hash, embedder.embedder_id, _LAYOUT, str(len(texts)))
    name = "concepts-" + hashlib.sha256("\n".join(content).encode()).hexdigest()[:24]
    try:
        collection = _find_complete(client, name, texts, embedder)
        if collection is None:
            collection = _build(client, name, texts, embedder, on_progress)
    except (ChromaError, httpx.HTTPError, OSError) as error:
        msg = f"the concept index {name!r} cannot be built: {error}"
        raise CkepeError(msg) from error
    return DenseIndex(collection, embedder)


def open_store(
    knowledge_base: KnowledgeBase,
    embedder: Embedder,
    folder: Path,
    url: str | None = None,
    on_progress: Progress | None = None,
) -> DenseIndex:
    """Return the index in the server at `url`, else embedded in `folder`, building what is missing.

    An embedded store whose files are damaged beyond the repair of a collection is moved aside, to
    `NAME.damaged`, and made anew: it holds nothing that cannot be computed again.

    Raises:
        CkepeError: The store cannot be opened or refuses.
    """
    if url:
        return open_index(connect(url=url), knowledge_base, embedder, on_progress)
    if _has_cut_vectors(folder):
        _log.warning("the concept store %s has lost vectors and is made anew", folder.name)
        _move_aside(folder, CkepeError(f"the concept store {folder.name!r} has lost vectors"))
    try:
        return open_index(connect(folder), knowledge_base, embedder, on_progress)
    except CkepeError as error:
        if not _DAMAGE.search(str(error)):
            raise
        _log.warning("the concept store %s is damaged and made anew: %s", folder.name, error)
        _move_aside(folder, error)
    return open_index(connect(folder), knowledge_base, embedder, on_progress)


def _has_cut_vectors(folder: Path) -> bool:
    """Return whether a vector file is shorter than its header says, which can crash Chroma.

    Source: hnswlib as Chroma 1 writes it: version, offset, elements that have room, elements, and
    bytes of each.
    """
    for header in folder.glob("*/header.bin"):
        raw = header.read_bytes()[: _VECTOR_HEADER.size]
        if len(raw) < _VECTOR_HEADER.size:
            return True
        version, _, n_rooms, _, size = _VECTOR_HEADER.unpack(raw)
        vectors = header.with_name("data_level0.bin")
        length = vectors.stat().st_size if vectors.is_file() else 0
        if version == _VECTOR_VERSION and length < n_rooms * size:
            return True
    return False


def _move_aside(folder: Path, error: CkepeError) -> None:
    SharedSystemClient.clear_system_cache()  # else Chroma goes on with the files moved away
    damaged = folder.with_name(f"{folder.name}.damaged")
    try:
        shutil.rmtree(damaged, ignore_errors=True)
        folder.rename(damaged)
    except OSError as failure:
        msg = f"{error}; it cannot be moved aside either: {failure}"
        raise CkepeError(msg) from failure


def _find_complete(
    client: ClientAPI, name: str, texts: Sequence[Document], embedder: Embedder
) -> Collection | None:
    try:
        collection = client.get_collection(name, embedding_function=None)
    except (NotFoundError, ValueError):
        return None
    is_marked = (collection.metadata or {}).get(_COMPLETE) == len(texts)
    if is_marked and collection.count() == len(texts) and _finds(collection, texts, embedder):
        return collection
    _log.warning("the concept index %s is damaged and built anew", name)
    client.delete_collection(name)
    return None


def _finds(collection: Collection, texts: Sequence[Document], embedder: Embedder) -> bool:
    """Return whether texts from all over the collection are found by their vectors.

    A vector file that was cut, emptied or deleted raises no error in Chroma: what it held is
    simply not found any more.
    """
    probes = texts[:: max(1, len(texts) // _N_PROBES)]
    vectors = embedder.embed([probe.text for probe in probes])
    try:
        found = collection.query(
            query_embeddings=[row for row in vectors],  # noqa: C416
            n_results=1,
            include=["distances"],
        )
    except ChromaError as error:
        if not _DAMAGE.search(str(error)):
            raise
        return False
    nearest = [row[0] if row else math.inf for row in found["distances"] or []]
    return len(nearest) == len(probes) and max(nearest) < _SAME_VECTOR


def _build(
    client: ClientAPI,
    name: str,
    texts: Sequence[Document],
    embedder: Embedder,
    on_progress: Progress | None,
) -> Collection:
    collection = client.get_or_create_collection(
        f"building-{name}",
        embedding_function=None,
        configuration={"hnsw": {"space": "cosine", "ef_search": 200}},
    )
    present = set(collection.get(include=[])["ids"])
    missing = [t for t in texts if t.document_id not in present]
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        vectors = embedder.embed([t.text for t in batch])
        collection.upsert(
            ids=[t.document_id for t in batch],
            embeddings=[row for row in vectors],  # noqa: C416
            documents=[t.text for t in batch],
            metadatas=[{"concept_id": t.concept_id} for t in batch],
        )
        if on_progress is not None:
            on_progress(len(texts) - len(missing) + start + len(batch), len(texts))
    collection.modify(name=name, metadata={_COMPLETE: len(texts)})
    return client.get_collection(name, embedding_function=None)
