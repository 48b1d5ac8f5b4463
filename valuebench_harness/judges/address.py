"""Addresses of OpenAI-compatible servers: which can be one, and which server is meant."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import urlsplit

OFFICIAL = "https://api.openai.com/v1"
PORTS = {"http": 80, "https": 443}


def checked_address(url: str | None) -> str | None:
    """An address as it is, which a run may record.

    Raises:
        ValueError: it is no address of a server, or holds a password.
    """
    if url is not None:
        if urlsplit(url).username is not None:
            raise ValueError("an address must hold no password, since runs record it: set OPENAI_API_KEY instead")
        require_http(url)
    return url


def require_http(url: str) -> None:
    """Refuses what can be no server's address, such as one without ``http://``.

    Raises:
        ValueError: no scheme, no host, or a port that is none.
    """
    parts = urlsplit(url)
    _ = parts.port  # raises for one that is none
    if parts.scheme not in PORTS or not parts.hostname or url.split() != [url]:
        raise ValueError("it must begin with http:// or https:// and name a host, such as http://localhost:8000/v1")


def address_in_use(base_url: str | None) -> str:
    """The address that is asked where the settings name this one: else the environment's, else OpenAI's own."""
    return base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL


def server_mark(url: str) -> str:
    """Twelve hexadecimal digits that tell servers apart; empty for OpenAI's own.

    They follow scheme, host, port and path, however these are spelled: two servers may serve two models by one name,
    and many a local server answers to any name. A password and a query are no part of it.
    """
    mine, official = _place(url), _place(OFFICIAL)
    return "" if mine == official else hashlib.sha256(mine.encode()).hexdigest()[:12]


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or PORTS.get(parts.scheme)}{parts.path.rstrip('/')}"
