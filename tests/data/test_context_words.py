from __future__ import annotations

from valuebench_harness.data.checks import check_pairs
from valuebench_harness.data.context_words import MAX_ONE_SIDED, one_sided_words
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.schemas import ContrastivePair


def pair(positive: str, negative: str, n: int = 0) -> ContrastivePair:
    return ContrastivePair(id=str(n), value="v", form="first-sentence", positive=positive, negative=negative)


def test_one_sided_words_are_those_that_the_other_side_lacks() -> None:
    pairs = [
        pair("I locked the office door twice.", "I left the office door open."),
        pair("She locked and locked her bicycle.", "She left her bicycle in the office."),
    ]
    positive, negative = one_sided_words(pairs)
    assert positive == ["lock", "twic"]
    assert set(negative) == {"leave", "open"}


def test_words_of_one_or_two_texts_in_forty_do_not_count() -> None:
    common = "red green blue"
    pairs = [pair(f"{common} alpha{n // 2}a", f"{common} omega{n // 3}a") for n in range(40)]
    positive, negative = one_sided_words(pairs)
    assert positive == []
    assert negative == [f"omega{n}a" for n in range(13)]


def test_the_shipped_controlled_sets_share_their_context_and_the_straightforward_ones_do_less() -> None:
    data = load_dataset("schwartz")
    for value in data.system.ids:
        (finding,) = [f for f in check_pairs(data.pairs(value), controlled=True) if f.check == "context"]
        assert finding.level == "ok"
    controlled, straightforward = (
        sum(len(side) for v in data.system.ids for side in one_sided_words(data.pairs(v, controlled=which)))
        for which in (True, False)
    )
    assert controlled < straightforward


def test_scenes_that_differ_between_the_sides_are_a_problem() -> None:
    office = "manager invoice printer meeting desk report client deadline budget email"
    garden = "tulip spade hedge compost lawn greenhouse pond gravel rake seedling"
    pairs = [pair(f"I was kind to {n} people: {office}.", f"I was kind to {n} people: {garden}.", n) for n in range(30)]
    (finding,) = [f for f in check_pairs(pairs, controlled=True) if f.check == "context"]
    assert finding.level == "problem"
    assert str(MAX_ONE_SIDED) in finding.text
    assert "'printer'" in finding.text
    assert not [f for f in check_pairs(pairs[:10], controlled=True) if f.check == "context"]
