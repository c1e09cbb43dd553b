// Areas to draw on: the picture with its boxes, and charts. Everything draggable is made here.
//
// An explorer draws its state in one function, which runs after every change:
// `paper.put(key, tag, attributes)` makes or moves the node of that key, and nodes that were not put
// again are removed. An explorer keeps no nodes, so none can become stale.
//
// Pictures are on white paper in both themes, as in the book's figures. Charts follow the theme as the
// book's plots do: explorer.css turns their lightness round, and keeps the hues.

export const SVG = "http://www.w3.org/2000/svg";

// One colour and marker per feature map, ever darker, as in ssd_tutorial/figures/plots.py (a test
// compares them).
export const LOOKS = [
  { name: "conv4_3", colour: "#b98902", marker: "o" },
  { name: "conv7", colour: "#738c5a", marker: "s" },
  { name: "conv8_2", colour: "#008777", marker: "^" },
  { name: "conv9_2", colour: "#006a85", marker: "D" },
  { name: "conv10_2", colour: "#2c4ca1", marker: "v" },
  { name: "conv11_2", colour: "#4100a3", marker: "P" },
  { name: "conv12_2", colour: "#50004b", marker: "X" },
];
export const BLUE = "#0072b2"; // what is right, or stays
export const ORANGE = "#e06c00"; // what is wrong, or falls
export const ACCENT = "#c8321e"; // what the reader holds, and what the detector has found
export const INK = "#1f262e";
export const QUIET = "#8a939d";

/** The look of feature map `k`, as attributes of an SVG outline. */
export function mapLook(k) {
  return { fill: "none", stroke: LOOKS[k].colour };
}

export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

export function assign(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
  return node;
}

/** Path data of the outlines of boxes, in pixels: [x0, y0, x1, y1] each. Fast for thousands. */
export function outlines(boxes) {
  let d = "";
  for (const [x0, y0, x1, y1] of boxes) {
    d += `M${x0.toFixed(1)} ${y0.toFixed(1)}H${x1.toFixed(1)}V${y1.toFixed(1)}H${x0.toFixed(1)}Z`;
  }
  return d;
}

// --- pointer and keys -----------------------------------------------------------------------------

/** Make `node` follow the pointer, mouse or finger. `start` and `move` get pixels of `paper`. */
function draggable(node, paper, { start, move }) {
  let held = false;
  node.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault(); // no text is selected, no picture is dragged away
    event.stopPropagation();
    node.closest("[tabindex]").focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    held = true;
    start?.(...paper.at(event));
  });
  node.addEventListener("pointermove", (event) => {
    if (held && paper.svg.dataset.swipe !== "undecided") move(...paper.at(event));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    node.addEventListener(end, () => (held = false));
  }
}

/** Let a finger drag what is draggable in `svg`, and scroll the page elsewhere. On the body of a box
 *  the first move decides: sideways it drags, upwards or downwards it scrolls, since a large box would
 *  be a trap. The listeners are on the whole area: browsers ignore them, and touch-action, on parts. */
