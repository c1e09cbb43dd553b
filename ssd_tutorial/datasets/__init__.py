"""Pictures with boxes: drawn scenes, folders of VOC, COCO or YOLO, fetched data sets.

Every dataset returns the same items (see `AnnotatedFolder`): a uint8 RGB image and a target with
``boxes`` (xyxy, pixels), ``labels`` (1 is ``classes[0]``), ``difficult`` and ``name``.
"""

from ssd_tutorial.datasets.coco import COCOFolder, write_coco
from ssd_tutorial.datasets.folder import AnnotatedFolder, SkipUnreadable
from ssd_tutorial.datasets.layouts import layout_of, open_folder
from ssd_tutorial.datasets.messages import BadPicture
from ssd_tutorial.datasets.named import open_dataset
from ssd_tutorial.datasets.pictures import UnreadablePicture, read_picture
from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes, draw_scene
from ssd_tutorial.datasets.voc import VOCFolder, write_voc
from ssd_tutorial.datasets.yolo import YOLOFolder, write_yolo

__all__ = [
    "SCENE_CLASSES",
    "AnnotatedFolder",
    "BadPicture",
    "COCOFolder",
    "Scenes",
    "SkipUnreadable",
    "UnreadablePicture",
    "VOCFolder",
    "YOLOFolder",
    "draw_scene",
    "layout_of",
    "open_dataset",
    "open_folder",
    "read_picture",
    "write_coco",
    "write_voc",
    "write_yolo",
]
