// What a page adds to its explorers: changes that the text plays, numbers that light up what they
// count, and links to a state. live_explorers.py puts it behind the loader.
//
//   <span class="plays" data-figure="fig-…" data-state='{"threshold": 0.3}'>   becomes a button
//   <span class="counts" data-figure="fig-…" data-keys="map truth">            becomes a button
//   page.html#fig-…~{"threshold": 0.3}                                         opens that state
(() => {
  const MILLISECONDS = 700;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  const placeIn = (id) => document.getElementById(id)?.querySelector('.explorer-place[data-state="alive"]');

  /** Whether a value can stand where `known` stands: the same kinds of parts; lists of boxes may have
   *  other lengths. What some traits may be, null, is found out by drawing. */
  function fits(value, known) {
    if (value === null || known === null) return value === null || typeof value !== "object";
    if (typeof value !== typeof known || Array.isArray(value) !== Array.isArray(known)) return false;
    if (!Array.isArray(value)) return typeof value !== "object";
    const same = Array.isArray(known[0]) ? value.length < 100 : value.length === known.length;
    return same && value.every((part) => known.length && part !== null && fits(part, known[0]));
  }

  /** Between two values, for a share from 0 to 1; whole numbers stay whole, and what is no number
   *  changes at once. */
  function between(a, b, share) {
    if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
      return a.map((part, i) => between(part, b[i], share));
    }
    if (typeof a !== "number" || typeof b !== "number") return b;
    if (share === 1) return b;
    const value = a + (b - a) * share;
    return Number.isInteger(a) && Number.isInteger(b) ? Math.round(value) : value;
  }

  const valuesOf = (model, names) => Object.fromEntries(names.map((name) => [name, model.get(name)]));

  const playing = new WeakMap(); // model: the number of the play that moves it

  /** Move the traits to `target`; a touch of the figure, or another play, stops it. */
  function play(place, target) {
    const model = place.explorer;
    const number = (playing.get(model) ?? 0) + 1;
    playing.set(model, number);
    const stop = () => playing.get(model) === number && playing.set(model, number + 1);
    for (const touch of ["pointerdown", "keydown"]) place.addEventListener(touch, stop, { once: true, capture: true });
    const from = valuesOf(model, Object.keys(target));
    const began = performance.now();
    const step = (now) => {
      if (playing.get(model) !== number) return;
      const share = calm.matches ? 1 : Math.min(1, Math.max(0, now - began) / MILLISECONDS);
      for (const name of Object.keys(target)) {
        model.set(name, between(from[name], target[name], share * share * (3 - 2 * share)));
      }
      if (share < 1) requestAnimationFrame(step);
    };
    step(began + (calm.matches ? MILLISECONDS : 0));
  }

  function show(place) {
    const { top, bottom } = place.getBoundingClientRect();
    if (top >= 0 && bottom <= innerHeight) return;
    place.scrollIntoView({ block: bottom - top < innerHeight ? "center" : "start", behavior: calm.matches ? "auto" : "smooth" });
  }

  const button = (span, title) => {
    const node = Object.assign(document.createElement("button"), { type: "button", className: span.className, title });
    node.append(...span.childNodes);
    Object.assign(node.dataset, span.dataset);
    node.setAttribute("aria-pressed", "false");
    span.replaceWith(node);
    return node;
  };

  function offerPlay(span) {
    const place = placeIn(span.dataset.figure);
    if (!place) return;
    const target = JSON.parse(span.dataset.state);
    const model = place.explorer;
    const now = () => valuesOf(model, Object.keys(target));
    const node = button(span, "Play it in the figure");
    let before = null; // what a second press restores
    const follow = () => {
      const there = before !== null && same(now(), target);
      node.setAttribute("aria-pressed", there);
      node.title = there ? "Undo it" : "Play it in the figure";
    };
    for (const name of Object.keys(target)) model.on(`change:${name}`, follow);
    node.addEventListener("click", () => {
      const undo = node.getAttribute("aria-pressed") === "true";
      const to = undo ? before : target;
      before = undo ? null : now();
      show(place);
      play(place, to);
      follow();
    });
  }

  function offerLight(span) {
    const place = placeIn(span.dataset.figure);
    if (!place) return;
    const keys = span.dataset.keys.split(" ");
    const node = button(span, "Show what it counts");
    const counted = ({ dataset }) => keys.some((key) => dataset.key === key || dataset.key.startsWith(`${key} `));
    const light = (on) => {
      for (const part of place.querySelectorAll("[data-key]")) {
        part.classList.toggle("ssd-faded", on && !counted(part));
      }
    };
    const press = (on) => {
      node.setAttribute("aria-pressed", on);
      light(on);
    };
    node.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && light(true));
    node.addEventListener("pointerleave", () => light(node.getAttribute("aria-pressed") === "true"));
    node.addEventListener("blur", () => press(false));
    node.addEventListener("click", () => {
      show(place);
      press(node.getAttribute("aria-pressed") !== "true");
    });
  }

  function offerLink(place) {
    const figure = place.closest("figure[id]");
    const foot = place.querySelector(".ssd-foot");
    if (!figure || !foot) return;
    const words = "Link to this state";
    const node = Object.assign(document.createElement("button"), { type: "button", className: "ssd-link", textContent: words });
    foot.append(node);
    node.addEventListener("click", async () => {
      const state = place.explorer.changes();
      const hash = Object.keys(state).length ? `~${encodeURIComponent(JSON.stringify(state))}` : "";
      history.replaceState(null, "", `#${figure.id}${hash}`);
      const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
      node.textContent = copied ? "Link copied" : "The link is in the address bar";
      setTimeout(() => (node.textContent = words), 2500);
    });
  }

  /** Bring the figure that the address names into the state that it names. */
  function openLink() {
    const [, id, text] = /^#([\w-]+)~(.*)$/.exec(location.hash) ?? [];
    const place = id && placeIn(id);
    if (!place) return;
    const model = place.explorer;
    let before = {};
    const refuse = (error) => {
      console.warn("link to a state:", error);
      for (const [name, value] of Object.entries(before)) model.set(name, value);
      const words = "This link's state cannot be read, so the figure shows its initial one.";
      place.after(Object.assign(document.createElement("p"), { className: "explorer-failed", textContent: words }));
    };
    place.scrollIntoView({ block: "start" });
    try {
      const state = JSON.parse(decodeURIComponent(text));
      const possible = ([name, value]) => model.follows(name) && fits(value, model.get(name));
      if (!Object.entries(state).every(possible)) throw new Error("not a state of this figure");
      before = valuesOf(model, Object.keys(state));
      for (const [name, value] of Object.entries(state)) model.set(name, value);
    } catch (error) {
      return refuse(error);
    }
    // it is drawn in the next frame, and may be a state that cannot be drawn
    const fail = (event) => {
      event.preventDefault();
      refuse(event.error);
    };
    addEventListener("error", fail, { once: true });
    requestAnimationFrame(() => requestAnimationFrame(() => removeEventListener("error", fail)));
  }

  let moved = false; // by the reader
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(kind, () => (moved = true), { once: true, passive: true });
  }

  /** Return to what the address names, from which the figures above it, as they started, have led away. */
  function returnToLink() {
    const [{ type }] = performance.getEntriesByType("navigation");
    if (moved || type !== "navigate") return; // a browser that goes back restores the place itself
    document.querySelector(":target")?.scrollIntoView();
  }

  function start() {
    document.querySelectorAll(".explorer-place").forEach((place) => place.explorer && offerLink(place));
    document.querySelectorAll("span.plays").forEach(offerPlay);
    document.querySelectorAll("span.counts").forEach(offerLight);
    returnToLink();
    openLink();
    addEventListener("hashchange", openLink);
  }

  if (document.documentElement.dataset.explorers) start();
  else document.addEventListener("explorers-started", start, { once: true });
})();
