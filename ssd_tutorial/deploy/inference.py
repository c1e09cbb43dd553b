"""From pictures of any size to detections in their own pixels (chapters 12, 13 and 16).

``load_detector`` opens what `train` or `export` wrote; ``detect`` takes either. A file in ONNX is
computed by onnxruntime, which is asked for when it is needed and not before.
"""

import json
import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as F

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets import SkipUnreadable
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.evaluate import GroundTruth
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import get_model, get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.weights.file import Detector, load_weights
from ssd_tutorial.weights.pretrained import load_coco

_log = logging.getLogger(__name__)

ONNX_FORMAT = "1"
"""Version of the metadata that `ssd_tutorial.deploy.onnx_file` writes and `OnnxNetwork` reads."""


def load_detector(weights: str | Path) -> Detector:
    """A detector, ready to use, on the CPU.

    Args:
        weights: a file that `train` wrote (``.safetensors``) or `export` did (``.onnx``), or
            "coco": torchvision's SSD300, which is downloaded.

    Returns:
        Its ``network`` is an `SSD`, or for ONNX an `OnnxNetwork`; `detect` takes both.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or another program wrote it.
        ImportError: onnxruntime is needed and not installed.
    """
    if str(weights) == "coco":
        return load_coco()
    if Path(weights).suffix.lower() != ".onnx":
        return load_weights(weights)
    network = OnnxNetwork(weights)
    return Detector(network, network.classes, network.metadata)


