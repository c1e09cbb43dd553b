"""The registry, and data sets fetched from a server on this machine and opened by name."""

import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest
import tyro

from ssd_tutorial._files import data_path
from ssd_tutorial.cli.data_command import data_command
from ssd_tutorial.datasets import (
    SCENE_CLASSES,
    Scenes,
    VOCFolder,
    open_dataset,
    registry,
    write_coco,
    write_voc,
)
from ssd_tutorial.datasets.download import DownloadError
from ssd_tutorial.datasets.get import get_dataset
from ssd_tutorial.datasets.joined import Joined
from ssd_tutorial.datasets.registry import data_root, get_registered, registered_names

RAW = json.loads(data_path("datasets.json").read_text(encoding="utf-8"))


# ---------------------------------------------------------------- the list itself


def test_names():
    assert registered_names() == ("voc0712", "coco", "bccd")
    with pytest.raises(ValueError, match=r"no data set 'voc07' \(did you mean 'voc0712'\?\)"):
        get_registered("voc07")


@pytest.mark.parametrize("name", registered_names())
def test_entries_are_whole(name):
    entry = get_registered(name)
    assert entry.licence
    assert entry.home.startswith("http")
    folders = [archive.folder for archive in entry.archives]
    assert len(set(folders)) == len(folders)
    for archive in entry.archives:
        assert len(archive.addresses) >= 2
        for address in archive.addresses:
            assert re.match(r"https?://[\w.-]+/", address)
        if name == "bccd":  # packed anew by its server: nothing is certain, and nothing invented
            assert archive.bytes is archive.sha256 is archive.md5 is None
        else:
            assert re.fullmatch(r"[0-9a-f]{64}", archive.sha256)
            assert re.fullmatch(r"[0-9a-f]{32}", archive.md5)
            assert archive.bytes > 10**8
    needed = {folder for parts in entry.splits.values() for p in parts for folder in p.needs}
    assert needed == set(folders)
    for split in entry.splits:
        prefixes = [part.prefix for part in entry.parts_of(split)]
        assert len(set(prefixes)) == len(prefixes)
    assert entry.archives_of() == entry.archives


def test_checksums_of_voc_are_those_of_torchvision():
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    # By the end of the address: torchvision calls two archives by the same file name.
    theirs = {v["url"].rsplit("/", 1)[-1]: v["md5"] for v in DATASET_YEAR_DICT.values()}
    for archive in get_registered("voc0712").archives:
        assert theirs[archive.file] == archive.md5
        assert {address.rsplit("/", 1)[-1] for address in archive.addresses} == {archive.file}


def test_classes_of_voc_are_the_20_in_their_order():
    classes = get_registered("voc0712").classes
    assert len(classes) == 20
    assert list(classes) == sorted(classes)
    assert classes[0] == "aeroplane"
    assert classes[-1] == "tvmonitor"


def test_a_split_of_coco_needs_its_own_pictures_only():
    coco = get_registered("coco")
    assert [a.file for a in coco.archives_of("val")] == [
        "annotations_trainval2017.zip",
        "val2017.zip",
    ]
    with pytest.raises(ValueError, match=r"coco has no split 'test'.* Its splits: train, val\."):
        coco.archives_of("test")


