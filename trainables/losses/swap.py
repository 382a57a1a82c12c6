"""Swaps teacher logits, a baseline of Sun et al., "Knowledge Distillation with Refined Logits", 2024.

arXiv 2408.07703; the exchange goes back to earlier work on correcting wrong teachers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses.kd import kd


def swap(student: Tensor, teacher: Tensor, target: Tensor, *, temperature: float = 4.0) -> Tensor:
    r"""Correct a teacher that is wrong by exchanging two of its logits, and distil from it as KD does.

    .. math:: \ell = T^2\, \mathrm{KL}\big(\sigma(t' / T) \,\|\, \sigma(s / T)\big),
        \qquad t'_y = t_\mathrm{top}, \quad t'_\mathrm{top} = t_y

    top is the teacher's most likely class and y the label; a teacher that is right is left as it is.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels y [N].
        temperature: T > 0.

    Returns:
        Losses [N].
    """
    label, top = target.unsqueeze(-1), teacher.argmax(dim=-1, keepdim=True)
    both, exchanged = torch.cat((label, top), dim=-1), torch.cat((top, label), dim=-1)
    corrected = teacher.scatter(-1, both, teacher.gather(-1, exchanged))
    return kd(student, corrected, target, temperature=temperature)
