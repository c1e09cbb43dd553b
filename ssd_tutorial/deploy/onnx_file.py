"""A detector as one ONNX file (chapter 16).

Input ``images``: uint8 ``[B, 3, S, S]``, RGB, 0 .. 255, any B. Bytes, because that is what a
decoded picture is: the normalisation is inside the file, so callers cannot get it wrong.
Stretching to S x S stays outside (`ssd_tutorial.deploy.inference.detect`: bilinear with antialias,
as Pillow's).

Outputs, either raw:

* ``logits`` ``[B, P, C]`` before softmax, background first; ``offsets`` ``[B, P, 4]``;
* ``priors`` ``[P, 4]`` cxcywh in fractions: the same for every image, so the file is sufficient.

or with the post-processing inside, for all N detections of the batch, image by image and best
first:

* ``boxes`` ``[N, 4]`` xyxy in fractions, ``scores`` ``[N]``, ``labels`` ``[N]`` from 1, and
  ``image`` ``[N]``, the index of the image in the batch.

The metadata name the classes, the model, its priors, image size and variances.
"""

import inspect
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ssd_tutorial._files import atomic_write
from ssd_tutorial.deploy.agreement import TOLERANCES, Agreement, measure_agreement
from ssd_tutorial.deploy.graphs import Raw, WithPostprocessing, survivors, survivors_in_onnx
from ssd_tutorial.deploy.precision import Precision, reduce_precision
from ssd_tutorial.detect import Detections, check_limits, postprocess
from ssd_tutorial.network import SSD
from ssd_tutorial.priors import make_priors
from ssd_tutorial.weights.file import Detector, parse_header

ONNX_FORMAT = "1"
"""Version of the metadata that `export_onnx` writes and `OnnxNetwork` reads."""
_OPSET = 18  # the version of the operators that most runtimes know


def all_limits(given: dict) -> dict:
    """Return all limits of `postprocess`: the given ones, and its defaults.

    Raises:
        TypeError: no limit of that name.
        ValueError: a number that cannot be, such as a percentage for a threshold.
    """
    known = inspect.signature(postprocess).parameters.values()
    limits = {
        p.name: p.default for p in known if p.kind is p.KEYWORD_ONLY and p.name != "variances"
    }
    if unknown := set(given) - set(limits):
        raise TypeError(f"no limit {', '.join(sorted(unknown))}; there are {', '.join(limits)}")
    limits |= given
    check_limits(**limits)
    return limits


def export_onnx(
    detector: Detector,
    path: str | Path,
    *,
    postprocessing: bool = False,
    precision: Precision = "fp32",
    check: Sequence[Tensor] = (),
    **limits: float,
) -> Agreement | None:
    """Write a detector to one ONNX file, atomically; see the module for its inputs and outputs.

    Args:
        detector: its network is an `SSD`.
        postprocessing: put decoding, thresholds and NMS inside, which is what most programs want.
        precision: in which the convolutions are kept, see `reduce_precision`.
        check: batches of images, uint8 ``[B, 3, S, S]``, on which the new file must agree with
            torch before it replaces `path`.
        limits: of `ssd_tutorial.detect.postprocess`, fixed inside the file.

    Returns:
        How far the file is from torch on `check`; None without batches.

    Raises:
        ValueError: limits without post-processing or out of range, a detector
            that is an ONNX file already, or a result that is not within `TOLERANCES` of torch, or
            with which nothing could be compared.
        ImportError: onnx, onnxscript or onnxruntime is missing.
    """
    fixed = all_limits(limits) if postprocessing else None
    if limits and not postprocessing:
        raise ValueError(
            f"{', '.join(limits)}: limits belong to the post-processing: ask for it, too"
        )
    if not isinstance(detector.network, SSD):
        raise ValueError("this detector is an ONNX file: export the weights it was made from")
    model = reduce_precision(_to_model(detector, fixed), precision)
    model.metadata_props.add(key="precision", value=precision)
    with atomic_write(path) as file:
        file.write_bytes(model.SerializeToString())
        if not check:
            return None
        agreement = measure_agreement(detector, OnnxNetwork(file), check, TOLERANCES[precision])
        if not agreement.holds:
            why = f"it differs from torch: {agreement}"
            advice = f"{agreement}: lower the score threshold, or export without the check"
            raise ValueError(f"{path} was not written: {why if agreement.of else advice}")
    return agreement


