"""The live figure in a notebook: compose a scene, and the kernel's detector looks at it.

It is the figure of the page ``book/live.md``, made by the same JavaScript; what differs is where
its answers come from. The page runs an ONNX file; here the figure sends Python messages, each with
an ``id``, and gets one with the same ``id`` back:

* ``open``: what the detector is, what the figure draws, and the priors as a buffer;
* ``look``, with a buffer of RGBA pixels, side x side: logits and offsets as buffers;
* ``seed`` or ``photograph``: a picture as a buffer, and of a scene its ground truth;
* and for whatever goes wrong, ``failed``: why, in a sentence.

Numbers are float32, little-endian.
"""

import io
import json
import time
from dataclasses import asdict
from pathlib import Path

import anywidget
import torch
import traitlets
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from ssd_book.explorers.modules import LIVE, STYLE_SHEET, joined
from ssd_book.explorers.traits import Box, Number
from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import SCENE_CLASSES, draw_scene
from ssd_tutorial.deploy.inference import load_detector
from ssd_tutorial.weights.file import Detector

SCENES = json.loads((LIVE / "scenes.json").read_text(encoding="utf-8"))
_PHOTOGRAPHS = {one["file"]: Path(one["file"]).name for one in SCENES["photographs"]}


class Things(traitlets.TraitType):
    """What is in the scene, the last one in front: a list of {"name", "box"}."""

    info_text = "a list of things, each with a name and a box"

    def validate(self, obj, value):
        """Return the things, each with an `id`. Raises `TraitError`, which says what is wrong."""
        try:
            things = [(thing["name"], thing["box"], thing.get("id")) for thing in value]
        except (TypeError, KeyError, AttributeError):
            self.error(obj, value)
        ids = [id for *_, id in things]
        if len({*ids}) < len(ids) or not all(isinstance(id, int) for id in ids):
            ids = range(len(things))
        box = Box()
        box.name = f"{self.name}, box"
        for name, *_ in things:
            if name not in SCENE_CLASSES:
                raise traitlets.TraitError(f"{name!r} is none of {', '.join(SCENE_CLASSES)}")
        return [
            {"id": id, "name": name, "box": box.validate(obj, edges)}
            for id, (name, edges, _) in zip(ids, things, strict=True)
        ]


class LiveDetector(anywidget.AnyWidget):
    """A scene to compose, and what a detector finds in it.

    Args:
        detector: of `load_detector`, or what that takes: a file of weights or of ONNX, the folder
            of a run, or a name; None is the book's detector of scenes.
        device: where a detector that is loaded computes.

    Raises:
        ValueError: an ONNX file with the post-processing inside.
        FileNotFoundError, ImportError: as `load_detector`.
    """

    _esm = joined("kernel")
    _css = "\n".join(f.read_text(encoding="utf-8") for f in (STYLE_SHEET, LIVE / "live.css"))
    module = traitlets.Unicode("live", read_only=True).tag(sync=True)
    things = Things(SCENES["first"]).tag(sync=True)
    score = Number(0.5, min=0.05, max=0.95).tag(sync=True)
    nms = Number(0.45, min=0.05, max=0.95).tag(sync=True)

    def __init__(
        self, detector: str | Path | Detector | None = None, device: str | torch.device = "cpu"
    ):
        self._name = None if detector is None else "This detector"
        if not isinstance(detector, Detector):
            self._name = None if detector is None else str(detector)
            detector = load_detector("scenes" if detector is None else detector, device)
        if getattr(detector.network, "limits", None) is not None:
            raise ValueError(
                f"{self._name} has its post-processing inside, so there is nothing to look into:"
                " export it again without --postprocessing"
            )
        detector.network.eval()
        self._detector = detector
        super().__init__()
        self.on_msg(self._answer)

    def __repr__(self) -> str:
        return f"LiveDetector({self._name!r})" if self._name else "LiveDetector()"

    def _answer(self, _widget, question: dict, buffers: list) -> None:
        answer, arrays = {}, []
        try:
            answer, arrays = self._find_answer(question, buffers)
        except KeyboardInterrupt:
            answer["failed"] = "The kernel was interrupted: move a thing to ask again."
        except Exception as error:  # whatever it is, the reader must hear of it
            what = "The detector stopped: " if "look" in question else ""
            answer["failed"] = f"{what}{error}"
        self.send({"id": question.get("id"), **answer}, arrays)

    def _find_answer(self, question: dict, buffers: list) -> tuple[dict, list[bytes]]:
        if "look" in question:
            began = time.perf_counter()
            logits, offsets = self._look(buffers[0])
            return {"ms": 1000 * (time.perf_counter() - began)}, [_bytes(logits), _bytes(offsets)]
        if "seed" in question:
            image, target = draw_scene(question["seed"], 0)
            return {"truth": _truth(image, target)}, [_png(image)]
        if "photograph" in question:
            name = _PHOTOGRAPHS[question["photograph"]]
            return {}, [data_path(f"photographs/JPEGImages/{name}").read_bytes()]
        network, config = self._detector.network, self._detector.network.config
        about = {
            **{"names": self._detector.classes, "file": self._name, "model": config.name},
            **{"preset": asdict(config.priors), "side": network.image_size},
        }
        return {"detector": about, "scenes": SCENES}, [_bytes(network.priors)]

    @torch.inference_mode()
    def _look(self, pixels) -> tuple[Tensor, Tensor]:
        """Return logits and offsets for RGBA pixels, as the network computes them for one image.

        JupyterLab may call this in a thread of its own, so the figure answers while a cell runs.
        """
        network = self._detector.network
        if network.training:  # set anew here, it would spoil a training run in another thread
            raise ValueError("it is in training mode: call network.eval() when the run is over")
        side = network.image_size
        rgba = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(side, side, 4)
        image = rgba[..., :3].permute(2, 0, 1).contiguous()
        logits, offsets = network(image[None].to(network.priors.device))
        if not (logits.isfinite().all() and offsets.isfinite().all()):
            raise ValueError(
                "it outputs numbers that are NaN or infinite: the training run has failed"
            )
        return logits, offsets


def _bytes(numbers: Tensor) -> bytes:
    return numbers.detach().cpu().numpy().astype("<f4").tobytes()


def _png(image: Tensor) -> bytes:
    with io.BytesIO() as file:
        F.to_pil_image(image).save(file, "PNG")
        return file.getvalue()


def _truth(image: Tensor, target: dict) -> list[dict]:
    boxes = (target["boxes"] / image.shape[-1]).tolist()
    names = [SCENE_CLASSES[label - 1] for label in target["labels"].tolist()]
    return [{"name": name, "box": box} for name, box in zip(names, boxes, strict=True)]
