// All that a network predicts for a picture, before anything is thrown away. Nothing here draws.
//
// `raw` is an answer of the detector, {logits, offsets, priors}, flat.

import { decodeAll, iou, logSums, priorsPerMap } from "./geometry.js";

const classes = ({ logits, priors }) => logits.length / (priors.length / 4);

/** Probability of class `label` for prior `i`; 0 is the background. */
export function probability(raw, i, label) {
  const C = classes(raw);
  raw.sums ??= logSums(raw.logits, C); // once for each answer
  return Math.exp(raw.logits[i * C + label] - raw.sums[i]);
}

/** The most likely class of prior `i` but the background. */
function likeliest({ logits }, i, C) {
  let best = 1;
  for (let c = 2; c < C; c++) if (logits[i * C + c] > logits[i * C + best]) best = c;
  return best;
}

/** The box that prior `i` predicts, xyxy, cut at the border as those of detections are. */
function predicted(raw, i, variances) {
  raw.boxes ??= decodeAll(raw.offsets, raw.priors, variances); // once for each answer
  return raw.boxes.subarray(4 * i, 4 * i + 4);
}

/** Call `visit(i)` for the priors of each map; returns the results of `begin(k)`, one per map. */
function perMap(preset, begin, visit) {
  let i = 0;
  return priorsPerMap(preset).map((count, k) => {
    const result = begin(k);
    for (const end = i + count; i < end; i++) visit(result, i);
    return result;
  });
}

/** For each map the predictions with a score of at least `least`, {prior, label, score, box}. */
export function cloud(raw, preset, least) {
  const C = classes(raw);
  return perMap(preset, () => [], (some, prior) => {
    const label = likeliest(raw, prior, C);
    const score = probability(raw, prior, label);
    if (score < least) return;
    some.push({ prior, label, score, box: predicted(raw, prior, preset.variances) });
  });
}

/**
 * For each map the highest probability of a class in every cell, row by row: {values, most, at}, where
 * `at` is the cell of the highest. Class 0 stands for any object: all that is not background.
 */
export function heat(raw, preset, label) {
  const maps = perMap(
    preset,
    (k) => {
      const { cells, ratios } = preset.maps[k];
      return { values: new Float32Array(cells ** 2), boxes: 2 + 2 * ratios.length, next: 0 };
    },
    (map, prior) => {
      const p = probability(raw, prior, label);
      const cell = Math.floor(map.next++ / map.boxes);
      map.values[cell] = Math.max(map.values[cell], label ? p : 1 - p);
    },
  );
  return maps.map(({ values }) => {
    const at = values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
    return { values, at, most: values[at] };
  });
}

/**
 * For each map the best prediction of a class whose box has an IoU >= 0.5 with `box`, {prior, score},
 * or null: whether that map alone would have found it.
 */
export function finders(raw, preset, label, box) {
  const found = perMap(preset, () => ({ prior: -1, score: 0 }), (best, prior) => {
    const score = probability(raw, prior, label);
    if (score <= best.score || iou(predicted(raw, prior, preset.variances), box) < 0.5) return;
    Object.assign(best, { prior, score });
  });
  return found.map((best) => (best.prior < 0 ? null : best));
}
