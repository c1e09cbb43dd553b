"""A trained detector at work: on pictures, as ONNX, and what it costs (chapters 13 to 16)."""
