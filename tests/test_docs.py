"""The documentation is true: links resolve, commands parse, examples run, and nothing is left out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.cli.main import app
from valuebench_harness.harness.config import RunConfig, load_config
from valuebench_harness.metrics.ids import METRICS

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "tasks/**/*.md", "valuebench_harness/**/*.md")
    for path in ROOT.glob(pattern)
)
PLACES = {"checkpoint": "./my-checkpoint", "run": "vharness-runs/mini-conva-1a2b3c4d"}
"""What the examples call the reader's own checkpoint and run."""

CLI: Any = typer.main.get_command(app)

_FENCE = re.compile(
    r"^(?:`(?P<file>[\w./-]+)`:\n\n)?(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$", re.M | re.S
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^()\s]+)\)")
_SEPARATORS = {"|", "||", "&", "&&", ";", ">", "<"}


@dataclass(frozen=True)
class Block:
    """A fenced block; `file` is the name that the line above gives it."""

    language: str
    text: str
    file: str | None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(m["language"], m["text"], m["file"]) for m in _FENCE.finditer(page.read_text(encoding="utf-8"))]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of every `vharness` call in the shell blocks of a page."""
    for block in blocks(page):
        if block.language not in {"", "bash", "sh", "shell", "console", "text"}:
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            yield from _calls(line.removeprefix("$ "))


def _calls(line: str) -> Iterator[list[str]]:
    if not re.search(r"(^|[\s/])vharness\s", line):
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    call: list[str] | None = None
    for word in [*lexer, ";"]:
        if word in _SEPARATORS:
            if call is not None:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word.rpartition("/")[2] == "vharness":
            call = []


def execute(block: Block, scope: dict[str, Any], **replace: str) -> None:
    """Runs a Python block as a file of its own would run."""
    text = block.text
    for old, new in replace.items():
        text = text.replace(PLACES[old], new)
    exec(compile(text, "<example>", "exec", dont_inherit=True), scope)


def python_blocks(page: str) -> list[Block]:
    return [b for b in blocks(ROOT / page) if b.language == "python"]


def slugs(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+?)\s*$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def parse(arguments: list[str]) -> None:
    """Parses a call as the command line does, without running it."""
    try:
        group, context = CLI, CLI.make_context("vharness", list(arguments))
    except typer.Exit:  # --help, --version
        return
    rest = [*context._protected_args, *context.args]
    while rest:
        name, command, rest = group.resolve_command(context, rest)
        context = command.make_context(name, list(rest), parent=context)
        if not hasattr(command, "commands"):
            return
        group, rest = command, [*context._protected_args, *context.args]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
class TestEveryPage:
    def test_links_resolve(self, page: Path) -> None:
        broken = []
        for target in _LINK.findall(prose(page)):
            file, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", file):
                continue
            path = (page.parent / file).resolve() if file else page
            if not path.exists() or (anchor and anchor not in slugs(path)):
                broken.append(target)
        assert not broken

    def test_commands_parse(self, page: Path) -> None:
        for call in commands(page):
            try:
                parse(call)
            except Exception as error:
                pytest.fail(f"vharness {shlex.join(call)}: {error}")

    def test_python_compiles(self, page: Path) -> None:
        for block in blocks(page):
            if block.language == "python":
                compile(block.text, str(page), "exec")


def test_parsing_refuses_what_does_not_exist() -> None:
    for call in (
        ["eval", "--no-such-option"],
        ["evaluate"],
        ["eval", "--limit", "many"],
        ["data", "push", "x"],
        ["report"],
    ):
        with pytest.raises(Exception, match=r"(?i)no such|should be|missing"):
            parse(call)


class TestNothingIsLeftOut:
    def test_options_and_keys_of_eval(self) -> None:
        text = (ROOT / "docs/eval.md").read_text(encoding="utf-8")
        options = {o for p in CLI.commands["eval"].params for o in (*p.opts, *p.secondary_opts) if o.startswith("--")}
        missing = [o for o in sorted(options - {"--help"}) if not re.search(rf"{o}(?![\w-])", text)]
        assert not missing
        assert not [key for key in RunConfig.model_fields if f"`{key}`" not in text]

    def test_verbs(self) -> None:
        text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
        assert not [verb for verb in CLI.commands if f"vharness {verb}" not in text]

    def test_metrics(self) -> None:
        titles = slugs(ROOT / "docs/metrics.md")
        assert not [name for name in METRICS if name not in titles]

    def test_kinds(self) -> None:
        from valuebench_harness.engine import kinds

        text = (ROOT / "docs/engine.md").read_text(encoding="utf-8")
        built_in = [name for name, kind in kinds._KINDS.items() if kind.apply.__module__ == kinds.__name__]
        assert len(built_in) >= 3
        assert not [name for name in built_in if f"`{name}`" not in text]

    def test_pages_are_on_the_map(self) -> None:
        linked = _LINK.findall(prose(ROOT / "docs/index.md"))
        assert not [p.name for p in (ROOT / "docs").glob("*.md") if p.name not in {*linked, "index.md"}]


@pytest.mark.parametrize("page", [ROOT / "docs/eval.md", ROOT / "docs/add-a-judge.md"], ids=named)
def test_configurations_are_valid(page: Path, tmp_path: Path) -> None:
    found = [b for b in blocks(page) if b.language == "yaml"]
    assert found
    for block in found:
        path = tmp_path / (block.file or "config.yaml")
        path.write_text(block.text, encoding="utf-8")
        load_config(path)


# The how-tos, as they stand, on a small random model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny", length=1024)


def lay_out(page: Path, folder: Path) -> None:
    """Writes the files that a page names."""
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def run_commands(page: Path, verb: str, checkpoint: Path, *more: str) -> list[str]:
    """Runs a page's calls of a verb on the small model; returns what they printed."""
    out = []
    for call in commands(page):
        if call[0] != verb:
            continue
        arguments = [str(checkpoint) if w in {"mini", "./my-checkpoint"} else w for w in call]
        if "--model" not in arguments and verb != "data":
            arguments += ["--model", str(checkpoint)]
        result = CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)
        assert result.exit_code == 0, f"vharness {shlex.join(call)}\n{result.output}"
        out.append(result.output)
    assert out
    return out


