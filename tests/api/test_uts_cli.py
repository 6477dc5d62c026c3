"""`merl knowledge uts` against a server on this machine that answers as UTS does."""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from knowledge_sources.errors import KnowledgeError

KEY = "4f1c-uts-secret"
FOUND = [{"ui": "C0004238", "name": "Atrial Fibrillation"}, {"ui": "C9999999", "name": "Other"}]


class _Uts(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if query.get("apiKey") != KEY:
            self._answer(401, {"error": "no"})
        elif url.path == "/rest/search/current":
            hits = FOUND if query["string"] == "afib" and query["pageNumber"] == "1" else []
            self._answer(200, {"result": {"results": hits}})
        elif url.path.endswith("/CUI/C0004238"):
            self._answer(200, {"result": {"ui": "C0004238", "name": "Atrial Fibrillation"}})
        elif url.path.endswith("/atoms"):
            atoms = [{"name": "Auricular fibrillation", "suppressible": "false"}]
            self._answer(200, {"result": atoms, "pageCount": 1})
        elif url.path.endswith("/definitions"):
            self._answer(200, {"result": [{"value": "Quivering atria."}], "pageCount": 1})
        else:
            self._answer(404, {})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def uts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Uts)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("MERL_UTS_URL", f"http://127.0.0.1:{server.server_port}/rest")
    monkeypatch.setenv("MERL_UTS_API_KEY", KEY)
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["knowledge", "uts", *arguments])


def test_a_term_gives_cuis_and_the_concepts_that_have_them(uts: None) -> None:
    hits = json.loads(_run("afib", "--json").stdout)
    assert hits == [
        {"cui": "C0004238", "name": "Atrial Fibrillation", "concept_id": "ECG:atrial-fibrillation"},
        {"cui": "C9999999", "name": "Other", "concept_id": None},
    ]
    assert "ECG:atrial-fibrillation" in _run("afib").stdout


def test_a_cui_gives_its_names_and_definition(uts: None) -> None:
    body = json.loads(_run("C0004238", "--json").stdout)
    assert body["names"] == ["Auricular fibrillation"]
    assert body["definition"] == "Quivering atria."
    assert body["concept_id"] == "ECG:atrial-fibrillation"


def test_what_uts_lacks_is_said(uts: None) -> None:
    assert "finds nothing" in _run("green tea").stdout
    assert isinstance(_run("C0000001").exception, KnowledgeError)


def test_the_key_is_shown_nowhere(
    uts: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good = _run("afib")
    monkeypatch.setenv("MERL_UTS_API_KEY", "wrong-" + KEY)
    refused = _run("afib")
    assert isinstance(refused.exception, KnowledgeError)
    assert "MERL_UTS_API_KEY" in str(refused.exception)
    said = [good.output, refused.output, str(refused.exception), caplog.text]
    assert not any(KEY in text for text in said)


def test_without_a_key_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MERL_UTS_API_KEY", raising=False)
    failed = _run("afib").exception
    assert isinstance(failed, KnowledgeError)
    assert "MERL_UTS_API_KEY" in str(failed)
