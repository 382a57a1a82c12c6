"""What `make cluster-test` measured, as a page.

    python -m tests.cluster.outcome build/cluster.xml > docs/results/cluster.md

Reads pytest's JUnit file: one section a test, its properties as rows.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

HEAD = """# Clusters on one machine

`make cluster-test`, {when} UTC: hosts are namespaces on {cores} cores ({machine}), AWS is moto, nodes have
one CPU each. Ray {ray}, Optuna {optuna}, MLflow {mlflow}, Python {python}; one run.
Load average at the end {load}: where it is above
the number of cores, other work shared them, and every time below is longer than on a quiet machine.
"""


def page(file: Path) -> str:
    """The whole page."""
    names = {name: version(name) for name in ("ray", "optuna", "mlflow")}
    lines = [
        HEAD.format(
            when=time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
            cores=len(os.sched_getaffinity(0)),
            machine=platform.machine(),
            python=platform.python_version(),
            load=Path("/proc/loadavg").read_text().split()[0],
            **names,
        )
    ]
    for case in ET.parse(file).getroot().iter("testcase"):
        lines.append(f"## {case.get('name', '').removeprefix('test_').replace('_', ' ')}\n")
        lines.append(f"{_outcome(case)}, {float(case.get('time', 0)):.0f} s.\n")
        found = [(one.get("name"), one.get("value")) for one in case.iter("property")]
        if found:
            lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in found), ""]
    return "\n".join(lines)


def _outcome(case: ET.Element) -> str:
    for word, child in (
        ("failed", "failure"),
        ("failed in its preparation", "error"),
        ("skipped", "skipped"),
    ):
        if (found := case.find(child)) is not None:
            said = (found.get("message") or "").strip().splitlines()
            return f"**{word}**: {said[0] if said else ''}"
    return "passed"


if __name__ == "__main__":
    print(page(Path(sys.argv[1])))
