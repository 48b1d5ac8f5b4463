"""Reads an answer in clauses: which words it affirms, which it rejects, and how much they count."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, replace

from valuebench_harness.data.stems import FUNCTION_WORDS, stem, word_set, words

CONCESSION_WEIGHT = 0.2
"""Words in "although ...", "even if ...", or before a "but"."""

REASON_WEIGHT = 0.3
"""Words in "because ...", "so that ..."."""

_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[,;:()\u2013\u2014]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

_NEGATIONS = word_set("not never cannot without don't doesn't didn't won't wouldn't shouldn't can't mustn't")
_REJECTING_VERBS = frozenset(
    stem(word)
    for word in word_set(
        "avoid resist refuse decline reject skip forgo against oppose discourage leave quit lose sacrifice neglect miss"
    )
)
_REJECTING_PHRASES = tuple(
    (form, particle)
    for particle, forms in {
        "up": ("give", "gives", "giving", "gave", "pass", "passing"),
        "down": ("turn", "turns", "turning", "turned"),
        "on": ("pass", "passing"),
        "to": ("no",),
    }.items()
    for form in forms
)
_CONTRASTS = (("rather", "than"), ("instead", "of"), ("in", "place", "of"), ("as", "opposed", "to"))
_EMPTY_NEGATIONS = (("not", "only"), ("not", "just"), ("why", "not"), ("not", "to", "mention"), ("no", "reason", "not"))
_CONCESSIONS = (
    ("despite",), ("in", "spite", "of"), ("even", "if"), ("even", "though"), ("as", "much", "as"), ("tempting", "to"),
    ("much", "as"),
)  # fmt: skip
_BALANCES = (("although",), ("though",), ("while",), ("whilst",))
"""Concede where the sentence commits; else they weigh two sides ("While A is safe, B would be bolder")."""

_REASONS = (("because",), ("since",), ("so", "that"), ("as", "it"), ("given", "that"), ("which",))
_TURNS = frozenset({"but", "however", "yet"})
_JUDGEMENTS = word_set("shame mistake pity wrong unwise unfair foolish reckless selfish irresponsible risky dangerous")
_COPULAS = word_set("be is are was seems feels sounds it's that's")
_COMPARED_BY = frozenset({"rather", "better", "more", "prefer", "sooner", "wiser", "other"})
_PREFERRED_OVER = frozenset(map(stem, word_set("choose pick prefer favour favor value prioritize prioritise")))

_MODAL = r"(?:should|ought|must|had better|needs? to)"
_SELF = r"(?:i|we)(?: (?:would|will|think|'ll|'d)|'d|'ll)"
COMMITMENT = re.compile(
    rf"\b(?:{_MODAL}|{_SELF}|i'm going to|recommend\w*|suggest|advise|advice|opt for|go (?:with|for|ahead)|choose|pick"
    rf"|prefer\w*|(?:is|be|'s|seems|feels|sounds) (?:the )?(?:\w+ )?(?:best|better|wiser|wisest|right|way to go)"
    rf"|better to|best to|vote|lean)\b"
)
"""Marks a sentence that gives advice or takes a decision."""


@dataclass(frozen=True)
class Mention:
    """One content word of an answer.

    Attributes:
        stem: the word's stem.
        affirmed: whether the clause stands behind it.
        weight: how much it counts, from 0 to 1.
    """

    stem: str
    affirmed: bool
    weight: float


@dataclass(frozen=True)
class Sentence:
    """One sentence: its lower-case text, its content words, and whether it commits to something."""

    text: str
    mentions: tuple[Mention, ...]
    commits: bool


_MARKERS = re.compile(
    rf"[,;]|\b(?:{'|'.join([*_TURNS, *(p[0] for p in _CONCESSIONS + _BALANCES + _REASONS if len(p) == 1)])})\b"
)


def normalise(text: str) -> str:
    """Lower case, straight quotes, no Markdown marks, single blanks inside lines."""
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{LEFT SINGLE QUOTATION MARK}", "'")
    text = re.sub(r"[*_#`\"\u201c\u201d]+", "", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()


def quote_plainly(text: str, option: str) -> str:
    """Takes out of a text's verbatim quotes of an option what would end a clause or begin a reason."""
    quoted = normalise(option)
    return text.replace(quoted, " ".join(_MARKERS.sub(" ", quoted).split())) if quoted else text


