"""Our steps and torchvision's timed side by side: ``python -m benchmarks --help``."""
