"""Try one explorer of a page, with mouse, finger and keys.

Each check has a name and a finding: None, or a sentence that says what is wrong.
"""

from pathlib import Path

from tests.browser.patience import SECONDS, comes, eventually, least

PROBE = Path(__file__).with_name("explorer_probe.js").read_text(encoding="utf-8")
FRAME_MS = 20
MOST_GRIPS = (
    6  # things to take hold of, tried until one moves: a box as large as the picture cannot
)
# Since Play was pressed; that its label says Pause does not count
MOVED = """([n, before, pressed]) => {
  const look = probe.look(n);
  return look !== before && (look !== pressed || !probe.plays(n));
}"""

Findings = dict[str, "str | None"]


def listed(things: list[str]) -> str | None:
    return ", ".join(things) or None


def too_much(value: float, bound: float, what: str) -> str | None:
    return f"{what} {value:.3g}, at most {bound}" if value > bound else None


class Reader:
    """Tries one explorer; each method checks one thing and returns what was wrong."""

    def __init__(self, page, number: int, module: str):
        self.page, self.number, self.module = page, number, module
        self.first = self.look()
        self.frame_ms = 0.0

    def ask(self, call: str):
        return self.page.evaluate(f"probe.{call}({self.number})")

    def look(self) -> int:
        return self.page.evaluate(f"probe.drawn().then(() => probe.look({self.number}))")

    def words(self) -> str:
        return self.ask("words")

    def place(self):
        return self.page.evaluate("[location.href, scrollY]")

    def heard(self, other_than: str) -> str | None:
        """Return what a screen reader says once it has changed."""
        changed = "([n, old]) => ![old, ''].includes(probe.live(n))"
        heard = comes(self.page, changed, [self.number, other_than], SECONDS)
        return self.ask("live") if heard else None

    def drags(self) -> Findings:
        """Drag by mouse; also check the live region and the time per frame."""
        said = self.heard("")
        moves = (i for i in range(MOST_GRIPS) if self.drag_by_mouse(i))
        if (works := next(moves, None)) is None:
            return {"drag": "no drag changes its text"}
        then = said and self.heard(said)
        self.frame_ms = least(lambda: self.ms_per_frame(works), FRAME_MS)
        return {
            "drag": None,
            "frame": too_much(self.frame_ms, FRAME_MS, "ms per frame, p95,"),
            "live region": None if said and then else f"said {said!r}, after a drag {then!r}",
        }

    def ms_per_frame(self, number: int) -> float:
        """Drag grip `number`; return the script of a frame, 95th percentile."""
        self.drag_by_mouse(number)
        frames = sorted(ms for _, ms in self.page.evaluate("explorerTimes"))
        return frames[int(0.95 * (len(frames) - 1))] if frames else float("inf")

    def drag_by_mouse(self, number: int) -> bool:
        """Return whether grip `number` moved with the mouse, and the text with it."""
        grips = self.ask("grips")
        if number >= len(grips):
            return False
        grip = grips[number]
        look, words, mouse = self.look(), self.words(), self.page.mouse
        self.page.evaluate("explorerTimes.length = 0")
        mouse.move(grip["x"], grip["y"])
        mouse.down()
        mouse.move(grip["x"] + grip["far"] * grip["dx"], grip["y"] + 30 * grip["dy"], steps=30)
        mouse.up()
        return self.look() != look and self.words() != words

    def touches(self) -> Findings:
        """Drag by finger: the explorer follows, and the page does not move."""
        session = self.page.context.new_cdp_session(self.page)
        self.grips_at_rest()  # which scrolls to it
        place = self.place()
        moved = set()  # one of each kind: bodies of boxes, corners, knobs
        for number, grip in enumerate(self.ask("grips")[:MOST_GRIPS]):
            if grip["on"] not in moved and self.drag_by_finger(session, number):
                moved.add(grip["on"])
        session.detach()
        return {
            "touch": None if moved else "a finger moves nothing",
            "touch scrolls": None if self.place() == place else "the page scrolls under the finger",
        }

    def grips_at_rest(self) -> list:
        """Return the grips once they stay in place: the page above them may still be loading."""
        grips = self.ask("grips")
        for _ in range(20):
            self.page.wait_for_timeout(150)
            before, grips = grips, self.ask("grips")
            if grips == before:
                break
        return grips

    def drag_by_finger(self, session, number: int) -> bool:
        grips = self.grips_at_rest()
        if number >= len(grips):
            return False
        grip, before = grips[number], self.look()

        def send(kind, *points):
            at = [{"x": x, "y": y} for x, y in points]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

        send("touchStart", (grip["x"], grip["y"]))
        # on the body of a box the first move decides: up and down it is the page that moves
        across, down = (5, 3) if grip["on"] == "ssd-body" else (3, 5)
        for step in range(1, 13):
            x, y = grip["x"] + across * step * grip["dx"], grip["y"] + down * step * grip["dy"]
            send("touchMove", (x, y))
        send("touchEnd")
        return self.look() != before

    def types(self) -> Findings:
        """Press keys: they move only what has the focus; Tab enters and leaves."""
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
        keyboard.press("/")  # with which a Sphinx page may open its search, or go to the next page
        if leaked := listed(self.page.evaluate("probe.leaked()")):
            found["page's keys"] = f"keys reach the page: {leaked}"
            keyboard.press("Escape")  # the search that "/" has opened covers everything
        self.page.wait_for_timeout(200)  # pages scroll smoothly
        if self.place() != place:
            found["page stays"] = f"the page went from {place} to {self.place()}"
        self.ask("fence")
        stops = 0
        for _ in range(150):
            keyboard.press("Tab")
            if (focus := self.ask("focus")) == "fence-after":
                break
            stops += focus == "inside"
        else:
            found["trap"] = "Tab does not leave it"
        if not stops:
            found["tab"] = "Tab does not reach it"
        self.page.evaluate("probe.unfence()")
        return dict.fromkeys(("keys", "page's keys", "page stays", "trap", "tab")) | found

    def plays(self) -> Findings:
        """Check that nothing moves by itself until Play is pressed."""
        resting = self.look()
        self.page.wait_for_timeout(300)
        found = {"rests": None if self.look() == resting else "it moves by itself"}
        for play in self.player():
            before = self.look()
            play.click()
            words, pressed = play.inner_text(), self.look()
            looks = [self.number, before, pressed]
            moved = eventually(self.page, lambda asked=looks: self.page.evaluate(MOVED, asked))
            found["plays"] = None if moved else f"Play ({words}) moves nothing"
            if play.inner_text() == "Pause":
                play.click()
        return found

    def sees_no_motion(self) -> Findings:
        """Check that with prefers-reduced-motion Play jumps to the end."""
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
        """Check that at 320 px nothing extends beyond the window."""
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
