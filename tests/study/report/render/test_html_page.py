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

from study.report.render.html_page import asset, page

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
    "--virtual-time-budget=5000",
]
CATCH = "<script>window.wrong = []; addEventListener('error', (e) => wrong.push(e.message));</script>"
LOOK = """<script>
function look() {
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
  [figure.dataset.title, inked(figure.querySelector("canvas"))]);
const figures_ = [...document.querySelectorAll("figure[data-chart]")];
const heat = figures_.find((f) => f.dataset.title === "scales and alpha").querySelector(".plot");
echarts.getInstanceByDom(heat).dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: 0 });
seen.tip = heat.textContent;
seen.fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
document.body.dataset.seen = JSON.stringify(seen);
}
function inked(canvas) {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.reduce((sum, value, at) => sum + (at % 4 === 3 && value > 0 ? 1 : 0), 0);
}
const waiting = setInterval(() => {
  if (document.body.dataset.charts === "drawn") { clearInterval(waiting); look(); }
}, 20);
</script>"""


PRINT = """<script>
const printing = setInterval(() => {
  if (!document.body.dataset.charts) return;
  clearInterval(printing);
  const drawn = () => document.querySelectorAll("figure[data-drawn]").length;
  const before = drawn();
  dispatchEvent(new Event("beforeprint"));
  document.body.dataset.seen = JSON.stringify({ before, after: drawn(), wrong });
}, 1);
</script>"""


def seen_in(made: Path, script: str, scratch: Path) -> dict[str, Any]:
    """What ``script`` saw in the page, which logged nothing; the browser's own pages may, when slow."""
    file = scratch / "looked_at.html"
    before, end, after = made.read_text().replace("<style>", f"{CATCH}<style>", 1).rpartition("</body>")
    file.write_text(before + script + end + after)
    dom, log = open_page(file, scratch / "profile")
    assert [line for line in log.splitlines() if "CONSOLE" in line and "source: chrome:" not in line] == []
    found = re.search(r'data-seen="([^"]*)"', dom)
    assert found is not None
    seen: dict[str, Any] = json.loads(unescape(found.group(1)))
    assert seen["wrong"] == []
    return seen


def open_page(file: Path, profile: Path) -> tuple[str, str]:
    """The DOM of the page after its scripts have run, and what the browser logged."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_page_works_in_a_browser(reported: Path, tmp_path: Path) -> None:
    seen = seen_in(reported / "report.html", LOOK, tmp_path)
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
    assert all(pixels > 2000 for _, pixels in seen["charts"])
    assert "(n = " in seen["tip"]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_print_has_all_charts_though_some_are_drawn_later(reported: Path, tmp_path: Path) -> None:
    seen = seen_in(reported / "report.html", PRINT, tmp_path)
    assert seen["before"] < seen["after"] == 7


def test_the_page_names_no_other_place(reported: Path) -> None:
    text = (reported / "report.html").read_text()
    addresses = set(re.findall(r"https?://[^\s\"'<)`]+", text))
    assert {address for address in addresses if "www.w3.org" not in address} == set()
    assert "<link rel" not in text.replace('<link rel="icon" href="data:,">', "")
    assert not re.findall(r"<[a-z]+ [^>]*src=(?!\"data:)", text.replace(asset("echarts/echarts.min.js"), ""))
    assert len(text) < 1_000_000


def test_pictures_are_inside_the_page_and_one_without_charts_is_small(tmp_path: Path) -> None:
    picture = tmp_path / "figure3.png"
    picture.write_bytes(b"\x89PNG")
    made = page("title", [], pictures=[("Figure 3: <what it shows>", picture)])
    assert 'src="data:image/png;base64,iVBORw=="' in made
    assert "Figure 3: &lt;what it shows&gt;" in made
    assert len(made) < 10_000
