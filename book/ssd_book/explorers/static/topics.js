// What the figures of one knob show of boxes and priors (chapters 4 to 8), and what all topics share.

import { area, boxesPerCell, cellCentres, cellShapes, intersection, iou, locate, makePriors } from "./geometry.js";
import { match, numPriors, priorXyxy, priorsPerMap, scales, toCxcywh, toXyxy } from "./geometry.js";
import { sharedBox } from "./objects.js";
import { ACCENT, INK, LOOKS, mapLook } from "./paper.js";
import { listed } from "./ui.js";

const RATIO_MAP = 2; // the map whose scale the box of topic "ratio" has
const TRUTH = { stroke: INK, "stroke-width": 3 };
export const HALF = 0.5; // the threshold of matching
export const percent = (part) => `${(100 * part).toFixed(0)}\u00a0%`;

function drawBoxes(stage, key, boxes, k) {
  stage.rects(key, boxes, { stroke: LOOKS[k].colour, "stroke-width": 2.6 });
}

export function drawTruths(stage, objects) {
  objects.forEach(({ box }, i) => stage.rect(`truth ${i}`, box, TRUTH));
}

/** Draw some priors in the looks of their maps; returns their boxes, map by map. */
export function drawPriors(stage, preset, priors, indices, width) {
  const maps = preset.maps.map(() => []);
  for (const i of indices) maps[locate(preset, i).map].push(priorXyxy(priors, i));
  maps.forEach((boxes, k) => stage.rects(`map ${k}`, boxes, { ...mapLook(k), "stroke-width": width }));
  return maps;
}

