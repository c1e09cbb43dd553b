"""Our steps beside torchvision's on the same inputs; ``python -m tests.parity`` prints a table."""
