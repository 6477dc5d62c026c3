"""Against a local server that lays a data set out as PhysioNet does, and breaks connections."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from merl_core.cli import app
from merl_core.datasets.catalog import PUBLICATIONS, Publication
from merl_core.datasets.checksums import SUMS, read_checksums
from merl_core.datasets.fetching import fetch
from merl_core.errors import MerlError

CSN = PUBLICATIONS["csn"]
FILES = {
    "ConditionNames_SNOMED-CT.csv": b"Acronym Name,Full Name,Snomed_CT\n",
    "WFDBRecords/01/010/JS00001.hea": b"JS00001 12 500 5000\n",
    "WFDBRecords/01/010/JS00001.mat": bytes(range(256)) * 2000,
    "WFDBRecords/01/010/JS00002 (copy).mat": b"x" * 70_000,
}


class Server(ThreadingHTTPServer):
    """Serves `FILES`; what goes wrong is set by the test."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks: Counter[str] = Counter()
        """How often a file's answer is still cut off halfway."""
        self.busy: Counter[str] = Counter()
        """How often a file is still answered by 503."""
        self.damaged: Counter[str] = Counter()
        """How often a file still comes with a wrong byte."""
        self.knows_ranges = True
        self.status: dict[str, int] = {}
        self.requests: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/files"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = unquote(self.path).removeprefix(f"/files/{CSN.slug}/")
        asked = self.headers.get("Range")
        self.server.requests.append((name, asked))
        if name == SUMS:
            lines = [f"{hashlib.sha256(c).hexdigest()} {n}" for n, c in FILES.items()]
            self.answer(200, "\n".join(lines).encode())
        elif name in self.server.status:
            self.answer(self.server.status[name], b"")
        elif name not in FILES:
            self.answer(404, b"")
        elif self.server.busy[name] > 0:
            self.server.busy[name] -= 1
            self.answer(503, b"")
        else:
            self.send_file(name, asked)

    def send_file(self, name: str, asked: str | None) -> None:
        content = FILES[name]
        if self.server.damaged[name] > 0:
            self.server.damaged[name] -= 1
            content = b"?" + content[1:]
        if asked is None or not self.server.knows_ranges:
            self.answer(200, content, self.cut(name, len(content)))
            return
        first = int(asked.removeprefix("bytes=").rstrip("-"))
        if first >= len(content):
            self.answer(416, b"")
            return
        rest = content[first:]
        place = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self.answer(206, rest, self.cut(name, len(rest)), {"Content-Range": place})

    def cut(self, name: str, size: int) -> int:
        if self.server.breaks[name] <= 0:
            return size
        self.server.breaks[name] -= 1
        return size // 2

    def answer(
        self,
        status: int,
        body: bytes,
        n_sent: int | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in (extra or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[:n_sent])
        if n_sent is not None and n_sent < len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def get(server: Server, folder: Path, publication: Publication = CSN, **options: object) -> object:
    return fetch(publication, folder, base_url=server.url, pause_s=0.01, n_connections=3, **options)  # type: ignore[arg-type]


def assert_complete(folder: Path) -> None:
    for name, content in FILES.items():
        assert (folder / name).read_bytes() == content
    assert not list(folder.rglob("*.part"))


BIG = "WFDBRecords/01/010/JS00001.mat"


def test_a_data_set_arrives_whole(server: Server, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    get(server, tmp_path, on_progress=lambda a, b: done.append((a, b)))
    assert_complete(tmp_path)
    assert done[-1] == (4, 4)
    assert (tmp_path / SUMS).is_file()


def test_a_broken_connection_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.breaks[BIG] = 3
    get(server, tmp_path)
    assert_complete(tmp_path)
    ranges = [asked for name, asked in server.requests if name == BIG]
    assert ranges[0] is None
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in ranges[1:] if asked]
    assert starts == sorted(set(starts))
    assert len(starts) == 3


def test_a_server_without_ranges_is_asked_for_the_whole(server: Server, tmp_path: Path) -> None:
    server.breaks[BIG] = 1
    server.knows_ranges = False
    get(server, tmp_path)
    assert_complete(tmp_path)


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.busy[BIG] = 2
    get(server, tmp_path)
    assert_complete(tmp_path)


def test_a_damaged_file_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.damaged[BIG] = 1
    get(server, tmp_path)
    assert_complete(tmp_path)


def test_a_file_that_stays_damaged_is_never_kept(server: Server, tmp_path: Path) -> None:
    server.damaged[BIG] = 99
    with pytest.raises(MerlError, match=r"JS00001\.mat: .* its sha256 is not the published one"):
        get(server, tmp_path)
    assert not (tmp_path / BIG).exists()


def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path) -> None:
    part = tmp_path / f"{BIG}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(FILES[BIG][:1000])
    get(server, tmp_path)
    assert_complete(tmp_path)
    assert (BIG, "bytes=1000-") in server.requests
    server.requests.clear()
    get(server, tmp_path)
    assert [name for name, _ in server.requests] == [SUMS]


def test_a_part_that_is_whole_already_is_checked_and_kept(server: Server, tmp_path: Path) -> None:
    part = tmp_path / f"{BIG}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(FILES[BIG])
    get(server, tmp_path)
    assert_complete(tmp_path)


def test_a_server_that_never_answers_is_given_up(server: Server, tmp_path: Path) -> None:
    server.busy[BIG] = 99
    with pytest.raises(MerlError, match=r"JS00001\.mat: cannot be fetched: HTTP status 503"):
        get(server, tmp_path, n_attempts=3)


@pytest.mark.parametrize(("status", "hint"), [(403, "it asks for an account"), (404, "404")])
def test_a_refused_file_is_named(server: Server, tmp_path: Path, status: int, hint: str) -> None:
    server.status[BIG] = status
    with pytest.raises(MerlError, match=rf"JS00001\.mat: HTTP status {status}.*") as caught:
        get(server, tmp_path)
    assert hint in str(caught.value)


def test_only_wanted_files_are_fetched(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path, include=["*.csv"])
    assert [p.name for p in tmp_path.rglob("*.csv")] == ["ConditionNames_SNOMED-CT.csv"]
    assert not (tmp_path / "WFDBRecords").exists()


def test_parts_that_are_fetched_one_after_the_other_are_all_compared_later(
    server: Server, tmp_path: Path
) -> None:
    get(server, tmp_path, include=["*.csv"])
    get(server, tmp_path, include=[BIG])
    assert (read_checksums(tmp_path) or {}).keys() == {"ConditionNames_SNOMED-CT.csv", BIG}


def test_a_data_set_within_a_project_is_fetched_alone(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path, replace(CSN, below="WFDBRecords/01/"))
    assert not (tmp_path / "ConditionNames_SNOMED-CT.csv").exists()
    assert (tmp_path / BIG).is_file()


def test_the_command_says_what_it_did_and_what_is_wrong(server: Server, tmp_path: Path) -> None:
    runner = CliRunner()
    arguments = ["data", "fetch", "csn", "--to", str(tmp_path), "--base-url", server.url]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert '"n_new": 4' in result.stdout
    wrong = runner.invoke(app, ["data", "fetch", "csn2", "--to", str(tmp_path)])
    assert wrong.exit_code == 2
    assert "unknown data set 'csn2'" in wrong.stderr
