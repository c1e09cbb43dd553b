// What stands behind one detection: its prior, its offsets, its scores, and what it suppressed.

import { cellCentres, decode, fieldBox, iou, locate, softmax, toCxcywh } from "./geometry.js";
import { finders } from "./predictions.js";
import { listed } from "./ui.js";

const px = (values, side) => values.map((value) => (value * side).toFixed(1));
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

/** Everything about candidate `i` of an answer, as numbers. */
export function dissect({ raw, result, preset, names, views }, i) {
  const { prior, label, score, box } = result.candidates[i];
  const C = names.length + 1;
  const place = locate(preset, prior);
  const logits = Array.from(raw.logits.subarray(prior * C, (prior + 1) * C));
  const four = (array) => Array.from(array.subarray(4 * prior, 4 * prior + 4));
  const [offsets, shape] = [four(raw.offsets), four(raw.priors)];
  const centres = cellCentres(preset, place.map);
  const half = 0.5 / preset.maps[place.map].cells;
  const [cx, cy] = [centres[place.column], centres[place.row]];
  const view = views?.[place.map]; // unknown for a model that this page does not know
  const field = view && fieldBox(view, place.row, place.column, true).map((edge) => edge / preset.image_size);
  const suppressed = result.candidates
    .filter((_, j) => result.suppressor[j] === i)
    .map((one) => ({ ...one, overlap: iou(one.box, box) }));
  return {
    ...{ prior, label, score, box, place, logits, offsets, shape, suppressed, field },
    finders: finders(raw, preset, label, box),
    map: preset.maps[place.map],
    ...{ side: preset.image_size, priors: raw.priors.length / 4 },
    cell: [cx - half, cy - half, cx + half, cy + half],
    moves: offsets.map((offset, k) => offset * preset.variances[k]),
    whole: decode(offsets, shape, preset.variances), // before it is cut at the border
    probabilities: softmax(logits),
  };
}

/** The sentence about a detection. */
export function sentence(one, names) {
  const { place, map, prior, suppressed, field } = one;
  const cell = `row ${place.row}, column ${place.column}`; // all are counted from 0, as priors are
  const count = suppressed.length;
  const fell = count ? `It suppressed ${count} other${count > 1 ? "s" : ""}` : "It suppressed no other box";
  const sees = field ? Math.round((field[2] - field[0]) * one.side) : 0;
  const seen = sees ? ` It sees ${sees} × ${sees} px.` : "";
  const from = count ? `, with an IoU of ${Math.min(...suppressed.map((s) => s.overlap)).toFixed(2)} or more` : "";
  return (
    `${names[one.label - 1]} ${one.score.toFixed(2)}: prior ${prior} of ${one.priors}, on ${map.name} ` +
    `(${map.cells} × ${map.cells} cells), ${cell}, box ${place.box}.${seen} ${fell}${from}.`
  );
}

/** Rows of the table from prior to box, for cx, cy, w, h. */
export function boxRows(one) {
  const [prior, box] = [px(one.shape, one.side), px(toCxcywh(one.whole), one.side)];
  return ["cx", "cy", "w", "h"].map((name, k) => {
    return [name, prior[k], signed(one.offsets[k]), signed(one.moves[k]), box[k]];
  });
}

/** Rows of the table of scores: background and the best classes, before and after softmax. */
export function scoreRows(one, names) {
  const order = [...one.logits.keys()].slice(1).sort((a, b) => one.logits[b] - one.logits[a]);
  return [...order.slice(0, 3), 0].map((c) => [
    c ? names[c - 1] : "background",
    signed(one.logits[c]),
    one.probabilities[c].toFixed(3),
  ]);
}

export const SHOWN = 6;

/** Rows of the table of suppressed boxes, best first; at most `SHOWN`. */
export function suppressedRows(one, preset) {
  return one.suppressed.slice(0, SHOWN).map(({ prior, score, overlap }) => {
    const { map } = locate(preset, prior);
    return [prior, preset.maps[map].name, score.toFixed(2), overlap.toFixed(2)];
  });
}

/** Bars: the score that each map alone would have given to a box like this one. */
export function finderBars(one) {
  return one.finders.map((best) => ({
    share: best?.score ?? 0,
    words: best ? best.score.toFixed(2) : "no such box",
  }));
}

/** Which maps would have found it, in a sentence. */
export function findersSaid(one, preset, least) {
  const able = preset.maps.filter((_, k) => one.finders[k]?.score > least).map(({ name }) => name);
  const which = able.length === 1 ? `Only ${able[0]} finds it` : `${listed(able)} would each find it`;
  return `${which} with a score above ${least.toFixed(2)} and a box whose IoU with this one is 0.5 or more.`;
}
