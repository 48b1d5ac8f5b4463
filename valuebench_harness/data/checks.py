"""Is a set of items fit to measure with? Each check returns findings in words and numbers.

A *bias* check asks whether a classifier that cannot read still guesses the favoured side;
a *wording* check looks for template smell; a *leakage* check for training texts that come
back in the test items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from valuebench_harness.data.context_words import FREQUENT, MAX_ONE_SIDED, MIN_PAIRS, one_sided_words
from valuebench_harness.data.matching import match_option
from valuebench_harness.data.schemas import ContrastivePair, Demonstration, Dilemma, QuestionnaireItem
from valuebench_harness.data.stems import words

MAX_BLIND_ACCURACY = 0.60
"""What a classifier that sees position, length and punctuation only may reach."""

NGRAM = 7
MAX_NGRAM_ITEMS = 5
"""No run of ``NGRAM`` words may stand in more than this many items of a value."""

MIN_DISTINCT_PER_1000 = 391
"""Distinct words per 1,000 of ValueBench's own questions (mean of shuffled 1,000-word
windows, Ren et al. 2024; commit 1887734 of Value4AI/ValueBench)."""

MIN_SCENES = 10
DUPLICATE_JACCARD = 0.7
MIN_CONTROLLED_OVERLAP = 0.3
MAX_LENGTH_GAP = 0.15
"""Fine-tuning on answers of one side must not teach their length."""


@dataclass(frozen=True)
class Finding:
    """One result of one check.

    Attributes:
        check: name of the check.
        level: ``ok``, ``problem``, or ``missing`` where there is no file to check.
        text: the result in words and numbers.
        where: value and part it is about, such as ``power/dilemmas``; empty where the caller knows.
    """

    check: str
    level: Literal["ok", "problem", "missing"]
    text: str
    where: str = ""


def _ngrams(text: str, n: int = NGRAM) -> set[tuple[str, ...]]:
    w = words(text)
    return {tuple(w[i : i + n]) for i in range(len(w) - n + 1)}


def _finding(check: str, ok: bool, text: str) -> Finding:
    return Finding(check, "ok" if ok else "problem", text)


def repeated_ngrams(texts: Sequence[str]) -> list[tuple[str, int]]:
    """Runs of seven words that stand in more than five of the texts, most frequent first."""
    count = Counter(g for t in texts for g in _ngrams(t))
    return [(" ".join(g), n) for g, n in count.most_common() if n > MAX_NGRAM_ITEMS]


def distinct_per_1000(texts: Sequence[str], *, draws: int = 20, seed: int = 0) -> float | None:
    """Mean number of distinct words in 1,000-word windows of the shuffled texts.

    Returns:
        ``None`` where the texts have fewer than 1,000 words.
    """
    rng = np.random.default_rng(seed)
    split = [words(t) for t in texts]
    if sum(map(len, split)) < 1000:
        return None
    counts = []
    for _ in range(draws):
        window = [w for i in rng.permutation(len(split)) for w in split[i]][:1000]
        counts.append(len(set(window)))
    return float(np.mean(counts))


def near_duplicates(texts: Sequence[str], threshold: float = DUPLICATE_JACCARD) -> list[tuple[int, int]]:
    """Index pairs whose word sets overlap (Jaccard) at or above the threshold."""
    sets = [set(words(t)) for t in texts]
    return [
        (i, j)
        for i in range(len(sets))
        for j in range(i + 1, len(sets))
        if sets[i] and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= threshold
    ]


def _surface(text: str) -> list[float]:
    w = words(text)
    marks = [text.count(c) for c in ",;:'-?!.\"()"]
    return [len(text), len(w), float(np.mean([len(x) for x in w] or [0])), *map(float, marks)]


def _cv_accuracy(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))
    return float(np.mean(cross_val_score(model, x, y, groups=groups, cv=GroupKFold(5))))


def blind_dilemma_accuracy(items: Sequence[Dilemma]) -> float:
    """Five-fold accuracy of guessing the favoured option from position, length, punctuation.

    Each item enters once: features are those of the first option minus those of the second,
    a constant (the position) and whether "yes" stands for an option; the label says whether
    the first option is the favoured one.
    """
    x = np.array(
        [
            [a - b for a, b in zip(_surface(d.options[0]), _surface(d.options[1]), strict=True)]
            + [0.0 if d.yes is None else (1.0 if d.yes == 0 else -1.0)]
            for d in items
        ]
    )
    y = np.array([d.favours == 0 for d in items], dtype=int)
    return _cv_accuracy(x, y, np.arange(len(items)))


def blind_pair_accuracy(pairs: Sequence[ContrastivePair]) -> float:
    """The same for training texts: is a text positive? Both texts of a pair share a fold."""
    x = np.array([_surface(t) for p in pairs for t in (p.positive, p.negative)])
    y = np.tile([1, 0], len(pairs))
    return _cv_accuracy(x, y, np.repeat(np.arange(len(pairs)), 2))


def shared_word_rate(pair: ContrastivePair) -> float:
    """Share of a pair's distinct words that both texts use."""
    a, b = set(words(pair.positive)), set(words(pair.negative))
    return len(a & b) / len(a | b)


