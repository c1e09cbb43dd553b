"""``python -m tests.parity``: the table of differences from torchvision."""

import argparse
import sys

import torch
import torchvision

from tests.parity import measure


def main() -> int:
    """Print the table; 1 if a difference is beyond its bound."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("--batches", type=int, default=20, help="random batches a step (20)")
    parser.add_argument("--pictures", type=int, default=6, help="through the whole detector (6)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure.priors() + measure.training(arguments.batches)
    rows += measure.postprocessing(arguments.batches) + measure.whole_model(arguments.pictures)
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}\n")
    print("| quantity | largest difference | bound | over |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.quantity} | {row.largest:.2g} | {row.bound:g} | {row.over} |")
    return int(any(row.largest > row.bound for row in rows))


if __name__ == "__main__":
    sys.exit(main())
