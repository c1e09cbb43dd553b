"""Make the book's fonts from npm's packages of open fonts, as small as the pages need them.

    python tools/fonts.py        # write book/_static/fonts/

Each font is cut to the characters of Western European languages and a few signs, and to the weights
that the style sheets use. Matplotlib, which sets the plots in the interface's font, reads neither
WOFF2 nor fonts with several weights, so that font is there once more, as one TTF per weight. The
files and their licences are committed, so a build needs no npm.

The glossary's Korean words have a font of their own, with the syllables that stand there and no
others: run this tool when the glossary gets a new one. No other page loads it.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

BOOK = Path(__file__).resolve().parent.parent / "book"
FONTS = BOOK / "_static" / "fonts"
WEIGHTS = (400, 700)
CHARACTERS = [
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x2010, 0x2027),
    *range(0x2190, 0x2194),
]
CHARACTERS += [ord(sign) for sign in "−√∞≈≠≤≥▸′″€™"]
SOURCES = {  # name of the file: npm's package, and its file of Latin letters
    "text": ("@fontsource-variable/source-serif-4@5.3.1", "source-serif-4-latin-wght-normal"),
    "text-italic": (
        "@fontsource-variable/source-serif-4@5.3.1",
        "source-serif-4-latin-wght-italic",
    ),
    "sans": ("@fontsource-variable/inter@5.3.0", "inter-latin-wght-normal"),
    "hangul": ("@fontsource/noto-sans-kr@5.3.0", "noto-sans-kr-korean-400-normal"),
    "code": ("@fontsource-variable/source-code-pro@5.3.1", "source-code-pro-latin-wght-normal"),
}


def unpacked(package: str, folder: Path) -> tarfile.TarFile:
    """Fetch a package of npm, whose checksums npm compares."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), package]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
    return tarfile.open(folder / name)


def hangul() -> list[int]:
    """Return the Korean syllables of the glossary."""
    text = (BOOK / "glossary.md").read_text(encoding="utf-8")
    return sorted({ord(sign) for sign in text if "가" <= sign <= "힣"})


def cut(data: bytes, characters: Sequence[int]) -> bytes:
    """Return a font with these characters and our weights alone, as WOFF2."""
    font = TTFont(io.BytesIO(data))
    if "fvar" in font:
        limited = io.BytesIO()
        instantiateVariableFont(font, {"wght": WEIGHTS}).save(limited)
        limited.seek(0)
        font = TTFont(limited)
    options = subset.Options(
        flavor="woff2", layout_features=["kern", "liga", "tnum", "mark", "zero"]
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    target = io.BytesIO()
    subset.save_font(font, target, options)
    return target.getvalue()


def fixed(data: bytes, weight: int) -> bytes:
    """Return a font in one weight, as TTF."""
    font = instantiateVariableFont(TTFont(io.BytesIO(data)), {"wght": weight})
    font.flavor = None
    target = io.BytesIO()
    font.save(target)
    return target.getvalue()


def main() -> int:
    FONTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, (package, file) in SOURCES.items():
            with unpacked(package, Path(folder)) as archive:
                data = archive.extractfile(f"package/files/{file}.woff2").read()
                licence = archive.extractfile("package/LICENSE").read()
            target = FONTS / f"{name}.woff2"
            target.write_bytes(cut(data, hangul() if name == "hangul" else CHARACTERS))
            for weight in WEIGHTS if name == "sans" else ():
                plain = FONTS / f"{name}-{weight}.ttf"
                plain.write_bytes(fixed(target.read_bytes(), weight))
            family = package.split("/")[1].partition("@")[0]
            (FONTS / f"LICENSE-{family}.txt").write_bytes(licence)
            print(f"{target.name}: {len(data) // 1024} KB, cut to {target.stat().st_size // 1024}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
