"""Computes contrastive representation distillation: Tian, Krishnan, Isola, ICLR 2020, arXiv 1910.10699.

Shape legend: B images of a batch, N images of the split, D the size of an embedding, k negatives.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.losses.features import FeatureLoss, Features, FeatureShapes
from trainables.losses.precision import full_precision, without_autocast
from trainables.losses.registry import check_feature_loss

EPSILON = 1e-7


class ContrastiveDistillation(FeatureLoss):
    r"""Tells, from student and teacher embeddings, whether both were of the same image.

    .. math:: L = -\frac1B \sum_b \Big[ \log h(u_b, v_b) + \sum_{j=1}^{k} \log\big(1 - h(u_b, v_j)\big) \Big],
        \qquad h(u, v) = \frac{e^{u^\top v / \tau} / Z}{e^{u^\top v / \tau} / Z + k / N}

    u and v are embeddings of length 1 of the pooled features (one linear layer for each network, both
    trained): once u the student's against the stored teacher's v, once the other way round, added (eqs. 10,
    17-19 of the paper). tau is ``temperature``. Z is set by the first batch and kept, as in RepDistiller.

    Embeddings of all N images are stored in two banks; a seen image's are moved to its new ones by
    ``1 - momentum``. The k negatives are drawn evenly from the other images of the split; those known to
    share the anchor's label are left out (a label is known once its image has been seen), so that k above is
    what remains, about 1 % less on CIFAR-100.

    State: banks, labels and Z are buffers; the seed of the draws and their number are in ``state_dict`` as
    well, so a resumed trial draws what it would have drawn. One process only: the banks of several processes
    would each see their own share of the images.

    >>> shapes = FeatureShapes(((16, 8, 8), (32, 4, 4)))
    >>> loss = ContrastiveDistillation(shapes, shapes, 100, dim=8, negatives=16)
    >>> loss.bank_student.shape
    torch.Size([100, 8])
    """

    capturable = False  # negatives are drawn with a generator seeded for each step

    bank_student: Tensor
    bank_teacher: Tensor
    labels: Tensor
    normaliser: Tensor

    def __init__(
        self,
        student: FeatureShapes,
        teacher: FeatureShapes,
        num_samples: int,
        *,
        dim: int = 128,
        negatives: int = 16384,
        temperature: float = 0.07,
        momentum: float = 0.5,
    ) -> None:
        super().__init__()
        check_feature_loss("crd", {"negatives": negatives}, num_samples)
        self.negatives = negatives
        self.temperature = temperature
        self.momentum = momentum
        self.embed_student = nn.Linear(student.pooled, dim)
        self.embed_teacher = nn.Linear(teacher.pooled, dim)
        bound = math.sqrt(3 / dim)
        for name in ("bank_student", "bank_teacher"):
            self.register_buffer(name, torch.empty(num_samples, dim).uniform_(-bound, bound))
        self.register_buffer("labels", torch.full((num_samples,), -1))
        self.register_buffer("normaliser", torch.full((2,), -1.0))  # Z of both directions; -1 is not set
        self._seed = int(torch.randint(2**31, ()))
        self._draws = 0

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        of_student = F.normalize(full_precision(self.embed_student(full_precision(student.pooled))))
        of_teacher = F.normalize(full_precision(self.embed_teacher(full_precision(teacher.pooled))))
        drawn = self._draw(index)
        negative = self.labels[drawn] != target.unsqueeze(1)
        loss = self._contrast(of_student, self.bank_teacher, index, drawn, negative, direction=0)
        loss = loss + self._contrast(of_teacher, self.bank_student, index, drawn, negative, direction=1)
        if self.training:
            self._draws += 1
            self.labels[index] = target
            self._store(self.bank_student, index, of_student.detach())
            self._store(self.bank_teacher, index, of_teacher.detach())
        return loss

    def _draw(self, index: Tensor) -> Tensor:
        """Draw places in the split [B,k], evenly from all but the anchor's own; the same for one state."""
        generator = torch.Generator(index.device).manual_seed(self._seed * 2**31 + self._draws)
        others = self.bank_student.shape[0] - 1
        drawn = torch.randint(others, (len(index), self.negatives), generator=generator, device=index.device)
        return drawn + (drawn >= index.unsqueeze(1))

    def _contrast(
        self, anchor: Tensor, bank: Tensor, index: Tensor, drawn: Tensor, negative: Tensor, direction: int
    ) -> Tensor:
        """Return one direction's loss: anchors [B,D] against the other network's stored embeddings [N,D]."""
        chosen = torch.cat((index.unsqueeze(1), drawn), dim=1)
        counted = torch.cat((torch.ones_like(negative[:, :1]), negative), dim=1)
        with without_autocast(anchor):
            # All N products and then a choice of k + 1: far less to move than k + 1 vectors for each anchor.
            # A copy of the bank, because it changes in place before the backward pass reads it.
            similarity = (anchor @ bank.clone().T).gather(1, chosen)
        weight = (similarity / self.temperature).exp()
        odds = weight / self._normaliser(weight.detach(), counted, direction)
        noise = negative.sum(dim=1) / bank.shape[0]
        positive = odds[:, 0] / (odds[:, 0] + noise + EPSILON)
        noise = noise.unsqueeze(1)
        rejected = torch.where(negative, noise / (odds[:, 1:] + noise + EPSILON), 1.0)
        return -(positive.log() + rejected.log().sum(dim=1)).mean()

    def _normaliser(self, weight: Tensor, counted: Tensor, direction: int) -> Tensor:
        """Return one direction's Z: the stored one, or N times this batch's mean weight if none is yet."""
        stored = self.normaliser[direction]
        mean = weight.masked_fill(~counted, 0).sum() / counted.sum()
        value = torch.where(stored > 0, stored, mean * self.bank_student.shape[0]).to(weight.dtype)
        if self.training:
            self.normaliser[direction] = value
        return value

    def _store(self, bank: Tensor, index: Tensor, embedding: Tensor) -> None:
        moved = self.momentum * bank[index] + (1 - self.momentum) * embedding
        bank[index] = F.normalize(moved).to(bank.dtype)

    def get_extra_state(self) -> Tensor:
        """Return the seed of the draws and how many were made."""
        return torch.tensor([self._seed, self._draws])

    def set_extra_state(self, state: Tensor) -> None:
        """Continue the draws where ``state`` left off."""
        self._seed, self._draws = state.tolist()
