"""``vharness judge``: a sheet out, labels in, a judge calibrated; and answers judged again."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.reports.runs import Spec, write_run
from tests.support.chat_server import ChatServer, Reply, Request
from valuebench_harness.harness.label_sample import judged_answers
from valuebench_harness.harness.run import Run, load_run
from valuebench_harness.harness.settling import Trial, Tuned
from valuebench_harness.metrics.rates import rate

VALUES = ("achievement", "power", "self-direction")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """72 base and 72 steered answers on the dilemmas of three values."""
    return write_run(tmp_path / "run", Spec(per_value=24, levels=(2.0,)))


def label(run: Run, sheet: Path, name: str, *, wrong: float = 0.0, seed: int = 0, only: int | None = None) -> Path:
    """A rater who agrees with the judge but for a share of answers."""
    rng = random.Random(seed)
    judged = {j.id: j.answer.verdicts for j in judged_answers(run, "dilemma")}
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"), newline="")))
    for row in rows[:only]:
        verdicts = judged[row["id"]]
        said = verdicts["csr"].label == "yes"
        row["csr"] = "yes" if said != (rng.random() < wrong) else "no"
        row["fr"] = verdicts["fr"].label or ""
    path = sheet.with_name(f"{name}.csv")
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_sample_and_calibrate(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    done = vharness("judge", "sample", run.folder, "--n", 60, "--out", sheet)
    assert done.code == 0
    assert "60 items" in done.out
    raters = [label(run, sheet, name, wrong=w, seed=n) for n, (name, w) in enumerate((("ann", 0.05), ("bob", 0.1)))]
    raters.append(label(run, sheet, "cem", wrong=0.02, seed=9))
    done = vharness("judge", "calibrate", run.folder, *raters)
    assert done.code == 0
    for words in (
        "Cohen's kappa",
        "Fleiss' kappa",
        "Krippendorff's alpha",
        "precision",
        "corrected",
        "conva at 2",
        "base",
    ):
        assert words in done.out
    data = json.loads(vharness("judge", "calibrate", run.folder, *raters, "--format", "json").out)
    csr, fr = data["questions"]
    assert (csr["asks"], fr["asks"]) == ("csr", "fr")
    assert csr["labelled"] == 60
    assert sum(map(sum, csr["judge"]["matrix"])) == 60
    assert csr["judge"]["kappa"]["estimate"] > 0.8
    assert fr["judge"]["accuracy"]["estimate"] == 1.0
    assert set(csr["pairs"]) == {"ann / bob", "ann / cem", "bob / cem"}
    base, steered = csr["rates"]
    assert (base["group"], steered["group"]) == ("base", "conva at 2")
    assert base["corrected"]["low"] <= base["corrected"]["estimate"] <= base["corrected"]["high"]
    assert set(base["raters"]) == {"ann", "bob", "cem"}
    assert base["change"] is None
    assert steered["change"]["low"] > 0, "control success rises in the eyes of people, too"
    markdown = vharness("judge", "calibrate", run.folder, *raters, "--format", "md", "--out", "c.md")
    assert markdown.code == 0
    assert "| agreement |" in Path("c.md").read_text()


def test_a_sample_is_blind_and_spread(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    vharness("judge", "sample", run.folder, "--n", 48, "--out", sheet, "--seed", 3)
    text = sheet.read_text(encoding="utf-8-sig")
    for hidden in ("conva", "base|", "grammar", "parsed"):
        assert hidden not in text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len({r["id"] for r in rows}) == 48
    counts = [sum(r["value"].lower() == v for r in rows) for v in VALUES]
    assert max(counts) - min(counts) <= 4, "each value has its share"
    assert [r["value"] for r in rows] != sorted(r["value"] for r in rows), "the order tells nothing"
    again = run.folder.parent / "again.csv"
    vharness("judge", "sample", run.folder, "--n", 48, "--out", again, "--seed", 3)
    assert again.read_text() == sheet.read_text()


def test_a_sample_of_everything(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    done = vharness("judge", "sample", run.folder, "--n", 10_000, "--out", sheet)
    distinct = len({j.id for j in judged_answers(run, "dilemma")})
    assert f"{distinct} items" in done.out
    again = vharness("judge", "sample", run.folder, "--out", sheet)
    assert again.code == 2, "a sheet may hold a rater's work"
    assert "is there already" in again.err


def test_questionnaires_are_labelled_by_stance(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    done = vharness("judge", "sample", run.folder, "--kind", "questionnaire", "--n", 12, "--out", sheet)
    assert "stance: yes, no, unsure" in done.out
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"), newline="")))
    path = sheet.with_name("ann.csv")
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows([{**r, "stance": "yes" if r["answer"].startswith("Yes") else "no"} for r in rows])
    data = json.loads(vharness("judge", "calibrate", run.folder, path, "--format", "json").out)
    assert data["questions"][0]["judge"]["accuracy"]["estimate"] == 1.0


def test_training_texts_are_rated_by_the_same_sheets(tmp_path: Path, vharness: Command) -> None:
    sheet = tmp_path / "texts.csv"
    done = vharness("judge", "sample", "schwartz", "--values", "security,power", "--n", 40, "--out", sheet)
    assert done.code == 0
    assert "shows: value, opposite, neither" in done.out
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"), newline="")))
    assert {r["value"] for r in rows} == {"Security", "Power"}
    path = tmp_path / "ann.csv"
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows([{**r, "shows": "value"} for r in rows])
    data = json.loads(vharness("judge", "calibrate", "schwartz", path, "--format", "json").out)
    (shows,) = data["questions"]
    assert shows["labelled"] == 40
    assert sum(row[1] for row in shows["judge"]["matrix"]) == pytest.approx(20, abs=2), "half of them were opposites"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "run", "--n", "0"), "--n is 0"),
        (("sample", "run", "--kind", "exam"), "Unknown kind 'exam'"),
        (("sample", "run", "--out", "labels.ods"), "must end in .csv or .xlsx"),
        (("sample", "no-such-thing"), "no-such-thing"),
        (("sample", "schwartz", "--values", "securty"), "security"),
        (("calibrate", "run", "missing.csv"), "missing.csv"),
        (("calibrate", "run", "strange.csv"), "not in run"),
        (("calibrate", "run", "shows.csv"), "training texts"),
        (("calibrate", "schwartz", "strange.csv"), "'shows'"),
        (("calibrate", "run", "strange.csv", "--width", "0"), "--width"),
        (("calibrate", "run", "strange.csv", "--format", "pdf"), "Unknown format"),
        (("rescore", "run", "--judge", "grammer"), "Did you mean 'grammar'"),
        (("rescore", "run", "--judge", "human"), "labels"),
        (("rescore", "run", "--judge", "hf"), "'model' of the hf judge: is missing"),
        (("rescore", "run", "--judge", "hf", "--judge-model", "no/such"), "no/such"),
        (("rescore", "run", "--judge", "openai"), "OPENAI_API_KEY"),
        (("rescore", "run", "--judge", "grammar", "--judge-set", "x"), "key=value"),
        (("rescore", "run", "--judge", "grammar+grammar"), "twice"),
        (("rescore", "run", "--judge", "grammar+openai", "--judge-set", "model=x"), "say which"),
        (("rescore", ".", "--judge", "grammar"), "no run"),
        (("rescore", "run", "--judge", "human", "--labels", "strange.csv"), "1 of 1 labelled items are not in run"),
        (("rescore", "run", "--judge", "human", "--labels", "shows.csv"), "label shows, which no answer in run"),
        (("rescore", "run", "--judge", "grammar", "--max-unscored", "5"), "--max-unscored is 5"),
        (("rescore", "run", "--judge", "grammar", "--max-unscored=-1"), "--max-unscored is -1"),
        (("rescore", "run", "--judge", "grammar", "--max-unscored", "nan"), "--max-unscored is nan"),
        (("rescore", "run", "--judge", "openai", "--judge-url", "notaurl"), "http://localhost:8000/v1"),
        (("rescore", "run", "--judge", "openai", "--judge-url", "localhost:8000/v1"), "must begin with http://"),
        (("sample", "run", "--values", "power"), "--values chooses texts of a data set"),
        (("sample", "schwartz", "--kind", "questionnaire"), "--kind chooses answers of a run"),
        (("calibrate", "schwartz", "shows.csv", "--width", "0.2"), "--width plans labels for a rate of a run"),
    ],
)
def test_bad_input(run: Run, vharness: Command, arguments: tuple[str, ...], words: str) -> None:
    Path("strange.csv").write_text("id,csr\nabc,yes\n")
    Path("shows.csv").write_text("id,shows\nabc,value\n")
    before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    done = vharness("judge", *arguments)
    assert done.code == 2
    assert words in done.err
    assert len(done.lines) <= 2
    assert {p: p.read_bytes() for p in before} == before, "the run and its report stay what they were"


def test_raters_that_overlap_on_nothing(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    vharness("judge", "sample", run.folder, "--n", 40, "--out", sheet)
    whole = label(run, sheet, "whole").read_text().splitlines(keepends=True)
    ann, bob = sheet.with_name("ann.csv"), sheet.with_name("bob.csv")
    ann.write_text("".join(whole[:21]))
    bob.write_text("".join([whole[0], *whole[21:]]))
    done = vharness("judge", "calibrate", run.folder, ann, bob)
    assert done.code == 0
    assert "no item was labelled by two raters" in done.out
    data = json.loads(vharness("judge", "calibrate", run.folder, ann, bob, "--format", "json").out)
    assert data["questions"][0]["reliability"]["alpha"]["estimate"] is None
    assert data["questions"][0]["labelled"] == 40


def test_few_labels_are_told(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    vharness("judge", "sample", run.folder, "--n", 30, "--out", sheet)
    one = label(run, sheet, "ann", only=1)
    done = vharness("judge", "calibrate", run.folder, one)
    assert done.code == 0
    assert "1 labelled item; intervals of fewer than" in done.out


def test_rescoring_needs_no_model_and_keeps_the_old_verdicts(run: Run, vharness: Command) -> None:
    before = run.results
    done = vharness("judge", "rescore", run.folder, "--judge", "option-match", "--max-unscored", 1, "--quiet")
    assert done.code == 0
    after = load_run(run.folder)
    assert after.info.judge == "option-match/2"
    assert after.info.config.judge == "option-match"
    assert after.results.judge == "option-match/2"
    assert after.results.base["power"].favour.n == before.base["power"].favour.n
    assert after.store.verdicts("grammar"), "the first judge's verdicts stay"
    assert "option-match" in (run.folder / "report.md").read_text()


def test_rescoring_by_two_judges(run: Run, vharness: Command) -> None:
    done = vharness(
        *("judge", "rescore", run.folder, "--judge", "option-match+reference-lm", "--max-unscored", 1, "--quiet"),
        *("--judge-set", "reference-lm.max_perplexity=1e9"),
    )
    assert done.code == 0
    after = load_run(run.folder)
    assert after.info.judge.startswith("option-match/2+reference-lm/2:mini@")
    assert after.results.base["power"].fr.n == 24


def test_rescoring_by_people(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    vharness("judge", "sample", run.folder, "--n", 10_000, "--out", sheet)
    ann = label(run, sheet, "ann")
    done = vharness("judge", "rescore", run.folder, "--judge", "human", "--labels", ann, "--quiet")
    assert done.code == 3, "answers to other values' dilemmas were on no sheet"
    assert "no rater labelled it" in done.err
    after = load_run(run.folder).results
    assert after.pooled[0].csr == run.results.pooled[0].csr
    assert after.pooled[0].fr == run.results.pooled[0].fr


def test_an_unscored_share_above_the_limit_exits_with_3(
    run: Run, vharness: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ChatServer(lambda *_: Reply("perhaps")).running() as server:
        done = vharness("judge", "rescore", run.folder, "--judge", "openai", "--judge-url", server.url, "--quiet")
    assert done.code == 3
    assert "100.0%" in done.err


def test_a_spent_budget_keeps_what_was_paid_for(run: Run, vharness: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    def script(request: Request, _: int) -> Reply:
        return Reply("Label: fluent" if "grammatical" in request.content else "Label: yes")

    with ChatServer(script).running() as server:
        call = ("judge", "rescore", run.folder, "--judge", "openai", "--judge-url", server.url, "--quiet")
        done = vharness(*call, "--judge-set", "max_calls=50")
        assert done.code == 3
        assert "50 calls is spent" in done.err
        assert len(server.requests) == 50
        assert vharness(*call).code == 0
        contents = [r.content for r in server.requests]
    bare = [re.sub("=== [0-9a-f]{16} ===", "", c) for c in contents if "grammatical" not in c]
    assert len(set(bare)) == len(bare), "nothing was paid for twice"
    assert load_run(run.folder).results.unscored == 0


def scripted(request: Request, _: int) -> Reply:
    return Reply("Label: fluent" if "grammatical" in request.content else "Label: yes")


def chosen() -> Tuned:
    half = rate([True, False], ["d1", "d2"])
    trial = Trial(strength=2.0, success=half, csr=half, fr=half)
    return Tuned(value="power", strength=2.0, rule="most", base=half, items=("d1", "d2"), grid=(trial,))


def test_a_run_whose_numbers_are_of_an_older_form_is_judged_anew(run: Run, vharness: Command) -> None:
    path = run.folder / "metrics.json"
    data = json.loads(path.read_text())
    data["pooled"] = "as it was once"
    data["tuned"] = [chosen().model_dump(mode="json")]
    path.write_text(json.dumps(data))
    with ChatServer(scripted).running() as server:
        call = ("judge", "rescore", run.folder, "--judge", "openai", "--judge-url", server.url, "--quiet")
        assert vharness(*call).code == 0
    results = load_run(run.folder).results
    assert results.judge == load_run(run.folder).info.judge
    assert results.judge.startswith("openai/1:")
    assert results.tuned == (chosen(),), "what the answers do not tell is kept"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("metrics.json", "{", "metrics.json cannot be read"),
        ("metrics.json", '{"tuned": [{"value": "power"}]}', "'tuned.0.strength'"),
        ("lm_eval.json", "{", "lm_eval.json cannot be read"),
    ],
)
def test_what_cannot_be_kept_is_told_before_a_call_is_paid(
    run: Run, vharness: Command, name: str, text: str, words: str
) -> None:
    (run.folder / name).write_text(text)
    with ChatServer(scripted).running() as server:
        done = vharness("judge", "rescore", run.folder, "--judge", "openai", "--judge-url", server.url, "--quiet")
        assert server.requests == []
    assert done.code == 2
    assert words in done.err
    assert load_run(run.folder).info.judge == "grammar"


def test_a_graph_stays_with_a_run_whose_other_numbers_are_unreadable(run: Run, vharness: Command) -> None:
    assert vharness("report", run.folder, "--report", "causal", "--graph", "higher-order").code == 0
    before = load_run(run.folder).results.causal
    assert before is not None
    path = run.folder / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "verdicts": "many"}))
    call = ("judge", "rescore", run.folder, "--judge", "option-match", "--max-unscored", 1, "--quiet")
    assert vharness(*call).code == 0
    after = load_run(run.folder).results.causal
    assert after is not None
    assert (after.name, after.graph) == (before.name, before.graph)


def test_one_wrong_id_among_many_is_told(run: Run, vharness: Command) -> None:
    sheet = run.folder.parent / "sheet.csv"
    vharness("judge", "sample", run.folder, "--n", 20, "--out", sheet)
    ann = label(run, sheet, "ann")
    ann.write_text(ann.read_text().replace(ann.read_text().splitlines()[1][:16], "a0000000000000000", 1))
    done = vharness("judge", "rescore", run.folder, "--judge", "human", "--labels", ann, "--quiet")
    assert done.code == 2
    assert "1 of 20 labelled items are not in" in done.err
    assert load_run(run.folder).info.judge == "grammar"


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply(status=400, body=b'{"error": {"code": "model_not_found", "message": "No x."}}'), 2, "does not know"),
        (Reply(status=429, body=b'{"error": {"code": "insufficient_quota", "message": "No."}}'), 3, "for payment"),
        (Reply(body=b"<html>hello</html>"), 3, "does not work"),
    ],
    ids=["unknown model", "no money", "a page"],
)
def test_a_server_that_cannot_judge_leaves_the_run_as_it_was(
    run: Run, vharness: Command, reply: Reply, code: int, words: str
) -> None:
    before = (run.folder / "metrics.json").read_bytes()
    with ChatServer(lambda *_: reply).running() as server:
        done = vharness("judge", "rescore", run.folder, "--judge", "openai", "--judge-url", server.url, "--quiet")
        assert len(server.requests) <= 4 * 16, "of 315"
    assert (done.code, len(done.lines)) == (code, 1)
    assert words in done.err
    assert (run.folder / "metrics.json").read_bytes() == before
    assert load_run(run.folder).info.judge == "grammar"


def test_ctrl_c_names_no_option_that_the_command_does_not_have(run: Run, vharness: Command) -> None:
    # A shell starts what runs in its background with Ctrl-C switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def script(_: Request, number: int) -> Reply:
        if number == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return Reply(delay=0.02)

    with ChatServer(script).running() as server:
        call = ("judge", "rescore", run.folder, "--judge", "openai", "--judge-url", server.url, "--quiet")
        done = vharness(*call)
    signal.signal(signal.SIGINT, before)
    assert done.code == 130
    assert done.lines == ["Stopped. What was finished is kept; the same command goes on."]
