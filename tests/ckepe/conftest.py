"""The real knowledge, with an embedder that costs nothing."""

import pytest

from ckepe.embedding import WordHashEmbedder
from ckepe.index import connect, open_index
from ckepe.pipeline import PromptEngineer
from ckepe.retrieval import HybridRetriever
from knowledge_sources.knowledge_base import KnowledgeBase, load_knowledge_base


@pytest.fixture(scope="session")
def knowledge() -> KnowledgeBase:
    return load_knowledge_base()


@pytest.fixture(scope="session")
def retriever(knowledge: KnowledgeBase) -> HybridRetriever:
    return HybridRetriever(knowledge, open_index(connect(), knowledge, WordHashEmbedder()))


@pytest.fixture(scope="session")
def engineer(knowledge: KnowledgeBase, retriever: HybridRetriever) -> PromptEngineer:
    return PromptEngineer(knowledge, retriever)
