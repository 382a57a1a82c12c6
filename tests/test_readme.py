"""What the README tells the user to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from study.cli import make_parser
from study.loading import load_space

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SMALL = [
    "training.epochs=1",
    "teacher_training.epochs=1",
    "budget.trials=2",
    "confirm.seeds=1",
    "data.options.scenes=100",
    "data.options.test=100",
    "confirm.best=1",
    "confirm.paper=False",
    "resources.max_concurrent=1",
]


def commands(start: str) -> list[list[str]]:
    """Indented lines of the README that begin with ``start``, without comments, as words."""
    lines = re.findall(rf"^    ({re.escape(start)}.*)$", README, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=300, env=environment, check=False
    )


def test_make_study_is_the_command_shown() -> None:
    assert commands("make study")
    assert commands("make test")
    printed = subprocess.run(
        ["make", "-n", "study"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (shown,) = commands(".venv/bin/python study/launch.py")
    assert shlex.join(shown) in printed


def test_the_environment_is_made_as_shown() -> None:
    (shown,) = commands("python3.11 -m venv")
    printed = subprocess.run(
        ["make", "-n", "-W", "requirements.lock", "venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("--quiet ", "")
    for part in shlex.join(shown).split(" '&&' "):
        assert part.replace("python3.11 ", "") in printed


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
)
def test_every_command_shown_is_one(page: str) -> None:
    lines = re.findall(r"^    sdd-study (.*)$", (ROOT / page).read_text(), flags=re.MULTILINE)
    assert lines or page not in ("README.md", "docs/living.md", "docs/report.md")
    for line in lines:
        words = shlex.split(line, comments=True)
        words = words[: words.index(">")] if ">" in words else words
        assert callable(make_parser().parse_args(words).run), line


@pytest.mark.ray
def test_the_quickstart_command_runs(tmp_path: Path) -> None:
    (shown,) = commands(".venv/bin/python study/launch.py")
    words = [sys.executable, str(ROOT / shown[1]), "--space", str(ROOT / shown[3])]
    done = run([*words, *(part for item in SMALL for part in ("--set", item))], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("trials.csv", "metrics.csv", "tables/summary.csv", "optuna.db"):
        assert (tmp_path / "results" / "quickstart" / name).exists(), name
    (export,) = commands("sdd-study export")
    (status,) = commands("sdd-study status")
    for words in (export, status):
        on_this_one = ["quickstart" if word == "my_space" else word for word in words[1:]]
        out = run([sys.executable, "-m", "study.cli", *on_this_one], tmp_path)
        assert out.returncode == 0, out.stderr
    assert out.stdout.startswith("study     quickstart, finished")
    assert (tmp_path / "trials.csv").read_bytes() == (tmp_path / "results/quickstart/trials.csv").read_bytes()


def test_the_study_shown_is_one(tmp_path: Path) -> None:
    block = re.search(r'^    """Which scales.*?\n\n\n?(?=    python)', README, flags=re.MULTILINE | re.DOTALL)
    assert block
    file = tmp_path / "my_space.py"
    file.write_text(re.sub(r"^    ", "", block.group(0), flags=re.MULTILINE))
    made = ["data.name=cluttered_digits", "data.root=None"]
    spec = load_space(file, made)
    assert [pair.label for pair in spec.pairs] == ["resnet32x4-MobileNetV2", "wrn_40_2-vgg8"]
    (dry,) = [words for words in commands("python study/launch.py") if "--dry-run" in words]
    words = [
        sys.executable,
        str(ROOT / dry[1]),
        *dry[2:],
        "--no-timing",
        *(part for item in made for part in ("--set", item)),
    ]
    done = run(words, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resnet32x4: to be trained, 240 epochs" in done.stdout
