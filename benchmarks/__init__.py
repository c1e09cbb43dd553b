"""Time our steps and torchvision's side by side: ``python -m benchmarks --help``."""
