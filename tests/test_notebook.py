"""The notebook under docs/ runs, cell by cell, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_changelog_and_the_readme_lead_to_it() -> None:
    for page in ("README.md", "CHANGELOG.md"):
        assert "(docs/notebook.ipynb)" in (ROOT / page).read_text()


@pytest.mark.slow
@pytest.mark.ray
def test_every_cell_runs(tmp_path: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join(code_cells()) + "\n\nprint(repr(more))\n")
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        env={**environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "notebook: test top-1 of confirmed configurations" in done.stdout
    assert "ResNet, 78,042 parameters" in done.stdout
    assert "search: 3 trials, 2 of them known" in done.stdout
    assert done.stdout.rstrip().endswith(f"<Study notebook in {tmp_path}/results: 8 done>")
