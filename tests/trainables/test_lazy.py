"""Rooms hand on names of their modules without importing them before they are asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from trainables.lazy import handed_on

ROOT = Path(__file__).parents[2]
ROOMS = [
    ".".join(path.parent.relative_to(ROOT).parts)
    for top in ("study", "trainables")
    for path in sorted((ROOT / top).rglob("__init__.py"))
]
HEAVY = ("torch", "ray", "pandas", "optuna", "mlflow", "matplotlib")


def test_importing_a_room_imports_nothing_heavy() -> None:
    code = f"""
import importlib, sys
for room in {ROOMS}:
    importlib.import_module(room)
    found = [name for name in {HEAVY} if name in sys.modules]
    assert not found, (room, found)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_hands_on_what_it_names(room: str) -> None:
    module = importlib.import_module(room)
    modules = {path.stem for path in Path(module.__file__ or "").parent.glob("*.py")}
    for name, home in handed_on(room).items():
        assert home.startswith(f"{room}.") or room == "study", f"{name} is another room's"
        assert name not in modules, f"{name} is a module of {room} as well"
        assert getattr(module, name) is getattr(importlib.import_module(home), name)
        assert name in dir(module)
        assert name in module.__all__


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_owns(room: str) -> None:
    text = importlib.import_module(room).__doc__ or ""
    assert len(text.split()) >= 8, f"{room}: {text!r}"
