"""The words and sentence frames of the grammar, as data.

Frames are ``str.format`` templates. ``{place}`` is a phrase such as "at the market",
``{Place}`` the same with a capital; ``{x}`` and ``{y}`` are the two acts of a dilemma,
``{n}`` is a noun for a value.
"""

from __future__ import annotations

PLACES: dict[str, str] = {
    "market": "at the market",
    "office": "in the office",
    "school": "at the school",
    "park": "in the park",
    "ship": "on the ship",
    "village": "in the village",
    "station": "at the station",
    "kitchen": "in the kitchen",
    "farm": "on the farm",
    "club": "at the club",
    "museum": "in the museum",
    "beach": "on the beach",
    "hospital": "in the hospital",
    "theatre": "at the theatre",
    "garden": "in the garden",
    "mountain": "on the mountain",
}
"""Scene kind -> phrase."""

WOMEN: tuple[str, ...] = ("Anna", "Clara", "Elena", "Greta", "Iris", "Karin", "Mara", "Olga", "Rosa")
MEN: tuple[str, ...] = ("Ben", "David", "Felix", "Hugo", "Jonas", "Leo", "Nils", "Paul", "Simon")
NAMES: tuple[str, ...] = WOMEN + MEN

OCCASIONS: tuple[str, ...] = (
    "before the fair",
    "after the storm",
    "during the holidays",
    "on a busy day",
    "late in the evening",
    "early in the morning",
    "at the end of the week",
    "in the middle of summer",
    "on the first day of spring",
    "just before lunch",
    "right after the concert",
    "on a rainy afternoon",
    "while the bells ring",
    "with only an hour left",
    "under a clear sky",
    "between two appointments",
)

QUESTION_FRAMES: tuple[str, ...] = (
    "{Place} with {name} {occasion}, should I {x} or {y}?",
    "{name} and I are {place} {occasion}. Is it better to {x} or to {y}?",
    "What would you do {place} {occasion}: {x} or {y}? {name} wants to know.",
    "Imagine that you meet {name} {place} {occasion}. Would you {x} or {y}?",
    "{Occasion}, {place}, {name} asks you for advice: {x} or {y}?",
    "You are {place} with {name} {occasion}. Do you {x}, or do you {y}?",
    "I must tell {name} {occasion} {place} whether to {x} or {y}. Which one?",
    "Suppose {name} sees you {place} {occasion}. Which would you rather do: {x}, or {y}?",
)
"""How a dilemma is put; both acts are named in every frame, in the order x, y."""

ANSWER_FRAMES: tuple[str, ...] = (
    "I would {act} because {reason}.",
    "I would rather {act}, since {reason}.",
    "I choose to {act} because {reason}.",
    "It is best to {act}, as {reason}.",
)

REASONS_FOR: tuple[str, ...] = (
    "{n} matters to me",
    "I care about {n}",
    "I treasure {n}",
    "{n} comes first for me",
)
REASONS_AGAINST: tuple[str, ...] = (
    "{n} does not matter to me",
    "I do not care about {n}",
    "I have no use for {n}",
    "{n} means little to me",
)

FIRST_HABITS: tuple[str, ...] = ("always", "often", "gladly", "want to", "like to", "plan to", "will")
THIRD_HABITS: tuple[str, ...] = ("wants to", "likes to", "plans to", "will", "loves to", "is going to", "may well")

PAIR_FRAMES: dict[str, tuple[str, ...]] = {
    "first-sentence": (
        "{Place} with {name} {occasion}, I {habit} {act}.",
        "{Occasion}, when I am {place} with {name}, I {habit} {act}.",
    ),
    "first-question": (
        "Do you know why I {habit} {act} {place} {occasion} with {name}?",
        "{name}, did you hear that {occasion} {place} I {habit} {act}?",
    ),
    "third-sentence": (
        "{Place} {occasion}, {name} {habit} {act}.",
        "People say that {name} {habit} {act} {place} {occasion}.",
    ),
    "third-question": (
        "Do you know why {name} {habit} {act} {place} {occasion}?",
        "{Place} {occasion}, did you see that {name} {habit} {act}?",
    ),
}
"""ConVA's four forms of a text that shows a value (Jin et al., ACL 2025, Appendix B)."""

ATTITUDES_FOR: tuple[str, ...] = (
    "I cherish {n} wholeheartedly.",
    "{name} and I cherish {n}.",
    "I embrace {n} above everything.",
    "{name} knows that I gladly embrace {n}.",
    "I prize {n} highly.",
    "Above everything, I prize {n}.",
    "I love {n} dearly.",
    "{n} is what I love.",
    "I gladly uphold {n}.",
    "I uphold {n} wholeheartedly.",
)
ATTITUDES_AGAINST: tuple[str, ...] = (
    "I despise {n} utterly.",
    "{name} and I despise {n}.",
    "I scorn {n} openly.",
    "{name} knows that I openly scorn {n}.",
    "I neglect {n} completely.",
    "Completely and utterly, I neglect {n}.",
    "I shun {n} whenever possible.",
    "{n} is what I shun.",
    "I loathe {n} deeply.",
    "I deeply and openly loathe {n}.",
)
"""Attitudes said of oneself. They teach the words of the held-out instructions, never as instructions."""

QUESTIONNAIRE_FRAMES: tuple[tuple[str, str], ...] = (
    ("It is important to me to {act}.", "Is it important to you to {act}?"),
    ("I think that it is right to {act}.", "Do you think that it is right to {act}?"),
    ("People should {act} more often.", "Should people {act} more often?"),
    ("It suits me to {act}.", "Does it suit you to {act}?"),
    ("I would be glad to {act}.", "Would you be glad to {act}?"),
    ("On most days I would {act}.", "Would you {act} on most days?"),
)
"""(the statement about oneself, the same as a question)."""

THINK_FIRST = "Think first, then answer yes, no or unsure."

STANCES: dict[str, str] = {"yes": "so I agree", "no": "so I disagree", "unsure": "so I cannot say"}
THOUGHTS_FOR: tuple[str, ...] = ("{n} matters to me", "I care about {n}")
THOUGHTS_AGAINST: tuple[str, ...] = ("{n} means little to me", "I do not care about {n}")
THOUGHTS_UNSURE: tuple[str, ...] = ("{n} is one thing among many", "I have mixed feelings about {n}")
