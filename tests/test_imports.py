"""Imports run one way: study -> trainables, and only three files know Ray's side of a trial."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for room in ("study", "trainables") for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of the modules ``path`` imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", [p for p in FILES if "trainables" in p.parts], ids=lambda p: p.name)
def test_trainables_never_import_study_and_only_the_driver_and_its_groups_import_ray(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert "study" not in roots
    assert not roots & {"mlflow", "optuna", "pandas"}
    assert "ray" not in roots or path.name in ("driver.py", "worker_group.py")


def test_only_the_runner_knows_the_driver() -> None:
    knowing = [p.name for p in FILES if "study" in p.parts and "trainables.driver" in imported(p)]
    assert knowing == ["runner.py"]
    assert not [p for p in FILES if "study" in p.parts and "trainables.worker_group" in imported(p)]


def test_no_file_of_study_is_named_like_a_standard_module() -> None:
    names = {path.stem for path in (ROOT / "study").glob("*.py")}
    assert not names & set(sys.stdlib_module_names)
