"""A plain training step, written the way research code in this field writes it: what speed is compared with.

float32, default memory format, a ``DataLoader`` with worker processes and PIL transforms, the teacher run on
each batch, the classifier run on every place of the map before it is pooled, the loss of all regions split by
four boolean masks, the gradient clipped, the loss and the accuracy read at each step. The networks are this
project's: same layers, same parameters. Not used for training; a test holds that its loss is ours.

Shape legend: B images, R regions, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import trainables.models as models
from trainables.data import RawData

TEMPERATURE, CE_WEIGHT, KD_WEIGHT, BETA = 4.0, 0.1, 0.9, 2.0


class Images(Dataset[Any]):
    """Images as PIL pictures through torchvision's transforms."""

    def __init__(self, raw: RawData, count: int) -> None:
        self.images, self.labels = raw.train_images[:count], raw.train_labels[:count]
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(raw.mean, raw.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(np.asarray(self.images[position]))
        return self.transform(picture), int(self.labels[position])


class Reference:
    """Teacher, student, optimiser and loader; :meth:`run` trains."""

    def __init__(
        self,
        raw: RawData,
        count: int,
        teacher: str,
        student: str,
        scales: tuple[int, ...],
        device: torch.device,
        batch_size: int = 64,
        workers: int = 8,
    ) -> None:
        torch.manual_seed(0)
        self.device, self.scales = device, scales
        self.teacher = models.build(teacher, len(raw.classes)).to(device).eval()
        self.student = models.build(student, len(raw.classes)).to(device).train()
        self.optimizer = torch.optim.SGD(self.student.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
        self.loader = DataLoader(
            Images(raw, count),
            batch_size=batch_size,
            shuffle=True,
            num_workers=workers,
            drop_last=True,
            persistent_workers=workers > 0,
        )
        self._batches: Iterator[Any] = iter(())

    def run(self, steps: int) -> float:
        """So many steps; the mean loss."""
        total = 0.0
        for _ in range(steps):
            total += self.step(*self._next())
        return total / steps

    def _next(self) -> tuple[Tensor, Tensor]:
        for images, target in self._batches:
            return images.to(self.device), target.to(self.device)
        self._batches = iter(self.loader)
        return self._next()

    def step(self, images: Tensor, target: Tensor) -> float:
        """One step; the loss, read at once."""
        with torch.no_grad():
            teacher = regions(self.teacher, images, self.scales)
        student = regions(self.student, images, self.scales)
        logits = student[..., 0]
        loss_ce = CE_WEIGHT * F.cross_entropy(logits, target)
        loss = loss_ce + KD_WEIGHT * decoupled_kd(student, teacher, target, TEMPERATURE, BETA)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 40.0)
        self.optimizer.step()
        (logits.argmax(1) == target).float().mean().item()
        return loss.item()


def regions(network: nn.Module, images: Tensor, scales: tuple[int, ...]) -> Tensor:
    """Logits [B, K, R]: the classifier on each cell of the map, then pooled, the scales in order."""
    features = network.forward_features(images)  # type: ignore[operator]
    classifier = network.classifier
    maps = F.linear(features.permute(0, 2, 3, 1), classifier.weight, classifier.bias)  # type: ignore[union-attr, arg-type]
    maps = maps.permute(0, 3, 1, 2)
    pooled = [F.adaptive_avg_pool2d(maps, scale) for scale in scales]
    return torch.cat([grid.flatten(2) for grid in pooled], dim=2)


def decoupled_kd(student: Tensor, teacher: Tensor, target: Tensor, temperature: float, beta: float) -> Tensor:
    """D_con + beta * D_com of regions [B, K, R], averaged over regions and images, through four masks."""
    batch, classes, count = student.shape
    student = student.permute(2, 0, 1).reshape(count * batch, classes)
    teacher = teacher.permute(2, 0, 1).reshape(count * batch, classes)
    target = target.repeat(count)
    log_student = F.log_softmax(student / temperature, dim=1)
    p_teacher = F.softmax(teacher / temperature, dim=1)
    loss = F.kl_div(log_student, p_teacher, reduction="none").sum(1) * temperature**2
    right = teacher.argmax(1) == target
    whole = right[:batch].repeat(count)
    both_right, both_wrong = right & whole, ~right & ~whole
    only_whole, only_region = ~right & whole, right & ~whole
    parts = [
        loss[both_right].sum(),
        loss[both_wrong].sum(),
        beta * loss[only_whole].sum(),
        beta * loss[only_region].sum(),
    ]
    total = torch.stack(parts).sum() / (batch * count)
    return torch.zeros_like(total) if torch.isnan(total) or torch.isinf(total) else total
