"""Time the live detector on the built page: ``make live``, on a quiet machine.

Presses the button, waits for the first answer, lets the detector look at the same scene again and
again, drags a thing across the scene at 60 moves per second, and repeats that until it has looked
at ``--pictures``. Prints what was loaded and how large it is, when the first answer came, how long
the network takes, how many answers come per second of a drag, what the page's own thread spends on
a frame, and how its memory grows. Chromium is on the same machine as the server, so the network
is left out; the last line says how busy the machine was.
"""

import argparse
import gzip
import os
import statistics
import sys
import time

from built_site import HTML, built_pages, launch, new_page, serve, wait_until_drawn

PAGE = "book/live.html"
WATCH = """() => {
  globalThis.explorerTimes = [];
  const seen = (globalThis.seen = { answers: [], gaps: [] });
  document.querySelector(".live-place").addEventListener("live-answer", (event) => {
    seen.answers.push({ ...event.detail, at: performance.now() });
  });
  let last = 0;
  requestAnimationFrame(function frame(now) {
    if (last) seen.gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  });
}"""


def share(values: list[float], part: float) -> float:
    """Return the value below which a part of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def told(values: list[float]) -> str:
    return f"median {statistics.median(values):.1f}, p95 {share(values, 0.95):.1f}"


def open_figure(page, base: str) -> tuple[list[str], float, float]:
    """Start the detector; return what that loaded, and the seconds to the figure and an answer."""
    page.goto(base + PAGE, wait_until="load")
    wait_until_drawn(page)
    page.evaluate(WATCH)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url.removeprefix(base)))
    began = time.monotonic()
    page.locator(".live-start").click()
    page.wait_for_selector(".live-place[data-state=alive]")
    there = time.monotonic() - began
    page.wait_for_function("seen.answers.length > 0")
    return loaded, there, time.monotonic() - began


def again_and_again(page, count: int) -> list[float]:
    """Move a thing by keys, waiting for each answer; return the milliseconds of the network."""
    page.locator(".live-stage [data-thing]").first.focus()
    before = page.evaluate("seen.answers.length")
    for n in range(count):
        page.keyboard.press("ArrowLeft" if n // 8 % 2 else "ArrowRight")
        page.wait_for_function(f"seen.answers.length > {before + n}", polling=5)
    return page.evaluate(f"seen.answers.slice({before}).map((answer) => answer.ms)")


def drag(page, seconds: float) -> dict:
    """Drag a thing to and fro; return what happened meanwhile."""
    node = page.locator(".live-stage [data-thing] .ssd-body").first
    node.scroll_into_view_if_needed()
    box = node.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("seen.answers.length = seen.gaps.length = explorerTimes.length = 0")
    began, moves = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        page.mouse.move(x - 80 + abs((90 * spent) % 160 - 80), y + 2 * (moves % 2))
        moves += 1
        time.sleep(max(0.0, began + moves / 60 - time.monotonic()))
    seen = page.evaluate("({ ...seen, script: explorerTimes.map(([, ms]) => ms) })")
    page.mouse.up()
    return seen | {"moves": moves / seconds, "per_second": len(seen["answers"]) / seconds}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10, help="of the drag (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        built = built_pages(HTML)
    except FileNotFoundError as error:
        print(f"live_times: {error}", file=sys.stderr)
        return 1
    if PAGE not in built or "data-files" not in (HTML / PAGE).read_text(encoding="utf-8"):
        print(
            "live_times: the detector is not in the built page: make book, with npm",
            file=sys.stderr,
        )
        return 1
    with serve(HTML) as base, launch() as browser:
        page, _ = new_page(browser, base, 1280)
        loaded, there, first = open_figure(page, base)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")

        def memory() -> float:
            session.send("HeapProfiler.collectGarbage")
            values = session.send("Performance.getMetrics")["metrics"]
            return next(v["value"] for v in values if v["name"] == "JSHeapUsedSize") / 1e6

        runs = again_and_again(page, 40)
        heap = memory()
        seen = drag(page, options.seconds)
        runs += again_and_again(page, max(0, options.pictures - 40 - len(seen["answers"])))
        grown = memory() - heap
        page.context.close()
    total = 0
    for name in loaded:
        content = (HTML / name.partition("?")[0]).read_bytes()
        packed = len(gzip.compress(content))
        total += packed
        print(f"{name:52} {len(content) / 1e3:9.1f} KB {packed / 1e3:8.1f} KB gz")
    ages = [answer["age"] for answer in seen["answers"]]
    print(
        f"{len(loaded)} files, {total / 1e6:.2f} MB gz, nothing of it before the button is pressed"
    )
    print(f"figure after {there:.2f} s, first answer after {first:.2f} s")
    print(f"network, ms: {told(runs)} ({len(runs)} pictures, one after the other)")
    print(
        f"drag of {options.seconds:g} s, {seen['moves']:.0f} moves/s: {seen['per_second']:.1f}"
        f" answers/s; ms from question to boxes: {told(ages)}"
    )
    print(
        f"page's thread, ms a redraw: {told(seen['script'])}; between frames: {told(seen['gaps'])}"
    )
    print(f"heap after {options.pictures} pictures: {grown:+.1f} MB")
    print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
