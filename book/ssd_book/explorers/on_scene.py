"""Explorers of a drawn scene: its objects, and a point that can be put on one of them."""

import math
from collections.abc import Sequence

import torch
import traitlets

from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_tutorial.datasets import SCENE_CLASSES, draw_scene
from ssd_tutorial.figures import plots


class Point(traitlets.TraitType):
    """A point in the picture: [x, y], each a fraction from 0 to 1."""

    info_text = "a point [x, y] in fractions of the picture, each from 0 to 1"

    def validate(self, obj, value):
        """Return the point as a list of two floats. Raises `TraitError` for anything else."""
        value = value.tolist() if hasattr(value, "tolist") else value
        try:
            if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
                point = [float(number) for number in value]
                if all(math.isfinite(number) and 0 <= number <= 1 for number in point):
                    return point
        except (TypeError, ValueError):
            pass
        where = f"{type(obj).__name__}.{self.name}"
        raise traitlets.TraitError(f"{where} must be {self.info_text}, not {value!r}")


class OnScene(Explorer):
    """Base of such explorers; a subclass says which `scene` of ``draw_scene(0, …)`` it shows."""

    scene = 0
    picture = traitlets.Unicode(read_only=True).tag(sync=True)
    objects = traitlets.List(read_only=True).tag(sync=True)
    """The ``name`` and the ``box`` of each object, xyxy in fractions of the picture."""

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(draw_scene(0, self.scene)[0])

    @traitlets.default("objects")
    def _objects(self) -> list[dict]:
        image, target = draw_scene(0, self.scene)
        boxes = (target["boxes"] / image.shape[-1]).double()  # a scene is square
        names = [SCENE_CLASSES[label - 1] for label in target["labels"].tolist()]
        return [
            {"name": name, "box": [round(x, 4) for x in box]}
            for name, box in zip(names, boxes.tolist(), strict=True)
        ]

    def draw_scene(self, axes, margin: float = 0.0) -> None:
        """Draw the picture and its objects on `axes`, with a `margin` around it."""
        plots.show_image(axes, draw_scene(0, self.scene)[0])
        plots.draw_boxes(axes, torch.tensor([thing["box"] for thing in self.objects]), width=1.6)
        axes.set(xlim=(-margin, 1 + margin), ylim=(1 + margin, -margin))