def _to_model(detector: Detector, limits: dict | None):
    """Export the network to an ``onnx.ModelProto`` with its metadata."""
    network = detector.network
    graph = Raw(network) if limits is None else WithPostprocessing(network, limits)
    translations = {}
    if limits is not None:
        survivors()
        translations[torch.ops.ssd_tutorial.survivors.default] = survivors_in_onnx
    size = network.image_size
    images = torch.zeros(2, 3, size, size, dtype=torch.uint8, device=network.priors.device)
    was_training = network.training
    try:
        program = torch.onnx.export(
            graph.eval(),
            (images,),
            input_names=["images"],
            output_names=graph.names,
            dynamic_shapes={"images": {0: torch.export.Dim("batch", min=1)}},
            opset_version=_OPSET,
            custom_translation_table=translations,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    finally:
        network.train(was_training)
    model = program.model_proto
    for node in model.graph.node:  # the exporter notes the Python that made it, with our paths
        del node.metadata_props[:]
    model.doc_string = inspect.cleandoc(__doc__)
    priors = network.config.priors
    for key, value in {
        "ssd_tutorial.format": ONNX_FORMAT,
        "model": network.config.name,
        "priors": priors.name,
        "image_size": str(size),
        "variances": json.dumps(priors.variances),
        "classes": json.dumps(detector.classes),
        "limits": json.dumps(limits),
        "facts": json.dumps(detector.metadata),
    }.items():
        model.metadata_props.add(key=key, value=value)
    if limits is not None:
        for output in model.graph.output:
            output.type.tensor_type.shape.dim[0].dim_param = "detections"
    return model


class OnnxNetwork(nn.Module):
    """A detector in a file of `export_onnx`, with the interface of `SSD`.

    Its buffer ``priors``, ``[P, 4]`` cxcywh, determines by its device where onnxruntime
    computes. ``limits`` is None or, for a file with the post-processing inside, the arguments of
    `ssd_tutorial.detect.postprocess` that are fixed in it.

    Raises as `load_detector`.
    """

    def __init__(self, path: str | Path):
        super().__init__()
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no ONNX file at {path}")
        self._sessions: dict[str, object] = {}
        metadata = self._session("cpu").get_modelmeta().custom_metadata_map
        if (written := metadata.get("ssd_tutorial.format")) != ONNX_FORMAT:
            raise ValueError(
                f"{path} was not written by this version's export: its metadata has"
                f" ssd_tutorial.format {written!s:.80}, not {ONNX_FORMAT}"
            )
        try:
            self.config, self.classes, self.metadata = parse_header(metadata)
            self.limits = _parse_limits(metadata)
        except ValueError as error:
            raise ValueError(f"{path} has metadata that cannot be used: {error}") from error
        self.num_classes, self.image_size = len(self.classes) + 1, self.config.priors.image_size
        self.register_buffer("priors", make_priors(self.config.priors), persistent=False)
        self._check_graph()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits ``[B, P, C]`` and offsets ``[B, P, 4]``, as `SSD` does.

        Args:
            images: uint8 ``[B, 3, S, S]`` RGB; S is ``image_size``.

        Raises:
            ValueError: the wrong shape or type, or the file has the post-processing inside.
        """
        if self.limits is not None:
            raise ValueError(f"{self.path} outputs detections, not scores of priors: use detect")
        logits, offsets, _ = self._run(images)
        shape = [len(images), len(self.priors), self.num_classes]
        if list(logits.shape) != shape or list(offsets.shape) != [*shape[:2], 4]:
            words = f"logits {list(logits.shape)} and offsets {list(offsets.shape)}"
            raise self._impossible(f"{words}, not {shape} and {[*shape[:2], 4]}")
        if not (logits.isfinite().all() and offsets.isfinite().all()):
            raise self._impossible("numbers that are NaN or infinite")
        return logits, offsets

    def detections(self, images: Tensor, **limits) -> list[Detections]:
        """Run a file with the post-processing inside; boxes are in fractions of the image.

        Raises:
            ValueError: the limits need detections that the file has already discarded; or it
                outputs what no detector can, such as a label beyond its classes.
        """
        fixed = self.limits or {}
        least = limits.pop("score_threshold", fixed["score_threshold"])
        other = {name: value for name, value in limits.items() if fixed.get(name) != value}
        if other or least < fixed["score_threshold"]:
            raise ValueError(
                f"{self.path} has its post-processing inside, with {fixed}: only the score"
                " threshold can be raised now; export again with other limits, or without"
                " --postprocessing"
            )
        boxes, scores, labels, image = out = self._run(images)
        shapes, n = [list(x.shape) for x in out], list(scores.shape[:1])
        if shapes != [[*n, 4], n, n, n] or any(map(torch.is_floating_point, (labels, image))):
            kinds = ", ".join(f"{x.dtype} {list(x.shape)}" for x in out)
            raise self._impossible(f"boxes, scores, labels and image as {kinds}")
        for name, values, low, high in (
            ("box", boxes, 0, 1),
            ("score", scores, 0, 1),
            ("label", labels, 1, self.num_classes - 1),
            ("image", image, 0, len(images) - 1),
        ):
            if (wrong := ~((values >= low) & (values <= high))).any():  # NaN is neither
                first = values[wrong][0].item()
                raise self._impossible(f"the {name} {first}, which must be {low} to {high}")
        keep = image.argsort(stable=True)  # of this file by itself; the split below needs it
        keep = keep[scores[keep] > least]
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
        try:
            out = self._session(device.type).run(None, {"images": images.cpu().numpy()})
        except Exception as error:  # onnxruntime's errors have no common class of their own
            raise ValueError(f"{self.path} cannot be run: {_first_line(error)}") from error
        return [torch.from_numpy(array).to(device) for array in out]

    def _check_graph(self) -> None:
        """Refuse a file whose inputs and outputs are not those that its metadata promise."""
        session, size = self._session("cpu"), self.image_size
        given = [(i.name, i.type, list(i.shape)[1:]) for i in session.get_inputs()]
        expected = [("images", "tensor(uint8)", [3, size, size])]
        if given != expected:
            raise ValueError(f"{self.path} takes {given}, not {expected}: export it again")
        names = Raw.names if self.limits is None else WithPostprocessing.names
        if (found := tuple(o.name for o in session.get_outputs())) != names:
            raise ValueError(
                f"{self.path} outputs {', '.join(found)}, not {', '.join(names)}: export it again"
            )

    def _impossible(self, what: str) -> ValueError:
        return ValueError(f"{self.path} outputs {what}: the file was changed; export it again")

    def _session(self, device: str):
        """Return the file, opened by onnxruntime for this type of device."""
        if device not in self._sessions:
            self._sessions[device] = _open_session(self.path, device)
        return self._sessions[device]


def _open_session(path: Path, device: str):
    import onnxruntime  # only when it is needed

    providers = ["CPUExecutionProvider"]
    if device == "cuda":
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers = ["CUDAExecutionProvider", *providers]
        else:
            words = "this onnxruntime runs on the CPU only: for the GPU, install"
            warnings.warn(f"{words} onnxruntime-gpu instead", stacklevel=2)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only; they are also raised
    try:
        file = onnxruntime.InferenceSession(str(path), options, providers=providers)
        # a damaged file's texts may not be UTF-8, which shows when they are read
        str([file.get_modelmeta().custom_metadata_map, file.get_inputs(), file.get_outputs()])
        return file
    except Exception as error:  # onnxruntime's errors have no common class of their own
        words = f"is not an ONNX file that onnxruntime {onnxruntime.__version__} can open"
        raise ValueError(f"{path} {words}: {_first_line(error)}") from error


def _parse_limits(metadata: dict[str, str]) -> dict | None:
    """Return the limits that are fixed in a file; None if it has no post-processing inside."""
    try:
        limits = json.loads(metadata["limits"])
        named = isinstance(limits, dict) and set(limits) == set(all_limits(limits))
        if not named and limits is not None:
            raise TypeError(f"they must name {', '.join(all_limits({}))}")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"its limits are {metadata.get('limits')!r:.80}: {error}") from error
    return limits


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
