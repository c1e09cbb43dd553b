"""Use a trained detector: on pictures, on data sets, and as an ONNX file (chapters 13 to 16)."""
