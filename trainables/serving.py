"""Serves a trained student behind MLflow's ``pyfunc`` interface: pixels in, logits out.

The folder it is loaded from holds ``student.pt`` and ``about.json``; this package travels with it, so that
torch, torchvision and numpy are all a server needs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainables import models
from trainables.data.augment import normalise
from trainables.engine.device import best_device
from trainables.models.weights import load_into, load_published

WEIGHTS, ABOUT = "student.pt", "about.json"
BATCH = 256


def write(folder: Path, student: Path, about: Mapping[str, Any]) -> None:
    """Make the folder that a student is served from, out of its weight file.

    Args:
        about: ``name`` and ``num_classes`` of the network, ``image_size`` in pixels, ``large_images`` (see
            ``TrialConfig``; ``pooled`` if it is not there), ``mean`` and ``std`` of
            each channel for pixels in [0, 1], ``classes`` by name.
    """
    folder.mkdir(parents=True)
    shutil.copyfile(student, folder / WEIGHTS)
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


class ServedStudent:
    """Runs the student of a folder in float32, on a GPU where there is one.

    Example:
        >>> import tempfile
        >>> about = {"name": "resnet8", "num_classes": 10, "image_size": 32}
        >>> about |= {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
        >>> with tempfile.TemporaryDirectory() as root:
        ...     weights, folder = Path(root, "weights.pt"), Path(root, "served")
        ...     torch.save({"model": models.build("resnet8", 10).state_dict()}, weights)
        ...     write(folder, weights, about)
        ...     ServedStudent(folder).predict(np.zeros((2, 32, 32, 3), np.uint8)).shape
        (2, 10)
    """

    def __init__(self, folder: Path) -> None:
        self.about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.device = best_device()
        network = models.build(
            self.about["name"],
            self.about["num_classes"],
            image_size=self.about["image_size"],
            large_images=self.about.get("large_images", "pooled"),
        )
        load_into(network, load_published(folder / WEIGHTS))
        self.network = network.to(self.device).eval()
        self.mean, self.std = (torch.tensor(self.about[name], device=self.device) for name in ("mean", "std"))

    def predict(self, images: NDArray[np.uint8], params: Any = None) -> NDArray[np.float32]:
        """Return logits [N, K] of pixels [N, H, W, 3] from 0 to 255, as the data set has them."""
        pixels = torch.from_numpy(np.ascontiguousarray(images, dtype=np.uint8))
        with torch.inference_mode():
            logits = [
                self.network(normalise(part.to(self.device), self.mean, self.std)).float().cpu()
                for part in torch.split(pixels, BATCH)
            ]
        found: NDArray[np.float32] = torch.cat(logits).numpy()
        return found


def _load_pyfunc(path: str) -> ServedStudent:
    """Load the student of a folder, when MLflow asks for it by this name."""
    return ServedStudent(Path(path))
