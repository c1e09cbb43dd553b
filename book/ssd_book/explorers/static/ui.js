// The frame of an explorer: its state, its controls, its text, and when it draws.

import { Chart, Stage, assign, clamp } from "./paper.js";

/** An HTML element; `children` are nodes or text. */
export function html(tag, attributes = {}, ...children) {
  const node = assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
}

/** Join names as in a sentence: "a, b and c". */
export const listed = (names) => names.join(", ").replace(/, ([^,]*)$/, " and $1");

export const spaced = (number) => (number < 1e4 ? String(number) : String(number).replace(/\B(?=(\d{3})+$)/g, "\u00a0"));

/** A probability in words that need no zeros: "1 in 36 000" or "12 %". */
export const chance = (p) =>
  p < 0.01 ? `1 in ${spaced(Number((1 / p).toPrecision(2)))}` : `${Number((100 * p).toPrecision(2))}\u00a0%`;

/** Name `box` and put it into the focus order while its content overflows it, and only then: readers
 *  without a mouse scroll with the arrow keys. (book/_static/scrolling.js does it for pages.) */
export function scrollable(box, label) {
  const follow = () => {
    const scrolls = box.scrollWidth > box.clientWidth;
    assign(box, {
      "aria-label": scrolls && label,
      role: scrolls && "region",
      tabindex: scrolls ? 0 : null,
    });
  };
  const sizes = new ResizeObserver(follow);
  for (const node of [box, ...box.children]) sizes.observe(node);
  return box;
}

const firstStates = new WeakMap(); // per model, what reset restores
// Radio buttons of one name form one group in the whole page, and each explorer has its own copy of
// this module, so a counter alone would give several groups the same name.
const own = Math.random().toString(36).slice(2);
let count = 0;

/** An anywidget. `label` names it for screen readers; `state` lists the traits that can change;
 *  `build(frame)` makes controls and papers, and returns the function that draws them. */
export function explorer({ label, state, build }) {
  return {
    render({ model, el }) {
      const frame = new Frame(model, el, label, state);
      frame.start(build(frame));
      return () => frame.stop();
    },
  };
}

class Frame {
  #model;
  #state;
  #papers = [];
  #controls = []; // functions that update a control from the state
  #names = []; // of the traits that controls set
  #asked = 0;
  #saying = 0;

  constructor(model, el, label, state) {
    this.#model = model;
    this.#state = state;
    if (!firstStates.has(model)) {
      firstStates.set(model, structuredClone(Object.fromEntries(state.map((n) => [n, model.get(n)]))));
    }
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.main = html("div", { class: "ssd-main" });
    this.side = html("div", { class: "ssd-side" });
    this.words = html("p", { class: "ssd-words", "aria-hidden": "true" });
    this.live = html("p", { class: "ssd-live", role: "status" });
    const reset = html("button", { type: "button", class: "ssd-reset" }, "Reset");
    reset.addEventListener("click", () => {
      this.set(structuredClone(firstStates.get(model)));
      for (const box of this.root.querySelectorAll(".ssd-more")) box.open = false;
    });
    this.foot = html("div", { class: "ssd-foot" }, reset); // a page adds a button of its own
    this.root = html(
      "div",
      // the second attribute keeps JupyterLab from treating keys as commands, such as "delete cell"
      { class: "ssd-explorer", "data-lm-suppress-shortcuts": "true", role: "group" },
      this.main,
      this.side,
      this.words,
      this.live,
      this.foot,
    );
    assign(this.root, { "aria-label": label, "data-explorer": model.get("module") });
    this.root.addEventListener("keydown", (event) => event.stopPropagation()); // and the page, too
    el.classList.add("ssd-host");
    el.replaceChildren(this.root);
  }

  // --- state ---
  get(name) {
    return this.#model.get(name);
  }

