"""Builds what the service works with: the one place that knows every concrete part."""

import os
from collections.abc import Callable

from filelock import FileLock

from api.batching import BatchingEngine
from api.database import Database
from api.parts import Parts
from api.readers import load_readers
from api.settings import Settings, prepare_data_dir
from api.watch import Watch, WatchedCache, WatchedLLM
from ckepe.index import open_store
from ckepe.pipeline import PromptEngineer
from ckepe.proposal import LLMProposer
from ckepe.retrieval import HybridRetriever
from ckepe.vectors import KnownVectors, packaged_vectors
from knowledge_sources.knowledge_base import load_knowledge_base
from knowledge_sources.user_sources import UserSources
from merl_core.encoders.text import SentenceEncoder
from merl_core.engine import Engine

Progress = Callable[[int, int], None]
"""Called with the texts indexed and the texts in all."""


def load_parts(settings: Settings, say: Callable[[str], None]) -> Parts:
    """Load model, knowledge and index; takes seconds, and builds the index the first time.

    Args:
        settings: Where things are.
        say: Told what is being done.

    Raises:
        ConfigurationError: A setting cannot be used.
        CheckpointError, KnowledgeError, CkepeError: What one of the parts could not load.
    """
    _no_telemetry()
    prepare_data_dir(settings)
    database = Database(settings.sqlalchemy_url)
    readers = load_readers(settings, settings.n_workers)
    say("loading the model")
    watch = Watch()
    engine = Engine(settings.checkpoint, settings.device, backend=settings.backend)
    say("opening the concept index")
    engineer = load_engineer(
        settings,
        lambda done, total: say(f"indexing the knowledge, once: {100 * done // total} %"),
        watch,
    )
    say("starting the readers")
    readers.start()
    return Parts(
        engine=BatchingEngine(engine, watch),
        readers=readers,
        engineer=engineer,
        retriever=engineer.retriever,
        knowledge=engineer.knowledge_base,
        database=database,
        watch=watch,
        llm=f"openai:{settings.llm_model}" if settings.has_llm else None,
        model_config=engine.checkpoint.config.model_dump(mode="json"),
    )


def load_engineer(
    settings: Settings, on_progress: Progress | None = None, watch: Watch | None = None
) -> PromptEngineer:
    """Return the prompt engineer alone: knowledge, index and, where one is set, the LLM."""
    _no_telemetry()
    prepare_data_dir(settings)
    own = UserSources(
        umls_dir=settings.umls_dir,
        medgen_dir=settings.medgen_dir,
        scp_ecg_csv=settings.scp_ecg_csv,
        cdisc_tsv=settings.cdisc_tsv,
        cache_dir=settings.data_dir / "knowledge",
    )
    knowledge = load_knowledge_base(own=own)
    embedder = KnownVectors(SentenceEncoder(), packaged_vectors())
    # Chroma's embedded store does not bear two processes that build in it at once.
    with FileLock(settings.data_dir / "chroma.lock"):
        folder, url = settings.data_dir / "chroma", settings.chroma_url or None
        index = open_store(knowledge, embedder, folder, url, on_progress)
    retriever = HybridRetriever(knowledge, index)
    proposer = _proposer(settings, retriever, watch or Watch())
    llm_id = f"openai:{settings.llm_model}" if proposer is not None else None
    return PromptEngineer(knowledge, retriever, proposer, llm_id)


def _proposer(settings: Settings, retriever: HybridRetriever, watch: Watch) -> LLMProposer | None:
    if not settings.has_llm:
        return None
    from ckepe.openai_chat import OpenAIChat  # takes seconds, and only a language model needs it

    llm = OpenAIChat(
        settings.llm_base_url,
        settings.llm_model,
        api_key=settings.llm_api_key.get_secret_value(),
        timeout_s=settings.llm_timeout_s,
    )
    cache = WatchedCache(settings.data_dir / "llm-answers", watch)
    return LLMProposer(WatchedLLM(llm, watch), retriever, cache)


def _no_telemetry() -> None:
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
