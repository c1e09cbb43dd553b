"""Count the real objects of PASCAL VOC 2007 by size and shape: data/runs/voc2007_boxes.

    python tools/record_boxes.py PATH/TO/VOC2007_boxes

The folder holds the list of boxes that `voc_boxes` reads, which also says how the sizes of the
pictures are guessed: for one object in six the list cannot tell. The book may quote counts of it,
and does not hold the file.
"""

from dataclasses import replace
from pathlib import Path

import torch
from voc_boxes import count_priors, fractions, read_pictures, size_of, write_record

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.datasets.fetch import get_registered
from ssd_tutorial.presets import PRESETS, get_preset
from ssd_tutorial.priors import make_priors

PRESET = "caffe300_voc"
# Edges of the groups: 24, 36, 54, 81 and 120 px of 300.
SIZES = (0.0, 0.08, 0.12, 0.18, 0.27, 0.4, 1.0)
SIZE_BINS = (0.035, 1.0, 25)  # of the histogram of sizes, equal in the logarithm
RATIO_BINS = (0.1, 10.0, 41)
RATIO_SETS = {"1, 2, 1/2, 3, 1/3": (2, 3), "1, 2, 1/2": (2,), "1": ()}


def read(path: Path) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """Return each picture's boxes ``[n, 4]``, xyxy in fractions, its labels, and its size in px."""
    pictures = read_pictures(path)
    sizes = torch.tensor([size_of(picture) for picture in pictures], dtype=torch.float32)
    boxes = [fractions(picture) for picture in pictures]
    return boxes, [picture.labels + 1 for picture in pictures], sizes


def best_overlap(objects: torch.Tensor, preset) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the best IoU of each object with any prior, and how many priors reach 0.5."""
    corners = cxcywh_to_xyxy(make_priors(preset))
    overlaps = (iou(part, corners) for part in objects.split(200))
    pairs = [(x.amax(dim=1), (x >= 0.5).sum(dim=1)) for x in overlaps]
    return torch.cat([best for best, _ in pairs]), torch.cat([count for _, count in pairs])


def with_ratios(preset, kept):
    """Return the preset with these ratios (and their inverses) where it has them."""
    maps = [replace(fm, ratios=tuple(r for r in fm.ratios if r in kept)) for fm in preset.maps]
    return preset.vary(name="other ratios", maps=tuple(maps))


def histogram(values: torch.Tensor, low: float, high: float, edges: int) -> dict:
    """Return edges, equal in the logarithm, and how many values lie between neighbours.

    The first and the last count hold what lies beyond, too.
    """
    at = torch.logspace(torch.tensor(low).log10(), torch.tensor(high).log10(), edges)
    counts = torch.bincount(torch.bucketize(values, at[1:-1], right=True), minlength=edges - 1)
    return {"edges": [round(x, 4) for x in at.tolist()], "objects": counts.tolist()}


def share(which: torch.Tensor) -> float:
    return round(float(which.float().mean()), 4)


def measure(path: Path) -> dict:
    """Return the record: counts, medians and shares of the objects in the file."""
    boxes, labels, picture_sizes = read(path)
    objects, kinds = torch.cat(boxes), torch.cat(labels)
    number = torch.tensor([len(own) for own in boxes])
    sides = objects[:, 2:] - objects[:, :2]
    sides_px = sides * picture_sizes.repeat_interleave(number, dim=0)
    size = sides.prod(dim=1).sqrt()
    squeezed, in_picture = sides[:, 0] / sides[:, 1], sides_px[:, 0] / sides_px[:, 1]
    groups = torch.bucketize(size, torch.tensor(SIZES[1:-1]), right=True)
    slim = (squeezed > 2) | (squeezed < 1 / 2)

    classes = {}
    for label, name in enumerate(get_registered("voc0712").classes, start=1):
        of_class = kinds == label
        classes[name] = {
            "objects": int(of_class.sum()),
            "size": round(float(size[of_class].median()), 3),
            "ratio": round(float(in_picture[of_class].median()), 2),
            "squeezed": [
                round(x, 2)
                for x in squeezed[of_class]
                .quantile(torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95]))
                .tolist()
            ],
        }
    overlaps = {name: best_overlap(objects, preset) for name, preset in PRESETS.items()}
    presets = {}
    for name, (best, count) in overlaps.items():
        presets[name] = {
            "reached": share(best >= 0.5),
            "by_size": [share(best[groups == g] >= 0.5) for g in range(len(SIZES) - 1)],
            "priors": round(float(count.float().mean()), 1),
        }
    ratios = {}
    for name, kept in RATIO_SETS.items():
        best, _ = best_overlap(objects, with_ratios(get_preset(PRESET), kept))
        ratios[name] = {"reached": share(best >= 0.5), "slim": share(best[slim] >= 0.5)}
    best, _ = overlaps[PRESET]
    bipartite, argmax = (count_priors(boxes, labels, PRESET, x) for x in ("bipartite", "argmax"))
    return {
        "data": "VOC2007_boxes",
        "split": "trainval",
        "preset": PRESET,
        "pictures": len(boxes),
        "objects": len(objects),
        "slim": share(slim),
        "sizes": histogram(size, *SIZE_BINS),
        "ratios": histogram(in_picture, *RATIO_BINS),
        "squeezed_ratios": histogram(squeezed, *RATIO_BINS),
        "below": {f"{edge}": share(size < edge) for edge in (0.1, 0.2)},
        "classes": classes,
        "presets": presets,
        "ratio_sets": ratios,
        "matching": {
            "edges": list(SIZES),
            "objects": torch.bincount(groups, minlength=len(SIZES) - 1).tolist(),
            "step_one_only": [share(best[groups == g] < 0.5) for g in range(len(SIZES) - 1)],
            "positives": [
                round(float(bipartite[groups == g].float().mean()), 1)
                for g in range(len(SIZES) - 1)
            ],
            "vanished_under_argmax": int((argmax == 0).sum()),
        },
        "command": f"python tools/record_boxes.py {path.parent.name}",
    }


def main(words: list[str] | None = None) -> None:
    """Read the list, count, and write the record."""
    write_record("voc2007_boxes", __doc__, measure, words)


if __name__ == "__main__":
    main()
