"""What nobody wrote in a journal, and what is missing in it, is named by its line, whoever reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.journal.damage import JournalDamaged
from study.journal.journal import Journal, read_lines, read_outline, read_records
from study.journal.notes import LaunchNote, LeaveNote, line_of
from study.monitoring.overview import StudyOverview
from study.workspace.folder import StudyFolder
from tests.study.commands.conftest import Command
from tests.study.commands.conftest import command as command
from tests.study.made import search, write_folder

PAIR = ("resnet32x4", "resnet8x4")
Change = Callable[[dict[str, Any]], Any]
WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "no JSON": lambda line: b"not json at all\n",
    "cut off in the middle of a file": lambda line: line[: len(line) // 2] + b"\n",
    "zeros, as after a power cut": lambda line: b"\0" * 50 + b"\n",
    "another file's": lambda line: b'{"pair": 3}\n',
    "no object": lambda line: b"3\n",
    "a number that 64 bits do not hold": lambda line: line.replace(b'"time":', b'"time":1e999,"x":'),
    "nested without end": lambda line: b"[" * 100_000 + b"\n",
}


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """Three trials of a launch; the first has a remark, the last was stopped."""
    write_folder(tmp_path, "other", search(PAIR, 3))
    folder = StudyFolder(tmp_path, "made")
    lines = write_folder(tmp_path, "made", search(PAIR, 3)).read_bytes().splitlines(keepends=True)
    remark = {"type": "remark", "key": search(PAIR, 3)[0].key, "text": "its process was lost", "time": 1.0}
    folder.journal.write_bytes(
        written(line_of(LaunchNote(host="here", pid=7, time=1.0)))
        + b"".join(lines)
        + written(remark)
        + written(line_of(LeaveNote(outcome="done", time=2e9)))
    )
    return folder


def written(line: Any) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def damage(study: StudyFolder, kind: str, how: Callable[[bytes], bytes]) -> int:
    """Spoil the last line of a kind; return its number."""
    lines = study.journal.read_bytes().splitlines(keepends=True)
    begins = f'{{"type":"{kind}"'.encode()
    at = max(number for number, line in enumerate(lines) if line.startswith(begins))
    lines[at] = how(lines[at])
    study.journal.write_bytes(b"".join(lines))
    return at + 1


def without(*names: str) -> Change:
    """Leave a field out."""

    def change(line: dict[str, Any]) -> Any:
        inner = line
        for name in names[:-1]:
            inner = inner[name]
        del inner[names[-1]]
        return line

    return change


def put(value: Any, *names: str) -> Change:
    """Put another value into a field."""

    def change(line: dict[str, Any]) -> Any:
        inner = line
        for name in names[:-1]:
            inner = inner[name]
        inner[names[-1]] = value
        return line

    return change


FIELDS: list[tuple[str, Change, str]] = [
    *[("trial", without(name), f"{name} is missing") for name in ("stage", "pair", "method", "role", "arm")],
    ("trial", put("serch", "stage"), "stage is not one of 'teachers'"),
    ("trial", put(7, "pair"), "pair is not a text"),
    ("trial", put({}, "config"), "config: data: missing"),
    ("trial", put("x", "config", "training", "lr"), "config: training.lr: "),
    ("trial", without("config", "data", "name"), "config: data.name: missing"),
    ("trial", without("config", "seed"), "config: seed: missing"),
    ("trial", without("config", "method", "features"), "config: method.features: missing"),
    ("trial", without("config", "method", "logit", "scales"), "config: method.logit.scales: missing"),
    ("trial", put([], "point"), "point is not an object"),
    ("report", without("metrics"), "metrics is missing"),
    ("report", put(5, "metrics"), "metrics is not the metrics of an epoch"),
    ("report", without("metrics", "epoch"), "metrics is not the metrics of an epoch"),
    ("report", put(2.5, "metrics", "epoch"), "metrics is not the metrics of an epoch"),
    ("report", put(None, "metrics", "epoch"), "metrics is not the metrics of an epoch"),
    ("report", put("x", "metrics", "val/top1"), "metrics is not the metrics of an epoch"),
    ("report", put("2026-01-01", "metrics", "val/top1"), "metrics is not the metrics of an epoch"),
    ("report", put(True, "metrics", "val/top1"), "metrics is not the metrics of an epoch"),
    ("report", put(5, "key"), "key is not a text"),
    ("report", without("key"), "key is missing"),
    ("report", put("x", "time"), "time is not seconds"),
    ("report", put(None, "time"), "time is not seconds"),
    ("report", put(1e300, "time"), "time is not seconds"),
    ("report", without("time"), "time is missing"),
    ("end", without("reason"), "reason is missing"),
    ("end", put("dome", "status"), "status is not one of 'done'"),
    ("end", put("4", "epochs"), "epochs is not a whole number"),
    ("remark", without("text"), "text is missing"),
    ("leave", put("x", "time"), "time is not seconds"),
    ("leave", put(None, "time"), "time is not seconds"),
    ("leave", put("dine", "outcome"), "outcome is not one of"),
    ("leave", put("leaves", "type"), "type is not one of"),
    ("launch", put({"search": "x"}, "epochs"), "epochs is not whole numbers by stage"),
]


@pytest.mark.parametrize("how", WHOLE)
@pytest.mark.parametrize("kind", ["report", "trial", "leave"])
def test_the_line_is_named(study: StudyFolder, how: str, kind: str) -> None:
    number = damage(study, kind, WHOLE[how])
    refused(study, number, "it is no line|type is not one of")


@pytest.mark.parametrize("torn", [b"", b'{"type":"report","key":"12'], ids=["", "torn"])
@pytest.mark.parametrize(
    ("kind", "change", "told"), FIELDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_line_and_the_field_are_named(
    study: StudyFolder, kind: str, change: Change, told: str, torn: bytes
) -> None:
    number = damage(study, kind, lambda line: written(change(json.loads(line))) + torn)
    refused(study, number, told)


def refused(study: StudyFolder, number: int, told: str) -> None:
    """Every reader names the line; a launch leaves the file as it is."""
    before = study.journal.read_bytes()
    readers: list[Callable[[], Any]] = [
        lambda: read_records(study.journal),
        lambda: Journal(study.journal),
        lambda: StudyOverview.read(study),
    ]
    for read in readers:
        with pytest.raises(JournalDamaged, match=rf"journal\.jsonl, line {number}: damaged \(({told})"):
            read()
    assert study.journal.read_bytes() == before


def told_by_status_and_shown_by_list(study: StudyFolder, command: Command, part: str) -> None:
    """``status`` says it in one line, and ``list`` shows the other study all the same."""
    code, out, complaint = command("status", "made", "--results", study.results)
    assert (code, out, complaint.count("\n")) == (2, "", 1)
    assert part in complaint
    code, out, complaint = command("list", "--results", study.results)
    assert (code, complaint) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["made", "damaged"], ["other", "finished"]]


@pytest.mark.parametrize("value", ["x", None])
@pytest.mark.parametrize("kind", ["leave", "report"])
def test_a_last_line_without_its_time_is_told(
    study: StudyFolder, command: Command, kind: str, value: object
) -> None:
    lines = study.journal.read_bytes().splitlines(keepends=True)
    last = max(
        number for number, line in enumerate(lines, 1) if line.startswith(f'{{"type":"{kind}"'.encode())
    )
    study.journal.write_bytes(b"".join(lines[:last]))
    damage(study, kind, lambda line: written(put(value, "time")(json.loads(line))))
    told_by_status_and_shown_by_list(study, command, f"line {last}: damaged (time is not seconds since 1970)")


def test_a_value_that_no_trial_can_have_is_told_where_it_is_read(study: StudyFolder) -> None:
    number = damage(
        study, "trial", lambda line: line.replace(b'"precision":"float32"', b'"precision":"floax32"')
    )
    *_, last = read_records(study.journal).values()
    with pytest.raises(
        JournalDamaged, match=rf"line {number}: damaged \(config: training.precision: 'floax32'"
    ):
        _ = last.trial


def test_commands_say_it_and_show_the_other_studies(study: StudyFolder, command: Command) -> None:
    number = damage(study, "trial", WHOLE["no JSON"])
    told_by_status_and_shown_by_list(study, command, f"line {number}: damaged")


def test_the_advice_is_one_that_can_be_followed(study: StudyFolder) -> None:
    key = search(PAIR, 3)[-1].key
    number = damage(study, "trial", WHOLE["no JSON"])
    refused(study, number, ".*; put the journal back from a copy, or cut it off before that line: ")
    study.journal.write_bytes(b"".join(study.journal.read_bytes().splitlines(keepends=True)[: number - 1]))
    assert list(read_records(study.journal)) == [record.key for record in search(PAIR, 3)[:2]]

    key = search(PAIR, 3)[1].key
    number = damage(study, "end", lambda line: written(without("reason")(json.loads(line))))
    refused(study, number, f".*; put the journal back from a copy, or take out all lines of trial {key}: ")
    kept = [line for line in study.journal.read_bytes().splitlines(keepends=True) if key.encode() not in line]
    study.journal.write_bytes(b"".join(kept))
    assert list(read_records(study.journal)) == [search(PAIR, 3)[0].key]


@pytest.mark.parametrize("how", [WHOLE["no JSON"], lambda line: line.replace(b'"pid":7', b'"pid":"7"')])
def test_the_first_line_can_only_be_put_back(study: StudyFolder, how: Callable[[bytes], bytes]) -> None:
    damage(study, "launch", how)
    refused(study, 1, r".*; put the journal back from a copy: the study is known by its first line$")


class TestMissing:
    """Lines that somebody took out: a trial is whole, or the journal is refused, or it has not ended."""

    @pytest.mark.parametrize("epoch", [1, 2, 3, 4])
    def test_a_done_trial_without_one_of_its_epochs(
        self, study: StudyFolder, command: Command, epoch: int
    ) -> None:
        first = search(PAIR, 3)[0].key
        self.take_out(
            study, lambda line: line.get("metrics", {}).get("epoch") == epoch and line["key"] == first
        )
        missing = (
            f"goes on here, and its epoch {epoch}" if epoch < 4 else "ends here after 4 epochs, and only 3"
        )
        advice = f"take out all lines of trial {first}"
        report = ["report", "--study", "made", "--out", str(study.path / "out")]
        for words in (["status", "made"], ["compare", "made", "other"], report):
            code, out, complaint = command(*words, "--results", study.results)
            assert (code, out, complaint.count("\n")) == (2, "", 1)
            assert f"damaged (trial {first} {missing}" in complaint
            assert advice in complaint
        refused(study, 3 if epoch == 1 else 2 + epoch if epoch < 4 else 6, f"trial {first} {missing}")
        self.take_out(study, lambda line: line.get("key") == first)
        assert list(read_records(study.journal)) == [record.key for record in search(PAIR, 3)[1:]]

    def test_a_stopped_trial_without_its_last(self, study: StudyFolder) -> None:
        last = search(PAIR, 3)[-1].key
        self.take_out(study, lambda line: line.get("metrics", {}).get("epoch") == 2 and line["key"] == last)
        with pytest.raises(
            JournalDamaged, match=f"trial {last} ends here after 2 epochs, and only 1 are there"
        ):
            read_records(study.journal)

    def test_a_done_trial_of_an_earlier_version_has_all_that_it_was_asked_for(
        self, study: StudyFolder
    ) -> None:
        old = study.journal.read_bytes().replace(b',"epochs":4,"time"', b',"time"')
        assert old.count(b'"epochs":4,') == study.journal.read_bytes().count(b'"epochs":4,') - 2
        study.journal.write_bytes(old)
        assert {record.status for record in read_records(study.journal).values()} == {"done", "stopped"}
        first = search(PAIR, 3)[0].key
        self.take_out(study, lambda line: line.get("metrics", {}).get("epoch") == 4 and line["key"] == first)
        with pytest.raises(
            JournalDamaged, match=f"trial {first} ends here after 4 epochs, and only 3 are there"
        ):
            read_records(study.journal)

    def test_a_trial_without_its_beginning(self, study: StudyFolder) -> None:
        key = search(PAIR, 3)[1].key
        self.take_out(study, lambda line: line["type"] == "trial" and line["key"] == key)
        refused(study, 12, f"of trial {key}, and the line with which it began is missing")

    def test_a_trial_without_its_end_has_not_ended(self, study: StudyFolder) -> None:
        key = search(PAIR, 3)[1].key
        self.take_out(study, lambda line: line["type"] == "end" and line["key"] == key)
        assert read_records(study.journal)[key].status == "running"

    @staticmethod
    def take_out(study: StudyFolder, these: Callable[[dict[str, Any]], bool]) -> None:
        lines = study.journal.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not these(json.loads(line))]
        assert len(kept) < len(lines)
        study.journal.write_bytes(b"".join(kept))


def test_a_report_that_somebody_wrote_otherwise_is_not_passed_over(study: StudyFolder) -> None:
    number = damage(study, "report", lambda line: json.dumps(json.loads(line)).encode() + b"\n")
    refused(study, number, 'it does not begin with {"type":"report",')


def test_what_two_machines_wrote_whose_clocks_disagree_is_no_damage(study: StudyFolder) -> None:
    """An end may stand before the beginning; and epochs in any order, and twice."""
    lines = study.journal.read_bytes().splitlines(keepends=True)
    head, first, rest = lines[0], lines[1:7], lines[7:]
    study.journal.write_bytes(b"".join([head, first[5], *first[4:0:-1], first[0], first[2], *rest]))
    record = read_records(study.journal)[search(PAIR, 3)[0].key]
    assert (record.status, len(record.history)) == ("running", 4)


def test_last_activity_is_what_the_journal_says(study: StudyFolder) -> None:
    *_, last = read_lines(study.journal)
    assert read_outline(study.journal).last == last["time"]
    assert read_outline(study.path / "none").last is None
