"""API keys with scopes, and what the service lets them do."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api.access import KeyRing, RateLimit, needed_scope
from api.cli import app as cli
from api.database import ApiKeyRow, Database
from api.errors import RequestError
from api.keys import KeyStore, Scope
from api.settings import load_settings

from .conftest import ECG_BYTES, ClientFactory

FILE = {"file": ("ecg.bin", ECG_BYTES)}


@pytest.fixture
def database() -> Any:
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    opened = Database(settings.sqlalchemy_url)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database)


def header(secret: str) -> dict[str, str]:
    return {"x-api-key": secret}


def test_the_secret_is_stored_nowhere(database: Database, store: KeyStore) -> None:
    made = store.create("lab", ["classify"])
    with database.session() as session:
        (row,) = session.query(ApiKeyRow).all()
    assert made.secret not in repr(vars(row))
    assert store.find(made.secret) == made.key


def test_a_scope_that_does_not_exist_is_refused(store: KeyStore) -> None:
    for scopes in (["write"], []):
        with pytest.raises(RequestError, match="read, classify, generate, admin"):
            store.create("lab", scopes)


def test_a_key_ends_when_it_was_said_to(store: KeyStore) -> None:
    assert not store.create("lab", ["read"], valid_for=timedelta(0)).key.is_valid
    assert store.create("lab", ["read"], valid_for=timedelta(days=1)).key.is_valid


def test_a_rotated_key_ends_after_its_grace_and_has_a_successor(store: KeyStore) -> None:
    old = store.create("lab", ["read", "classify"])
    new = store.rotate(old.key.id, grace=timedelta(hours=1))
    assert (new.key.name, new.key.scopes) == ("lab", (Scope.READ, Scope.CLASSIFY))
    assert store.get(old.key.id).is_valid
    store.rotate(new.key.id, grace=timedelta(0))
    assert not store.get(new.key.id).is_valid
    with pytest.raises(RequestError, match="not valid any more"):
        store.rotate(new.key.id, grace=timedelta(0))


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("read", {"read"}),
        ("classify", {"read", "classify"}),
        ("generate", {"read", "generate"}),
        ("admin", {"read", "classify", "generate", "admin"}),
    ],
)
def test_each_scope_opens_its_routes_and_no_others(
    store: KeyStore, make_client: ClientFactory, scope: str, allowed: set[str]
) -> None:
    secret = store.create("lab", [scope]).secret
    client = make_client()
    asked = {
        "read": lambda: client.get("/label-sets", headers=header(secret)),
        "classify": lambda: client.post(
            "/classify", files=FILE, data={"labels": "a"}, headers=header(secret)
        ),
        "generate": lambda: client.post(
            "/prompts/generate", json={"labels": ["a"]}, headers=header(secret)
        ),
        "admin": lambda: client.post(
            "/reviews/none/publish", json={"reviewer": "R", "reason": "r"}, headers=header(secret)
        ),
    }
    for name, ask in asked.items():
        answer = ask()
        if name in allowed:
            assert answer.status_code in (200, 404), (name, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope"), name


def test_every_route_of_the_api_has_the_scope_that_fits_it(client: TestClient) -> None:
    routes = {
        (method.upper(), path)
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        for method in methods
    }
    found = {(method, path): needed_scope(method, path) for method, path in routes}
    assert {route for route, scope in found.items() if scope is Scope.ADMIN} == {
        ("POST", "/reviews/{review_id}/publish")
    }
    assert {route for route, scope in found.items() if scope is Scope.CLASSIFY} == {
        ("POST", "/classify"), ("POST", "/classify/batch"), ("POST", "/plot"),
    }  # fmt: skip
    posts = {route for route in routes if route[0] == "POST"}
    assert all(found[route] is not Scope.READ for route in posts)
    assert needed_scope("DELETE", "/anything") is Scope.ADMIN


def test_a_key_ever_made_shuts_the_door_even_when_revoked(
    store: KeyStore, make_client: ClientFactory
) -> None:
    made = store.create("lab", ["read"])
    store.revoke(made.key.id)
    client = make_client()
    for headers in ({}, header(made.secret), header("merl_guess")):
        answer = client.get("/label-sets", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_the_audit_trail_names_the_key(store: KeyStore, make_client: ClientFactory) -> None:
    secret = store.create("study nurse", ["generate"]).secret
    client = make_client()
    made = client.post("/prompts/generate", json={"labels": ["a"]}, headers=header(secret)).json()
    who = {"reviewer": "R", "reason": "r"}
    asked = {"name": "s", "prompt_set_id": made["id"], **who}
    review = client.post("/reviews", json=asked, headers=header(secret)).json()
    trail = client.get(f"/reviews/{review['id']}/events", headers=header(secret)).json()
    assert trail["items"][0]["api_key"] == "study nurse"


@pytest.mark.anyio
async def test_keys_are_not_decided_on_before_the_database_is_open() -> None:
    with pytest.raises(RequestError) as caught:
        await KeyRing(()).identify("merl_any", "127.0.0.1")
    assert caught.value.code == "not_ready"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_requests_beyond_the_rate_are_told_when_to_come_back(make_client: ClientFactory) -> None:
    client = make_client(rate_limit_per_minute=3)
    statuses = [client.get("/label-sets").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = client.get("/label-sets")
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.get("/health").status_code == 200


def test_callers_are_counted_apart() -> None:
    limit = RateLimit(1)
    limit.check("one")
    limit.check("two")
    with pytest.raises(RequestError, match="in a minute"):
        limit.check("one")


def test_guessing_keys_is_limited(make_client: ClientFactory) -> None:
    client = make_client(api_keys="k", rate_limit_per_minute=2)
    statuses = [client.get("/models", headers=header(f"g{n}")).status_code for n in range(3)]
    assert statuses == [401, 401, 429]
    assert client.get("/models", headers=header("k")).status_code == 200


def test_the_command_makes_lists_rotates_and_revokes(store: KeyStore) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["keys", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    secret = run("create", "lab", "--scope", "read", "--scope", "classify").split()[-1]
    key = store.find(secret)
    assert key is not None
    assert key.scopes == (Scope.READ, Scope.CLASSIFY)
    assert key.id in run("list")
    assert secret not in run("list")
    assert run("rotate", key.id).startswith("merl_")
    assert "revoked" in run("revoke", key.id)
    assert not store.get(key.id).is_valid
