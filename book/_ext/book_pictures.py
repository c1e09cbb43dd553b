"""Sphinx extension: figures that are sharp, light and in the page's colours.

The build's kernels keep a better form of each PNG (`ssd_book.page_pictures`). A page shows

1. a plot as SVG inside the page, with text in the page's font and no background, so that `book.css`
   can turn dark lines light in the dark theme;
2. a figure with pictures as WebP;
3. the picture of an explorer as WebP, made here. Where scripts run, `explorer_page.css` hides it,
   and a browser loads it only if the explorer fails;
4. any other picture as it is, so that a PNG without a better form stays.

Every ``<img>`` has its size, so that the page does not move when it arrives, and all but the first
of a page are loaded when they come near.
"""

import re
import shutil
import zlib
from html import escape
from pathlib import Path

from docutils import nodes
from PIL import Image
from ssd_book.page_pictures import QUALITY

KEPT = "pictures"  # a folder in the execution cache
DPI, SHARP = 130, 2  # of a PNG, and how much sharper a WebP is than it is shown


def inline_svg(svg: str, name: str, alt: str) -> str:
    """Return matplotlib's SVG as a part of a page, whose ids begin with `name`."""
    view = re.search(r'viewBox="([^"]+)"', svg)[1]
    width, height = (round(float(side) * DPI / 72) for side in view.split()[2:])
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' * (m[1] in used), body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body).replace("xlink:href", "href")
    body = re.sub(r"'Inter'[^;\"]*", "var(--book-sans)", body)
    body = re.sub(  # a hundredth of a point cannot be seen
        r' (?:d|x|y)="[^"]+"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), body
    )
    body = re.sub(r"\s+", " ", body).replace("> <", "><").replace("<defs></defs>", "")
    return (
        f'<svg class="plot" role="img" aria-label="{escape(alt)}" viewBox="{view}" '
        f'width="{width}" height="{height}" stroke-linejoin="round">{body.strip()}\n'
    )


def size_of(file: Path, sharp: int = 1) -> dict[str, int]:
    """Return the width and height of a picture on a page, in px; nothing for a vector picture."""
    try:
        with Image.open(file) as picture:
            width, height = picture.size
    except OSError:
        return {}
    return {"width": round(width / sharp), "height": round(height / sharp)}


class Pictures:
    """The pictures of the pages that are written, each in the form that its page shows."""

    def __init__(self, app):
        self.kept = Path(app.config.nb_execution_cache_path) / KEPT
        self.source, self.target = Path(app.srcdir), Path(app.outdir) / app.builder.imagedir
        self.seen: dict[str, int] = {}  # pictures so far, by page

    def visit(self, writer, node):
        """Write an image node of a page."""
        builder, png = writer.builder, self.source / node["uri"]
        number = self.seen.get(builder.current_docname, 0)
        self.seen[builder.current_docname] = number + 1
        svg, webp = (self.kept / f"{png.stem}.{kind}" for kind in ("svg", "webp"))
        if svg.is_file():
            builder.images.pop(node["uri"], None)  # the PNG is not needed
            text = svg.read_text(encoding="utf-8")
            writer.body.append(inline_svg(text, f"plot{number}", node.get("alt", "")))
            return
        stands_in = "explorer-place" in node.parent.get("classes", ())
        said = size_of(webp, SHARP) if webp.is_file() else size_of(png)
        if webp.is_file() or (stands_in and png.suffix == ".png"):
            builder.images.pop(node["uri"], None)
            self.put(webp if webp.is_file() else png, self.target / webp.name)
            node["uri"] = f"{builder.imgpath}/{webp.name}"
        type(writer).visit_image(writer, node)
        if "width" in node or "height" in node or "scale" in node:
            said = {}
        if number or stands_in:
            said |= {"loading": "lazy", "decoding": "async"}
        attributes = "".join(f'{name}="{value}" ' for name, value in said.items())
        writer.body[-1] = writer.body[-1].replace("<img ", f"<img {attributes}", 1)

    @staticmethod
    def put(picture: Path, target: Path) -> None:
        """Write a picture as WebP, unless it is there."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            return
        if picture.suffix == target.suffix:
            shutil.copyfile(picture, target)
        else:
            with Image.open(picture) as image:
                image.convert("RGB").save(target, **QUALITY)


def write_pictures(app):
    """Let this extension write the image nodes of HTML pages."""
    if app.builder.format == "html":
        pictures = Pictures(app)
        visit = lambda writer, node: pictures.visit(writer, node)  # noqa: E731 - bound to a writer
        depart = lambda writer, node: type(writer).depart_image(writer, node)  # noqa: E731
        app.add_node(nodes.image, override=True, html=(visit, depart))


def setup(app):
    app.connect("builder-inited", write_pictures)
    return {
        "version": "1",
        "env_version": zlib.crc32(Path(__file__).read_bytes()),
        "parallel_read_safe": True,
        "parallel_write_safe": False,  # pictures are counted in one process
    }
