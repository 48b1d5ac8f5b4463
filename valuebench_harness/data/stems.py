"""Content words of English texts, reduced to stems so that "leaving" meets "left"."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as running text."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set(
    """
    a about above after again all also am an and any are around as at away back be because been before being
    below between both but by can could did do does doing done down during each either else even ever every few
    for from further get gets getting go goes going got had has have having he her here hers herself him himself
    his how i i'd i'll i'm i've if in into is it it's its itself just let lets like made make makes making may me
    might mine more most much must my myself neither nor now of off on once one ones only onto or other our ours
    ourselves out over own per quite rather really same say says shall she should so some such than that that's
    the their theirs them themselves then there these they they're thing things this those through to too toward
    towards under until up upon us very was way we well were what when where whether which while who whom whose
    why will with within without would yet you you're your yours yourself
    not no yes never cannot don't doesn't didn't won't wouldn't shouldn't can't couldn't isn't aren't wasn't
    instead option options choice best better answer question think believe feel recommend suggest advise
    """
)

_IRREGULAR = {
    form: base
    for base, forms in {
        "accept": "accept accepts accepted accepting acceptance take takes took taken taking",
        "begin": "began begun beginning",
        "break": "broke broken",
        "bring": "brought",
        "build": "built building",
        "buy": "bought buying purchase purchased purchasing",
        "catch": "caught",
        "choose": "chose chosen choosing",
        "decline": "declined declining refuse refuses refused refusing refusal reject rejects rejected rejecting",
        "drive": "drove driven driving",
        "feed": "fed",
        "find": "found finding",
        "fly": "flew flown flying",
        "give": "gave given giving",
        "grow": "grew grown",
        "hold": "held holding",
        "keep": "kept keeping",
        "know": "knew known",
        "leave": "left leaving",
        "lend": "lent",
        "lose": "lost losing",
        "meet": "met meeting",
        "pay": "paid paying",
        "quit": (
            "quits quitting resign resigns resigned resigning drop drops dropped dropping stop stops stopped stopping"
            " abandon abandons abandoned abandoning"
        ),
        "ride": "rode ridden riding",
        "run": "ran running",
        "sell": "sold selling",
        "send": "sent",
        "sing": "sang sung",
        "sleep": "slept",
        "speak": "spoke spoken",
        "spend": "spent",
        "stand": "stood",
        "stay": "stayed staying stays remain remains remained remaining",
        "teach": "taught",
        "tell": "told telling",
        "throw": "threw thrown",
        "wear": "wore worn",
        "win": "won winning",
        "write": "wrote written writing",
    }.items()
    for form in (base, *forms.split())
}
"""Irregular forms, and the few synonyms with which answers restate an option."""


def words(text: str) -> list[str]:
    """Lower-case words with straight apostrophes."""
    return _WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def stem(word: str) -> str:
    """A crude stem: irregular forms by table, regular endings cut off."""
    word = word.removesuffix("'s")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, replacement in (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: len(word) - len(ending)] + replacement
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiousl":
        word = word[:-1]
    return _IRREGULAR.get(word, word[:-1] if word.endswith("e") and len(word) > 3 else word)


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order."""
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS]
