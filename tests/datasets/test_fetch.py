"""Fetching: the registry, downloads from a server on this machine, hostile archives, command."""

import hashlib
import http.server
import io
import json
import os
import re
import shutil
import stat
import tarfile
import threading
import zipfile
from collections import namedtuple
from functools import partial
from pathlib import Path

import pytest
import tyro
from torch.utils.data import ConcatDataset

from ssd_tutorial._files import data_path
from ssd_tutorial.cli.data_command import data_command
from ssd_tutorial.datasets import (
    SCENE_CLASSES,
    Scenes,
    VOCFolder,
    fetch,
    open_dataset,
    write_coco,
    write_voc,
)
from ssd_tutorial.datasets.fetch import Archive, data_root, get_dataset, get_registered, unpack

RAW = json.loads(data_path("datasets.json").read_text(encoding="utf-8"))
CONTENT = bytes(range(256)) * 2000


# ---------------------------------------------------------------- the registry


def test_an_unknown_name_suggests_the_nearest_data_set():
    assert fetch.registered_names() == ("voc0712", "coco", "bccd")
    with pytest.raises(ValueError, match=r"no data set 'voc07' \(did you mean 'voc0712'\?\)"):
        get_registered("voc07")


@pytest.mark.parametrize("name", fetch.registered_names())
def test_every_entry_has_a_licence_a_home_and_two_addresses(name):
    entry = get_registered(name)
    assert entry.licence
    assert entry.home.startswith("http")
    folders = [archive.folder for archive in entry.archives]
    assert len(set(folders)) == len(folders)
    for archive in entry.archives:
        assert len(archive.addresses) >= 2
        for address in archive.addresses:
            assert re.match(r"https?://[\w.-]+/", address)
        if name == "bccd":  # packed again by its server: nothing is certain, and nothing invented
            assert archive.bytes is archive.sha256 is archive.md5 is None
        else:
            assert re.fullmatch(r"[0-9a-f]{64}", archive.sha256)
            assert re.fullmatch(r"[0-9a-f]{32}", archive.md5)
            assert archive.bytes > 10**8
    for split, parts in entry.splits.items():
        there = [archive.folder for archive in entry.archives_of(split)]
        assert all(folder in there or (there and not folder) for folder, _ in parts)
    assert {split for archive in entry.archives for split in archive.splits} == set(entry.splits)
    assert entry.archives_of() == entry.archives


def test_voc_has_torchvisions_checksums_and_the_usual_classes():
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    # By the end of the address, as torchvision gives two archives the same file name.
    theirs = {v["url"].rsplit("/", 1)[-1]: v["md5"] for v in DATASET_YEAR_DICT.values()}
    entry = get_registered("voc0712")
    for archive in entry.archives:
        assert theirs[archive.file] == archive.md5
        assert {address.rsplit("/", 1)[-1] for address in archive.addresses} == {archive.file}
    assert list(entry.classes) == sorted(entry.classes)
    assert (len(entry.classes), entry.classes[0], entry.classes[-1]) == (
        20,
        "aeroplane",
        "tvmonitor",
    )


def test_a_split_of_coco_needs_its_own_pictures_only():
    coco = get_registered("coco")
    files = [archive.file for archive in coco.archives_of("val")]
    assert files == ["annotations_trainval2017.zip", "val2017.zip"]
    with pytest.raises(ValueError, match=r"coco has no split 'test'.* Its splits: train, val"):
        coco.archives_of("test")


def test_data_are_kept_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("SSD_TUTORIAL_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert data_root() == Path.home() / ".cache" / "ssd_tutorial"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_root() == tmp_path / "ssd_tutorial"
    monkeypatch.setenv("SSD_TUTORIAL_DATA", "~/mounted")
    assert data_root() == Path.home() / "mounted"
    assert data_root(tmp_path) == tmp_path


# ---------------------------------------------------------------- one download


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves by address: /good/FILE, /cut/FILE, /404/FILE, /wrong/FILE, /page/FILE."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        kind = self.path.split("/")[1]
        self.server.asked.append(kind)
        if kind.isdigit():
            return self.send_error(int(kind))
        content = {"wrong": bytes(len(CONTENT)), "page": b"<html>Please sign in.</html>"}
        body = content.get(kind, CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:100_000] if kind == "cut" else body)


