// The view of detections: what is kept and what NMS suppressed and, for one that the reader chooses,
// what stands behind it.

import { mapBars } from "./bars.js";
import { iou } from "./geometry.js";
import {
  SHOWN,
  boxRows,
  dissect,
  finderBars,
  findersSaid,
  scoreRows,
  sentence,
  suppressedRows,
} from "./inside.js";
import { ACCENT, BLUE, INK, clamp, mapLook } from "./paper.js";
import { html, listed } from "./ui.js";

const CANDIDATE = { stroke: ACCENT, "stroke-width": 0.8, opacity: 0.75 };
const FALLEN = { stroke: INK, "stroke-width": 1, "stroke-dasharray": "3 2" }; // by the chosen box
const TRUTH = { stroke: BLUE, "stroke-width": 2, "stroke-dasharray": "7 4" };
const KEPT = { stroke: ACCENT, "stroke-width": 3 };

export function detectionsView({ frame, stage }) {
  const head = html("p", { class: "live-head" }, "Look inside");
  const list = html("div", { class: "live-found", role: "group", "aria-label": "Look inside a detection" });
  const controls = html("div", {}, head, list);

  const panel = html("div", { class: "live-panel live-inside" });
  const said = html("p", { class: "live-panel-words live-inside-words" });
  panel.append(said);
  const column = (title) => {
    const part = html("div", {}, html("p", { class: "live-head" }, title));
    panel.append(part);
    return part;
  };
  const boxPart = column("From prior to box");
  const boxTable = frame.table({
    label: "From prior to box",
    header: ["px", "prior", "offset", "× var.", "box"],
    into: boxPart,
  });
  boxPart.append(
    html(
      "p",
      { class: "live-note" },
      "cx: prior + (offset × variance) · prior's width. w: prior's width · e^(offset × variance). cy and h likewise, with the height.",
    ),
  );
  const scoreTable = frame.table({
    label: "Scores before and after softmax",
    header: ["class", "logit", "softmax"],
    into: column("Scores"),
  });
  const finderPart = column("Which maps would have found it");
  const finderLabel = "The score that each map alone would give";
  const bars = mapBars({ label: finderLabel, into: finderPart });
  const finderWords = html("p", { class: "live-note" });
  finderPart.append(finderWords);
  const suppressedPart = column("Suppressed by it");
  const suppressedTable = frame.table({
    label: "Suppressed boxes",
    header: ["prior", "map", "score", "IoU"],
    into: suppressedPart,
  });
  const suppressedNone = html("p", {}, "none");
  suppressedPart.append(suppressedNone);

  /** The candidate that the reader looks into: it follows the thing while it is dragged. */
  function chosen({ candidates, kept }) {
    const look = frame.get("look");
    if (!look) return -1;
    const near = (i) => (candidates[i].label === look.label ? iou(candidates[i].box, look.box) : 0);
    return kept.reduce((a, b) => (near(b) > (a < 0 ? 0.2 : near(a)) ? b : a), -1);
  }

  // --- drawing ---

  /** Write class and score of each box where no other has written; above it, if that is free. */
  function writeTags(found) {
    const taken = [];
    found.forEach(({ box, name, score }, n) => {
      const words = `${name} ${score.toFixed(2)}`;
      const wide = 7.4 * words.length;
      const [x, y, right, bottom] = stage.px(box);
      const places = [[x, y - 5], [x, bottom + 15], [right - wide, y - 5], [right - wide, bottom + 15], [x, y - 21], [x, bottom + 31]];
      const inside = ([across, down]) => [clamp(across, 2, stage.width - wide), clamp(down, 13, stage.height - 4)];
      const free = ([c, d]) => taken.every((t) => c > t.x + t.wide || t.x > c + wide || Math.abs(t.y - d) > 14);
      const place = places.map(inside).find(free) ?? inside(places[0]);
      taken.push({ x: place[0], y: place[1], wide });
      stage.text(`tag ${n}`, ...place, words, { "font-weight": 650 });
    });
  }

  /** The chosen one's prior, cell, receptive field, and the boxes that it suppressed. */
  function drawInside(one) {
    const look = mapLook(one.place.map);
    const middle = ([x0, y0, x1, y1]) => [stage.x((x0 + x1) / 2), stage.y((y0 + y1) / 2)];
    const [cx, cy, w, h] = one.shape;
    const prior = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2];
    if (one.field) stage.rect("field", one.field, { fill: look.stroke, "fill-opacity": 0.1, ...fieldLook(one) });
    stage.rect("cell", one.cell, { fill: look.stroke, "fill-opacity": 0.35, stroke: look.stroke, "stroke-width": 1 });
    stage.rects("fallen", one.suppressed.map(({ box }) => box), FALLEN);
    stage.rect("prior", prior, { ...look, "stroke-width": 2.5 });
    stage.line("move", [middle(prior), middle(one.box)], { stroke: INK, "stroke-width": 1.5 });
  }
  const fieldLook = (one) => ({ ...mapLook(one.place.map), "stroke-width": 1.2, "stroke-dasharray": "1 4" });

  // --- words ---
  function showFound(found, i) {
    const key = JSON.stringify(found.map(({ name, score, k }) => [name, score.toFixed(2), k === i]));
    head.hidden = !found.length;
    if (list.dataset.shown === key) return;
    list.dataset.shown = key;
    const at = [...list.children].indexOf(document.activeElement);
    const buttons = found.map(({ name, score, label, box, k }) => {
      const pressed = { type: "button", "aria-pressed": String(k === i) };
      const button = html("button", pressed, `${name} ${score.toFixed(2)}`);
      button.addEventListener("click", () => frame.set({ look: k === i ? null : { label, box } }));
      return button;
    });
    list.replaceChildren(...buttons);
    list.children[at]?.focus({ preventScroll: true });
  }

  function showInside(one, { names, preset }) {
    const look = frame.get("look");
    panel.hidden = !look;
    if (!look) return;
    for (const part of [...panel.children].slice(1)) part.hidden = !one;
    if (!one) {
      said.textContent = `This ${names[look.label - 1]} is no longer found.`;
      return;
    }
    if (iou(one.box, look.box) < 1) frame.set({ look: { label: one.label, box: one.box } });
    said.textContent = sentence(one, names);
    boxTable(boxRows(one));
    scoreTable(scoreRows(one, names));
    bars(preset.maps, finderBars(one));
    finderWords.textContent = findersSaid(one, preset, frame.get("score"));
    suppressedTable(suppressedRows(one, preset));
    const more = one.suppressed.length - SHOWN;
    suppressedNone.textContent = more > 0 ? `and ${more} more` : "none";
    suppressedNone.hidden = one.suppressed.length > 0 && more <= 0;
    suppressedPart.children[1].hidden = !one.suppressed.length;
  }

  function summary(found, counted) {
    const told = found.map(({ name, score }) => `${name} ${score.toFixed(2)}`);
    const boxes = found.length === 1 ? "1 box" : `${found.length} boxes`;
    const gone = counted - found.length;
    const fell = gone ? ` NMS suppressed ${gone} other${gone > 1 ? "s" : ""}.` : "";
    return found.length
      ? `${boxes} found: ${listed(told)}.${fell}`
      : `Nothing found with a score above ${frame.get("score").toFixed(2)}.`;
  }

  return {
    controls,
    panel,
    rest: () => showFound([], -1),

    draw(answer) {
      const { candidates, suppressor } = answer.result;
      const { found, truth } = answer;
      const given = answer.raw.picture && truth; // a composed scene shows its things
      if (given) stage.rects("truth", truth.map(({ box }) => box), TRUTH);
      const i = chosen(answer.result);
      const one = i >= 0 ? dissect(answer, i) : null;
      const thin = candidates.filter((_, k) => suppressor[k] >= 0 && !one).map(({ box }) => box);
      stage.rects("candidates", thin, CANDIDATE);
      if (one) drawInside(one);
      found.forEach(({ box, k }, n) => {
        stage.rect(`rim ${n}`, box, { stroke: "#fff", "stroke-width": 5, opacity: one && k !== i ? 0.2 : 0.7 });
        stage.rect(`found ${n}`, box, { ...KEPT, opacity: one && k !== i ? 0.35 : 1 });
      });
      writeTags(found);
      showFound(found, i);
      showInside(one, answer);
      const others = one
        ? [
            [{ ...mapLook(one.place.map), "stroke-width": 2.5 }, "its prior; filled: its cell"],
            ...(one.field ? [[fieldLook(one), "what it sees of the picture"]] : []),
            [FALLEN, "suppressed by it"],
          ]
        : [[{ ...CANDIDATE, "stroke-width": 1.2 }, "candidates before NMS"]];
      return {
        legend: [[KEPT, "found: kept by NMS"], ...(given ? [[TRUTH, "ground truth"]] : []), ...others],
        words: summary(found, candidates.length),
      };
    },
  };
}
