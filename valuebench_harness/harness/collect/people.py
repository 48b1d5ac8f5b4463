"""Who answers: roles in words that the model knows, and nobody in particular."""

from __future__ import annotations

from valuebench_harness.data.grammar import roles as grammar
from valuebench_harness.data.roles import describe, make_roles
from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.collect.records import Part, Person


def make_people(config: CollectConfig) -> tuple[Person, ...]:
    """The empty role, then the training and the test roles.

    ``mini`` answers as roles of its own grammar, whose values are known. The empty role answers the items of
    both parts, since it is what a graph's predictions are held against in either.

    Raises:
        UsageError: for more roles than there are.
    """
    n_test = config.n_test_roles
    train: Part = "train"
    test: Part = "test"
    parts = [train] * (config.roles - n_test) + [test] * n_test
    nobody = Person(id="", part="both" if n_test else "train")
    if config.is_mini:
        return (
            nobody,
            *(
                Person(id=planted_id(role), part=part, text=role.text, fields=vars(role))
                for role, part in zip(grammar.roles(config.roles, config.run.seed), parts, strict=True)
            ),
        )
    return (
        nobody,
        *(
            Person(id=role.name, part=part, text=describe(role), fields=role.model_dump())
            for role, part in zip(make_roles(config.roles, config.run.seed), parts, strict=True)
        ),
    )


def planted_id(role: grammar.Role) -> str:
    """What tables know a role of ``mini``'s by: its first names are few, so all that it is made of."""
    return "/".join(vars(role).values())


def planted_role(person: Person) -> grammar.Role | None:
    """The role behind one of ``mini``'s; ``None`` for nobody in particular."""
    return grammar.Role(**person.fields) if person.fields else None
