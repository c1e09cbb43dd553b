// What the figures of one knob show of training and detecting (chapters 9 to 16).

import { centreInside, encode, iou, makePriors, match, nms, numPriors, priorXyxy } from "./geometry.js";
import { smoothL1, toCxcywh, toXyxy } from "./geometry.js";
import { ACCENT, BLUE, ORANGE, QUIET, clamp } from "./paper.js";
import { HALF, drawPriors, drawTruths, percent } from "./topics.js";
import { listed } from "./ui.js";

/** Which detections are right: the first of its class on an object, with an IoU of 0.5 or more. */
export function judged(detections, objects) {
  const free = new Set(objects);
  return detections.map(([name, , ...box]) => {
    const hit = [...free].find((one) => one.name === name && iou(one.box, box) >= HALF);
    free.delete(hit);
    return Boolean(hit);
  });
}

/** Draw them, the right ones in blue and the wrong ones in orange; returns both. */
export function drawJudged(stage, detections, right) {
  const [hits, wrong] = [true, false].map((kind) => detections.filter((_, i) => right[i] === kind));
  const boxes = (some) => some.map(([, , ...box]) => box);
  stage.rects("wrong", boxes(wrong), { stroke: ORANGE, "stroke-width": 1.6 });
  stage.rects("right", boxes(hits), { stroke: BLUE, "stroke-width": 2.6 });
  return [hits, wrong];
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

export const TOPICS_OF_DETECTORS = {
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
        drawTruths(stage, [{ box: truth }]);
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
        const reached = best.filter(({ overlap }) => overlap >= HALF).map(({ index }) => index);
        drawPriors(stage, preset, priors, reached, 2);
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
        drawPriors(stage, preset, priors, chosen, 1.4);
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
        const [hits, wrong] = drawJudged(stage, kept, right);
        return [
          String(kept.length),
          `boxes are reported. ${hits.length} of them are right (blue) and ${wrong.length} wrong (orange); of the ` +
            `${objects.length} objects, ${objects.length - hits.length} are missed.`,
        ];
      },
    };
  },
};
