"""How the tests start the system's Chromium: without a window, and without calls of its own."""

from __future__ import annotations

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
