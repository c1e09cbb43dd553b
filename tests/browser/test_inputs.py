"""The live page looks at other pictures, and with a reader's own detector.

Pictures must become the bytes that Python makes of them; `SPOILED` damages the page's modules on
their way to the browser, and each damage must be noticed.
"""

import base64
import gzip
import io
import re
from pathlib import Path

import built_site
import numpy as np
import onnx
import pytest
import torch
from live_files import DRAWN, FOLDER
from PIL import Image, ImageCms

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import read_picture
from ssd_tutorial.deploy.inference import detect, load_detector
from ssd_tutorial.deploy.onnx_file import export_onnx
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.weights.file import Detector
from tests.browser.conftest import faults_in_both_themes
from tests.browser.test_live import FILES, MOST_MB, Figure, route_changed, swap
from tests.parity.live import stretched

pytestmark = pytest.mark.browser

SIDE = 300
SQUARE = """async ([name, type, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const base = new URL(document.querySelector(".live-place").dataset.base, document.baseURI);
  const { openPicture } = await import(new URL("pictures.js", base));
  try {
    const picture = await openPicture(new File([bytes], name, { type }), name);
    const square = await picture.square(300);
    picture.close();
    let letters = "";
    for (let i = 0; i < square.length; i += 4096) {
      letters += String.fromCharCode(...square.subarray(i, i + 4096));
    }
    return { size: [picture.width, picture.height], square: btoa(letters) };
  } catch (error) {
    return { failed: error.message };
  }
}"""


