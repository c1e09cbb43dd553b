"""Pictures with boxes: drawn scenes, folders of VOC, COCO or YOLO, fetched data sets.

Every dataset returns the same items (see `AnnotatedFolder`): a uint8 RGB image and a target with
``boxes`` (xyxy, pixels), ``labels`` (1 is ``classes[0]``), ``difficult`` and ``name``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "coco": ["COCOFolder", "write_coco"],
        "folder": ["AnnotatedFolder", "SkipUnreadable"],
        "layouts": ["layout_of", "open_folder"],
        "messages": ["BadPicture"],
        "named": ["open_dataset"],
        "pictures": ["UnreadablePicture", "read_picture"],
        "scenes": ["SCENE_CLASSES", "Scenes", "draw_scene"],
        "voc": ["VOCFolder", "write_voc"],
        "yolo": ["YOLOFolder", "write_yolo"],
    },
)
