"""The right answers to chapter 18's exercises, and evidence against wrong ones."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ssd_book.disagreements import divided, shape_first
from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import VARIANCES, cxcywh_to_xyxy
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.detect import postprocess
from ssd_tutorial.evaluate import GroundTruth, voc_ap
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.weights import load_weights

SCENES = 8  # of exercise 18.5
DIVISORS = {  # of exercise 18.3: what each letter divides by
    "A": "positives of each picture",
    "B": "pictures",
    "C": "positives of the batch",
}

# Exercise 18.1: what a clamp changes


def clamped(preset: str = "caffe512_voc") -> int:
    """Return how many priors of a preset change if cx, cy, w and h are clamped to 0 … 1."""
    before = make_priors(get_preset(preset))
    return int((before != before.clamp(0, 1)).any(dim=1).sum())


def across() -> int:
    """Return how many priors of SSD512 reach out of the picture."""
    corners = cxcywh_to_xyxy(make_priors(get_preset("caffe512_voc")))
    return int(((corners < -1e-6) | (corners > 1 + 1e-6)).any(dim=1).sum())


# Exercise 18.2: rows in another order


def row_cases() -> list[tuple[Tensor, int, int]]:
    """Return rows ``[cells**2 * boxes, n]``, the cells along a side, and the boxes of a cell."""
    random = torch.Generator().manual_seed(18)
    return [
        (torch.arange(8.0)[:, None], 2, 2),
        (torch.rand(54, 3, generator=random), 3, 6),
        (torch.rand(100, 4, generator=random), 5, 4),
    ]


def cells_first(rows: Tensor, cells: int, boxes: int) -> Tensor:
    """Return rows in our order from rows that run over the boxes first."""
    return rows.view(boxes, cells * cells, -1).transpose(0, 1).reshape(len(rows), -1)


def shapes_first(rows: Tensor, cells: int, boxes: int) -> Tensor:
    """Return a wrong answer to 18.2: the way from our order to the other."""
    return rows.view(cells * cells, boxes, -1).transpose(0, 1).reshape(len(rows), -1)


def columns_first(rows: Tensor, cells: int, boxes: int) -> Tensor:
    """Return a wrong answer to 18.2: columns before rows."""
    parts = rows.view(boxes, cells, cells, -1)
    return parts.permute(2, 1, 0, 3).reshape(len(rows), -1)


# Exercise 18.3: three black boxes


def unknown(letter: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss as a function of the sums ``[B]`` and the positives ``[B]`` of the pictures."""
    return lambda sums, positives: divided(sums.double(), positives, DIVISORS[letter])


def not_three_names(answer) -> str | None:
    """Return evidence that an answer to 18.3 is not a rule per letter."""
    if not isinstance(answer, dict) or set(answer) != set(DIVISORS):
        return f"your answer is {answer!r}"
    wrong = [v for v in answer.values() if v not in DIVISORS.values()]
    return f"{wrong[0]!r} is not one of {list(DIVISORS.values())}" if wrong else None


def wrong_rule(answer) -> str | None:
    """Return evidence that a letter has another rule."""
    sums, positives = torch.tensor([6.0, 1.0]), torch.tensor([3, 1])
    for letter, rule in DIVISORS.items():
        if answer[letter] != rule:
            found = unknown(letter)(sums, positives).item()
            yours = divided(sums.double(), positives, answer[letter]).item()
            return (
                f"for sums 6 and 1, and 3 and 1 positives, {letter} gives {found:.2f}, and"
                f" yours would give {yours:.2f}"
            )
    return None


# Exercise 18.4: shuffled channels


def recoloured(identity_counts: bool = True, p: float = 0.5) -> float:
    """Return the share of pictures that get another order of channels, drawn with probability p."""
    return p * 5 / 6 if identity_counts else p


# Exercise 18.5: undocumented weights


