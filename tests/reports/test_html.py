from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from tests.reports.runs import HOSTILE
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.browser import sample_data, script_json
from valuebench_harness.reports.html import heat_class, render_html


class _Page(HTMLParser):
    """Elements of a page and the text of its data element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._in_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_data = tag == "script" and dict(attrs).get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        self._in_data = self._in_data and tag != "script"

    def handle_data(self, data: str) -> None:
        self.data += data if self._in_data else ""


def test_the_page_refers_to_nothing_outside_itself(run: Run) -> None:
    for tag, attributes in _Page(render_html(run)).tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") or name == "style" for name in attributes), "the policy forbids them"


def test_links_inside_the_page_lead_somewhere_and_ids_are_unique(run: Run, levels: Run) -> None:
    for each in (run, levels):
        tags = _Page(render_html(each)).tags
        ids = [a["id"] for _, a in tags if "id" in a]
        assert len(ids) == len(set(ids))
        links = {a["href"] or "" for tag, a in tags if tag == "a"}
        assert {link[1:] for link in links} <= set(ids)


def test_hostile_answers_add_no_element(run: Run, hostile: Run) -> None:
    kinds = {tag for tag, _ in _Page(render_html(run)).tags}
    page = _Page(render_html(hostile))
    assert {tag for tag, _ in page.tags} == kinds
    assert sum(tag == "script" for tag, _ in page.tags) == 2
    assert json.loads(page.data) == json.loads(json.dumps(sample_data(hostile)))


def test_script_json_cannot_end_its_element() -> None:
    data = list(HOSTILE)
    text = script_json(list(data))
    assert not re.search(r"[<>&\u2028\u2029]", text)
    assert json.loads(text) == data


def test_every_answer_is_in_the_page_with_its_base(run: Run) -> None:
    data = json.loads(_Page(render_html(run)).data)
    samples, texts = data["samples"], data["texts"]
    assert len(samples["text"]) == len(run.samples)
    assert {len(column) for column in samples.values()} == {len(run.samples)}
    by_key = {
        (d["id"], c): texts[t]
        for d, c, t in zip(
            (data["documents"][n] for n in samples["document"]), samples["condition"], samples["text"], strict=True
        )
    }
    for n, (d, base) in enumerate(zip(samples["document"], samples["base"], strict=True)):
        if samples["condition"][n] == 0:
            assert base == -1
        else:
            assert samples["document"][base] == d
            assert samples["condition"][base] == 0
    for s in run.samples.values():
        if s.answer:
            assert by_key[s.document, list(run.conditions).index(s.condition)] == s.answer


def test_a_huge_answer_is_cut_and_says_so(hostile: Run) -> None:
    longest = max(sample_data(hostile)["texts"], key=len)  # type: ignore[arg-type, type-var]
    assert isinstance(longest, str)
    assert len(longest) < 21_000
    assert "characters more in samples.parquet" in longest


def test_heat_has_a_direction_and_an_end() -> None:
    assert [heat_class(x) for x in (-1.0, -0.5, -0.21, -0.01, 0.0, 0.01, 0.3, 0.9)] == [
        *("heat-5", "heat-5", "heat-2", "heat0", "heat0", "heat0", "heat3", "heat5")
    ]
