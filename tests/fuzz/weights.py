"""Files of weights and ONNX files: damaged, or sound in form and impossible in content."""

import functools
import json
import struct
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open

from ssd_tutorial import SSD, load_detector, make_priors
from ssd_tutorial.deploy.inference import detect
from ssd_tutorial.presets import PRESETS, get_model
from ssd_tutorial.weights import save_weights
from tests.fuzz.mutate import BYTES, DEEP, VALUES, mutated
from tests.fuzz.runner import Fault, Refused, answer

CLASSES = ("cat", "dog")
KINDS = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64", torch.bool: "BOOL"}
TEXTS = [v.decode(errors="replace") for v in (*VALUES, *DEEP)] + ['["a", "b"]', '["a"]', '{"a": 1}']


def contents(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return a file's tensors and the entries of its header."""
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def written(tensors: dict[str, torch.Tensor], entries: dict[str, str]) -> bytes:
    """Return a file of safetensors; the library's own writer orders the entries differently."""
    header, blocks, at = {"__metadata__": dict(sorted(entries.items()))}, [], 0
    for name, tensor in sorted(tensors.items()):
        block = tensor.contiguous().numpy().tobytes()
        place = {"dtype": KINDS[tensor.dtype], "shape": list(tensor.shape)}
        header[name] = place | {"data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(blocks)


@functools.cache
def sound() -> tuple[bytes, Any]:
    """Return a file as `save_weights` writes it, and its network's state."""
    torch.manual_seed(0)
    network = SSD(get_model("slim300"), len(CLASSES) + 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "w.safetensors")
        save_weights(path, network, CLASSES, {"minutes": 1})
        return written(*contents(path)), network.state_dict()


def case(rng: Random, folder: Path) -> Any:
    path = folder / "w.safetensors"
    kind = rng.choice(["sound", "bytes", "header", "entries", "tensors"])
    content = sound()[0]
    if kind == "bytes":
        content = flipped(rng, content)
    elif kind == "header":
        content = other_header(rng, content)
    elif kind in ("entries", "tensors"):
        content = rewritten(rng, path, kind)
    path.write_bytes(content)
    found = answer(lambda: load_detector(path), str(path))
    if isinstance(found, Refused):
        if kind == "sound":
            raise Fault("sound weights are refused")
        return found
    state, right = found.network.state_dict(), sound()[1]
    if not all(tensor.isfinite().all() for tensor in state.values() if tensor.is_floating_point()):
        raise Fault("weights that are not finite are loaded")
    if len(found.classes) != found.network.num_classes - 1:
        raise Fault("weights have names for another number of classes")
    if kind in ("sound", "bytes") and not all(torch.equal(state[k], right[k]) for k in right):
        raise Fault("damaged weights are loaded")
    return found


def flipped(rng: Random, content: bytes) -> bytes:
    """Change a few bytes, or cut the file short; `mutated` would copy megabytes."""
    data = bytearray(content)
    if rng.random() < 0.3:
        return bytes(data[: rng.randrange(len(data))])
    most = rng.choice([16, 2000, len(data)])
    for _ in range(rng.choice([1, 3])):
        data[rng.randrange(most)] ^= 1 << rng.randrange(8)
    return bytes(data)


def other_header(rng: Random, content: bytes) -> bytes:
    """Damage the JSON at the file's beginning, and correct its length."""
    length = struct.unpack("<Q", content[:8])[0]
    header = content[8 : 8 + length]
    header = rng.choice([mutated(rng, header), rng.choice(DEEP), rng.choice(BYTES) * 50])
    declared = struct.pack("<Q", rng.choice([len(header), len(header), 2**62]))
    return declared + header + content[8 + length :]


def rewritten(rng: Random, path: Path, kind: str) -> bytes:
    """Write a sound file of safetensors, without a checksum and with another content."""
    path.write_bytes(sound()[0])
    tensors, entries = contents(path)
    del entries["sha256"]
    name = rng.choice(sorted(tensors))
    if kind == "entries":
        entry = rng.choice(sorted(entries))
        if rng.random() < 0.2:
            del entries[entry]
        elif rng.random() < 0.3:
            entries["classes"] = json.dumps([f"c{i}" for i in range(rng.choice([1, 3, 60_000]))])
        else:
            entries[entry] = rng.choice(TEXTS).replace("\0", "")
    else:
        change = rng.randrange(5)
        if change == 0:
            del tensors[name]
        elif change == 1 and tensors[name].is_floating_point():
            tensors[name].view(-1)[0] = rng.choice([float("nan"), float("inf")])
        elif change == 2:
            tensors[name] = tensors[name][None].contiguous()
        elif change == 3:
            tensors[name] = tensors[name].to(rng.choice([torch.float16, torch.int64, torch.bool]))
        else:
            tensors[f"model.{name}"] = tensors[name].clone()
    return written(tensors, entries)


# --- ONNX ----------------------------------------------------------------------------------------


def graph(rng: Random, inside: bool, wild: bool) -> tuple[bytes, int]:
    """Write a file as `export` does, whose outputs are constants; return also its detections."""
    priors = make_priors(PRESETS["caffe300_voc"]).numpy()
    count, n = len(priors), rng.choice([0, 1, 5])
    noise = np.random.default_rng(rng.getrandbits(32))
    if inside:
        low = noise.uniform(0, 0.5, (n, 2))
        outputs = {
            "boxes": np.hstack([low, low + 0.3]).astype(np.float32),
            "scores": np.sort(noise.uniform(0.6, 1, n))[::-1].astype(np.float32),
            "labels": noise.integers(1, len(CLASSES) + 1, n),
            "image": np.zeros(n, np.int64),
        }
    else:
        outputs = {
            "logits": noise.normal(0, 1, (1, count, len(CLASSES) + 1)).astype(np.float32),
            "offsets": noise.normal(0, 0.1, (1, count, 4)).astype(np.float32),
            "priors": priors,
        }
    if wild:
        poison(rng, outputs)
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(v), f"c_{k}") for k, v in outputs.items()
    ]
    nodes = [helper.make_node("Identity", [f"c_{k}"], [k]) for k in outputs]
    given = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 3, 300, 300])
    results = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for k, v in outputs.items()
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [given], results, constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    limits = {"score_threshold": 0.01, "iou_threshold": 0.45, "candidates_per_class": 400}
    limits |= {"detections_per_image": 200}
    entries = {
        "ssd_tutorial.format": "1",
        "model": "slim300",
        "priors": "caffe300_voc",
        "image_size": "300",
        "variances": json.dumps(PRESETS["caffe300_voc"].variances),
        "classes": json.dumps(CLASSES),
        "limits": json.dumps(limits if inside else None),
        "facts": "{}",
    }
    if wild and rng.random() < 0.6:
        entry = rng.choice([*entries])
        if rng.random() < 0.2:
            del entries[entry]
        else:
            entries[entry] = rng.choice([*TEXTS, json.dumps([1, 2]), "[]", "{}", "5", '["", ""]'])
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString(), n


