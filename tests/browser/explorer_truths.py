"""Numbers that explorers must state at first, computed by the package.

The text on the page comes from JavaScript, the numbers in it are computed in Python: together they
show that the page computes what the book teaches, after the scripts were joined, packed and served.
"""

import re
from collections.abc import Callable

import torch
from ssd_book import explorers as widgets
from ssd_book.clinic import read_faults
from ssd_book.explorers.diagnosis import RUNS
from torch.nn import functional as F

from ssd_tutorial.boxes import cxcywh_to_xyxy, encode, iou
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import locate, make_priors, num_priors
from ssd_tutorial.scales import compute_scales, extra_scale

TRUTHS: dict[str, Callable[[], list[str]]] = {}
"""By module: what the text must contain, piece by piece, in the initial state of an explorer."""


def truth(module: str):
    """Register the function below it."""
    return lambda say: TRUTHS.setdefault(module, say)


def wrong_numbers(module: str, words: str) -> str | None:
    """Return what is wrong with the text of explorer `module` in its first state."""
    if module not in TRUTHS:
        return f"explorer_truths.py has no truth for {module}: add the numbers that it must say"
    # as whole words: "4" does not occur in "14", nor in "4.2"
    missing = [
        piece
        for piece in TRUTHS[module]()
        if not re.search(rf"(?<![\w.]){re.escape(piece)}(?!\w|\.\d)", words)
    ]
    return f"{words!r} does not contain {missing}" if missing else None


def best_iou(boxes, others) -> float:
    a, b = (torch.as_tensor(x, dtype=torch.float64).reshape(-1, 4) for x in (boxes, others))
    return iou(a, b).max().item()


@truth("iou")
def _iou():
    a, b = widgets.IoUExplorer().boxes
    return [f"{best_iou(a, b):.2f}"]


@truth("opening")
def _opening():
    explorer = widgets.Opening()  # of chapter 4
    (thing,) = explorer.objects
    a, b = torch.tensor([explorer.box, thing["box"]], dtype=torch.float64)
    shared = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).prod().item()
    together = shared / best_iou(a, b)
    return [f"{100 * shared:.0f}\u00a0%", f"{100 * together:.0f}\u00a0%"]


@truth("scales")
def _scales():
    explorer = widgets.ScalesExplorer()
    place = torch.tensor(explorer.centre, dtype=torch.float64)

    def best(name):
        s = compute_scales(get_preset(name))
        sides = [*s[:-1], *map(extra_scale, s[:-1], s[1:])]
        squares = torch.stack([torch.cat([place, place.new_full((2,), side)]) for side in sides])
        overlaps = [(best_iou(cxcywh_to_xyxy(squares), o["box"]), o["name"]) for o in near()]
        return max(overlaps)

    def near():
        return sorted(explorer.objects, key=lambda o: distance(o["box"], place))[:1]

    (mine, name), (its, _) = best("caffe300_voc"), best(explorer.compared)
    return [name, f"{mine:.2f}", f"{its:.2f}"]


def distance(box, place) -> float:
    middle = torch.tensor(box, dtype=torch.float64).reshape(2, 2).mean(dim=0)
    return (middle - place).norm().item()


@truth("aspect")
def _aspect():
    explorer = widgets.AspectRatioExplorer()
    scale, root = explorer.scale, explorer.ratio**0.5
    return [f"{scale * root:.3f}", f"{scale / root:.3f}", f"{scale**2:.3f}"]


@truth("matching")
def _matching():
    positives = int(widgets.MatchingExplorer().matches().positive.sum())
    return [str(positives), "8732", str(8732 - positives)]


@truth("loss")
def _loss():
    explorer = widgets.LossExplorer()
    boxes, prior = torch.tensor([explorer.prediction, explorer.truth]), torch.tensor(explorer.prior)
    said, wanted = encode(boxes.double(), prior.double().expand(2, 4), tuple(explorer.variances))
    box = F.smooth_l1_loss(said, wanted, reduction="sum").item()
    scores = torch.tensor([[getattr(explorer, name) for name in explorer.classes]])
    label = torch.tensor([explorer.classes.index(explorer.matched)])
    words = F.cross_entropy(scores.double(), label).item()
    return [f"{box:.2f}", f"{words:.2f}", f"{box + words:.2f}"]


