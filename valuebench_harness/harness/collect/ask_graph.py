"""Reference graphs that a model is asked for: with the theory in the prompt, or of itself, pair by pair.

Kang et al. (ACL 2025, Appendices A.3 and B) ask GPT-4o and the models themselves for a list of edges at once.
The wording here is this project's own; a reply is read strictly, since a misread edge would look like a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.causal.graph import ValueGraph, from_pairs
from valuebench_harness.engine.plan import Message
from valuebench_harness.engine.rows import GenerationRow
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import content_key
from valuebench_harness.harness.chat_model import ChatModel, ChatRow
from valuebench_harness.harness.collect.protocol import prefix_label, split_answer
from valuebench_harness.harness.requests import ENGINE_VERSION

if TYPE_CHECKING:
    import jinja2

    from valuebench_harness.data.values import Value
    from valuebench_harness.harness.cache import Cache
    from valuebench_harness.harness.chat_model import AnyModel
    from valuebench_harness.harness.progress import Reporter

THEORY_TOKENS, PAIR_TOKENS = 2048, 64

END = "END"

_EDGE = re.compile(
    r"^[\s\-*\d.)]*[\"'`*]*(?P<cause>[^\"'`*#]+?)[\"'`*]*\s*(?:->|→)\s*[\"'`*]*(?P<effect>[^\"'`*#]+?)[\"'`*]*\s*(?:#.*)?$"
)


class GraphAsker:
    """Asks a model for graphs.

    Args:
        model: a checkpoint, or a model behind a server.
        cache: of answers.
        template: a file of the user's own in place of the shipped prompt.
    """

    def __init__(self, model: AnyModel, cache: Cache, template: Path | None = None) -> None:
        self._model = model
        self._cache = cache
        self._template = template

    def by_theory(self, values: Sequence[Value], nodes: Sequence[str], report: Reporter) -> ValueGraph:
        """The edges that the model names with Schwartz's theory in its prompt.

        Args:
            values: to connect.
            nodes: what the graph calls them, in the same order.
            report: shows progress.

        Raises:
            UsageError: for a template that cannot be filled.
            IncompleteError: the reply is no list of edges between the values.
        """
        (reply,) = self._ask([self._fill("theory.txt", values=values)], THEORY_TOKENS, report)
        names = {value.name: node for value, node in zip(values, nodes, strict=True)}
        return from_pairs(nodes, parse_edges(reply, names, self._model.name), {**self._about("theory")})

    def by_pairs(self, values: Sequence[Value], nodes: Sequence[str], report: Reporter) -> ValueGraph:
        """An edge wherever the model says that one value would change another of its own.

        Args and errors are those of :meth:`by_theory`. Pairs without a clear answer have no edge and are counted
        in the graph's ``about``.
        """
        pairs = list(permutations(range(len(values)), 2))
        prompts = [self._fill("pair.txt", cause=values[a], effect=values[b]) for a, b in pairs]
        labels = [prefix_label(split_answer(text)[1]) for text in self._ask(prompts, PAIR_TOKENS, report)]
        unscored = sum(label not in {"yes", "no"} for label in labels)
        if unscored == len(pairs):
            raise IncompleteError(f"{self._model.name} answered none of {len(pairs)} questions with yes or no.")
        found = [(nodes[a], nodes[b]) for (a, b), label in zip(pairs, labels, strict=True) if label == "yes"]
        return from_pairs(nodes, found, {**self._about("its own pairs"), "asked": len(pairs), "unscored": unscored})

    def _about(self, what: str) -> dict[str, Any]:
        return {"reference": what, "model": self._model.name, "commit": self._model.commit}

    def _ask(self, prompts: Sequence[str], tokens: int, report: Reporter) -> list[str]:
        rendered = [self._model.render([Message("user", prompt)]) for prompt in prompts]
        keys = [
            content_key("graph", engine=ENGINE_VERSION, model=self._model.fingerprint, prompt=text, tokens=tokens)
            for text in rendered
        ]
        known = self._cache.get(keys)
        todo = [n for n, key in enumerate(keys) if key not in known]
        with report.stage("questions", len(todo), "answers") as advance:
            for place, answer in self._generate([rendered[n] for n in todo], tokens):
                known[keys[todo[place]]] = answer
                self._cache.put("graph", {keys[todo[place]]: answer})
                advance()
        return [known[key] for key in keys]

    def _generate(self, prompts: Sequence[str], tokens: int) -> Iterator[tuple[int, str]]:
        model = self._model
        if isinstance(model, ChatModel):
            for place, reply in model.generate([ChatRow(prompt, tokens) for prompt in prompts]):
                yield place, reply.text
            return
        special = not model.has_chat_template
        rows = [GenerationRow(prompt, max_new_tokens=tokens, special=special) for prompt in prompts]
        for place, answer in model.generate(rows):
            yield place, answer.text

    @cached_property
    def _environment(self) -> jinja2.Environment:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import SandboxedEnvironment

        return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)

    def _fill(self, name: str, **fields: Any) -> str:
        from jinja2 import TemplateError

        try:
            if self._template is None:
                source = (files("valuebench_harness.harness.collect") / "templates" / name).read_text(encoding="utf-8")
            else:
                source = self._template.read_text(encoding="utf-8")
            return self._environment.from_string(source).render(**fields).strip()
        except (OSError, UnicodeDecodeError, TemplateError) as error:
            raise UsageError(f"The template {self._template or name}: {error}.") from error


def parse_edges(reply: str, names: Mapping[str, str], source: str) -> list[tuple[str, str]]:
    """Edges of a reply with one link a line and END below; prose around the links is let pass.

    Args:
        reply: of the model; untrusted.
        names: of the values as they were told to the model, and as the graph calls them.
        source: who replied, for errors.

    Raises:
        IncompleteError: the reply has no END, no link, or a link that is none between two values.
    """
    known = {_plain(name): node for name, node in names.items()}
    edges: dict[tuple[str, str], None] = {}
    ended = False
    for number, line in enumerate(reply.splitlines(), 1):
        if _plain(line) == END.lower():
            ended = True
            break
        if "->" not in line and "→" not in line:
            continue
        found = _EDGE.match(line.strip())
        ends = [known.get(_plain(found[side])) for side in ("cause", "effect")] if found else []
        if len(ends) != 2 or ends[0] is None or ends[1] is None or ends[0] == ends[1]:
            raise IncompleteError(
                f"{source} was asked for links between {len(names)} values; line {number} of its reply is none: "
                f"{line.strip()[:80]!r}. Ask another model, or give a graph as a file."
            )
        edges[ends[0], ends[1]] = None
    if not ended:
        raise IncompleteError(f"The reply of {source} has no '{END}': it was cut short, or is no list of links.")
    if not edges:
        raise IncompleteError(f"The reply of {source} names no link between the values.")
    return list(edges)


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
