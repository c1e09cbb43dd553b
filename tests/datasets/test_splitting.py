"""One set of pictures, divided into train and val."""

import shutil

import pytest
import tyro

from ssd_tutorial.cli.data_command import data_command
from ssd_tutorial.datasets import VOCFolder, open_dataset, write_coco, write_voc, write_yolo
from ssd_tutorial.datasets.splitting import split_folder

COUNT = 10


def all_files(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def label_studio_voc(items, root):
    write_voc(items, root, "all", progress=False)
    shutil.rmtree(root / "ImageSets")
    (root / "JPEGImages").rename(root / "images")


def cvat_voc(items, root):
    write_voc(items, root, "default", progress=False)


def label_studio_coco(items, root):
    write_coco(items, root, "images", progress=False)
    (root / "annotations" / "instances_images.json").rename(root / "result.json")


def cvat_coco(items, root):
    write_coco(items, root, "default", progress=False)
    (root / "images").mkdir()
    (root / "default").rename(root / "images" / "default")


def label_studio_yolo(items, root):
    write_yolo(items, root, "x", progress=False)
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("\n".join(items.classes))
    for part in ("images", "labels"):
        for path in (root / part / "x").iterdir():
            path.rename(root / part / path.name)
        (root / part / "x").rmdir()


SHAPES = [label_studio_voc, cvat_voc, label_studio_coco, cvat_coco, label_studio_yolo]


@pytest.fixture
def items(items_of):
    return items_of(*([([i, 2, i + 9, 30], 1 + i % 3, False)] for i in range(COUNT)))


@pytest.mark.parametrize("shape", SHAPES)
def test_parts_share_no_picture_and_lose_none(tmp_path, items, same, shape):
    root = tmp_path / "mine"
    shape(items, root)
    before = all_files(root)
    assert split_folder(root, share=0.3) == {"train": 7, "val": 3}
    after = all_files(root)
    assert before.items() <= after.items()  # nothing is moved or changed
    parts = {part: open_dataset(root, part, classes=items.classes) for part in ("train", "val")}
    assert sorted(parts["train"].names + parts["val"].names) == sorted(items.names)
    for dataset in parts.values():
        for index, name in enumerate(dataset.names):
            expected = items[items.names.index(name)][1]
            same(dataset[index][1], expected, px=1e-4)
    with pytest.raises(FileExistsError, match=r"has the splits .*train, val.* already"):
        split_folder(root)


def test_the_part_of_a_picture_depends_on_its_name_and_the_seed_alone(tmp_path, items):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        label_studio_voc(items, tmp_path / name)
        split_folder(tmp_path / name, seed=seed)
    a, b, c = (set(VOCFolder(tmp_path / name, "val").names) for name in "abc")
    assert a == b
    assert a != c
    assert len(a) == 2


def test_bad_pictures_are_in_no_part(tmp_path, items):
    root = tmp_path / "mine"
    label_studio_voc(items, root)
    (root / "images" / "picture_3.jpg").unlink()
    assert sum(split_folder(root).values()) == COUNT - 1


def test_impossible_shares_and_folders_are_refused_and_nothing_is_written(tmp_path, items):
    root = tmp_path / "mine"
    label_studio_voc(items, root)
    before = all_files(root)
    for share in (0, 1, -1, 0.01, float("nan")):
        with pytest.raises(ValueError, match="leaves a part empty|must be"):
            split_folder(root, share=share)
    assert all_files(root) == before
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        split_folder(tmp_path / "none")
    heap = tmp_path / "heap" / "export"
    heap.mkdir(parents=True)
    for path in (*(root / "images").iterdir(), *(root / "Annotations").iterdir()):
        shutil.copy(path, heap)
    with pytest.raises(ValueError, match=r"are in .*export: pass that folder itself"):
        split_folder(tmp_path / "heap")
    assert split_folder(heap) == {"train": 8, "val": 2}
    assert len(open_dataset(heap, "val")) == 2


def test_the_command_reports_the_parts_and_the_next_command(tmp_path, items, capsys):
    root = tmp_path / "my own"
    label_studio_yolo(items, root)
    tyro.cli(data_command, args=["split", str(root), "--share", "0.4"])
    shown = capsys.readouterr().out
    assert "train: 6 pictures, val: 4 pictures" in shown
    program, weights = "python -m ssd_tutorial", "'runs/my own/weights.safetensors'"
    assert [line.strip() for line in shown.splitlines()[1:]] == [
        f"{program} doctor '{root}'",
        f"{program} train --data '{root}' --split train --out 'runs/my own'",
        f"{program} eval --data '{root}' --split val --weights {weights}",
    ]
    with pytest.raises(ValueError, match="say which folder: data split MYFOLDER"):
        tyro.cli(data_command, args=["split"])