class OnnxNetwork(nn.Module):
    """A detector in a file of `deploy.onnx_file.export_onnx`, with the interface of `SSD`.


    Its buffer ``priors``, ``[P, 4]`` cxcywh, says by its place where onnxruntime computes.
    ``limits`` is None, or, of a file with the post-processing inside, the arguments of
    `ssd_tutorial.detect.postprocess` that are fixed there.

    Raises as `load_detector`.
    """

    def __init__(self, path: str | Path):
        super().__init__()
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no ONNX file at {path}")
        self._sessions: dict[str, object] = {}
        metadata = self._session("cpu").get_modelmeta().custom_metadata_map
        if metadata.get("ssd_tutorial.format") != ONNX_FORMAT:
            raise ValueError(
                f"{path} was not written by this version's export: its metadata has"
                f" ssd_tutorial.format {metadata.get('ssd_tutorial.format')}, not {ONNX_FORMAT}"
            )
        try:
            self.config = get_model(metadata["model"]).with_priors(get_preset(metadata["priors"]))
            self.classes = tuple(json.loads(metadata["classes"]))
            self.metadata = json.loads(metadata["facts"])
            self.limits: dict | None = json.loads(metadata["limits"])
        except (KeyError, ValueError) as error:
            words = error.args[0]
            raise ValueError(f"{path} has metadata that cannot be used: {words}") from error
        self.num_classes, self.image_size = len(self.classes) + 1, self.config.priors.image_size
        self.register_buffer("priors", make_priors(self.config.priors), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[B, P, C]`` before softmax and offsets ``[B, P, 4]``, as of `SSD`.

        Args:
            images: uint8 ``[B, 3, S, S]`` RGB; S is ``image_size``.

        Raises:
            ValueError: another shape or type, or the file has the post-processing inside.
        """
        if self.limits is not None:
            raise ValueError(f"{self.path} gives detections, no scores of priors: use detect")
        logits, offsets, _ = self._run(images)
        return logits, offsets

    def detections(self, images: Tensor, **limits) -> list[Detections]:
        """What a file with the post-processing inside finds, boxes in fractions of the image.

        Raises `ValueError` for limits that would need what the file has already thrown away.
        """
        fixed = self.limits or {}
        least = limits.pop("score_threshold", fixed["score_threshold"])
        other = {name: value for name, value in limits.items() if fixed.get(name) != value}
        if other or least < fixed["score_threshold"]:
            raise ValueError(
                f"{self.path} has its post-processing inside, with {fixed}: here only the score"
                " threshold can be raised; export again with other limits, or without"
                " --postprocessing"
            )
        boxes, scores, labels, image = self._run(images)
        keep = scores > least
        found = Detections(boxes[keep], scores[keep], labels[keep])
        counts = torch.bincount(image[keep], minlength=len(images)).tolist()
        return [Detections(*one) for one in zip(*(x.split(counts) for x in found), strict=True)]

    def _run(self, images: Tensor) -> list[Tensor]:
        size, device = self.image_size, self.priors.device
        if images.ndim != 4 or images.shape[1:] != (3, size, size) or images.dtype != torch.uint8:
            raise ValueError(
                f"images must be uint8 [B, 3, {size}, {size}], not"
                f" {str(images.dtype).removeprefix('torch.')} {list(images.shape)}"
            )
        out = self._session(device.type).run(None, {"images": images.cpu().numpy()})
        return [torch.from_numpy(array).to(device) for array in out]

    def _session(self, device: str):
        """The file, opened by onnxruntime for this kind of device."""
        if device not in self._sessions:
            self._sessions[device] = _open_session(self.path, device)
        return self._sessions[device]


def _open_session(path: Path, device: str):
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            f"{path} needs onnxruntime, which is not installed: pip install onnxruntime"
        ) from error
    providers = ["CPUExecutionProvider"]
    if device == "cuda":
        providers.insert(0, "CUDAExecutionProvider")
        if providers[0] not in onnxruntime.get_available_providers():
            warnings.warn(
                "this onnxruntime computes on the processor only: for the GPU, install"
                " onnxruntime-gpu in its place",
                stacklevel=2,
            )
            providers = providers[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only; they are raised as well
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common class of their own
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"{path} is no ONNX file that onnxruntime can open: {first}") from error


@torch.inference_mode()
def detect(network: SSD | OnnxNetwork, images: Sequence[Tensor], **limits) -> list[Detections]:
    """Detect objects in pictures.

    Args:
        network: put into evaluation mode for the time of the call.
        images: uint8 ``[3, H, W]`` RGB each, of any size; stretched to the network's square.
        limits: passed on to `ssd_tutorial.detect.postprocess`, such as ``score_threshold=0.5``;
            the variances are those of the network's priors.

    Returns:
        One `Detections` a picture, boxes xyxy in *pixels* of that picture.
    """
    if not images:
        return []
    size, device = network.image_size, network.priors.device
    batch = torch.stack([F.resize(image, [size, size], antialias=True) for image in images])
    was_training = network.training
    network.eval()
    try:
        if getattr(network, "limits", None) is not None:
            found = network.detections(batch, **limits)
        else:
            limits = {"variances": network.config.priors.variances} | limits
            found = postprocess(*network(batch.to(device)), network.priors, **limits)
    finally:
        network.train(was_training)
    return [
        one._replace(boxes=one.boxes * _size(image).to(device))
        for one, image in zip(found, images, strict=True)
    ]


def detect_dataset(
    network: SSD | OnnxNetwork,
    dataset: Dataset,
    *,
    batch_size: int = 16,
    workers: int = 0,
    on_error: Literal["raise", "drop"] = "raise",
    progress: bool | None = None,
) -> tuple[list[Detections], list[GroundTruth]]:
    """Detect on every picture of a dataset: both arguments that `ssd_tutorial.evaluate` wants.

    Args:
        on_error: a picture that cannot be decoded ends it, or is left out and named in the log.
        progress: show a bar; None shows it where standard error is a terminal.
    """
    items_or_reasons = SkipUnreadable(dataset, on_error)
    loader = DataLoader(items_or_reasons, batch_size, num_workers=workers, collate_fn=_items)
    found: list[Detections] = []
    truths: list[GroundTruth] = []
    for items in progress_bar(loader, "detecting", progress, unit="batch"):
        for reason in (item for item in items if isinstance(item, str)):
            _log.warning("left out: %s", reason)
        items = [item for item in items if not isinstance(item, str)]
        found += [_on_cpu(one) for one in detect(network, [image for image, _ in items])]
        truths += [ground_truth(target) for _, target in items]
    return found, truths


def ground_truth(target: dict) -> GroundTruth:
    """The `GroundTruth` of a dataset's target, in pixels."""
    boxes = target["boxes"].as_subclass(Tensor)
    # copies: what a worker hands over holds files open for as long as it is kept
    return GroundTruth(*(x.clone() for x in (boxes, target["labels"], target["difficult"])))


def _items(items: Iterable) -> list:
    return list(items)  # pictures differ in size: there is nothing to stack yet


def _size(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return torch.tensor([width, height, width, height], dtype=torch.float32)


def _on_cpu(found: Detections) -> Detections:
    return Detections(*(x.cpu() for x in found))
