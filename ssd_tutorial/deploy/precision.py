"""Smaller ONNX files: weights in 16 or 8 bits (chapter 16)."""

import logging
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np

Precision = Literal["fp32", "fp16", "int8"]


def reduce_precision(model, precision: Precision):
    """Return an ``onnx.ModelProto`` with its convolutions in fewer bits; the rest stays float32.

    * ``fp16`` stores their weights in half of the bytes; onnxruntime widens them when it opens the
      file, so that it computes as before.
    * ``int8`` stores them in a quarter, and quantises what goes into them picture by picture:
      dynamic quantisation, for which no pictures are needed beforehand. Only onnxruntime 1.24 and
      newer multiply signed weights by unsigned inputs; Python 3.10 has no such release.

    Raises:
        ValueError: another precision.
    """
    if precision not in ("fp32", "fp16", "int8"):
        raise ValueError(f"precision must be fp32, fp16 or int8, not {precision!r}")
    if precision == "int8":
        return quantised(model)
    if precision == "fp16":
        _store_in_half(model)
    return model


def _store_in_half(model) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weights = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    widened = []
    for tensor in model.graph.initializer:
        if (name := tensor.name) in weights:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            widened.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*widened, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def quantised(model, weights: Literal["QInt8", "QUInt8"] = "QInt8"):
    """Return the model with the weights of its convolutions in signed or unsigned bytes."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole.onnx"), Path(folder, "small.onnx")
        onnx.save(model, whole)
        logging.disable(logging.WARNING)  # its advice is about models of other exporters
        try:
            quantize_dynamic(
                whole, small, op_types_to_quantize=["Conv"], weight_type=QuantType[weights]
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(small)
