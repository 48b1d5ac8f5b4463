"""Kang's prefix rule: an answer that opens with yes or no needs no judge (Kang et al., ACL 2025, Appendix A.1)."""

from __future__ import annotations

import re

_ANSWER = re.compile(r"\banswer\s*:\s*", re.IGNORECASE)
_PREFIXES = {
    "yes": re.compile(r"(?:yes|sure)\b", re.IGNORECASE),
    "no": re.compile(r"no\b", re.IGNORECASE),
    "unsure": re.compile(r"(?:unsure|i cannot|i am unable)\b", re.IGNORECASE),
}


def prefix_stance(answer: str) -> str | None:
    """The stance that an answer opens with: yes, no or unsure; ``None`` where it opens otherwise.

    What follows the last "Answer:" is looked at, where there is one. The paper compares the first letters; whole words
    are compared here, so that "nobody" is no "no" and "surely not" no "yes".
    """
    said = _ANSWER.split(answer)[-1].lstrip(" \t\r\n\"'*")
    return next((label for label, prefix in _PREFIXES.items() if prefix.match(said)), None)
