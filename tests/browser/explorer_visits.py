"""Use the explorers of a built page as a reader does, and record what was wrong.

A visit loads a page once and tries every explorer on it. Each check has a name and a finding:
None, or a sentence that says what is wrong. Tests expect None for all; `report.py` counts them.
"""

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import built_site

from tests.browser.conftest import THIN
from tests.browser.explorer_reader import PROBE, Findings, Reader, listed, too_much
from tests.browser.explorer_truths import wrong_numbers
from tests.browser.patience import comes

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = built_site.ROOT / "_build" / "failed"
STATES = re.compile(r'<script [^>]*id="explorer-states">(.*?)</script>', re.S)
WEIGHT_KB = 250
SHIFT = 0.25  # as a file, fonts arrive late; test_pages.py holds .05 where pages are served
ALIVE_MS = 4000  # a second on a quiet machine (`report.py` prints it); tests run on busy ones too

GALLERY = "book/explorers.html"
FILM = "film"  # which moves by itself: see test_film.py
FIRST_OPENING = "book/04_boxes_and_iou.html"
OPENING = "opening"  # of chapters, on topics that the explorers of the gallery show, too


@dataclass
class Visit:
    """The result of a visit: findings about the page and about each explorer on it, in order."""

    name: str
    how: str
    modules: list[str]
    page: Findings = field(default_factory=dict)
    explorers: list[Findings] = field(default_factory=list)
    alive_ms: list[float] = field(default_factory=list)
    frame_ms: dict[int, float] = field(default_factory=dict)
    shot: Path | None = None

    def problems(self, number: int | None = None) -> list[str]:
        """Return what was wrong with one explorer or the page, with the path of a screenshot."""
        findings = self.page if number is None else self.explorers[number]
        where = f"{self.name}, {self.how}"
        if number is not None:
            where += f", explorer {number} ({self.modules[number]})"
        seen = f" [photograph: {self.shot}]"
        return [f"{where}: {name}: {what}{seen}" for name, what in findings.items() if what]


def states_on(file: Path) -> list[dict]:
    """Return the state of each explorer on a built page, in order; none for most pages."""
    if not (found := STATES.search(file.read_text(encoding="utf-8"))):
        return []
    page = json.loads(found[1])

    def whole(value):
        if isinstance(value, dict) and "$shared" in value:
            return whole(page["shared"][value["$shared"]])
        if isinstance(value, dict):
            return {key: whole(part) for key, part in value.items()}
        return [whole(part) for part in value] if isinstance(value, list) else value

    models = whole(page["models"])
    return [models[view] for view in page["views"]]


def modules_on(file: Path) -> list[str]:
    return [model["state"]["module"] for model in states_on(file)]


def sources_in(html: Path, script: str) -> dict[str, str] | str:
    """Return the source in a script, or, of `explorers.js`, the sources by module."""
    lines = (html / "_static" / script).read_text(encoding="utf-8").split("\n")
    opens = next(i for i, line in enumerate(lines) if re.search(r"explorerSources\b.*[,=]$", line))
    return json.loads(lines[opens + 1].rstrip(",;)"))


def scripts_of(file: Path) -> list[str]:
    """Return the scripts of a page's explorers, in their order."""
    tags = re.findall(r'<script [^>]*src="[^"]*_static/(explorer[\w-]*\.js)', file.read_text())
    return list(tags)


def state_kb(file: Path, module: str) -> float:
    """Return the compressed size of the state of a module's first explorer on a page."""
    state = next(model for model in states_on(file) if model["state"]["module"] == module)
    return len(gzip.compress(json.dumps(state).encode())) / 1024


def weight_kb(html: Path, name: str) -> dict[str, float]:
    """Return the compressed size in KB of a page's explorers: script, style, states."""
    static = html / "_static"
    texts = {
        "script": b"".join((static / script).read_bytes() for script in scripts_of(html / name)),
        "style": (static / "explorers.css").read_bytes(),
        "states": STATES.search((html / name).read_text(encoding="utf-8"))[1].encode(),
    }
    return {what: len(gzip.compress(text)) / 1024 for what, text in texts.items()}


# --- a visit --------------------------------------------------------------------------------------
WIDTHS = {"desktop": 1280, "phone": 360, "file": 1280, "without scripts": 1280}


