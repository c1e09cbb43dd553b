"""The IoU crop: part of the picture, with the objects whose centre lies in it."""

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment.crop_policies import CROP_POLICIES, CropPolicy, centres_inside, draw_crop
from ssd_tutorial.augment.items import (
    Item,
    Operation,
    boxes_of,
    keep_boxes,
    refuse_impossible,
    size_of,
)


class IoUCrop(Operation):
    """SSD's random crop (paper, section 2.2).

    Boxes are cut at the crop's border. An object whose centre is outside is removed, with its label
    and flag; torchvision's `RandomIoUCrop` leaves a box of zeros for `SanitizeBoundingBoxes` to
    remove. At least one object remains, unless the picture had none or the policy is
    ``"caffe_literal"``.

    Args:
        policy: a name in `CROP_POLICIES`, or a `CropPolicy` of your own.

    Raises:
        ValueError: an unknown policy; when called, an impossible box.
    """

    def __init__(self, policy: str | CropPolicy = "caffe"):
        super().__init__()
        if isinstance(policy, str) and policy not in CROP_POLICIES:
            raise ValueError(
                f"no crop policy is called {policy!r}; choose one of {list(CROP_POLICIES)}"
            )
        self.policy = CROP_POLICIES[policy] if isinstance(policy, str) else policy

    def forward(self, image: tv_tensors.Image, target: dict) -> Item:
        """Crop an item, and keep the objects whose centre stays inside."""
        refuse_impossible(target)  # before the crop: afterwards it would look like one outside
        image, target = super().forward(image, target)
        boxes = target["boxes"].as_subclass(Tensor)
        return image, keep_boxes(target, (boxes[:, 2:] > boxes[:, :2]).all(dim=1))

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the crop in whole pixels and find which boxes stay; nothing for a whole picture."""
        boxes = boxes_of(flat_inputs)
        crop = draw_crop(self.policy, boxes, *size_of(flat_inputs))
        if crop is None:
            return {}
        return {"crop": crop, "stays": centres_inside(boxes, torch.tensor(crop))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Crop the image or the boxes; boxes that do not stay become zeros."""
        if not params:
            return inpt
        left, top, right, bottom = params["crop"]
        output = F.crop(inpt, top, left, bottom - top, right - left)
        if isinstance(output, tv_tensors.BoundingBoxes):
            output[~params["stays"]] = 0  # without area; `forward` leaves them out
        return output
