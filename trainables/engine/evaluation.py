"""Measures accuracy and loss of a network on a split."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.config.training import Training
from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.epoch_plan import EpochPlan
from trainables.data.resident import ResidentSplit
from trainables.data.split import Batch, Split
from trainables.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from trainables.engine.device import autocast
from trainables.engine.epoch_tables import EpochTables
from trainables.engine.recorded import Repeated
from trainables.engine.runtime import Runtime

Metrics = dict[str, float]
"""Values of one epoch by name."""

EVALUATION_BATCH = 500
"""Images of a batch without gradients."""


class MetricTotals:
    """Sums values over an epoch, on the device, to be read once, at its end.

    Example:
        >>> totals = MetricTotals()
        >>> totals.add(3, top1=torch.tensor(300.0))
        >>> totals.add(1, top1=torch.tensor(0.0))
        >>> totals.means()
        {'top1': 75.0}
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, size: int, **values: Tensor) -> None:
        """Add values that are already sums over ``size`` images."""
        self.count += size
        for name, value in values.items():
            value = value.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def means(self, group: ProcessGroup = SINGLE_PROCESS) -> Metrics:
        """Return means over all images of the group."""
        names = list(self.sums)
        values = torch.stack([self.sums[name].double() for name in names]).tolist() if names else []
        shares = group.all_gather((self.count, dict(zip(names, values, strict=True))))
        count = sum(images for images, _ in shares)
        names = list(dict.fromkeys(name for _, sums in shares for name in sums))
        return {name: sum(sums.get(name, 0.0) for _, sums in shares) / count for name in names}


@torch.no_grad()
def evaluate(
    network: nn.Module, batches: Iterable[Batch], split: str, training: Training, runtime: Runtime
) -> Metrics:
    """Return means over all images of the group, of which ``batches`` are this process's share.

    They are ``split/loss`` (cross-entropy), ``split/top1`` and, from six classes on, ``split/top5``, in
    percent; see :func:`batch_values`.
    """
    network.eval()
    totals = MetricTotals()
    for batch in batches:
        totals.add(len(batch.target), **batch_values(network, batch, training, runtime))
    return {f"{split}/{name}": value for name, value in totals.means(runtime.group).items()}


def batch_values(network: nn.Module, batch: Batch, training: Training, runtime: Runtime) -> dict[str, Tensor]:
    """Return sums over a batch's images: loss, and hits in percent.

    The last map is pooled and classified in float32, whatever ``training`` computes in: logits in bf16 tie
    for the first place in one of a hundred images.
    """
    with autocast(training, runtime.device):
        stages = network.forward_stages(batch.images.contiguous(memory_format=torch.channels_last))  # type: ignore[operator]
    logits = network.classifier(stages.final_as(Tensor.float).pooled)  # type: ignore[operator]
    target = batch.target
    values = {
        "loss": functional.cross_entropy(logits, target, reduction="sum"),
        "top1": (logits.argmax(1) == target).sum() * 100.0,
    }
    if logits.shape[1] > 5:
        values["top5"] = (logits.topk(5, dim=1).indices == target[:, None]).any(1).sum() * 100.0
    return values


class WholeEvaluation:
    """Measures a network on the whole batches of a resident split, by work that asks nothing of the host.

    On a GPU it is one CUDA graph a batch, recorded when it is first wanted.
    """

    def __init__(
        self, network: nn.Module, split: ResidentSplit, training: Training, runtime: Runtime
    ) -> None:
        self.network = network
        self.training = training
        self.runtime = runtime
        self.tables = EpochTables(split, EVALUATION_BATCH, max(1, len(split) // EVALUATION_BATCH))
        self.sums = torch.zeros(3, dtype=torch.float32, device=split.device)
        self.names: list[str] = []
        self.work = Repeated(self._batch)
        if runtime.records:
            network.eval()
            self.work.record(
                f"the evaluation of {type(network).__name__}", (self.sums, self.tables.step), runtime
            )

    @torch.no_grad()
    def _batch(self) -> None:
        batch, _ = self.tables.next()
        values = batch_values(self.network, batch, self.training, self.runtime)
        self.names = list(values)
        self.sums[: len(values)] += torch.stack([value.float() for value in values.values()])

    def run(self, plan: EpochPlan) -> dict[str, Tensor]:
        """Return sums over the images of ``plan``, whole batches all of them."""
        self.tables.begin(plan)
        self.sums.zero_()
        for _ in plan.sizes:
            self.work()
        return dict(zip(self.names, self.sums.clone(), strict=False))


@torch.no_grad()
def evaluate_split(
    network: nn.Module, split: Split, name: str, training: Training, runtime: Runtime
) -> Metrics:
    """Return what :func:`evaluate` does, of all images of ``split``."""
    plan = split.plan_of_all(EVALUATION_BATCH, worker=runtime.group.share)
    whole = plan.whole(EVALUATION_BATCH)
    if not isinstance(split, ResidentSplit) or not whole:
        return evaluate(network, split.show(plan, None), name, training, runtime)
    network.eval()
    first, rest = plan.cut(whole)
    if runtime.records:
        key = (id(network), split.device_key, training.precision)  # both live as long as what is kept
        make = partial(WholeEvaluation, network, split, training, runtime)
        evaluation = runtime.process_cache.get("evaluation", key, make, capacity=4)
    else:
        evaluation = WholeEvaluation(network, split, training, runtime)
    totals = MetricTotals()
    totals.add(len(first.rows), **evaluation.run(first))
    for batch in split.show(rest, None):
        totals.add(len(batch.target), **batch_values(network, batch, training, runtime))
    return {f"{name}/{value}": mean for value, mean in totals.means(runtime.group).items()}


def evaluate_due(
    config: TrialConfig, student: nn.Module, data: DataSet, epoch: int, runtime: Runtime
) -> Metrics:
    """Return losses and accuracies of the splits that are due after ``epoch``; see :func:`evaluate`."""
    due = {"val": data.validation} if config.fit == "train" else {}
    if config.test == "every" or (config.test == "end" and epoch == config.training.epochs):
        due["test"] = data.test
    metrics: Metrics = {}
    for name, split in due.items():
        metrics |= evaluate_split(student, split, name, config.training, runtime)
    return metrics
