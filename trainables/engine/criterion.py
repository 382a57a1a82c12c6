"""Computes the whole training loss of a method: ce_weight * L_CE + alpha * L_SDD + weighted feature losses.

Shape legend: B images, R regions with the global view first, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.config.method import LogitTerm, Method
from trainables.data.mixing import MixedLabels
from trainables.engine.head import HeadOutputs
from trainables.losses import linear_warmup, logit_loss, scale_decoupled
from trainables.losses.features import FeatureShapes, feature_loss
from trainables.losses.precision import full_precision
from trainables.losses.registry import check_registered_code


class Criterion(nn.Module):
    """Computes the loss of a :class:`~trainables.config.Method`, its terms by name.

    Feature losses with parameters of their own are submodules: they are trained and checkpointed with the
    student and left out of what is exported. They know each image by its position in the split that is
    trained on, so that what one keeps of the images is of no others: CRD's negatives, for instance.

    Example:
        >>> student = HeadOutputs(torch.zeros(4, 1, 10), None)
        >>> label = torch.tensor([0, 1, 2, 3])
        >>> terms = Criterion(Method())(student, None, label, index=label, epoch=1)
        >>> {name: round(term.item(), 4) for name, term in terms.items()}  # log(10)
        {'ce': 2.3026}
    """

    _places: Tensor
    """Position in the split of each raw image; -1 for those that are not in it."""

    def __init__(
        self,
        method: Method,
        student: FeatureShapes | None = None,
        teacher: FeatureShapes | None = None,
        images: Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        """Build the base loss and the feature losses that ``method`` names.

        Args:
            student, teacher: shapes of the networks' maps, which feature losses need.
            images: [N] positions in the raw train set of the images that are trained on; feature losses need
                them too.
            label_smoothing: s of the cross-entropy (1 - s) * L_CE + s * (mean over classes of -log p).
        """
        super().__init__()
        images = torch.empty(0, dtype=torch.int64) if images is None else images.cpu()
        places = torch.full((int(images.max()) + 1 if len(images) else 0,), -1)
        places[images] = torch.arange(len(images))
        self.register_buffer("_places", places, persistent=False)
        self.method = method
        self.label_smoothing = label_smoothing
        self.base = None
        if method.logit is not None:
            check_registered_code(method.logit.base, method.logit.code)
            self.base = logit_loss(method.logit.base, **method.logit.options)
        self.feature_losses = nn.ModuleList()
        for term in method.features:
            if student is None or teacher is None:
                raise ValueError(f"feature loss {term.name} needs the shapes of the maps")
            self.feature_losses.append(feature_loss(term.name, student, teacher, len(images), **term.options))

    def forward(
        self,
        student: HeadOutputs,
        teacher: HeadOutputs | None,
        target: Tensor,
        index: Tensor,
        epoch: int,
        mixed: MixedLabels | None = None,
    ) -> dict[str, Tensor]:
        """Return :meth:`terms` with the weights of ``epoch``."""
        return self.terms(student, teacher, target, index, self.weights(epoch), mixed)

    def weights(self, epoch: int) -> dict[str, float]:
        """Return all weights in ``epoch``, counted from 1, warm-up included."""
        weights = {"ce": self.method.ce_weight}
        if self.label_smoothing:
            weights["smoothing"] = self.label_smoothing
        term = self.method.logit
        if term is not None:
            weights["logit"] = term.alpha * linear_warmup(epoch, term.warmup_epochs)
            weights["consistent"], weights["complementary"] = (
                term.consistent_weight,
                term.complementary_weight,
            )
        for position, feature in enumerate(self.method.features):
            weights[f"feature{position}"] = feature.weight * linear_warmup(epoch, feature.warmup_epochs)
        return weights

    def terms(
        self,
        student: HeadOutputs,
        teacher: HeadOutputs | None,
        target: Tensor,
        index: Tensor,
        weights: Mapping[str, float | Tensor],
        mixed: MixedLabels | None = None,
    ) -> dict[str, Tensor]:
        """Return weighted terms, scalars in float32: ``ce``, ``logit``, ``feature``; the loss is their sum.

        With a loss of two views the cross-entropy is the sum of that of both.

        Args:
            student, teacher: outputs for the same augmented images; no teacher for plain training.
            target: labels [B].
            index: position of each image in the raw train set [B].
            weights: as :meth:`weights` gives them, or as scalars on the device.
            mixed: second labels of mixed images, which the cross-entropy counts by their share; all other
                terms take ``target``, the label that has more.
        """
        labelled = _labelled(student.logits, target, weights, mixed)
        if self.base is not None and self.base.views == 2:
            assert student.strong is not None
            labelled = labelled + _labelled(student.strong[:, 0], target, weights, mixed)
        terms = {"ce": weights["ce"] * labelled}
        if teacher is None:
            return terms
        if self.method.logit is not None:
            terms["logit"] = weights["logit"] * self._decoupled(
                self.method.logit, student, teacher, target, weights
            )
        for position, loss in enumerate(self.feature_losses):
            place = self._places[index]
            value = weights[f"feature{position}"] * loss(student.features, teacher.features, target, place)
            terms["feature"] = terms["feature"] + value if "feature" in terms else value
        return terms

    def _decoupled(
        self,
        term: LogitTerm,
        student: HeadOutputs,
        teacher: HeadOutputs,
        target: Tensor,
        weights: Mapping[str, float | Tensor],
    ) -> Tensor:
        first = 0 if 1 in term.scales and term.pooling == "map" else 1
        whole = first if 1 in term.scales else 0  # with released pooling not the logits of the image
        assert self.base is not None
        student_regions, teacher_regions = (self._viewed(outputs) for outputs in (student, teacher))
        return scale_decoupled(
            self.base,
            student_regions[..., first:, :],
            teacher_regions[..., first:, :],
            target,
            consistent_weight=weights["consistent"],
            complementary_weight=weights["complementary"],
            reduction=term.reduction,
            agreement=term.agreement,
            standardize=term.standardize,
            student_global=student_regions[..., whole, :],
            teacher_global=teacher_regions[..., whole, :],
        )

    def _viewed(self, outputs: HeadOutputs) -> Tensor:
        """Return the regions that the base compares: [B,R,K], or [2,B,R,K] of two views."""
        assert self.base is not None
        if self.base.views == 1:
            return outputs.regions
        assert outputs.strong is not None
        return torch.stack((outputs.regions, outputs.strong))


def _labelled(
    logits: Tensor, target: Tensor, weights: Mapping[str, float | Tensor], mixed: MixedLabels | None
) -> Tensor:
    """Return the cross-entropy of the labels, both of mixed images, smoothed where that is asked for."""
    logits = full_precision(logits)
    labelled = functional.cross_entropy(logits, target)
    if mixed is not None:
        second = functional.cross_entropy(logits, mixed.target)
        labelled = mixed.share * labelled + (1 - mixed.share) * second
    if "smoothing" in weights:  # its share is a number on the device, which compiled steps do not build in
        uniform = -functional.log_softmax(logits, dim=1).mean()
        labelled = (1 - weights["smoothing"]) * labelled + weights["smoothing"] * uniform
    return labelled
