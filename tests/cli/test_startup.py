"""What a command loads before it starts: each of these libraries takes from 0.2 s to seconds."""

import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "pandas", "IPython", "ipywidgets", "onnx", "onnxruntime", "tensorboard")
TO_FETCH = ("urllib3", "pooch", "requests")


@pytest.mark.parametrize("command", ["doctor", "data"])
def test_a_command_loads_only_what_it_needs(command):
    code = f"import sys, ssd_tutorial.cli.{command}_command; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*HEAVY, *TO_FETCH}
