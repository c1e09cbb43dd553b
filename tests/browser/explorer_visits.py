"""What a reader does with the explorers of a built page, and what was wrong with it.

A visit loads a page once and tries every explorer on it. Each thing tried has a name and a finding:
None, or a sentence that says what is wrong. Tests ask that all are None; `report.py` counts them.
"""

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import built_site
from playwright.sync_api import TimeoutError

from tests.browser.explorer_truths import wrong_numbers

PROBE = Path(__file__).with_name("explorer_probe.js").read_text(encoding="utf-8")
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = built_site.ROOT / "_build" / "failed"
STATES = re.compile(r'<script [^>]*id="explorer-states">(.*?)</script>', re.S)
FRAME_MS, WEIGHT_KB, SHIFT = 20, 250, 0.1
ALIVE_MS = 4000  # a second on a quiet machine (`report.py` prints it); tests run on busy ones too

GALLERY = "book/explorers.html"
MOST_GRIPS = (
    6  # things to take hold of, tried until one moves: a box as large as the picture cannot
)

Findings = dict[str, "str | None"]


@dataclass
class Visit:
    """What came of a visit: findings of the page, and of each explorer on it, in order."""

    name: str
    how: str
    modules: list[str]
    page: Findings = field(default_factory=dict)
    explorers: list[Findings] = field(default_factory=list)
    alive_ms: list[float] = field(default_factory=list)
    frame_ms: dict[int, float] = field(default_factory=dict)
    shot: Path | None = None

    def problems(self, number: int | None = None) -> list[str]:
        """What was wrong, with the path of a photograph; of one explorer, or of the page."""
        findings = self.page if number is None else self.explorers[number]
        where = f"{self.name}, {self.how}"
        if number is not None:
            where += f", explorer {number} ({self.modules[number]})"
        seen = f" [photograph: {self.shot}]"
        return [f"{where}: {name}: {what}{seen}" for name, what in findings.items() if what]


def modules_on(file: Path) -> list[str]:
    """The explorers on a built page, in order; none for most pages."""
    if not (found := STATES.search(file.read_text(encoding="utf-8"))):
        return []
    states = json.loads(found[1])
    names = [state_of(model, states["shared"])["module"] for model in states["models"]]
    return [names[view] for view in states["views"]]


def state_of(model: dict, shared: list) -> dict:
    while "$shared" in model:
        model = shared[model["$shared"]]
    state = model["state"]
    while "$shared" in state:
        state = shared[state["$shared"]]
    return state


def sources_in(script: str) -> dict[str, str]:
    """The modules' sources in `explorers.js`, whose last two lines are JSON."""
    return json.loads(script.rstrip().split("\n")[-2].removesuffix(","))


def state_kb(file: Path, module: str) -> float:
    """The compressed state of the first explorer of that module on a page, as if alone there."""
    states = json.loads(STATES.search(file.read_text(encoding="utf-8"))[1])

    def whole(value):
        if isinstance(value, dict):
            if "$shared" in value:
                return whole(states["shared"][value["$shared"]])
            return {key: whole(part) for key, part in value.items()}
        return [whole(part) for part in value] if isinstance(value, list) else value

    models = map(whole, states["models"])
    state = next(model for model in models if model["state"]["module"] == module)
    return len(gzip.compress(json.dumps(state).encode())) / 1024


def weight_kb(html: Path, name: str) -> dict[str, float]:
    """What a page's explorers weigh when a server compresses them: script, style, states, in KB."""
    static = html / "_static"
    texts = {
        "script": (static / "explorers.js").read_bytes(),
        "style": (static / "explorers.css").read_bytes(),
        "states": STATES.search((html / name).read_text(encoding="utf-8"))[1].encode(),
    }
    return {what: len(gzip.compress(text)) / 1024 for what, text in texts.items()}


# --- a visit --------------------------------------------------------------------------------------
WIDTHS = {"desktop": 1280, "phone": 360, "file": 1280, "without scripts": 1280}


