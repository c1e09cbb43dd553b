"""The table of contents: what `ssd_tutorial` offers, and what importing it loads."""

import importlib
import re
import subprocess
import sys

import pytest

import ssd_tutorial

MODULES = [
    "presets",
    "scales",
    "boxes",
    "priors",
    "targets",
    "matching",
    "mining",
    "loss",
    "network",
    "detect",
    "evaluate",
]
HEAVY = {"torch", "torchvision", "numpy", "PIL", "matplotlib", "ipywidgets", "anywidget", "tqdm"}


def loaded_by(program):
    """Return the modules that a fresh Python has loaded after it."""
    program += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_loads_no_submodule_and_nothing_heavy():
    loaded = loaded_by("import ssd_tutorial; dir(ssd_tutorial)")
    assert "ssd_tutorial" in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("ssd_tutorial.")}


def test_importing_every_name_loads_no_plotting_library():
    loaded = loaded_by("from ssd_tutorial import *")
    assert {"torch", "ssd_tutorial.training.loop"} <= loaded
    assert "ssd_tutorial.figures" in loaded
    assert not loaded & {"matplotlib", "ipywidgets", "anywidget"}


def test_the_docstring_lists_the_eleven_in_the_papers_order():
    listed = re.findall(r"^\* `(\w+)`: ", ssd_tutorial.__doc__, re.M)
    assert listed == MODULES
    for name in listed:
        assert importlib.import_module(f"ssd_tutorial.{name}").__doc__


@pytest.mark.parametrize(
    "name",
    [
        "SSD",
        "make_priors",
        "match",
        "multibox_loss",
        "hard_negatives",
        "postprocess",
        "voc_ap",
        "coco_ap",
        "load_detector",
        "load_weights",
        "get_preset",
        "encode",
        "decode",
        "iou",
        "Recipe",
        "train",
    ],
)
def test_every_public_name_comes_from_its_module(name):
    value = getattr(ssd_tutorial, name)
    assert value.__name__ == name
    assert value is getattr(importlib.import_module(value.__module__), name)
    assert name in ssd_tutorial.__all__
    assert name in dir(ssd_tutorial)


def test_no_name_hides_a_module():
    for name in ssd_tutorial.__all__:
        value = getattr(ssd_tutorial, name)
        try:
            module = importlib.import_module(f"ssd_tutorial.{name}")
        except ModuleNotFoundError:
            continue
        assert value is module, name


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = ssd_tutorial.no_such_name
