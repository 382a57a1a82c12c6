"""Imports between rooms run one way, lazy ones counted; the data plane knows nothing of the control plane."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for top in ("study", "trainables") for path in (ROOT / top).rglob("*.py"))

EVERYWHERE = {"errors", "background"}
"""Files of ``study`` that hold what each of its rooms may use."""

STUDY: dict[str, set[str]] = {
    "errors": set(),
    "background": set(),
    "spec": set(),
    "workspace": set(),
    "loading": {"spec"},
    "plan": {"spec", "workspace", "loading"},
    "journal": {"plan", "spec"},
    "search": {"journal", "plan", "spec", "workspace"},
    "results": {"search", "journal", "plan", "spec", "workspace"},
    "compute": {"spec"},
    "tune": {"compute", "journal", "plan"},
    "report": {"results", "journal", "spec", "workspace"},
    "simulation": {"search", "report", "results", "journal", "spec"},
    "monitoring": {"journal", "plan", "spec", "workspace"},
    "tracking": {"report", "results", "journal", "plan", "spec", "workspace"},
    "dashboards": {"monitoring", "tracking", "report", "results", "journal", "workspace"},
    "estimate": {"search", "plan", "spec"},
    "stages": {"search", "tune", "journal", "plan", "spec", "workspace", "results", "report", "tracking"},
    "doctor": {"compute", "tracking", "search", "plan", "loading", "workspace"},
}
"""What each room of ``study`` may import of the others, beside :data:`EVERYWHERE`."""

TOP = {"session", "api", "commands", "launch", "cli"}
"""What may import every room, and is imported by none of them."""

TRAINABLES: dict[str, set[str]] = {
    "errors": set(),
    "lazy": set(),
    "config": set(),
    "storage": {"config"},
    "data": {"config"},
    "models": {"config"},
    "losses": {"config", "models"},
    "distributed": {"config", "losses"},
    "engine": {"config", "storage", "data", "models", "losses", "distributed"},
    "teacher": {"config", "storage", "data", "models", "engine"},
    "training": {"config", "storage", "data", "models", "losses", "distributed", "engine", "teacher"},
    "ray_worker": {
        *("config", "storage", "data", "losses", "distributed", "engine", "teacher", "training"),
    },
    "serving": {"data", "models", "engine"},
}
"""The same for ``trainables``; ``errors`` and ``lazy`` are for each of its rooms."""


def imported(path: Path) -> set[str]:
    """Full names of the modules ``path`` imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def room(path: Path) -> str:
    """The room of a file: the folder below its package, or the file itself."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


def rooms_imported(path: Path, package: str) -> set[str]:
    """Rooms of ``package`` that ``path`` imports, without its own."""
    found = {name.split(".")[1] for name in imported(path) if name.startswith(f"{package}.")}
    return found - {room(path)}


def of(package: str) -> list[Path]:
    """Files below ``package``, without its own ``__init__``, which only hands names on."""
    return [path for path in FILES if path.parts[len(ROOT.parts)] == package and room(path) != "__init__"]


def ordered(table: dict[str, set[str]]) -> bool:
    """Whether the rooms of ``table`` can be put in an order in which each imports earlier ones alone."""
    left = dict(table)
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        if not free:
            return False
        for name in free:
            del left[name]
    return True


def test_the_tables_have_no_circle() -> None:
    assert ordered(STUDY)
    assert ordered(TRAINABLES)
    assert not ordered({"a": {"b"}, "b": {"a"}}), "the check itself"


@pytest.mark.parametrize("path", of("study"), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_of_study_import_what_the_table_allows(path: Path) -> None:
    if room(path) not in TOP:
        assert rooms_imported(path, "study") <= STUDY[room(path)] | EVERYWHERE


@pytest.mark.parametrize("path", of("trainables"), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_of_trainables_import_what_the_table_allows(path: Path) -> None:
    assert rooms_imported(path, "trainables") <= TRAINABLES[room(path)] | {"errors", "lazy"}
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"study", "mlflow", "optuna", "pandas"}
    assert "ray" not in roots or room(path) == "ray_worker"


def test_every_room_is_in_its_table() -> None:
    assert {room(path) for path in of("study")} == set(STUDY) | TOP
    assert {room(path) for path in of("trainables")} == set(TRAINABLES)


def test_only_the_tuner_knows_what_trials_run_in() -> None:
    knowing = [p.name for p in of("study") if any("ray_worker.trainable" in name for name in imported(p))]
    assert knowing == ["tuner.py"]
    assert not [p for p in of("study") if any("ray_worker.worker_group" in name for name in imported(p))]


def test_nothing_at_the_top_of_study_is_named_like_a_standard_module_or_a_dependency() -> None:
    """Its folder leads ``sys.path`` when ``launch.py`` is run as a script."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    depended = {
        re.split(r"[\[<>=~! ]", line)[0].replace("-", "_") for line in project["dependencies"] + extras
    }
    names = {path.stem for path in (ROOT / "study").iterdir() if not path.name.startswith("__")}
    assert not names & (set(sys.stdlib_module_names) | depended)


def test_no_class_name_stands_twice() -> None:
    seen: dict[str, str] = {}
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                where = str(path.relative_to(ROOT))
                assert node.name not in seen, f"class {node.name} in {seen[node.name]} and in {where}"
                seen[node.name] = where
