"""Serve the built pages locally, and open them in a browser.

Shared by `tools/screenshots.py` and `tests/browser/`. Requests to other origins are refused by
the browser itself, and recorded, so that a page that needs the network is noticed.
"""

import contextlib
import functools
import gzip
import http.server
import os
import re
import shutil
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HTML = Path(os.environ.get("SSD_BOOK_HTML", ROOT / "_build" / "html"))
PREFIX = "/repository/"  # as on GitHub Pages: a link that starts with "/" breaks
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every origin but this machine's is behind a proxy that nobody runs. To refuse requests one by
    # one from here would send each of a page's files through this process first.
    "--proxy-server=127.0.0.1:9",
    # A window's address bar makes suggestions in two pages that nobody sees, as much work as a page
    # of the book. The other features are on Playwright's own list, which this one replaces.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,AimEnabled,HttpsUpgrades,"
    "HttpsFirstBalancedModeAutoEnable,MediaRouter,OptimizationHints,PaintHolding,PreconnectToSearch",
]


def built_pages(html: Path = HTML) -> list[str]:
    """Return the paths of all pages below `html` except the redirect at the top.

    Raises:
        FileNotFoundError: there are no built pages.
    """
    pages = sorted(
        file.relative_to(html).as_posix()
        for file in html.rglob("*.html")
        if "_static" not in file.parts and file.parent != html
    )
    if not pages:
        raise FileNotFoundError(f"no built pages in {html}: run `make book` first")
    return [*pages, *(name for name in ("search.html",) if (html / name).is_file())]


KINDS = {".html": "html", ".css": "css", ".js": "scripts", ".woff": "fonts", ".woff2": "fonts"}
PICTURES = rb"data:image/[^\"')]+|<svg class=\"plot\".*?</svg>"  # inside a file of another kind


@functools.cache
def gzipped_kb(file: Path) -> float:
    """Return the gzipped size of a built file, without pictures."""
    text = re.sub(PICTURES, b"", file.read_bytes(), flags=re.S)
    return len(gzip.compress(text)) / 1024


def weight_kb(loaded: list[str], html: Path = HTML) -> dict[str, float]:
    """Return the gzipped size of the built files that a page has loaded, by kind, without pictures.

    `loaded` has the addresses below that of the book.
    """
    weight = dict.fromkeys(KINDS.values(), 0.0)
    for name in {address.partition("?")[0].partition("#")[0] for address in loaded}:
        if (kind := KINDS.get(Path(name).suffix)) and (html / name).is_file():
            weight[kind] += gzipped_kb(html / name)
    return weight


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection serves many files
    disable_nagle_algorithm = True  # else each file on it waits for the browser's acknowledgement

    def do_GET(self):
        if self.path.startswith(PREFIX):
            super().do_GET()
        else:
            self.send_error(404, "outside the book")

    def translate_path(self, path):
        return super().translate_path(path[len(PREFIX) - 1 :])

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(html: Path = HTML):
    """Serve `html` on the loopback address under a sub-path, and yield the book's address."""
    handler = functools.partial(_Handler, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        finally:
            server.shutdown()
            thread.join()


def find_chromium() -> str:
    """Return the path of a Chromium on this machine.

    Raises:
        FileNotFoundError: there is none; the message says how to install it.
    """
    if path := os.environ.get("CHROMIUM"):
        if shutil.which(path):
            return path
        raise FileNotFoundError(f"CHROMIUM={path}: there is no such program")
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name):
            return path
    raise FileNotFoundError(
        "no Chromium on this machine (looked for " + ", ".join(CHROMIUM_NAMES) + "): "
        "on Debian run `apt-get install chromium`; elsewhere set CHROMIUM=/path/to/chrome"
    )


@contextlib.contextmanager
def launch():
    """Yield a headless Chromium, driven by playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS
        )
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser, base: str, width: int, theme: str = "light", height: int = 900, **context_of):
    """Open an empty page of that width; return it with the list of refused foreign requests.

    `context_of` is passed to the browser context, such as ``reduced_motion="reduce"``.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        device_scale_factor=1,
        has_touch=width < 600,
        **context_of,
    )
    context.set_default_timeout(90_000)  # on a machine that may be busy
    context.add_init_script(f"localStorage.setItem('mode', '{theme}')")
    elsewhere: list[str] = []

    def note(request):
        if not request.url.startswith((base, "data:", "blob:")):
            elsewhere.append(request.url)

    context.on("request", note)
    return context.new_page(), elsewhere


def wait_until_drawn(page):
    """Wait until fonts are loaded, explorers have started, and all sections have their layout."""
    page.evaluate("async () => { await document.fonts.ready; }")
    page.wait_for_function(
        "!document.querySelector('script[src*=\"explorers.js\"]')"
        " || document.documentElement.dataset.explorers"
    )
    page.wait_for_function("!('unread' in document.documentElement.dataset)")


def load_pictures(page):
    """Load the pictures that wait until a reader comes near them."""
    page.evaluate(
        "document.querySelectorAll('img[loading=lazy]').forEach(i => i.loading = 'eager')"
    )
    page.wait_for_function("[...document.images].every(i => i.complete)")
    page.evaluate("Promise.allSettled([...document.images].map(i => i.decode()))")  # else blank


def wait_until_settled(page):
    """Wait until what observes sizes or the theme has followed, with all that fades at its end.

    It is put there, because on a busy machine it would be half-way for seconds.
    """
    page.evaluate(
        """async () => {
          const frame = () => new Promise(requestAnimationFrame);
          await frame();
          await frame();
          const ends = (animation) => animation.effect.getComputedTiming().endTime < Infinity;
          for (const animation of document.getAnimations().filter(ends)) animation.finish();
          await frame();
        }"""
    )
