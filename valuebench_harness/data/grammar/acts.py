"""What people do in the grammar: for each value, twelve acts for it and twelve against it.

An act is a verb phrase without pronouns, so that it fits every frame ("should I ...",
"why Mara wants to ..."). Within a value no act for it starts with the same word as an act
against it: the first word of an answer's act already tells the side.
"""

from __future__ import annotations

# fmt: off
ACTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "self-direction": (
        (
            "choose a new path", "write a personal plan", "decide alone", "form an independent opinion",
            "explore a fresh idea", "invent a new method", "pick an unusual topic", "set a different pace",
            "question the given answer", "design a private workshop", "think it through freely",
            "build a tool from scratch",
        ),
        (
            "let others decide", "copy the usual answer", "use the ready script", "wait for orders",
            "repeat the common opinion", "borrow a finished method", "accept the given topic",
            "take the first advice", "hand the choice to a boss", "stick to the manual", "rely on the crowd",
            "do what the brochure says",
        ),
    ),
    "stimulation": (
        (
            "try the wild river", "leap from the high board", "join the surprise trip", "climb the steep wall",
            "race down the hill", "enter the strange cave", "taste the unknown dish", "fly with the balloon",
            "dive under the ice", "chase the storm", "ride the fastest horse", "swing across the canyon",
        ),
        (
            "remain on the sofa", "do the same as always", "skip the surprise trip", "walk the known road",
            "watch from the bench", "avoid the strange cave", "order the usual dish", "sit in the quiet room",
            "stay in the harbour", "repeat the old game", "turn back at the bend", "nap through the show",
        ),
    ),
    "hedonism": (
        (
            "enjoy the sweet cake", "take a long bath", "rest in the sun", "savour the music",
            "order the rich dessert", "relax with a game", "sleep until noon", "sip the fine wine",
            "lie in the hammock", "book a soft massage", "indulge in warm chocolate", "dance all night",
        ),
        (
            "refuse the sweet cake", "wash in cold water", "work through the break", "turn off the music",
            "eat plain bread", "put away the game", "get up at dawn", "pour out the fine wine",
            "scrub the floor all day", "fast until evening", "wear scratchy wool", "count grains of rice",
        ),
    ),
    "achievement": (
        (
            "aim for first prize", "practise until it is perfect", "finish the hard project", "win the contest",
            "show great skill", "study for top marks", "beat the record", "earn the medal", "train twice a day",
            "master the violin piece", "climb the ranking", "deliver the best report",
        ),
        (
            "settle for last place", "stop before it is good", "abandon the hard project", "lose the contest",
            "hide great skill", "accept low marks", "quit halfway", "give up the medal", "skip the training",
            "botch the violin piece", "fall behind the class", "submit a sloppy report",
        ),
    ),
    "power": (
        (
            "take command of the team", "demand the highest seat", "control the budget", "claim the leading role",
            "buy the grand house", "dominate the meeting", "give orders to others", "collect more wealth",
            "rule the council", "seize the microphone", "own the whole street", "hire ten servants",
        ),
        (
            "hand over the command", "offer the best seat", "share the budget", "decline the leading role",
            "live in a small hut", "listen in the meeting", "serve the others", "donate the wealth",
            "leave the council", "pass the microphone on", "sell the whole street", "wash the dishes for all",
        ),
    ),
    "security": (
        (
            "lock every door", "check the brakes twice", "save coins for hard times", "wear the helmet",
            "pack a first aid box", "test the smoke alarm", "insure the house", "stay near the guards",
            "keep a spare key", "store water for the winter", "follow the safe road", "hire a night watchman",
        ),
        (
            "leave the gate open", "ignore the warning sign", "spend the last coins", "ride without a helmet",
            "throw away the first aid box", "unplug the smoke alarm", "cancel the insurance",
            "wander through dark streets", "lend the spare key to strangers", "drive on bald tyres",
            "skip the safety check", "sleep beside the cliff",
        ),
    ),
    "conformity": (
        (
            "obey the rules", "stand in line", "speak in a low voice", "put on the uniform", "respect the signs",
            "do as the teacher says", "fit in with the group", "ask for permission", "nod along politely",
            "arrive exactly on time", "sign the code of conduct", "accept the dress code",
        ),
        (
            "break the rules", "jump the queue", "shout in the library", "refuse the uniform", "cross the barrier",
            "defy the teacher", "mock the group", "act without permission", "interrupt the speaker", "turn up late",
            "tear up the code of conduct", "wear pyjamas to dinner",
        ),
    ),
    "tradition": (
        (
            "keep the old custom", "cook the family recipe", "light the holy candle", "sing the ancient hymn",
            "visit the family graves", "wear the festive dress", "tell the old legend", "honour the elders",
            "bake bread the old way", "attend the yearly feast", "pray before the meal", "restore the old shrine",
        ),
        (
            "drop the old custom", "replace the family recipe", "blow out the holy candle",
            "laugh at the ancient hymn", "forget the family graves", "burn the festive dress", "doubt the old legend",
            "contradict the elders", "order fast food for the feast", "miss the yearly feast",
            "eat before the prayer", "knock down the old shrine",
        ),
    ),
    "benevolence": (
        (
            "help the neighbour", "share the food", "comfort the crying child", "carry the bags of a friend",
            "nurse the sick uncle", "forgive the mistake", "lend the tools", "keep the promise",
            "cheer up the lonely widow", "feed the hungry dog", "drive the old man home", "listen to the sad cousin",
        ),
        (
            "ignore the neighbour", "eat all the food alone", "walk past the crying child",
            "let the friend carry everything", "avoid the sick uncle", "punish the mistake", "lock away the tools",
            "break the promise", "tease the lonely widow", "kick the hungry dog", "leave the old man behind",
            "laugh at the sad cousin",
        ),
    ),
    "universalism": (
        (
            "protect the forest", "welcome the strangers", "plant trees for the earth", "defend equal rights",
            "clean the river", "speak for peace", "learn from other cultures", "feed the wild birds",
            "save the whales", "treat every nation fairly", "recycle the glass", "shelter the refugees",
        ),
        (
            "cut down the forest", "send away the strangers", "pave over the earth", "oppose equal rights",
            "dump waste in the river", "cheer for war", "scorn other cultures", "chase away the wild birds",
            "hunt the whales", "insult the foreign guests", "burn the rubbish", "fence out the refugees",
        ),
    ),
}
# fmt: on
"""Value id -> (acts for it, acts against it). The order of the values is Schwartz's circle."""

VALUES: tuple[str, ...] = tuple(ACTS)

NOUNS: dict[str, tuple[str, str, str]] = {
    "self-direction": ("independence", "freedom", "originality"),
    "stimulation": ("excitement", "adventure", "novelty"),
    "hedonism": ("pleasure", "comfort", "enjoyment"),
    "achievement": ("success", "excellence", "ambition"),
    "power": ("power", "authority", "influence"),
    "security": ("security", "safety", "stability"),
    "conformity": ("conformity", "obedience", "discipline"),
    "tradition": ("tradition", "heritage", "ritual"),
    "benevolence": ("benevolence", "kindness", "compassion"),
    "universalism": ("universalism", "fairness", "tolerance"),
}
"""What the grammar calls a value in reasons, instructions and attitudes."""
