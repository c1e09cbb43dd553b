"""Picture files: which formats are read, how large they may be, and where files are looked for."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ssd_tutorial.datasets import UnreadablePicture, pictures, read_picture
from ssd_tutorial.datasets.pictures import (
    EXTENSIONS,
    FORMATS,
    files_below,
    read_header,
    visible,
)

RED, BLUE = (200, 30, 10), (10, 30, 200)


def encoded(kind, picture=None, **how):
    buffer = io.BytesIO()
    (picture or Image.new("RGB", (60, 40), RED)).save(buffer, kind, **how)
    return buffer.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(name, content):
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("kind", [*FORMATS, "MPO"])
@pytest.mark.parametrize("ending", [".jpg", ".PNG", ".Jfif"])
def test_the_content_says_what_a_picture_is_not_its_ending(tmp_path, kind, ending):
    path = tmp_path / f"p{ending}"
    path.write_bytes(encoded(kind))
    assert read_header(path).size == (60, 40)
    image = read_picture(path)
    assert image.shape == (3, 40, 60)
    assert abs(image[:, 20, 30].int().numpy() - RED).max() < 8
    assert list(files_below(tmp_path)) == [path.name]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_the_first_of_several_frames_is_read(tmp_path, kind):
    frames = [Image.new("RGB", (60, 40), colour) for colour in (RED, BLUE)]
    (tmp_path / "p").write_bytes(encoded(kind, frames[0], save_all=True, append_images=frames[1:]))
    assert abs(read_picture(tmp_path / "p")[:, 20, 30].int().numpy() - RED).max() < 8


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (encoded("EPS"), "EPS"),
        (encoded("PDF"), "PDF"),
        (encoded("JPEG2000"), "JPEG 2000"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    ],
)
def test_other_formats_are_refused_by_name(tmp_path, content, name):
    (tmp_path / "e.jpg").write_bytes(content)
    for look in (read_picture, read_header):
        with pytest.raises(UnreadablePicture, match=rf"e\.jpg .*it is in the format {name}; those"):
            look(tmp_path / "e.jpg")


@pytest.mark.parametrize("content", [b"", b"hello", encoded("TGA"), encoded("PPM"), encoded("PCX")])
def test_what_is_no_picture_is_refused_with_the_formats(tmp_path, content):
    (tmp_path / "e.jpg").write_bytes(content)
    with pytest.raises(UnreadablePicture, match="those read are JPEG, PNG, BMP, WEBP, TIFF, GIF"):
        read_picture(tmp_path / "e.jpg")


def test_postscript_starts_no_program(tmp_path, monkeypatch):
    program, sign = tmp_path / "bin" / "gs", tmp_path / "sign"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {sign}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    (tmp_path / "e.jpg").write_bytes(encoded("EPS"))
    with pytest.raises(UnreadablePicture):
        read_picture(tmp_path / "e.jpg")
    assert not sign.exists()


def test_whatever_a_decoder_raises_is_the_fault_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "e.jpg").write_bytes(encoded("JPEG"))
    for kind in (RuntimeError, MemoryError, struct.error, TypeError, OverflowError):

        def fail(*_, kind=kind, **__):
            raise kind

        monkeypatch.setattr(pictures.ImageOps, "exif_transpose", fail)
        with pytest.raises(UnreadablePicture, match=rf"e\.jpg .*\({kind.__name__}\)"):
            read_picture(tmp_path / "e.jpg")


# ---------------------------------------------------------------- orientation and range


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(10))  # 0 and 9 are written by mistake
def test_the_header_says_the_size_of_the_upright_picture(tmp_path, kind, orientation):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = RED
    picture = Image.fromarray(pixels)
    (tmp_path / "p").write_bytes(encoded(kind, picture, exif=turned(orientation)))
    how = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    upright = picture if how is None else picture.transpose(Image.Transpose(how))
    image = read_picture(tmp_path / "p").permute(1, 2, 0).numpy()
    assert read_header(tmp_path / "p").size == upright.size == image.shape[1::-1]
    assert abs(image.astype(int) - np.asarray(upright)).mean() < 4
    header = read_header(tmp_path / "p")
    assert header.stored == (60, 40)
    assert header.orientation == (orientation if 2 <= orientation <= 8 else 1)


def test_exif_after_the_pixels_of_a_png_counts(tmp_path):
    png, exif = encoded("PNG"), turned(6).tobytes().removeprefix(b"Exif\0\0")
    (tmp_path / "p.png").write_bytes(png[:-12] + chunk(b"eXIf", exif) + png[-12:])
    assert read_header(tmp_path / "p.png").size == (40, 60)
    assert read_picture(tmp_path / "p.png").shape == (3, 60, 40)


@pytest.mark.parametrize("values", [[0, 2**31 - 1], [-5, 9], [0, 65_536]])
def test_integers_of_unknown_range_are_refused(tmp_path, values):
    Image.fromarray(np.array([values], np.int32)).save(tmp_path / "p.tif")
    with pytest.raises(UnreadablePicture, match=r"p\.tif .*32 bits of unknown range; save it with"):
        read_picture(tmp_path / "p.tif")


# ---------------------------------------------------------------- size


def large_png(path, side):
    """Write a picture of one bit per pixel, with a palette and transparency: a few kilobytes."""
    compress = zlib.compressobj(9)
    rows = b"".join(compress.compress(bytes(1 + (side + 7) // 8)) for _ in range(side))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 3, 0, 0, 0))
    colours = chunk(b"PLTE", bytes(3) + b"\xff\xff\xff") + chunk(b"tRNS", b"\0")
    pixels = chunk(b"IDAT", rows + compress.flush())
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + colours + pixels + chunk(b"IEND", b""))
    return path


def test_a_small_file_of_too_many_pixels_is_refused_before_decoding(tmp_path, monkeypatch):
    path = large_png(tmp_path / "p.png", 8_100)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(Image.Image, "convert", None)
    with pytest.raises(UnreadablePicture, match=r"8100 x 8100 pixels are more than 64 million"):
        read_picture(path)


def test_pictures_up_to_the_limit_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 300 * 300)
    assert read_picture(large_png(tmp_path / "p.png", 300)).shape == (3, 300, 300)
    with pytest.raises(UnreadablePicture, match="301 x 301"):
        read_picture(large_png(tmp_path / "p.png", 301))


# ---------------------------------------------------------------- files


def test_devices_pipes_and_links_to_nothing_are_no_files(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    (tmp_path / "folder.jpg").mkdir()
    os.symlink("/dev/zero", tmp_path / "b.jpg")
    os.symlink("/nowhere.jpg", tmp_path / "c.jpg")
    os.mkfifo(tmp_path / "d.jpg")
    assert list(files_below(tmp_path)) == ["a.jpg"]
    assert [path.name for path in visible(tmp_path)] == ["a.jpg", "folder.jpg"]
    for name in "bcd":
        with pytest.raises(FileNotFoundError, match=f"there is no picture .*{name}.jpg"):
            read_picture(tmp_path / f"{name}.jpg")


def test_links_in_a_circle_lead_to_each_file_once(tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    for place in (tmp_path, tmp_path / "real" / "deep"):
        (place / "p.jpg").write_bytes(encoded("JPEG"))
    for name in ("a", "b", "real/up"):
        os.symlink(tmp_path, tmp_path / name)
    os.symlink(tmp_path / "real", tmp_path / "c")
    assert list(files_below(tmp_path)) == ["p.jpg", "real/deep/p.jpg"]


def test_a_link_to_another_folder_is_followed(tmp_path):
    (tmp_path / "disk" / "photos").mkdir(parents=True)
    (tmp_path / "disk" / "photos" / "p.jpg").write_bytes(encoded("JPEG"))
    (tmp_path / "mine").mkdir()
    os.symlink(tmp_path / "disk" / "photos", tmp_path / "mine" / "train")
    assert list(files_below(tmp_path / "mine")) == ["train/p.jpg"]


def test_every_extension_belongs_to_one_format():
    assert len(set(EXTENSIONS)) == len(EXTENSIONS)
    assert {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"} == set(
        EXTENSIONS
    )


def test_doctor_sees_the_same_pictures(tmp_path):
    from ssd_tutorial.doctor.picture_rules import look_at

    (tmp_path / "eps.jpg").write_bytes(encoded("EPS"))
    os.symlink("/dev/zero", tmp_path / "zero.jpg")
    large_png(tmp_path / "large.png", 8_100)
    assert "it is in the format EPS" in look_at(tmp_path / "eps.jpg").fault
    assert look_at(tmp_path / "zero.jpg").fault.startswith("there is no picture")
    assert "are more than 64 million" in look_at(tmp_path / "large.png").fault
    (tmp_path / "p.tif").write_bytes(encoded("TIFF", exif=turned(6)))
    seen = look_at(tmp_path / "p.tif")
    assert (seen.size, seen.stored, seen.orientation) == ((40, 60), (60, 40), 6)


@pytest.mark.parametrize("packed", [None, "tiff_lzw"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_a_turned_tiff_is_turned_once(tmp_path, mode, packed):
    """Pillow turns a TIFF when it loads it, and an uncompressed one in some modes again."""
    noise = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    drawn, exif = Image.fromarray(noise).convert(mode), Image.Exif()
    drawn.save(tmp_path / "upright.tif", compression=packed)
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    drawn.save(tmp_path / "turned.tif", compression=packed, exif=exif)
    upright, turned = (read_picture(tmp_path / f"{name}.tif") for name in ("upright", "turned"))
    np.testing.assert_array_equal(np.rot90(upright.numpy(), -1, (1, 2)), turned.numpy())
    assert read_header(tmp_path / "turned.tif").size == (6, 9)
