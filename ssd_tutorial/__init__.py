"""SSD (Single Shot MultiBox Detector), box by box: the package behind the book.

SSD is eleven modules, in the order of the paper:

* `presets`: every number that defines an SSD, as named presets
* `scales`: how large the boxes of each feature map are
* `boxes`: formats, IoU, and the offsets that a network learns
* `priors`: the boxes from which it starts
* `targets`: the ground truths of a batch
* `matching`: which prior is responsible for which ground truth
* `mining`: which negatives the loss counts
* `loss`: how wrong the scores are, and how wrong the boxes
* `network`: from images to scores and offsets
* `detect`: from scores and offsets to detections
* `evaluate`: average precision

Around them are rooms: `augment`, `datasets`, `weights`, `training`, `deploy`, `figures`, `doctor`
and `cli`. What most programs need can be imported from here; it is loaded when it is first used.

Everywhere: boxes are fractions of the image unless a name ends in ``_px``, a name says ``xyxy`` or
``cxcywh`` where the format is not obvious, and class 0 is the background.
"""

from typing import TYPE_CHECKING, Any

import lazy_loader

__version__ = "0.1.0"

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__, __all__ = lazy_loader.attach(
        __name__,
        submodules={"augment", "datasets", "weights", "training", "deploy", "figures", "doctor"},
        submod_attrs={
            "presets": ["SLIM300", "SSD300", "SSD512", "get_model", "get_preset"],
            "scales": ["compute_scales"],
            "boxes": ["cxcywh_to_xyxy", "decode", "encode", "iou", "xyxy_to_cxcywh"],
            "priors": ["make_priors"],
            "targets": ["make_targets"],
            "matching": ["match"],
            "mining": ["hard_negatives"],
            "loss": ["multibox_loss"],
            "network": ["SSD"],
            "detect": ["Detections", "nms", "postprocess"],
            "evaluate": ["GroundTruth", "coco_ap", "voc_ap"],
            "augment": ["training_transform"],
            "datasets": ["Scenes", "open_dataset"],
            "weights.file": ["load_weights", "save_weights"],
            "training.recipes": ["RECIPES", "Recipe", "get_recipe"],
            "training.loop": ["train"],
            "deploy.inference": ["load_detector"],
        },
    )
