/**
 * What SSD computes, for the explorers: the same rules as the Python package, in double precision.
 *
 * Nothing here draws or uses the page. A box is an array of 4 numbers in fractions of the image:
 * `xyxy` is [xmin, ymin, xmax, ymax], `cxcywh` is [centre x, centre y, width, height]. P priors are
 * one flat Float64Array of 4 P numbers, cxcywh. A preset is the package's `Preset` as an object.
 * `python -m tests.parity.javascript` compares every function with its Python twin. (Training runs
 * in float32: if several priors overlap a small box equally, rounding may choose another of them.)
 */

// --- boxes: ssd_tutorial/boxes.py, chapter 4 -----------------------------------------------------

const TINY = 2.2250738585072014e-308; // so that 0 / 0 is 0: two boxes without area have IoU 0

/** cxcywh to xyxy. */
export const toXyxy = ([cx, cy, w, h]) => [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2];

/** xyxy to cxcywh. */
export const toCxcywh = ([x0, y0, x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0];

/** Area of an xyxy box; 0 for an inverted one (xmax < xmin). */
export function area(box) {
  return Math.max(box[2] - box[0], 0) * Math.max(box[3] - box[1], 0);
}

/** Area that two xyxy boxes share. */
export function intersection(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(w, 0) * Math.max(h, 0);
}

/** Intersection over union of two xyxy boxes, 0 .. 1. */
export function iou(a, b) {
  const shared = intersection(a, b);
  return shared / Math.max(area(a) + area(b) - shared, TINY);
}

/** Throws a RangeError that names the broken rule, unless `box` is an xyxy box with an area. */
export function checkBox(box, name = "box") {
  const [x0, y0, x1, y1] = box;
  const refuse = (rule) => {
    throw new RangeError(`${name} [${Array.from(box).join(", ")}]: ${rule}`);
  };
  if (box.length !== 4) refuse("a box has 4 numbers: xmin, ymin, xmax, ymax");
  if (!box.every(Number.isFinite)) refuse("every coordinate must be a finite number");
  if (x1 <= x0) refuse("xmax must be above xmin");
  if (y1 <= y0) refuse("ymax must be above ymin");
}

/** Whether the centre of an xyxy box lies strictly inside `crop`, xyxy (chapter 11). */
export function centreInside(box, crop) {
  const [cx, cy] = toCxcywh(box);
  return crop[0] < cx && cx < crop[2] && crop[1] < cy && cy < crop[3];
}

/** The 4 offsets that move a cxcywh prior onto an xyxy box: what the network must predict. */
export function encode(box, [px, py, pw, ph], variances) {
  const [cx, cy, w, h] = toCxcywh(box);
  const moves = [(cx - px) / pw, (cy - py) / ph, Math.log(w / pw), Math.log(h / ph)];
  return moves.map((move, i) => move / variances[i]);
}

/** The xyxy box to which 4 offsets move a cxcywh prior: the inverse of `encode`. */
export function decode(offsets, [px, py, pw, ph], variances) {
  const [dx, dy, dw, dh] = offsets.map((offset, i) => offset * variances[i]);
  return toXyxy([px + dx * pw, py + dy * ph, pw * Math.exp(dw), ph * Math.exp(dh)]);
}

/** `decode` of P priors at once, cut at the image's border: flat xyxy, 4 P numbers. */
export function decodeAll(offsets, priors, variances) {
  const boxes = new Float64Array(priors.length);
  const unit = (x) => Math.min(Math.max(x, 0), 1);
  for (let i = 0; i < priors.length; i += 4) {
    for (let k = 0; k < 2; k++) {
      const [centre, side] = [i + k, i + k + 2];
      const middle = priors[centre] + offsets[centre] * variances[k] * priors[side];
      const half = (priors[side] * Math.exp(offsets[side] * variances[k + 2])) / 2;
      boxes[centre] = unit(middle - half);
      boxes[side] = unit(middle + half);
    }
  }
  return boxes;
}

// --- scales: ssd_tutorial/scales.py, chapter 5 ---------------------------------------------------

/** Round to the nearest whole number, halves to the even one, as Python does. */
function roundHalfEven(x) {
  const low = Math.floor(x);
  const up = x - low > 0.5 || (x - low === 0.5 && low % 2 !== 0);
  return up ? low + 1 : low;
}

/** The scales [s_1 .. s_{m+1}] of m maps; the last has no map, but `extraScale` needs it. */
export function scales(preset) {
  const { s_min, s_max, first, beyond, whole_percent } = preset.rule;
  const byHand = first == null ? [] : [first];
  const m = preset.maps.length - byHand.length; // maps that the formula covers
  if (m < 2) throw new RangeError(`the formula spreads scales over m >= 2 maps, not m = ${m}`);
  const [low, high] = [roundHalfEven(100 * s_min), roundHalfEven(100 * s_max)];
  const percent = Math.floor((high - low) / (m - 1));
  const spread = Array.from({ length: m + 1 }, (_, k) =>
    whole_percent ? (low + percent * k) / 100 : s_min + ((s_max - s_min) * k) / (m - 1),
  );
  if (beyond != null) spread[m] = beyond;
  const all = [...byHand, ...spread];
  if (!preset.integer_sizes) return all;
  const size = preset.image_size;
  return all.map((s) => Math.floor(s * size + 1e-6) / size);
}

/** Side of a map's larger square: the geometric mean of its scale and the next one's. */
export const extraScale = (s, next) => Math.sqrt(s * next);

// --- priors: ssd_tutorial/priors.py, chapters 6 and 7 --------------------------------------------

/** [width, height] of each box of one cell of map k (from 0), unclipped. */
export function cellShapes(preset, k) {
  const [s, next] = scales(preset).slice(k, k + 2);
  const { ratios } = preset.maps[k];
  const ordered =
    preset.order === "caffe"
      ? ratios.flatMap((r) => [r, 1 / r]) // 2 1/2 3 1/3
      : [...ratios, ...ratios.map((r) => 1 / r)]; // 2 3 1/2 1/3
  const large = extraScale(s, next);
  const shapes = ordered.map((r) => [s * Math.sqrt(r), s / Math.sqrt(r)]);
  return [[s, s], [large, large], ...shapes];
}

/** Centres of the cells of map k along one side; with steps, the last may leave the image. */
export function cellCentres(preset, k) {
  const { cells, step_px } = preset.maps[k];
  const spacing = preset.centres === "step" ? step_px / preset.image_size : 1 / cells;
  return Array.from({ length: cells }, (_, i) => (i + 0.5) * spacing);
}

/** All P priors, flat cxcywh: map by map, row by row, column by column, box by box. */
export function makePriors(preset) {
  const priors = new Float64Array(4 * numPriors(preset));
  let at = 0;
  for (let k = 0; k < preset.maps.length; k++) {
    const [shapes, centres] = [cellShapes(preset, k), cellCentres(preset, k)];
    for (const cy of centres) {
      for (const cx of centres) {
        for (const [w, h] of shapes) {
          priors.set(clipped([cx, cy, w, h], preset.clip), at);
          at += 4;
        }
      }
    }
  }
  return priors;
}

function clipped(prior, rule) {
  const unit = (x) => Math.min(Math.max(x, 0), 1);
  if (rule === "wh") return [prior[0], prior[1], unit(prior[2]), unit(prior[3])];
  if (rule === "cxcywh") return prior.map(unit);
  if (rule === "corners") return toCxcywh(toXyxy(prior).map(unit));
  return prior;
}

/** Boxes in a cell of each map: 4 6 6 6 4 4 for SSD300. */
export const boxesPerCell = (preset) => preset.maps.map((map) => 2 + 2 * map.ratios.length);

/** Priors of each map: 5776 2166 600 150 36 4 for SSD300. */
export function priorsPerMap(preset) {
  const boxes = boxesPerCell(preset);
  return preset.maps.map((map, k) => map.cells ** 2 * boxes[k]);
}

/** Number of priors P: 8732 for SSD300. */
export const numPriors = (preset) => priorsPerMap(preset).reduce((sum, n) => sum + n, 0);

/** The place of prior `index`: {map, row, column, box}, each from 0. */
export function locate(preset, index) {
  const [counts, boxes] = [priorsPerMap(preset), boxesPerCell(preset)];
  let rest = index;
  for (let map = 0; map < counts.length && rest >= 0; map++) {
    if (rest < counts[map]) {
      const { cells } = preset.maps[map];
      const cell = Math.floor(rest / boxes[map]);
      const [row, column] = [Math.floor(cell / cells), cell % cells];
      return { map, row, column, box: rest % boxes[map] };
    }
    rest -= counts[map];
  }
  throw new RangeError(`prior ${index} does not exist: there are ${numPriors(preset)}, from 0`);
}

/** Write prior i as xyxy into `out`: no new array for each of thousands. */
export function priorXyxy(priors, i, out = [0, 0, 0, 0]) {
  const [cx, cy, w, h] = [priors[4 * i], priors[4 * i + 1], priors[4 * i + 2], priors[4 * i + 3]];
  out[0] = cx - w / 2;
  out[1] = cy - h / 2;
  out[2] = cx + w / 2;
  out[3] = cy + h / 2;
  return out;
}

// --- matching: ssd_tutorial/matching.py, chapter 8 -----------------------------------------------

/**
 * Matches P priors with G xyxy boxes; each prior gets a ground truth or becomes a negative.
 *
 * First every ground truth gets one prior: with "bipartite" the best pair of all first, then the best
 * of what is left; with "argmax" its best prior, and if two share the same one, the last wins. Then
 * every prior left is matched to the ground truth that it overlaps most, if their IoU >= threshold.
 * Returns, for each prior, `groundTruth` (-1 for a negative) and its `iou` with that (or the best); and
 * the `favourites`, for each ground truth the prior that overlaps it most, {prior, iou}.
 */
export function match(priors, boxes, threshold = 0.5, rule = "bipartite") {
  if (rule !== "bipartite" && rule !== "argmax") {
    throw new RangeError(`rule must be "bipartite" or "argmax", not ${rule}`);
  }
  if (!(threshold > 0 && threshold <= 1)) {
    throw new RangeError(`threshold must be an IoU in (0, 1], not ${threshold}`);
  }
  const P = priors.length / 4;
  const groundTruth = new Int32Array(P).fill(-1);
  const best = new Float64Array(P); // IoU of each prior with its ground truth
  const favourites = boxes.map(() => ({ prior: 0, iou: 0 })); // of each ground truth
  const corners = [0, 0, 0, 0];
  for (let i = 0; i < P; i++) {
    priorXyxy(priors, i, corners);
    let nearest = -1;
    for (let g = 0; g < boxes.length; g++) {
      const overlap = iou(boxes[g], corners);
      if (overlap > best[i]) {
        best[i] = overlap;
        nearest = g;
      }
      if (overlap > favourites[g].iou) favourites[g] = { prior: i, iou: overlap };
    }
    if (best[i] >= threshold) groundTruth[i] = nearest;
  }
  const pairs = rule === "argmax" ? favourites : bipartite(priors, boxes, favourites);
  pairs.forEach(({ prior, iou: overlap }, g) => {
    if (overlap === 0) return; // it overlaps no prior that is not taken
    groundTruth[prior] = g;
    best[prior] = overlap;
  });
  return { groundTruth, iou: best, favourites };
}

/** Greedy global matching: each ground truth's prior, {prior, iou}; no prior is used twice. */
function bipartite(priors, boxes, favourites) {
  const wanted = [...favourites];
  const given = boxes.map(() => ({ prior: -1, iou: 0 }));
  const gone = new Set();
  for (;;) {
    let winner = -1;
    wanted.forEach((wish, g) => {
      if (wish.iou > (wanted[winner]?.iou ?? 0)) winner = g;
    });
    if (winner < 0) return given;
    const { prior } = (given[winner] = wanted[winner]);
    gone.add(prior);
    wanted[winner] = { prior: -1, iou: 0 };
    wanted.forEach((wish, g) => {
      if (wish.prior === prior && wish.iou > 0) wanted[g] = favourite(priors, boxes[g], gone);
    });
  }
}

/** The prior that overlaps a box most, of those that are not taken. */
function favourite(priors, box, gone) {
  const corners = [0, 0, 0, 0];
  let found = { prior: -1, iou: 0 };
  for (let i = 0; i < priors.length / 4; i++) {
    const overlap = iou(box, priorXyxy(priors, i, corners));
    if (overlap > found.iou && !gone.has(i)) found = { prior: i, iou: overlap };
  }
  return found;
}

// --- mining and loss: ssd_tutorial/mining.py and loss.py, chapters 9 and 10 ----------------------

/** Smooth L1 of one difference: x^2 / 2 below 1, a straight line beyond. */
export const smoothL1 = (x) => (Math.abs(x) < 1 ? 0.5 * x * x : Math.abs(x) - 0.5);

/**
 * For each of P priors, the logarithm of the sum of exp over its C logits, P x C numbers, flat: the
 * probability of a class is exp(its logit - that).
 */
export function logSums(logits, C) {
  const sums = new Float64Array(logits.length / C);
  for (let i = 0, from = 0; i < sums.length; i++, from += C) {
    let top = logits[from]; // the largest, subtracted first, so that exp can't overflow
    for (let c = 1; c < C; c++) top = Math.max(top, logits[from + c]);
    let sum = 0;
    for (let c = 0; c < C; c++) sum += Math.exp(logits[from + c] - top);
    sums[i] = top + Math.log(sum);
  }
  return sums;
}

const logSumExp = (logits) => logSums(logits, logits.length)[0];

/** Probabilities of C classes from their logits. */
export function softmax(logits) {
  const total = logSumExp(logits);
  return Array.from(logits, (x) => Math.exp(x - total));
}

/** -log of the probability of class `label`. */
export const crossEntropy = (logits, label) => logSumExp(logits) - logits[label];

/**
 * The negatives that look least like background, `ratio` per positive; hardest first.
 *
 * `backgroundLoss` is -log p(background) of P priors, `positive` P flags. Returns indices; equal
 * losses are in the priors' order.
 */
export function hardNegatives(backgroundLoss, positive, ratio = 3) {
  const negatives = [];
  for (let i = 0; i < positive.length; i++) if (!positive[i]) negatives.push(i);
  const positives = positive.length - negatives.length;
  const wanted = Math.trunc(Math.fround(Math.fround(ratio) * positives)); // as torch: in float32
  negatives.sort((a, b) => backgroundLoss[b] - backgroundLoss[a] || a - b);
  return Int32Array.from(negatives.slice(0, wanted));
}

/**
 * The loss of one picture: how wrong the scores of its P priors are, and how wrong the boxes.
 *
 * `logits` holds P x C numbers, background first, `offsets` 4 P, `priors` 4 P (cxcywh), all flat;
 * `labels` are the classes of G ground truths, from 1, and `boxes` their xyxy boxes, to which
 * `groundTruth` of `match` refers. `confidence` is the cross-entropy of the positives and of the
 * mined negatives, `ofNegatives` the negatives' part of it, `localization` smooth L1 of the
 * positives' offsets: each divided by the number of positives, or by 1 if there is none. `negatives`
 * are the indices of the mined ones.
 */
export function multiboxLoss({ logits, offsets, priors }, { boxes, labels, groundTruth }, options = {}) {
  const { variances = [0.1, 0.1, 0.2, 0.2], ratio = 3 } = options;
  const P = priors.length / 4;
  const C = logits.length / P;
  const sums = logSums(logits, C);
  const entropy = (i, label) => sums[i] - logits[i * C + label];
  const positive = Array.from(groundTruth, (g) => g >= 0);
  const negatives = hardNegatives(sums.map((_, i) => entropy(i, 0)), positive, ratio);
  let [ofPositives, localization, positives] = [0, 0, 0];
  groundTruth.forEach((g, i) => {
    if (g < 0) return;
    const wanted = encode(boxes[g], priors.slice(4 * i, 4 * i + 4), variances);
    wanted.forEach((offset, k) => (localization += smoothL1(offsets[4 * i + k] - offset)));
    ofPositives += entropy(i, labels[g]);
    positives += 1;
  });
  const n = Math.max(1, positives);
  const ofNegatives = negatives.reduce((sum, i) => sum + entropy(i, 0), 0) / n;
  localization /= n;
  const confidence = ofPositives / n + ofNegatives;
  return { total: confidence + localization, confidence, ofNegatives, localization, positives, negatives };
}

// --- detecting and evaluation: ssd_tutorial/detect.py and evaluate.py, chapters 13 and 14 --------

/**
 * Greedy non-maximum suppression of xyxy boxes sorted by falling score.
 *
 * Returns for each box -1 if it survives, else the index of the survivor that suppresses it: the
 * first that overlaps it by more than `threshold`.
 */
export function nms(boxes, threshold = 0.45) {
  const suppressor = new Int32Array(boxes.length).fill(-1);
  for (let i = 0; i < boxes.length; i++) {
    if (suppressor[i] >= 0) continue; // only survivors suppress
    for (let j = i + 1; j < boxes.length; j++) {
      if (suppressor[j] < 0 && iou(boxes[i], boxes[j]) > threshold) suppressor[j] = i;
    }
  }
  return suppressor;
}

/**
 * What a network's output means: candidates, and which of them survive.
 *
 * `logits` holds P x C numbers, background first, `offsets` 4 P, `priors` 4 P (cxcywh), all flat.
 * Per class: scores above `scoreThreshold`, the best `candidatesPerClass` of them, NMS; then the
 * best `detectionsPerImage` of all classes. Returns `candidates`, class by class, best first:
 * {prior, label, score, box}, where box is xyxy, cut at the image's border; `suppressor`, for each
 * the index of the candidate that suppresses it, -1 for a survivor; and `kept`, the indices of the
 * survivors, best first.
 */
export function postprocess(logits, offsets, priors, options = {}) {
  const { scoreThreshold = 0.01, iouThreshold = 0.45, variances = [0.1, 0.1, 0.2, 0.2] } = options;
  const { candidatesPerClass = 400, detectionsPerImage = 200 } = options;
  const P = priors.length / 4;
  const C = logits.length / P;
  const likely = Math.log(scoreThreshold); // no score is above exp(best logit - background's)
  const byClass = Array.from({ length: C }, () => []);
  for (let prior = 0; prior < P; prior++) {
    const from = prior * C;
    let best = -Infinity;
    for (let c = 1; c < C; c++) best = Math.max(best, logits[from + c]);
    if (best - logits[from] <= likely) continue;
    softmax(logits.slice(from, from + C)).forEach((score, label) => {
      if (label && score > scoreThreshold) byClass[label].push({ prior, label, score });
    });
  }
  const [candidates, suppressor] = [[], []];
  for (const all of byClass) {
    const some = all.sort((a, b) => b.score - a.score).slice(0, candidatesPerClass);
    for (const one of some) {
      const four = (array) => Array.from(array.slice(4 * one.prior, 4 * one.prior + 4));
      const box = decode(four(offsets), four(priors), variances);
      one.box = box.map((edge) => Math.min(Math.max(edge, 0), 1));
    }
    const from = candidates.length;
    const by = nms(some.map(({ box }) => box), iouThreshold);
    candidates.push(...some);
    suppressor.push(...Array.from(by, (i) => (i < 0 ? -1 : from + i)));
  }
  const kept = [...candidates.keys()].filter((i) => suppressor[i] < 0);
  kept.sort((a, b) => candidates[b].score - candidates[a].score || a - b);
  return { candidates, suppressor, kept: kept.slice(0, detectionsPerImage) };
}

/**
 * Which detections of one class are right by VOC's rule, by falling score (ties in their given order).
 *
 * A detection {image, box, score} belongs to the ground truth {image, box, difficult} of its image
 * that it overlaps most, if their IoU is >= iouThreshold: the first one there is a `hit`, the next
 * are duplicates, and wrong. One matched to a difficult object is `ignored`: neither right nor wrong.
 * Returns [{detection, groundTruth, hit, ignored}]: indices (groundTruth -1 for none) and flags.
 */
export function matchDetections(detections, groundTruths, iouThreshold = 0.5) {
  const scores = detections.map(({ score }) => score);
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
  const taken = new Set();
  return order.map((detection) => {
    const { image, box } = detections[detection];
    let [nearest, best] = [-1, -1];
    groundTruths.forEach((truth, g) => {
      const overlap = truth.image === image ? iou(box, truth.box) : -1;
      if (overlap > best) [nearest, best] = [g, overlap];
    });
    if (best < iouThreshold) return { detection, groundTruth: -1, hit: false, ignored: false };
    const ignored = Boolean(groundTruths[nearest].difficult);
    const hit = !ignored && !taken.has(nearest);
    taken.add(nearest);
    return { detection, groundTruth: nearest, hit, ignored };
  });
}

/**
 * Recall and precision after each detection that counts; `hits` are their flags, by falling score.
 * `numObjects` counts the ground truths that are not difficult; at 0 the AP is undefined.
 */
export function precisionRecall(hits, numObjects) {
  let right = 0;
  const rights = Array.from(hits, (hit) => (right += Number(hit)));
  return {
    recall: rights.map((n) => n / Math.max(numObjects, 1)),
    precision: rights.map((n, i) => n / (i + 1)),
  };
}

/** The best precision at each recall or any higher one. */
export function envelope(precision) {
  const result = Array.from(precision);
  for (let i = result.length - 2; i >= 0; i--) result[i] = Math.max(result[i], result[i + 1]);
  return result;
}

/** VOC 2007's AP: the mean precision at the recalls 0, 0.1 .. 1; 0 where one is never reached. */
export function apElevenPoints(recall, precision) {
  const best = envelope(precision);
  let sum = 0;
  for (let i = 0; i <= 10; i++) sum += best[recall.findIndex((r) => r >= i / 10)] ?? 0;
  return sum / 11;
}

/** AP since VOC 2010: the area under the envelope of the curve. */
export function apArea(recall, precision) {
  const best = envelope(precision);
  return recall.reduce((sum, r, i) => sum + (r - (recall[i - 1] ?? 0)) * best[i], 0);
}

// --- receptive fields -------------------------------------------------------------------------------

/** Row and column of the cell that looks at a place (x, y), in pixels. */
export function nearestCell({ cells, stride, centre }, place) {
  const [column, row] = place.map((at) =>
    Math.min(cells - 1, Math.max(0, Math.floor((at - centre) / stride + 0.5))),
  );
  return { row, column };
}

/** A cell's receptive field, or that of a 3 x 3 head on it: xyxy in pixels, not cut. */
export function fieldBox({ stride, field, centre }, row, column, head) {
  const half = field / 2 + (head ? stride : 0);
  const [x, y] = [column, row].map((at) => centre + at * stride);
  return [x - half, y - half, x + half, y + half];
}

// --- regions of interest: ssd_book/roi.py, chapter 2 -------------------------------------------------

/** First column and row, last column and row of a region, xyxy in pixels; the last are included. */
export function regionCells(region, stride) {
  const [left, top, right, bottom] = region.map((at) => Math.floor(at / stride + 0.5));
  return [left, top, Math.max(left, right), Math.max(top, bottom)];
}

/** The cells of each bin, [start, end] with the end not included; bins may share cells. */
export function binSpans(first, last, bins) {
  const n = last - first + 1;
  const span = (_, i) => [first + Math.floor((i * n) / bins), first + Math.ceil(((i + 1) * n) / bins)];
  return Array.from({ length: bins }, span);
}

/** The largest value in each bin of a region, rows of bins; beyond the map it is 0.
 *  `grid` is a map as rows of numbers. */
export function roiPool(grid, region, stride, bins) {
  const [left, top, right, bottom] = regionCells(region, stride);
  return binSpans(top, bottom, bins).map(([y0, y1]) =>
    binSpans(left, right, bins).map(([x0, x1]) => {
      const part = grid.slice(y0, y1).flatMap((row) => row.slice(x0, x1));
      return part.length ? Math.max(...part) : 0;
    }),
  );
}

/** The points that RoIAlign looks at along one side, in cells: two for each bin. */
export function samplePoints(start, end, bins) {
  const step = (end - start) / bins;
  return Array.from({ length: bins }, (_, i) => [0.25, 0.75].map((at) => start + (i + at) * step));
}

/** The bilinear value at a place where cell (i, j) has its centre at y = i, x = j. */
export function interpolate(grid, y, x) {
  const [height, width] = [grid.length, grid[0].length];
  if (!(y >= -1 && y <= height && x >= -1 && x <= width)) return 0;
  const inside = (at, n) => Math.min(Math.max(at, 0), n - 1);
  [y, x] = [inside(y, height), inside(x, width)];
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [below, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
  const across = (row) => (1 - (x - left)) * grid[row][left] + (x - left) * grid[row][right];
  return (1 - (y - top)) * across(top) + (y - top) * across(below);
}

/** The mean of four interpolated values in each bin of a region; nothing is rounded. */
export function roiAlign(grid, region, stride, bins) {
  const [left, top, right, bottom] = region.map((at) => at / stride - 0.5);
  return samplePoints(top, bottom, bins).map((ys) =>
    samplePoints(left, right, bins).map((xs) => {
      const values = ys.flatMap((y) => xs.map((x) => interpolate(grid, y, x)));
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    }),
  );
}
