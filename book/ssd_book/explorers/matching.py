"""Ground truths to move over a photograph, and the priors matched to them (chapter 8)."""

import torch
import traitlets

from ssd_book import plots
from ssd_book.explorers.explorer import Explorer, picture_uri, preset_state
from ssd_book.explorers.traits import Boxes, Number
from ssd_book.photographs import load_photograph
from ssd_tutorial.matching import Matches, match
from ssd_tutorial.presets import PRESETS
from ssd_tutorial.priors import locate, make_priors
from ssd_tutorial.targets import make_targets

PHOTOGRAPHS = ("cat", "rocket")
# A whisker of the cat, and a patch of fur around it: the same prior of conv7 is the best of both.
_TWO_ON_ONE_SPOT = [[0.0, 0.71, 0.357, 0.75], [0.005, 0.648, 0.362, 0.778]]


class MatchingExplorer(Explorer, module="matching"):
    """Ground truths, and the priors that are matched to them.

    Without arguments: the photograph, objects and priors that chapter 8 begins with.
    """

    alt = (
        "A photograph with ground truths as thick black boxes, and the priors matched to them "
        "as thin boxes, each in the colour of its feature map."
    )
    boxes = Boxes(None, most=8)
    boxes.tag(sync=True)
    """The ground truths G0, G1, …, xyxy in fractions of the picture; at most 8."""
    photograph = traitlets.Enum(PHOTOGRAPHS, "cat").tag(sync=True)
    threshold = Number(0.5, min=0.1, max=1).tag(sync=True)
    """The lowest IoU of a match in step two."""
    rule = traitlets.Enum(("bipartite", "argmax"), "bipartite").tag(sync=True)
    """How step one is done, as in `ssd_tutorial.matching.match`."""
    preset = traitlets.Enum(tuple(PRESETS), "caffe300_voc").tag(sync=True)
    """The set of priors, by its name in `ssd_tutorial.presets`."""
    chosen = traitlets.Int(0, min=0).tag(sync=True)
    """Index of the ground truth touched last."""
    only = traitlets.Bool(False).tag(sync=True)
    """Whether only the priors of the chosen ground truth are drawn."""
    pictures = traitlets.Dict(read_only=True).tag(sync=True)
    presets = traitlets.Dict(read_only=True).tag(sync=True)
    examples = traitlets.Dict(read_only=True).tag(sync=True)
    """What the buttons set: traits by the button's label."""

    @traitlets.default("boxes")
    def _boxes(self) -> list:
        return _objects(self.photograph)

    @traitlets.default("pictures")
    def _pictures(self) -> dict:
        return {name: picture_uri(load_photograph(name)[0]) for name in PHOTOGRAPHS}

    @traitlets.default("presets")
    def _presets(self) -> dict:
        return {name: preset_state(preset) for name, preset in PRESETS.items()}

    @traitlets.default("examples")
    def _examples(self) -> dict:
        plain = {"threshold": 0.5, "rule": "bipartite", "preset": "caffe300_voc", "only": False}
        cat = plain | {"photograph": "cat", "boxes": _objects("cat"), "chosen": 0}
        crowded = [*_objects("cat"), *_TWO_ON_ONE_SPOT]
        return {
            "Cat and eyes": cat,
            "Two on one spot": cat | {"boxes": crowded, "rule": "argmax", "chosen": 3},
            "Slim objects": cat | {"photograph": "rocket", "boxes": _objects("rocket")},
        }

    def matches(self) -> Matches:
        """Return the matches of `ssd_tutorial.matching.match`: one image, so B is 1."""
        boxes = torch.tensor(self.boxes).reshape(-1, 4)
        targets = make_targets([boxes], [torch.ones(len(boxes), dtype=torch.int64)], 2)
        return match(make_priors(PRESETS[self.preset]), targets, self.threshold, self.rule)

    def draw(self, figure) -> None:
        """Draw the picture, its ground truths and the positives, with their number as title."""
        axes, preset = figure.subplots(), PRESETS[self.preset]
        owner = self.matches().ground_truth[0]
        shown = owner == self.chosen if self.only else owner >= 0
        positive = shown.nonzero()[:, 0]
        plots.show_image(axes, load_photograph(self.photograph)[0])
        plots.draw_priors(axes, preset, positive, width=1.6)
        for g, box in enumerate(self.boxes):
            lost = not (owner == g).any()
            hatch = {"hatch": "//", "line": ":", "color": plots.ORANGE} if lost else {}
            name = f"G{g} lost" if lost else f"G{g}"
            plots.draw_boxes(axes, torch.tensor(box), [name], width=3, **hatch)
        axes.set_title(f"{int((owner >= 0).sum())} of {len(owner)} priors are positive")
        maps = sorted({locate(preset, index).map for index in positive.tolist()})
        truth = plots.swatch("ground truth", fill=False, linewidth=3)
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "ncols": 2}
        plots.map_legend(axes, preset, maps, [truth], **place)


def _objects(photograph: str) -> list[list[float]]:
    """Return the annotated boxes of a photograph, in fractions of it."""
    image, target = load_photograph(photograph)
    height, width = image.shape[1:]
    boxes = target["boxes"].double() / torch.tensor([width, height, width, height])
    return [[round(number, 4) for number in box] for box in boxes.tolist()]
