// Figures of one knob: a picture, a slider or a box to drag, and one number and a sentence that follow.

import { area, boxesPerCell, cellCentres, cellShapes, centreInside, encode, intersection, iou } from "./geometry.js";
import { locate, makePriors, match, nms, numPriors, priorXyxy, priorsPerMap, scales, smoothL1 } from "./geometry.js";
import { toCxcywh, toXyxy } from "./geometry.js";
import { sharedBox } from "./objects.js";
import { ACCENT, BLUE, INK, LOOKS, ORANGE, QUIET, clamp, mapLook } from "./paper.js";
import { explorer, html, listed } from "./ui.js";

const RATIO_MAP = 2; // the map whose scale the box of topic "ratio" has
const TRUTH = { stroke: INK, "stroke-width": 3 };
const HALF = 0.5; // the threshold of matching
const percent = (part) => `${(100 * part).toFixed(0)}\u00a0%`;

function drawBoxes(stage, key, boxes, k) {
  stage.rects(key, boxes, { stroke: LOOKS[k].colour, "stroke-width": 2.6 });
}

function drawTruths(stage, objects) {
  objects.forEach(({ box }, i) => stage.rect(`truth ${i}`, box, TRUTH));
}

// One function per topic. It returns `slider`, the control, and `draw`, which draws the picture's
// boxes for a place of the knob and returns the number and the sentence.
const TOPICS = {
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
        return [String(sum(k)), `priors so far. ${name} has ${count}: ${perMap[k]}. ${rest}`];
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
        const maps = preset.maps.map(() => []);
        for (const i of positive) maps[locate(preset, i).map].push(priorXyxy(priors, i));
        maps.forEach((boxes, k) => stage.rects(`map ${k}`, boxes, { ...mapLook(k), "stroke-width": 2 }));
        drawTruths(stage, [{ box }]);
        const used = listed(preset.maps.filter((_, k) => maps[k].length).map((map) => map.name));
        const best = Math.max(...positive.map((i) => found.iou[i]));
        const words =
          best >= threshold
            ? `of ${numPriors(preset)} priors: those whose IoU with the ${name} is ${threshold.toFixed(2)} or more. ` +
              `They are on ${used}, and the best one has ${best.toFixed(2)}.`
            : `prior is left, though its IoU is only ${best.toFixed(2)}: an object keeps its best one at any threshold.`;
        return [String(positive.length), words];
      },
    };
  },

  shift(frame) {
    const preset = frame.get("preset");
    const [{ name, box: truth }] = frame.get("objects");
    const variances = frame.get("variances");
    const prior = toCxcywh(bestPrior(makePriors(preset), truth).box);
    const wanted = encode(truth, prior, variances);
    return {
      slider: { label: "To the side", step: 0.05, show: (at) => `${percent(at)} of the width` },
      draw(stage, at) {
        const by = at * (truth[2] - truth[0]);
        const box = [truth[0] + by, truth[1], truth[2] + by, truth[3]];
        const off = encode(box, prior, variances).map((offset, i) => offset - wanted[i]);
        const loss = off.reduce((sum, x) => sum + smoothL1(x), 0);
        stage.rect("truth", truth, TRUTH);
        stage.rect("box", box, { stroke: ACCENT, "stroke-width": 3 });
        const far = Math.abs(off[0]);
        const words =
          far < 1
            ? "Below 1, smooth L1 is half of its square: near the right place the slope fades."
            : "From 1 on, smooth L1 is a straight line: each step costs the same, however far away.";
        return [
          loss.toFixed(2),
          `is the loss of the red box beside the ${name}: its offset in x is wrong by ${far.toFixed(2)}. ${words}`,
        ];
      },
    };
  },

  crop(frame) {
    const [x, y] = frame.get("centre");
    const objects = frame.get("objects");
    return {
      slider: { label: "Side of the crop", step: 0.05 },
      draw(stage, side) {
        const inside = (at) => clamp(at, side / 2, 1 - side / 2);
        const crop = toXyxy([inside(x), inside(y), side, side]);
        const stays = objects.filter(({ box }) => centreInside(box, crop));
        const goes = objects.filter((one) => !stays.includes(one));
        stage.rects("goes", goes.map(({ box }) => box), { stroke: QUIET, "stroke-width": 2 });
        drawTruths(stage, stays);
        stage.rect("crop", crop, { stroke: ACCENT, "stroke-width": 3 });
        const best = objects.reduce((p, q) => (iou(q.box, crop) > iou(p.box, crop) ? q : p));
        const overlap = iou(best.box, crop);
        const gone = goes.length ? `The ${listed(goes.map(({ name }) => name))} would be gone from the lesson. ` : "";
        return [
          String(stays.length),
          `of ${objects.length} objects stay: those whose centres are inside. ${gone}The largest IoU of crop and ` +
            `object is ${overlap.toFixed(2)}, with the ${best.name}.`,
        ];
      },
    };
  },

  distance(frame) {
    const preset = frame.get("preset");
    const priors = makePriors(preset);
    const objects = frame.get("objects");
    return {
      slider: { label: "How far away", step: 0.25, show: (at) => `${at.toFixed(2)} times` },
      picture: (at) => [0.5 - 0.5 / at, 0.5 - 0.5 / at, 0.5 + 0.5 / at, 0.5 + 0.5 / at],
      draw(stage, at) {
        const seen = objects.map(({ name, box }) => ({ name, box: box.map((edge) => (edge - 0.5) / at + 0.5) }));
        const best = seen.map(({ box }) => bestPrior(priors, box));
        const maps = preset.maps.map(() => []);
        for (const { index, box, overlap } of best) if (overlap >= HALF) maps[locate(preset, index).map].push(box);
        maps.forEach((boxes, k) => stage.rects(`map ${k}`, boxes, { ...mapLook(k), "stroke-width": 2 }));
        drawTruths(stage, seen);
        const lost = seen.filter((_, i) => best[i].overlap < HALF).map(({ name }) => name);
        const px = ([x0, y0, x1, y1]) => preset.image_size * Math.sqrt((x1 - x0) * (y1 - y0));
        const small = seen.reduce((p, q) => (px(q.box) < px(p.box) ? q : p));
        const words = lost.length
          ? `None reaches the ${listed(lost)}.`
          : "Each has one that fits.";
        return [
          String(seen.length - lost.length),
          `of ${seen.length} objects have a prior with an IoU of 0.5 or more. ${words} The smallest, the ` +
            `${small.name}, has ${px(small.box).toFixed(0)} pixels of ${preset.image_size}.`,
        ];
      },
    };
  },

  mining(frame) {
    const preset = frame.get("preset");
    const priors = makePriors(preset);
    const negatives = frame.get("negatives");
    const boxes = frame.get("objects").map(({ box }) => box);
    const positives = match(priors, boxes, HALF).groundTruth.filter((g) => g >= 0).length;
    return {
      slider: { label: "Negatives per positive", step: 1, show: String },
      draw(stage, ratio) {
        const chosen = negatives.slice(0, ratio * positives);
        const maps = preset.maps.map(() => []);
        for (const i of chosen) maps[locate(preset, i).map].push(priorXyxy(priors, i));
        maps.forEach((some, k) => stage.rects(`map ${k}`, some, { ...mapLook(k), "stroke-width": 1.4 }));
        drawTruths(stage, frame.get("objects"));
        const total = numPriors(preset);
        const rest = total - positives - chosen.length;
        return [
          String(positives + chosen.length),
          `of ${total} priors count in the loss: ${positives} positives, and the ${chosen.length} negatives ` +
            `(drawn) that a trained detector finds hardest. The other ${rest} teach nothing.`,
        ];
      },
    };
  },

  nms(frame) {
    const found = frame.get("detections").map(([, , ...box]) => box);
    const [[name]] = frame.get("detections");
    const there = frame.get("objects").filter((one) => one.name === name).length;
    return {
      slider: { label: "Threshold of the IoU", step: 0.05 },
      draw(stage, threshold) {
        const by = nms(found, threshold);
        const kept = found.filter((_, i) => by[i] < 0);
        stage.rects("fallen", found.filter((_, i) => by[i] >= 0), { stroke: QUIET, "stroke-width": 0.8 });
        stage.rects("kept", kept, { stroke: ACCENT, "stroke-width": 3 });
        const words =
          kept.length < there
            ? "Two of them overlap, and one lost its box to the other's."
            : kept.length > there
              ? "Boxes on one and the same car overlap less than that, and stay."
              : "Each has its best box, and every other one falls.";
        return [
          String(kept.length),
          `of ${found.length} boxes are kept, for ${there} ${name}s: a box falls if its IoU with a better one ` +
            `is above ${threshold.toFixed(2)}. ${words}`,
        ];
      },
    };
  },

  score(frame) {
    const [found, objects] = [frame.get("detections"), frame.get("objects")];
    const right = judged(found, objects);
    return {
      slider: { label: "Score above", step: 0.01 },
      draw(stage, least) {
        const kept = found.filter(([, score]) => score > least);
        const [hits, wrong] = [true, false].map((kind) => kept.filter((_, i) => right[i] === kind));
        const boxes = (some) => some.map(([, , ...box]) => box);
        stage.rects("wrong", boxes(wrong), { stroke: ORANGE, "stroke-width": 1.6 });
        stage.rects("right", boxes(hits), { stroke: BLUE, "stroke-width": 2.6 });
        return [
          String(kept.length),
          `boxes are reported. ${hits.length} of them are right (blue) and ${wrong.length} wrong (orange); of the ` +
            `${objects.length} objects, ${objects.length - hits.length} are missed.`,
        ];
      },
    };
  },
};