@truth("nms")
def _nms():
    (_, fallen), *rest = widgets.NMSExplorer().rounds()
    left = len(rest) + sum(len(others) for _, others in rest)
    return [f"{len(fallen)} boxes", str(left)]


@truth("crop")
def _crop():
    explorer = widgets.CropExplorer()
    drawn = explorer.draws[str(explorer.seed)]
    number, crop, _ = drawn["samplers"][drawn["chosen"]][explorer.trial - 1]
    width, height = drawn["size"]
    boxes = torch.tensor(drawn["boxes"]) / torch.tensor([width, height, width, height])
    return [f"Trial {number}", f"IoU {best_iou(boxes, crop):.2f}"]


@truth("priors")
def _priors():
    explorer = widgets.PriorExplorer()
    preset, indices = get_preset(explorer.preset), explorer.indices
    boxes = cxcywh_to_xyxy(make_priors(preset)[list(indices)])
    crossing = int(((boxes < 0) | (boxes > 1)).any(dim=-1).sum())
    place = locate(preset, indices[0])
    return [
        f"row {place.row}, column {place.column}",
        f"priors {indices[0]} to {indices[-1]} of {num_priors(preset)}",
        f"{crossing} of its {len(boxes)} boxes",
    ]


@truth("receptive")
def _receptive():
    explorer = widgets.ReceptiveFieldExplorer()
    x0, y0, x1, y1 = explorer.field
    row, column = explorer.cell
    return [
        f"row {row}, column {column}",
        f"{x1 - x0:.0f} × {y1 - y0:.0f} pixels",
        f"{100 * (x1 - x0) * (y1 - y0) / 300**2:.0f} % of the picture",
    ]


@truth("roi")
def _roi():
    explorer = widgets.RoiPoolingExplorer()
    left, top, right, bottom = explorer.cells
    stride, region = explorer.stride, explorer.region_px
    covered = torch.tensor([[left, top, right + 1, bottom + 1]]).double() * stride
    row, column = explorer.bin
    return [
        f"{round(region[2] - region[0])} × {round(region[3] - region[1])} pixels",
        f"columns {left} to {right} and rows {top} to {bottom}",
        f"{(right - left + 1) * stride} × {(bottom - top + 1) * stride} pixels",
        f"IoU {best_iou(region, covered):.2f}",
        f"{explorer.output[row, column]:.0f}",
    ]


@truth("diagnosis")
def _diagnosis():
    explorer = widgets.DiagnosisExplorer()
    said = [f"After {explorer.at} samples"]
    for name in (RUNS[explorer.run], "none"):
        size = explorer.at // len(
            [r for r in explorer.runs["sound"]["curve"] if r[0] <= explorer.at]
        )
        steps = [
            r.total for r in read_faults()[name][1] if explorer.at - size < r.samples <= explorer.at
        ]
        said.append(f"{sum(steps) / len(steps):.2f}")
    return said


@truth("training")
def _training():
    explorer = widgets.TrainingExplorer()
    errors = explorer.errors()
    wrong = len(errors.kinds) - errors.kinds.count("true positive")
    _, seen, unseen, _ = explorer.frames[explorer.moment]
    return [f"{wrong} wrong", f"{len(errors.missed)} objects", f"{seen:.2f}", f"{unseen:.2f}"]


@truth("mining")
def _mining():
    explorer = widgets.MiningExplorer()
    positives, negatives = int(explorer.positive().sum()), int(explorer.negatives().sum())
    return [f"{positives} positives", f"{negatives} of {8732 - positives} negatives"]


@truth("precision_recall")
def _precision_recall():
    explorer = widgets.PrecisionRecallExplorer()
    errors = explorer.errors()
    shown = [kind for one in errors for kind in one.kinds]
    right, missed = shown.count("true positive"), sum(len(one.missed) for one in errors)
    so_far, whole = (explorer.evaluation(whole=whole).mean_ap for whole in (False, True))
    return [
        f"{len(shown)} boxes",
        f"{right} of them are right",
        f"{right} of {right + missed} objects",
        f"{so_far:.2f}",
        f"{whole:.2f}",
    ]
