"""The UTS client pages, retries and keeps its key to itself."""

import logging

import httpx
import pytest

from knowledge_sources.errors import KnowledgeError
from knowledge_sources.uts import UtsClient

KEY = "secret-key-123"


def client(handler) -> UtsClient:
    return UtsClient(KEY, transport=httpx.MockTransport(handler))


def test_a_search_goes_through_the_pages_until_there_is_nothing() -> None:
    pages = {
        "1": [{"ui": "C1", "name": "one"}, {"ui": "C2", "name": "two"}],
        "2": [{"ui": "C3", "name": "three"}],
        "3": [{"ui": "NONE", "name": "NO RESULTS"}],
    }

    def handler(request: httpx.Request) -> httpx.Response:
        items = pages[request.url.params["pageNumber"]]
        return httpx.Response(200, json={"result": {"results": items}})

    with client(handler) as uts:
        assert uts.search("atrial") == [("C1", "one"), ("C2", "two"), ("C3", "three")]


def test_a_concept_keeps_names_that_are_not_suppressed_and_its_definition() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/atoms"):
            atoms = [
                {"name": "Slow rhythm", "suppressible": "false"},
                {"name": "Old name", "suppressible": "true"},
            ]
            return httpx.Response(200, json={"result": atoms, "pageCount": 1})
        if request.url.path.endswith("/definitions"):
            return httpx.Response(200, json={"result": [{"value": "Slow."}], "pageCount": 1})
        return httpx.Response(200, json={"result": {"name": "Slow rhythm", "ui": "C1"}})

    with client(handler) as uts:
        concept = uts.concept("C1")
    assert concept is not None
    assert concept.names == ("Slow rhythm",)
    assert concept.definition == "Slow."


def test_a_concept_that_does_not_exist_is_none() -> None:
    with client(lambda _: httpx.Response(404)) as uts:
        assert uts.concept("C9") is None


def test_a_busy_server_is_asked_again() -> None:
    answers = [httpx.Response(503), httpx.Response(429)]
    empty = httpx.Response(200, json={"result": {"results": []}})

    with client(lambda _: answers.pop() if answers else empty) as uts:
        assert uts.search("x") == []
    assert answers == []


def test_the_key_appears_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with client(lambda _: httpx.Response(401)) as uts, pytest.raises(KnowledgeError) as refused:
        uts.search("x")
    assert KEY not in str(refused.value)
    assert KEY not in caplog.text
    assert "redacted" in caplog.text


def test_without_a_key_the_setting_is_named() -> None:
    with pytest.raises(KnowledgeError, match="MERL_UTS_API_KEY"):
        UtsClient("")
