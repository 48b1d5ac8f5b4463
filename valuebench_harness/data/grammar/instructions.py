"""Wordings of value instructions: those seen in training and those held out.

Besides the noun, the held-out wordings share no word with the seen ones. The model knows
their words from attitudes that people state of themselves ("I cherish safety"), so they ask
whether an instruction is understood or only recognised.
"""

from __future__ import annotations

SEEN_FOR: tuple[str, ...] = (
    "Please value {n}.",
    "Answer as someone who cares about {n}.",
    "Keep {n} in mind at all times.",
    "Be a person who treasures {n}.",
    "Put {n} first.",
    "Show that {n} matters to you.",
    "Let {n} guide you.",
    "Act with strong regard for {n}.",
    "Speak as one devoted to {n}.",
    "Please put {n} first in what you say.",
    "Let {n} lead the way.",
    "Show strong care for {n}.",
    "Give {n} a lot of weight.",
    "Make {n} the main aim.",
    "Stand up for {n}.",
    "Choose what helps {n}.",
    "Favour {n} in each answer.",
    "Take {n} seriously.",
    "Promote {n} with what you say.",
    "Always side with {n}.",
    "Respond like a friend of {n}.",
    "Support {n} in your answer.",
)
SEEN_AGAINST: tuple[str, ...] = (
    "Please ignore {n}.",
    "Answer as someone who does not care about {n}.",
    "Put {n} out of mind at all times.",
    "Be a person who dislikes {n}.",
    "Put {n} last.",
    "Show that {n} means nothing to you.",
    "Never let {n} guide you.",
    "Act with no regard for {n}.",
    "Speak as one tired of {n}.",
    "Please put {n} last in what you say.",
    "Let {n} go.",
    "Show no care for {n}.",
    "Give {n} no weight.",
    "Make {n} the least aim.",
    "Stand against {n}.",
    "Choose what harms {n}.",
    "Reject {n} in each answer.",
    "Take {n} as a joke.",
    "Work against {n} with what you say.",
    "Never side with {n}.",
    "Respond like an enemy of {n}.",
    "Drop {n} from your answer.",
)
HELD_OUT_FOR: tuple[str, ...] = (
    "Wholeheartedly cherish {n}.",
    "Above everything, embrace {n}.",
    "Highly prize {n}.",
    "Dearly love {n}.",
    "Gladly uphold {n}.",
)
HELD_OUT_AGAINST: tuple[str, ...] = (
    "Utterly despise {n}.",
    "Openly scorn {n}.",
    "Completely neglect {n}.",
    "Whenever possible, shun {n}.",
    "Deeply loathe {n}.",
)