def read_sentences(text: str, spare: Set[str] = frozenset()) -> list[Sentence]:
    """Splits a text into sentences and reads each.

    Args:
        text: an answer, normalised or not.
        spare: stems that do not reject although they usually do, because an option is to
            "decline" or "avoid" something.
    """
    out = []
    for raw in _SENTENCE_END.split(normalise(text)):
        if raw.strip():
            commits = COMMITMENT.search(raw) is not None
            out.append(Sentence(raw.strip(), _read(raw, spare, commits=commits), commits))
    return out


def _read(sentence: str, spare: Set[str], *, commits: bool) -> tuple[Mention, ...]:
    """Walks over the tokens with three registers: does it affirm, what does it weigh, where did the clause begin?"""
    concessions = _CONCESSIONS + _BALANCES if commits else _CONCESSIONS
    tokens = _TOKEN.findall(sentence)
    mentions: list[Mention] = []
    affirmed, weight, at, clause = True, 1.0, 0, 0
    while at < len(tokens):
        token = tokens[at]
        if not token[0].isalnum():
            # A comma ends a negation and a concession that opened the sentence, not a reason.
            clause = len(mentions)
            affirmed, weight, at = True, (weight if weight == REASON_WEIGHT else 1.0), at + 1
        elif token in _TURNS:
            mentions = [replace(m, weight=m.weight * CONCESSION_WEIGHT) for m in mentions]
            affirmed, weight, at, clause = True, 1.0, at + 1, len(mentions)
        elif token in _JUDGEMENTS and _COPULAS & set(tokens[max(0, at - 4) : at]):
            # "Leaving would be a shame": what was said of it so far and what follows is rejected.
            denied = not affirmed or tokens[at - 1] == "no"
            if not denied:
                mentions[clause:] = [replace(m, affirmed=not m.affirmed) for m in mentions[clause:]]
            affirmed, at = denied, at + 1
        elif phrase := _starts(tokens, at, _EMPTY_NEGATIONS):
            at += phrase
        elif phrase := _starts(tokens, at, _CONTRASTS):
            affirmed, at = False, at + phrase
        elif stem(token) not in spare and (phrase := _starts(tokens, at, _REJECTING_PHRASES)):
            affirmed, at = not affirmed, at + phrase
        elif phrase := _starts(tokens, at, concessions):
            weight, affirmed, at, clause = CONCESSION_WEIGHT, True, at + phrase, len(mentions)
        elif phrase := _starts(tokens, at, _REASONS):
            weight, affirmed, at, clause = REASON_WEIGHT, True, at + phrase, len(mentions)
        else:
            if _compares(tokens, at):
                affirmed = False
            elif token in _NEGATIONS or token.endswith("n't") or (stem(token) in _REJECTING_VERBS - spare):
                affirmed = not affirmed
            elif token == "instead":  # noqa: S105 - a word of English, not a secret
                affirmed = True
            elif token not in FUNCTION_WORDS:
                mentions.append(Mention(stem(token), affirmed, weight))
            at += 1
    return tuple(mentions)


def _compares(tokens: list[str], at: int) -> bool:
    """Does "than" or "over" here put what follows below what came before?"""
    earlier = tokens[:at]
    if tokens[at] == "than":
        return bool(_COMPARED_BY & set(earlier))
    return tokens[at] == "over" and bool(_PREFERRED_OVER & {stem(word) for word in earlier})


def _starts(tokens: list[str], at: int, phrases: tuple[tuple[str, ...], ...]) -> int:
    """Length of the phrase that starts here, 0 where none does."""
    return next((len(p) for p in phrases if tuple(tokens[at : at + len(p)]) == p), 0)


def option_mentions(option: str) -> dict[str, bool]:
    """Stems of an option and whether the option affirms them ("go without telling her" does not)."""
    out: dict[str, bool] = {}
    plain, spare = quote_plainly(normalise(option), option), {stem(word) for word in words(option)}
    for mention in _read(plain, spare, commits=False):
        out.setdefault(mention.stem, mention.affirmed)
    return out
