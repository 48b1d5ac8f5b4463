"""Figures of a run: which there are, what their text says, and that hostile names stay text."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.numbers import points
from valuebench_harness.reports.run_figures import run_pictures, write_figures

SVG = "{http://www.w3.org/2000/svg}"


def _title(svg: str) -> str:
    return str(ElementTree.fromstring(svg).findtext(f"{SVG}title"))


def _words(svg: str) -> list[str]:
    """Texts of a figure; matplotlib draws letters as shapes and leaves each text in a comment."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(svg, parser)
    return [str(node.text).strip() for node in root.iter() if callable(node.tag)]


def test_a_run_of_several_strengths_has_every_figure(levels: Run, tmp_path: Path) -> None:
    files = write_figures(levels, tmp_path / "new" / "figures")
    names = ["control", *(f"side-effects-{n}" for n in range(3)), "dose-response"]
    assert [path.name for path in files] == [f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    for path in files:
        if path.suffix == ".png":
            head = path.read_bytes()[:24]
            assert head.startswith(b"\x89PNG\r\n\x1a\n")
            assert min(struct.unpack(">II", head[16:24])) > 300
        else:
            assert ElementTree.parse(path).getroot().tag == f"{SVG}svg"


def test_the_matrix_says_the_stored_changes(run: Run) -> None:
    control, matrix = run_pictures(run)
    assert [control.key, matrix.key] == ["control", "side-effects"]
    assert _title(matrix.svg) == matrix.caption
    words = _words(matrix.svg)
    for result in run.results.conditions:
        for change in result.side_effects.values():
            assert points(change.estimate) + ("" if change.shown else "~") in words
    assert {"achievement", "power", "self-direction"} <= set(words) & set(_words(control.svg))


def test_a_rate_stands_where_it_is(run: Run) -> None:
    from matplotlib.colors import to_hex
    from matplotlib.container import ErrorbarContainer

    from valuebench_harness.reports.pictures import BLUE
    from valuebench_harness.reports.rate_figure import Series, rates_by_value

    csr = {str(r.condition.value): r.csr.after for r in run.results.conditions if r.csr}
    figure = rates_by_value(list(csr), [Series("before", {}, {}), Series("after", csr, {})])
    upper, lower = figure.axes
    empty, drawn = (c for c in upper.containers if isinstance(c, ErrorbarContainer))
    assert np.size(empty.lines[0].get_xdata()) == 0
    assert to_hex(drawn.lines[0].get_color()) == BLUE
    assert list(np.asarray(drawn.lines[0].get_ydata())) == [rate.estimate for rate in csr.values()]
    (bars,) = drawn.lines[2]
    ends = [end for segment in bars.get_segments() for _, end in segment]
    assert ends == pytest.approx([end for rate in csr.values() for end in (rate.low, rate.high)])
    assert [label.get_text() for label in lower.get_xticklabels()] == list(csr)


def test_a_base_run_has_its_rates_alone(base_only: Run) -> None:
    (picture,) = run_pictures(base_only)
    assert {"unsteered", "acts for the value", "fluency"} <= set(_words(picture.svg))


def test_figures_come_out_the_same(run: Run) -> None:
    assert run_pictures(run) == run_pictures(Run(run.folder))


def test_names_are_text(folder: Path) -> None:
    method = "$\\frac{<script>alert(1)</script>"
    run = write_run(folder, Spec(steerer=method, exam=0, per_value=4, unscored=0.5))
    for picture in run_pictures(run):
        assert "<script" not in picture.svg
        ElementTree.fromstring(picture.svg)
    assert any(method[:7] in word for word in _words(run_pictures(run)[0].svg))


def test_a_folder_that_is_a_file_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written to"):
        write_figures(run, tmp_path / "file")


def test_without_matplotlib_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valuebench_harness.reports.pictures.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"valuebench-harness\[plots\]"):
        run_pictures(run)
