"""The network: a backbone, more layers, and two small convolutions per feature map (chapter 3).

One pass over the image yields a score per class and four offsets for every prior. The feature maps
come from a backbone (`VGG16` as in the paper, or `Slim` for a CPU) and from the extras behind it.
"""

import torch
from torch import Tensor, nn

from ssd_tutorial.presets import ModelPreset
from ssd_tutorial.priors import boxes_per_cell, make_priors


class L2Norm(nn.Module):
    """Scale every pixel's feature vector to a learned length, 20 at first.

    conv4_3's activations are about ten times larger than those of the maps behind it; without this
    they would dominate (ParseNet, arXiv 1506.04579; ``normalize_layer.cpp`` in Caffe). Epsilon
    is inside the root: outside it, a pixel of zeros has a gradient of 0 / 0, which only a ReLU
    before it would hide.
    """

    def __init__(self, channels: int, length: float = 20.0, eps: float = 1e-10):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), length))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Scale every pixel of ``[B, channels, H, W]`` to length ``weight``."""
        squared = x.float().square().sum(dim=1, keepdim=True)  # [B, 1, H, W]; float: see bf16
        return (x * torch.rsqrt(squared + self.eps) * self.weight[:, None, None]).to(x.dtype)


def _conv(c_in: int, c_out: int, kernel: int = 3, **geometry) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, kernel, **geometry), nn.ReLU(inplace=True)]


def _conv_bn(c_in: int, c_out: int, kernel: int = 3, **geometry) -> list[nn.Module]:
    conv = nn.Conv2d(c_in, c_out, kernel, bias=False, **geometry)
    return [conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]


class VGG16(nn.Module):
    """VGG-16 up to conv5_3 with fc6 and fc7 turned into convolutions (paper, section 3).

    pool3 rounds up, so that 75 becomes 38. pool5 keeps the resolution (3 x 3, stride 1), and conv6
    is dilated by 6 to see as far as the fully connected layer did.
    """

    mean, std = (0.48235, 0.45882, 0.40784), (1 / 255,) * 3  # Caffe's means; values stay 0 .. 255
    channels = (512, 1024)

    def __init__(self):
        super().__init__()
        pool = {"kernel_size": 2, "stride": 2}
        self.conv4_3 = nn.Sequential(
            *_conv(3, 64, padding=1), *_conv(64, 64, padding=1), nn.MaxPool2d(**pool),
            *_conv(64, 128, padding=1), *_conv(128, 128, padding=1), nn.MaxPool2d(**pool),
            *_conv(128, 256, padding=1), *_conv(256, 256, padding=1), *_conv(256, 256, padding=1),
            nn.MaxPool2d(**pool, ceil_mode=True),
            *_conv(256, 512, padding=1), *_conv(512, 512, padding=1), *_conv(512, 512, padding=1),
        )  # fmt: skip
        self.norm = L2Norm(512)
        self.conv7 = nn.Sequential(
            nn.MaxPool2d(**pool),
            *_conv(512, 512, padding=1), *_conv(512, 512, padding=1), *_conv(512, 512, padding=1),
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            *_conv(512, 1024, padding=6, dilation=6), *_conv(1024, 1024, kernel=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> list[Tensor]:
        """Turn normalised images ``[B, 3, S, S]`` into the two largest feature maps."""
        conv4_3 = self.conv4_3(x)
        return [self.norm(conv4_3), self.conv7(conv4_3)]


def _vgg_extras(image_size: int) -> list[nn.Module]:
    """Build conv8 .. conv11 (conv12 for 512 px): 1 x 1 to cut channels, 3 x 3 to shrink the map."""
    halve = {"stride": 2, "padding": 1}
    last = {} if image_size == 300 else halve  # 300: 5 -> 3 -> 1 unpadded; 512: 8 -> 4 -> 2
    widths = [(1024, 256, 512, halve), (512, 128, 256, halve)] + [(256, 128, 256, last)] * 2
    extras = [
        nn.Sequential(*_conv(c_in, c_mid, kernel=1), *_conv(c_mid, c_out, **geometry))
        for c_in, c_mid, c_out, geometry in widths
    ]
    if image_size == 512:
        extras.append(nn.Sequential(*_conv(256, 128, kernel=1), *_conv(128, 256, 4, padding=1)))
    return extras


class Slim(nn.Module):
    """A thin VGG with batch norm and a stride-2 stem: the same 38 and 19 cells, a CPU's width.

    Batch norm lets it start from random weights, and makes an L2Norm on the first map unnecessary.
    """

    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    channels = (64, 128)

    def __init__(self):
        super().__init__()
        pool = {"kernel_size": 2, "stride": 2, "ceil_mode": True}
        self.first = nn.Sequential(
            *_conv_bn(3, 16, stride=2, padding=1), *_conv_bn(16, 32, padding=1),
            nn.MaxPool2d(**pool), *_conv_bn(32, 64, padding=1), *_conv_bn(64, 64, padding=1),
            nn.MaxPool2d(**pool), *_conv_bn(64, 64, padding=1), *_conv_bn(64, 64, padding=1),
        )  # fmt: skip
        self.second = nn.Sequential(
            nn.MaxPool2d(**pool), *_conv_bn(64, 128, padding=1), *_conv_bn(128, 128, padding=1)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Turn normalised images ``[B, 3, S, S]`` into the two largest feature maps."""
        first = self.first(x)
        return [first, self.second(first)]


