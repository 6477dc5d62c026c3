"""The language model seam: any OpenAI-compatible server through LangChain, or a script."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
import openai
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from ckepe.errors import LLMError

_MAX_TOKENS: Final = 1024


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


class OpenAIChat:
    """A model behind any OpenAI-compatible endpoint, with retries, back-off and a time limit.

    Args:
        base_url: Such as `http://127.0.0.1:8080/v1`.
        model: The server's name of the model.
        api_key: Sent as bearer token; never logged.
        timeout_s: Limit of one attempt.
        max_retries: Further attempts, with growing pauses.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "none",
        timeout_s: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self._base_url = base_url
        self._model = model
        self._timeout_s = timeout_s
        self._chat = ChatOpenAI(
            base_url=base_url,
            model=model,
            api_key=SecretStr(api_key or "none"),
            timeout=timeout_s,
            max_retries=max_retries,
            temperature=0.0,
            seed=0,
            extra_body={"max_tokens": _MAX_TOKENS},
            use_responses_api=False,
        )

    @property
    def model_id(self) -> str:
        """`openai:` and the server's name of the model."""
        return f"openai:{self._model}"

    def complete(self, turns: Sequence[Turn], schema: Mapping[str, Any]) -> Completion:
        """Return the answer to a conversation, asked to follow a JSON schema.

        Raises:
            LLMError: Unreachable, too slow, or refused.
        """
        asked = {"name": "answer", "schema": dict(schema), "strict": True}
        bound = self._chat.bind(response_format={"type": "json_schema", "json_schema": asked})
        try:
            answer = bound.invoke([_to_message(turn) for turn in turns])
        except openai.APITimeoutError as error:
            msg = f"no answer from the language model {self.model_id!r} in {self._timeout_s:g} s"
            raise LLMError(msg) from error
        except openai.APIConnectionError as error:
            msg = f"the language model at {self._base_url!r} is unreachable"
            raise LLMError(msg) from error
        except openai.APIStatusError as error:
            msg = f"the language model {self.model_id!r} refused with HTTP {error.status_code}"
            raise LLMError(msg) from error
        except (openai.OpenAIError, httpx.HTTPError, ValueError, TypeError) as error:
            kind = type(error).__name__
            msg = f"the server at {self._base_url!r} gave no usable answer ({kind})"
            raise LLMError(msg) from error
        text = answer.content if isinstance(answer.content, str) else ""
        reason = answer.response_metadata.get("finish_reason")
        return Completion(text, is_complete=reason != "length")


def _to_message(turn: Turn) -> BaseMessage:
    kinds: dict[str, Callable[[str], BaseMessage]] = {
        "system": SystemMessage,
        "user": HumanMessage,
        "assistant": AIMessage,
    }
    return kinds[turn.role](turn.text)


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
