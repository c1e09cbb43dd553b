"""Unpacking: whole or not at all, and nothing outside the folder."""

import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections import namedtuple

import pytest

from ssd_tutorial.datasets.unpack import unpack

FILES = {
    "kit/VOC2007/JPEGImages/a.jpg": b"a" * 5000,
    "kit/VOC2007/Annotations/a.xml": b"<annotation/>",
    "kit/VOC2007/empty.txt": b"",
    "kit/other/b.txt": b"passed over",
    "readme.txt": b"passed over",
}


def make(path, files=FILES, kind=None):
    kind = kind or path.suffix[1:]
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if kind == "gz" else "w") as file:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return path


def everything(folder):
    found = folder.rglob("*")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found if p.is_file()}


def untouched(tmp_path, *names):
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)


@pytest.fixture(params=["a.tar", "a.tar.gz", "a.zip"])
def archive(request, tmp_path):
    return make(tmp_path / request.param)


def test_one_folder_is_taken_and_renamed(archive, tmp_path):
    assert unpack(archive, "kit/VOC2007", tmp_path / "VOC2007-test", progress=False) == 3
    assert everything(tmp_path / "VOC2007-test") == {
        "JPEGImages/a.jpg": b"a" * 5000,
        "Annotations/a.xml": b"<annotation/>",
        "empty.txt": b"",
    }
    untouched(tmp_path, archive.name, "VOC2007-test")
    with pytest.raises(FileExistsError, match="is there already"):
        unpack(archive, "kit/VOC2007", tmp_path / "VOC2007-test")


def test_names_that_begin_with_a_dot_are_the_same(tmp_path):
    path = make(tmp_path / "a.tar", {f"./{name}": content for name, content in FILES.items()})
    assert unpack(path, "kit/VOC2007", tmp_path / "x", progress=False) == 3


def test_a_folder_that_is_not_inside(archive, tmp_path):
    with pytest.raises(ValueError, match=r"holds no folder kit/VOC2012: it holds kit, readme\.txt"):
        unpack(archive, "kit/VOC2012", tmp_path / "x")
    untouched(tmp_path, archive.name)


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
    path = make(folder / f"a.{kind}", {**FILES, name: b"!"})
    with pytest.raises(ValueError, match="a name outside its folder.*was not unpacked"):
        unpack(path, "kit/VOC2007", folder / "x")
    untouched(folder, path.name)
    untouched(tmp_path, "data")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"3"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        link = tarfile.TarInfo("kit/VOC2007/link")
        link.type, link.linkname = kind, "../../../outside"
        file.addfile(link)
    with pytest.raises(ValueError, match="a link or device, 'kit/VOC2007/link'"):
        unpack(path, "kit/VOC2007", tmp_path / "x")
    untouched(tmp_path, "a.tar")


def test_links_in_a_zip_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("kit/VOC2007/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "../../../outside")
    with pytest.raises(ValueError, match="a link or device"):
        unpack(path, "kit/VOC2007", tmp_path / "x")


def test_damaged_archives_leave_nothing(archive, tmp_path):
    content = archive.read_bytes()
    for damaged in (content[: len(content) * 2 // 3], b"<html>not found</html>", b""):
        archive.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged or no archive|holds no folder"):
            unpack(archive, "kit/VOC2007", tmp_path / "x")
        untouched(tmp_path, archive.name)


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("kit/a.jpg", b"a" * 500)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or no archive"):
        unpack(path, "kit", tmp_path / "x")
    untouched(tmp_path, "a.zip")


def test_too_little_room_is_said_before(archive, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 4000))
    with pytest.raises(OSError, match=r"has room for 0\.0 GB, and 0\.0 GB are needed.*--root"):
        unpack(archive, "kit/VOC2007", tmp_path / "x")
    untouched(tmp_path, archive.name)


def test_a_disk_that_fills_up_leaves_nothing(archive, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(archive, "kit/VOC2007", tmp_path / "x")
    untouched(tmp_path, archive.name)


def test_what_a_killed_run_left_is_cleared(archive, tmp_path):
    left = tmp_path / ".x.123.unfinished"
    left.mkdir()
    (left / "half.jpg").write_bytes(b"h")
    unpack(archive, "kit/VOC2007", tmp_path / "x", progress=False)
    untouched(tmp_path, archive.name, "x")


def test_permissions_are_the_readers_own(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        info = tarfile.TarInfo("kit/a.sh")
        info.size, info.mode = 1, 0o6777
        file.addfile(info, io.BytesIO(b"!"))
    unpack(path, "kit", tmp_path / "x", progress=False)
    mode = os.stat(tmp_path / "x" / "a.sh").st_mode
    assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR)
