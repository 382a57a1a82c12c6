"""Registers the best student of each pair with MLflow, as a model that ``mlflow models serve`` runs.

The search chose its configuration by the held-out part of train, and it is the confirming run of that with
the first seed. The test split chooses nothing; the model's tags tell what it says.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.plan.plan import Plan
from study.results.comparison import best_by_pair
from study.results.frames import RunFrames
from trainables.config.trial import TrialConfig
from trainables.data.partition import chosen_classes
from trainables.data.raw import StreamedViews
from trainables.storage.run_store import RunStore

ARTIFACTS = "model"
REQUIREMENTS = ("mlflow", "torch", "torchvision", "numpy")


@dataclass(frozen=True, slots=True)
class BestStudent:
    """Describes a student to register.

    Attributes:
        key: of the run that trained it.
        about: what ``trainables.serving`` has to know.
        tags: of the model version.
        example: [1, H, W, 3] pixels from 0 to 255.
    """

    pair: str
    key: str
    about: Mapping[str, Any]
    tags: Mapping[str, str]
    example: NDArray[np.uint8] = field(repr=False, compare=False)


def best_students(plan: Plan, runs: RunFrames) -> list[BestStudent]:
    """Choose one for each pair of which a configuration was confirmed."""
    configs = dict(zip(runs.trials["trial_key"], runs.configs, strict=True))
    found = []
    for pair, (configuration, chosen_by) in best_by_pair(runs).items():
        first = configuration.first
        config = TrialConfig.from_dict(configs[first["trial_key"]])
        tags = {
            "trial_key": first["trial_key"],
            "study": plan.spec.name,
            "pair": pair,
            "method": first["method"],
            "seed": str(first["seed"]),
            "chosen_by": chosen_by,
            "test/top1": f"{first['test/top1']:.2f}",
            **config.training.weights_of,
        }
        found.append(
            BestStudent(pair, first["trial_key"], _about(plan, config), tags, _example(plan, config))
        )
    return found


def _about(plan: Plan, config: TrialConfig) -> dict[str, Any]:
    raw = plan.raw
    return {
        "name": config.student,
        "num_classes": plan.num_classes,
        "image_size": plan.image_size,
        "large_images": config.large_images,
        "mean": list(raw.mean),
        "std": list(raw.std),
        "classes": [raw.classes[label] for label in chosen_classes(config.data, len(raw.classes))],
    }


def _example(plan: Plan, config: TrialConfig) -> NDArray[np.uint8]:
    """Return a test image; a grey one where images are read from files."""
    shown = plan.raw.augmentation
    if isinstance(shown, StreamedViews):
        return np.full((1, plan.image_size, plan.image_size, 3), 127, dtype=np.uint8)
    return np.array(shown.centred(plan.raw.test_images[:1]), dtype=np.uint8)


def model_name(study: str, pair: str) -> str:
    """Return ``study.teacher-student``; a registered model's name may hold neither / nor :."""
    return f"{study}.{re.sub(r'[^A-Za-z0-9_.-]', '-', pair)}"


def register(client: Any, run: str, study: str, student: BestStudent, store: RunStore) -> None:
    """Log ``student`` as a model of its MLflow ``run``, and make it the next version of its registered model.

    A version of the same trial is not made twice.
    """
    name = model_name(study, student.pair)
    if not client.search_registered_models(f"name = '{name}'"):
        text = f"Best student of {student.pair} in study {study}: pixels [N, H, W, 3] uint8 to logits [N, K]."
        client.create_registered_model(name, tags={"study": study, "pair": student.pair}, description=text)
    versions = client.search_model_versions(f"name = '{name}'")
    if any(item.tags.get("trial_key") == student.key for item in versions):
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / ARTIFACTS
        save(folder, run, student, store)
        client.log_artifacts(run, str(folder), ARTIFACTS)
    source = f"{client.get_run(run).info.artifact_uri}/{ARTIFACTS}"
    client.create_model_version(name, source, run_id=run, tags=dict(student.tags))


def save(folder: Path, run: str, student: BestStudent, store: RunStore) -> None:
    """Write the model to ``folder``: weights, the code that loads them, signature, example."""
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import Schema, TensorSpec

    import trainables
    from trainables import serving as served

    library, colon, _ = student.about["name"].partition(":")
    needed = dict.fromkeys([*REQUIREMENTS, *([library] if colon else [])])  # timm:..., torchvision:...
    data = folder.parent / "student"
    served.write(data, store.run(student.key).student(), student.about)
    pixels = TensorSpec(np.dtype("uint8"), (-1, *student.example.shape[1:]))
    logits = TensorSpec(np.dtype("float32"), (-1, student.about["num_classes"]))
    save_model(
        str(folder),
        loader_module=served.__name__,
        data_path=str(data),
        code_paths=[str(Path(trainables.__file__).parent)],
        mlflow_model=Model(artifact_path=ARTIFACTS, run_id=run),
        signature=ModelSignature(inputs=Schema([pixels]), outputs=Schema([logits])),
        input_example=student.example,
        pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in needed],
    )