FEW = ("--limit", "2", "--max-new-tokens", "8", "--max-unscored", "1", "--quiet")


class TestHowTos:
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))

    def test_add_a_steerer(self, checkpoint: Path, tmp_path: Path) -> None:
        from valuebench_harness import load_run

        page = ROOT / "docs/add-a-steerer.md"
        lay_out(page, tmp_path)
        (told,) = run_commands(page, "eval", checkpoint, *FEW)
        assert "first-component" in told
        run_commands(page, "try", checkpoint, "--max-new-tokens", "4")
        (folder,) = (tmp_path / "vharness-runs").iterdir()
        run = load_run(folder)
        base = {s.document: s.answer for s in run.samples.values() if s.condition == "base"}
        steered = {s.document: s.answer for s in run.samples.values() if s.condition != "base"}
        assert any(base[document] != answer for document, answer in steered.items())

    def test_the_settings_example_takes_its_settings(self) -> None:
        from valuebench_harness.errors import UsageError
        from valuebench_harness.steerers.registry import make_settings

        scope: dict[str, Any] = {"__name__": "example"}
        execute(python_blocks("docs/add-a-steerer.md")[1], scope)
        assert make_settings(scope["MyMethod"].settings_type, "example", {"depth": 0.4}).model_dump()["depth"] == 0.4
        with pytest.raises(UsageError, match="depth"):
            make_settings(scope["MyMethod"].settings_type, "example", {"depht": 0.4})

    def test_add_a_task(self, checkpoint: Path, tmp_path: Path) -> None:
        from valuebench_harness import load_run

        page = ROOT / "docs/add-a-task.md"
        lay_out(page, tmp_path)
        own, foreign = run_commands(page, "eval", checkpoint, *FEW)
        assert "honesty" in own
        assert "proverbs" in foreign
        runs = [load_run(folder) for folder in (tmp_path / "vharness-runs").iterdir()]
        assert {d.value for r in runs for d in r.documents.values() if d.kind != "exam"} == {"honesty", "security"}
        assert any("acc" in tasks["proverbs"] for r in runs for tasks in r.results.lm_eval.values())

    def test_the_judge_example_judges(self) -> None:
        from valuebench_harness.judges.base import LABELS, JudgeItem

        scope: dict[str, Any] = {"__name__": "example"}
        execute(python_blocks("docs/add-a-judge.md")[0], scope)
        judge = scope["FirstWord"]()
        item: dict[str, Any] = {"prompt": "Should I?", "options": ("go", "stay"), "favours": 1, "yes": 0}
        assert judge.verdict(JudgeItem(asks="csr", answer="Yes, go.", **item)).label == "no"
        assert judge.verdict(JudgeItem(asks="csr", answer="No.", **item)).label == "yes"
        assert judge.verdict(JudgeItem(asks="csr", answer="Perhaps.", **item)).label is None
        assert judge.verdict(JudgeItem(asks="stance", answer="No.", **item)).label in LABELS["stance"]

    def test_python_and_reports(self, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The blocks of docs/python.md run one after the other, then the report examples on the same run."""
        scope: dict[str, Any] = {"__name__": "example"}
        for block in python_blocks("docs/python.md"):
            execute(block, scope, checkpoint=str(checkpoint))
        assert scope["paths"]["html"].is_file()
        assert len(scope["answers"]) == 2
        outside, section, outline = python_blocks("docs/add-a-report.md")
        execute(outside, scope, run="vharness-runs/first")
        assert "security" in capsys.readouterr().out
        execute(section, scope)
        assert scope["steered_share"](scope["run"].results).table.rows
        execute(outline, scope)
        assert "What the numbers are worth" in scope["render_outline"](scope["run"])

    def test_the_engine_tour_and_its_kind(self, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
        import torch

        scope: dict[str, Any] = {"__name__": "example"}
        tour, own_kind = python_blocks("docs/engine.md")
        execute(tour, scope)
        scope["tour"](str(checkpoint))
        assert len(capsys.readouterr().out.splitlines()) >= 4
        execute(own_kind, scope)
        h, u = torch.randn(3, 8), torch.randn(3, 8)
        left = scope["project_out"](h, {"direction": u, "coefficient": torch.ones(3, 1)})
        assert torch.allclose((left * u).sum(dim=-1), torch.zeros(3), atol=1e-5)
