"""What a command loads before it starts: each of these libraries takes from 0.2 s to seconds."""

import subprocess
import sys

HEAVY = ("matplotlib", "pandas", "IPython", "ipywidgets", "onnx", "onnxruntime", "tensorboard")
TO_FETCH = ("urllib3", "pooch", "requests")


def test_commands_load_only_what_they_need():
    """One after the other in one process: what neither loads, each alone does not load either."""
    code = "import sys, ssd_tutorial.cli.doctor_command, ssd_tutorial.cli.data_command\n"
    code += "print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"ssd_tutorial.cli.doctor_command", "ssd_tutorial.cli.data_command"} <= loaded
    assert not loaded & {*HEAVY, *TO_FETCH}
