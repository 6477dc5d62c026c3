"""Writes the shipped vectors of the packaged sources' texts: `make vectors`."""

from ckepe.index import documents
from ckepe.vectors import PACKAGED, packaged_vectors, write_vectors
from knowledge_sources.knowledge_base import load_knowledge_base
from merl_core.encoders.text import SentenceEncoder


def main() -> None:
    """Compute the vectors that the file lacks, and write it without those that are not used."""
    knowledge = load_knowledge_base()
    texts = [d.text for d in documents(knowledge)]
    write_vectors(PACKAGED, SentenceEncoder(), texts, packaged_vectors())
    print(f"{len(texts)} texts, {PACKAGED.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
