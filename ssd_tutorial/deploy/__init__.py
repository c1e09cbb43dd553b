"""Use a trained detector: on pictures, as an ONNX file, and its costs (chapters 13 to 16)."""
