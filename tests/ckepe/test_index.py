"""The concept index in a real embedded Chroma: built once, resumed, and rebuilt when damaged."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from chromadb.api.shared_system_client import SharedSystemClient
from numpy.typing import NDArray

from ckepe.embedding import WordHashEmbedder
from ckepe.errors import CkepeError, IndexUnavailableError
from ckepe.index import connect, documents, open_index, open_store
from knowledge_sources.concept import Concept, Source, Terminology
from knowledge_sources.knowledge_base import KnowledgeBase


class CountingEmbedder(WordHashEmbedder):
    """Counts the texts it was given, and stops working after some of them where asked to."""

    def __init__(self, fails_after: int | None = None) -> None:
        super().__init__(64)
        self.n_texts = 0
        self._fails_after = fails_after

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._fails_after is not None and self.n_texts >= self._fails_after:
            msg = "interrupted"
            raise OSError(msg)
        self.n_texts += len(texts)
        return super().embed(texts)


@pytest.fixture
def knowledge() -> KnowledgeBase:
    source = Source("merl", "table", "1", "Apache-2.0")
    concepts = tuple(Concept(f"ECG:c{i}", f"finding number {i}", "merl") for i in range(600))
    return KnowledgeBase([Terminology(source, concepts)])


def test_an_index_is_built_once(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    first, second = CountingEmbedder(), CountingEmbedder()
    name = open_index(connect(tmp_path), knowledge, first).name
    assert open_index(connect(tmp_path), knowledge, second).name == name
    assert first.n_texts == len(documents(knowledge))
    assert second.n_texts < 50


def test_an_interrupted_build_goes_on_where_it_stopped(
    tmp_path: Path, knowledge: KnowledgeBase
) -> None:
    client = connect(tmp_path)
    with pytest.raises(CkepeError, match="interrupted"):
        open_index(client, knowledge, CountingEmbedder(fails_after=256))
    rest = CountingEmbedder()
    index = open_index(client, knowledge, rest)
    assert rest.n_texts == len(documents(knowledge)) - 256
    near = {hit.concept_id for hit in index.search(["finding number 599"], 100)[0]}
    assert "ECG:c599" in near


def test_an_index_that_lost_texts_is_built_anew(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    client = connect(tmp_path)
    name = open_index(client, knowledge, CountingEmbedder()).name
    collection = client.get_collection(name, embedding_function=None)
    collection.delete(ids=collection.get(limit=5, include=[])["ids"])
    again = CountingEmbedder()
    open_index(client, knowledge, again)
    assert again.n_texts == len(documents(knowledge))


def _cut_vectors(folder: Path) -> None:
    (path,) = folder.glob("*/data_level0.bin")
    with path.open("r+b") as file:
        file.truncate(1000)


def _delete_vectors(folder: Path) -> None:
    (path,) = folder.glob("*/data_level0.bin")
    path.unlink()


def _cut_database(folder: Path) -> None:
    path = folder / "chroma.sqlite3"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _write_over_database(folder: Path) -> None:
    (folder / "chroma.sqlite3").write_bytes(b"no database" * 1000)


@pytest.mark.parametrize(
    "damage", [_cut_vectors, _delete_vectors, _cut_database, _write_over_database]
)
def test_a_store_with_damaged_files_is_made_anew(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    # Chroma writes vectors to their file a thousand at a time.
    source = Source("merl", "table", "1", "Apache-2.0")
    names = [f"finding {i} of {i % 7} kinds" for i in range(1100)]
    concepts = tuple(Concept(f"ECG:c{i}", name, "merl") for i, name in enumerate(names))
    many = KnowledgeBase([Terminology(source, concepts)])
    open_store(many, CountingEmbedder(), tmp_path / "open")
    SharedSystemClient.clear_system_cache()  # as a new process
    folder = tmp_path / "chroma"
    shutil.copytree(tmp_path / "open", folder)  # Chroma crashes if its own files change under it
    damage(folder)
    again = CountingEmbedder()
    index = open_store(many, again, folder)
    assert again.n_texts >= len(documents(many))
    for wanted in ("ECG:c3", "ECG:c700", "ECG:c1099"):
        query = names[int(wanted.removeprefix("ECG:c"))]
        assert wanted in {hit.concept_id for hit in index.search([query], 50)[0]}


def test_a_store_that_is_whole_is_not_made_anew(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    folder = tmp_path / "chroma"
    open_store(knowledge, CountingEmbedder(), folder)
    SharedSystemClient.clear_system_cache()
    again = CountingEmbedder()
    open_store(knowledge, again, folder)
    assert again.n_texts < 50
    assert not (tmp_path / "chroma.damaged").exists()


def test_other_knowledge_has_an_index_of_its_own(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    source = Source("merl", "table", "2", "Apache-2.0")
    other = KnowledgeBase([Terminology(source, (Concept("ECG:x", "another", "merl"),))])
    client = connect(tmp_path)
    names = {open_index(client, kb, CountingEmbedder()).name for kb in (knowledge, other)}
    assert len(names) == 2


def test_a_store_that_does_not_answer_is_said_so(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    client = connect(tmp_path)
    index = open_index(client, knowledge, CountingEmbedder())
    index.check()
    client.delete_collection(index.name)
    with pytest.raises(IndexUnavailableError, match=index.name):
        index.check()