function swipes(svg) {
  let from;
  const listen = (kind, action) => svg.addEventListener(kind, action, { passive: false });
  listen("touchstart", (event) => {
    svg.dataset.swipe = event.target.closest(".ssd-body") ? "undecided" : "free";
    from = event.touches[0];
    if (event.target.closest(".ssd-corner, .ssd-knob")) event.preventDefault();
  });
  listen("touchmove", (event) => {
    const { clientX, clientY } = event.touches[0];
    const sideways = Math.abs(clientX - from.clientX) >= Math.abs(clientY - from.clientY);
    if (svg.dataset.swipe === "undecided" && sideways) svg.dataset.swipe = "drags";
    if (svg.dataset.swipe === "drags") event.preventDefault();
  });
  listen("touchend", () => delete svg.dataset.swipe);
  listen("touchcancel", () => delete svg.dataset.swipe);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Keys of a focused node: `arrow(dx, dy, shift)`, each -1, 0 or 1, and `remove()` on Delete. */
function keyed(node, { arrow, remove }) {
  node.addEventListener("keydown", (event) => {
    if (ARROWS[event.key]) arrow(...ARROWS[event.key], event.shiftKey);
    else if (event.key === "Delete" || event.key === "Backspace") remove();
    else return;
    event.preventDefault(); // neither scroll the page nor turn to the next chapter
    event.stopPropagation();
  });
}

// --- paper: a white area to draw on -----------------------------------------------------------------

/** An SVG area as wide as its parent; `ratio` is height / width. One unit is one CSS pixel. */
class Paper {
  constructor(parent, label, ratio, name) {
    this.ratio = ratio;
    this.width = 0;
    this.nodes = new Map();
    this.svg = document.createElementNS(SVG, "svg");
    assign(this.svg, { class: `ssd-paper ssd-${name}`, role: "group", "aria-label": label });
    swipes(this.svg);
    parent.append(this.svg);
  }

  get height() {
    return Math.round(this.width * this.ratio);
  }

  /** Take the width that the page gives; true if it has changed. */
  measure() {
    const width = Math.round(this.svg.getBoundingClientRect().width);
    if (!width || width === this.width) return false;
    this.width = width;
    assign(this.svg, { viewBox: `0 0 ${width} ${this.height}` });
    this.svg.style.aspectRatio = `${width} / ${this.height}`;
    return true;
  }

  /** Where an event of the pointer is, in pixels of this area. */
  at(event) {
    const place = this.svg.getBoundingClientRect();
    return [event.clientX - place.left, event.clientY - place.top];
  }

  /** Call `to(x, y)` for a press on `node`, and for each move while it is pressed. */
  follow(node, to) {
    node.onpointerdown = node.onpointermove = (event) => event.buttons === 1 && to(...this.at(event));
  }

  begin() {
    this.kept = new Set();
    this.last = null;
  }

  /** Make or update the node called `key`. Nodes are stacked in the order of the calls of
   *  the first drawing. `text` is written into it. */
  put(key, tag, attributes, text) {
    let node = this.nodes.get(key);
    if (!node) {
      node = document.createElementNS(SVG, tag);
      node.dataset.key = key;
      this.nodes.set(key, node);
      if (this.last) this.last.after(node);
      else this.svg.prepend(node);
    }
    this.last = node;
    this.kept.add(key);
    assign(node, attributes);
    if (text !== undefined && node.textContent !== String(text)) node.textContent = text;
    return node;
  }

  /** Text at a place; `anchor` is start, middle or end. A pale outline keeps it legible. */
  text(key, x, y, words, attributes = {}) {
    return this.put(key, "text", { class: "ssd-text", x, y, ...attributes }, words);
  }

  line(key, points, attributes) {
    const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    return this.put(key, "path", { fill: "none", d, ...attributes });
  }

  end() {
    for (const [key, node] of this.nodes) {
      if (this.kept.has(key)) continue;
      node.remove();
      this.nodes.delete(key);
    }
  }

  /** A point to drag. `to(x, y)` gets pixels; `by(dx, dy, shift)` the arrow keys. */
  knob(key, x, y, { label, to, by, attributes = {} }) {
    const fresh = !this.nodes.has(key);
    const look = { class: "ssd-knob", tabindex: 0, role: "application" };
    const node = this.put(key, "g", { ...look, "aria-label": label, ...attributes });
    if (fresh) {
      const circle = (r, name) => {
        const shape = document.createElementNS(SVG, "circle");
        node.append(assign(shape, { r, class: name }));
      };
      circle(16, "ssd-hit"); // large enough for a finger
      circle(6, "ssd-dot");
      draggable(node, this, { move: (...at) => node.to(...at) });
      keyed(node, { arrow: (...keys) => node.by(...keys), remove() {} });
    }
    node.to = to;
    node.by = by;
    assign(node, { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` });
    return node;
  }
}

/** An area with a picture. Places are fractions of the picture; `margin` leaves room around it. */
export class Stage extends Paper {
  constructor(parent, { label, margin = 0, ratio = 1 }) {
    super(parent, label, (ratio + 2 * margin) / (1 + 2 * margin), "stage");
    this.margin = margin;
  }

  /** Pixels of one picture width. */
  get side() {
    return this.width / (1 + 2 * this.margin);
  }

  px([x0, y0, x1, y1]) {
    return [this.x(x0), this.y(y0), this.x(x1), this.y(y1)];
  }

  x(fraction) {
    return (fraction + this.margin) * this.side;
  }

  y(fraction) {
    return (fraction * this.pictureRatio + this.margin) * this.side;
  }

  /** Height of the picture over its width. */
  get pictureRatio() {
    return this.ratio * (1 + 2 * this.margin) - 2 * this.margin;
  }

  fractions(x, y) {
    return [x / this.side - this.margin, (y / this.side - this.margin) / this.pictureRatio];
  }

  /** The picture, on which lines get a pale rim. Without `uri`, an empty square; in a part of it,
   *  `where`, a smaller picture on grey. */
  picture(uri, where = [0, 0, 1, 1]) {
    const place = (box) => {
      const [x, y, right, bottom] = this.px(box);
      return { x, y, width: right - x, height: bottom - y };
    };
    const all = place([0, 0, 1, 1]);
    this.rimmed = Boolean(uri);
    if (where[0] > 0) this.put("canvas", "rect", { ...all, fill: "#7f7f7f" });
    if (uri) this.put("picture", "image", { ...place(where), href: uri, preserveAspectRatio: "none" });
    this.put("edge", "rect", { ...all, class: "ssd-edge" });
  }

  /** A box, xyxy in fractions, with attributes such as those of `mapLook`. */
  rect(key, box, attributes) {
    const [x, y, right, bottom] = this.px(box);
    const place = { x, y, width: Math.max(0, right - x), height: Math.max(0, bottom - y) };
    return this.outlined(key, "rect", { "stroke-width": 2, fill: "none", ...place, ...attributes });
  }

  /** Many boxes in one node, xyxy in fractions. */
  rects(key, boxes, attributes) {
    const d = outlines(boxes.map((box) => this.px(box)));
    return this.outlined(key, "path", { "stroke-width": 1.5, fill: "none", ...attributes, d });
  }

  /** Put a shape and, on a picture, the rim of its lines below it. */
  outlined(key, tag, attributes) {
    const thick = attributes.stroke && attributes["stroke-width"] >= 1;
    if (this.rimmed && thick) this.put(`${key} rim`, tag, { ...attributes, ...rim(attributes) });
    return this.put(key, tag, attributes);
  }

  /** A box to move and to resize. `set(box)` gets the new box: never inverted, never outside
   *  `bounds`. `label` says what it is, `attributes` how it looks; `remove` is called on Delete.
   *  A box of `fixed` size has no corners. */
  handleBox(key, box, { label, set, remove, tag, attributes = {}, bounds = [0, 0, 1, 1], fixed }) {
    const fresh = !this.nodes.has(key);
    const look = { class: "ssd-box", tabindex: 0, role: "application" };
    const help = fixed ? "arrow keys move it, with shift faster" : "arrow keys move it, with shift they resize it";
    const node = this.put(key, "g", { ...look, "aria-label": `${label}; ${help}` });
    if (fresh) this.#makeBox(node, fixed);
    Object.assign(node, { box, set, drop: remove, bounds });
    const [x, y, right, bottom] = this.px(box);
    const [below, body, words, ...corners] = node.children;
    const outline = { x, y, width: right - x, height: bottom - y };
    const lines = { "stroke-width": 3, fill: "transparent", stroke: INK, ...attributes, ...outline };
    assign(below, { ...lines, ...rim(lines) });
    assign(body, lines);
    assign(words, { x: x + 5, y: y + 16 });
    if (words.textContent !== (tag ?? "")) words.textContent = tag ?? "";
    corners.forEach((corner, i) => {
      const place = [i % 2 ? right : x, i < 2 ? y : bottom];
      assign(corner, { transform: `translate(${place[0].toFixed(1)} ${place[1].toFixed(1)})` });
    });
    return node;
  }

  #makeBox(node, fixed) {
    const add = (parent, tag, attributes) => {
      const child = assign(document.createElementNS(SVG, tag), attributes);
      parent.append(child);
      return child;
    };
    add(node, "rect", { class: "ssd-rim" });
    const body = add(node, "rect", { class: "ssd-body" });
    add(node, "text", { class: "ssd-text ssd-tag" });
    let from;
    draggable(body, this, {
      start: (x, y) => (from = { at: this.fractions(x, y), box: node.box }),
      move: (x, y) => {
        const [fx, fy] = this.fractions(x, y);
        node.set(moved(from.box, fx - from.at[0], fy - from.at[1], node.bounds));
      },
    });
    for (let i = 0; i < (fixed ? 0 : 4); i++) {
      const corner = add(node, "g", { class: `ssd-corner ssd-corner-${i === 0 || i === 3}` });
      add(corner, "rect", { class: "ssd-hit", x: -14, y: -14, width: 28, height: 28 });
      add(corner, "rect", { class: "ssd-dot", x: -4, y: -4, width: 8, height: 8 });
      draggable(corner, this, {
        move: (x, y) => node.set(resized(node.box, i, ...this.fractions(x, y), node.bounds)),
      });
    }
    const step = 0.01;
    keyed(node, {
      arrow: (dx, dy, shift) => {
        const [, , right, bottom] = node.box;
        const far = fixed && shift ? 5 * step : step;
        const changed =
          shift && !fixed
            ? resized(node.box, 3, right + dx * step, bottom + dy * step, node.bounds)
            : moved(node.box, dx * far, dy * far, node.bounds);
        node.set(changed);
      },
      remove: () => node.drop?.(),
    });
  }
}

/** The look of the pale rim of lines that have these attributes. */
function rim({ stroke, opacity = 1, "stroke-width": width }) {
  const look = { class: "ssd-rim", fill: "none", opacity: 0.8 * opacity, "stroke-width": width + 2.5 };
  return { ...look, stroke: stroke === "none" ? stroke : "#ffffff" };
}

const SMALLEST = 0.02; // side of a box, in fractions of the picture

function moved([x0, y0, x1, y1], dx, dy, [left, top, right, bottom]) {
  dx = clamp(dx, left - x0, right - x1);
  dy = clamp(dy, top - y0, bottom - y1);
  return [x0 + dx, y0 + dy, x1 + dx, y1 + dy];
}

/** The box with corner 0 (left top), 1 (right top), 2 (left bottom) or 3 at x, y. */
function resized([x0, y0, x1, y1], corner, x, y, [left, top, right, bottom]) {
  if (corner % 2) x1 = clamp(x, x0 + SMALLEST, Math.max(right, x0 + SMALLEST));
  else x0 = clamp(x, Math.min(left, x1 - SMALLEST), x1 - SMALLEST);
  if (corner > 1) y1 = clamp(y, y0 + SMALLEST, Math.max(bottom, y0 + SMALLEST));
  else y0 = clamp(y, Math.min(top, y1 - SMALLEST), y1 - SMALLEST);
  return [x0, y0, x1, y1];
}

const ABOVE = 24; // a chart: the label of y, and below it the uppermost tick

/** A chart with axes. `x` and `y` are {from, to, label, ticks}, and `show`, which writes a tick; `draw` calls
 *  `axes` first. */
export class Chart extends Paper {
  constructor(parent, { label, x, y, ratio = 0.62 }) {
    super(parent, label, ratio, "chart");
    this.axis = { x, y };
  }

  x(value) {
    const { from, to } = this.axis.x;
    return 44 + ((value - from) / (to - from)) * (this.width - 44 - 14);
  }

  y(value) {
    const { from, to } = this.axis.y;
    return this.height - 38 - ((value - from) / (to - from)) * (this.height - 38 - ABOVE);
  }

  /** The values at a place in pixels. */
  values(x, y) {
    const { x: across, y: up } = this.axis;
    return [
      across.from + ((x - 44) / (this.width - 44 - 14)) * (across.to - across.from),
      up.from + ((this.height - 38 - y) / (this.height - 38 - ABOVE)) * (up.to - up.from),
    ];
  }

  axes() {
    const { x, y } = this.axis;
    const low = this.y(y.from);
    const words = { "font-size": 12 };
    for (const tick of x.ticks) {
      const at = this.x(tick);
      this.line(`grid x ${tick}`, [[at, low], [at, this.y(y.to)]], { class: "ssd-grid" });
      this.text(`tick x ${tick}`, at, low + 16, x.show?.(tick) ?? tick, { ...words, "text-anchor": "middle" });
    }
    let below = Infinity;
    for (const tick of y.ticks) {
      const at = this.y(tick);
      this.line(`grid y ${tick}`, [[this.x(x.from), at], [this.x(x.to), at]], { class: "ssd-grid" });
      if (below - at < 12) continue; // a small chart has no room for this number
      below = at;
      const shown = y.show?.(tick) ?? tick;
      this.text(`tick y ${tick}`, this.x(x.from) - 6, at + 4, shown, { ...words, "text-anchor": "end" });
    }
    const middle = (this.x(x.from) + this.x(x.to)) / 2;
    this.text("label x", middle, this.height - 6, x.label, { ...words, "text-anchor": "middle" });
    this.text("label y", 4, 11, y.label, words);
  }

  /** A line through points given in values. */
  curve(key, points, attributes) {
    const places = points.map(([x, y]) => [this.x(x), this.y(y)]);
    return this.line(key, places, { "stroke-width": 2, stroke: INK, ...attributes });
  }
}
