"""Procedural scenes: pictures with boxes, a pure function of (seed, index), nothing to download.

What varies, and why a detector needs it:

* **Size.** The scale of an object, sqrt(width x height), runs from 5 % to 80 % of the side of the
  picture, most of it log-uniform, so that every feature map of SSD has something to find.
* **Shape.** Twelve classes, from a train four times as wide as high to a lighthouse three times
  as high as wide.
* **Look-alikes.** All classes share one set of paints, some share an outline, and the background
  has plain shapes that are not objects.
* **Occlusion and truncation.** Objects hide one another and reach out of the picture. At least
  40 % of each stays in sight; one with less than 55 % in sight is marked ``difficult``, as in
  PASCAL VOC.
* **Light.** Background texture, a gradient of light, tint, exposure, blur and grain.

The box of an object is the tight box of the pixels of it that can be seen, as annotators draw it.
``tests/datasets/test_scenes.py`` holds the distribution in place: the numbers that the book
reports on scenes mean something only while the scenes stay as hard as they are.
"""

import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from ssd_tutorial.datasets.scenes.compose import SCENE_CLASSES, check_numbers, compose

__all__ = ["SCENE_CLASSES", "Scenes", "draw_scene"]


def draw_scene(seed: int, index: int, size: int = 300) -> tuple[tv_tensors.Image, dict]:
    """Draw scene number ``index`` of the endless series that ``seed`` names.

    The same arguments give the same picture in every process; no global random state is read or
    changed.

    Args:
        seed: names the series; 0 or more.
        index: which picture of it; 0 or more.
        size: side of the square picture in pixels; 64 or more.

    Returns:
        The picture, uint8 [3, size, size], RGB, and its target: ``boxes`` (``BoundingBoxes``,
        float32 [N, 4], XYXY in pixels), ``labels`` (int64 [N], 1..12), ``difficult`` (bool [N]),
        ``name`` (str). N is 1 to 8.

    Raises:
        ValueError: if ``seed`` or ``index`` is negative or ``size`` is under 64.
        TypeError: if one of them is not an integer.
    """
    scene = compose(seed, index, size)
    target = {
        "boxes": tv_tensors.BoundingBoxes(
            torch.from_numpy(scene.boxes), format="XYXY", canvas_size=(size, size)
        ),
        "labels": torch.from_numpy(scene.labels),
        "difficult": torch.from_numpy(scene.difficult),
        "name": f"scene_{seed}_{index:06d}",
    }
    return tv_tensors.Image(torch.from_numpy(scene.image).permute(2, 0, 1).contiguous()), target


class Scenes(Dataset):
    """``count`` scenes of one seed, drawn when they are asked for.

    Args:
        count: number of pictures.
        seed: names the series; the pictures of two seeds have nothing in common.
        size: side of the pictures in pixels.
        start: index of the first picture; ``Scenes(300, seed=0, start=20_000)`` shares no picture
            with ``Scenes(20_000, seed=0)``.

    An item is what `draw_scene` returns. A ``DataLoader`` with workers draws in parallel.
    """

    classes = SCENE_CLASSES

    def __init__(self, count: int, seed: int = 0, size: int = 300, start: int = 0) -> None:
        check_numbers(size, count=count, seed=seed, start=start)
        self.count, self.seed, self.size, self.start = count, seed, size, start

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, dict]:
        # the range also takes -1, and raises IndexError
        return draw_scene(self.seed, self.start + range(self.count)[index], self.size)

    def __repr__(self) -> str:
        return f"Scenes({self.count}, seed={self.seed}, size={self.size}, start={self.start})"