def serving(handler):
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    web.daemon_threads, web.asked = True, []
    web.at = f"http://127.0.0.1:{web.server_address[1]}"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield web
    web.shutdown()
    web.server_close()
    thread.join()


@pytest.fixture
def server():
    yield from serving(Handler)


def archive_at(server, *kinds, known=True):
    return Archive(
        file="pictures.tar",
        addresses=[f"{server.at}/{kind}/pictures.tar" for kind in kinds],
        bytes=len(CONTENT) if known else None,
        sha256=hashlib.sha256(CONTENT).hexdigest() if known else None,
        md5=None,
        take="x",
        folder="x",
        splits=("train",),
    )


def download(archive, folder):
    return fetch.fetch(archive, folder, progress=False)


def test_a_file_is_fetched_complete_and_only_once(server, tmp_path):
    archive, folder = archive_at(server, "good"), tmp_path / "data"
    path = download(archive, folder)
    assert path == folder / "pictures.tar"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]
    assert download(archive, folder) == path
    assert server.asked == ["good"]


@pytest.mark.parametrize("bad", ["404", "503", "wrong", "page", "cut"])
def test_the_next_address_is_tried(server, tmp_path, bad):
    path = download(archive_at(server, bad, "good"), tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [bad, "good"]
    assert list(tmp_path.iterdir()) == [path]


def test_every_address_is_named_with_its_reason_and_nothing_is_kept(server, tmp_path):
    gone = "http://127.0.0.1:1/pictures.tar"
    archive = archive_at(server, "404", "wrong", "page", "cut")
    archive = archive._replace(addresses=[*archive.addresses, gone, "nonsense://x"])
    with pytest.raises(OSError, match=r"pictures\.tar could not be fetched: ") as caught:
        download(archive, tmp_path)
    for words in (
        "/404/pictures.tar answers 404 Not Found; ",
        "/wrong/pictures.tar sends a different file (damaged, or a login page); ",
        "/page/pictures.tar sends a different file (damaged, or a login page); ",
        "/cut/pictures.tar cannot be reached, or was interrupted; ",
        f"{gone} cannot be reached, or was interrupted; ",
        "nonsense://x cannot be reached, or was interrupted: try again later",
        f"`curl -LC - -o pictures.tar {server.at}/404/pictures.tar` resumes a download",
    ):
        assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", ["page", "good"])
def test_without_a_checksum_a_file_that_is_not_an_archive_is_refused(server, tmp_path, bad):
    with pytest.raises(OSError, match=r"sends a different file"):
        download(archive_at(server, bad, known=False), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [CONTENT[:100_000], CONTENT[:-1] + b"?", CONTENT + b"more"])
def test_an_incomplete_or_wrong_file_is_refused_with_the_way_to_resume(server, tmp_path, content):
    (tmp_path / "pictures.tar").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"incomplete or wrong \(\d+ of 512000 bytes\): `curl -LC - -o "
    ):
        download(archive_at(server, "good"), tmp_path)
    assert (tmp_path / "pictures.tar").read_bytes() == content
    assert server.asked == []


def room_for(count, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(count, 0, count))


def test_too_little_room_is_reported_before_a_download(server, tmp_path, monkeypatch):
    room_for(len(CONTENT) - 1, monkeypatch)
    with pytest.raises(OSError, match=r"has 0\.0 GB free, but 0\.0 GB are needed: .*--root"):
        download(archive_at(server, "good"), tmp_path)
    assert server.asked == []


def test_progress_is_shown(server, tmp_path, capsys):
    fetch.fetch(archive_at(server, "good"), tmp_path, progress=True)
    assert "pictures.tar: " in capsys.readouterr().err


# ---------------------------------------------------------------- one archive

FILES = {
    "kit/VOC2007/JPEGImages/a.jpg": b"a" * 5000,
    "kit/VOC2007/Annotations/a.xml": b"<annotation/>",
    "kit/VOC2007/empty.txt": b"",
    "kit/other/b.txt": b"passed over",
    "readme.txt": b"passed over",
}


def make(path, files=FILES):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as file:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return path


