"""A language model behind an OpenAI-compatible server, through LangChain."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx
import openai
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from ckepe.errors import LLMError
from ckepe.llm import Completion, Turn

_MAX_TOKENS: Final = 1024


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
