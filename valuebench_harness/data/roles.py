"""Virtual people to answer questionnaires as: a name, a gender, a job and a Myers-Briggs type.

Kang et al. (ACL 2025, section 3.1) let a model answer as 125 such roles, 100 to find a graph and 25
to test it, and as nobody in particular (the empty role). Their list of roles is not used here: names,
jobs and types are drawn independently of each other, so that over many roles none of them stands for
another.
"""

from __future__ import annotations

import random

from valuebench_harness.data.schemas import Role
from valuebench_harness.errors import UsageError

WOMEN: tuple[str, ...] = (
    "Ada", "Alma", "Amira", "Beatriz", "Carmen", "Chloe", "Dalia", "Edith", "Elif", "Esther", "Fatima", "Freya",
    "Grace", "Hana", "Helen", "Ines", "Irene", "Jana", "Julia", "Kavya", "Leila", "Lin", "Lucia", "Mabel",
    "Marta", "Mei", "Nadia", "Naomi", "Nora", "Olga", "Priya", "Rosa", "Ruth", "Sanna", "Sofia", "Tamar",
    "Vera", "Yara", "Yuki", "Zofia",
)  # fmt: skip
MEN: tuple[str, ...] = (
    "Adrian", "Ahmed", "Akira", "Anton", "Ben", "Boris", "Carlos", "Daniel", "David", "Diego", "Emil", "Felix",
    "Georg", "Hassan", "Henry", "Hugo", "Ivan", "Jakob", "Jamal", "Joao", "Jonas", "Kenji", "Kofi", "Leo",
    "Liam", "Luis", "Marek", "Mateo", "Miguel", "Nikhil", "Omar", "Oscar", "Pavel", "Rafael", "Ravi", "Samuel",
    "Stefan", "Tariq", "Victor", "Wei",
)  # fmt: skip
SURNAMES: tuple[str, ...] = (
    "Abe", "Adler", "Almeida", "Andersen", "Bauer", "Becker", "Bianchi", "Brooks", "Castro", "Chen", "Costa", "Dahl",
    "Diaz", "Dubois", "Eriksen", "Farah", "Fischer", "Flores", "Garcia", "Green", "Gupta", "Haddad", "Hansen", "Hill",
    "Horvat", "Ito", "Ivanov", "Jansen", "Kaya", "Keller", "Khan", "Kim", "Kovacs", "Lang", "Larsen", "Lopez",
    "Mensah", "Meyer", "Moreau", "Morgan", "Nguyen", "Novak", "Okafor", "Olsen", "Park", "Patel", "Petrov", "Price",
    "Reed", "Rossi", "Santos", "Sato", "Silva", "Singh", "Tanaka", "Taylor", "Vargas", "Weber", "Wood", "Young",
)  # fmt: skip
JOBS: tuple[str, ...] = (
    "accountant", "actor", "architect", "baker", "bank clerk", "barber", "biologist", "bus driver", "carpenter",
    "chef", "civil engineer", "cleaner", "composer", "dancer", "data analyst", "dentist", "diplomat", "editor",
    "electrician", "energy manager", "factory worker", "farmer", "fire fighter", "fisher", "florist", "gardener",
    "geologist", "graphic designer", "hotel manager", "insurance agent", "interpreter", "journalist", "judge",
    "lawyer", "librarian", "mathematician", "mechanic", "midwife", "miner", "museum guide", "novelist", "nurse",
    "optician", "paramedic", "pharmacist", "photographer", "physicist", "pilot", "plumber", "police officer",
    "postal worker", "priest", "primary school teacher", "psychologist", "recruiter", "sales assistant", "sculptor",
    "secretary", "security guard", "shop owner", "social worker", "soldier", "surgeon", "surveyor", "tailor",
    "trade unionist", "train conductor", "travel agent", "veterinarian", "web developer",
)  # fmt: skip
TYPES: tuple[str, ...] = tuple(a + b + c + d for a in "EI" for b in "NS" for c in "FT" for d in "JP")
"""The sixteen Myers-Briggs types."""

MAX_ROLES = (len(WOMEN) + len(MEN)) * len(SURNAMES)
"""Names are what tables know a role by, so no two roles share one."""

EMPTY_ROLE = Role()


def make_roles(n: int, seed: int = 0) -> list[Role]:
    """Draws ``n`` roles of different names; more roles of the same seed begin with the same ones.

    Raises:
        UsageError: for more roles than there are names.
    """
    if not 0 <= n <= MAX_ROLES:
        raise UsageError(f"There are 0 to {MAX_ROLES} roles to draw, not {n}.")
    rng = random.Random(seed)
    found: dict[str, Role] = {}
    while len(found) < n:
        woman = rng.random() < 0.5
        name = f"{rng.choice(WOMEN if woman else MEN)} {rng.choice(SURNAMES)}"
        role = Role(name=name, gender="female" if woman else "male", job=rng.choice(JOBS), mbti=rng.choice(TYPES))
        found.setdefault(name, role)
    return list(found.values())


def describe(role: Role) -> str:
    """The role in one line, such as ``Name: Ada Reed; Gender: female; Job: nurse``; empty fields are left out."""
    fields = {"Name": role.name, "Gender": role.gender, "Job": role.job, "MBTI": role.mbti}
    return "; ".join(f"{field}: {text}" for field, text in fields.items() if text)