// One function per topic. It returns `slider`, the control, and `draw`, which draws the picture's
// boxes for a place of the knob and returns the number and the sentence.
export const TOPICS_OF_PRIORS = {
  overlap(frame) {
    const [{ name, box: truth }] = frame.get("objects");
    return {
      draw(stage) {
        const box = frame.get("box");
        const [shared, value] = [intersection(box, truth), iou(box, truth)];
        if (shared > 0) {
          stage.rect("shared", sharedBox(box, truth), { fill: ACCENT, "fill-opacity": 0.3, stroke: "none" });
        }
        stage.rect("truth", truth, TRUTH);
        stage.handleBox("box", box, {
          label: `box, xyxy ${box.map((x) => x.toFixed(2)).join(", ")}`,
          attributes: { stroke: ACCENT },
          fixed: true,
          set: (moved) => frame.set({ box: moved }),
        });
        const covered = area(box) + area(truth) - shared;
        const words =
          shared > 0
            ? `is the IoU: the part that both boxes share, ${percent(shared)} of the picture, over the part ` +
              `that they cover together, ${percent(covered)}. `
            : `is the IoU of boxes that share nothing, however near the ${name} is. `;
        return [value.toFixed(2), words + (value >= 0.5 ? "That is a match." : "A match needs 0.5.")];
      },
    };
  },

  scale(frame) {
    const preset = frame.get("preset");
    const objects = frame.get("objects");
    const s = scales(preset);
    const px = (fraction) => `${Math.round(preset.image_size * fraction)} px`;
    return {
      slider: { label: "Feature map", step: 1, show: (k) => `${k + 1} of ${preset.maps.length}` },
      draw(stage, k) {
        const square = ([cx, cy]) => toXyxy([cx, cy, s[k], s[k]]);
        const tried = objects.map(({ name, box }) => {
          const prior = square(toCxcywh(box));
          return { name, prior, fit: iou(prior, box) };
        });
        const best = tried.reduce((p, q) => (q.fit > p.fit ? q : p));
        drawTruths(stage, objects);
        const ghosts = tried.filter((one) => one !== best).map(({ prior }) => prior);
        stage.rects("ghosts", ghosts, { stroke: LOOKS[k].colour, "stroke-width": 1.2 });
        drawBoxes(stage, "best", [best.prior], k);
        return [
          px(s[k]),
          `is the side of a square of ${preset.maps[k].name}: ${s[k].toFixed(2)} of the picture. ` +
            `It fits the ${best.name} best, with an IoU of ${best.fit.toFixed(2)}.`,
        ];
      },
    };
  },

  ratio(frame) {
    const s = scales(frame.get("preset"))[RATIO_MAP];
    const [object] = frame.get("objects");
    return {
      slider: { label: "Wider or taller", step: 1 / 24, show: (at) => `a = ${(3 ** at).toFixed(2)}` },
      draw(stage, at) {
        const root = 3 ** (at / 2);
        const box = toXyxy([...toCxcywh(object.box).slice(0, 2), s * root, s / root]);
        drawTruths(stage, [object]);
        drawBoxes(stage, "box", [box], RATIO_MAP);
        return [
          (3 ** at).toFixed(2),
          `is width over height: ${(s * root).toFixed(2)} wide, ${(s / root).toFixed(2)} high, and the area ` +
            `stays ${(s * s).toFixed(3)}. The IoU with the ${object.name} is ${iou(box, object.box).toFixed(2)}.`,
        ];
      },
    };
  },

  priors(frame) {
    const preset = frame.get("preset");
    const [perMap, perCell] = [priorsPerMap(preset), boxesPerCell(preset)];
    const sum = (k) => perMap.slice(0, k + 1).reduce((a, b) => a + b, 0);
    return {
      slider: { label: "Feature map", step: 1, show: (k) => `${k + 1} of ${preset.maps.length}` },
      draw(stage, k) {
        const { name, cells } = preset.maps[k];
        const centres = cellCentres(preset, k);
        const dots = centres.flatMap((y) => centres.map((x) => `M${stage.x(x).toFixed(1)} ${stage.y(y).toFixed(1)}h0`));
        const look = { stroke: LOOKS[k].colour, "stroke-linecap": "round" };
        stage.put("rim", "path", { ...look, stroke: "#ffffff", "stroke-width": 3.4 + k, d: dots.join("") });
        stage.put("dots", "path", { ...look, "stroke-width": 1.8 + k, d: dots.join("") });
        const middle = centres[Math.floor(cells / 2)];
        drawBoxes(stage, "cell", cellShapes(preset, k).map((size) => toXyxy([middle, middle, ...size])), k);
        const rest = k ? `With the finer maps there are ${sum(k)} of ${numPriors(preset)}.` : "The coarser maps follow.";
        const count = `${cells} × ${cells} ${cells > 1 ? "cells" : "cell"} with ${perCell[k]} boxes each`;
        return [String(sum(k)), `priors so far. Map ${k + 1}, ${name}, has ${count}: ${perMap[k]}. ${rest}`];
      },
    };
  },

  threshold(frame) {
    const preset = frame.get("preset");
    const priors = makePriors(preset);
    const [{ name, box }] = frame.get("objects");
    return {
      slider: { label: "Threshold of the IoU", step: 0.05 },
      draw(stage, threshold) {
        const found = match(priors, [box], threshold);
        const positive = [...found.groundTruth.keys()].filter((i) => found.groundTruth[i] >= 0);
        const maps = drawPriors(stage, preset, priors, positive, 2);
        drawTruths(stage, [{ box }]);
        const used = preset.maps.flatMap((_, k) => (maps[k].length ? [k + 1] : []));
        const best = Math.max(...positive.map((i) => found.iou[i]));
        const words =
          best >= threshold
            ? `of ${numPriors(preset)} priors: those whose IoU with the ${name} is ${threshold.toFixed(2)} or more. ` +
              `They are on ${used.length > 1 ? "maps" : "map"} ${listed(used)} of ${preset.maps.length}, ` +
              `and the best one has ${best.toFixed(2)}.`
            : `prior is left, though its IoU is only ${best.toFixed(2)}: an object keeps its best one at any threshold.`;
        return [String(positive.length), words];
      },
    };
  },
};
