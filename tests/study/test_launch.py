"""``study/launch.py`` as a user runs it: real Ray, Optuna, MLflow; interrupted, resumed, refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from study.journal.journal import read_records

ROOT = Path(__file__).parents[2]
Write = Callable[..., Path]


def command(*args: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "study" / "launch.py"), *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    }
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "160", **more}


def launch(*args: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), capture_output=True, text=True, timeout=300, env=environment(**more), check=False
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A small study run to its end: (space file, results folder, what was printed)."""
    from tests.study.conftest import SPACE

    folder = tmp_path_factory.mktemp("study")
    file = folder / "small.py"
    file.write_text(SPACE.format(extra=""))
    done = launch("--space", file, "--results", folder / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    return file, folder / "results", done.stdout


@pytest.mark.ray
class TestFinished:
    """What a study leaves behind."""

    def test_the_terminal_ends_with_a_table_and_the_way_on(self, finished: tuple[Path, Path, str]) -> None:
        _, results, printed = finished
        assert "test top-1 of confirmed configurations" in printed
        assert f"mlflow ui --backend-store-uri sqlite:///{results}/mlflow.db" in printed
        assert "Traceback" not in printed

    def test_the_csvs_hold_every_trial(self, finished: tuple[Path, Path, str]) -> None:
        _, results, _ = finished
        trials = pd.read_csv(results / "small" / "trials.csv")
        counts = trials.groupby("stage").size().to_dict()
        assert (counts["teachers"], counts["search"]) == (1, 3)
        assert counts["confirm"] in (
            4,
            6,
        )  # the best and KD over 2 seeds, and DKD where the best is an SD-DKD
        assert set(trials["status"]) <= {"done", "stopped"}
        confirmed = trials[trials["stage"] == "confirm"]
        assert confirmed["test/top1"].between(0, 100).all()
        assert confirmed["val/top1"].isna().all()
        assert trials[trials["stage"] == "search"]["test/top1"].isna().all(), "a search read the test split"
        metrics = pd.read_csv(results / "small" / "metrics.csv")
        assert list(metrics.columns) == ["trial_key", "step", "name", "value"]
        assert set(metrics["trial_key"]) == set(trials["trial_key"])
        table = pd.read_csv(results / "small" / "tables" / "summary.csv")
        assert (table["n"] == 2).all()
        assert table["gain"].notna().any()

    def test_mlflow_holds_a_parent_and_its_children(self, finished: tuple[Path, Path, str]) -> None:
        _, results, _ = finished
        client = MlflowClient(f"sqlite:///{results}/mlflow.db")
        experiment = client.get_experiment_by_name("small")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        (parent,) = [run for run in runs if run.data.tags["stage"] == "study"]
        assert parent.info.status == "FINISHED"
        children = [run for run in runs if run is not parent]
        trials = pd.read_csv(results / "small" / "trials.csv")
        assert {run.data.tags["trial_key"] for run in children} == set(trials["trial_key"])
        confirmed = trials[trials["stage"] == "confirm"]
        models = {model.name for model in client.search_registered_models()}
        assert models == {f"small.{pair}" for pair in confirmed["pair"]}
        for run in children:
            assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
            files = {item.path for item in client.list_artifacts(run.info.run_id)}
            whole = run.data.tags["trial_status"] == "done"
            assert {"config.json", "curves.png", *(["weights"] if whole else [])} <= files
        for name in models:
            (version,) = client.search_model_versions(f"name = '{name}'")
            assert version.tags["trial_key"] in set(confirmed["trial_key"])
            files = {item.path for item in client.list_artifacts(version.run_id, "model")}
            assert {"model/MLmodel", "model/input_example.json"} <= files

    def test_optuna_holds_the_search(self, finished: tuple[Path, Path, str]) -> None:
        _, results, _ = finished
        url = f"sqlite:///{results}/small/optuna.db"
        (summary,) = optuna.get_all_study_summaries(url)
        assert summary.study_name.startswith("small/pairs/SDD@")
        study = optuna.load_study(study_name=summary.study_name, storage=url)
        records = read_records(results / "small" / "journal.jsonl")
        for trial in study.trials:
            assert trial.value == records[trial.user_attrs["trial_key"]].final["val/top1"]

    def test_the_same_command_again_trains_nothing(self, finished: tuple[Path, Path, str]) -> None:
        file, results, _ = finished
        before = (results / "small" / "trials.csv").read_bytes()
        done = launch("--space", file, "--results", results)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "search: 3 trials, 3 of them known" in done.stdout
        assert (results / "small" / "trials.csv").read_bytes() == before

    def test_what_was_taken_out_of_the_journal_comes_back_from_the_store(
        self, finished: tuple[Path, Path, str], tmp_path: Path
    ) -> None:
        """One trial of each stage, all its lines: what the advice about a damaged line comes to."""
        file, results, _ = finished
        shutil.copytree(results, tmp_path / "results")
        journal = tmp_path / "results" / "small" / "journal.jsonl"
        done = [record for record in read_records(journal).values() if record.status == "done"]
        keys = {record.stage: record.key.encode() for record in done}.values()
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(line for line in lines if not any(key in line for key in keys)))
        again = launch("--space", file, "--results", tmp_path / "results")
        assert again.returncode == 0, again.stdout + again.stderr
        before, after = (
            pd.read_csv(place / "small" / "trials.csv").set_index("trial_key").sort_index()
            for place in (results, tmp_path / "results")
        )
        columns = ["stage", "status", "epochs", "val/top1", "test/top1"]
        pd.testing.assert_frame_equal(before[columns], after[columns], check_exact=True)

    @pytest.mark.slow
    def test_another_study_finds_the_runs_of_this_one(self, finished: tuple[Path, Path, str]) -> None:
        file, results, _ = finished
        done = launch("--space", file, "--results", results, "--name", "second", "--set", "budget.trials=2")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "teachers: 1 trials, 1 of them known" in done.stdout
        first, second = (
            pd.read_csv(results / name / "trials.csv").set_index("trial_key") for name in ("small", "second")
        )
        shared = first.index.intersection(second.index)
        assert len(shared) >= 3
        columns = ["val/top1", "test/top1"]
        pd.testing.assert_frame_equal(
            first.loc[shared, columns], second.loc[shared, columns], check_exact=True
        )

    def test_export_writes_the_same_rows(self, finished: tuple[Path, Path, str], tmp_path: Path) -> None:
        from study.cli import main

        _, results, _ = finished
        out = tmp_path / "out.csv"
        assert main(["export", "--study", "small", "--out", str(out), "--results", str(results)]) == 0
        assert out.read_bytes() == (results / "small" / "trials.csv").read_bytes()


