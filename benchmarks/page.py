"""How long the report page of a study takes to open in headless Chromium, from disk to the last chart.

    python -m benchmarks.page                        # 2,000 trials
    python -m benchmarks.page --trials 200 --picture page.png --dark

The trials are made up, as benchmarks/report.py makes them, of 24 epochs. Measured inside the page, on the
browser's own clock: when its text is on the screen, when the charts in view are drawn, and when all are.
Results: docs/results/page.md.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

from benchmarks import report
from study.report.write import report_page
from study.results.folder_reader import read_folder
from study.results.frames import gather
from tests.study.made import write_folder

EPOCHS = 24
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
LOOK = """<script>
let inView = 0;
const look = setInterval(() => {
  const { charts } = document.body.dataset;
  if (charts && !inView) inView = performance.now();
  const [painted] = performance.getEntriesByName("first-contentful-paint");
  if (charts !== "drawn" || !painted) return;
  clearInterval(look);
  const times = [painted.startTime, inView, performance.now()].map(Math.round).join(" ");
  fetch("http://127.0.0.1:PORT", { method: "POST", mode: "no-cors", body: times });
}, 5);
</script>"""


def page(trials: int, folder: Path) -> Path:
    """The page of a made study."""
    report.EPOCHS, made = EPOCHS, list(report.trials(trials))
    journal = write_folder(folder / "results", "made", [])
    with journal.open("w") as file:
        for number, trial in enumerate(made):
            begun = report.BEGAN + 30.0 * (number // report.AT_ONCE)
            file.write(report.journal_line("trial", trial, begun))
            for epoch in range(1, EPOCHS + 1):
                metrics: dict[str, float] = {"epoch": epoch}
                for place, name in enumerate(report.names_at(trial["stage"], epoch)):
                    noise = ((number * 31 + place * 17 + epoch) % 100) / 97.0
                    metrics[name] = 60.0 + 15.0 * (epoch / EPOCHS) + noise
                told = {"key": trial["key"], "metrics": metrics}
                file.write(report.journal_line("report", told, begun + 1.2 * epoch))
            end = {"key": trial["key"], "status": "done", "reason": "", "epochs": EPOCHS}
            file.write(report.journal_line("end", end, begun + 29.0))
    text = report_page(gather([read_folder(folder / "results", "made")]))
    before, body, after = text.rpartition("</body>")
    found = folder / "report.html"
    found.write_text(before + LOOK + body + after)
    return found


class Heard(BaseHTTPRequestHandler):
    """Hears what the page tells."""

    said: ClassVar[queue.Queue[str]] = queue.Queue()

    def do_POST(self) -> None:
        """Keep the line."""
        self.said.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def opened(file: Path, browser: str, scratch: Path) -> list[int]:
    """Milliseconds to the text on the screen, to the charts in view, and to the last chart."""
    with HTTPServer(("127.0.0.1", 0), Heard) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = scratch.with_suffix(".html")
        asked.write_text(file.read_text().replace("PORT", str(server.server_port)))
        command = [browser, *FLAGS, f"--user-data-dir={scratch}", "--remote-debugging-port=0", asked.as_uri()]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            try:
                return [int(number) for number in Heard.said.get(timeout=120).split()]
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                server.shutdown()


def main() -> None:
    """Measure, and print a line a turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="take a picture of the page too")
    parser.add_argument("--dark", action="store_true", help="of its dark form")
    parser.add_argument("--at", default="charts", help="section of the page that the picture is of (charts)")
    args = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser is not None, "no Chromium is installed"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = page(args.trials, folder)
        print(f"{args.trials} trials, {file.stat().st_size / 1e6:.2f} MB")
        for turn in range(args.turns):
            load = os.getloadavg()[0]
            text, near, last = opened(file, browser, folder / f"profile{turn}")
            print(f"text {text} ms, charts in view {near} ms, all {last} ms (load {load:.1f})", flush=True)
        if args.picture is not None:
            dark = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if args.dark else []
            view = [
                "--window-size=1400,2600",
                "--virtual-time-budget=8000",
                f"--screenshot={args.picture.absolute()}",
            ]
            subprocess.run(
                [browser, *FLAGS, *dark, *view, f"{file.as_uri()}#{args.at}"], capture_output=True, check=True
            )


if __name__ == "__main__":
    main()
