"""``sdd-study report``: what it writes, and what it says when there is nothing to write."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from study.cli import main
from study.journal.journal import read_records
from study.report.tables.paper_tables import layouts
from study.report.write import write_report
from study.results.loaded_study import SearchGoals
from study.spec.study import Confirm
from study.workspace.folder import StudyFolder
from tests.study.made import PAIR, failed, records, search, write_folder


def report(results: Path, out: Path, *more: str, study: str = "made") -> int:
    return main(["report", "--study", study, "--results", str(results), "--out", str(out), *more])


def test_all_tables_in_all_formats_and_the_figures(reported: Path) -> None:
    tables, figures = reported / "tables", reported / "figures"
    for name in ["study", *(f"table{number}" for number in layouts())]:
        for ending in (".csv", ".tidy.csv", ".md", ".tex", ".html"):
            assert (tables / f"{name}{ending}").stat().st_size > 0
    for name in ("learning", "confirm", "beta", "heat", "parallel", "pareto", "timeline"):
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (figures / f"{name}.svg").read_text()
    shares = pd.read_csv(tables / "importances.csv")["importance"]
    assert shares.sum() == pytest.approx(1.0)
    assert (reported / "report.html").exists()


def test_the_tables_say_what_the_cells_say(reported: Path) -> None:
    tables = reported / "tables"
    wide = pd.read_csv(tables / "table1.csv", index_col="method", dtype=str)
    column = "wrn_40_2-vgg8"
    row = wide.to_dict("index")["SD-KD"]
    found = [row[f"{column}{what}"] for what in ("", " std", " gain", " n", " paper", " difference")]
    assert found == ["74.53", "0.18", "0.48", "2 of 3", "74.44", "0.09"]
    tidy = pd.read_csv(tables / "table1.tidy.csv")
    assert len(tidy) == len(wide) * 4
    (cell,) = tidy[(tidy["row"] == "SD-KD") & (tidy["column"] == column)].to_dict("records")
    assert cell["mean"] == pytest.approx(74.525)
    assert cell["gain_low"] < cell["gain"] < cell["gain_high"]
    assert 0 < cell["gain_p"] < 1
    text = (tables / "table1.md").read_text()
    assert "| SD-KD | " in text
    assert "74.53 ± 0.18 (2 of 3) +0.48<br>paper 74.44, difference +0.09" in text
    assert "**75.00 ± 0.10 (3)** +0.95" in text
    assert "73.20 ± 0.20 (3)<sup>a</sup>" in text
    assert "- (a) 100 epochs, the paper's 240" in text
    assert "—<br>paper 68.84" in text


@pytest.mark.parametrize(
    ("study", "trials", "message"),
    [
        ("none", None, "no study 'none'"),
        ("empty", [], "study 'empty' has no trials yet"),
        ("broken", [failed(item) for item in search(PAIR, 3)], "no finished trial (3 failed)"),
    ],
)
def test_nothing_to_report_is_one_line_and_writes_nothing(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], study: str, trials: Sequence[object],
    message: str,
) -> None:  # fmt: skip
    if trials is not None:
        write_folder(results, study, trials)  # type: ignore[arg-type]
    assert report(results, tmp_path / "out", study=study) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_away_is_one_line(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(results, tmp_path / "out", "--tracking-uri", "http://127.0.0.1:9") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_two_studies_and_protocols_through_the_command(results: Path, tmp_path: Path) -> None:
    write_folder(results, "again", [item for item in records() if item.method == "KD"])
    more = ("--study", "again", "--protocol", "last", "--protocol", "best-test")
    assert report(results, tmp_path / "out", *more) == 0
    text = (tmp_path / "out" / "tables" / "table1.md").read_text()
    assert "| KD (last) |" in text
    assert "74.05 ± 0.18 (3)" in text
    assert "| KD (best-test) |" in text


def test_the_last_stage_of_a_study_writes_the_tables_it_has_runs_for(results: Path) -> None:
    folder = StudyFolder(results, "made")
    report = write_report(folder, read_records(folder.journal), Confirm(seeds=3), SearchGoals())
    assert all(path.exists() for path in report.files)
    assert len(report.table) == 6
    names = {path.name for path in (folder.path / "tables").glob("table*.csv")}
    assert names == {"table1.csv", "table1.tidy.csv", "tableA1.csv", "tableA1.tidy.csv"}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(reported: Path, tmp_path: Path) -> None:
    tables = "\n".join(rf"\input{{{path}}}" for path in sorted((reported / "tables").glob("*.tex")))
    (tmp_path / "all.tex").write_text(
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{tables}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_latex_is_balanced(reported: Path) -> None:
    """What a compiler would refuse first: columns that do not match, braces left open."""
    for path in (reported / "tables").glob("*.tex"):
        text = path.read_text()
        plain = text.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}")
        assert text.count(r"\begin{") == text.count(r"\end{")
        columns = text.split(r"\begin{tabular}{")[1].split("}")[0]
        body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
        for line in body.replace(r"\midrule", "").strip().split("\\\\\n"):
            if line.strip():
                assert line.replace(r"\&", "").count("&") == len(columns) - 1, line
