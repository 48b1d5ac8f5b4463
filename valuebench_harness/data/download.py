"""Fetches one file over HTTP, checked against a SHA-256 where one is known."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from valuebench_harness.errors import UsageError

TIMEOUT_SECONDS = 30
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "VHARNESS_OFFLINE")


def fetch(url: str, *, sha256: str | None = None) -> bytes:
    """The body of a URL.

    Proxies are taken from ``HTTPS_PROXY`` and its like, as Python's urllib does.

    Args:
        url: ``http`` or ``https``.
        sha256: what the body must hash to; ``None`` where no checksum is known.

    Raises:
        UsageError: not an HTTP address, offline mode, not found, unreachable, cut off, or
            another checksum.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"'{url}' is no http(s) address.")
    if offline := next((name for name in OFFLINE_VARIABLES if os.environ.get(name) not in (None, "", "0")), None):
        raise UsageError(f"{offline} is set, so {url} is not fetched; unset it to download.")
    request = urllib.request.Request(url, headers={"User-Agent": "valuebench-harness"})  # noqa: S310 - scheme checked
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - scheme checked
            body: bytes = response.read()
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.NOT_FOUND:
            raise UsageError(f"{url}: not found on the server (404).") from None
        raise UsageError(f"{url}: the server answered {error.code} {error.reason}.") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise UsageError(
            f"{url}: cannot be reached ({reason}). Behind a proxy set HTTPS_PROXY; "
            "offline put the files into a folder and set VHARNESS_DATA_DIR to it."
        ) from None
    except http.client.HTTPException as error:
        raise UsageError(f"{url}: the download broke off ({error!r}); run the command again.") from None
    if sha256 is not None and (found := hashlib.sha256(body).hexdigest()) != sha256:
        raise UsageError(
            f"{url}: wrong checksum, nothing was stored (SHA-256 {found[:16]}..., expected {sha256[:16]}...)."
        )
    return body


def write_atomic(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files under a folder so that each is either the old one or the whole new one.

    Raises:
        UsageError: the folder cannot be written to, or the disk is full.
    """
    for name, body in files.items():
        target = folder / name
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as handle:
                handle.write(body)
                handle.flush()
                os.fsync(handle.fileno())
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise UsageError(f"{target}: cannot be written ({error.strerror}).") from None
