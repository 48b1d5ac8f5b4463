from __future__ import annotations

import html
import re

import pytest

from valuebench_harness.harness.run import Run
from valuebench_harness.reports.markdown import escape, render_markdown


def test_tables_are_rectangular(run: Run, levels: Run) -> None:
    for each in (run, levels):
        blocks = re.findall(r"(?:^\|.*\|$\n)+", render_markdown(each), re.MULTILINE)
        assert len(blocks) >= 4
        for block in blocks:
            widths = {len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1


def test_answers_stay_inside_their_block(hostile: Run) -> None:
    text = render_markdown(hostile)
    blocks = re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)
    assert len(blocks) == 6
    assert all("<" not in block for block in blocks)
    outside = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert set(re.findall(r"</?\w+", outside)) <= {"<sub", "</sub"}


def test_a_blank_line_in_an_answer_does_not_end_its_block(hostile: Run) -> None:
    # CommonMark: an HTML block that <pre> opens ends at </pre>, not at a blank line (section 4.6, condition 1).
    assert all(block.count("</pre>") == 1 for block in render_markdown(hostile).split("<pre>")[1:])


@pytest.mark.parametrize(
    "text",
    ["# heading", "- item", "+ item", "1. item", "*a* _b_ `c` ~d~ $e$", "[a](b) ![c](d)", "<b>&amp;</b>", "a|b\\|c"],
)
def test_escaped_text_reads_as_it_is(text: str) -> None:
    shown = html.unescape(re.sub(r"\\([\\`*_\[\]|~$])", r"\1", escape(text)))
    assert shown == text
    assert not re.match(r"\s*(#|[-+] |\d+\. )", escape(text))
    assert not re.search(r"(?<!\\)[*_`\[\]|~$<]", escape(text))


def test_nobody_is_mentioned() -> None:
    assert "@everyone" not in escape("@everyone")


def test_the_command_makes_the_run_again(run: Run) -> None:
    assert "`vharness eval --model mini --steerer conva --values achievement,power,self-direction --strength 2`" in (
        render_markdown(run)
    )
