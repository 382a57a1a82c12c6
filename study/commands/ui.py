"""Show studies in a browser: MLflow, Optuna's dashboard and the report, one page of links, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from study.commands.common import add_folder, columns, whole_number
from study.errors import DONE, UserError
from study.workspace.folder import StudyFolder, find_study, open_folders

EPILOG = """
examples:
  sdd-study ui
  sdd-study ui quickstart --port 9000
  ssh -t -L 9000:localhost:9000 -L 5000:localhost:5000 -L 9002:localhost:9002 head \\
    sdd-study ui quickstart --port 9000

Works while a study runs, and writes nothing to it: the report is made anew as trials report. Ports: --port
for the page, the next for MLflow, those after it for Optuna's dashboards, as they are opened. An MLflow
server in MLFLOW_TRACKING_URI is linked to. Nothing here asks for a password, so without --host no other
machine is answered.
"""

PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ui``."""
    parser.add_argument("study", metavar="NAME", nargs="?", help="one study (all of the results folder)")
    add_folder(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDR", help="address to listen on (127.0.0.1)"
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, 65535),
        default=PORT,
        metavar="PORT",
        help=f"of the page ({PORT}); 0: any that are free",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or a signal that ends the process."""
    from study.api.running import raise_on_signals
    from study.dashboards.mlflow_server import MlflowServer
    from study.dashboards.optuna_dashboards import INSTALL, OptunaDashboards
    from study.dashboards.site import SiteServer, StudySite

    results = args.results.absolute()
    folders = [find_study(results, args.study)] if args.study else opened(results)
    if not folders:
        raise UserError(f"--results: no study in {args.results}")
    more = [args.port + 2 + number for number in range(len(folders))] if args.port else []
    raise_on_signals()
    with (
        OptunaDashboards(args.host, more) as optuna,
        MlflowServer(folders[0], args.host, args.port + 1 if args.port else 0) as mlflow,
        SiteServer(StudySite({f.name: f for f in folders}, mlflow, optuna), args.host, args.port) as server,
    ):
        try:
            ways = [["studies", server.url], ["MLflow", mlflow.url]]
            ways += [[folder.name, f"{server.url}/{folder.name}/report.html"] for folder in folders]
            missing = "" if optuna.installed else f"\nOptuna's dashboard is not installed: {INSTALL}"
            print(f"{columns(ways)}{missing}\nCtrl-C ends it", flush=True)
            mlflow.wait()
            threading.Event().wait()
        except KeyboardInterrupt:
            print("ended", flush=True)
    return DONE


def opened(results: Path) -> list[StudyFolder]:
    """Return the studies of a results folder; those that cannot be opened are told and left out."""
    folders = []
    for found in open_folders(results).values():
        if isinstance(found, StudyFolder):
            folders.append(found)
        else:
            print(f"left out: {found}", file=sys.stderr)
    return folders