def _slim_extras(image_size: int) -> list[nn.Module]:
    """Build 19 -> 10 -> 5 -> 3 -> 1, one convolution each; one pixel is too few for batch norm."""
    if image_size != 300:
        raise ValueError(f"the slim backbone has maps for 300 px, not for {image_size}")
    halve = {"stride": 2, "padding": 1}
    return [nn.Sequential(*_conv_bn(128, 128, **halve)) for _ in range(3)] + [
        nn.Sequential(*_conv(128, 128))
    ]


_BACKBONES = {
    "vgg16": (VGG16, _vgg_extras, {300: (512, 256, 256, 256), 512: (512, 256, 256, 256, 256)}),
    "slim": (Slim, _slim_extras, {300: (128,) * 4}),
}


class SSD(nn.Module):
    """A whole detector: images in, class scores and offsets of every prior out.

    Args:
        config: which priors and which backbone, such as `ssd_tutorial.presets.SLIM300`.
        num_classes: classes *with* the background.

    Raises:
        ValueError: fewer than 2 classes, or an image size that the backbone has no extras for.

    Its priors, ``[P, 4]`` cxcywh, are the buffer ``priors``.
    """

    def __init__(self, config: ModelPreset, num_classes: int):
        super().__init__()
        if num_classes < 2:
            raise ValueError(
                f"num_classes counts the background, so it is 2 or more, not {num_classes}"
            )
        preset = config.priors
        self.config, self.num_classes, self.image_size = config, num_classes, preset.image_size
        backbone, extras, extra_channels = _BACKBONES[config.backbone]
        self.backbone = backbone()
        self.extras = nn.ModuleList(extras(preset.image_size))
        channels = backbone.channels + extra_channels[preset.image_size]
        per_cell = boxes_per_cell(preset)
        self.class_heads = nn.ModuleList(
            nn.Conv2d(c, n * num_classes, 3, padding=1)
            for c, n in zip(channels, per_cell, strict=True)
        )
        self.offset_heads = nn.ModuleList(
            nn.Conv2d(c, n * 4, 3, padding=1) for c, n in zip(channels, per_cell, strict=True)
        )
        self.register_buffer("priors", make_priors(preset), persistent=False)
        self.register_buffer("mean", torch.tensor(backbone.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(3, 1, 1), persistent=False)
        self.apply(_initialise)
        for head in (*self.class_heads, *self.offset_heads):
            nn.init.xavier_uniform_(head.weight)  # Caffe's filler: scores start near uniform

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps that predict: ``[B, channels, cells, cells]`` each, large to small.

        Args:
            images: ``[B, 3, S, S]`` RGB, as floats in [0, 1] or uint8; S is ``image_size``.

        Raises:
            ValueError: another shape or type; in evaluation mode also floats outside [0, 1], which
                the training step is not slowed down to look for.
        """
        size = self.image_size
        if images.ndim != 4 or images.shape[1:] != (3, size, size):
            raise ValueError(f"images must be [B, 3, {size}, {size}], not {list(images.shape)}")
        if images.dtype == torch.uint8:
            images = images / 255
        elif not images.is_floating_point():
            raise ValueError(f"images must be uint8, or floats in [0, 1], not {images.dtype}")
        elif not (self.training or images.is_meta or torch.compiler.is_compiling()) and len(images):
            least, most = (x.item() for x in images.detach().aminmax())
            if not -0.01 <= least <= most <= 1.01:  # what a resize rounds may pass
                where = f"[{least:.4g}, {most:.4g}]"
                raise ValueError(f"images must be uint8, or floats in [0, 1], not in {where}")
        maps = self.backbone((images - self.mean) / self.std)
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return maps

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[B, P, C]``, before softmax, and offsets ``[B, P, 4]``.

        Arguments and errors are those of `feature_maps`.
        """
        maps = self.feature_maps(images)
        logits = self._predict(maps, self.class_heads, self.num_classes)
        offsets = self._predict(maps, self.offset_heads, 4)
        return logits, offsets

    @staticmethod
    def _predict(maps: list[Tensor], heads: nn.ModuleList, width: int) -> Tensor:
        """Run one head per map and line up rows, columns, boxes as `make_priors` does."""
        rows = [
            head(x).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, width))  # [B, P_k, width]
            for head, x in zip(heads, maps, strict=True)
        ]
        return torch.cat(rows, dim=1)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
