"""Shows images to the networks behind the paper's figures 3 to 6: a teacher, its students under X and SD-X.

They are found by key in the run store; the images are of the test split that the study used. Only here
does a report import torch.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.results.frames import RunFrames
from study.results.seed_groups import base_method, canonical
from trainables.config.trial import TrialConfig
from trainables.storage.run_store import RunStore

MOST_IMAGES = 1000
"""Most test images that are shown to the networks, evenly spaced over the split."""

BATCH = 100
PREFERRED = ("kd", "dkd", "nkd")


class NetworksUnavailable(Exception):
    """Says what is missing where nothing is stored to make these figures from."""


@dataclass(frozen=True, slots=True)
class ExampleSelection:
    """Names two confirmed runs of one pair and one seed: X, and SD-X, by trial key."""

    pair: str
    plain: str
    decoupled: str
    plain_method: str
    decoupled_method: str
    config: TrialConfig


@dataclass(frozen=True, slots=True)
class ExampleOutputs:
    """Holds what one network says of the images.

    Attributes:
        features: [N, C], pooled.
        regions: [N, R, K], logits of every region of ``scales``, the whole image first.
    """

    features: NDArray[np.float32]
    regions: NDArray[np.float32]

    @property
    def logits(self) -> NDArray[np.float32]:
        """Logits [N, K] of the whole image."""
        return self.regions[:, 0]

    @property
    def classes(self) -> NDArray[np.int64]:
        """Classes [N] that the network predicts."""
        found: NDArray[np.int64] = self.logits.argmax(1)
        return found


@dataclass(frozen=True, slots=True)
class NetworkExamples:
    """Holds images, and what teacher and both students say of them.

    Attributes:
        images: [N, H, W, 3], 0 to 1.
        labels: [N].
        scales: the set M of the decoupled student with 1 in front.
    """

    pick: ExampleSelection
    names: tuple[str, ...]
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    scales: tuple[int, ...]
    teacher: ExampleOutputs
    plain: ExampleOutputs
    decoupled: ExampleOutputs


def pick(runs: RunFrames, store: RunStore) -> ExampleSelection:
    """Choose KD and SD-KD of a pair where both are stored, else another base; the lowest seed both have.

    Raises:
        NetworksUnavailable: no such two runs.
    """
    trials = runs.counted
    trials = trials[trials["stage"] == "confirm"].sort_values(
        ["published", "seed"], ascending=[False, True], kind="stable"
    )
    stored: dict[tuple[tuple[str, str, str, int], str], Any] = {}
    for number, trial in trials.iterrows():
        if store.run(trial["trial_key"]).result() is not None:
            where = (trial["teacher"], trial["student"], trial["data"], int(trial["seed"]))
            stored.setdefault((where, canonical(trial["method"])), (number, trial))
    found = []
    for (where, method), (number, trial) in stored.items():
        base = base_method(method)
        plain = stored.get((where, base or ""))
        if base is not None and plain is not None:
            order = PREFERRED.index(base) if base in PREFERRED else len(PREFERRED)
            found.append((order, number, trial, plain[1]))
    if not found:
        raise NetworksUnavailable("no pair has stored students of both X and SD-X")
    _, number, trial, other = min(found, key=lambda item: item[0])
    return ExampleSelection(
        pair=trial["pair"],
        plain=other["trial_key"],
        decoupled=trial["trial_key"],
        plain_method=other["method"],
        decoupled_method=trial["method"],
        config=TrialConfig.from_dict(runs.configs[int(number)]),
    )


def exhibit(chosen: ExampleSelection, store: RunStore) -> NetworkExamples:
    """Show test images to the three networks.

    Raises:
        NetworksUnavailable: the teacher's weights or the data set are not where they were.
    """
    import torch

    from trainables import models
    from trainables.data import DataError, load_raw, prepare

    config = chosen.config
    assert config.teacher is not None
    assert config.method.logit is not None
    teacher = store.teacher(config.teacher.weights)
    if not teacher.exists():
        raise NetworksUnavailable(f"the teacher's weights are not in {teacher.parent}")
    try:
        raw = load_raw(config.data)
    except DataError as error:
        raise NetworksUnavailable(str(error)) from None
    kept = np.unique(np.linspace(0, len(raw.test_labels) - 1, MOST_IMAGES).astype(int))
    raw = dataclasses.replace(raw, test_images=raw.test_images[kept], test_labels=raw.test_labels[kept])
    data = prepare(raw, config.data, "cpu")
    batches = list(data.test.batches(BATCH, epoch=None))
    images = torch.cat([batch.images for batch in batches])
    scales = (1, *(scale for scale in config.method.logit.scales if scale != 1))
    size, form = max(data.image_size), config.large_images
    build = functools.partial(models.build, num_classes=data.num_classes, image_size=size, large_images=form)
    outputs = [
        _outputs(build(name), file, images, scales)
        for name, file in (
            (config.teacher.name, teacher),
            (config.student, store.run(chosen.plain).student()),
            (config.student, store.run(chosen.decoupled).student()),
        )
    ]
    shown = images.numpy().transpose(0, 2, 3, 1) * np.array(raw.std) + np.array(raw.mean)
    labels = torch.cat([batch.target for batch in batches]).numpy()
    return NetworkExamples(
        chosen, data.classes, np.clip(shown, 0, 1).astype(np.float32), labels, scales, *outputs
    )


def _outputs(network: Any, file: Any, images: Any, scales: tuple[int, ...]) -> ExampleOutputs:
    import torch

    from trainables.models.multiscale import region_logits
    from trainables.models.weights import load_into, load_published

    state: Mapping[str, Any] = load_published(file)
    load_into(network, state)
    network.eval()
    features, regions = [], []
    with torch.inference_mode():
        for part in images.split(BATCH):
            stages = network.forward_stages(part)
            features.append(stages.pooled)
            regions.append(region_logits(stages.final, network.classifier, scales, stages.token))
    return ExampleOutputs(torch.cat(features).numpy(), torch.cat(regions).numpy())
