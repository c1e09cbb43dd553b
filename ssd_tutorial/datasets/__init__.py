"""Pictures with boxes: drawn scenes, folders in VOC's layout, a few annotated photographs.

Every dataset gives the same items (see `VOCFolder`): a uint8 RGB image and a target with
``boxes`` (xyxy, pixels), ``labels`` (1 is ``classes[0]``), ``difficult`` and ``name``.
"""

from ssd_tutorial.datasets.named import open_dataset
from ssd_tutorial.datasets.photographs import (
    PHOTOGRAPH_CLASSES,
    load_photograph,
    photograph_credit,
    photographs,
)
from ssd_tutorial.datasets.pictures import read_picture
from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes, draw_scene
from ssd_tutorial.datasets.voc import VOCFolder
from ssd_tutorial.datasets.voc_write import write_voc

__all__ = [
    "PHOTOGRAPH_CLASSES",
    "SCENE_CLASSES",
    "Scenes",
    "VOCFolder",
    "draw_scene",
    "load_photograph",
    "open_dataset",
    "photograph_credit",
    "photographs",
    "read_picture",
    "write_voc",
]
