"""Downloads, from a server on loopback that speaks the hub's and GitHub's addresses."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pyarrow
import pyarrow.parquet
import pytest

from valuebench_harness.data import mmlu, pull, sources, status, valuebench
from valuebench_harness.errors import UsageError

COMMIT = "c" * 40
ITEMS = b"questionnaire,item,value,agreement,question\nQ,I win.,Achievement,1,Should I win?\n"


class Server:
    """Serves the bodies in ``pages``; anything else is a 404. A value of ``None`` cuts the answer off."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | None] = {}
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path not in pages:
                    self.send_error(404)
                    return
                body = pages[path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body) if body is not None else 1000))
                self.end_headers()
                self.wfile.write(body or b"cut")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))
    for name in ("VHARNESS_DATA_DIR", "HF_ENDPOINT", "HF_HUB_OFFLINE", "VHARNESS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def parquet(*questions: str) -> bytes:
    rows = [{"question": q, "subject": "x", "choices": ["a", "b, c", "d", "e"], "answer": 1} for q in questions]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def offer_mmlu(server: Server, subject: str, *, lie: bool = False) -> None:
    siblings = []
    for split, body in (("dev", parquet("One, or two?")), ("test", parquet("Three?", "Four?"))):
        name = f"{subject}/{split}-00000-of-00001.parquet"
        digest = hashlib.sha256(b"something else" if lie else body).hexdigest()
        siblings.append({"rfilename": name, "lfs": {"sha256": digest, "size": len(body)}})
        server.pages[f"/datasets/cais/mmlu/resolve/{COMMIT}/{name}"] = body
    listing = {"id": "cais/mmlu", "sha": COMMIT, "siblings": [{"rfilename": "README.md"}, *siblings]}
    server.pages["/api/datasets/cais/mmlu/revision/main"] = json.dumps(listing).encode()


def offer_valuebench(server: Server, monkeypatch: pytest.MonkeyPatch, *, lie: bool = False) -> None:
    digest = hashlib.sha256(b"something else" if lie else ITEMS).hexdigest()
    files = (pull.RawFile(COMMIT, "data/value_orientation.csv", digest),)
    monkeypatch.setitem(pull.RAW_FILES, "valuebench", files)
    server.pages[f"/Value4AI/ValueBench/{COMMIT}/data/value_orientation.csv"] = ITEMS


def test_mmlu_from_the_hub(server: Server, home: Path) -> None:
    offer_mmlu(server, "anatomy")
    seen: list[tuple[int, int, str]] = []
    folder = pull.pull("mmlu:anatomy", server.url, progress=lambda *step: seen.append(step))
    assert folder == home / "data" / "mmlu"
    assert [i.question for i in mmlu.subject("anatomy", "test")] == ["Three?", "Four?"]
    (item,) = mmlu.subject("anatomy", "dev")
    assert (item.question, item.choices[1], item.answer) == ("One, or two?", "b, c", 1)
    record = json.loads((folder / "source.json").read_text(encoding="utf-8"))
    entry = record["files"]["test/anatomy_test.csv"]
    assert record["repository"] == "cais/mmlu"
    assert entry["commit"] == COMMIT
    assert entry["checked"] == "sha256"
    assert entry["sha256"] == hashlib.sha256((folder / "test/anatomy_test.csv").read_bytes()).hexdigest()
    assert seen == [(1, 2, "dev/anatomy_dev.csv"), (2, 2, "test/anatomy_test.csv")]
    assert not list(folder.rglob("*.partial"))


def test_a_second_subject_joins_the_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_mmlu(server, "anatomy")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    pull.pull("mmlu:anatomy")
    offer_mmlu(server, "virology")
    folder = pull.pull("mmlu:virology")
    assert mmlu.subjects(folder) == ["anatomy", "virology"]
    assert len(pull.read_record(folder)["files"]) == 4


def test_items_that_differ_from_the_reference_are_marked(server: Server) -> None:
    for subject in mmlu.VALUE_UNRELATED:
        offer_mmlu(server, subject)
    listing = {"sha": COMMIT, "siblings": []}
    server.pages["/api/datasets/cais/mmlu/revision/main"] = json.dumps(listing).encode()
    files = pull.read_record(pull.pull("mmlu", server.url))["files"]
    assert len(files) == 8
    assert {entry["same_as_reference"] for entry in files.values()} == {False}
    assert {entry["checked"] for entry in files.values()} == {"commit only"}


def test_the_reference_is_that_of_the_real_files() -> None:
    for subject in mmlu.VALUE_UNRELATED:
        assert {f"{subject}/dev", f"{subject}/test"} <= set(pull.MMLU_REFERENCE)
    rows = [("Q?", ["a", "b", "c", "d"], 2)]
    expected = hashlib.sha256(b'["Q?", "a", "b", "c", "d", 2]\n').hexdigest()
    assert pull.items_digest(rows) == expected
    assert pull.items_digest([(" Q? ", ["a ", "b", "c", "d"], 2)]) == expected


def test_raw_files_and_status(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {s.name: s for s in status.data_status()}["valuebench"]
    assert not before.present
    assert "vharness data pull valuebench" in before.note
    offer_valuebench(server, monkeypatch)
    folder = pull.pull("ValueBench", server.url)
    assert [i.value for i in valuebench.items()] == ["achievement"]
    after = {s.name: s for s in status.data_status()}["valuebench"]
    assert (after.present, after.commit, after.items) == (True, COMMIT, {"questionnaire": 1, "values": 1})
    assert pull.altered_files(folder) == []
    (folder / "value_orientation.csv").write_bytes(ITEMS + b"Q,I lose.,Achievement,-1,Should I lose?\n")
    assert pull.altered_files(folder) == ["value_orientation.csv"]


@pytest.mark.parametrize("name", ["mmlu:anatomy", "valuebench"])
def test_a_wrong_checksum_stores_nothing(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    offer_mmlu(server, "anatomy", lie=True)
    offer_valuebench(server, monkeypatch, lie=True)
    with pytest.raises(UsageError, match=r"wrong checksum, nothing was stored"):
        pull.pull(name, server.url)
    assert not (home / "data").exists()


def test_a_failed_update_keeps_the_old_files(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_valuebench(server, monkeypatch)
    folder = pull.pull("valuebench", server.url)
    offer_valuebench(server, monkeypatch, lie=True)
    with pytest.raises(UsageError):
        pull.pull("valuebench", server.url)
    assert (folder / "value_orientation.csv").read_bytes() == ITEMS


def test_server_errors_are_named(server: Server) -> None:
    with pytest.raises(UsageError, match=r"revision/main\?blobs=true: not found on the server \(404\)"):
        pull.pull("mmlu:anatomy", server.url)
    server.pages["/api/datasets/cais/mmlu/revision/main"] = b"<html>log in</html>"
    with pytest.raises(UsageError, match=r"not that of a Hugging Face Hub"):
        pull.pull("mmlu:anatomy", server.url)
    offer_mmlu(server, "anatomy")
    server.pages[f"/datasets/cais/mmlu/resolve/{COMMIT}/anatomy/dev-00000-of-00001.parquet"] = None
    with pytest.raises(UsageError, match=r"broke off"):
        pull.pull("mmlu:anatomy", server.url)


def test_parquet_of_another_shape_is_refused(server: Server) -> None:
    offer_mmlu(server, "anatomy")
    listing = {"sha": COMMIT, "siblings": []}
    server.pages["/api/datasets/cais/mmlu/revision/main"] = json.dumps(listing).encode()
    server.pages[f"/datasets/cais/mmlu/resolve/{COMMIT}/anatomy/dev-00000-of-00001.parquet"] = b"no parquet"
    with pytest.raises(UsageError, match=r"not MMLU's Parquet"):
        pull.pull("mmlu:anatomy", server.url)


def test_no_server_and_offline_mode(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.http.server_close()
    with pytest.raises(UsageError, match=r"cannot be reached .*HTTPS_PROXY.*VHARNESS_DATA_DIR"):
        pull.pull("valuebench", server.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match=r"HF_HUB_OFFLINE is set"):
        pull.pull("valuebench", server.url)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mlmu", "Did you mean 'mmlu'"),
        ("mmlu:astronomi", "Did you mean 'astronomy'"),
        ("valuebench:x", "only mmlu takes a part"),
    ],
)
def test_unknown_names(name: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        pull.pull(name)
    assert expected in str(caught.value)


def test_the_users_folder_comes_before_the_cache(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"VHARNESS_DATA_DIR is not set"):
        sources.require("valuebench")
    offer_valuebench(server, monkeypatch)
    pulled = pull.pull("valuebench", server.url)
    monkeypatch.setenv("VHARNESS_DATA_DIR", str(tmp_path))
    assert sources.find("valuebench") == pulled
    own = tmp_path / "valuebench"
    own.mkdir()
    assert sources.find("valuebench") == pulled
    (own / "value_orientation.csv").write_bytes(ITEMS)
    assert sources.find("valuebench") == own
    monkeypatch.setenv("VHARNESS_DATA_DIR", str(tmp_path / "gone"))
    with pytest.raises(UsageError, match=r"VHARNESS_DATA_DIR is set to .*gone, which is no folder"):
        sources.find("valuebench")
