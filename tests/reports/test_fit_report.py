"""The page of a fit: complete, self-contained, and safe with whatever stands in its records."""

from __future__ import annotations

import base64
import json
import struct
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from valuebench_harness.harness.fit_study.records import (
    CosineMap,
    DecodedTokens,
    FitStudy,
    GateScores,
    LayerAccuracy,
    RunRates,
    SizePoint,
    ValueFit,
    Words,
)
from valuebench_harness.metrics.rates import Rate, rate
from valuebench_harness.reports.fit_report import write_fit_report

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m"


def of(hits: int, n: int) -> Rate:
    return rate([i < hits for i in range(n)], [str(i) for i in range(n)])


def value_fit(value: str, token: str = "safe", *, gate: bool = True, tokens: bool = True) -> ValueFit:
    words = Words(positive=("safe", token), negative=("wild",), common=("road",))
    return ValueFit(
        value=value,
        seconds=1.5,
        layers=(1, 2),
        n_pairs=40,
        accuracy=tuple(LayerAccuracy(layer=i, rate=of(50 + 7 * i, 80), own=0.9, steered=i in (1, 2)) for i in range(4)),
        size_layer=2,
        sizes=(SizePoint(pairs=4, rate=of(30, 40)), SizePoint(pairs=28, rate=of(38, 40))),
        words=words,
        straightforward=words.model_copy(update={"positive": ("safe", "bank", "lock"), "negative": ("ship", "wild")}),
        tokens=DecodedTokens(layer=3, towards=("safe", token), away=("wild",)) if tokens else None,
        gate=GateScores(related=(0.8, 0.9), unrelated=(0.1,), related_open=of(2, 2), unrelated_open=of(0, 1))
        if gate
        else None,
    )


def study(*values: ValueFit, **changes: object) -> FitStudy:
    n = len(values)
    cosines = tuple(tuple(1.0 if i == j else -0.25 for j in range(n)) for i in range(n))
    made = FitStudy(
        method="conva",
        source="Jin et al., ACL 2025",
        model="mini",
        fingerprint="0123456789abcdef",
        n_layers=4,
        system="schwartz",
        controlled=True,
        seed=0,
        settings={"c": 0.01},
        gate="probe",
        values=values,
        groups=(("conservation", 0, 1),) if n > 1 else (),
        cosines=tuple(CosineMap(layer=i, steered_by=i, cosines=cosines) for i in range(3)) if n > 1 else (),
        runs=(RunRates(name="conva 2", csr={"power": of(9, 10)}, fr={"power": of(10, 10)}, seconds=3.0, answers=20),),
        version="0",
        created="2026-01-01T00:00:00+00:00",
        notes=(),
    )
    return made.model_copy(update=changes)


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page of two values that has every part."""
    out = tmp_path_factory.mktemp("fit")
    write_fit_report(study(value_fit("power"), value_fit("security")), out)
    return out


def page_of(made: FitStudy, out: Path) -> Page:
    return Page(write_fit_report(made, out).read_text(encoding="utf-8"))


def test_every_part_is_there(whole: Path) -> None:
    page = Page((whole / "fit.html").read_text(encoding="utf-8"))
    parts = {attributes.get("id") for attributes in page.all("section")} - {None}
    assert parts == {"accuracy", "cosines", "tokens", "words", "gate", "sizes", "runs", "fit"}
    pictures = {path.name for path in (whole / "figures").iterdir()}
    keys = {"accuracy", "cosines", "cosines-layers", "gate", "sizes", "runs"}
    assert pictures == {f"{key}.{ending}" for key in keys for ending in ("png", "svg")}
    assert len(page.all("img")) == len(keys)
    assert all(attributes["alt"] for attributes in page.all("img"))
    # Five words of one side a value in the straightforward pairs, three in the others.
    assert "10 in straightforward pairs, 6 in context-controlled ones (40% fewer)" in page.text
    assert "20 answers in 3.0 s" in page.text


def test_figures_are_what_their_names_say(whole: Path) -> None:
    for path in (whole / "figures").iterdir():
        if path.suffix == ".png":
            head = path.read_bytes()[:24]
            assert head[:8] == b"\x89PNG\r\n\x1a\n"
            assert min(struct.unpack(">II", head[16:24])) > 200
        else:
            assert ElementTree.fromstring(path.read_text(encoding="utf-8")).tag.endswith("svg")


def test_the_same_study_makes_the_same_files(whole: Path, tmp_path: Path) -> None:
    again = write_fit_report(study(value_fit("power"), value_fit("security")), tmp_path)
    assert again.read_bytes() == (whole / "fit.html").read_bytes()


def test_one_value_without_gate_directions_and_runs(tmp_path: Path) -> None:
    made = study(value_fit("power", gate=False, tokens=False), runs=(), notes=("The method has no gate.",))
    page = page_of(made, tmp_path)
    parts = {attributes.get("id") for attributes in page.all("section")}
    assert not parts & {"cosines", "tokens", "gate", "runs"}
    assert "The method has no gate." in page.text


def test_untrusted_text_is_only_text(tmp_path: Path) -> None:
    runs = (RunRates(name=EVIL, csr={EVIL: of(1, 2)}, fr={EVIL: of(1, 2)}, seconds=0.0, answers=2),)
    made = study(value_fit(EVIL, EVIL), value_fit("power", EVIL), model=EVIL, method=EVIL, source=EVIL, runs=runs)
    page = page_of(made, tmp_path)
    assert not page.all("script")
    assert all(str(attributes["src"]).startswith("data:image/svg+xml;base64,") for attributes in page.all("img"))
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "\x1b" not in page.text
    assert "alert(1)" in page.text
    for attributes in page.all("img"):
        drawn = ElementTree.fromstring(base64.b64decode(str(attributes["src"]).partition(",")[2]))
        assert not [node for node in drawn.iter() if "script" in str(node.tag)]
        assert not [name for node in drawn.iter() for name in node.attrib if name.startswith("on")]


def test_nothing_is_loaded_from_elsewhere(whole: Path) -> None:
    page = Page((whole / "fit.html").read_text(encoding="utf-8"))
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not page.all("link")


def test_numbers_that_are_missing_are_left_out(tmp_path: Path) -> None:
    nothing = rate([None, None], ["a", "b"])
    runs = (RunRates(name="caa 1", csr={"power": nothing}, fr={}, seconds=1.0, answers=2),)
    page = page_of(study(value_fit("power"), runs=runs), tmp_path)
    assert "nan" not in page.text.lower().replace("finance", "")


def test_a_deep_model_fits_on_the_page(tmp_path: Path) -> None:
    n_layers = 80
    deep = tuple(LayerAccuracy(layer=i, rate=of(70, 80), own=None, steered=i > 40) for i in range(n_layers))
    made = study(value_fit("power").model_copy(update={"accuracy": deep}), n_layers=n_layers)
    page = page_of(made, tmp_path)
    assert "Every 5th layer is listed" in page.text


def test_the_record_survives_its_file() -> None:
    made = study(value_fit("power"), value_fit("security"))
    assert FitStudy.model_validate(json.loads(made.model_dump_json())) == made