def take(archive, folder, inside="kit/VOC2007"):
    unpack(archive, inside, folder, progress=False)
    found = [p for p in folder.rglob("*") if p.is_file()]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def refused(archive, words, inside="kit/VOC2007"):
    """Check that unpacking fails with these words and leaves only the archive."""
    with pytest.raises(ValueError, match=rf"was not unpacked \({words}.*\): delete it and fetch"):
        take(archive, archive.parent / "x", inside)
    assert list(archive.parent.iterdir()) == [archive]


@pytest.fixture(params=["a.tar", "a.tar.gz", "a.zip"])
def archive(request, tmp_path):
    return make(tmp_path / request.param)


def test_only_the_folder_asked_for_is_unpacked_and_renamed(archive, tmp_path):
    left = tmp_path / ".x.01234567.unfinished"  # of a run that was killed
    left.mkdir()
    assert take(archive, tmp_path / "x") == {
        "JPEGImages/a.jpg": b"a" * 5000,
        "Annotations/a.xml": b"<annotation/>",
        "empty.txt": b"",
    }
    assert sorted(p.name for p in tmp_path.iterdir()) == [archive.name, "x"]
    with pytest.raises(FileExistsError, match="already exists"):
        take(archive, tmp_path / "x")


def test_names_that_begin_with_a_dot_are_the_same(tmp_path):
    path = make(tmp_path / "a.tar", {f"./{name}": content for name, content in FILES.items()})
    assert len(take(path, tmp_path / "x")) == 3


def test_digits_that_are_not_a_number_are_damage_in_our_words(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("kit/VOC2007/a.txt")
        info.pax_headers = {"GNU.sparse.map": "0,1x"}
        file.addfile(info)
    # what tarfile says
    with pytest.raises(ValueError, match="invalid literal"), tarfile.open(path):
        pass
    refused(path, "it is damaged")


def test_an_archive_without_the_folder_is_refused(archive):
    refused(archive, "it contains no files in a folder kit/VOC2012", "kit/VOC2012")


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    "name",
    [
        "/etc/cron.d/job",
        "../outside.txt",
        "kit/VOC2007/../../../outside.txt",
        "kit\\..\\..\\outside.txt",
        "C:/outside.txt",
        "other/../../outside.txt",  # also where it is not taken
    ],
)
def test_names_outside_the_folder_are_refused(tmp_path, kind, name):
    folder = tmp_path / "data"
    folder.mkdir()
    refused(
        make(folder / f"a.{kind}", {**FILES, name: b"!"}), "it contains a name outside its folder"
    )
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"3"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        link = tarfile.TarInfo("kit/VOC2007/link")
        link.type, link.linkname = kind, "../../../outside"
        file.addfile(link)
    refused(path, "it contains a link or device, 'kit/VOC2007/link'")


