"""Attacks on everything that reads what others made: ``python -m tests.fuzz``."""

from tests.fuzz import archives, commands, folders, maths, pictures, weights
from tests.fuzz.runner import Target

TARGETS = {
    target.name: target
    for target in (
        Target("maths", maths.case, 30),
        Target("voc", folders.voc, 13),
        Target("coco", folders.coco, 13),
        Target("yolo", folders.yolo, 13),
        Target("pictures", pictures.case, 15),
        Target("weights", weights.case, 3),
        Target("onnx", weights.onnx_case, 3),
        Target("archives", archives.case, 9),
        Target("commands", commands.case, 1),
    )
}
