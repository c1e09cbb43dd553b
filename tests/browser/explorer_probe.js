// What the tests ask of the explorers of a page; window.probe, before the page's own scripts.
(() => {
  const root = (n) => document.querySelector(`#explorer-${n} .ssd-explorer`);
  const times = { places: {} };
  globalThis.explorerTimes = []; // ui.js pushes [module, milliseconds] for each frame
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target.dataset.explorers) times.page ??= performance.now();
      if (target.dataset.state) times.places[target.id] ??= performance.now();
    }
  }).observe(document, {
    subtree: true,
    attributes: true,
    attributeFilter: ["data-explorers", "data-state"],
  });
  let shift = 0; // cumulative layout shift, as browsers report it
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });

  const leaked = []; // keys pressed in an explorer that the page could take for its own
  document.addEventListener("keydown", ({ target, key }) => {
    if (target.closest(".ssd-explorer")) leaked.push(key);
  });

  // places in a box, as fractions of its sides, from the middle to the corners
  const sixths = [1, 3, 5, 7, 9, 11].map((n) => n / 12);
  const offMiddle = (place) => Math.hypot(place[0] - 0.5, place[1] - 0.5);
  const OUTWARDS = sixths.flatMap((x) => sixths.map((y) => [x, y])).sort((p, q) => offMiddle(p) - offMiddle(q));

  globalThis.probe = {
    times,
    shift: () => shift,
    words: (n) => root(n)?.querySelector(".ssd-words").textContent,
    live: (n) => root(n)?.querySelector(".ssd-live").textContent,

    /** Two frames later what was asked for is drawn. */
    drawn: () => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))),

    /** All that an explorer shows, in one number; what is only heard is left out. */
    look(n) {
      const copy = root(n).cloneNode(true);
      copy.querySelector(".ssd-live").remove();
      const fields = [...root(n).querySelectorAll("input, select")];
      const values = fields.map((f) => (/checkbox|radio/.test(f.type) ? f.checked : f.value));
      let hash = 0;
      for (const c of copy.outerHTML + values) hash = (31 * hash + c.codePointAt(0)) | 0;
      return hash;
    },

    /** Places of the window from which a pointer may drag something, and which way there is room. */
    grips(n) {
      const handles = [...root(n).querySelectorAll(".ssd-knob .ssd-hit, .ssd-body, .ssd-corner")];
      const first = handles[0]?.closest("svg") ?? root(n).querySelector("input[type=range]");
      first?.scrollIntoView({ block: "center", behavior: "instant" });
      const centre = (box) => [box.x + box.width / 2, box.y + box.height / 2];
      const found = [];
      for (const handle of handles) {
        const box = handle.getBoundingClientRect();
        const paper = centre(handle.closest("svg").getBoundingClientRect());
        for (const [across, down] of OUTWARDS) {
          const x = box.x + box.width * across;
          const y = box.y + box.height * down;
          if (!handle.contains(document.elementFromPoint(x, y))) continue;
          const [dx, dy] = [Math.sign(paper[0] - x) || 1, Math.sign(paper[1] - y) || 1];
          found.push({ x, y, dx, dy, far: 60, on: handle.getAttribute("class") });
          break;
        }
      }
      for (const range of root(n).querySelectorAll("input[type=range]")) {
        const box = range.getBoundingClientRect();
        if (box.top < 60 || box.bottom > innerHeight) continue;
        const part = (range.value - range.min) / (range.max - range.min);
        const [x, y] = [box.x + 8 + part * (box.width - 16), centre(box)[1]];
        // far enough that the answer changes: a hundredth of a score may pass no detection
        found.push({ x, y, dx: part < 0.5 ? 1 : -1, dy: 0, far: Math.max(60, 0.4 * box.width), on: "slider" });
      }
      return found;
    },

    /** Give the focus to what arrow keys move; what it is. */
    focusMover(n) {
      const mover = root(n).querySelector(".ssd-box, .ssd-knob, input[type=range]");
      mover?.scrollIntoView({ block: "center", behavior: "instant" });
      mover?.focus({ preventScroll: true });
      return mover?.matches("input") ? "slider" : mover ? "handle" : null;
    },
    leaked: () => leaked.splice(0),
    /** Where the focus is: "inside" an explorer, at a fence, or elsewhere. */
    focus: (n) => (root(n).contains(document.activeElement) ? "inside" : document.activeElement.id),

    /** Things to focus right before and right after an explorer. */
    fence(n) {
      for (const [where, name] of [["before", "fence-before"], ["after", "fence-after"]]) {
        document.getElementById(name)?.remove();
        const button = Object.assign(document.createElement("button"), { id: name });
        button.textContent = "fence";
        document.getElementById(`explorer-${n}`)[where](button);
      }
      document.getElementById("fence-before").focus();
    },
    unfence() {
      for (const name of ["fence-before", "fence-after"]) document.getElementById(name)?.remove();
    },

    plays: (n) => [...root(n).querySelectorAll("button")].some((b) => b.textContent === "Pause"),

    colours(n) {
      const colour = (e, name) => e && getComputedStyle(e)[name];
      return {
        words: colour(root(n).querySelector(".ssd-words"), "color"),
        paper: colour(root(n).querySelector(".ssd-stage"), "backgroundColor"),
      };
    },

    /** Parts of an explorer that reach out of the window, less those in a box that scrolls. */
    wide(n) {
      const scrolls = (e) => e.closest(".ssd-scroll, .ssd-paper, .ssd-live");
      return [...root(n).querySelectorAll("*")]
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e))
        .map((e) => `${e.tagName.toLowerCase()}.${e.className}`);
    },

    /** What axe-core finds, by the number of the explorer; one run reads the page once for all. */
    async faults() {
      const include = [...document.querySelectorAll(".ssd-explorer")];
      if (!include.length) return {};
      const options = { resultTypes: ["violations"], elementRef: true };
      const { violations } = await axe.run({ include }, options);
      const found = {};
      for (const { impact, id, nodes } of violations)
        for (const { element, html } of nodes) {
          const number = element.closest(".ssd-explorer").closest("[id^=explorer-]").id.split("-")[1];
          (found[number] ??= []).push(`${impact} ${id}: ${html.slice(0, 120)}`);
        }
      return found;
    },
  };
})();
