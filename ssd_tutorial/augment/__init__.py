"""What training does to a picture and its boxes (chapter 11).

Every operation is a torchvision ``transforms.v2`` transform of an item ``(image, target)`` of
`ssd_tutorial.datasets`. Parameters are those of the authors' Caffe code unless a name says
otherwise. All random numbers come from torch's global generator.
"""

from ssd_tutorial.augment.colour import (
    PhotometricDistort,
    add_brightness,
    scale_contrast,
    scale_saturation,
    shift_hue,
)
from ssd_tutorial.augment.crop import IoUCrop
from ssd_tutorial.augment.crop_policies import CROP_POLICIES, CropPolicy, caffe_trials
from ssd_tutorial.augment.expand import CAFFE_MEAN, Expand
from ssd_tutorial.augment.items import Item, Transform
from ssd_tutorial.augment.pipelines import resize, training_transform
from ssd_tutorial.augment.resizing import INTERPOLATIONS, RandomInterpolationResize

__all__ = [
    "CAFFE_MEAN",
    "CROP_POLICIES",
    "INTERPOLATIONS",
    "CropPolicy",
    "Expand",
    "IoUCrop",
    "Item",
    "PhotometricDistort",
    "RandomInterpolationResize",
    "Transform",
    "add_brightness",
    "caffe_trials",
    "resize",
    "scale_contrast",
    "scale_saturation",
    "shift_hue",
    "training_transform",
]