def visit(browser, html: Path, base: str, name: str, how: str, spoil=None, patience=60) -> Visit:
    """Load page `name` and try its explorers.

    Args:
        how: "desktop" (mouse and keys), "phone" (fingers, no motion), "file" (no server), or
            "without scripts".
        spoil: called with the page before it loads, to damage it.
        patience: seconds to wait for the explorers.
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
    if how != "without scripts":  # which are asked for and given up
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
            try_all(page, how, seen)
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
    """Wait until the loader has done its work; False if it never does."""
    started = "document.documentElement.dataset.explorers === 'started'"
    try:
        page.wait_for_function(started, timeout=1000 * patience)
    except TimeoutError:
        return False
    return True


def times_to_life(browser, base: str, name: str) -> list[float]:
    """Milliseconds from navigation until each explorer of a page is alive, in order."""
    page, _ = built_site.new_page(browser, base, WIDTHS["desktop"])
    page.add_init_script(PROBE)
    page.goto(base + name, wait_until="load")
    began = begun(page, 60)
    places = page.evaluate("probe.times.places")
    page.context.close()
    return [ms for _, ms in sorted((int(i.split("-")[1]), t) for i, t in places.items())] * began


def try_all(page, how: str, seen: Visit) -> None:
    times = page.evaluate("probe.times.places")
    for number, module in enumerate(seen.modules):
        found: Findings = {}
        seen.explorers.append(found)
        state = page.locator(f"#explorer-{number}").get_attribute("data-state")
        found["alive"] = None if state == "alive" else f"its state is {state}"
        if state != "alive":
            continue
        seen.alive_ms.append(times[f"explorer-{number}"])
        reader = Reader(page, number, module)
        if seen.name == GALLERY:  # in chapters they may begin in another state
            found["numbers"] = wrong_numbers(module, reader.words())
        if how == "phone":
            found |= reader.touches() | reader.sees_no_motion() | reader.narrows()
        else:
            found |= reader.drags()
            seen.frame_ms[number] = reader.frame_ms
        if how == "desktop":
            found |= reader.types() | reader.plays()
        found |= reader.resets()
    if how == "desktop":
        for number, faults in enumerate(both_themes(page, len(seen.explorers))):
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


def listed(things: list[str]) -> str | None:
    return ", ".join(things) or None


def too_much(value: float, bound: float, what: str) -> str | None:
    return f"{what} {value:.3g}, at most {bound}" if value > bound else None


# --- one explorer ---------------------------------------------------------------------------------
class Reader:
    """Somebody who tries one explorer; each method tries something and says what was wrong."""

    def __init__(self, page, number: int, module: str):
        self.page, self.number, self.module = page, number, module
        self.first = self.look()
        self.frame_ms = 0.0

    def ask(self, call: str):
        return self.page.evaluate(f"probe.{call}({self.number})")

    def look(self) -> int:
        self.page.evaluate("probe.drawn()")
        return self.ask("look")

    def words(self) -> str:
        return self.ask("words")

    def place(self):
        return self.page.evaluate("[location.href, scrollY]")

    def heard(self, other_than: str) -> str | None:
        """What a screen reader says, once it is something else."""
        changed = "([n, old]) => ![old, ''].includes(probe.live(n))"
        try:
            self.page.wait_for_function(changed, arg=[self.number, other_than], timeout=5000)
        except TimeoutError:
            return None
        return self.ask("live")

    def drags(self) -> Findings:
        """By mouse; also what is said meanwhile, and how long a frame takes."""
        said = self.heard("")
        moves = (i for i in range(MOST_GRIPS) if self.drag_by_mouse(i))
        if (works := next(moves, None)) is None:
            return {"drag": "no drag changes what it says"}
        then = self.heard(said or "")
        self.frame_ms = float("inf")
        for _ in range(3):  # on a busy machine one measurement says little
            self.drag_by_mouse(works)
            frames = sorted(ms for _, ms in self.page.evaluate("explorerTimes"))
            if frames:
                self.frame_ms = min(self.frame_ms, frames[int(0.95 * (len(frames) - 1))])
            if self.frame_ms <= FRAME_MS:
                break
        return {
            "drag": None,
            "frame": too_much(self.frame_ms, FRAME_MS, "ms a frame, p95,"),
            "live region": None if said and then else f"said {said!r}, after a drag {then!r}",
        }

    def drag_by_mouse(self, number: int) -> bool:
        """Whether grip `number` moved with the mouse, and the words with it."""
        grips = self.ask("grips")
        if number >= len(grips):
            return False
        grip = grips[number]
        look, words, mouse = self.look(), self.words(), self.page.mouse
        self.page.evaluate("explorerTimes.length = 0")
        mouse.move(grip["x"], grip["y"])
        mouse.down()
        for step in range(1, 31):
            mouse.move(grip["x"] + 2 * step * grip["dx"], grip["y"] + step * grip["dy"])
        mouse.up()
        return self.look() != look and self.words() != words

    def touches(self) -> Findings:
        """By finger: the explorer follows, and the page stays where it is."""
        session = self.page.context.new_cdp_session(self.page)
        self.ask("grips")  # which scrolls to it
        place = self.place()
        moved = any(self.drag_by_finger(session, number) for number in range(MOST_GRIPS))
        session.detach()
        return {
            "touch": None if moved else "a finger moves nothing",
            "touch scrolls": None if self.place() == place else "the page scrolls under the finger",
        }

    def drag_by_finger(self, session, number: int) -> bool:
        grips = self.ask("grips")
        if number >= len(grips):
            return False
        grip, before = grips[number], self.look()

        def send(kind, *points):
            at = [{"x": x, "y": y} for x, y in points]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

        send("touchStart", (grip["x"], grip["y"]))
        for step in range(1, 13):
            x, y = grip["x"] + 3 * step * grip["dx"], grip["y"] + 5 * step * grip["dy"]
            send("touchMove", (x, y))
        send("touchEnd")
        return self.look() != before

    def types(self) -> Findings:
        """By keys: they move what has the focus and nothing else; Tab comes in and goes out."""
        keyboard, found = self.page.keyboard, {}
        mover = self.ask("focusMover")
        before, place = self.look(), self.place()
        for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
            keyboard.press(key)
            if self.look() != before:
                break
        else:
            found["keys"] = f"arrow keys move nothing ({mover} has the focus)"
        keyboard.press("ArrowDown")  # which scrolls a page
        keyboard.press("/")  # with which a page of Sphinx may open its search, or turn over
        if leaked := listed(self.page.evaluate("probe.leaked()")):
            found["page's keys"] = f"keys reach the page: {leaked}"
        self.page.wait_for_timeout(200)  # pages scroll smoothly
        if self.place() != place:
            found["page stays"] = f"the page went from {place} to {self.place()}"
        self.ask("fence")
        stops = 0
        for _ in range(150):
            keyboard.press("Tab")
            stops += self.ask("inside")
            if self.page.evaluate("document.activeElement.id") == "fence-after":
                break
        else:
            found["trap"] = "Tab does not leave it"
        if not stops:
            found["tab"] = "Tab does not reach it"
        self.page.evaluate("probe.unfence()")
        return dict.fromkeys(("keys", "page's keys", "page stays", "trap", "tab")) | found

    def plays(self) -> Findings:
        """Nothing moves by itself; Play does."""
        resting = self.look()
        self.page.wait_for_timeout(300)
        found = {"rests": None if self.look() == resting else "it moves by itself"}
        for play in self.player():
            before = self.look()
            play.click()
            words = play.inner_text()
            self.page.wait_for_timeout(1800)
            found["plays"] = None if self.look() != before else f"Play ({words}) moves nothing"
            if play.inner_text() == "Pause":
                play.click()
        return found

    def sees_no_motion(self) -> Findings:
        """With prefers-reduced-motion, Play jumps to the end."""
        found: Findings = {}
        for play in self.player():
            play.click()
            jumped = self.look()
            self.page.wait_for_timeout(900)
            still = self.look() == jumped and play.inner_text() == "Play"
            found["reduced motion"] = None if still else "Play moves step by step"
        return found

    def player(self) -> list:
        root = self.page.locator(f"#explorer-{self.number}")
        return root.get_by_role("button", name="Play", exact=True).all()

    def narrows(self) -> Findings:
        """320 px: nothing reaches out of the window."""
        self.page.set_viewport_size({"width": 320, "height": 900})
        self.page.evaluate("probe.drawn()")
        wide = self.ask("wide")
        page = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        self.page.set_viewport_size({"width": 360, "height": 900})
        self.page.evaluate("probe.drawn()")
        return {
            "320 px": listed(wide[:4]),
            "320 px, page": f"the page is {page} px too wide" if page > 0 else None,
        }

    def resets(self) -> Findings:
        self.page.locator(f"#explorer-{self.number} .ssd-reset").click()
        back = self.look() == self.first
        return {"reset": None if back else "after Reset it is not as it was at first"}


def both_themes(page, count: int) -> list[Findings]:
    """Colours, and what axe-core finds, in the light and in the dark."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[Findings] = [{} for _ in range(count)]
    words = {}
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.wait_for_timeout(250)  # colours fade
        for number, findings in enumerate(found):
            if page.locator(f"#explorer-{number} .ssd-explorer").count() == 0:
                continue
            colours = page.evaluate(f"probe.colours({number})")
            paper = min(map(float, re.findall(r"[\d.]+", colours["paper"])[:3]))
            findings[f"paper, {theme}"] = None if paper > 225 else f"is {colours['paper']}"
            findings[f"axe, {theme}"] = listed(page.evaluate(f"probe.faults({number})"))
            same = words.setdefault(number, colours["words"]) == colours["words"]
            if theme == "dark":
                findings["theme"] = "words keep their colour in the dark" if same else None
    return found
