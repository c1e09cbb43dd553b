"""``python -m tests.browser.report``: a table of all explorers, measured on the built pages.

For each: the pages that it is on, the lines of its JavaScript, its weight (its own script and its
state, compressed), the milliseconds from navigation to life in the gallery, the script of a frame
while it is dragged (95th percentile), the random cases in which the functions that it computes with
agreed with the package, and the checks of `explorer_visits.py` that it passed on all pages.
Run `make book` first.
"""

import argparse
import gzip
import re
import sys
from collections import defaultdict

import torch

sys.path.insert(0, "tools")  # as pytest does

import built_site
from ssd_book.explorers import modules

from tests.browser import explorer_visits as ev
from tests.parity import javascript
from tests.parity.quantities import QUANTITIES

# Which functions of geometry.js each quantity of tests/parity compares
COMPARED = {
    "scales": {"scales", "extraScale"},
    "priors": {"makePriors", "priorXyxy", "priorsPerMap", "numPriors", "locate", "cellCentres"},
    "IoU": {"iou", "area", "intersection", "toXyxy", "toCxcywh", "centreInside"},
    "receptive field": {"nearestCell", "fieldBox"},
    "region": {"regionCells", "binSpans", "roiPool", "roiAlign", "samplePoints"},
    "matching": {"match"},
    "mining": {"hardNegatives"},
    "encoding": {"encode"},
    "decoding": {"decode"},
    "loss": {"smoothL1", "softmax", "crossEntropy"},
    "NMS": {"nms"},
    "AP": {"apArea", "apElevenPoints", "envelope", "matchDetections", "precisionRecall"},
}


def parity(cases: int) -> dict[str, tuple[int, int]]:
    """Return, per quantity's function in `COMPARED`, the cases tried and the disagreements."""
    found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for quantity in QUANTITIES:
        one = javascript.measure(quantity, cases)
        tried, wrong = found[quantity.function]
        found[quantity.function] = tried + one.cases, wrong + len(one.disagreements)
    return found


def compared_by(module: str) -> set[str]:
    """Return the keys of `COMPARED` that an explorer uses."""
    sources = " ".join(text for name, text in own_sources(module).items())
    imported = re.findall(r'import\s*\{([^}]*)\}\s*from "\./geometry\.js"', sources)
    used = set(re.findall(r"\w+", " ".join(imported)))
    return {key for key, functions in COMPARED.items() if functions & used}


def own_sources(module: str) -> dict[str, str]:
    """Return the files of an explorer except those that every explorer has."""
    shared = {"geometry", "paper", "ui"}
    return {
        name: (modules.STATIC / f"{name}.js").read_text(encoding="utf-8")
        for name in modules.parts(module)
        if name not in shared
    }


def kilobytes(text: str) -> float:
    return len(gzip.compress(text.encode())) / 1024


def main() -> int:
    """Print the table; return 1 if an explorer failed a check or disagrees with the package."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.report", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="of parity, a quantity (10 000)")
    parser.add_argument("--loads", type=int, default=3, help="the quickest counts (3)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    html = built_site.HTML
    try:
        pages = {name: ev.modules_on(html / name) for name in built_site.built_pages(html)}
        pages = {name: on_page for name, on_page in pages.items() if ev.FILM not in on_page}
    except FileNotFoundError as error:
        return f"report: {error}"

    checks: dict[str, list] = defaultdict(list)
    alive: dict[str, float] = {}
    frame: dict[str, float] = {}
    problems = []
    with built_site.serve(html) as base, built_site.launch() as browser:
        for page, on_page in pages.items():
            for how in ev.WIDTHS if on_page else ():
                seen = ev.visit(browser, html, base, page, how)
                problems += seen.problems()
                for number, module in enumerate(on_page):
                    problems += seen.problems(number)
                    checks[module] += seen.explorers[number].values()
                    if page == ev.GALLERY and how == "desktop":
                        frame[module] = seen.frame_ms.get(number, float("inf"))
        for _ in range(arguments.loads):
            times = ev.times_to_life(browser, base, ev.GALLERY)
            for module, ms in zip(pages[ev.GALLERY], times, strict=True):
                alive[module] = min(ms, alive.get(module, ms))

    agreed = parity(arguments.cases) if arguments.cases else {}
    print("| explorer | pages | lines | KB gz | ms to alive | p95 ms | parity cases | checks |")
    print("|---|---|---|---|---|---|---|---|")
    for module in pages[ev.GALLERY]:
        places = [p.split("/")[-1].removesuffix(".html") for p in pages if module in pages[p]]
        sources = own_sources(module)
        lines = " + ".join(str(len(text.splitlines())) for text in sources.values())
        weight = kilobytes("".join(sources.values())) + ev.state_kb(html / ev.GALLERY, module)
        tried = [agreed[key] for key in compared_by(module) if key in agreed]
        cases, wrong = (sum(numbers) for numbers in zip(*tried, strict=True)) if tried else (0, 0)
        passed = checks[module].count(None)
        row = [module, ", ".join(places), lines, f"{weight:.0f}"]
        row += [f"{alive.get(module, float('inf')):.0f}", f"{frame.get(module, float('inf')):.1f}"]
        row += [f"{cases} ({wrong} differ)" if wrong else cases]
        row += [f"{passed} of {len(checks[module])}"]
        print("|", " | ".join(map(str, row)), "|")
        problems += [f"{module}: {wrong} cases differ from the package"] if wrong else []
    weights = {page: sum(ev.weight_kb(html, page).values()) for page in pages if pages[page]}
    heaviest = max(weights, key=weights.get)
    print(f"\nHeaviest page: {heaviest}, {weights[heaviest]:.0f} KB gz of scripts and states.")
    print("\n".join(problems))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
