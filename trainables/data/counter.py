"""Draws numbers from a counter: those of an image depend on (seed, epoch, image) alone.

They are drawn anew whoever shows the image, in whatever batch, by however many workers, and for many images
at once, on their device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_GOLDEN, _FIRST, _SECOND = (
    word - 2**64 for word in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def seed_words(*seed: int) -> Tensor:
    """Return two words, int64, that stand for ``seed``, such as (seed, epoch, what is drawn)."""
    return torch.from_numpy(np.random.SeedSequence(seed).generate_state(2, np.uint64).view(np.int64))


def drawn(index: Tensor, words: Tensor, count: int) -> Tensor:
    """Return ``count`` numbers in [0, 1) for each of ``index`` [n]: [n,count] float64.

    Each row is a SplitMix64 stream (Steele, Lea, Flood, OOPSLA 2014) of its own. Words of 64 bits have a sign
    here, as devices have no others.

    >>> words = seed_words(3, 1)
    >>> both, one = drawn(torch.tensor([5, 8]), words, 4), drawn(torch.tensor([8]), words, 4)
    >>> bool((both[1] == one[0]).all())
    True

    Args:
        words: of :func:`seed_words`, on the device of ``index``.
    """
    states = _mixed(index * _GOLDEN + words[0]) + words[1]
    steps = torch.arange(1, count + 1, device=index.device) * _GOLDEN
    return _shifted(_mixed(states[:, None] + steps), 11).double() * 2.0**-53


def _mixed(word: Tensor) -> Tensor:
    word = (word ^ _shifted(word, 30)) * _FIRST
    word = (word ^ _shifted(word, 27)) * _SECOND
    return word ^ _shifted(word, 31)


def _shifted(word: Tensor, bits: int) -> Tensor:
    """Return ``word`` moved right by ``bits``, with zeros from the left."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)