def poison(rng: Random, outputs: dict[str, np.ndarray]) -> None:
    """Change one output: a number that cannot be, another shape or type, or none at all."""
    name = rng.choice([*outputs])
    value = outputs[name]
    kind = rng.randrange(4)
    if kind == 0 and value.size:
        bad = (
            [np.nan, np.inf, -1.0, 7.0, 1e30] if value.dtype.kind == "f" else [0, -1, 3, 99, 2**40]
        )
        value.reshape(-1)[rng.randrange(value.size)] = rng.choice(bad)
    elif kind == 1:
        outputs[name] = value[..., :-1] if value.ndim else value
    elif kind == 2:
        outputs[name] = value.astype(rng.choice([np.float64, np.int32, np.int64]))
    else:
        del outputs[name]


def onnx_case(rng: Random, folder: Path) -> Any:
    path, inside = folder / "w.onnx", rng.random() < 0.5
    kind = rng.choice(["sound", "bytes", "wild", "wild"])
    content, count = graph(rng, inside, kind == "wild")
    if kind == "bytes":
        # among the first bytes, where the structure is; constants make up most of the file
        head, rest = content[:3000], content[3000:]
        content = content[: rng.randrange(len(content))]
        content = rng.choice([content, mutated(rng, head) + rest])
    path.write_bytes(content)
    picture = torch.zeros(3, 60, 80, dtype=torch.uint8)

    def use() -> Any:
        detector = load_detector(path)
        return detector, detect(detector.network, [picture])[0]

    got = answer(use, str(path))
    if isinstance(got, Refused):
        if kind == "sound":
            raise Fault(f"a sound ONNX file is refused: {got.message}")
        return got
    detector, found = got
    if kind == "sound" and inside and len(found.scores) != count:
        raise Fault(f"{count} detections become {len(found.scores)}")
    if not (found.boxes.isfinite().all() and found.scores.isfinite().all()):
        raise Fault("an ONNX file's detections are not finite")
    if len(found.scores) and not (found.scores.min() >= 0 and found.scores.max() <= 1):
        raise Fault("an ONNX file's scores are not in [0, 1]")
    labels = found.labels.tolist()
    if not all(1 <= label <= len(detector.classes) for label in labels):
        raise Fault("an ONNX file's label has no class")
    if not all(isinstance(name, str) for name in detector.classes):
        raise Fault("an ONNX file's class is not a name")
    return found
