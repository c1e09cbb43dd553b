"""Measure how soon pages can be read and used on a slow phone: LCP, CLS and "alive".

    python tools/vitals.py                     # the first page and chapters 5, 9 and 14
    python tools/vitals.py 08_matching --rounds 3

The window is 360 px wide and the processor four times slower than this one: DevTools see to both.
Each value is the median of the rounds, every one in a browser without a cache. *LCP* is when the
largest thing in the first screen was drawn, and *CLS* by how much the page moved. *Alive* is when
the page's first explorer, scrolled into view, had answered an arrow key. Times depend on the
machine and on what else it does: the last line says how busy it was. The server is on the same
machine, so the network is left out.
"""

import argparse
import os
import statistics
import sys
from dataclasses import astuple, dataclass

from built_site import HTML, built_pages, launch, new_page, serve, wait_until_drawn

PAGES = ["index", "05_scales", "09_loss", "14_evaluation"]
WIDTH, SLOWER, ROUNDS = 360, 4, 5
BOUND_S = 1.5  # of LCP and alive
BOUND_CLS = 0.05
WATCH = """
const vitals = (globalThis.vitals = { lcp: 0, cls: 0, alive: null, ready: false });
function watch(type, take) {
  const observer = new PerformanceObserver((list) => list.getEntries().forEach(take));
  observer.observe({ type, buffered: true });
}
watch("largest-contentful-paint", (entry) => (vitals.lcp = entry.startTime));
watch("layout-shift", (entry) => (vitals.cls += entry.hadRecentInput ? 0 : entry.value));
"""
AWAIT_EXPLORER = """
(() => {
  // what a slider says by itself is in no markup
  const begin = new MutationObserver(() => {
    const place = document.querySelector(".explorer-place[data-state=alive]");
    if (!place || place.id !== document.querySelector(".explorer-place").id) return;
    begin.disconnect();
    const mover = place.querySelector(".ssd-box, .ssd-knob, input[type=range]");
    mover.scrollIntoView({ block: "center", behavior: "instant" });
    mover.focus({ preventScroll: true });
    let before;
    mover.addEventListener("keydown", () => (before = place.innerHTML), { capture: true });
    vitals.ready = true;
    const answered = () => {
      if (before !== undefined && place.innerHTML !== before) vitals.alive = performance.now();
      else requestAnimationFrame(answered);
    };
    requestAnimationFrame(answered);
  });
  begin.observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
})();
"""


@dataclass
class Vitals:
    """Seconds, a share of the window, and seconds."""

    lcp: float
    cls: float
    alive: float


def slow_page(browser, base: str, slower: float, script: str):
    """Open an empty page of a slow phone where nothing moves by itself."""
    page, _ = new_page(browser, base, WIDTH, height=780, reduced_motion="reduce")
    page.add_init_script(WATCH + script)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    return page


def seen(browser, base: str, name: str, slower: float = SLOWER) -> tuple[float, float]:
    """Return LCP in seconds, and CLS, of a page that no one touches."""
    page = slow_page(browser, base, slower, "")
    page.goto(base + name, wait_until="load")
    wait_until_drawn(page)
    page.wait_for_timeout(500)
    lcp, cls = page.evaluate("[vitals.lcp, vitals.cls]")
    page.context.close()
    return lcp / 1000, cls


def alive(browser, base: str, name: str, slower: float = SLOWER) -> float:
    """Return when the first explorer of a page had answered an arrow key, in seconds."""
    page = slow_page(browser, base, slower, AWAIT_EXPLORER)
    page.goto(base + name, wait_until="commit")
    page.wait_for_function("globalThis.vitals?.ready")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("vitals.alive")
    answered = page.evaluate("vitals.alive")
    page.context.close()
    return answered / 1000


def measure(browser, base: str, name: str, rounds: int, slower: float) -> Vitals:
    """Return the medians of a page."""
    values = []
    for _ in range(rounds):
        values.append((*seen(browser, base, name, slower), alive(browser, base, name, slower)))
    return Vitals(*map(statistics.median, zip(*values, strict=True)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", default=PAGES, help="names of pages with an explorer")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--slower", type=float, default=SLOWER, help="factor (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        built = built_pages(HTML)
    except FileNotFoundError as error:
        print(f"vitals: {error}", file=sys.stderr)
        return 1
    for name in options.pages:
        page = f"book/{name}.html"
        if page not in built or "explorer-place" not in (HTML / page).read_text(encoding="utf-8"):
            print(f"vitals: there is no page {name} with an explorer", file=sys.stderr)
            return 1
    print("| page | LCP, s | CLS | alive, s |")
    print("|---|---|---|---|")
    with serve(HTML) as base, launch() as browser:
        for name in options.pages:
            found = measure(browser, base, f"book/{name}.html", options.rounds, options.slower)
            lcp, cls, answered = astuple(found)
            print(f"| {name} | {lcp:.2f} | {cls:.3f} | {answered:.2f} |", flush=True)
    print(
        f"Median of {options.rounds} at {WIDTH} px, {options.slower:g} times slower; bounds: "
        f"{BOUND_S} s and {BOUND_CLS}; load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
