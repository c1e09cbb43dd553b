"""Make the book's fonts from npm's packages of open fonts, as small as the pages need them.

    python tools/fonts.py        # write book/_static/fonts/

Each font is cut to the characters of Western European languages and a few signs, and to the weights
that the style sheets use. Matplotlib, which sets the plots in the interface's font, reads neither
WOFF2 nor fonts with several weights, so that font is there once more, as one TTF per weight. The
files and their licences are committed, so a build needs no npm.

Formulas have a font with the measures and the large signs that MathML needs. The glossary's Korean
words have a font of their own, with the syllables that are there and no
others: run this tool when the glossary gets a new one. Pages without either load neither font.
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
FORMULAS = [
    *range(0x20, 0x7F),
    *range(0x391, 0x3CA),  # Greek, upright
    0x210E,  # an italic h
    *range(0x1D434, 0x1D468),  # italic letters, which MathML takes for x and y
    *range(0x1D6E2, 0x1D71C),  # Greek, italic
    *range(0x2061, 0x2065),  # signs that are not seen
]
FORMULAS += [ord(sign) for sign in "\xa0±·×÷ˆ¯‾˜ϑϕϵℝ∅∀∃∣…⋯′″−∗∘⋅⊙⊕∖∑∏√∫∂∇∞∈∉⊂⊆∩∪∥⟨⟩⌊⌋⌈⌉"]
FORMULAS += [ord(sign) for sign in "<>≤≥≠≈≡∼∝→←↔⇒⇔↦"]
LOW = 0.85  # height of a root in formulas, to that in the font
SOURCES = {  # name of the file: npm's package, and its file of Latin letters
    "text": ("@fontsource-variable/source-serif-4@5.3.1", "source-serif-4-latin-wght-normal"),
    "text-italic": (
        "@fontsource-variable/source-serif-4@5.3.1",
        "source-serif-4-latin-wght-italic",
    ),
    "sans": ("@fontsource-variable/inter@5.3.0", "inter-latin-wght-normal"),
    "hangul": ("@fontsource/noto-sans-kr@5.3.0", "noto-sans-kr-korean-400-normal"),
    "math": ("@fontsource/stix-two-math@5.3.0", "stix-two-math-latin-400-normal"),
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


def characters_of(name: str) -> list[int]:
    """Return what is kept of a font."""
    return {"hangul": hangul(), "math": FORMULAS}.get(name, CHARACTERS)


def cut(data: bytes, characters: Sequence[int]) -> bytes:
    """Return a font with these characters and our weights alone, as WOFF2."""
    font = TTFont(io.BytesIO(data))
    if "fvar" in font:
        limited = io.BytesIO()
        instantiateVariableFont(font, {"wght": WEIGHTS}).save(limited)
        limited.seek(0)
        font = TTFont(limited)
    if "MATH" in font:
        adapted(font)
    options = subset.Options(
        flavor="woff2", layout_features=["kern", "liga", "tnum", "mark", "zero"]
    )
    options.hinting = "MATH" not in font  # a third of a font of formulas
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    target = io.BytesIO()
    subset.save_font(font, target, options)
    return target.getvalue()


def adapted(font: TTFont) -> None:
    """Change three signs of the font of formulas, for what browsers do with them.

    Chromium reserves for a sign that can grow the width of its widest form: so all roots become as
    wide as the lowest, and slashes higher than \\Big are left out. A root over a low letter hangs
    below the line, where TeX would lift it, so roots become lower. A prime stands in an exponent,
    for which browsers would need a larger one: it is enlarged and stands on the line.
    """
    table, signs, widths = font["MATH"].table.MathVariants, font.getBestCmap(), font["hmtx"]
    forms = dict(zip(table.VertGlyphCoverage.glyphs, table.VertGlyphConstruction, strict=True))
    root, slash, prime = (signs[ord(sign)] for sign in "√/′")
    slashes = forms[slash].MathGlyphVariantRecord
    forms[slash].MathGlyphVariantRecord = [f for f in slashes if f.AdvanceMeasurement < 2000]
    width, scales = widths[root][0], {prime: (1.5, 1.5)}
    for part in forms[root].GlyphAssembly.PartRecords:
        scales[part.glyph] = (width / widths[part.glyph][0], 1)
    for form in forms[root].MathGlyphVariantRecord:
        scales[form.VariantGlyph] = (width / widths[form.VariantGlyph][0], LOW)
        form.AdvanceMeasurement = round(form.AdvanceMeasurement * LOW)
    for name, scale in scales.items():
        shape = font["glyf"][name]
        low = shape.yMin
        shape.coordinates.scale(scale)
        if name == prime:
            shape.coordinates.translate((0, 60 - 1.5 * low))
        shape.coordinates.toInt()
        shape.recalcBounds(font["glyf"])
        widths[name] = (round(widths[name][0] * scale[0]), shape.xMin)


def fixed(data: bytes, weight: int) -> bytes:
    """Return a font in one weight, as TTF."""
    font = instantiateVariableFont(TTFont(io.BytesIO(data)), {"wght": weight})
    font.flavor = None
    # by this name matplotlib tells the outlines of one font's letters from those of another's
    family = font["name"].getDebugName(6).partition("-")[0]
    font["name"].setName(f"{family}-{weight}", 6, 3, 1, 0x409)
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
            target.write_bytes(cut(data, characters_of(name)))
            for weight in WEIGHTS if name == "sans" else ():
                plain = FONTS / f"{name}-{weight}.ttf"
                plain.write_bytes(fixed(target.read_bytes(), weight))
            family = package.split("/")[1].partition("@")[0]
            (FONTS / f"LICENSE-{family}.txt").write_bytes(licence)
            print(f"{target.name}: {len(data) // 1024} KB, cut to {target.stat().st_size // 1024}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
