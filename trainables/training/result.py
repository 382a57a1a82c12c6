"""Files a trained student: its weights and the record that makes its trial finished."""

from __future__ import annotations

import io
import platform
import time
from typing import Any

import torch
from torch import nn

from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.engine.evaluation import Metrics
from trainables.models import build
from trainables.models.weights import load_into, load_published, state_sha256
from trainables.storage.run_store import RunFolder


def finish(
    config: TrialConfig, folder: RunFolder, student: nn.Module, history: list[Metrics], data: DataSet
) -> dict[str, Any]:
    """File the student as it is, and the trial record that makes the trial finished; return the record."""
    weights = {name: value.detach().cpu().contiguous() for name, value in student.state_dict().items()}
    about = {
        "name": config.student,
        "num_classes": data.num_classes,
        "image_size": max(data.image_size),
        "large_images": config.large_images,
        **config.training.weights_of,
    }
    buffer = io.BytesIO()
    torch.save({"model": weights, **about}, buffer)
    result = {
        "trial_key": config.trial_key,
        "config": config.to_dict(),
        "history": history,
        "weights": state_sha256(weights),
        **about,
        "finished": time.time(),
        "machine": machine(),
    }
    return folder.finish(result, buffer.getvalue())


def load_student(folder: RunFolder) -> nn.Module | None:
    """Load the student that :func:`finish` filed, on the CPU in evaluation mode; None for a run not done.

    Raises:
        ModelError: its file is damaged.
    """
    if (result := folder.result()) is None:
        return None
    network = build(result["name"], result["num_classes"], image_size=result["image_size"])
    load_into(network, load_published(folder.student()))
    return network.eval()


def machine() -> dict[str, Any]:
    """Name the machine and the software that the numbers were made on, for the trial record."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "host": platform.node(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": gpu,
        "threads": torch.get_num_threads(),
    }
