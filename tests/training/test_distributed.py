"""Where training computes. Several processes together: tests/training/test_faults.py."""

import pytest
import torch
from torch import nn

from ssd_tutorial.training.distributed import Devices, _autocast_dtype

CPU = torch.device("cpu")


def test_one_process_is_the_main_process():
    devices = Devices("cpu")
    assert (devices.rank, devices.world_size, devices.is_main_process) == (0, 1, True)
    value = torch.tensor([1.0, 2.0])
    assert devices.sum(value) is value
    network = nn.Linear(2, 2)
    assert devices.wrap_ddp(network) is network
    devices.close()


def test_the_network_is_placed_channels_last():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    placed = Devices("cpu").to_device(network)
    assert placed[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert isinstance(placed[1], nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("precision", "dtype", "scaled"),
    [
        ("fp32", torch.float32, False),
        ("bf16", torch.bfloat16, False),
        ("fp16", torch.float16, True),
    ],
)
def test_each_precision_computes_in_its_dtype(precision, dtype, scaled):
    devices = Devices("cpu", precision)
    x = torch.ones(2, 2)
    with devices.autocast():
        assert (x @ x).dtype == dtype
    assert devices.scaler.is_enabled() == scaled
    assert (devices.scaler.scale(torch.tensor(1.0)) > 1) == scaled


def test_auto_is_bf16_only_where_the_processor_computes_in_it(monkeypatch):
    for computes in (True, False):
        monkeypatch.setattr(
            torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda c=computes: c, raising=False
        )
        devices = Devices("cpu", "auto")
        assert (devices.dtype is torch.bfloat16) == computes
        assert not devices.scaler.is_enabled()


@pytest.mark.parametrize("native", [True, False], ids=["A100", "T4"])
def test_auto_never_takes_emulated_bf16(monkeypatch, native):
    """A T4 (capability 7.5) or V100 (7.0) says yes to bfloat16, and computes it by emulation."""
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: native or including_emulation,
    )
    assert _autocast_dtype("auto", torch.device("cuda")) == (torch.bfloat16 if native else None)
    assert _autocast_dtype("bf16", torch.device("cuda")) is torch.bfloat16  # if asked for