def saved(image, kind, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def make_pictures() -> dict[str, bytes]:
    """Return pictures in all formats that browsers and Python read."""
    chance = np.random.default_rng(0)
    blocks = np.kron(chance.integers(0, 256, (9, 14, 3)), np.ones((37, 29, 1))).astype(np.uint8)
    noise = chance.integers(0, 256, (333, 406, 4), dtype=np.uint8)
    noise[:90, :, 3] = 0
    image, clear = Image.fromarray(blocks), Image.fromarray(noise)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    made = {f"o{o}.jpg": saved(image, "JPEG", exif=turned(o)) for o in range(10)}
    return made | {
        "turned.png": saved(image, "PNG", exif=turned(6)),
        "clear.png": saved(clear, "PNG"),
        "clear.webp": saved(clear, "WEBP", lossless=True, exact=True),
        "lossy.webp": saved(image, "WEBP", quality=70),
        "grey.jpg": saved(image.convert("L"), "JPEG"),
        "progressive.jpg": saved(image, "JPEG", progressive=True, subsampling=0),
        "profile.png": saved(image, "PNG", icc_profile=swapped),
        "palette.gif": saved(image.quantize(16), "GIF"),
        "plain.bmp": saved(image, "BMP"),
        "wide.png": saved(image.resize((5000, 3)), "PNG"),
        "high.png": saved(image.resize((2, 4100)), "PNG"),
        "pixel.png": saved(image.crop((3, 3, 4, 4)), "PNG"),
    }


def by_python(folder: Path, name: str, content: bytes) -> tuple[list[int], np.ndarray]:
    """Return width and height, and the square that Pillow makes."""
    (folder / name).write_bytes(content)
    image = read_picture(folder / name).as_subclass(torch.Tensor)
    return list(image.shape[:0:-1]), stretched(image).permute(1, 2, 0).numpy()


def by_page(page, name: str, content: bytes) -> dict:
    kind = {"jpg": "jpeg"}.get(name.rsplit(".")[-1], name.rsplit(".")[-1])
    return page.evaluate(SQUARE, [name, f"image/{kind}", base64.b64encode(content).decode()])


def different(page, folder: Path) -> set[str]:
    """Return the names of pictures of which the page makes something else than Python."""
    wrong = set()
    for name, content in make_pictures().items():
        size, square = by_python(folder, name, content)
        ours = by_page(page, name, content)
        if "square" in ours:
            pixels = np.frombuffer(base64.b64decode(ours["square"]), np.uint8)
            same = (pixels.reshape(SIDE, SIDE, 4)[..., :3] == square).all()
        if "square" not in ours or ours["size"] != size or not same:
            wrong.add(name)
    return wrong


@pytest.fixture
def quiet(built, browser, base):
    """Open the page without starting the figure; a list of (file, change) spoils its modules."""
    pages = []

    def show(*spoiled):
        page, _ = built_site.new_page(browser, base, 1280)
        for file, change in spoiled:
            route_changed(page, file, change)
        page.goto(base + "book/live.html", wait_until="load")
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.context.close()


def test_a_picture_becomes_the_bytes_that_python_makes(quiet, tmp_path):
    assert different(quiet(), tmp_path) == set()


SPOILED = {  # change of pictures.js, and a picture that must notice
    "the canvas's transparency": (swap("(below(bitmap) ?? all)", "all"), "clear.png"),
    "colours by their profile": (swap('colorSpaceConversion: "none", ', ""), "profile.png"),
    "upside down": (swap('"none" };', '"none", imageOrientation: "flipY" };'), "o1.jpg"),
    "one tile": (
        swap("context.drawImage(bitmap, -x, -y)", "context.drawImage(bitmap, 0, 0)"),
        "wide.png",
    ),
}


@pytest.mark.parametrize("damage", SPOILED)
def test_a_planted_damage_of_pictures_is_noticed(quiet, tmp_path, damage):
    change, noticed = SPOILED[damage]
    assert noticed in different(quiet(("pictures.js", change)), tmp_path)


def make_unreadable() -> dict[str, tuple[bytes, str]]:
    """Return files that are refused, and words of why."""
    image = Image.fromarray(np.zeros((40, 60, 3), np.uint8))
    photograph = data_path("photographs/JPEGImages/cat.jpg").read_bytes()
    not_read = "is not a picture that this browser can read, or it is damaged"
    return {
        "notes.jpg": (b"this is not a picture", not_read),
        "empty.png": (b"", not_read),
        "scan.tiff": (saved(image, "TIFF"), not_read),
        "cut.png": (saved(image, "PNG")[:60], not_read),
        "huge.png": (
            saved(Image.new("1", (9000, 8000)), "PNG"),
            "9000 × 8000 pixels, more than 64 million",
        ),
        "turned.webp": (saved(image, "WEBP", exif=turned(6)), "a WebP with a rotation"),
        "head.jpg": (photograph[:300], not_read),
    }


def test_what_is_not_a_picture_is_refused_in_a_sentence(quiet):
    page = quiet()
    for name, (content, words) in make_unreadable().items():
        said = by_page(page, name, content).get("failed", "nothing was wrong")
        assert words in said, name
        assert said.startswith(name)


def test_a_webp_that_is_not_turned_is_read(quiet):
    image = Image.fromarray(np.zeros((40, 60, 3), np.uint8))
    for exif in (turned(1), turned(0), Image.Exif()):
        assert "square" in by_page(quiet(), "a.webp", saved(image, "WEBP", exif=exif))


# --- what a reader does ---------------------------------------------------------------------------
@pytest.fixture
def alive(shared):
    shared.click("Reset")
    return shared.rest()


def choose(figure, source):
    figure.page.get_by_role("radio", name=source, exact=True).check()


def wait_for(figure, pattern):
    """Wait until the figure says something, and return it."""
    figure.page.wait_for_function(
        "text => new RegExp(text).test(document.querySelector('.live-place .ssd-words').innerText)",
        arg=pattern,
    )
    return figure.rest().words()


def give(figure, kind, *files):
    """Choose a file, given as a path or as (name, bytes)."""
    given = [
        {"name": f[0], "mimeType": "", "buffer": f[1]} if isinstance(f, tuple) else f for f in files
    ]
    figure.page.locator(f'input[type=file][aria-label="your {kind}"]').set_input_files(*given)


def refusal(figure) -> str:
    said = figure.page.locator(".live-side-words[role=alert]:visible")
    said.wait_for()
    return said.inner_text()


def boxes(figure) -> torch.Tensor:
    """Return the boxes that are drawn, xyxy in fractions, in the order of the buttons."""
    return torch.tensor(
        figure.page.evaluate(
            """() => {
              const { width, height } = document.querySelector(".live-stage").viewBox.baseVal;
              const kept = document.querySelectorAll(".live-stage > rect[stroke-width='3']");
              return [...kept].map((r) => {
                const [x, y, w, h] = ["x", "y", "width", "height"].map((n) => +r.getAttribute(n));
                return [x / width, y / height, (x + w) / width, (y + h) / height];
              });
            }"""
        )
    ).reshape(-1, 4)


def test_a_drawn_scene_has_its_truth_and_is_found(alive):
    choose(alive, "drawn at random")
    said = wait_for(alive, r"things, \d of them found\. \d")
    assert said.startswith("3 things, 3 of them found. 3 boxes found: car 1.00")
    assert "draw_scene(0, 1000000)" in alive.page.locator(".live-about").inner_text()
    assert alive.page.locator(".live-palette, .live-tools").count() == 2
    assert not alive.page.locator(".live-palette").is_visible()
    alive.page.locator(".live-found button", has_text="kite").click()
    assert (
        alive.rest().page.locator(".live-inside-words").inner_text().startswith("kite 1.00: prior")
    )
    alive.page.get_by_label("Scene of the validation split").select_option("drawn/1000003.webp")
    assert wait_for(alive, "^4 things, ").startswith("4 things, ")
    choose(alive, "compose")
    assert wait_for(alive, r"^4 things\. 4 boxes")
    assert alive.names() == ["airplane", "car", "cat", "lighthouse"]


def test_on_a_photograph_it_is_wrong_and_the_page_says_so(alive):
    choose(alive, "a photograph")
    alive.page.get_by_role("combobox", name="Photograph").select_option("photographs/cat.jpg")
    assert "airplane" in wait_for(alive, r"^Chelsea the cat\. .*found")
    assert "what it finds is wrong" in alive.page.locator(".live-about").inner_text()
    view = alive.page.locator(".live-stage").bounding_box()
    with Image.open(data_path("photographs/JPEGImages/cat.jpg")) as picture:
        shape = picture.height / picture.width
    assert view["height"] / view["width"] == pytest.approx(shape, abs=0.01)


def agree(figure, found) -> None:
    """Compare what is shown with what Python found, in fractions; 8 bits round a little."""
    shown = [score for _, score in figure.found()]
    assert len(shown) == len(found.scores) > 0
    assert torch.allclose(torch.tensor(shown), found.scores, atol=0.016)
    assert torch.allclose(boxes(figure), found.boxes, atol=0.01)


def in_fractions(found, path):
    with Image.open(path) as picture:
        width, height = picture.size
    return found._replace(boxes=found.boxes / torch.tensor([width, height] * 2))


def test_the_readers_picture_is_seen_as_python_sees_it(alive):
    path = data_path("photographs/JPEGImages/rocket.jpg")
    choose(alive, "your picture")
    alive.page.locator(".live-about", has_text="Choose a picture").wait_for()
    give(alive, "picture", path)
    wait_for(alive, r"^rocket\.jpg\. .*found")
    alive.slide("score above", 0.3)
    (found,) = detect(load_detector(FOLDER / "scenes.onnx"), path, score_threshold=0.3)
    agree(alive, in_fractions(found, path))


def drop(figure, event, name, content, kind="image/png"):
    """Drop or paste a file, somewhere on the page."""
    figure.page.evaluate(
        """([event, name, text, type]) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type }));
          const options = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(event === "paste"
            ? new ClipboardEvent(event, { ...options, clipboardData: data })
            : new DragEvent(event, { ...options, dataTransfer: data }));
        }""",
        [event, name, base64.b64encode(content).decode(), kind],
    )


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(alive, how):
    content = make_pictures()["o6.jpg"]
    drop(alive, how, f"{how}.jpg", content, "image/jpeg")
    wait_for(alive, f"^{how}.jpg")
    assert alive.page.get_by_role("radio", name="your picture").is_checked()
    assert "333 × 406 pixels" in alive.page.locator(".live-about").inner_text()  # upright


def test_what_cannot_be_used_changes_nothing(alive):
    before = alive.found()
    drop(alive, "drop", "notes.txt", b"notes", "text/plain")
    assert "notes.txt is not a picture" in refusal(alive)
    assert alive.page.get_by_role("radio", name="compose").is_checked()
    assert alive.rest().found() == before


# --- the reader's detector ------------------------------------------------------------------------
@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return ONNX files: of two classes with random weights, and the book's detector of cells."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    tiny = Detector(SSD(SLIM300, 3).eval(), ("screw", "nut"), {})
    export_onnx(tiny, folder / "tiny.onnx")
    export_onnx(tiny, folder / "inside.onnx", postprocessing=True)
    export_onnx(load_detector("bccd"), folder / "cells.onnx")
    return folder


def detector_words(figure, start):
    figure.page.wait_for_function(
        "start => document.querySelector('.live-about').innerText.includes(start)", arg=start
    )
    return figure.rest().page.locator(".live-about").inner_text()


def test_the_readers_detector_finds_what_it_finds_in_python(alive, exported):
    path = data_path("photographs/JPEGImages/coffee.jpg")
    choose(alive, "a photograph")
    alive.page.get_by_role("combobox", name="Photograph").select_option("photographs/coffee.jpg")
    wait_for(alive, "^Coffee.*found")
    give(alive, "detector", exported / "cells.onnx")
    words = detector_words(alive, "cells.onnx takes")
    assert "300 × 300 pixels, has the priors of caffe300_coco, and knows" in words
    assert "what it finds is wrong" not in words
    alive.slide("score above", 0.05)
    (found,) = detect(load_detector(exported / "cells.onnx"), path, score_threshold=0.05)
    agree(alive, in_fractions(found, path))
    alive.page.locator(".live-found button").first.click()
    assert "of 8732" in alive.rest().page.locator(".live-inside-words").inner_text()

    give(alive, "detector", exported / "tiny.onnx")
    assert "knows screw and nut." in detector_words(alive, "tiny.onnx takes")
    assert {name for name, _ in alive.found()} <= {"screw", "nut"}
    alive.page.get_by_role("radio", name="of scenes").check()
    alive.slide("score above", 0.5)
    assert "balloon" in alive.names()


def edited(path, change) -> bytes:
    model = onnx.load(path)
    change(model)
    return model.SerializeToString()


def entry(key, value):
    def change(model):
        for pair in model.metadata_props:
            if pair.key == key:
                pair.value = value

    return change


def rename(model):
    model.graph.output[1].name = "deltas"


def spoil_weights(model):
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            values = np.full(tuple(tensor.dims), np.nan, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def of_tiny(edit):
    return lambda folder: edited(folder / "tiny.onnx", edit)


REFUSED = {
    "text.onnx": (lambda _: b"not a model", "is not an ONNX file, or is damaged"),
    "empty.onnx": (lambda _: b"", "is not an ONNX file, or is damaged"),
    "cut.onnx": (
        lambda f: (f / "tiny.onnx").read_bytes()[:90_000],
        "is not an ONNX file, or is damaged",
    ),
    "inside.onnx": (lambda f: (f / "inside.onnx").read_bytes(), "again without --postprocessing"),
    "other.onnx": (of_tiny(rename), "and offsets is missing"),
    "old.onnx": (
        of_tiny(entry("ssd_tutorial.format", "0")),
        "was not written by this version",
    ),
    "priors.onnx": (
        of_tiny(entry("priors", "mine")),
        "priors of a preset that this page does not know: mine",
    ),
    "larger.onnx": (
        of_tiny(entry("priors", "caffe512_voc")),
        "does not take images of 512 × 512 pixels",
    ),
    "coco.onnx": (
        of_tiny(entry("priors", "caffe300_coco")),
        "has other priors than its preset",
    ),
    "classes.onnx": (
        of_tiny(entry("classes", '["a"]')),
        "outputs 3 scores per prior, and has 1 classes and a background",
    ),
    "unnamed.onnx": (
        of_tiny(entry("classes", "{}")),
        "has no names of classes",
    ),
    "nan.onnx": (of_tiny(spoil_weights), "NaN or infinite"),
    "w.safetensors": (
        lambda _: data_path("weights/bccd_slim300.safetensors").read_bytes(),
        "holds weights, not ONNX: python -m ssd_tutorial export",
    ),
}


def test_a_file_that_is_no_detector_of_ours_is_refused_and_changes_nothing(alive, exported):
    give(alive, "detector", exported / "tiny.onnx")
    detector_words(alive, "tiny.onnx takes")
    before = alive.found()
    said = {}
    for name, (make, _) in REFUSED.items():
        give(alive, "detector", (name, make(exported)))
        alive.page.wait_for_function(
            "name => document.querySelector('.live-side-words').innerText.startsWith(name)",
            arg=name,
        )
        said[name] = refusal(alive)
    wrong = {name: said[name] for name, (_, words) in REFUSED.items() if words not in said[name]}
    assert wrong == {}
    assert alive.rest().found() == before
    assert "tiny.onnx" in detector_words(alive, "tiny.onnx takes")
    assert not alive.console


# --- bytes, memory, everyone ----------------------------------------------------------------------
def test_pictures_are_loaded_when_chosen_and_all_of_it_is_small(built, shared):
    pictures = [*(built / FILES / "drawn").iterdir(), *(built / FILES / "photographs").iterdir()]
    assert len(pictures) == 12 + 5
    live = [f for f in (built / FILES).rglob("*") if f.is_file()]
    assert sum(len(gzip.compress(f.read_bytes())) for f in live) < MOST_MB * 1e6
    assert {f"drawn/{p.name}" for p in pictures if p.suffix == ".webp"} == set(
        re.findall(r"drawn/\d+\.webp", DRAWN.read_text(encoding="utf-8"))
    )


def test_no_picture_is_loaded_early_and_none_leaves(built, browser, base):
    figure = Figure(browser, base).start()
    sent = []
    figure.page.on("request", lambda r: sent.append(r.url) if r.method != "GET" else None)
    shown = lambda: [f for f in figure.loaded if re.search(r"\.(webp|jpg)", f) and FILES in f]  # noqa: E731
    early = shown()
    choose(figure, "drawn at random")
    wait_for(figure, "of them found")
    once = shown()
    drop(figure, "drop", "mine.jpg", make_pictures()["o1.jpg"], "image/jpeg")
    wait_for(figure, "^mine.jpg")
    figure.close()
    assert early == []
    assert [name.rsplit("/", 1)[1] for name in once] == ["1000000.webp"]
    assert (sent, figure.elsewhere, figure.console) == ([], [], [])


def test_a_picture_that_does_not_arrive_is_named(built, browser, base):
    figure = Figure(browser, base).start()
    figure.page.route("**/drawn/*.webp", lambda route: route.fulfill(status=404, body="no"))
    choose(figure, "drawn at random")
    said = refusal(figure)
    choose(figure, "compose")
    names = figure.rest().names()
    figure.close()
    assert "drawn/1000000.webp did not arrive from this server (404)" in said
    assert len(names) == 4


def test_memory_stays_steady_over_many_pictures(alive):
    session = alive.page.context.new_cdp_session(alive.page)
    session.send("HeapProfiler.enable")

    def used():
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")

    sizes = []
    content = saved(Image.new("RGB", (1200, 900), "navy"), "PNG")
    for n in range(24):
        drop(alive, "drop", f"n{n}.png", content)
        wait_for(alive, f"^n{n}.png")
        if n in (3, 23):
            sizes.append(used())
    for kind in ("usedSize", "backingStorageSize"):
        first, last = (size.get(kind, 0) for size in sizes)
        assert last - first < 8e6, kind  # one picture decoded has 4.3 MB


def test_no_serious_fault_of_accessibility(built, browser, base, axe, width, theme_at_first):
    figure = Figure(browser, base, width, theme_at_first, reduced_motion="reduce").start()
    page = figure.page
    page.evaluate(axe)
    found = []
    for source in ("a photograph", "your picture", "drawn at random"):
        choose(figure, source)
        if source != "your picture":
            wait_for(figure, "found")
        found += faults_in_both_themes(page)
    wide = page.evaluate("document.documentElement.scrollWidth")
    least = 44 if page.evaluate("matchMedia('(hover: none)').matches") else 24
    small = page.evaluate(
        """(least) => {
          const kinds = ".live-place :is(button, select, .ssd-choice span)";
          const nodes = document.querySelectorAll(kinds);
          const low = (n) => n.offsetParent && n.getBoundingClientRect().height < least;
          return [...nodes].filter(low).length;
        }""",
        least,
    )
    figure.close()
    assert found == []
    assert wide <= width
    assert small == 0


def test_the_keyboard_chooses_a_source(alive):
    alive.page.get_by_role("radio", name="compose").focus()
    alive.press("ArrowRight")
    assert wait_for(alive, "of them found")
    assert alive.page.get_by_role("radio", name="drawn at random").is_checked()
