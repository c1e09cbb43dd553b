"""Costs: counts against arithmetic, torchvision's published figures, and a real forward pass."""

import pytest
import torch
from ssd_book import costs
from torch import nn
from torchvision.models.detection import SSD300_VGG16_Weights

from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300, SSD300, get_model


class Toy(nn.Module):
    """Two convolutions on 8 x 8 pixels, small enough to count by hand."""

    image_size = 8

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(4, 2, 1, bias=False)

    def forward(self, images):
        return (self.second(self.relu(self.first(images))),)


@pytest.fixture(scope="module")
def slim():
    return SSD(SLIM300, 13)


# --- operations and parameters --------------------------------------------------------------------


def test_operations_of_a_small_network_are_those_of_paper_and_pencil():
    first, second = 64 * 4 * 3 * 9, 64 * 2 * 4  # multiply-adds: outputs x inputs of each
    flops = costs.count_flops(Toy())
    assert flops.forward == 2 * (first + second)
    # each weight's gradient costs as much as its layer; so does each input's, but for the image
    assert flops.backward == 2 * (first + 2 * second)
    assert flops.training == flops.forward + flops.backward
    assert flops.multiply_adds == first + second


def test_ssd300_costs_what_torchvision_publishes():
    meta = SSD300_VGG16_Weights.COCO_V1.meta
    with torch.device("meta"):
        network = SSD(SSD300, len(meta["categories"]))
    assert costs.parameter_count(network) == meta["num_params"]
    assert round(costs.count_flops(network).multiply_adds / 1e9, 3) == meta["_ops"]


def test_operations_grow_with_the_batch_alone(slim):
    one, many = costs.count_flops(slim), costs.count_flops(slim, 32)
    assert many == costs.Flops(32 * one.forward, 32 * one.backward)


def test_frozen_parameters_are_not_trained():
    toy = Toy()
    assert costs.parameter_count(toy) == 4 * 27 + 8
    toy.first.requires_grad_(False)
    assert costs.parameter_count(toy) == 8
    assert costs.count_flops(toy).backward == 2 * 64 * 2 * 4


def test_counting_changes_nothing(slim):
    before = {name: value.clone() for name, value in slim.state_dict().items()}
    costs.count_flops(slim, 2)
    costs.training_memory(slim, 2)
    assert all(torch.equal(before[name], value) for name, value in slim.state_dict().items())
    assert all(p.grad is None and p.device.type == "cpu" for p in slim.parameters())


# --- memory ---------------------------------------------------------------------------------------


def saved_bytes(network, precision):
    """Return the bytes that autograd holds after a forward pass, by memory address."""
    saved = {}
    own = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}

    def keep(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor  # held: no address is used again
        return tensor

    half = precision == "bf16"
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        network(torch.rand(2, 3, network.image_size, network.image_size))
    held = sum(t.untyped_storage().nbytes() for at, t in saved.items() if at not in own)
    copies = sum(2 * p.numel() for p in network.parameters() if p.ndim > 1) if half else 0
    return held - copies


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 0), ("bf16", 0.005)])
def test_activations_are_what_a_real_forward_pass_holds(slim, precision, tolerance):
    counted = costs.training_memory(slim, 2, precision=precision).activations
    assert counted == pytest.approx(saved_bytes(slim, precision), rel=tolerance)


def test_memory_of_a_small_network_by_hand():
    memory = costs.training_memory(Toy(), 5)
    # the image, the ReLU's output once (both the ReLU and the second convolution need it)
    assert memory.activations == 4 * 5 * 64 * (3 + 4)
    assert memory.weights == memory.gradients == memory.optimizer == 4 * 116
    assert memory.total == 4 * 5 * 64 * 7 + 3 * 4 * 116
    half = costs.training_memory(Toy(), 5, precision="fp16", optimizer="adamw")
    assert half.activations == memory.activations / 2
    assert (half.weights, half.gradients, half.optimizer) == (6 * 116, 4 * 116, 8 * 116)


# --- speed ----------------------------------------------------------------------------------------


def test_speed_is_the_batch_over_the_seconds_of_a_step(slim, monkeypatch):
    taken = iter([2.0, 1.0, 4.0])
    now, steps = [0.0], []

    def step():
        steps.append(now[0])
        now[0] += 9.0 if len(steps) == 1 else next(taken)  # the first does not count

    monkeypatch.setattr(costs, "_step_of", lambda *_: step)
    speed = costs.images_per_second(slim, 8, seconds=6.5, clock=lambda: now[0])
    assert speed == (4, 3, 6)  # of 2, 4 and 8 pictures per second
    assert len(steps) == 4


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_timing_leaves_the_network_as_it_was(slim, training, precision):
    before = {name: value.clone() for name, value in slim.state_dict().items()}
    slim.train()
    speed = costs.images_per_second(slim, 2, precision, training=training, seconds=1e-6)
    assert 0 < speed.low == speed.median == speed.high
    assert slim.training
    assert all(torch.equal(before[name], value) for name, value in slim.state_dict().items())
    assert all(p.grad is None for p in slim.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_a_training_step_is_timed_with_its_backward_pass(slim, training):
    before = slim.class_heads[0].weight.clone()
    costs._step_of(slim, 1, torch.float32, training)()
    assert torch.equal(before, slim.class_heads[0].weight) != training


def test_timing_says_nothing_on_the_terminal(slim, capfd):
    costs.images_per_second(slim, 1, training=False, seconds=1e-6)
    assert capfd.readouterr() == ("", "")


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda n: costs.count_flops(n, 0), "batch_size must be 1 or more, not 0"),
        (lambda n: costs.training_memory(n, -1), "batch_size must be 1 or more, not -1"),
        (lambda n: costs.training_memory(n, precision="bf17"), "fp32, bf16, fp16, not 'bf17'"),
        (lambda n: costs.training_memory(n, optimizer="lion"), "one of sgd, adamw, not 'lion'"),
        (lambda n: costs.images_per_second(n, 0), "batch_size must be 1 or more"),
        (lambda n: costs.images_per_second(n, 1, "int8"), "precision must be one of"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(slim, call, words):
    with pytest.raises(ValueError, match=words):
        call(slim)


def test_every_model_can_be_counted():
    found = {}
    for name in ("slim300", "ssd300", "ssd512"):
        with torch.device("meta"):
            network = SSD(get_model(name), 21)
        found[name] = costs.count_flops(network).multiply_adds
    assert 0.7e9 < found["slim300"] < 0.9e9 < 31e9 < found["ssd300"] < 32e9
    assert 2.8 < found["ssd512"] / found["ssd300"] < 3.0
