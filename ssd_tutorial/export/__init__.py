"""A detector as one file in ONNX, for programs without PyTorch (chapter 16)."""

from ssd_tutorial.export.agreement import AGREEING, TOLERANCE, Agreement, measure_agreement
from ssd_tutorial.export.onnx_file import export_onnx

__all__ = ["AGREEING", "TOLERANCE", "Agreement", "export_onnx", "measure_agreement"]
