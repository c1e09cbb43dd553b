"""Non-maximum suppression on a trained detector's own boxes, round by round (chapter 13)."""

from functools import cache

import torch
import traitlets

from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_book.explorers.trained import scenes_detector, scenes_output, val_scene
from ssd_book.explorers.traits import Number
from ssd_tutorial.boxes import iou
from ssd_tutorial.detect import postprocess
from ssd_tutorial.figures import plots

_SCENES = {
    36: "A scene with a kite, three cars and a lighthouse.",
    54: "A scene with a kite, a balloon, a lighthouse and a boat.",
}
"""Of the validation split, and what they show."""
EACH, AS_ONE = "each class", "all as one"
"""Groups of several classes: one NMS per class, or one for all boxes."""


class NMSExplorer(Explorer, module="nms"):
    """All boxes with a score above 0.01, and which box suppresses which."""

    scene = traitlets.Enum(tuple(_SCENES), default_value=36)
    """Which scene: set it when the explorer is made."""
    detections = traitlets.List(read_only=True).tag(sync=True)
    """Before NMS, best first: ``[class, score, xmin, ymin, xmax, ymax]``, class from 0."""
    classes = traitlets.List(read_only=True).tag(sync=True)
    """The names of the classes."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)
    group = traitlets.Unicode("car").tag(sync=True)
    """A class, "each class", or "all as one"."""
    score_threshold = Number(0.01, min=0.01, max=1).tag(sync=True)
    iou_threshold = Number(0.45, min=0, max=1).tag(sync=True)
    step = traitlets.Int(1, min=0).tag(sync=True)
    """Completed rounds: 0 is before the first; one more than the number of rounds is the end."""

    @property
    def alt(self) -> str:
        """Say what the picture shows while the first rounds are played."""
        best = "box" if self.group in (EACH, AS_ONE) else f"box on a {self.group}"
        return (
            f"{_SCENES[self.scene]} One {best} is thick; it suppresses many dashed boxes around it;"
            " others remain."
        )

    @traitlets.default("detections")
    def _detections(self) -> list[list[float]]:
        return raw_detections(self.scene)[1]

    @traitlets.default("classes")
    def _classes(self) -> list[str]:
        return list(raw_detections(self.scene)[0])

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(val_scene(self.scene)[0])

    @traitlets.validate("group")
    def _known_group(self, proposal) -> str:
        names = [*self.classes, EACH, AS_ONE]
        if proposal["value"] not in names:
            raise traitlets.TraitError(
                f"NMSExplorer.group must be one of {', '.join(names)}, not {proposal['value']!r}"
            )
        return proposal["value"]

    def rounds(self) -> list[tuple[int, list[int]]]:
        """Return which box each round keeps and which it suppresses, as indices of `detections`."""
        several = self.group in (EACH, AS_ONE)
        left = [
            i
            for i, (k, score, *_) in enumerate(self.detections)
            if score > self.score_threshold and (several or self.classes[k] == self.group)
        ]
        boxes = torch.tensor([box for _, _, *box in self.detections], dtype=torch.float64)
        played = []
        while left:
            best, *others = left
            rivals = [i for i in others if self._rivals(best, i)]
            overlap = iou(boxes[[best]], boxes[rivals])[0].tolist()
            fallen = [i for i, o in zip(rivals, overlap, strict=True) if o > self.iou_threshold]
            played.append((best, fallen))
            left = [i for i in others if i not in fallen]
        return played

    def _rivals(self, a: int, b: int) -> bool:
        return self.group == AS_ONE or self.detections[a][0] == self.detections[b][0]

    def draw(self, figure) -> None:
        """Draw the boxes after `step`: kept, suppressed in this round, and remaining."""
        axes = figure.subplots()
        boxes = torch.tensor([box for _, _, *box in self.detections])
        played = self.rounds()
        step = min(self.step, len(played) + 1)
        plots.show_image(axes, val_scene(self.scene)[0])
        waiting = boxes[[i for best, fallen in played[step:] for i in (best, *fallen)]]
        for x0, y0, x1, y1 in waiting.tolist():  # without the rims of draw_boxes: many, and thin
            axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=plots.QUIET, linewidth=0.6)
        if 1 <= step <= len(played):
            best, fallen = played[step - 1]
            plots.draw_boxes(axes, boxes[fallen], color=plots.ORANGE, line="--", width=0.8)
            axes.set_title(f"round {step}: {len(fallen)} suppressed")
        for best, _ in played[:step]:
            now = step <= len(played) and best == played[step - 1][0]
            plots.draw_boxes(axes, boxes[best], color=plots.BLUE, width=3.2 if now else 1.6)


@cache
def raw_detections(
    scene: int, iou_threshold: float = 1.0
) -> tuple[tuple[str, ...], list[list[float]]]:
    """Return the classes, and the scene's detections: before NMS, as no IoU is above 1."""
    detector = scenes_detector()
    priors = detector.network.priors
    (found,) = postprocess(
        *scenes_output(scene),
        priors,
        iou_threshold=iou_threshold,
        detections_per_image=priors.numel(),
    )
    rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    return detector.classes, [
        [label - 1, round(score, 5), *(round(x, 4) for x in box)] for label, score, box in rows
    ]
