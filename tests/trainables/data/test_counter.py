"""Numbers of a counter against SplitMix64 as its authors write it, in whole numbers of Python."""

from __future__ import annotations

import numpy as np
import torch

from trainables.data.counter import drawn, seed_words
from trainables.data.crops import uniform

WORD = 2**64


def mixed(word: int) -> int:
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % WORD
    return word ^ (word >> 31)


def stream(index: int, first: int, second: int, count: int) -> list[float]:
    golden = 0x9E3779B97F4A7C15
    state = mixed((index * golden + first) % WORD) + second
    return [(mixed((state + step * golden) % WORD) >> 11) / 2**53 for step in range(1, count + 1)]


def test_numbers_are_splitmix64s() -> None:
    index = [0, 1, 7, 49_999, 1_281_166]
    first, second = np.random.SeedSequence((3, 5)).generate_state(2, np.uint64).tolist()
    expected = [stream(each, first, second, 23) for each in index]
    assert drawn(torch.tensor(index), seed_words(3, 5), 23).tolist() == expected
    assert uniform(3, 5, np.array(index)).tolist() == expected