def test_where_data_lie(monkeypatch, tmp_path):
    monkeypatch.delenv("SSD_TUTORIAL_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert data_root() == Path.home() / ".cache" / "ssd_tutorial"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_root() == tmp_path / "ssd_tutorial"
    monkeypatch.setenv("SSD_TUTORIAL_DATA", "~/mounted")
    assert data_root() == Path.home() / "mounted"
    assert data_root(tmp_path) == tmp_path


# ---------------------------------------------------------------- fetched, unpacked, opened


def tar_of(folder, top, path):
    with tarfile.open(path, "w") as file:
        file.add(folder, top)


def zip_of(folder, top, path):
    with zipfile.ZipFile(path, "w") as file:
        for one in sorted(folder.rglob("*")):
            file.write(one, f"{top}/{one.relative_to(folder).as_posix()}")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server with archives in the shapes of the real ones; the registry points to it."""
    made, served = tmp_path / "made", tmp_path / "served"
    served.mkdir()
    quiet = {"progress": False, "classes": SCENE_CLASSES}
    write_voc(Scenes(3), made / "a", "trainval", **quiet)
    tar_of(made / "a", "VOCdevkit/VOC2007", served / "VOCtrainval_06-Nov-2007.tar")
    write_voc(Scenes(2), made / "b", "trainval", **quiet)  # the same names as in the first
    tar_of(made / "b", "VOCdevkit/VOC2012", served / "VOCtrainval_11-May-2012.tar")
    write_voc(Scenes(2, start=9), made / "c", "test", **quiet)
    tar_of(made / "c", "VOCdevkit/VOC2007", served / "VOCtest_06-Nov-2007.tar")
    for split, count in (("train2017", 3), ("val2017", 2)):
        write_coco(Scenes(count), made / "coco", split, progress=False)
        zip_of(made / "coco" / split, split, served / f"{split}.zip")
    zip_of(made / "coco/annotations", "annotations", served / "annotations_trainval2017.zip")
    write_voc(Scenes(4), made / "bccd", "train", **quiet)
    zip_of(made / "bccd", "BCCD_Dataset-1.0/BCCD", served / "BCCD_Dataset-1.0.zip")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    web.daemon_threads = True
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    content = json.loads(json.dumps(RAW))
    content["voc0712"]["classes"] = SCENE_CLASSES
    for entry in content.values():
        for archive in entry["archives"]:
            file = served / archive["file"]
            archive["addresses"] = [f"http://127.0.0.1:{web.server_address[1]}/{file.name}"]
            if archive["sha256"]:
                archive["bytes"] = file.stat().st_size
                archive["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(registry, "_content", lambda: content)
    monkeypatch.setenv("SSD_TUTORIAL_DATA", str(tmp_path / "data"))
    yield served
    web.shutdown()
    web.server_close()
    thread.join()


def test_voc_2007_and_2012_become_one_dataset(site, tmp_path, same):
    with pytest.raises(FileNotFoundError, match=r"data get voc0712 --split train"):
        open_dataset("voc0712", "train")
    folder = get_dataset("voc0712", progress=False)
    assert folder == tmp_path / "data" / "voc0712"
    train, test = open_dataset("voc0712", "train"), open_dataset("voc0712", "test")
    assert isinstance(train, Joined)
    assert train.classes == test.classes == SCENE_CLASSES
    assert (len(train), len(test)) == (5, 2)
    assert train.names[0] == "2007/scene_0_000000"
    assert train.names[3] == "2012/scene_0_000000"
    assert len(set(train.names)) == 5
    for index, scene in ((0, 0), (2, 2), (3, 0), (-1, 1)):
        expected = Scenes(3)[scene][1]
        image, target = train[index]
        assert image.shape == (3, 300, 300)
        assert target["name"] == train.names[index]
        same(target | {"name": expected["name"]}, expected)
        same(train.target(index), target)
    with pytest.raises(IndexError):
        train[5]
    assert train.picture_path(3).parts[-3] == "VOC2012-trainval"
    assert train.summary().count("pictures") == 2
    # Archives are gone once they are unpacked, and so is every trace of their way.
    assert sorted(p.name for p in folder.iterdir()) == [
        "VOC2007-test",
        "VOC2007-trainval",
        "VOC2012-trainval",
    ]


def test_faults_of_all_parts_are_counted(site, tmp_path):
    folder = get_dataset("voc0712", split="train", progress=False)
    next((folder / "VOC2007-trainval" / "JPEGImages").iterdir()).unlink()
    next((folder / "VOC2012-trainval" / "JPEGImages").iterdir()).unlink()
    with pytest.raises(FileNotFoundError, match="has no picture"):
        open_dataset("voc0712", "train")
    left = open_dataset("voc0712", "train", on_bad="drop")
    assert len(left) == 3
    assert len(left.left_out) == 2


def test_one_split_of_coco(site, tmp_path):
    get_dataset("coco", split="val", progress=False)
    val = open_dataset("coco", "val")
    assert len(val) == 2
    assert val.classes == SCENE_CLASSES
    assert val[0][0].shape == (3, 300, 300)
    with pytest.raises(FileNotFoundError, match=r"has no train2017\. Fetch what is missing"):
        open_dataset("coco", "train")
    get_dataset("coco", progress=False)
    assert len(open_dataset("coco", "train")) == 3


def test_a_checksum_that_nobody_knows_is_printed(site, capsys):
    get_dataset("bccd", progress=False)
    printed = capsys.readouterr().out
    expected = hashlib.sha256((site / "BCCD_Dataset-1.0.zip").read_bytes()).hexdigest()
    assert f"BCCD_Dataset-1.0.zip: SHA-256 {expected} (there is none to compare" in printed
    assert isinstance(open_dataset("bccd", "train"), VOCFolder)


def test_archives_kept_elsewhere_serve_a_fresh_machine(site, tmp_path):
    drive = tmp_path / "drive"
    get_dataset("coco", tmp_path / "one", split="val", archives=drive, progress=False)
    for path in site.iterdir():
        path.unlink()  # the network is not needed again
    get_dataset("coco", tmp_path / "two", split="val", archives=drive, progress=False)
    assert len(list((tmp_path / "two/coco/val2017").iterdir())) == 2


def test_what_is_complete_stays_when_the_next_fails(site, tmp_path):
    (site / "VOCtrainval_11-May-2012.tar").unlink()
    with pytest.raises(DownloadError, match=r"VOCtrainval_11-May-2012\.tar could not be fetched"):
        get_dataset("voc0712", progress=False)
    folders = [p.name for p in (tmp_path / "data" / "voc0712").iterdir()]
    assert folders == ["VOC2007-trainval"]


def test_a_folder_of_the_same_name_needs_its_path(site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_voc(Scenes(1), tmp_path / "coco", "mine", progress=False)
    assert len(open_dataset("./coco", "mine")) == 1
    with pytest.raises(ValueError, match="coco has no split 'mine'"):
        open_dataset("coco", "mine")
    with pytest.raises(FileNotFoundError, match=r"no folder cocoa \(did you mean 'coco'\?\)"):
        open_dataset("cocoa", "train")


# ---------------------------------------------------------------- the command


def run(*words):
    tyro.cli(data_command, args=words)


def test_the_command_lists_and_fetches(site, tmp_path, capsys):
    run("list")
    shown = capsys.readouterr().out
    assert shown.count("missing") == 7
    assert "licence: MIT" in shown
    assert "splits: train, val; ready: none" in shown
    run("get", "coco", "--split", "val")
    shown = capsys.readouterr().out
    assert "to fetch: val2017.zip" in shown
    assert f"complete: {tmp_path / 'data' / 'coco'}" in shown
    assert "use it: --data coco --split val" in shown
    run("list", "coco")
    shown = capsys.readouterr().out
    assert shown.count("complete") == 2
    assert "ready: val" in shown
    run("get", "coco", "--split", "val")  # nothing is left to do
    assert "to fetch" not in capsys.readouterr().out
    run("get", "bccd", "--root", str(tmp_path / "there"), "--keep")
    assert (tmp_path / "there/bccd/BCCD_Dataset-1.0.zip").is_file()


def test_mistakes_at_the_command(site):
    with pytest.raises(ValueError, match="say which data set to get: voc0712, coco, bccd"):
        run("get")
    for action in ("get", "list"):
        with pytest.raises(ValueError, match=r"no data set 'cocoa' \(did you mean 'coco'"):
            run(action, "cocoa")
    with pytest.raises(ValueError, match="no split 'test'"):
        run("get", "coco", "--split", "test")


def test_help_reads_like_documentation(capsys):
    with pytest.raises(SystemExit), io.StringIO():
        run("--help")
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "fetch only what this split needs",
        "goes on where it stopped",
        "{list,get,split}",
    ):
        assert words in shown
