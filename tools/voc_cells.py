"""Count what a grid and what rounding do to the objects of VOC 2007, for chapter 2.

    python tools/voc_cells.py FOLDER

FOLDER has the list of boxes that `voc_boxes` reads. The pictures' sizes are not in it, and for some
pictures the boxes do not tell them. So everything is counted twice, with these pictures as
landscapes and as upright ones. It takes a minute; the record is data/runs/voc2007_cells.
"""

from pathlib import Path

import torch
from ssd_book.one_shot import cell_of, kept_by_rounding, shared, total
from voc_boxes import (
    Picture,
    count_priors,
    fractions,
    is_sure,
    read_pictures,
    size_of,
    write_record,
)

from ssd_tutorial.datasets.fetch import get_registered

CLASSES = get_registered("voc0712").classes
GRIDS = (7, 13, 19, 38)
SHORT_PX, LONG_PX = 600, 1000  # to which Fast and Faster R-CNN enlarge a picture, whichever is less
SIZES_PX = {"below 50": (0, 50), "50 to 100": (50, 100), "100 to 200": (100, 200)}
SIZES_PX |= {"200 and more": (200, 10_000)}
PRESET = "caffe300_voc"


def count_cells(pictures: list[Picture], boxes: list[torch.Tensor]) -> dict:
    """Return the counts of each grid, and on 7 x 7 those of each class."""
    grids = {}
    for cells in GRIDS:
        counts = [shared(b, p.labels, cells) for p, b in zip(pictures, boxes, strict=True)]
        pictures_with = sum(one.sharing > 0 for one in counts)
        grids[str(cells)] = {**total(counts)._asdict(), "pictures": pictures_with}
    classes = {name: [0, 0] for name in CLASSES}  # objects that share a cell, and all
    for picture, b in zip(pictures, boxes, strict=True):
        at = cell_of(b, GRIDS[0])
        several = (at[:, None] == at).sum(dim=1) > 1
        for label, one in zip(picture.labels.tolist(), several.tolist(), strict=True):
            classes[CLASSES[label]][0] += one
            classes[CLASSES[label]][1] += 1
    return {"grids": grids, "classes": classes}


def count_matches(pictures: list[Picture], boxes: list[torch.Tensor]) -> dict:
    """Return how many objects get how many of SSD300's priors."""
    counts = count_priors(boxes, [picture.labels + 1 for picture in pictures], PRESET)
    return {"without_prior": int((counts == 0).sum()), "median_priors": int(counts.median())}


def measure_rounding(pictures: list[Picture], upright: bool) -> dict:
    """Return, by stride and size, the quartiles of the IoU of a box with its rounded cells."""
    regions, sides = [], []
    for picture in pictures:
        w, h = size_of(picture, upright)
        regions.append(picture.boxes_px.double() * min(SHORT_PX / min(w, h), LONG_PX / max(w, h)))
        sides.append(
            (picture.boxes_px[:, 2:] - picture.boxes_px[:, :2]).prod(dim=1).double().sqrt()
        )
    side, quartiles = torch.cat(sides), torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    found = {}
    for stride in (16, 32):
        kept = kept_by_rounding(torch.cat(regions), stride)
        found[str(stride)] = {}
        for name, (low, high) in {**SIZES_PX, "all": (0, 10_000)}.items():
            three = kept[(low <= side) & (side < high)].quantile(quartiles)
            found[str(stride)][name] = [round(x, 3) for x in three.tolist()]
    sizes = {name: int(((a <= side) & (side < b)).sum()) for name, (a, b) in SIZES_PX.items()}
    return {"objects": sizes, "iou": found}


def record(file: Path) -> dict:
    """Return the record of a list."""
    pictures = read_pictures(file)
    unsure = [picture for picture in pictures if not is_sure(picture)]
    result = {
        "data": "VOC 2007, objects not marked difficult",
        "split": "trainval",
        "pictures": len(pictures),
        "objects": sum(len(picture.labels) for picture in pictures),
        "size_unsure": {"pictures": len(unsure), "objects": sum(len(p.labels) for p in unsure)},
        "preset": PRESET,
        "command": "python tools/voc_cells.py FOLDER",
    }
    for name, upright in (("landscape", False), ("upright", True)):
        boxes = [fractions(picture, upright, torch.float64) for picture in pictures]
        result[name] = {
            **count_cells(pictures, boxes),
            "matching": count_matches(pictures, boxes),
            "rounding": measure_rounding(pictures, upright),
        }
    return result


if __name__ == "__main__":
    write_record("voc2007_cells", __doc__, record)
