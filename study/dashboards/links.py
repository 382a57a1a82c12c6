"""Writes the one page of links: each study of a results folder, where it stands, and what shows it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from study.dashboards.optuna_dashboards import INSTALL
from study.monitoring.short_status import ShortStatus
from study.workspace.folder import StudyFolder

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
section { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem;
          padding: .2rem 1.2rem 1rem; margin: 1rem 0; }
h2 { margin: .6rem 0 0; } p { margin: .2rem 0 .6rem; opacity: .75; }
a { display: inline-block; margin-right: 1.2rem; } small { opacity: .75; }
"""

REFRESH_S = 10
"""Seconds after which a browser asks for the page again."""


def links_page(folders: Sequence[StudyFolder], dashboard: bool, mlflow_up: bool) -> str:
    """Return the page.

    Args:
        dashboard: whether Optuna's dashboard is installed.
        mlflow_up: whether MLflow answers already.
    """
    studies = "".join(_section(folder, dashboard) for folder in folders)
    waits = "" if mlflow_up else "<p>MLflow is starting; its links work in some seconds.</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        '<meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"><title>sdd-study</title><style>{STYLE}</style></head>'
        f"<body><h1>Studies</h1>{waits}{studies}</body></html>\n"
    )


def _section(folder: StudyFolder, dashboard: bool) -> str:
    name = escape(folder.name)
    ways = [("report.html", "Report"), ("mlflow", "MLflow"), ("files/", "Tables, figures, CSVs")]
    if dashboard:
        ways.insert(2, ("optuna", "Optuna"))
    links = "".join(f'<a href="/{name}/{way}">{text}</a>' for way, text in ways)
    hint = "" if dashboard else f"<small>Optuna's dashboard: {escape(INSTALL)}</small>"
    return f"<section><h2>{name}</h2><p>{escape(ShortStatus.read(folder).line)}</p>{links}{hint}</section>"
