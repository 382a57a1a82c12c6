"""Makes a study's report page anew whenever its journal has grown, while it runs and afterwards."""

from __future__ import annotations

import threading
import time
from html import escape

from study.dashboards.links import REFRESH_S
from study.errors import UserError, one_line
from study.report.write import check_finished, report_page
from study.results.folder_reader import read_folder
from study.results.frames import gather
from study.workspace.folder import StudyFolder

AT_MOST_EVERY_S = 5.0
"""Seconds for which a page is kept at least: making one of 2,000 trials takes about as long."""

RELOAD = """<script>
setInterval(async () => {
  try {
    const found = await (await fetch("version", { cache: "no-store" })).text();
    if (document.visibilityState === "visible" && found !== "VERSION") location.reload();
  } catch { /* the command has ended; what is shown stays */ }
}, 10000);
</script>"""
"""Loads the page again once there is a newer one; the browser keeps the place on it."""


class LiveReport:
    """Gives the report page of one study as it is now."""

    def __init__(self, folder: StudyFolder) -> None:
        self.folder = folder
        self._making = threading.Lock()
        self._made: tuple[str, str] = ("", "")
        self._when = 0.0

    @property
    def version(self) -> str:
        """What the page is made of, in a word: it changes with every report of a trial."""
        try:
            found = self.folder.journal.stat()
        except OSError:
            return "0"
        return f"{found.st_size}-{found.st_mtime_ns}"

    def page(self) -> str:
        """Return the page, made anew where there is more in the journal."""
        with self._making:
            version, html = self._made
            fresh = html and time.monotonic() - self._when < AT_MOST_EVERY_S
            if not fresh and version != self.version:
                version = self.version
                try:
                    html = self._make()
                except UserError as reason:  # not kept: another file than the journal may be what is mended
                    return told(self.folder.name, reason)
                self._made, self._when = (version, html), time.monotonic()
        before, end, after = html.rpartition("</body>")  # a script may hold another one
        return before + RELOAD.replace("VERSION", version) + end + after

    def _make(self) -> str:
        runs = gather([read_folder(self.folder.results, self.folder.name)])
        check_finished(runs, [self.folder.name])
        return report_page(runs)


def told(name: str, reason: UserError) -> str:
    """Return the page of a study that cannot be reported on, which looks again by itself."""
    text = escape(f"{one_line(reason)}. This page looks again every {REFRESH_S} seconds.")
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_S}">'
    return f"<!doctype html>{refresh}<title>{escape(name)}</title><body>{text}</body>"
