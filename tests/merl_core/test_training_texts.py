import numpy as np
import pytest

from merl_core.targets import Vocabulary, load_vocabulary
from merl_core.training_texts import TextPool, compose_texts, held_out_definitions, held_out_names


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def pool(vocabulary: Vocabulary) -> TextPool:
    return compose_texts(vocabulary, n_composed=2)


def test_every_concept_has_names_and_mixtures(vocabulary: Vocabulary, pool: TextPool) -> None:
    for rows in pool.rows_by_column(len(vocabulary)):
        assert pool.is_bare[rows].any()
        assert (~pool.is_bare[rows]).any()


def test_the_same_seed_composes_the_same_texts(vocabulary: Vocabulary, pool: TextPool) -> None:
    assert compose_texts(vocabulary, n_composed=2).texts == pool.texts


def test_held_out_names_are_not_among_the_bare_texts(vocabulary: Vocabulary) -> None:
    pool = compose_texts(vocabulary, n_composed=0, held_out=0.2)
    trained = {
        (text, int(column))
        for text, column, bare in zip(pool.texts, pool.columns, pool.is_bare, strict=True)
        if bare
    }
    meanings_aside = [pair for pair in held_out_names(vocabulary, 0.2) if pair in trained]
    assert len(held_out_names(vocabulary, 0.2)) > 300
    assert len(meanings_aside) < 30


def test_held_out_definitions_are_in_no_text(vocabulary: Vocabulary) -> None:
    held_out = held_out_definitions(vocabulary, 0.3)
    assert 0.15 < len(held_out) / len(vocabulary) < 0.45
    pool = compose_texts(vocabulary, held_out=0.3)
    every = "\n".join(pool.texts)
    assert not any(definition.rstrip(".") in every for definition, _ in held_out)


def test_names_of_the_benchmarks_are_trained_on(vocabulary: Vocabulary, pool: TextPool) -> None:
    assert {"ST/T change", "hypertrophy", "right axis deviation"} <= set(pool.texts)


def test_mixtures_stay_within_what_the_sentence_encoder_reads(pool: TextPool) -> None:
    lengths = np.array([len(text.split()) for text in pool.texts])
    assert np.percentile(lengths, 99) < 120