@cache
def _ours() -> tuple[Tensor, Tensor, tuple[GroundTruth, ...], tuple[str, ...]]:
    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network.eval()
    scenes = open_dataset("scenes", "val")
    items = [scenes[i] for i in range(SCENES)]
    with torch.inference_mode():
        logits, offsets = network(torch.stack([image for image, _ in items]))
    truths = tuple(
        GroundTruth(t["boxes"].as_subclass(Tensor) / 300, t["labels"], t["difficult"])
        for _, t in items
    )
    return logits.clone(), offsets.clone(), truths, tuple(scenes.classes)


def hide(logits: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Return outputs in the conventions of exercise 18.5."""
    rows = shape_first(get_preset("caffe300_voc"))
    offsets = offsets[:, rows] * torch.tensor(VARIANCES)
    return logits[:, rows].roll(-1, dims=2), offsets


def outputs_without_papers() -> tuple[Tensor, Tensor]:
    """Return logits ``[8, 8732, 13]`` and offsets ``[8, 8732, 4]`` in unknown conventions."""
    logits, offsets, _, _ = _ours()
    return hide(logits, offsets)


def score(logits: Tensor, offsets: Tensor) -> float:
    """Return the mAP of outputs that are read with the package's conventions."""
    _, _, truths, classes = _ours()
    priors = make_priors(get_preset("caffe300_voc"))
    return voc_ap(postprocess(logits, offsets, priors), truths, classes).mean_ap


def translated(logits: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the right answer to 18.5."""
    back = shape_first(get_preset("caffe300_voc")).argsort()
    return logits[:, back].roll(1, dims=2), offsets[:, back] / torch.tensor(VARIANCES)


def _result(function, *, of: str) -> Tensor | str:
    logits, offsets, _, _ = _ours()
    result = function(*hide(logits, offsets))
    if not isinstance(result, tuple | list) or len(result) != 2:
        return "your function returns something else"
    for name, mine, wanted in zip(("logits", "offsets"), result, (logits, offsets), strict=True):
        if not isinstance(mine, Tensor) or mine.shape != wanted.shape:
            return f"your {name} are {getattr(mine, 'shape', type(mine).__name__)}"
    return result[0 if of == "logits" else 1]


def not_two_tensors(function) -> str | None:
    """Return evidence that the answer to 18.5 does not keep the shapes."""
    result = _result(function, of="logits")
    return result if isinstance(result, str) else None


def background_elsewhere(function) -> str | None:
    """Return evidence that the background is not the first class of most rows."""
    said = _result(function, of="logits").argmax(dim=2)
    share = (said == 0).double().mean().item()
    return None if share > 0.9 else f"class 0 is the surest in {share:.0%} of the rows"


def rows_elsewhere(function) -> str | None:
    """Return evidence that rows are not those of the package's priors."""
    logits, _, _, _ = _ours()
    same = (_result(function, of="logits") - logits).abs().amax(dim=2) < 1e-4
    share = same.double().mean().item()
    return None if share > 0.999 else f"{share:.0%} of the rows are in their place"


def rows_moved_forth(function) -> bool:
    """Whether an answer to 18.5 takes our order for theirs."""
    logits, offsets, _, _ = _ours()
    hidden, _ = hide(logits, offsets)
    wrong = hidden[:, shape_first(get_preset("caffe300_voc"))].roll(1, dims=2)
    mine = _result(function, of="logits")
    return isinstance(mine, Tensor) and torch.allclose(mine, wrong)


def other_units(function) -> str | None:
    """Return evidence that offsets are not in the units of the variances."""
    _, offsets, _, _ = _ours()
    mine = _result(function, of="offsets")
    factors = [(mine[..., i].std() / offsets[..., i].std()).item() for i in range(4)]
    if torch.allclose(mine, offsets, atol=1e-3):
        return None
    return "the spread of your offsets is " + ", ".join(f"{f:.2f}" for f in factors) + " of ours"
