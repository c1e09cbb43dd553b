"""Weights from elsewhere: torchvision's SSD300 under our names (chapters 3 and 15).

Both networks have the same layers in the same order: only names differ. The priors differ too, so
load torchvision's weights into ``SSD300.with_priors(get_preset("torchvision300_coco"))``.
"""

from collections.abc import Mapping

from torch import Tensor


def _torchvision_layers() -> dict[str, str]:
    """The name of every layer there, and its name here."""
    to_conv4_3 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)  # positions in both nn.Sequential
    layers = {f"backbone.features.{i}": f"backbone.conv4_3.{i}" for i in to_conv4_3}
    layers |= {f"backbone.extra.0.{i}": f"backbone.conv7.{i}" for i in (1, 3, 5)}  # conv5
    layers["backbone.extra.0.7.1"] = "backbone.conv7.8"  # conv6, which they nest once more
    layers["backbone.extra.0.7.3"] = "backbone.conv7.10"
    for k in range(4):  # conv8 .. conv11, a 1 x 1 and a 3 x 3 each
        layers |= {f"backbone.extra.{k + 1}.{i}": f"extras.{k}.{i}" for i in (0, 2)}
    for k in range(6):
        layers[f"head.classification_head.module_list.{k}"] = f"class_heads.{k}"
        layers[f"head.regression_head.module_list.{k}"] = f"offset_heads.{k}"
    return layers


_TORCHVISION = {
    "backbone.scale_weight": "backbone.norm.weight",
    **{
        f"{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in _torchvision_layers().items()
        for kind in ("weight", "bias")
    },
}


def from_torchvision_ssd300(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of torchvision's ``ssd300_vgg16`` under the names of `ssd_tutorial.network`.

    Tensors are passed on, not copied. The number of classes is what the heads have: 91 with the
    background for torchvision's COCO weights. Images go in as RGB in [0, 1], as there. ::

        model = SSD(SSD300.with_priors(get_preset("torchvision300_coco")), num_classes=91)
        model.load_state_dict(from_torchvision_ssd300(theirs.state_dict()))

    Raises:
        ValueError: names each key that is unknown and each that is missing.
    """
    unknown = [key for key in state_dict if key not in _TORCHVISION]
    missing = [key for key in _TORCHVISION if key not in state_dict]
    faults = [
        f"{len(keys)} {what}: {', '.join(keys[:5])}{', …' if len(keys) > 5 else ''}"
        for what, keys in (("unknown", unknown), ("missing", missing))
        if keys
    ]
    if faults:
        raise ValueError(
            "this is not the state dict of torchvision's ssd300_vgg16; keys " + "; ".join(faults)
        )
    return {ours: state_dict[theirs] for theirs, ours in _TORCHVISION.items()}
