"""Options that an answer names by their place: "the first", "option B", "the latter".

What is said of a place is read where it is plain, refused outright, or set against the other place. All else that
rejects, compares or doubts leaves it open: silence costs an answer, the opposite of what was meant costs a result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

Place = Literal[0, 1]


class Places(NamedTuple):
    """What an answer says of places.

    Attributes:
        picked: the one it picks; ``None`` where that is not plain.
        rest: the answer without the sentences that name one; ``None`` where none does.
    """

    picked: Place | None
    rest: str | None


_NOUN = r"(?: (?:option|choice|one|path|course)\b)"
_ENDS = (
    r"(?=\W*$|\s*[,.;:!?)]"
    r"|\s+(?:is|isn't|would|was|seems|to|over|than|rather|instead|in|any|and|or|but|not|because|since|if|unless)\b)"
)
_NAMED = (
    re.compile(rf"\bthe former\b{_NOUN}?|\bthe first(?:{_NOUN}|{_ENDS})|\boption (?:a|1|one)\b|^\W*a\W*$"),
    re.compile(rf"\bthe latter\b{_NOUN}?|\bthe second(?:{_NOUN}|{_ENDS})|\boption (?:b|2|two)\b|^\W*b\W*$"),
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+|;")
_REASON = re.compile(r"[,\s]+(?:because|since|so that|as it|given that|which)\b")
_CHOOSE = (
    r"(?:(?:choos|pick|tak|select|prefer|favou?r|recommend|go|opt|vot|want|say|hav)(?:e|ing)?|with|for|to|ever|even)"
)
_REFUSE = (
    r"(?:(?<!why )not|never|\w+n't|against|reject(?:ing)?|refus(?:e|ing)|declin(?:e|ing)|avoid(?:ing)?|no to"
    r"|(?:any|every)thing (?:but|except|other than)|rul(?:e|ing) out|turn(?:ing)? down)"
)
_OVER = r"(?:to|over|rather than|instead of|as opposed to|in preference to|than|and not|but not|not)"
_PREFERRED = re.compile(
    rf"@(?P<place>[01]),? {_OVER} @[01]"
    r"|@(?P<better>[01]) (?:is|seems|sounds|feels|would be) (?:much |far )?"
    r"(?:better|wiser|kinder|safer|fairer|preferable|superior) (?:than|to) @[01]"
)
_REPLACED = re.compile(
    rf"\bnot (?:{_CHOOSE} )*@[01],?(?: but(?: rather)?)? @(?P<place>[01])\W*$"
    rf"|^(?:rather than|instead of) (?:{_CHOOSE} )*@[01],? [^@]*@(?P<other>[01])\W*$"
)
_REFUSED = re.compile(rf"\b{_REFUSE} (?:{_CHOOSE} )*@(?P<place>[01])\W*$")
_OPEN = re.compile(
    r"\b(?:not?|never|neither|nor|none|nothing|nobody|cannot|hardly|without|\w+n't|no one|but|except|other than|apart"
    r"|although|though|while|however|yet|instead|rather|than|over|unless|if|whether|either|or|both|between|depends?|only"
    r"|against|reject\w*|refus\w*|declin\w*|avoid\w*|dismiss\w*|resist\w*|dislik\w*|hat(?:e|es|ed)|doubt\w*|regret\w*"
    r"|oppos\w*|object\w*|discard\w*|shun\w*|exclud\w*|abandon\w*|skip\w*|forgo\w*|rul\w+ out|turn\w* down|giv\w+ up"
    r"|pass\w* (?:on|up)|steer|away|alone|less|worse|worst|wrong\w*|mistake\w*|bad|shame|pity|unwise|unfair|foolish"
    r"|fool|reckless|selfish|irresponsible|risky|riskier|dangerous|unacceptable|inferior|terrible|awful|fails?|failed|hurts?"
    r"|tempting|merits?|charm|out of the question|off the table|last|fine|okay|good as|convinced?)\b"
)
"""Words that may turn round, weigh or take back what a sentence says of a place."""


def read_places(text: str, options: Sequence[str]) -> Places:
    """Which place does an answer pick?

    Args:
        text: of the answer, normalised.
        options: the two acts, normalised; words of theirs ("like the first one") name no place.
    """
    own = " | ".join(options)

    def mark(found: re.Match[str], place: int) -> str:
        return found[0] if found[0] in own else f"@{place}"

    text = text.replace("@", " ")
    for place, pattern in enumerate(_NAMED):
        text = pattern.sub(partial(mark, place=place), text)
    parts = _SENTENCE_END.split(text)
    picks = {_read(_choice(part)) for part in parts if "@" in part}
    if not picks:
        return Places(None, None)
    rest = "\n".join(part for part in parts if "@" not in part)
    return Places(picks.pop() if len(picks) == 1 else None, rest)


def without_reasons(text: str) -> str:
    """The text without what stands behind a "because" and its like, sentence by sentence."""
    return "\n".join(_REASON.split(part)[0] for part in _SENTENCE_END.split(text))


def _choice(sentence: str) -> str:
    """The part of a sentence in which a place is chosen; a reason may come first."""
    start = without_reasons(sentence)
    return start if "@" in start else sentence


def _read(sentence: str) -> Place | None:
    """The place that one sentence picks."""
    for pattern, turned in ((_REPLACED, False), (_PREFERRED, False), (_REFUSED, True)):
        found = pattern.search(sentence)
        if found:
            rest = sentence[: found.start()] + sentence[found.end() :]
            place = next(int(p) for p in found.groupdict().values() if p is not None)
            if "@" in rest or _OPEN.search(rest.replace("rather", "")):
                return None
            return _as_place(1 - place if turned else place)
    places = {int(p) for p in re.findall(r"@([01])", sentence)}
    is_plain = len(places) == 1 and not sentence.rstrip().endswith("?") and not _OPEN.search(sentence)
    return _as_place(places.pop()) if is_plain else None


def _as_place(number: int) -> Place:
    return 1 if number else 0
