// node driver.mjs REQUEST.json: runs cases through geometry.js and prints its answers as JSON.
//
// The request holds `sources` (texts of geometry.js: the true one, or some with a mistake in it),
// `quantity`, `cases`, and `tables` of priors that many cases share. Numbers that JSON has no word
// for travel as "NaN", "Infinity" and "-Infinity", both ways.
import { readFileSync } from "node:fs";

const WORDS = { NaN, Infinity, "-Infinity": -Infinity };

/** Tells a refusal of ours (RangeError) from a mistake of ours (anything else, which ends node). */
function refusal(run) {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { refused: error.message };
  }
}

/** For each quantity, from a case to {decisions, values}: what must be equal, and nearly equal. */
const ANSWERS = {
  scales: (g, { preset }) => ({ values: g.scales(preset) }),

  priors(g, { preset, index }) {
    const maps = preset.maps.map((_, k) => k);
    return {
      decisions: [
        g.boxesPerCell(preset),
        g.priorsPerMap(preset),
        g.numPriors(preset),
        Object.values(g.locate(preset, index)),
      ],
      values: [
        ...maps.flatMap((k) => [...g.cellShapes(preset, k).flat(), ...g.cellCentres(preset, k)]),
        ...g.makePriors(preset),
      ],
    };
  },

  IoU: (g, { a, b }) => ({
    decisions: [g.centreInside(a, b)],
    values: [g.iou(a, b), g.iou(b, a), g.area(a), ...g.toCxcywh(a), ...g.toXyxy(g.toCxcywh(a))],
  }),

  "receptive field"(g, { view, place, head }) {
    const { row, column } = g.nearestCell(view, place);
    return { decisions: [row, column], values: g.fieldBox(view, row, column, head) };
  },

  region(g, { grid, region, stride, bins }) {
    const [left, top, right, bottom] = g.regionCells(region, stride);
    const spans = [g.binSpans(left, right, bins), g.binSpans(top, bottom, bins)];
    const values = [g.roiPool(grid, region, stride, bins), g.roiAlign(grid, region, stride, bins)];
    return { decisions: [[left, top, right, bottom], spans], values: values.flat(2) };
  },

  "impossible boxes": (g, { box }) => (g.checkBox(box), { decisions: ["accepted"] }),

  matching(g, { priors, table, boxes, threshold, rule }, tables) {
    const result = g.match(tables[table] ?? priors.flat(), boxes, threshold, rule);
    const groundTruth = Array.from(result.groundTruth);
    const shown = groundTruth.flatMap((truth, i) => (!table || truth >= 0 ? [i] : []));
    return {
      decisions: shown.map((i) => [i, groundTruth[i]]),
      values: shown.map((i) => result.iou[i]),
    };
  },

  mining(g, { losses, positive, ratio }) {
    const chosen = Array.from(g.hardNegatives(losses, positive, ratio));
    const distinct = new Set(losses).size === losses.length;
    return {
      decisions: [chosen.map((i) => losses[i]), distinct ? chosen : chosen.length],
    };
  },

  encoding: (g, { box, prior, variances }) => ({ values: g.encode(box, prior, variances) }),

  decoding(g, { offsets, prior, variances }) {
    const twice = g.decodeAll([...offsets, ...offsets], [...prior, ...prior], variances);
    return { values: [...g.decode(offsets, prior, variances), ...twice.slice(4)] };
  },

  loss: (g, { x, logits, label }) => ({
    values: [g.smoothL1(x), g.crossEntropy(logits, label), ...g.softmax(logits)],
  }),

  "MultiBox loss"(g, { logits, offsets, priors, boxes, labels, ratio, variances }) {
    const flat = (rows) => Float64Array.from(rows.flat());
    const raw = { logits: flat(logits), offsets: flat(offsets), priors: flat(priors) };
    const { groundTruth } = g.match(raw.priors, boxes);
    const loss = g.multiboxLoss(raw, { boxes, labels, groundTruth }, { ratio, variances });
    const left = priors.length - loss.positives;
    const enough = loss.negatives.length === Math.min(ratio * loss.positives, left);
    return {
      decisions: [loss.positives, enough ? "as many negatives as wanted" : "too few or too many"],
      values: [loss.total, loss.confidence, loss.localization],
    };
  },

  NMS: (g, { boxes, threshold }) => ({ decisions: Array.from(g.nms(boxes, threshold)) }),

  "post-processing"(g, { logits, offsets, priors, ...limits }) {
    const flat = [logits, offsets, priors].map((rows) => Float64Array.from(rows.flat()));
    const { candidates, suppressor, kept } = g.postprocess(...flat, {
      scoreThreshold: limits.score_threshold,
      iouThreshold: limits.iou_threshold,
      candidatesPerClass: limits.candidates_per_class,
      detectionsPerImage: limits.detections_per_image,
      variances: limits.variances,
    });
    const found = kept.map((i) => candidates[i]);
    const right = candidates.every(({ label, score, box }, i) => {
      const by = candidates[suppressor[i]];
      if (!by) return suppressor[i] === -1;
      return by.label === label && by.score > score && g.iou(by.box, box) > limits.iou_threshold;
    });
    const said = right ? "every suppressor is better and overlaps" : "a suppressor is wrong";
    return {
      decisions: [found.map((one) => one.label), said],
      values: found.flatMap(({ score, box }) => [score, ...box]),
    };
  },

  AP(g, { detections, truths, threshold }) {
    const matched = g.matchDetections(detections, truths, threshold).filter((d) => !d.ignored);
    const objects = truths.filter((truth) => !truth.difficult).length;
    const hits = matched.map((d) => d.hit);
    const { recall, precision } = g.precisionRecall(hits, objects);
    return {
      decisions: [objects, matched.map((d) => detections[d.detection].score), recall, precision],
      values: objects ? [g.apElevenPoints(recall, precision), g.apArea(recall, precision)] : [],
    };
  },
};

const numbers = (_, x) => (typeof x === "string" && x in WORDS ? WORDS[x] : x);
const request = JSON.parse(readFileSync(process.argv[2], "utf8"), numbers);
const tables = Object.fromEntries(
  Object.entries(request.tables ?? {}).map(([name, priors]) => [name, priors.flat()]),
);
const answers = [];
for (const source of request.sources) {
  // Not a file's name: whether node takes a .js for a module depends on folders around it.
  const url = `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
  const geometry = await import(url);
  const answer = ANSWERS[request.quantity];
  answers.push(request.cases.map((one) => refusal(() => answer(geometry, one, tables))));
}
const words = (_, x) => (typeof x === "number" && !Number.isFinite(x) ? String(x) : x);
process.stdout.write(JSON.stringify(answers, words));