  /** Change traits, here and in Python: {name: value}. Never change a list in place. */
  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.#model.set(name, value);
    this.#model.save_changes();
  }

  start(draw) {
    this.draw = draw;
    // A key moves what was drawn last, so of two keys within a frame one would be lost.
    this.root.addEventListener("keydown", () => this.#asked && this.#redraw(), { capture: true });
    this.ask = () => (this.#asked ||= requestAnimationFrame(() => this.#redraw()));
    for (const name of this.#state) this.#model.on(`change:${name}`, this.ask);
    this.sizes = new ResizeObserver(() => {
      if (this.#papers.filter((paper) => paper.measure()).length) this.ask();
    });
    for (const paper of this.#papers) this.sizes.observe(paper.svg);
    this.#papers.forEach((paper) => paper.measure());
    this.#redraw();
  }

  stop() {
    for (const name of this.#state) this.#model.off(`change:${name}`, this.ask);
    this.sizes.disconnect();
    cancelAnimationFrame(this.#asked);
    clearTimeout(this.#saying);
  }

  #redraw() {
    cancelAnimationFrame(this.#asked);
    this.#asked = 0;
    const from = performance.now();
    const papers = this.#papers.filter((paper) => paper.width);
    papers.forEach((paper) => paper.begin());
    this.#controls.forEach((follow) => follow());
    if (papers.length === this.#papers.length) this.draw();
    papers.forEach((paper) => paper.end());
    globalThis.explorerTimes?.push([this.get("module"), performance.now() - from]);
  }

  /** What the explorer shows, in a sentence or two. Screen readers hear it once it stops changing,
   *  after the `number` that stands elsewhere. */
  say(words, number = "") {
    const said = `${number} ${words}`.trim();
    if (this.said === said) return;
    this.said = said;
    this.words.textContent = words;
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => (this.live.textContent = said), 400);
  }

  // --- where to draw ---
  stage(options) {
    return this.#add(new Stage(options.into ?? this.main, options));
  }

  chart(options) {
    return this.#add(new Chart(options.into ?? this.side, options));
  }

  #add(paper) {
    this.#papers.push(paper);
    return paper;
  }

  // --- controls: each shows and sets the trait `name` ---
  #follow(name, update) {
    this.#names.push(name);
    this.#controls.push(update);
  }

  slider({ label, name, min, max, step, show = (value) => value.toFixed(2) }) {
    const id = `ssd-slider-${own}-${(count += 1)}`; // else the label would name the output
    const input = html("input", { type: "range", min, max, step, id });
    const output = html("output");
    input.addEventListener("input", () => this.set({ [name]: Number(input.value) }));
    this.side.append(html("label", { class: "ssd-control", for: id }, `${label} `, output, input));
    this.#follow(name, () => {
      input.value = this.get(name);
      output.textContent = show(this.get(name));
      assign(input, { "aria-valuetext": output.textContent });
    });
    return input;
  }

  /** One of several; `options` are [value, words]. */
  choice({ label, name, options }) {
    const group = `ssd-choice-${own}-${(count += 1)}`;
    const field = html("fieldset", { class: "ssd-choice" }, html("legend", {}, label));
    const inputs = options.map(([value, words]) => {
      const input = html("input", { type: "radio", name: group, value });
      input.addEventListener("change", () => this.set({ [name]: value }));
      field.append(html("label", {}, input, html("span", {}, words)));
      return [value, input];
    });
    this.side.append(field);
    this.#follow(name, () => {
      for (const [value, input] of inputs) input.checked = value === this.get(name);
    });
    return field;
  }

  /** A checkbox; `on` and `off` are the values that it gives the trait. */
  check({ label, name, on = true, off = false }) {
    const input = html("input", { type: "checkbox" });
    input.addEventListener("change", () => this.set({ [name]: input.checked ? on : off }));
    this.side.append(html("label", { class: "ssd-control ssd-check" }, input, ` ${label}`));
    this.#follow(name, () => (input.checked = this.get(name) !== off));
    return input;
  }

  /** One of many, in a drop-down list; `options` are [value, words], the values text. */
  select({ label, name, options }) {
    const select = html("select", {}, ...options.map(([value, words]) => html("option", { value }, words)));
    select.addEventListener("change", () => this.set({ [name]: select.value }));
    this.side.append(html("label", { class: "ssd-control" }, `${label} `, select));
    this.#follow(name, () => (select.value = this.get(name)));
    return select;
  }

  button(label, action) {
    const button = html("button", { type: "button" }, label);
    button.addEventListener("click", action);
    this.side.append(button);
    return button;
  }

  /** Buttons that step through the whole numbers 0 .. `last()` of the trait `name`: Back, Play, Next. */
  player({ label, name, last, milliseconds = 600 }) {
    const go = (step) => this.set({ [name]: clamp(step, 0, last()) });
    let timer = 0;
    const pause = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    const button = (words, action) => {
      const node = html("button", { type: "button" }, words);
      node.addEventListener("click", action);
      return node;
    };
    const play = button("Play", () => {
      if (timer) return pause();
      if (this.calm) return go(last()); // the reader prefers reduced motion
      if (this.get(name) >= last()) go(0);
      play.textContent = "Pause";
      timer = setInterval(() => {
        if (!play.isConnected || this.get(name) >= last()) pause();
        else go(this.get(name) + 1);
      }, milliseconds);
    });
    const step = (words, by) =>
      button(words, () => {
        pause();
        go(this.get(name) + by);
      });
    const output = html("output");
    const row = html("div", { class: "ssd-player", role: "group", "aria-label": label });
    row.append(step("Back", -1), play, step("Next", 1), output);
    this.side.append(row);
    this.#follow(name, () => (output.textContent = `${label} ${this.get(name)} of ${last()}`));
    return row;
  }

  /** Controls that `make` adds, behind "More", which opens when the text, or Python, changes one of them:
   *  what the reader holds must not move away. */
  more(make) {
    const [side, before] = [this.side, this.#names.length];
    this.side = html("details", { class: "ssd-more" }, html("summary", {}, "More"));
    side.append(this.side);
    make();
    const [box, names] = [this.side, this.#names.slice(before)];
    this.side = side;
    const first = firstStates.get(this.#model);
    const changed = (name) => JSON.stringify(this.get(name)) !== JSON.stringify(first[name]);
    const used = () => this.root.contains(document.activeElement);
    this.#controls.push(() => !used() && names.some(changed) && (box.open = true));
  }

  // --- words and numbers ---
  /** Something to reach. The function returned takes whether it is reached, and what that teaches. */
  goal(words) {
    const line = html("p", { class: "ssd-goal", role: "status" });
    this.side.append(line);
    return (met, taught) => {
      line.dataset.met = Boolean(met);
      const shown = met ? `Reached. ${taught}` : `Goal: ${words}`;
      if (line.textContent !== shown) line.textContent = shown;
    };
  }

  /** A table of numbers; the function returned takes rows of cells, of which the first are headers. */
  table({ label, header, into = this.side }) {
    const head = header.map((words) => html("th", { scope: "col" }, words));
    const body = html("tbody");
    const table = html("table", { class: "ssd-table", "aria-label": label });
    table.append(html("thead", {}, html("tr", {}, ...head)), body);
    into.append(scrollable(html("div", { class: "ssd-scroll" }, table), label));
    let before = "";
    return (rows) => {
      if (before === (before = JSON.stringify(rows))) return;
      const line = ([first, ...rest]) =>
        html("tr", {}, html("th", { scope: "row" }, first), ...rest.map((c) => html("td", {}, c)));
      body.replaceChildren(...rows.map(line));
    };
  }

  /** A legend; the function returned takes its entries, [attributes of an SVG line, words]. */
  legend({ into = this.side } = {}) {
    const list = html("ul", { class: "ssd-legend" });
    into.append(list);
    let before = "";
    return (items) => {
      if (before === (before = JSON.stringify(items))) return;
      list.replaceChildren(
        ...items.map(([look, words]) => {
          const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
          assign(swatch, { viewBox: "0 0 26 12", width: 26, height: 12, "aria-hidden": "true" });
          const line = document.createElementNS(swatch.namespaceURI, "path");
          swatch.append(assign(line, { d: "M1 6H25", "stroke-width": 3, ...look }));
          return html("li", {}, swatch, ` ${words}`);
        }),
      );
    };
  }
}