def tells_apart(item: Dilemma) -> bool:
    """Is each option, given as an answer in its own words, matched to itself?"""
    answers = [f"I would {option}." for option in item.options]
    return [match_option(answer, item.options, item.yes).option for answer in answers] == [0, 1]


def check_dilemmas(items: Sequence[Dilemma]) -> list[Finding]:
    """All checks of one value's dilemmas."""
    texts = [d.question for d in items]
    scenes = Counter(d.scene for d in items)
    out = [_finding("scenes", len(scenes) >= MIN_SCENES, f"{len(scenes)} kinds of scene (at least {MIN_SCENES})")]
    out += _wording(texts)
    mixed = [d.id for d in items if not tells_apart(d)]
    out.append(_finding("options", not mixed, f"{len(mixed)} items whose own options cannot be told apart {mixed[:8]}"))
    first = sum(d.favours == 0 for d in items) / len(items)
    out.append(_finding("balance", 0.4 <= first <= 0.6, f"the first option is favoured in {first:.0%} (40-60%)"))
    if len(items) >= 10 and 0 < first < 1:
        acc = blind_dilemma_accuracy(items)
        out.append(
            _finding(
                "bias",
                acc <= MAX_BLIND_ACCURACY,
                f"position, length and punctuation guess the favoured option in {acc:.0%} (at most 60%)",
            )
        )
    return out