def test_links_in_a_zip_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("kit/VOC2007/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "../../../outside")
    refused(path, "it contains a link or device")


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_archives_that_would_become_far_larger_are_refused(tmp_path, kind):
    path = make(tmp_path / f"a.{kind}", {"kit/VOC2007/a": bytes(5_000_000)})
    refused(path, r"its \d+ bytes would become 5000000 or more")


def test_declared_sizes_that_are_not_there_are_refused(tmp_path):
    header = tarfile.TarInfo("kit/VOC2007/a")
    for size in (10**15, -1024):
        header.size = size
        (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
        refused(tmp_path / "a.tar", r"its 2560 bytes would become ")


def test_damaged_archives_leave_nothing(archive):
    content = archive.read_bytes()
    for damaged in (content[: len(content) * 2 // 3], b"<html>not found</html>", b""):
        archive.write_bytes(damaged)
        refused(archive, "")


def test_a_tar_that_ends_after_a_whole_member_is_refused(tmp_path):
    path = make(tmp_path / "a.tar", {"kit/VOC2007/a": b"a" * 100, "kit/VOC2007/b": b"b"})
    path.write_bytes(path.read_bytes()[:1024])
    refused(path, "it ends in the middle")


def test_a_flipped_byte_in_a_zip_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("kit/a.jpg", b"a" * 500)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    refused(path, "Bad CRC-32", "kit")


def test_too_little_room_to_unpack_is_reported(archive, tmp_path, monkeypatch):
    room_for(4000, monkeypatch)
    with pytest.raises(OSError, match=r"has 0\.0 GB free.*--root"):
        take(archive, tmp_path / "x")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_disk_that_fills_up_leaves_nothing(archive, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    monkeypatch.setattr(tarfile, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        take(archive, tmp_path / "x")
    assert list(tmp_path.iterdir()) == [archive]


def test_no_file_gets_special_rights(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        info = tarfile.TarInfo("kit/a.sh")
        info.size, info.mode = 1, 0o6777
        file.addfile(info, io.BytesIO(b"!"))
    take(path, tmp_path / "x", "kit")
    mode = os.stat(tmp_path / "x" / "a.sh").st_mode
    assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH)


# ---------------------------------------------------------------- data sets, fetched and opened


def tar_of(folder, top, path):
    with tarfile.open(path, "w") as file:
        file.add(folder, top)


def zip_of(folder, top, path):
    with zipfile.ZipFile(path, "w") as file:
        for one in sorted(folder.rglob("*")):
            file.write(one, f"{top}/{one.relative_to(folder).as_posix()}")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Serve archives with the structure of the real ones, and point the registry to them."""
    made, served = tmp_path / "made", tmp_path / "served"
    served.mkdir()
    quiet = {"progress": False, "classes": SCENE_CLASSES}
    write_voc(Scenes(3), made / "a", "trainval", **quiet)
    tar_of(made / "a", "VOCdevkit/VOC2007", served / "VOCtrainval_06-Nov-2007.tar")
    write_voc(Scenes(2, start=5), made / "b", "trainval", **quiet)
    tar_of(made / "b", "VOCdevkit/VOC2012", served / "VOCtrainval_11-May-2012.tar")
    write_voc(Scenes(2, start=9), made / "c", "test", **quiet)
    tar_of(made / "c", "VOCdevkit/VOC2007", served / "VOCtest_06-Nov-2007.tar")
    for split, count in (("train2017", 3), ("val2017", 2)):
        write_coco(Scenes(count), made / "coco", split, progress=False)
        zip_of(made / "coco" / split, split, served / f"{split}.zip")
    zip_of(made / "coco/annotations", "annotations", served / "annotations_trainval2017.zip")
    write_voc(Scenes(4), made / "bccd", "train", **quiet)
    zip_of(made / "bccd", "BCCD_Dataset-1.0/BCCD", served / "BCCD_Dataset-1.0.zip")
    server = serving(partial(Quiet, directory=str(served)))
    content = json.loads(json.dumps(RAW))
    content["voc0712"]["classes"] = SCENE_CLASSES
    at = next(server).at
    for entry in content.values():
        for archive in entry["archives"]:
            file = served / archive["file"]
            archive["addresses"] = [f"{at}/{file.name}"]
            if archive["sha256"]:
                archive["bytes"] = file.stat().st_size
                archive["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(fetch, "_content", lambda: content)
    monkeypatch.setenv("SSD_TUTORIAL_DATA", str(tmp_path / "data"))
    yield served
    next(server, None)


def test_voc_2007_and_2012_become_one_dataset(site, tmp_path, same):
    said = r"incomplete \(\./voc0712 would be a folder\): .*data get voc0712 --split train$"
    with pytest.raises(FileNotFoundError, match=said):
        open_dataset("voc0712", "train")
    folder = get_dataset("voc0712", progress=False)
    assert folder == tmp_path / "data" / "voc0712"
    train, test = open_dataset("voc0712", "train"), open_dataset("voc0712", "test")
    assert isinstance(train, ConcatDataset)
    assert train.classes == test.classes == SCENE_CLASSES
    assert (len(train), len(test)) == (5, 2)
    drawn = [*Scenes(3), *Scenes(2, start=5)]
    assert [t["name"] for _, t in train] == [target["name"] for _, target in drawn]
    for index in (0, 2, 3, -1):
        image, target = train[index]
        assert image.shape == (3, 300, 300)
        same(target, drawn[index][1])
    with pytest.raises(IndexError):
        train[5]
    assert train.summary().count("pictures") == 2
    # Archives are deleted once they are unpacked, and so is everything temporary.
    there = sorted(p.name for p in folder.iterdir())
    assert there == ["VOC2007-test", "VOC2007-trainval", "VOC2012-trainval"]


def test_faults_of_all_parts_are_counted(site):
    folder = get_dataset("voc0712", split="train", progress=False)
    next((folder / "VOC2007-trainval" / "JPEGImages").iterdir()).unlink()
    next((folder / "VOC2012-trainval" / "JPEGImages").iterdir()).unlink()
    with pytest.raises(FileNotFoundError, match="there is no picture"):
        open_dataset("voc0712", "train")
    left = open_dataset("voc0712", "train", on_error="drop")
    assert len(left) == 3
    assert left.summary().count("left out 1 pictures") == 2


def test_one_split_of_coco_can_be_fetched_alone(site):
    get_dataset("coco", split="val", progress=False)
    val = open_dataset("coco", "val")
    assert len(val) == 2
    assert val.classes == SCENE_CLASSES
    assert val[0][0].shape == (3, 300, 300)
    with pytest.raises(FileNotFoundError, match=r"has no train2017\. Fetch what is missing \("):
        open_dataset("coco", "train")
    get_dataset("coco", progress=False)
    assert len(open_dataset("coco", "train")) == 3


def test_an_unknown_checksum_is_printed(site, capsys):
    with pytest.raises(FileNotFoundError, match=r"Fetch what is missing: python"):  # of what size?
        open_dataset("bccd", "train")
    get_dataset("bccd", progress=False)
    expected = hashlib.sha256((site / "BCCD_Dataset-1.0.zip").read_bytes()).hexdigest()
    printed = f"BCCD_Dataset-1.0.zip: SHA-256 {expected} (there is none to compare"
    assert printed in capsys.readouterr().out
    assert isinstance(open_dataset("bccd", "train"), VOCFolder)


def test_complete_archives_in_a_folder_are_used_and_kept(site, tmp_path):
    drive = tmp_path / "drive"
    drive.mkdir()
    for name in ("annotations_trainval2017.zip", "val2017.zip"):
        (site / name).rename(drive / name)  # as if fetched by hand: the server no longer has them
    get_dataset("coco", split="val", archives=drive, progress=False)
    assert len(open_dataset("coco", "val")) == 2
    assert len(list(drive.iterdir())) == 2
    (drive / "train2017.zip").write_bytes((site / "train2017.zip").read_bytes()[:-100])
    with pytest.raises(ValueError, match="incomplete or wrong"):
        get_dataset("coco", archives=drive, progress=False)


def test_a_complete_archive_is_kept_when_the_next_one_fails(site, tmp_path):
    (site / "VOCtrainval_11-May-2012.tar").unlink()
    with pytest.raises(OSError, match=r"VOCtrainval_11-May-2012\.tar could not be fetched"):
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
    assert re.search(r"to fetch: val2017\.zip, 0\.00 GB, http://127\S+/val2017\.zip\n", shown)
    assert f"complete: {tmp_path / 'data' / 'coco'}" in shown
    assert "ssd_tutorial train --data coco --split val --out runs/coco\n" in shown
    run("list", "coco")
    shown = capsys.readouterr().out
    assert shown.count("complete") == 2
    assert "ready: val" in shown
    run("get", "coco", "--split", "val")  # nothing is left to do
    assert "to fetch" not in capsys.readouterr().out
    run("get", "bccd", "--root", str(tmp_path / "there"), "--archives", str(tmp_path / "kept"))
    assert "size unknown" in capsys.readouterr().out
    assert (tmp_path / "kept/BCCD_Dataset-1.0.zip").is_file()


def test_mistakes_at_the_command_line_say_what_to_do(site):
    with pytest.raises(ValueError, match="say which data set: voc0712, coco, bccd"):
        run("get")
    with pytest.raises(ValueError, match="say which folder: data split MYFOLDER"):
        run("split")
    for action in ("get", "list"):
        with pytest.raises(ValueError, match=r"no data set 'cocoa' \(did you mean 'coco'"):
            run(action, "cocoa")
    with pytest.raises(ValueError, match="no split 'test'"):
        run("get", "coco", "--split", "test")


def test_help_documents_every_action(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("fetch only what this split needs", "curl -C - -O ADDRESS", "{list,get,split}"):
        assert words in shown
