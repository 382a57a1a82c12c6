"""Says in MLflow's terms what a run was made from: its data set, and the code at its commit."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from trainables.config import Data

DIGEST_LENGTH = 8
"""Characters of a data set's hash that are shown, as many as MLflow gives the sets it hashes itself."""


def log_data(client: Any, run: str, data: Data, context: str) -> None:
    """Show a data set in MLflow's column ``Dataset``: name, hash of its content, where it came from."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = {"root": data.root} if data.root else {"generated": data.name, "options": dict(data.options)}
    about = {"classes": data.classes, "fraction": data.fraction, "validation": data.validation}
    dataset = Dataset(
        name=data.name,
        digest=(data.fingerprint or "unknown")[:DIGEST_LENGTH],
        source_type="local" if data.root else "generated",
        source=json.dumps(source),
        profile=json.dumps({**about, "split_seed": data.split_seed}),
    )
    client.log_inputs(run, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])


def source_tags() -> dict[str, str]:
    """Return the tags from which MLflow fills its columns for source, version and user."""
    commit = git_commit()
    return {
        "mlflow.source.name": Path(sys.argv[0] or "python").name,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
        "mlflow.user": _user(),
        "git_commit": commit,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's process whose number has no name
        return ""


def git_commit() -> str:
    """Return the commit the study's code is at; empty outside a checkout."""
    where = Path(__file__).parent
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
