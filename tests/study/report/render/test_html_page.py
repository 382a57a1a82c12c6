"""The HTML page in a real browser, opened from disk: no errors, no network, tables sort, charts draw."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
]
CATCH = "<script>window.wrong = []; addEventListener('error', (e) => wrong.push(e.message));</script>"
LOOK = """<script>
const seen = { wrong };
const table = document.querySelector("#table1 table");
const heads = [...table.tHead.rows[0].cells];
const column = heads.findIndex((cell) => cell.textContent.startsWith("wrn_40_2-vgg8"));
const button = table.tHead.rows[0].cells[column].querySelector("button");
const order = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
seen.before = order();
button.click(); seen.down = order();
button.click(); seen.up = order();
seen.charts = [...document.querySelectorAll("figure[data-chart]")].map((figure) =>
  [figure.dataset.title, figure.querySelectorAll("svg path, svg rect").length]);
const curve = document.querySelector("svg .mark");
curve.dispatchEvent(new PointerEvent("pointermove", { clientX: 10, clientY: 10 }));
seen.tip = document.getElementById("tip").textContent;
seen.fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
document.body.dataset.seen = JSON.stringify(seen);
</script>"""


def open_page(file: Path, profile: Path) -> tuple[str, str]:
    """The DOM of the page after its scripts have run, and what the browser logged."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_page_works_in_a_browser(reported: Path, tmp_path: Path) -> None:
    page = (reported / "report.html").read_text()
    file = tmp_path / "looked_at.html"
    file.write_text(page.replace("<style>", f"{CATCH}<style>", 1).replace("</body>", f"{LOOK}</body>"))
    dom, log = open_page(file, tmp_path / "profile")
    assert "CONSOLE" not in log
    found = re.search(r'data-seen="([^"]*)"', dom)
    assert found is not None
    seen: dict[str, Any] = json.loads(unescape(found.group(1)))
    assert seen["wrong"] == []
    assert seen["fetched"] == []
    ran = ["SD-NKD", "SD-KD, searched", "SD-KD", "KD", "NKD"]
    assert seen["down"][:5] == ran
    assert seen["up"][:5] == ran[::-1]
    assert sorted(seen["down"]) == sorted(seen["before"])
    titles = [title for title, _ in seen["charts"]]
    assert titles == [
        "Gain of scale decoupling",
        "Learning curves of the search",
        "Accuracy against beta",
        "scales and alpha",
        "Parallel coordinates",
        "Pareto front",
        "Timeline of trials",
    ]
    assert all(shapes > 0 for _, shapes in seen["charts"])
    assert seen["tip"]


def test_the_page_names_no_other_place(reported: Path) -> None:
    page = (reported / "report.html").read_text()
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "<link rel" not in page.replace('<link rel="icon" href="data:,">', "")
    assert " src=" not in page