@pytest.mark.ray
def test_ctrl_c_ends_soon_and_the_same_command_goes_on(space: Write, tmp_path: Path) -> None:
    file, results = space(extra=""), tmp_path / "results"
    args = ("--space", file, "--results", results, "--set", "training.epochs=4", "--set", "budget.trials=2")
    args += ("--stages", "teachers,search")
    process = subprocess.Popen(
        command(*args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    journal = results / "small" / "journal.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not journal.exists() or journal.read_text().count('"report"') < 6):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    printed, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 130, printed
    assert "Go on with" in printed
    assert "Traceback" not in printed

    known = {key: list(record.history) for key, record in read_records(journal).items()}
    done = launch(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    records = read_records(journal)
    for key, history in known.items():
        assert records[key].history[: len(history)] == history, "an epoch that was reported was trained again"
    whole = [record for record in records.values() if record.status == "done"]
    assert all([m["epoch"] for m in record.history] == [1, 2, 3, 4] for record in whole)


@pytest.mark.ray
def test_a_trial_that_fails_is_told_and_the_study_goes_on(space: Write, tmp_path: Path) -> None:
    broken = (
        "--set",
        "pairs.0.training={'lr': 1e30}",
        "--set",
        "confirm.seeds=1",
        "--set",
        "search.stop=None",
    )
    done = launch("--space", space(), "--results", tmp_path / "results", *broken)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "NonFiniteLoss" in done.stdout
    trials = pd.read_csv(tmp_path / "results" / "small" / "trials.csv")
    failed = trials[trials["status"] == "failed"]
    assert set(failed["pair"]) == {"resnet8-wrn_10_1"}
    assert failed["reason"].str.contains("NonFiniteLoss: the loss is (?:nan|inf) in epoch 1").all()
    confirmed = trials[trials["stage"] == "confirm"]
    assert set(confirmed["pair"]) == {"resnet8-resnet8"}
    assert (confirmed["status"] == "done").all()


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--space", "nowhere.py"], "nowhere.py: no such space file"),
        (["--space", "quickstart", "--set", "budget.trials=-1"], "budget.trials: -1 is fewer than 1"),
        (["--space", "quickstart", "--set", "training.epoch=3"], "did you mean 'epochs'"),
        (["--space", "quickstart", "--set", "methods.1.scales=(1, 64)"], "64 does not fit the 4x4 map"),
        (
            ["--space", "quickstart", "--set", "data.name=packed", "--set", "data.options={}"],
            "data.root: missing",
        ),
        (["--space", "quickstart", "--name", "a b"], "name: 'a b' may hold"),
    ],
)
def test_bad_input_is_one_line_and_exit_2_and_leaves_nothing(
    tmp_path: Path, args: list[str], part: str
) -> None:
    done = launch(*args, "--results", tmp_path / "results")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert part in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_servers_that_do_not_answer_are_named(tmp_path: Path, space: Write) -> None:
    file = space()
    done = launch("--space", file, "--results", tmp_path / "r", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "MLflow does not answer at http://127.0.0.1:9" in done.stderr
    done = launch("--space", file, "--results", tmp_path / "r", "--address", "127.0.0.1:9")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "cannot reach Ray at 127.0.0.1:9" in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_dry_run_tells_and_does_nothing(tmp_path: Path) -> None:
    done = launch("--space", "quickstart", "--results", tmp_path / "results", "--dry-run", "--no-timing")
    assert done.returncode == 0, done.stderr
    spec, _, rest = done.stdout.partition("# what it runs")
    assert json.loads(spec.partition("\n")[2])["name"] == "quickstart"
    for part in ("wrn_10_2: to be trained", "8 trials of up to 12 epochs", "alpha in", "each trial: 1 CPU"):
        assert part in rest
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_how_long_and_keeps_the_times(tmp_path: Path, space: Callable[..., Path]) -> None:
    args = ("--space", space(), "--results", tmp_path / "r", "--dry-run")
    first, again = (launch(*args, "--on", on) for on in ("1xcore", "cluster/aws.yaml"))
    assert first.stderr.count("timing ") == 2
    assert again.stderr == "", "the times are kept"
    for stage in ("teachers", "search", "confirm", "in all"):
        assert re.search(rf"^{stage} +[\d.]+ (s|min|h)  ", first.stdout.partition("# how long")[2], re.M)
    assert re.search(r"^cost +\$", again.stdout, re.M)
    assert [path.name for path in (tmp_path / "r" / "_store").iterdir()] == ["step_times"]
    wrong = launch(*args, "--on", "8xL5")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("words", [("--on", "1xcore"), ("--no-timing",), ("--on", "1xcore", "--dry-run")])
def test_what_goes_with_an_estimate_starts_no_study(words: tuple[str, ...], tmp_path: Path) -> None:
    submitted = ("--submit", "http://127.0.0.1:9") if "--dry-run" in words else ()
    done = launch("--space", "quickstart", "--results", tmp_path / "results", *words, *submitted)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"{words[0]}: goes with --dry-run" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_teaches() -> None:
    done = launch("--help")
    assert done.returncode == 0
    for part in (
        "--set",
        "--dry-run",
        "exit codes",
        "goes on where the last one stopped",
        "MLFLOW_TRACKING_URI",
    ):
        assert part in done.stdout
