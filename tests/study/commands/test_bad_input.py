"""Whatever is typed, a command answers or complains in a line; a traceback is never the answer."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.cli import main
from tests.study.made import search, write_folder

PAIR = ("resnet32x4", "resnet8x4")
SEARCH = {
    "label": "resnet32x4-resnet8x4/SDD",
    "optuna": "made/one@0",
    "directions": ["maximize"],
    "pairs": ["resnet32x4-resnet8x4"],
    "method": "SDD",
    "bases": ["kd", "dkd"],
    "raw": False,
    "domains": {
        "base": {"base": None, "kind": "Choice", "options": ["kd", "dkd"]},
        "alpha": {"base": None, "kind": "Float", "low": 0.5, "high": 2.0, "log": True},
        "scales": {"base": None, "kind": "Choice", "options": [[1, 2], [1, 2, 4]]},
        "dkd.warmup": {"base": "dkd", "kind": "Int", "low": 0, "high": 4, "log": False},
    },
}
COMMANDS = (
    "list",
    "status",
    "compare",
    "importances",
    "pin",
    "simulate",
    "enqueue",
    "stop",
    "export",
    "report",
    "teachers",
)
typed = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
names = st.one_of(st.sampled_from(["made", "mad", "../made", "made/", "", "-", "*"]), typed)
values = st.one_of(
    typed, st.sampled_from(["1,2", "(1,2", "{[]:1}", "9" * 400, "1e999", "nan", "kd", "-1", "[" * 300])
)
assignments = st.builds(
    lambda name, value: f"{name}={value}",
    st.one_of(st.sampled_from(["alpha", "scales", "base", "dkd.warmup"]), typed),
    values,
)
options = st.one_of(
    st.just(["--json"]),
    st.tuples(st.just("--set"), st.one_of(assignments, typed)).map(list),
    st.tuples(st.sampled_from(["--trial", "--pair", "--method", "--study", "--timeout"]), values).map(list),
    typed.map(lambda word: [word]),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzzed") / "results"
    write_folder(folder, "made", search(PAIR, 5))
    spec = json.loads((folder / "made" / "study.json").read_text())
    (folder / "made" / "study.json").write_text(json.dumps({**spec, "searches": [SEARCH]}))
    return folder


@settings(max_examples=60, deadline=None)
@given(command=st.sampled_from(COMMANDS), name=names, more=st.lists(options, max_size=3))
def test_an_answer_or_one_line(results: Path, command: str, name: str, more: list[list[str]]) -> None:
    words = [command, name, *(word for option in more for word in option), "--results", str(results)]
    out, complaint = io.StringIO(), io.StringIO()
    before = {path: path.stat().st_mtime_ns for path in sorted(results.parent.rglob("*"))}
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaint):
        try:
            code = main(words)
        except SystemExit as error:  # argparse's own
            code = int(error.code or 0)
    assert code in (0, 2), words
    said = complaint.getvalue()
    assert "Traceback" not in said
    if code == 2:
        assert said.startswith("error: "), (words, said)
        assert said.count("\n") == 1, (words, said)
        assert before == {path: path.stat().st_mtime_ns for path in sorted(results.parent.rglob("*"))}
