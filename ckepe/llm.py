"""The language model seam: what proposal asks of one, and a script that answers in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ckepe.errors import LLMError


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: str
    """`system`, `user` or `assistant`."""
    text: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer."""

    text: str
    is_complete: bool = True
    """False where the server cut the answer at its limit."""


class LanguageModel(Protocol):
    """What proposal needs of a language model."""

    @property
    def model_id(self) -> str:
        """`provider:model`."""

    def complete(self, turns: Sequence[Turn], schema: Mapping[str, Any]) -> Completion:
        """Return the answer to a conversation, asked to follow a JSON schema.

        Raises:
            LLMError: Unreachable, too slow, or refused.
        """


class ScriptedLLM:
    """A language model that answers from a script: for tests, ours and users'.

    Args:
        answers: Answer by a text that the last user message contains, or answers in order. An
            exception in place of an answer is raised.
        model_id: How it names itself.
    """

    def __init__(
        self,
        answers: Mapping[str, str | Completion | Exception]
        | Sequence[str | Completion | Exception],
        model_id: str = "scripted:test",
    ) -> None:
        self._answers = answers
        self._model_id = model_id
        self.requests: list[tuple[Turn, ...]] = []
        """Every conversation that was sent, in order."""

    @property
    def model_id(self) -> str:
        """As given."""
        return self._model_id

    def complete(self, turns: Sequence[Turn], schema: Mapping[str, Any]) -> Completion:
        """Return the scripted answer.

        Raises:
            LLMError: The script has no answer for it.
        """
        answer = self._find(turns)
        self.requests.append(tuple(turns))
        if isinstance(answer, Exception):
            raise answer
        return Completion(answer) if isinstance(answer, str) else answer

    def _find(self, turns: Sequence[Turn]) -> str | Completion | Exception:
        if isinstance(self._answers, Mapping):
            asked = "\n".join(turn.text for turn in turns if turn.role == "user")
            for key, answer in self._answers.items():
                if key in asked:
                    return answer
        elif len(self.requests) < len(self._answers):
            return self._answers[len(self.requests)]
        msg = "the script has no answer for this conversation"
        raise LLMError(msg)