/** Which detections are right: the first of its class on an object, with an IoU of 0.5 or more. */
function judged(detections, objects) {
  const free = new Set(objects);
  return detections.map(([name, , ...box]) => {
    const hit = [...free].find((one) => one.name === name && iou(one.box, box) >= HALF);
    free.delete(hit);
    return Boolean(hit);
  });
}

/** The prior that overlaps a box most: {index, box, overlap}. */
function bestPrior(priors, box) {
  const best = { overlap: -1 };
  for (let index = 0; index < priors.length / 4; index++) {
    const corners = priorXyxy(priors, index);
    const overlap = iou(box, corners);
    if (overlap > best.overlap) Object.assign(best, { index, box: corners, overlap });
  }
  return best;
}

export default explorer({
  label: "A figure of one knob",
  state: ["at", "box"],

  build(frame) {
    const { slider, draw, picture } = TOPICS[frame.get("topic")](frame);
    const stage = frame.stage({ label: "Scene with its boxes", margin: 0.06 });
    const number = html("p", { class: "ssd-number", "aria-hidden": "true" });
    frame.root.classList.add("ssd-opening");
    frame.side.append(number, frame.words);
    if (slider) frame.slider({ ...slider, name: "at", min: frame.get("low"), max: frame.get("high") });
    frame.side.append(frame.foot);

    return function redraw() {
      stage.picture(frame.get("picture"), picture?.(frame.get("at")));
      const [value, words] = draw(stage, frame.get("at"));
      number.textContent = value;
      frame.say(words, value);
    };
  },
});
