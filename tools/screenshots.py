"""Take screenshots of built pages at desktop and phone width, in the light and the dark theme.

    python tools/screenshots.py --out shots                     # every page
    python tools/screenshots.py --out shots 08_matching         # one chapter

Each page gives four PNGs, PAGE.WIDTH.THEME.png, as long as the page is (at most 3000 px; longer
pages continue in PAGE.WIDTH.THEME.2.png and so on, to stay readable in an image viewer).
"""

import argparse
import sys
from pathlib import Path

from built_site import (
    HTML,
    built_pages,
    launch,
    load_pictures,
    new_page,
    serve,
    wait_until_drawn,
    wait_until_settled,
)


def photograph(
    browser, base: str, name: str, width: int, themes: list[str], out: Path, slice_px: int
) -> list[Path]:
    """Load a page once, write its PNGs in each theme, and return their paths."""
    page, _ = new_page(browser, base, width, themes[0], reduced_motion="reduce")  # the film stands
    page.goto(base + name, wait_until="load")
    wait_until_drawn(page)
    load_pictures(page)
    stem = name.removesuffix(".html").replace("/", "-")
    paths = []
    for theme in themes:
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        wait_until_settled(page)
        total = page.evaluate("document.documentElement.scrollHeight")
        for number, top in enumerate(range(0, total, slice_px), start=1):
            suffix = f".{number}" if total > slice_px else ""
            path = out / f"{stem}.{width}.{theme}{suffix}.png"
            height = min(slice_px, total - top)
            clip = {"x": 0, "y": top, "width": width, "height": height}
            page.screenshot(path=path, full_page=True, clip=clip)
            paths.append(path)
    page.context.close()
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", help="part of a page's name; without any, every page")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNGs")
    parser.add_argument(
        "--html", type=Path, default=HTML, help="built pages (default: %(default)s)"
    )
    parser.add_argument("--widths", type=int, nargs="+", default=[1280, 360])
    parser.add_argument("--themes", nargs="+", choices=["light", "dark"], default=["light", "dark"])
    parser.add_argument("--slice", type=int, default=3000, help="longest PNG in px")
    options = parser.parse_args()

    try:
        names = built_pages(options.html)
    except FileNotFoundError as error:
        return f"screenshots: {error}"
    wanted = [n for n in names if not options.pages or any(p in n for p in options.pages)]
    if not wanted:
        return f"screenshots: there is no page {options.pages}; the pages are {', '.join(names)}"
    options.out.mkdir(parents=True, exist_ok=True)
    with serve(options.html) as base, launch() as browser:
        for name in wanted:
            for width in options.widths:
                for path in photograph(
                    browser, base, name, width, options.themes, options.out, options.slice
                ):
                    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
