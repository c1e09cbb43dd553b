// What the figures of one knob show of a network and of its training (chapters 1 to 3, and 12).

import { boxesPerCell, locate, makePriors, numPriors, priorXyxy, priorsPerMap, toCxcywh } from "./geometry.js";
import { ACCENT, BLUE, INK, LOOKS, ORANGE, QUIET, clamp, outlines } from "./paper.js";
import { HALF, percent } from "./topics.js";
import { drawJudged, judged } from "./topics_of_detectors.js";
import { spaced } from "./ui.js";

const FINEST = 38; // cells per side of SSD300's finest map
const YOLO = 7; // and of the grid of YOLO's first version
const BRIGHTEST = 7; // the digit of a map's most unusual cell
const squared = (n) => `${n}\u00a0×\u00a0${n}`;

export const TOPICS_OF_NETWORKS = {
  place(frame) {
    const preset = frame.get("preset");
    const priors = makePriors(preset);
    const { rows, faint } = frame.get("facts");
    const surest = new Map(
      rows.map(([prior, name, score, ...box]) => {
        const { map, row, column } = locate(preset, prior);
        return [[map, row, column].join(), { prior, name, score, box, map, row, column }];
      }),
    );
    const within = boxesPerCell(preset).reduce((a, b) => a + b, 0);
    const index = (at, { cells, step_px }) => Math.min(cells - 1, Math.floor((at * preset.image_size) / step_px));
    return {
      draw(stage) {
        const [x, y] = frame.get("point");
        const here = preset.maps.map((map, k) => surest.get([k, index(y, map), index(x, map)].join()));
        const best = here.filter(Boolean).reduce((p, q) => (q.score > p.score ? q : p));
        const { map, row, column, prior, box, name, score } = best;
        if (score > faint) {
          const step = preset.maps[map].step_px / preset.image_size;
          const cell = [column, row, column + 1, row + 1].map((at) => Math.min(1, at * step));
          const { colour } = LOOKS[map];
          stage.rect("cell", cell, { fill: colour, "fill-opacity": 0.5, stroke: "none" });
          stage.rect("prior", priorXyxy(priors, prior), { stroke: colour, "stroke-width": 2, "stroke-dasharray": "6 4" });
          stage.rect("box", box, { stroke: ACCENT, "stroke-width": 3 });
          const [left, top, , bottom] = stage.px(box);
          const beside = top > 20 ? top - 6 : Math.min(bottom + 16, stage.height - 4);
          const words = `${name} ${score.toFixed(2)}`;
          stage.text("name", clamp(left, 2, stage.width - 110), beside, words, { "font-weight": 600 });
        }
        const go = (point) => frame.set({ point: point.map((at) => clamp(at, 0, 1)) });
        const to = (...place) => go(stage.fractions(...place));
        stage.follow(stage.rect("ground", [0, 0, 1, 1], { fill: "transparent" }), to);
        const said = score > faint ? `${name}, ${score.toFixed(2)}` : "background";
        stage.knob("knob", stage.x(x), stage.y(y), {
          label: `a place in the picture: ${said}; arrow keys move it, with shift faster`,
          to,
          by: (dx, dy, fast) => go([x + dx * (fast ? 0.1 : 0.02), y + dy * (fast ? 0.1 : 0.02)]),
        });
        const words =
          score > faint
            ? `, that of “${name}”. It belongs to number ${prior} of ${numPriors(preset)} boxes, one of a grid of ` +
              `${squared(preset.maps[map].cells)} (dashed). ` +
              (score > HALF ? "The network has moved it to the red one." : "Up to 0.5 nothing is reported.")
            : `: next to nothing. For all ${within} boxes that lie here the network predicts “background”.`;
        return [score.toFixed(2), `is the highest score at this place${words}`];
      },
    };
  },

  grid(frame) {
    const objects = frame.get("objects");
    const centres = objects.map(({ box }) => toCxcywh(box).slice(0, 2));
    return {
      slider: { label: "Cells per side", step: 1, show: String },
      draw(stage, n) {
        const cells = new Map();
        for (const centre of centres) {
          const [column, row] = centre.map((at) => Math.floor(at * n));
          const key = [column, row].join();
          const box = [column, row, column + 1, row + 1].map((at) => at / n);
          cells.set(key, { box, count: (cells.get(key)?.count ?? 0) + 1 });
        }
        const several = [...cells.values()].filter(({ count }) => count > 1);
        const alone = [...cells.values()].filter(({ count }) => count === 1);
        const lines = [...Array(n + 1).keys()].flatMap((i) => [
          [i / n, 0, i / n, 1],
          [0, i / n, 1, i / n],
        ]);
        const d = outlines(lines.map((line) => stage.px(line)));
        stage.put("grid", "path", { d, fill: "none", stroke: "#ffffff", "stroke-width": n > 20 ? 0.4 : 0.8, opacity: 0.8 });
        const boxes = (some) => some.map(({ box }) => box);
        stage.rects("alone", boxes(alone), { fill: BLUE, "fill-opacity": 0.75, stroke: "none" });
        stage.rects("several", boxes(several), { fill: ORANGE, "fill-opacity": 0.75, stroke: "none" });
        const dots = centres.map(([x, y]) => `M${stage.x(x).toFixed(1)} ${stage.y(y).toFixed(1)}h0`).join("");
        const round = { d: dots, fill: "none", "stroke-linecap": "round" };
        stage.put("rim of dots", "path", { ...round, stroke: "#ffffff", "stroke-width": 10 });
        stage.put("dots", "path", { ...round, stroke: INK, "stroke-width": 6 });
        const known = { [YOLO]: ", that of YOLO’s first version", [FINEST]: ", as fine as SSD300’s finest map" };
        const words = several.length
          ? "An orange cell holds several centres, and can name only one of the objects."
          : "Each has a cell of its own.";
        return [
          String(cells.size),
          `of ${objects.length} objects can be named on a grid of ${squared(n)}${known[n] ?? ""}. ${words}`,
        ];
      },
    };
  },

  maps(frame) {
    const preset = frame.get("preset");
    const { levels, scores } = frame.get("facts");
    const [perMap, perCell] = [priorsPerMap(preset), boxesPerCell(preset)];
    const numbers = (count) => count * (scores + 4);
    return {
      slider: { label: "Feature map", step: 1, show: (k) => `${k + 1} of ${preset.maps.length}` },
      draw(stage, k) {
        const { name, cells } = preset.maps[k];
        for (let level = 0; level <= BRIGHTEST; level++) {
          const same = [...levels[k]].flatMap((digit, i) => (Number(digit) === level ? [i] : []));
          const boxes = same.map((i) => [i % cells, Math.floor(i / cells)]).map(([x, y]) => [x, y, x + 1, y + 1]);
          const veil = { fill: INK, "fill-opacity": 0.8 * (1 - level / BRIGHTEST), stroke: INK, "stroke-width": 0.3 };
          stage.rects(`level ${level}`, boxes.map((box) => box.map((at) => at / cells)), veil);
        }
        const count = `${squared(cells)} ${cells > 1 ? "cells" : "cell"} with ${perCell[k]} boxes each`;
        const share = numbers(perMap[k]) / numbers(numPriors(preset));
        return [
          spaced(numbers(perMap[k])),
          `numbers come from ${name}: ${count}, and per box ${scores} scores and 4 offsets. That is ` +
            `${share < 0.01 ? "less than 1\u00a0%" : percent(share)} of all ${spaced(numbers(numPriors(preset)))}.`,
        ];
      },
    };
  },

  learning(frame) {
    const { moments } = frame.get("facts");
    const objects = frame.get("objects");
    const [, before] = moments[0];
    return {
      slider: { label: "Samples seen", step: 1, show: (at) => spaced(moments[at][0]) },
      draw(stage, at) {
        const [samples, loss, rows] = moments[at];
        const kept = rows.filter(([, score]) => score >= HALF);
        const guesses = rows.filter(([, score]) => score < HALF).map(([, , ...box]) => box);
        stage.rects("guesses", guesses, { stroke: QUIET, "stroke-width": 1 });
        const [hits] = drawJudged(stage, kept, judged(kept, objects));
        kept.forEach(([name, score, ...box], i) => {
          const [x, y] = stage.px(box);
          stage.text(`name ${i}`, x, Math.max(14, y - 6), `${name} ${score.toFixed(2)}`, { "font-weight": 600 });
        });
        const [when, fallen] = at
          ? [`after ${spaced(samples)} samples`, `has fallen from ${before.toFixed(1)} to ${loss.toFixed(1)}`]
          : ["before training", `is ${loss.toFixed(1)}`];
        return [
          String(hits.length),
          `of ${objects.length} objects are found ${when} (blue). Grey boxes score less than 0.5. The loss on ` +
            `unseen pictures ${fallen}.`,
        ];
      },
    };
  },
};
