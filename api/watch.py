"""What the parts report while they work: calls of a language model, cache hits, batches."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckepe.llm import Completion, LanguageModel, Turn
from ckepe.proposal import AnswerCache


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Watch:
    """Whom parts report to; nobody at first."""

    on_llm_call: Callable[[str, float], None] = _ignore
    """Outcome (`ok`, `cut` or `error`) and seconds."""
    on_cache: Callable[[str, bool], None] = _ignore
    """Name of a cache, and whether it had what was looked for."""
    on_batch: Callable[[int], None] = _ignore
    """Windows that went through the encoder together."""


class WatchedLLM:
    """A language model whose calls are reported.

    Args:
        llm: The model.
        watch: Told of every call.
    """

    def __init__(self, llm: LanguageModel, watch: Watch) -> None:
        self._llm = llm
        self._watch = watch

    @property
    def model_id(self) -> str:
        """`provider:model`."""
        return self._llm.model_id

    def complete(self, turns: Sequence[Turn], schema: Mapping[str, Any]) -> Completion:
        """Return the model's answer.

        Raises:
            LLMError: Unreachable, too slow, or refused.
        """
        start = time.perf_counter()
        outcome = "error"
        try:
            completion = self._llm.complete(turns, schema)
            outcome = "ok" if completion.is_complete else "cut"
            return completion
        finally:
            self._watch.on_llm_call(outcome, time.perf_counter() - start)


class WatchedCache(AnswerCache):
    """A cache of language models' answers whose hits are reported.

    Args:
        folder: Made when the first answer is kept.
        watch: Told of every look-up.
    """

    def __init__(self, folder: Path, watch: Watch) -> None:
        super().__init__(folder)
        self._watch = watch

    def get(self, key: str) -> Any:
        """Return the answer kept under this key, if there is one and it is whole."""
        found = super().get(key)
        self._watch.on_cache("llm_answers", found is not None)
        return found
