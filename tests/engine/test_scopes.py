from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.checkpoints import build_tokenizer
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.engine.scopes import Columns, phrase_tokens
from valuebench_harness.errors import UsageError

TOKENIZER = build_tokenizer()
words = st.text(alphabet="abc é漢🙂valuesyor", min_size=1, max_size=30)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=1, max_size=6))
def test_scopes_part_the_real_columns(shapes: list[tuple[int, int]]) -> None:
    """Against a plain enumeration of (prompt length, generated length)."""
    rows = [[7] * (p + g) for p, g in shapes]
    columns = Columns.left_padded(rows, [g for _, g in shapes], pad=0)
    for row, (p, g) in enumerate(shapes):
        pad = columns.width - p - g
        expected = {
            "all": list(range(pad, columns.width)),
            "prompt": list(range(pad, pad + p)),
            "generated": list(range(pad + p, columns.width)),
            "last-prompt": [pad + p - 1],
        }
        for kind, where in expected.items():
            assert columns.mask(row, TokenScope(kind)).nonzero().flatten().tolist() == where  # type: ignore[arg-type]
        for position in range(p + 2):
            found = columns.mask(row, TokenScope("position", position=position)).nonzero().flatten().tolist()
            assert found == ([pad + position] if position < p else [])
        assert columns.ids[row, :pad].tolist() == [0] * pad


@settings(deadline=None)
@given(words, words.filter(bool), words)
def test_phrase_tokens_cover_every_occurrence_and_nothing_else(before: str, phrase: str, after: str) -> None:
    """Against the decoded length of every prefix."""
    ids = TOKENIZER(before + phrase + after + phrase, add_special_tokens=False)["input_ids"]
    text = str(TOKENIZER.decode(ids))
    ends = [len(TOKENIZER.decode(ids[: n + 1])) for n in range(len(ids))]
    starts = [0, *ends[:-1]]
    hits = [i for i in range(len(text)) if text.startswith(phrase, i)]
    assert len(hits) >= 2
    found = phrase_tokens(TOKENIZER, ids, phrase)
    characters = {c for hit in hits for c in range(hit, hit + len(phrase))}
    covered = {c for n in found for c in range(starts[n], ends[n])}
    assert characters <= covered
    for n in found:
        own = set(range(starts[n], ends[n]))
        # A character of several tokens has no width until its last one.
        assert not own or own & characters


def test_right_padding_and_rows_without_the_phrase() -> None:
    ids = TOKENIZER(["your values matter", "yes"], padding=True, padding_side="right", return_tensors="pt")
    columns = Columns(ids["input_ids"], ids["attention_mask"].bool(), torch.tensor([99, 99]), TOKENIZER)
    assert columns.last_prompt.tolist() == [int(n) - 1 for n in ids["attention_mask"].sum(1)]
    phrase = TokenScope("phrase", "values")
    marked = ids["input_ids"][0][columns.mask(0, phrase)].tolist()
    assert "values" in TOKENIZER.decode(marked)
    assert "matter" not in TOKENIZER.decode(marked)
    assert not columns.mask(1, phrase).any()
    assert columns.phrases_not_found == {"values"}


def test_a_phrase_needs_the_tokenizer() -> None:
    columns = Columns.left_padded([[1, 2]], [0], pad=0)
    with pytest.raises(UsageError, match="tokenizer="):
        columns.mask(0, TokenScope("phrase", "x"))