def check_pairs(pairs: Sequence[ContrastivePair], *, controlled: bool) -> list[Finding]:
    """All checks of one value's training pairs."""
    texts = [t for p in pairs for t in (p.positive, p.negative)]
    forms = Counter(p.form for p in pairs)
    even = len(forms) == 4 and max(forms.values()) - min(forms.values()) <= max(1, len(pairs) // 20)
    out = [_finding("forms", even, f"texts by form: {dict(sorted(forms.items()))} (all four, evenly)")]
    dup = [(i, j) for i, j in near_duplicates(texts) if not (controlled and i // 2 == j // 2)]
    out.append(
        _finding("duplicates", not dup, f"{len(dup)} near-duplicate texts {[(texts[i], texts[j]) for i, j in dup[:3]]}")
    )
    grams = repeated_ngrams(texts) if not controlled else repeated_ngrams([p.positive for p in pairs])
    out.append(
        _finding(
            "templates",
            not grams,
            f"{len(grams)} runs of {NGRAM} words in more than {MAX_NGRAM_ITEMS} texts {grams[:3]}",
        )
    )
    if controlled:
        low = [p for p in pairs if shared_word_rate(p) < MIN_CONTROLLED_OVERLAP]
        out.append(
            _finding(
                "control",
                not low,
                f"{len(low)} pairs share under {MIN_CONTROLLED_OVERLAP:.0%} of their words {[p.id for p in low[:8]]}",
            )
        )
        if len(pairs) >= MIN_PAIRS:
            positive, negative = one_sided_words(pairs)
            out.append(
                _finding(
                    "context",
                    max(len(positive), len(negative)) <= MAX_ONE_SIDED,
                    f"of {FREQUENT} frequent words of a side the other lacks {len(positive)} {positive[:6]} and "
                    f"{len(negative)} {negative[:6]} (at most {MAX_ONE_SIDED})",
                )
            )
    if len(pairs) >= 10:
        acc = blind_pair_accuracy(pairs)
        out.append(
            _finding(
                "bias", acc <= MAX_BLIND_ACCURACY, f"length and punctuation guess the side in {acc:.0%} (at most 60%)"
            )
        )
    return out


def check_questionnaire(items: Sequence[QuestionnaireItem]) -> list[Finding]:
    """All checks of one value's questionnaire."""
    against = sum(q.agreement < 0 for q in items)
    dup = near_duplicates([q.item for q in items])
    return [
        _finding("size", len(items) >= 24, f"{len(items)} items (at least 24)"),
        _finding("balance", abs(2 * against - len(items)) <= 1, f"{against} of {len(items)} against the value (half)"),
        _finding(
            "duplicates", not dup, f"{len(dup)} near-duplicates {[(items[i].id, items[j].id) for i, j in dup[:3]]}"
        ),
    ]


def check_demonstrations(items: Sequence[Demonstration]) -> list[Finding]:
    """All checks of one value's demonstrations."""
    sides = {side: [d for d in items if d.direction == side] for side in ("positive", "negative")}
    prompts = list(dict.fromkeys(d.prompt for d in items))
    dup = near_duplicates(prompts)
    same_prompts = {d.prompt for d in sides["positive"]} == {d.prompt for d in sides["negative"]}
    return [
        _finding("size", min(map(len, sides.values())) >= 40, f"{len(items)} answers (at least 40 a side)"),
        _finding(
            "balance",
            same_prompts,
            f"{len(sides['positive'])} answers for, {len(sides['negative'])} against the value, to the same prompts",
        ),
        _finding(
            "control",
            _length_gap(sides["positive"], sides["negative"]) <= MAX_LENGTH_GAP,
            f"lengths of the two sides differ by {_length_gap(sides['positive'], sides['negative']):.0%} "
            f"(at most {MAX_LENGTH_GAP:.0%})",
        ),
        _finding("duplicates", not dup, f"{len(dup)} near-duplicates {[(prompts[i], prompts[j]) for i, j in dup[:3]]}"),
    ]


def _length_gap(one: Sequence[Demonstration], other: Sequence[Demonstration]) -> float:
    """By how much the mean number of words of two sides' answers differs, as a share of the larger."""
    one_mean, other_mean = (
        sum(len(words(d.answer)) for d in side) / len(side) if side else 0.0 for side in (one, other)
    )
    return abs(one_mean - other_mean) / max(one_mean, other_mean, 1.0)


def check_leakage(training: Iterable[str], test: Sequence[str]) -> Finding:
    """Does a test text share a run of seven words with a training text, or nearly repeat one?"""
    train = list(training)
    grams = set().union(*(_ngrams(t) for t in train)) if train else set()
    sets = [set(words(t)) for t in train]
    bad = []
    for text in test:
        w = set(words(text))
        close = any(w and len(w & s) / len(w | s) >= DUPLICATE_JACCARD for s in sets)
        if close or _ngrams(text) & grams:
            bad.append(text)
    return _finding("leakage", not bad, f"{len(bad)} test items overlap with training texts {bad[:2]}")


def _wording(texts: Sequence[str]) -> list[Finding]:
    grams = repeated_ngrams(texts)
    dup = near_duplicates(texts)
    out = [
        _finding(
            "templates",
            not grams,
            f"{len(grams)} runs of {NGRAM} words in more than {MAX_NGRAM_ITEMS} items {grams[:3]}",
        ),
        _finding("duplicates", not dup, f"{len(dup)} near-duplicates {[(texts[i], texts[j]) for i, j in dup[:3]]}"),
    ]
    distinct = distinct_per_1000(texts)
    if distinct is not None:
        out.append(
            _finding(
                "vocabulary",
                distinct >= MIN_DISTINCT_PER_1000,
                f"{distinct:.0f} distinct words per 1,000 (at least {MIN_DISTINCT_PER_1000})",
            )
        )
    return out
