"""The IoU crop: part of the picture, with the objects whose centre lies in it."""

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment.crop_policies import CROP_POLICIES, CropPolicy, centres_inside, draw_crop
from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.augment.items import Operation, boxes_of, keep_boxes, refuse_impossible, size_of


class IoUCrop(Operation):
    """SSD's random crop (paper, section 2.2).

    Boxes are cut at the crop's border. An object whose centre is outside is removed, with its label
    and flag; torchvision's `RandomIoUCrop` leaves a box of zeros for `SanitizeBoundingBoxes` to
    remove. At least one object remains, unless the picture had none or the policy is
    ``"caffe_literal"``.

    Args:
        policy: a name in `CROP_POLICIES`, or a `CropPolicy` of your own.
        crop_prob: probability that the crop is tried at all; Caffe always tries it.

    Raises:
        ValueError: an unknown policy or probability; when called, an impossible box.
    """

    def __init__(self, policy: str | CropPolicy = "caffe", crop_prob: float = 1.0):
        super().__init__()
        if isinstance(policy, str) and policy not in CROP_POLICIES:
            raise ValueError(
                f"no crop policy is called {policy!r}; choose one of {list(CROP_POLICIES)}"
            )
        if not 0 <= crop_prob <= 1:
            raise ValueError(f"crop_prob must be from 0 to 1, not {crop_prob}")
        self.policy = CROP_POLICIES[policy] if isinstance(policy, str) else policy
        self.crop_prob = crop_prob

    def forward(self, image: tv_tensors.Image | Framed, target: dict) -> tuple:
        """Crop an item, and keep the objects whose centre stays inside."""
        refuse_impossible(target)  # before the crop: afterwards it would look like one outside
        image, target = super().forward(image, target)
        boxes = target["boxes"].as_subclass(Tensor)
        return image, keep_boxes(target, (boxes[:, 2:] > boxes[:, :2]).all(dim=1))

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the crop in whole pixels and find which boxes stay; nothing for a whole picture."""
        boxes = boxes_of(flat_inputs)
        if self.crop_prob < 1 and torch.rand(()) >= self.crop_prob:
            return {}
        crop = draw_crop(self.policy, boxes, *size_of(flat_inputs))
        if crop is None:
            return {}
        return {"crop": crop, "stays": centres_inside(boxes, torch.tensor(crop))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Crop the picture or the boxes; boxes that do not stay become zeros."""
        if not params:
            return inpt
        if isinstance(inpt, Framed):
            return inpt.cropped(params["crop"])
        left, top, right, bottom = params["crop"]
        boxes = F.crop(inpt, top, left, bottom - top, right - left)
        boxes[~params["stays"]] = 0  # without area; `forward` leaves them out
        return boxes
