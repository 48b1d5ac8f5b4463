"""Which addresses are taken for a server's, and which are the same server's."""

from __future__ import annotations

import pytest

from valuebench_harness.judges.address import OFFICIAL, checked_address, server_mark


@pytest.mark.parametrize(
    "url", ["http://localhost:8000/v1", "https://api.openai.com/v1", "http://[::1]:80/v1/", "HTTPS://Example.org"]
)
def test_an_address_is_left_as_it_is(url: str) -> None:
    assert checked_address(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "notaurl", "localhost:18431/v1", "127.0.0.1:8000", "http://", "http:///v1", "ftp://host/v1", "//host/v1"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://localhost:8000/v1"):
        checked_address(url)


@pytest.mark.parametrize("url", ["http://host:99999/v1", "http://host:port/v1", "http://[::1/v1", "http://my host/v1"])
def test_an_address_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        checked_address(url)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="no password") as caught:
        checked_address("http://ann:s3cret@host/v1")
    assert "s3cret" not in str(caught.value)


def test_openais_own_address_has_no_mark_however_it_is_spelled() -> None:
    assert OFFICIAL == "https://api.openai.com/v1"
    for url in (OFFICIAL, OFFICIAL + "/", "https://API.openai.com:443/v1", "HTTPS://api.openai.com/v1"):
        assert server_mark(url) == ""


def test_marks_tell_servers_apart_and_spellings_together() -> None:
    others = [
        "http://127.0.0.1:8000/v1",
        "http://localhost:8000/v1",
        "http://localhost:8001/v1",
        "http://localhost/v1",
        "https://localhost/v1",
        "http://localhost/v2",
        "https://api.openai.com/v2",
        "http://api.openai.com/v1",
        "https://api.openai.com.example.org/v1",
    ]
    assert len({server_mark(url) for url in others} | {""}) == len(others) + 1
    same = ("http://localhost/v1", "http://localhost:80/v1", "HTTP://LOCALHOST/v1/", "http://ann:s3cret@localhost/v1")
    assert len({server_mark(url) for url in same}) == 1