def visit(
    browser, html: Path, base: str, name: str, how: str, spoil=None, patience=60, sought=None
) -> Visit:
    """Load page `name` and try its explorers.

    Args:
        how: "desktop" (mouse and keys), "phone" (fingers, no motion), "file" (no server), or
            "without scripts".
        spoil: called with the page before it loads, to damage it.
        patience: seconds to wait for the explorers.
        sought: the number of the only explorer to try, and the finding at which to stop.
    """
    base = html.resolve().as_uri() + "/" if how == "file" else base
    seen = Visit(name, how, modules_on(html / name))
    page, elsewhere = built_site.new_page(
        browser,
        base,
        WIDTHS[how],
        reduced_motion="reduce" if how == "phone" else "no-preference",
        java_script_enabled=how != "without scripts",
    )
    console, missing = [], []
    page.on("console", lambda m: console.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: console.append(f"uncaught: {e}"))
    if how != "without scripts":  # where modules are requested and abandoned
        page.on("requestfailed", lambda r: missing.append(r.url) if base in r.url else None)
    page.on("response", lambda r: missing.append(r.url) if r.status >= 400 else None)
    page.add_init_script(PROBE)
    if spoil:
        spoil(page)
    try:
        page.goto(base + name, wait_until="load")
        if how == "without scripts":
            seen.explorers = [picture_stays(page, n) for n in range(len(seen.modules))]
        elif not begun(page, patience):
            seen.explorers = [{"alive": "the loader never ran"} for _ in seen.modules]
        else:
            seen.page["layout"] = too_much(page.evaluate("probe.shift()"), SHIFT, "layout shift")
            try_all(page, how, seen, sought)
        seen.page["other origins"] = listed(elsewhere)
        seen.page["console"] = listed(console)
        seen.page["missing files"] = listed(missing)
        if not spoil and any(any(found.values()) for found in (seen.page, *seen.explorers)):
            SHOTS.mkdir(parents=True, exist_ok=True)
            seen.shot = SHOTS / f"{Path(name).stem}.{how.replace(' ', '-')}.png"
            page.screenshot(path=seen.shot, full_page=how == "without scripts")
    finally:
        page.context.close()
    return seen


def begun(page, patience: float) -> bool:
    """Wait until the loader has finished; False if it never does."""
    return comes(page, "document.documentElement.dataset.explorers === 'started'", None, patience)


def times_to_life(browser, base: str, name: str) -> list[float]:
    """Return the milliseconds from navigation until each explorer of a page works, in order."""
    page, _ = built_site.new_page(browser, base, WIDTHS["desktop"])
    page.add_init_script(PROBE)
    page.goto(base + name, wait_until="load")
    began = begun(page, 60)
    places = page.evaluate("probe.times.places")
    page.context.close()
    return [ms for _, ms in sorted((int(i.split("-")[1]), t) for i, t in places.items())] * began


def all_is_tried(page: str) -> bool:
    """Whether a page shows every explorer, or the first opening."""
    return page in (GALLERY, FIRST_OPENING)


def ways(reader: Reader, how: str, page: str) -> list[Callable[[], Findings]]:
    """Return what to try with an explorer, in this order.

    Everything where `all_is_tried`; elsewhere it is the same script with another state, and without
    a server the same script again.
    """
    if how == "phone":
        return [reader.touches, reader.sees_no_motion, reader.narrows, reader.resets]
    if how == "file":
        return [reader.drags] if reader.number == 0 else []
    more = [reader.types, reader.plays] if all_is_tried(page) else []
    return [reader.drags, *more, reader.resets]


def try_all(page, how: str, seen: Visit, sought: tuple[int, str] | None = None) -> None:
    """Try the explorers, or only one until a finding about it is `sought`."""
    only, finding = sought or (None, None)
    times = page.evaluate("probe.times.places")
    for number, module in enumerate(seen.modules):
        found: Findings = {}
        seen.explorers.append(found)
        if only not in (None, number):
            continue
        state = page.locator(f"#explorer-{number}").get_attribute("data-state")
        found["alive"] = None if state == "alive" else f"its state is {state}"
        if state != "alive":
            continue
        seen.alive_ms.append(times[f"explorer-{number}"])
        reader = Reader(page, number, module)
        if seen.name == GALLERY:  # in chapters they may begin in another state
            found["numbers"] = wrong_numbers(module, reader.words())
        for way in ways(reader, how, seen.name):
            found |= way()
            if found.get(finding):
                return
        if how != "phone":
            seen.frame_ms[number] = reader.frame_ms
    if how == "desktop":
        axe = all_is_tried(seen.name) and (finding or "axe").startswith("axe")
        for number, faults in enumerate(both_themes(page, len(seen.explorers), axe)):
            seen.explorers[number] |= faults


def picture_stays(page, number: int) -> Findings:
    picture = page.locator(f"#explorer-{number} img")
    alone = picture.count() == 1 and picture.is_visible()
    drawn = alone and picture.evaluate("i => i.complete && i.naturalWidth > 100")
    alt = alone and picture.get_attribute("alt")
    return {
        "picture": None if drawn else "no picture stands in for it",
        "alternative text": None if alt and len(alt) >= 20 else f"says {alt!r}",
    }


def both_themes(page, count: int, axe: bool) -> list[Findings]:
    """Check the colours, and perhaps what axe-core finds, in the light and in the dark theme.

    `test_pages.py` lets axe-core look for serious faults on every page, with all explorers.
    """
    if axe:
        page.evaluate(THIN)
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[Findings] = [{} for _ in range(count)]
    words = {}
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        built_site.wait_until_settled(page)
        faults = page.evaluate("probe.faults()") if axe else {}
        for number, findings in enumerate(found):
            if page.locator(f"#explorer-{number} .ssd-explorer").count() == 0:
                continue
            colours = page.evaluate(f"probe.colours({number})")
            if colours["paper"]:  # that of a picture; a chart follows the theme
                paper = min(map(float, re.findall(r"[\d.]+", colours["paper"])[:3]))
                findings[f"paper, {theme}"] = None if paper > 225 else f"is {colours['paper']}"
            if axe:
                findings[f"axe, {theme}"] = listed(faults.get(str(number), []))
            same = words.setdefault(number, colours["words"]) == colours["words"]
            if theme == "dark":
                findings["theme"] = "words keep their colour in the dark" if same else None
    return found
