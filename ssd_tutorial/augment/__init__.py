"""What training does to a picture and its boxes (chapter 11).

Every operation is a torchvision ``transforms.v2`` transform of an item ``(image, target)`` of
`ssd_tutorial.datasets`. Parameters are those of the authors' Caffe code unless a name says
otherwise. All random numbers come from torch's global generator.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "colour": [
            *("PhotometricDistort", "add_brightness", "scale_contrast"),
            *("scale_saturation", "shift_hue"),
        ],
        "crop": ["IoUCrop"],
        "crop_policies": ["CROP_POLICIES", "CropPolicy", "caffe_trials"],
        "expand": ["CAFFE_MEAN", "Expand"],
        "items": ["Item", "Transform"],
        "pipelines": ["resize", "training_transform"],
        "resizing": ["INTERPOLATIONS", "RandomInterpolationResize"],
    },
)
