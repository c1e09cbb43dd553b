"""Archives: damaged, hostile, or sound; nothing may leave its folder, and nothing may stay half."""

import io
import tarfile
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from ssd_tutorial.datasets.fetch import unpack
from tests.fuzz.mutate import mutated
from tests.fuzz.runner import Fault, Refused, answer

TAKE = "d"
NAMES = ["x.txt", "y/z.txt", "a b", "ü", "n" * 120, "CON", "x.TXT"]
HOSTILE = ["../evil", "/tmp/evil", "d/../../evil", "d\\..\\evil", "C:evil", "..", "d/..", ".", ""]
HOSTILE += ["d/./x.txt", "d//x.txt", "d/x.txt", "d/x.txt/y", "d", "d/" + "y/" * 1500 + "z"]
HOSTILE += ["d/\nx", "./../e", "d/" + "n" * 300, "d/x\0y", "d/\udcff"]
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]
KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Z", b"V", b"S"]


def case(rng: Random, folder: Path) -> Any:
    files = {f"{TAKE}/{n}": rng.randbytes(rng.choice([0, 9, 3000])) for n in rng.sample(NAMES, 3)}
    files[f"{TAKE}/whole.txt"] = b"whole"
    how = rng.choice(["sound", "hostile", "bytes"])
    kind = rng.choice(["zip", "zip", "tar", "gz", "bz2", "xz"])
    content = (zipped if kind == "zip" else tarred)(rng, files, how == "hostile", kind)
    if how == "bytes":
        content = mutated(rng, content)
        if kind == "tar" and rng.random() < 0.7:
            content = with_sums(content)
    path, out = folder / f"a.{kind}", folder / "out" / "data"
    path.write_bytes(content)
    out.parent.mkdir()
    got = answer(lambda: unpack(path, TAKE, out, progress=False), str(path), str(out.parent))
    beside = [p for p in folder.iterdir() if p not in (path, out.parent)]
    beside += [p for p in out.parent.iterdir() if p != out]
    if beside:
        raise Fault(f"files outside the folder: {beside[0].name}")
    if isinstance(got, Refused):
        if how == "sound":
            raise Fault(f"a sound {kind} is refused: {got.message}")
        if out.exists():
            raise Fault("a refused archive leaves a folder")
        return got
    there = {f"{TAKE}/{p.relative_to(out).as_posix()}": p for p in out.rglob("*") if not p.is_dir()}
    if any(p.is_symlink() or not p.is_file() for p in there.values()):
        raise Fault("a link or device was unpacked")
    if how == "sound" and {name: p.read_bytes() for name, p in there.items()} != files:
        raise Fault("a sound archive is not unpacked whole")
    if kind == "zip" and how == "bytes":  # its checksums cover the contents
        wrong = [n for n, p in there.items() if n in files and p.read_bytes() != files[n]]
        if wrong:
            raise Fault("a damaged file of an archive is unpacked")
    return got


def zipped(rng: Random, files: dict[str, bytes], hostile: bool, kind: str) -> bytes:
    with io.BytesIO() as file:
        method = rng.choice(METHODS)
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            if hostile:
                info = zipfile.ZipInfo(rng.choice([n for n in HOSTILE if "\udcff" not in n]))
                info.compress_type = method
                info.external_attr = rng.choice([0, 0o120777, 0o020666, 0o100644]) << 16
                archive.writestr(info, rng.choice([b"evil", bytes(40_000_000), b"/etc/passwd"]))
        data = bytearray(file.getvalue())
    if hostile and rng.random() < 0.3:  # in the central directory: encrypted, method, size
        at = data.find(b"PK\1\2")
        data[at + rng.choice([8, 10, 24, 27])] ^= rng.choice([1, 99, 255])
    return bytes(data)


def tarred(rng: Random, files: dict[str, bytes], hostile: bool, kind: str) -> bytes:
    form = rng.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    mode = "w" if kind == "tar" else f"w:{kind}"
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode=mode, format=form) as archive:
            for name, content in files.items():
                add(archive, tarfile.TarInfo(name), content)
            if hostile:
                info = tarfile.TarInfo(rng.choice(HOSTILE))
                if rng.random() < 0.5:
                    info.name, info.type = "d/link", rng.choice(KINDS)
                    info.linkname = rng.choice(["/etc/passwd", "../..", "x.txt", "d/x.txt"])
                if rng.random() < 0.3 and form == tarfile.PAX_FORMAT:
                    key = rng.choice(["path", "size", "linkpath", "GNU.sparse.size", "mtime"])
                    info.pax_headers = {key: rng.choice(["../e", "-1024", "9" * 30, "x", "nan"])}
                info.mode = rng.choice([0o644, 0o6777, 0])
                add(archive, info, b"evil" if info.type == tarfile.REGTYPE else b"")
        return file.getvalue()


def add(archive: tarfile.TarFile, info: tarfile.TarInfo, content: bytes) -> None:
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def with_sums(content: bytes) -> bytes:
    """Correct the checksums of a tar file's headers, so that damage reaches what comes after."""
    data = bytearray(content)
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)
