from __future__ import annotations

import torch
from torch import nn

from trainables.training.snapshot import Snapshot


def test_a_snapshot_is_the_state_at_its_time_values_kinds_and_layouts() -> None:
    layered = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).to(memory_format=torch.channels_last)
    state = {
        "student": layered.state_dict(),
        "odd": torch.arange(3, dtype=torch.uint8),
        "half": torch.ones(3, dtype=torch.float16),
        "every second": torch.arange(10.0)[::2],
        "expanded": torch.ones(1).expand(4),
        "empty": torch.empty(0, 5),
        "history": [{"epoch": 1, "loss": 0.5}],
        "momenta": [None, torch.tensor(2.0)],
    }
    expected = {name: value.clone() for name, value in layered.state_dict().items()}
    taken = Snapshot.of(state)
    with torch.no_grad():
        for value in layered.state_dict().values():
            value.zero_()
    found = taken.state()
    for name, value in expected.items():
        assert torch.equal(found["student"][name], value)
        assert found["student"][name].dtype == value.dtype
        assert found["student"][name].stride() == value.stride()
    assert found["odd"].tolist() == [0, 1, 2]
    assert found["half"].tolist() == [1, 1, 1]
    assert found["every second"].tolist() == [0, 2, 4, 6, 8]
    assert found["expanded"].tolist() == [1, 1, 1, 1]
    assert found["empty"].shape == (0, 5)
    assert found["history"] == state["history"]
    assert found["momenta"][0] is None
    assert found["momenta"][1].item() == 2.0


def test_tensors_of_a_snapshot_are_by_themselves() -> None:
    """A file of them would hold the whole block for each, otherwise."""
    found = Snapshot.of([torch.zeros(2), torch.zeros(1000)]).state()
    assert found[0].untyped_storage().nbytes() == 8
