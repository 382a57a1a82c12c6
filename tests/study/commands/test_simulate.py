"""``sdd-study simulate`` on a made study and on the published curves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.journal.record import TrialRecord
from study.spec.methods import SDD
from tests.study.commands.conftest import Command
from tests.study.made import config, record, write_folder
from tests.study.simulation.made_curves import curves

PUBLISHED = Path(__file__).parents[3] / "benchmarks/recorded/published_curves.csv"
PAIR = ("wrn_40_2", "vgg8")


def trials(count: int, epochs: int = 27) -> list[TrialRecord]:
    """Whole trials of one search, and one that was stopped."""
    made = []
    for number, values in enumerate(curves(count, 0, epochs=epochs)):
        method = SDD(alpha=0.5 + 0.1 * number, scales=(1, 2) if number % 2 else (1, 4))
        about = config(PAIR, method, 0, epochs=epochs)
        whole = number < count - 1
        history = [{"val/top1": round(float(value), 2)} for value in values[: None if whole else 9]]
        item = record(about, history, "search", role="", status="done" if whole else "stopped", number=number)
        item.search, item.point = (
            "one/SDD",
            {"alpha": 0.5 + 0.1 * number, "scales": "1,2" if number % 2 else "1,4"},
        )
        made.append(item)
    return made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_folder(tmp_path, "made", trials(13))
    return tmp_path


def test_a_study_is_replayed_and_what_was_stopped_is_told(results: Path, command: Command) -> None:
    code, out, complaint = command("simulate", "made", "--results", results, "--replays", 30)
    assert code == 0
    assert "left out 1 stopped" in complaint
    rows = {line[:28].strip(): line for line in out.splitlines()}
    assert "100 %" in rows["no early stopping"]
    assert "12 curves of one/SDD, 30 replays a rule, in random orders, 1 at once" in out


def test_curves_that_were_kept_are_replayed_alike(results: Path, command: Command) -> None:
    def asked(*words: str | Path | int) -> Any:
        code, out, _ = command(*words, "--json")
        assert code == 0
        return json.loads(out)

    file = results / "curves.csv"
    assert command("simulate", "made", "--results", results, "--write-curves", file)[0] == 0
    head = file.read_text().splitlines()[0]
    assert head == "pair,epochs,milestones,knob.alpha,knob.scales,val_top1_by_epoch"
    few = ("--results", results, "--replays", 20, "--only", "--rule", "Median(grace=9)")
    from_study, from_file = asked("simulate", "made", *few), asked("simulate", file, *few)
    assert from_study == from_file
    by_sampler = ("--sampler", "tpe", "--trials", 6)
    assert asked("simulate", "made", *few, *by_sampler) == asked("simulate", file, *few, *by_sampler)


def test_curves_are_kept_however_few_they_are(results: Path, command: Command) -> None:
    write_folder(results, "alone", trials(2))
    file = results / "alone.csv"
    words = ("simulate", "alone", "--results", results, "--write-curves", file)
    code, out, _ = command(*words, "--json")
    assert (code, json.loads(out)) == (0, {"file": str(file), "curves": 1})
    assert len(file.read_text().splitlines()) == 2
    assert command(*words)[:2] == (0, "1 curve kept\n")
    code, _, complaint = command("simulate", file)
    assert (code, "no search has two whole curves" in complaint) == (2, True)


def test_help_names_what_json_has_of_kept_curves(command: Command) -> None:
    _, out, _ = command("simulate", "--help")
    assert 'With --write-curves: {"file", "curves"' in out


def test_the_published_curves_are_replayed_in_each_form(asked: Callable[..., Any], tmp_path: Path) -> None:
    sizes = {}
    for pairs in ("each", "search", "centred"):
        found = asked(
            "simulate",
            PUBLISHED,
            "--pairs",
            pairs,
            "--replays",
            12,
            "--only",
            "--rule",
            "ASHA()",
            "--out",
            tmp_path / pairs,
        )
        sizes[pairs] = [search["configurations"] for search in found["searches"]]
        assert {path.name for path in (tmp_path / pairs).iterdir()} == {
            "simulation.csv",
            "simulation.png",
            "simulation.svg",
        }
        assert found["outcomes"][0]["replays"] == 12
    assert sizes == {"each": [3] * 10 + [2, 2], "search": [34], "centred": [34]}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["mad"], "no study 'mad'"),
        (["none.csv"], "none.csv: No such file or directory; name a study, or a CSV file"),
        (["made", "--out", "odd.csv"], "odd.csv is a file, and results go into a folder; move it away, or"),
        (["made", "--out", "odd.csv/below"], "odd.csv is a file, and results go into a folder"),
        (["made", "--replays", "0"], "--replays: 0 is not 1 or more"),
        (["made", "--rule", "Fast()"], "no rule Fast"),
        (["made", "--only"], "--only: name what is compared"),
        (["odd.csv"], "odd.csv line 2"),
        (["short.csv"], "line 2: val_by_epoch needs two finite values"),
        (["other.csv"], "needs a column pair"),
        (["alone.csv"], "no search has two whole curves"),
        (["alone.csv", "--sampler", "tpe"], "no search has two"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_a_line(
    results: Path, command: Command, words: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results)
    (results / "odd.csv").write_text("pair,val_by_epoch\na,1 x\n")
    (results / "short.csv").write_text("pair,val_by_epoch\na,1 nan\n")
    (results / "other.csv").write_text("a,b\n1,2\n")
    (results / "alone.csv").write_text("pair,val_by_epoch\na,1 2\nb,2 3\n")
    code, out, said = command("simulate", *words, "--results", results)
    assert (code, out) == (2, "")
    assert said.startswith("error: ")
    assert complaint in said
    assert said.count("\n") == 1
